"""Perspective: the scene as if it were seen from a little to the side, above or below."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from amp_datasets.filtering.base import Colour, Draw, GeometricFilter, Range, Settings, fill_of, uniform
from amp_datasets.geometry.maps import projective
from amp_datasets.geometry.warp import Warp
from amp_datasets.model import Size
from amp_datasets.plugin.registry import Registry

Share = Annotated[float, Field(ge=1, le=30)]
"""Up to a third the four corners stay a convex quadrilateral, whichever way they move."""


class Perspective(GeometricFilter):
    """Move each corner inwards at random, the one that moves most by `percent` of the sides.

    With fill `crop` the corners are those of the part that is seen, which is stretched to the whole frame, so that
    nothing is uncovered. Otherwise the image's own corners move, and `fill` says what is seen around them: the nearest
    edge pixel (replicate) or a colour.
    """

    name: ClassVar[str] = "perspective"
    caution: ClassVar[str] = "Box-only labels at large `percent`: their boxes are estimates."
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"percent": 15},
        {"percent": (5, 20), "fill": (114, 114, 114)},
        {"percent": 30, "fill": "replicate"},
    )

    class InitSchema(Settings):
        """Settings."""

        percent: Range[Share]
        fill: Literal["crop", "replicate"] | Colour

    def __init__(
        self,
        percent: float | tuple[float, float] = (5, 15),
        fill: Literal["crop", "replicate"] | tuple[int, int, int] = "crop",
        p: float = 1.0,
    ) -> None:
        super().__init__(p=p)
        self.percent = percent
        self.fill = fill

    def get_params(self) -> Draw:
        """Draw how far each corner moves inwards in x and y, as shares of the sides, clockwise from the top left."""
        share = uniform(self.py_random, self.percent) / 100
        moves = [[self.py_random.random(), self.py_random.random()] for _ in range(4)]
        most = max(max(move) for move in moves)
        return {"moves": [[share * x / most, share * y / most] for x, y in moves]}

    def warp(self, size: Size, *, moves: list[list[float]], **_: Any) -> Warp:
        """The projective map of four corners to four others."""
        corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], dtype=np.float64)
        inner = corners + np.array(moves) * [(1, 1), (-1, 1), (-1, -1), (1, -1)]
        corners, inner = corners * size, inner * size
        ends = (inner, corners) if self.fill == "crop" else (corners, inner)
        return Warp((projective(*ends),), size, size, fill_of(self.fill))


def register(registry: Registry) -> None:
    """Offer the filter."""
    registry.add_filter(Perspective)
