"""What of a variant's frame is open to view: its edges, holes, and the regions of images laid over each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from amp_datasets.geometry.warp import Warp
from amp_datasets.model import Box, FloatArray, Polygon

Holes = NDArray[np.int64]
"""Hidden rectangles (n, 4) as whole pixels x0, y0, x1, y1."""
NO_HOLES: Holes = np.zeros((0, 4), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of an object that was cut before: the outline of what is left of it, and how much that is.

    `share` is the visible share of the whole object, `given` the one that it had before any filter: an object that
    preprocessing cuts is not unclear.
    """

    outline: tuple[Polygon, ...]
    share: float = 1.0
    given: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Opening:
    """Where an image is seen at all, and what lies over it, as areas of the new frame."""

    region: shapely.Geometry
    covers: shapely.Geometry


class View:
    """The frame of a variant and what hides parts of it."""

    def __init__(self, warp: Warp, holes: Holes, opening: Opening | None = None) -> None:
        self.warp = warp
        self.holes = holes
        self.opening = opening
        self.frame: Box = (0.0, 0.0, float(warp.size[0]), float(warp.size[1]))
        self.open = shapely.box(*self.frame)
        if len(holes):
            self.open = self.open.difference(shapely.union_all(shapely.box(*holes.T.astype(np.float64))))
        if opening is not None:
            self.open = self.open.intersection(opening.region).difference(opening.covers)

    def shows_all_of(self, box: Box) -> bool:
        """Whether everything in a box is certainly visible."""
        inside = box[0] >= 0 and box[1] >= 0 and box[2] <= self.frame[2] and box[3] <= self.frame[3]
        starts_before = np.all(np.less(self.holes[:, :2], box[2:]), axis=1)
        ends_after = np.all(np.greater(self.holes[:, 2:], box[:2]), axis=1)
        open_here = self.opening is None or bool(self.open.covers(shapely.box(*box)))
        return inside and open_here and not bool(np.any(starts_before & ends_after))

    def shows(self, points: FloatArray) -> NDArray[np.bool_]:
        """For (n, 2) points whether each is inside the frame, and where the image is seen."""
        inside = np.all(np.greater_equal(points, 0) & np.less_equal(points, self.warp.size), axis=1)
        if self.opening is not None:
            inside &= shapely.intersects_xy(self.opening.region, points[:, 0], points[:, 1])
        return np.asarray(inside)

    def hides(self, points: FloatArray) -> NDArray[np.bool_]:
        """For (n, 2) points whether each lies behind a hole."""
        after = np.all(np.greater_equal(points[:, None], self.holes[None, :, :2]), axis=2)
        before = np.all(np.less(points[:, None], self.holes[None, :, 2:]), axis=2)
        hidden = np.any(np.logical_and(after, before), axis=1)
        if self.opening is not None:
            hidden |= shapely.contains_xy(self.opening.covers, points[:, 0], points[:, 1])
        return np.asarray(hidden)
