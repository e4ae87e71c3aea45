"""Tile: an image cut into a grid, so that small things stay large enough to be seen."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from amp_datasets.filtering.base import Draw, Settings, SplittingFilter
from amp_datasets.model import FloatArray, Size
from amp_datasets.plugin.registry import Registry

Number = Annotated[int, Field(ge=1, le=100)]
Side = Annotated[int, Field(ge=0, le=32_766)]
Share = Annotated[float, Field(ge=0, le=0.9)]


class Tile(SplittingFilter):
    """Cut the image into `rows` x `columns`, or into tiles of `size` pixels ([width, height]) where that is not 0.

    Neighbours share `overlap` of their width and height. Tiles of a size end at the image's edges; the last ones of a
    row move back to fit. As preprocessing each image becomes all of its tiles, but only the share `empty` of those
    without an object; among the filters it becomes one of them at random.
    """

    name: ClassVar[str] = "tile"
    roboflow: ClassVar[str] = "Tile"
    caution: ClassVar[str] = "Objects larger than a tile: they are cut, and what is seen too little of loses its label."
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"rows": 2, "columns": 2},
        {"size": (50, 40), "overlap": 0.25},
        {"rows": 2, "columns": 2, "overlap": 0.1, "empty": 0.5},
    )

    class InitSchema(Settings):
        """Settings."""

        rows: Number
        columns: Number
        size: Side | tuple[Side, Side]
        overlap: Share
        empty: Annotated[float, Field(ge=0, le=1)]

        @model_validator(mode="after")
        def _cuts(self) -> Self:
            if not self.size and self.rows * self.columns == 1:
                raise ValueError("one row and one column leave the image whole")
            return self

    def __init__(
        self,
        rows: int = 2,
        columns: int = 2,
        size: int | tuple[int, int] = 0,
        overlap: float = 0.0,
        empty: float = 1.0,
        p: float = 1.0,
    ) -> None:
        super().__init__(p=p)
        self.rows = rows
        self.columns = columns
        self.size = size
        self.overlap = overlap
        self.empty = empty

    @property
    def empty_share(self) -> float:
        """How many of the tiles without an object are kept."""
        return self.empty

    def pieces(self, size: Size, boxes: FloatArray) -> list[tuple[str, Draw]]:  # noqa: ARG002
        """All tiles, row by row: their names and windows."""
        width, height = self.size if isinstance(self.size, tuple) else (self.size, self.size)
        across = _of_length(size[0], width, self.overlap) if width else _cut(size[0], self.columns, self.overlap)
        down = _of_length(size[1], height, self.overlap) if height else _cut(size[1], self.rows, self.overlap)
        return [
            (f"r{row}c{column}", {"window": [x0, y0, x1, y1]})
            for row, (y0, y1) in enumerate(down, start=1)
            for column, (x0, x1) in enumerate(across, start=1)
        ]


def _cut(side: int, count: int, overlap: float) -> list[tuple[int, int]]:
    """Equal parts of a side, but for rounding; each reaches into its neighbours by half of the overlap."""
    count = min(count, side)
    edges = [side * i / count for i in range(count + 1)]
    reach = overlap / (1 - overlap) * side / count / 2
    return [(round(max(0, a - reach)), round(min(side, b + reach))) for a, b in pairwise(edges)]


def _of_length(side: int, length: int, overlap: float) -> list[tuple[int, int]]:
    """As few parts of a length as cover a side with at least that overlap, evenly spread."""
    if length >= side:
        return [(0, side)]
    count = math.ceil((side - length) / max(1, length * (1 - overlap)) - 1e-9) + 1
    starts = [round(i * (side - length) / (count - 1)) for i in range(count)]
    return [(start, start + length) for start in starts]


def register(registry: Registry) -> None:
    """Offer the filter."""
    registry.add_filter(Tile)
