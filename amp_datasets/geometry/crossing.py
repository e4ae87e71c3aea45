"""How often outlines cross themselves or each other: bounded, because what is made of many crossings takes hours."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import shapely

from amp_datasets.model import FloatArray, Polygon

MAX_POINTS = 100_000
"""Of the outline of one label."""

MAX_CROSSINGS = 1000
"""Of one outline. Drawn ones have a few, and each costs the more the more there are (0.2 s at a thousand)."""

TANGLED = "outline has too many points or crossings"
"""The reason for which such a label is set aside."""

_CHUNK = 512
_MAX_NEAR = 20_000_000
"""So many pairs of segments are looked at: those whose boxes overlap."""


def is_tangled(polygons: Iterable[Polygon]) -> bool:
    """Whether an outline has more points or crossings than one that somebody drew."""
    rings = [ring for polygon in polygons for ring in polygon.rings]
    if sum(map(len, rings)) > MAX_POINTS:
        return True
    rings = [ring for ring in rings if len(ring) > 3]
    if sum(map(len, rings)) ** 2 // 2 <= MAX_CROSSINGS or (len(rings) == 1 and _is_simple(rings[0])):
        return False
    return _crosses_often(np.concatenate([np.stack([ring, np.roll(ring, -1, axis=0)], axis=1) for ring in rings]))


def _is_simple(ring: FloatArray) -> bool:
    return bool(shapely.is_valid(shapely.Polygon(ring)))


def _crosses_often(segments: FloatArray) -> bool:
    """Whether more than `MAX_CROSSINGS` pairs of segments (n, 2, 2) cross; it stops counting there."""
    lines = shapely.linestrings(segments)
    tree = shapely.STRtree(lines)
    start, size, near, found = 0, 1, 0, 0
    while start < len(lines):
        part = lines[start : start + size]
        pairs = tree.query(part)
        near += pairs.shape[1]
        if near > _MAX_NEAR:
            return True
        found += int(shapely.crosses(part[pairs[0]], lines[pairs[1]]).sum())
        if found > 2 * MAX_CROSSINGS:  # each pair is found from both sides
            return True
        start, size = start + size, min(2 * size, _CHUNK)
    return False
