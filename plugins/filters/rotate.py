"""Rotation about the centre."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from amp_datasets.filtering.base import Draw, FillSetting, GeometricFilter, Mode, Settings, Signed, directed, fill_of
from amp_datasets.geometry.maps import about_centre
from amp_datasets.geometry.warp import Affine, Fill, Warp
from amp_datasets.model import Size
from amp_datasets.plugin.registry import Registry

Degrees = Annotated[float, Field(ge=0.1, le=180)]
"""A tenth of a degree moves the corners of a megapixel by one pixel."""

_TOLERANCE_PX = 1e-9
_MODES: dict[str, Mode] = {"clockwise": "positive", "counterclockwise": "negative", "both": "both"}


class Rotate(GeometricFilter):
    """Turn the image about its centre by `degrees`, keeping its size.

    `direction` is clockwise, counterclockwise, or one of the two at random (both). `fill` says what the uncovered
    corners show: the nearest edge pixel (replicate), a mirror image (reflect), a colour, or nothing: `crop` zooms in
    until the corners are gone. `degrees: [-15, 15]` turns either way, clockwise above 0. With `expand` the image grows
    until all of the turned one fits in, so that no object is cut.
    """

    name: ClassVar[str] = "rotate"
    roboflow: ClassVar[str] = "Rotation"
    caution: ClassVar[str] = (
        "Box-only labels at large angles: their boxes are estimates. Classes told apart by direction (arrow "
        "left, arrow up)."
    )
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"degrees": 15},
        {"degrees": (5, 15), "direction": "clockwise", "fill": "crop"},
        {"degrees": 30, "fill": (114, 114, 114)},
        {"degrees": (20, 40), "expand": True, "fill": (0, 0, 0)},
        {"degrees": (-20.0, -5.0)},
    )

    class InitSchema(Settings):
        """Settings."""

        degrees: Signed[Degrees, Annotated[float, Field(ge=-180, le=180)]]
        direction: Literal["clockwise", "counterclockwise", "both"]
        fill: FillSetting
        expand: bool

        @model_validator(mode="after")
        def _one_way(self) -> Self:
            if self.expand and self.fill == "crop":
                raise ValueError("fill: crop cuts the corners off, expand keeps them: choose one")
            return self

    def __init__(
        self,
        degrees: float | tuple[float, float] = 15,
        direction: Literal["clockwise", "counterclockwise", "both"] = "both",
        fill: FillSetting = "replicate",
        expand: bool = False,
        p: float = 1.0,
    ) -> None:
        super().__init__(p=p)
        self.degrees = degrees
        self.direction = direction
        self.fill = fill
        self.expand = expand

    def get_params(self) -> Draw:
        """Draw angle and direction; positive is clockwise."""
        return {"angle_deg": directed(self.py_random, self.degrees, _MODES[self.direction])}

    def warp(self, size: Size, *, angle_deg: float, **_: Any) -> Warp:
        """The rotation, zoomed for `crop` until no corner is uncovered, or on a canvas that holds all of it."""
        if self.expand:
            return _expanded(size, angle_deg, fill_of(self.fill))
        zoom = _covering_zoom(size, angle_deg) if self.fill == "crop" else 1.0
        cos, sin = (zoom * f(math.radians(angle_deg)) for f in (math.cos, math.sin))
        x, y = size[0] / 2, size[1] / 2
        matrix = np.array([(cos, -sin, x - cos * x + sin * y), (sin, cos, y - sin * x - cos * y), (0, 0, 1)])
        return Warp((Affine(matrix),), size, size, fill_of(self.fill))


def _expanded(size: Size, angle_deg: float, fill: Fill) -> Warp:
    """The rotation about the centre of a canvas that is as large, in whole pixels, as the turned image."""
    cos, sin = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
    turned = (size[0] * abs(cos) + size[1] * abs(sin), size[0] * abs(sin) + size[1] * abs(cos))
    canvas = (math.ceil(turned[0] - _TOLERANCE_PX), math.ceil(turned[1] - _TOLERANCE_PX))
    return Warp((about_centre(np.array([(cos, -sin), (sin, cos)]), size, canvas),), size, canvas, fill)


def _covering_zoom(size: Size, angle_deg: float) -> float:
    """The smallest zoom at which the rotated image covers its own frame."""
    width, height = size
    cos, sin = abs(math.cos(math.radians(angle_deg))), abs(math.sin(math.radians(angle_deg)))
    return max((width * cos + height * sin) / width, (width * sin + height * cos) / height)


def register(registry: Registry) -> None:
    """Offer the filter."""
    registry.add_filter(Rotate)
