"""Resize: other pixels for the same view, never enlarged unasked."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from amp_datasets.filtering.base import BorderSetting, Draw, GeometricFilter, Settings
from amp_datasets.geometry.warp import Affine, Warp
from amp_datasets.model import Size
from amp_datasets.plugin.registry import Registry

Side = Annotated[int, Field(ge=1, le=32_766)]
How = Literal["stretch", "fit", "letterbox", "fill", "longest", "shortest"]


class Resize(GeometricFilter):
    """Give the image `size` pixels: a number for both sides, or [width, height].

    `how`: stretch changes the shape; fit keeps it and stays inside the size; letterbox adds edges to that, in a colour
    or as `fill` says; fill covers the size and cuts what is over, at the centre; longest and shortest make that side
    `size` long. An image that is smaller already is not enlarged, unless `enlarge` says so: it stays as it is, and
    letterbox still gives it its edges.
    """

    name: ClassVar[str] = "resize"
    roboflow: ClassVar[str] = "Resize"
    caution: ClassVar[str] = "As a filter among others: trainers resize on their own. It is meant for `preprocess`."
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"size": (80, 80)},
        {"size": (100, 60), "how": "letterbox"},
        {"size": (60, 80), "how": "fill"},
        {"size": (70, 40), "how": "fit"},
        {"size": 64, "how": "longest"},
        {"size": 45, "how": "shortest"},
        {"size": (200, 210), "how": "letterbox", "enlarge": True, "fill": "replicate"},
    )

    class InitSchema(Settings):
        """Settings."""

        size: Side | tuple[Side, Side]
        how: How
        fill: BorderSetting
        enlarge: bool

    def __init__(
        self,
        size: int | tuple[int, int] = 640,
        how: How = "stretch",
        fill: BorderSetting = (114, 114, 114),
        enlarge: bool = False,
        p: float = 1.0,
    ) -> None:
        super().__init__(p=p)
        self.size = size
        self.how = how
        self.fill = fill
        self.enlarge = enlarge

    def get_params(self) -> Draw:
        """Nothing is sampled."""
        return {}

    def warp(self, size: Size, **_: Any) -> Warp:
        """A scaling to whole pixels; edges and cuts are whole pixels too."""
        wanted = self.size if isinstance(self.size, tuple) else (self.size, self.size)
        scaled = self._scaled(size, wanted)
        canvas = scaled
        if self.how == "letterbox":
            canvas = (max(wanted[0], scaled[0]), max(wanted[1], scaled[1]))
        elif self.how == "fill":
            canvas = (min(wanted[0], scaled[0]), min(wanted[1], scaled[1]))
        matrix = np.diag([scaled[0] / size[0], scaled[1] / size[1], 1.0])
        matrix[:2, 2] = (canvas[0] - scaled[0]) // 2, (canvas[1] - scaled[1]) // 2
        return Warp((Affine(matrix),) if canvas != size or scaled != size else (), size, canvas, self.fill)

    def _scaled(self, size: Size, wanted: Size) -> Size:
        """The size of the scaled image, before edges are added or cut."""
        if self.how == "stretch":
            return wanted if self.enlarge else (min(size[0], wanted[0]), min(size[1], wanted[1]))
        across, down = wanted[0] / size[0], wanted[1] / size[1]
        outer = {"fill": max(across, down), "longest": wanted[0] / max(size), "shortest": wanted[0] / min(size)}
        scale = outer.get(self.how, min(across, down))
        if scale > 1 and not self.enlarge:
            return size
        upward = math.ceil if self.how == "fill" else round
        return max(1, upward(size[0] * scale - _EPSILON)), max(1, upward(size[1] * scale - _EPSILON))


_EPSILON = 1e-9


def register(registry: Registry) -> None:
    """Offer the filter."""
    registry.add_filter(Resize)
