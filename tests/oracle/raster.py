"""Rings to pixels, by pixel centres: what is inside is decided by counting crossings, never by rounding a vertex."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Ring = NDArray[np.float64]
Window = tuple[int, int, int, int]
"""x0, y0, x1, y1 in whole pixels."""


def fill(rings: Iterable[Ring], window: Window) -> NDArray[np.bool_]:
    """The pixels of a window whose centres are inside an odd number of rings (holes, parts apart from each other)."""
    x0, y0, x1, y1 = window
    width, height = x1 - x0, y1 - y0
    toggles = np.zeros(height * (width + 1), dtype=np.int64)
    for ring in rings:
        toggles += np.bincount(_crossings(ring - (x0, y0), width, height), minlength=len(toggles))
    return (np.cumsum(toggles.reshape(height, width + 1), axis=1)[:, :width] & 1).astype(bool)


def ellipse_pixels(centre: Sequence[float], radii: Sequence[float], size: tuple[int, int]) -> NDArray[np.bool_]:
    """The pixels (height, width) whose centres satisfy the ellipse's equation."""
    y, x = np.ogrid[: size[1], : size[0]]
    return ((x + 0.5 - centre[0]) / radii[0]) ** 2 + ((y + 0.5 - centre[1]) / radii[1]) ** 2 < 1


def ring_centroid(ring: Ring) -> NDArray[np.float64]:
    """The centre of mass of a ring's inside."""
    first, second = ring, np.roll(ring, -1, axis=0)
    cross = first[:, 0] * second[:, 1] - second[:, 0] * first[:, 1]
    return ((first + second) * cross[:, None]).sum(axis=0) / (3 * cross.sum())


def _crossings(ring: Ring, width: int, height: int) -> NDArray[np.int64]:
    """For every edge and every row of pixel centres that it crosses: the flat place of the first pixel after it."""
    first, second = ring, np.roll(ring, -1, axis=0)
    upper = np.where((first[:, 1] <= second[:, 1])[:, None], first, second)
    lower = np.where((first[:, 1] <= second[:, 1])[:, None], second, first)
    begin = np.clip(np.ceil(upper[:, 1] - 0.5), 0, height).astype(int)
    count = np.clip(np.ceil(lower[:, 1] - 0.5), 0, height).astype(int) - begin
    edge = np.repeat(np.arange(len(ring)), count)
    row = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + begin[edge]
    share = (row + 0.5 - upper[edge, 1]) / (lower[edge, 1] - upper[edge, 1])
    x = upper[edge, 0] + share * (lower[edge, 0] - upper[edge, 0])
    column = np.clip(np.ceil(x - 0.5), 0, width).astype(int)
    return row * (width + 1) + column
