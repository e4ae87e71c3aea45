"""Mosaic: four images in one (Bochkovskiy et al. 2020, section 3.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from amp_datasets.filtering.base import Draw, JoiningFilter, Settings
from amp_datasets.filtering.joining import Placement, Scene
from amp_datasets.geometry.warp import Affine, Warp
from amp_datasets.model import FloatArray, Size
from amp_datasets.plugin.registry import Registry

Spread = Annotated[float, Field(ge=0, le=0.3)]
Window = tuple[int, int, int, int]

_TRIES = 12
"""So many cuts of each image are looked at; the one that cuts the fewest objects is taken."""


class Mosaic(JoiningFilter):
    """Put the image and three others of its split into four cells, each scaled to cover its own, in one of its size.

    The point where the cells meet lies off the centre by up to `spread` of each side. What of an image reaches beyond
    its cell is cut off, where that cuts few objects; what stays visible of an object keeps its label.
    """

    name: ClassVar[str] = "mosaic"
    roboflow: ClassVar[str] = "Mosaic"
    caution: ClassVar[str] = (
        "Objects of a few pixels, which become half as large, and trainers that make mosaics themselves."
    )
    examples: ClassVar[tuple[dict[str, Any], ...]] = ({"spread": 0.1}, {"spread": 0})
    severity: ClassVar[int] = 2

    class InitSchema(Settings):
        """Settings."""

        spread: Spread

    def __init__(self, spread: float = 0.1, p: float = 1.0) -> None:
        super().__init__(p=p)
        self.spread = spread

    @property
    def partners(self) -> int:
        """The three others."""
        return 3

    def draw_for(self, scenes: Sequence[Scene]) -> Draw:
        """Draw the meeting point, which image goes where, and which part of it is seen, as shares."""
        centre = [0.5 + self.py_random.uniform(-self.spread, self.spread) for _ in range(2)]
        order = list(range(4))
        self.py_random.shuffle(order)
        size = scenes[0].size
        parts = []
        for cell, number in zip(_cells(size, centre), order, strict=True):
            tries = [[self.py_random.random(), self.py_random.random()] for _ in range(_TRIES)]
            scene = scenes[number]
            cuts = [_cut(scene.boxes, _warp(scene.size, cell, at, size), cell) for at in tries]
            parts.append(tries[cuts.index(min(cuts))])
        return {"centre": centre, "order": order, "parts": parts}

    def place(
        self, sizes: Sequence[Size], *, centre: list[float], order: list[int], parts: list[list[float]], **_: Any
    ) -> tuple[Size, list[Placement]]:
        """Each image scaled to cover its cell."""
        size = sizes[0]
        cells = zip(_cells(size, centre), order, parts, strict=True)
        return size, [Placement(n, _warp(sizes[n], cell, part, size), cell) for cell, n, part in cells]


def _cells(size: Size, centre: Sequence[float]) -> list[Window]:
    """The four windows around a point, row by row."""
    x, y = (min(max(1, round(c * side)), side - 1) if side > 1 else side for c, side in zip(centre, size, strict=True))
    return [(0, 0, x, y), (x, 0, size[0], y), (0, y, x, size[1]), (x, y, size[0], size[1])]


def _warp(size: Size, cell: Window, part: Sequence[float], canvas: Size) -> Warp:
    """The scaling that covers a cell, and the move that shows a part of what is over."""
    width, height = cell[2] - cell[0], cell[3] - cell[1]
    scale = max(width / size[0], height / size[1])
    matrix = np.diag([scale, scale, 1.0])
    matrix[0, 2] = cell[0] - part[0] * (size[0] * scale - width)
    matrix[1, 2] = cell[1] - part[1] * (size[1] * scale - height)
    return Warp((Affine(matrix),), size, canvas)


def _cut(boxes: FloatArray, warp: Warp, cell: Window) -> float:
    """How many boxes a cell cuts; those that it leaves out count little."""
    if not len(boxes):
        return 0.0
    low, high = warp(boxes[:, :2].copy()), warp(boxes[:, 2:].copy())
    shown = np.clip(np.minimum(high, cell[2:]) - np.maximum(low, cell[:2]), 0, None).prod(axis=1)
    share = shown / np.maximum((high - low).prod(axis=1), 1e-9)
    return float(((share > 0.05) & (share < 0.98)).sum() + 0.1 * (share <= 0.05).sum())


def register(registry: Registry) -> None:
    """Offer the filter."""
    registry.add_filter(Mosaic)
