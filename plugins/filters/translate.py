"""Translate: the image moved within its frame."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from amp_datasets.filtering.base import BorderSetting, Draw, GeometricFilter, Mode, Settings, Signed, directed
from amp_datasets.geometry.warp import Affine, Warp
from amp_datasets.model import Size
from amp_datasets.plugin.registry import Registry

Share = Annotated[float, Field(ge=1, le=90)]


class Translate(GeometricFilter):
    """Move the image by `percent` of its width (axis horizontal), of its height (vertical), or of each (both).

    `direction` is positive (right, down), negative, or one of the two for each axis at random (both); in
    `percent: [-10, 10]` it is the sign. Moves are of whole pixels, so that no value changes. `fill` says what the
    uncovered border shows: the nearest edge pixel (replicate), a mirror image (reflect) or a colour.
    """

    name: ClassVar[str] = "translate"
    caution: ClassVar[str] = (
        "Objects at the edge of the frame: they are cut, and what is seen too little of loses its label."
    )
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"percent": 15},
        {"percent": (5, 20), "axis": "horizontal", "fill": (114, 114, 114)},
        {"percent": (-30, -10), "axis": "vertical"},
    )

    class InitSchema(Settings):
        """Settings."""

        percent: Signed[Share, Annotated[float, Field(ge=-90, le=90)]]
        axis: Literal["horizontal", "vertical", "both"]
        direction: Mode
        fill: BorderSetting

    def __init__(
        self,
        percent: float | tuple[float, float] = (5, 15),
        axis: Literal["horizontal", "vertical", "both"] = "both",
        direction: Mode = "both",
        fill: BorderSetting = (114, 114, 114),
        p: float = 1.0,
    ) -> None:
        super().__init__(p=p)
        self.percent = percent
        self.axis = axis
        self.direction = direction
        self.fill = fill

    def get_params(self) -> Draw:
        """Draw the move along each axis, as a share of the side."""
        shares = [directed(self.py_random, self.percent, self.direction) / 100 for _ in range(2)]
        return {
            "x": 0.0 if self.axis == "vertical" else shares[0],
            "y": 0.0 if self.axis == "horizontal" else shares[1],
        }

    def warp(self, size: Size, *, x: float, y: float, **_: Any) -> Warp:
        """The move in whole pixels."""
        matrix = np.array([(1.0, 0, round(x * size[0])), (0, 1, round(y * size[1])), (0, 0, 1)])
        return Warp((Affine(matrix),), size, size, self.fill)


def register(registry: Registry) -> None:
    """Offer the filter."""
    registry.add_filter(Translate)
