"""Shear: upright things lean, level ones slope."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from amp_datasets.filtering.base import (
    Draw,
    FillSetting,
    GeometricFilter,
    Mode,
    Settings,
    Signed,
    directed,
    fill_of,
)
from amp_datasets.geometry.maps import about_centre, covering_zoom
from amp_datasets.geometry.warp import Warp
from amp_datasets.model import Size
from amp_datasets.plugin.registry import Registry

Degrees = Annotated[float, Field(ge=0.1, le=60)]


class Shear(GeometricFilter):
    """Lean the image by `degrees`: rows slide sideways (axis horizontal), columns up and down (vertical), or one (any).

    `direction` is positive, negative, or one of the two at random (both); in `degrees: [-10, 10]` it is the sign. The
    centre and the size stay. `fill` says what the uncovered corners show: the nearest edge pixel (replicate), a mirror
    image (reflect), a colour, or nothing: `crop` zooms in until the corners are gone.
    """

    name: ClassVar[str] = "shear"
    roboflow: ClassVar[str] = "Shear"
    caution: ClassVar[str] = "Box-only labels at large angles: their boxes are estimates."
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"degrees": 15, "fill": "replicate"},
        {"degrees": (5, 20), "axis": "vertical"},
        {"degrees": (-25, -10), "axis": "any", "fill": (114, 114, 114)},
    )

    class InitSchema(Settings):
        """Settings."""

        degrees: Signed[Degrees, Annotated[float, Field(ge=-60, le=60)]]
        axis: Literal["horizontal", "vertical", "any"]
        direction: Mode
        fill: FillSetting

    def __init__(
        self,
        degrees: float | tuple[float, float] = 10,
        axis: Literal["horizontal", "vertical", "any"] = "horizontal",
        direction: Mode = "both",
        fill: FillSetting = "crop",
        p: float = 1.0,
    ) -> None:
        super().__init__(p=p)
        self.degrees = degrees
        self.axis = axis
        self.direction = direction
        self.fill = fill

    def get_params(self) -> Draw:
        """Draw the angle, and the axis for `any`."""
        axis = self.py_random.choice(("horizontal", "vertical")) if self.axis == "any" else self.axis
        return {"angle_deg": directed(self.py_random, self.degrees, self.direction), "axis": axis}

    def warp(self, size: Size, *, angle_deg: float, axis: str, **_: Any) -> Warp:
        """x + y tan(angle) about the centre, or y + x tan(angle)."""
        slope = math.tan(math.radians(angle_deg))
        linear = np.array([(1, slope), (0, 1)] if axis == "horizontal" else [(1, 0), (slope, 1)], dtype=np.float64)
        if self.fill == "crop":
            linear = linear * covering_zoom(linear, size)
        return Warp((about_centre(linear, size),), size, size, fill_of(self.fill))


def register(registry: Registry) -> None:
    """Offer the filter."""
    registry.add_filter(Shear)
