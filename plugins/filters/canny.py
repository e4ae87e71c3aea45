"""Canny edges: what is left of an image when only its contours count."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import cv2
from pydantic import Field, model_validator

from amp_datasets.filtering.base import Draw, PixelFilter, Range, Settings, uniform
from amp_datasets.model import Image
from amp_datasets.plugin.registry import Registry

Gradient = Annotated[float, Field(gt=0, le=2040)]
"""|gx| + |gy| of a 3x3 Sobel on 8-bit values is at most 2040."""


class Canny(PixelFilter):
    """Draw the edges of the grey image white on black.

    An edge has a gradient above `high` somewhere and above `low` all along it (sums of absolute Sobel derivatives).
    """

    name: ClassVar[str] = "canny"
    caution: ClassVar[str] = (
        "All colour and shading goes; a detector for photographs learns little from it: use a few copies at most."
    )
    examples: ClassVar[tuple[dict[str, Any], ...]] = ({"low": 50, "high": 75}, {"low": (30, 60), "high": (80, 160)})
    severity: ClassVar[int] = 3

    class InitSchema(Settings):
        """Settings."""

        low: Range[Gradient]
        high: Range[Gradient]

        @model_validator(mode="after")
        def _low_is_below_high(self) -> Canny.InitSchema:
            low = self.low[1] if isinstance(self.low, tuple) else self.low
            high = self.high[0] if isinstance(self.high, tuple) else self.high
            if low > high:
                raise ValueError(f"low must not be above high (got low {low:g}, high {high:g})")
            return self

    def __init__(
        self, low: float | tuple[float, float] = 50, high: float | tuple[float, float] = 75, p: float = 1.0
    ) -> None:
        super().__init__(p=p)
        self.low = low
        self.high = high

    def get_params(self) -> Draw:
        """Draw both thresholds."""
        return {"low": uniform(self.py_random, self.low), "high": uniform(self.py_random, self.high)}

    def apply(self, img: Image, *, low: float, high: float, **_: Any) -> Image:
        """The edges, in three equal channels."""
        edges = cv2.Canny(cv2.cvtColor(img, cv2.COLOR_RGB2GRAY), low, high)
        colour: Image = cv2.cvtColor(edges, cv2.COLOR_GRAY2RGB)
        return colour


def register(registry: Registry) -> None:
    """Offer the filter."""
    registry.add_filter(Canny)
