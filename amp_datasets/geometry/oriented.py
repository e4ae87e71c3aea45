"""Oriented boxes that are cut: as large as they can be without covering what lies beyond an edge."""

from __future__ import annotations

import numpy as np
import shapely

from amp_datasets.geometry.shapes import rectangle
from amp_datasets.model import Box, FloatArray

_SLACK_PX = 1e-6
_ROUNDING_PX = 1e-9
"""How far beyond an edge a size may reach: along an edge that all but runs with a side, rounding would be a cut."""


def box_within(box: Box, region: FloatArray, frame: FloatArray) -> Box:
    """A box cut until the part of it that lies in `frame` lies in `region` too: convex rings (n, 2), in its own axes.

    Edge by edge of the region, the largest box that stays within it is taken. Where both meet in a point or not at all,
    the box stays as it is.
    """
    middle = region.mean(axis=0)
    for start, end in zip(region, np.roll(region, -1, axis=0), strict=True):
        along = end - start
        length = float(np.hypot(*along))
        if length == 0:
            continue
        outward = np.array([along[1], -along[0]]) / length
        outward = outward if outward @ (middle - start) < 0 else -outward
        shown = shapely.get_coordinates(shapely.Polygon(rectangle(box)).intersection(shapely.Polygon(frame)))
        if len(shown) and (shown @ outward).max() > outward @ start + _SLACK_PX:
            box = _cut(box, outward, float(outward @ start))
    return box


def _cut(box: Box, outward: FloatArray, limit: float) -> Box:
    """The largest part of a box, a box from the corner furthest inside, where outward @ point is at most `limit`."""
    x0, y0, x1, y1 = box
    right, down = bool(outward[0] > 0), bool(outward[1] > 0)
    width, height = x1 - x0, y1 - y0
    a, b = np.abs(outward).tolist()
    budget = limit - float(outward @ np.array([x0 if right else x1, y0 if down else y1]))
    if budget <= 0:
        return box
    widths = {width}
    if a > 0:  # the middle of what the line allows, or as much as the full height leaves
        widths |= {min(width, budget / (2 * a)), min(width, (budget + _ROUNDING_PX - b * height) / a)}
    fitting = (w for w in widths if w > 0 and a * w <= budget + _ROUNDING_PX)
    sizes = [(w, height if b == 0 else min(height, (budget + 2 * _ROUNDING_PX - a * w) / b)) for w in fitting]
    new_width, new_height = max((size for size in sizes if size[1] > 0), key=lambda size: size[0] * size[1])
    left, top = (x0 if right else x1 - new_width), (y0 if down else y1 - new_height)
    return (left, top, left + new_width, top + new_height)
