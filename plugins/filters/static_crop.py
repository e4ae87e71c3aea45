"""Static crop: the same part of every image."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import AfterValidator, Field

from amp_datasets.filtering.base import Draw, GeometricFilter, Settings
from amp_datasets.geometry.warp import Affine, Warp
from amp_datasets.model import Size
from amp_datasets.plugin.registry import Registry

Percent = Annotated[float, Field(ge=0, le=100)]


def _some(span: tuple[float, float]) -> tuple[float, float]:
    if span[1] - span[0] < 1:
        raise ValueError("a part goes from a smaller to a larger percentage, at least 1 apart")
    return span


Span = Annotated[tuple[Percent, Percent], AfterValidator(_some)]


class StaticCrop(GeometricFilter):
    """Keep what lies between two percentages of the width (`x`) and two of the height (`y`), in whole pixels."""

    name: ClassVar[str] = "static_crop"
    roboflow: ClassVar[str] = "Static Crop"
    caution: ClassVar[str] = "As a filter among others: each variant has the same window. It is meant for `preprocess`."
    examples: ClassVar[tuple[dict[str, Any], ...]] = ({"x": (10, 90), "y": (0, 95)}, {"x": (0, 85)})

    class InitSchema(Settings):
        """Settings."""

        x: Span
        y: Span

    def __init__(self, x: tuple[float, float] = (10, 90), y: tuple[float, float] = (10, 90), p: float = 1.0) -> None:
        super().__init__(p=p)
        self.x = x
        self.y = y

    def get_params(self) -> Draw:
        """Nothing is sampled."""
        return {}

    def warp(self, size: Size, **_: Any) -> Warp:
        """The translation that puts the part's corner at the origin."""
        (x0, x1), (y0, y1) = (_pixels(span, side) for span, side in zip((self.x, self.y), size, strict=True))
        return Warp((Affine(np.array([(1.0, 0, -x0), (0, 1, -y0), (0, 0, 1)])),), size, (x1 - x0, y1 - y0))


def _pixels(span: tuple[float, float], side: int) -> tuple[int, int]:
    first = min(side - 1, round(span[0] / 100 * side))
    return first, max(first + 1, round(span[1] / 100 * side))


def register(registry: Registry) -> None:
    """Offer the filter."""
    registry.add_filter(StaticCrop)
