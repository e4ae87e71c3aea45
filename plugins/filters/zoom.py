"""Zoom: a closer look at a part of the image, or all of it from further away, in an image of the same size."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from amp_datasets.filtering.base import BorderSetting, Draw, GeometricFilter, Mode, Settings, Signed, directed
from amp_datasets.geometry.warp import Affine, Warp
from amp_datasets.model import Size
from amp_datasets.plugin.registry import Registry

Share = Annotated[float, Field(ge=1, le=95)]
_MODES: dict[str, Mode] = {"in": "positive", "out": "negative", "both": "both"}


class Zoom(GeometricFilter):
    """Cut `percent` off width and height and enlarge the rest to the old size (in), or shrink the image by that (out).

    Where the part lies, or where the smaller image comes to lie, is sampled. `percent: [-20, 20]` zooms out below 0 and
    in above. `fill` says what surrounds the smaller image: the nearest edge pixel (replicate), a mirror image (reflect)
    or a colour.
    """

    name: ClassVar[str] = "zoom"
    roboflow: ClassVar[str] = "Crop"
    caution: ClassVar[str] = "Objects of a few pixels when zooming out, objects that fill the frame when zooming in."
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"percent": 20},
        {"percent": (10, 40), "direction": "out", "fill": (114, 114, 114)},
        {"percent": (5, 20), "direction": "both"},
        {"percent": (-60, -40), "fill": (0, 0, 0)},
    )

    class InitSchema(Settings):
        """Settings."""

        percent: Signed[Share, Annotated[float, Field(ge=-95, le=95)]]
        direction: Literal["in", "out", "both"]
        fill: BorderSetting

    def __init__(
        self,
        percent: float | tuple[float, float] = (5, 20),
        direction: Literal["in", "out", "both"] = "in",
        fill: BorderSetting = (114, 114, 114),
        p: float = 1.0,
    ) -> None:
        super().__init__(p=p)
        self.percent = percent
        self.direction = direction
        self.fill = fill

    def get_params(self) -> Draw:
        """Draw the scale, and the place as shares of the room that there is."""
        percent = directed(self.py_random, self.percent, _MODES[self.direction])
        rest = 1 - abs(percent) / 100
        at = [self.py_random.random(), self.py_random.random()]
        return {"scale": 1 / rest if percent > 0 else rest, "at": at}

    def warp(self, size: Size, *, scale: float, at: list[float], **_: Any) -> Warp:
        """The scaling, and the move that puts the part, or the smaller image, in its place."""
        matrix = np.diag([scale, scale, 1.0])
        matrix[:2, 2] = np.array(size) * (1 - scale) * at
        return Warp((Affine(matrix),), size, size, self.fill)


def register(registry: Registry) -> None:
    """Offer the filter."""
    registry.add_filter(Zoom)
