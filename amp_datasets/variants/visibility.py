"""What of a variant's frame is open to view, and what is visible of a label there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import shapely
from numpy.typing import NDArray

from amp_datasets.geometry import shapes as geometry
from amp_datasets.geometry.oriented import box_within
from amp_datasets.geometry.shapes import Outline
from amp_datasets.geometry.warp import Warp, resample_mask
from amp_datasets.model import Annotation, Box, FloatArray, Polygon, Size

Holes = NDArray[np.int64]
"""Hidden rectangles (n, 4) as whole pixels x0, y0, x1, y1."""
NO_HOLES: Holes = np.zeros((0, 4), dtype=np.int64)

_CURVE_SPACING_PX = 4.0
"""How finely straight edges are followed under a map that bends them."""
_SLACK_PX2 = 0.01
"""What rounding may add to an area."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of an object that was cut before: the outline of what is left of it, and how much that is.

    `share` is the visible share of the whole object, `given` the one that it had before any filter: an object that
    preprocessing cuts is not unclear. `turned_deg` is by how much its plain box has been turned so far.
    """

    outline: tuple[Polygon, ...]
    share: float = 1.0
    given: float = 1.0
    turned_deg: float = 0.0


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


@dataclass(frozen=True, slots=True)
class Seen:
    """A moved label, the share of it that is visible, and the box it would have if nothing were cut off."""

    annotation: Annotation
    visibility: float
    whole: Box
    outline: tuple[Polygon, ...] = ()
    uncovered: float = 0.0
    """The share of what is visible that an oriented box leaves out, because it would cover filled pixels with it."""


def see(annotation: Annotation, view: View, shape: Outline, known: Known | None = None) -> Seen:
    """What is left of an object, and how much of the whole one that is.

    Inside a plain box the object is taken to have this `shape`.
    """
    seen = _see_now(annotation, view, shape, known.outline if known is not None else ())
    return seen if known is None else replace(seen, visibility=seen.visibility * known.share)


def _see_now(annotation: Annotation, view: View, shape: Outline, known: Sequence[Polygon]) -> Seen:
    if annotation.keypoints is not None:
        annotation = replace(annotation, keypoints=_see_keypoints(annotation.keypoints, view))
    if annotation.mask is not None:
        return _see_mask(annotation, view)
    outline = known or _outline(annotation, shape, view.warp.size_in)
    if not outline:
        return Seen(annotation, 0.0, annotation.xyxy)
    moved = _move(outline, view.warp)
    whole = geometry.bounds(polygon.exterior for polygon in moved)
    if view.shows_all_of(whole):
        new = _reshaped(annotation, view.warp, moved, moved, whole)
        return Seen(new, 1.0, whole, moved, _uncovered(annotation, new, view.warp, moved))
    full = geometry.to_shapely(moved)
    visible = full.intersection(view.open)
    if full.area <= 0 or visible.area <= 0:
        return Seen(annotation, 0.0, whole)
    covered = len(view.holes) or view.opening is not None
    left = geometry.from_shapely(geometry.without_slivers(visible) if covered else visible)
    box = geometry.bounds(polygon.exterior for polygon in left)
    new = _reshaped(annotation, view.warp, moved, left, box)
    return Seen(new, float(visible.area / full.area), whole, left, _uncovered(annotation, new, view.warp, left))


def _uncovered(old: Annotation, new: Annotation, warp: Warp, left: Sequence[Polygon]) -> float:
    if old.corners is None or new.corners is None or _inside(old.corners, warp.size_in):
        return 0.0
    visible = geometry.to_shapely(left)
    return float(1 - visible.intersection(shapely.Polygon(new.corners)).area / visible.area)


def is_plain(annotation: Annotation) -> bool:
    """Whether of an object only its box is known."""
    return not annotation.polygons and annotation.mask is None and annotation.corners is None


def turn_of(annotation: Annotation, go: Callable[[FloatArray], FloatArray]) -> float:
    """By how many degrees a box's sides leave the axes under a map of points, from 0 to 45; shear counts as well."""
    x0, y0, x1, y1 = annotation.xyxy
    x, y, a, b = (x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0) / 4, (y1 - y0) / 4
    left, right, top, bottom = go(np.array([(x - a, y), (x + a, y), (x, y - b), (x, y + b)]))
    across, down = right - left, bottom - top
    angles = np.degrees(np.arctan2([across[1], down[1]], [across[0], down[0]])) % 90
    return float(np.minimum(angles, 90 - angles).max())


def _outline(annotation: Annotation, shape: Outline, size: Size) -> tuple[Polygon, ...]:
    """The outline as far as it lies in the source image; an oriented box may reach beyond."""
    outline = geometry.outline(annotation, shape)
    corners = annotation.corners
    if annotation.polygons or corners is None or _inside(corners, size):
        return outline
    frame = shapely.box(0, 0, *size)
    return geometry.from_shapely(geometry.to_shapely(outline).intersection(frame))


def _move(polygons: Sequence[Polygon], warp: Warp) -> tuple[Polygon, ...]:
    """Polygons under a warp, mapped in one go; edges are refined first where the warp bends them."""
    curved = warp.affine is None
    if len(polygons) == 1 and not polygons[0].holes:
        return (Polygon(warp(_refined(polygons[0].exterior, curved))),)
    rings = [_refined(ring, curved) for polygon in polygons for ring in polygon.rings]
    moved = iter(np.split(warp(np.concatenate(rings)), np.cumsum([len(ring) for ring in rings])[:-1]))
    return tuple(Polygon(next(moved), tuple(next(moved) for _ in polygon.holes)) for polygon in polygons)


def _refined(ring: FloatArray, curved: bool) -> FloatArray:
    """The ring itself, or with more vertices where its edges will bend."""
    return geometry.densify(ring, _CURVE_SPACING_PX) if curved else ring


def _reshaped(
    annotation: Annotation, warp: Warp, moved: Sequence[Polygon], left: tuple[Polygon, ...], box: Box
) -> Annotation:
    """The label with the visible outline `left` of what moved to `moved`."""
    corners = annotation.corners
    if corners is not None:
        corners = _reshaped_corners(corners, warp, moved, left)
    polygons = left if annotation.polygons else ()
    return replace(annotation, xyxy=box, polygons=polygons, corners=corners)


def _reshaped_corners(
    corners: FloatArray, warp: Warp, moved: Sequence[Polygon], left: tuple[Polygon, ...]
) -> FloatArray:
    """The oriented box of what is visible: along the axes that the whole object has after the warp.

    A box that reached beyond the source image keeps its corners while what is beyond stays out of the frame, as in a
    flip; where a turn would bring it in, over pixels that were filled, the box shrinks to the part that was ever seen.
    """
    turned = warp(corners)
    if not _is_rectangle(turned):
        turned = geometry.min_area_rectangle(np.concatenate([p.exterior for p in moved]))
    if left is moved and _is_rectangle(turned) and not _brings_in_more(turned, moved, warp):
        return turned
    axes = np.stack([turned[1] - turned[0], turned[3] - turned[0]])
    lengths = np.linalg.norm(axes, axis=1, keepdims=True)
    axes = axes / np.where(lengths > 0, lengths, 1)
    along = np.concatenate([p.exterior for p in left]) @ axes.T
    box = (*along.min(axis=0), *along.max(axis=0))
    if not _inside(corners, warp.size_in):
        box = _without_fill(box, axes, warp)
    return np.asarray(geometry.rectangle(box) @ axes, dtype=np.float64)


def _without_fill(box: Box, axes: FloatArray, warp: Warp) -> Box:
    """A box along some axes, cut until it covers no pixel that was filled.

    The rectangle around an object that the old edge cuts slantwise has a wedge beyond it; the one that remains lacks a
    wedge of what is visible instead. An edge that is bent (elastic) is taken as straight from corner to corner.
    """
    old, new = (geometry.rectangle((0.0, 0.0, float(w), float(h))) for w, h in (warp.size_in, warp.size))
    return box_within(box, warp(old) @ axes.T, new @ axes.T)


def _inside(points: FloatArray, size: Size) -> bool:
    return bool((points >= 0).all() and (points <= size).all())


def _brings_in_more(turned: FloatArray, moved: Sequence[Polygon], warp: Warp) -> bool:
    """Whether the frame shows more of an oriented box than what was inside the source image."""
    if (turned >= 0).all() and (turned <= warp.size).all() and len(moved) == 1 and len(moved[0].exterior) == 4:
        return False
    shown = shapely.Polygon(turned).intersection(shapely.box(0, 0, *warp.size)).area
    return bool(shown - geometry.to_shapely(moved).area > _SLACK_PX2)


def _is_rectangle(corners: FloatArray) -> bool:
    u, v, w = corners[1] - corners[0], corners[3] - corners[0], corners[2] - corners[0]
    scale = max(float(np.abs(corners - corners[0]).max()), 1e-9)
    return bool(abs(u @ v) < 1e-6 * scale**2 and np.abs(u + v - w).max() < 1e-6 * scale)


def _see_mask(annotation: Annotation, view: View) -> Seen:
    """A pixel mask: each of its pixels is visible if its centre is."""
    if annotation.mask is None:
        return Seen(annotation, 0.0, annotation.xyxy)
    mask = geometry.decode_mask(annotation.mask)
    rows, columns = np.nonzero(mask)
    centres = view.warp(np.column_stack([columns, rows]).astype(np.float64) + 0.5)
    if not len(centres):
        return Seen(annotation, 0.0, annotation.xyxy)
    visible = view.shows(centres) & ~view.hides(centres)
    moved = resample_mask(mask, view.warp)
    for x0, y0, x1, y1 in view.holes:
        moved[y0:y1, x0:x1] = False
    if view.opening is not None:
        rows, columns = np.nonzero(moved)
        there = np.column_stack([columns, rows]).astype(np.float64) + 0.5
        moved[rows, columns] = view.shows(there) & ~view.hides(there)
    packed = geometry.encode_mask(moved)
    x0, y0, x1, y1 = geometry.bounds([centres])
    whole = (x0 - 0.5, y0 - 0.5, x1 + 0.5, y1 + 0.5)
    if not moved.any():
        return Seen(annotation, 0.0, whole)
    reshaped = replace(annotation, xyxy=geometry.mask_box(packed), mask=packed)
    return Seen(reshaped, float(visible.mean()), whole)


def _see_keypoints(keypoints: FloatArray | None, view: View) -> FloatArray | None:
    """Moved keypoints: outside the frame they are not labelled (0 0 0), behind a hole they are hidden."""
    if keypoints is None:
        return None
    xy, visibility = view.warp(keypoints[:, :2]), keypoints[:, 2].copy()
    visibility[view.hides(xy) & (visibility == 2)] = 1
    gone = (visibility == 0) | ~view.shows(xy)
    return np.where(gone[:, None], 0.0, np.column_stack([xy, visibility]))
