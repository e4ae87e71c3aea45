"""Rotation about the centre."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from amp_datasets.filtering.base import Draw, FillSetting, GeometricFilter, Range, Settings, fill_of, uniform
from amp_datasets.geometry.warp import Affine, Warp
from amp_datasets.model import Size
from amp_datasets.plugin.registry import Registry

Degrees = Annotated[float, Field(ge=0.1, le=180)]
"""A tenth of a degree moves the corners of a megapixel by one pixel."""


class Rotate(GeometricFilter):
    """Turn the image about its centre by `degrees`, keeping its size.

    `direction` is clockwise, counterclockwise, or one of the two at random (both). `fill` says what the uncovered
    corners show: the nearest edge pixel (replicate), a mirror image (reflect), a colour, or nothing: `crop` zooms in
    until the corners are gone.
    """

    name: ClassVar[str] = "rotate"
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"degrees": 15},
        {"degrees": (5, 15), "direction": "clockwise", "fill": "crop"},
        {"degrees": 30, "fill": (114, 114, 114)},
    )

    class InitSchema(Settings):
        """Settings."""

        degrees: Range[Degrees]
        direction: Literal["clockwise", "counterclockwise", "both"]
        fill: FillSetting

    def __init__(
        self,
        degrees: float | tuple[float, float] = 15,
        direction: Literal["clockwise", "counterclockwise", "both"] = "both",
        fill: FillSetting = "replicate",
        p: float = 1.0,
    ) -> None:
        super().__init__(p=p)
        self.degrees = degrees
        self.direction = direction
        self.fill = fill

    def get_params(self) -> Draw:
        """Draw the angle, clockwise on screen."""
        turn = {"clockwise": 1, "counterclockwise": -1}.get(self.direction) or self.py_random.choice((1, -1))
        return {"angle_deg": turn * uniform(self.py_random, self.degrees)}

    def warp(self, size: Size, *, angle_deg: float, **_: Any) -> Warp:
        """The rotation, zoomed for `crop` until no corner is uncovered."""
        zoom = _covering_zoom(size, angle_deg) if self.fill == "crop" else 1.0
        cos, sin = (zoom * f(math.radians(angle_deg)) for f in (math.cos, math.sin))
        x, y = size[0] / 2, size[1] / 2
        matrix = np.array([(cos, -sin, x - cos * x + sin * y), (sin, cos, y - sin * x - cos * y), (0, 0, 1)])
        return Warp((Affine(matrix),), size, size, fill_of(self.fill))


def _covering_zoom(size: Size, angle_deg: float) -> float:
    """The smallest zoom at which the rotated image covers its own frame."""
    width, height = size
    cos, sin = abs(math.cos(math.radians(angle_deg))), abs(math.sin(math.radians(angle_deg)))
    return max((width * cos + height * sin) / width, (width * sin + height * cos) / height)


def register(registry: Registry) -> None:
    """Offer the filter."""
    registry.add_filter(Rotate)
