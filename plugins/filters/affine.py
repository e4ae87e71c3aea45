"""Affine: turned, scaled, sheared and moved at once, and so interpolated once."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from amp_datasets.filtering.base import (
    Draw,
    FillSetting,
    GeometricFilter,
    Range,
    Settings,
    Signed,
    directed,
    fill_of,
    uniform,
)
from amp_datasets.geometry.maps import about_centre, covering_zoom
from amp_datasets.geometry.warp import Affine as AffineMap
from amp_datasets.geometry.warp import Warp
from amp_datasets.model import Size
from amp_datasets.plugin.registry import Registry

Degrees = Annotated[float, Field(ge=0, le=180)]
Slant = Annotated[float, Field(ge=0, le=60)]
Share = Annotated[float, Field(ge=0, le=90)]


class Affine(GeometricFilter):
    """Turn by `degrees`, scale by `scale`, slide rows by `shear` degrees and move by `translate` percent of each side.

    All is about the centre and keeps the size. A single number or a range from 0 on has its sign sampled; the sign of a
    range such as `[-10, 10]` is what it says. `fill` says what uncovered parts show: the nearest edge pixel
    (replicate), a mirror image (reflect), a colour, or nothing: `crop` zooms in until they are gone.
    """

    name: ClassVar[str] = "affine"
    roboflow: ClassVar[str] = "Rotation and Shear in one"
    caution: ClassVar[str] = (
        "Turned or sheared boxes without polygons are estimates; keep `degrees` small for box-only sets."
    )
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"degrees": 10, "scale": 0.9, "shear": 5, "translate": 5},
        {"degrees": (-20, 20), "scale": (0.7, 1.4), "shear": (0, 10), "translate": 10, "fill": "reflect"},
        {"degrees": (2, 8), "scale": 1.0, "shear": 2, "translate": 1, "fill": "crop"},
    )

    class InitSchema(Settings):
        """Settings."""

        degrees: Signed[Degrees, Annotated[float, Field(ge=-180, le=180)]]
        scale: Range[Annotated[float, Field(ge=0.05, le=20)]]
        shear: Signed[Slant, Annotated[float, Field(ge=-60, le=60)]]
        translate: Signed[Share, Annotated[float, Field(ge=-90, le=90)]]
        fill: FillSetting

    def __init__(
        self,
        degrees: float | tuple[float, float] = 10,
        scale: float | tuple[float, float] = (0.9, 1.1),
        shear: float | tuple[float, float] = 5,
        translate: float | tuple[float, float] = 5,
        fill: FillSetting = (114, 114, 114),
        p: float = 1.0,
    ) -> None:
        super().__init__(p=p)
        self.degrees = degrees
        self.scale = scale
        self.shear = shear
        self.translate = translate
        self.fill = fill

    def get_params(self) -> Draw:
        """Draw the five numbers."""
        return {
            "angle_deg": directed(self.py_random, self.degrees, "both"),
            "scale": uniform(self.py_random, self.scale),
            "shear_deg": directed(self.py_random, self.shear, "both"),
            "move": [directed(self.py_random, self.translate, "both") / 100 for _ in range(2)],
        }

    def warp(
        self, size: Size, *, angle_deg: float, scale: float, shear_deg: float, move: list[float], **_: Any
    ) -> Warp:
        """First sheared, then turned and scaled about the centre, then moved; zoomed for `crop`."""
        cos, sin = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
        linear = (
            scale * np.array([(cos, -sin), (sin, cos)]) @ np.array([(1, math.tan(math.radians(shear_deg))), (0, 1)])
        )
        shift = np.array(move) * size
        if self.fill == "crop":
            linear = linear * covering_zoom(linear, size, shift)
        matrix = about_centre(linear, size).matrix.copy()
        matrix[:2, 2] += shift
        return Warp((AffineMap(matrix),), size, size, fill_of(self.fill))


def register(registry: Registry) -> None:
    """Offer the filter."""
    registry.add_filter(Affine)
