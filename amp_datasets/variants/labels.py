"""What a label becomes under a warp and behind holes: moved, cut to what is visible, and judged once.

Visibility is the share of the object's own outline that can still be seen, measured once at the end of a chain against
the whole transformed outline. Nothing here draws anything at random.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import shapely

from amp_datasets.geometry import shapes as geometry
from amp_datasets.geometry.shapes import Outline
from amp_datasets.geometry.warp import Warp, reflected_images, resample_mask
from amp_datasets.model import Annotation, Box, Category, FloatArray, Polygon
from amp_datasets.variants.mirror import mirrored
from amp_datasets.variants.visibility import NO_HOLES, Holes, Known, Opening, View

__all__ = [
    "NO_HOLES",
    "SEEN_TWICE",
    "Holes",
    "Judged",
    "Known",
    "LabelPolicy",
    "Opening",
    "judge",
    "knows_its_mirror",
    "visible_boxes",
]

SEEN_TWICE = "the reflected border shows an object a second time"
_TOO_SMALL = "too small"
_SAME_SHARE = 1e-6
_CURVE_SPACING_PX = 4.0
"""How finely straight edges are followed under a map that bends them."""


@dataclass(frozen=True, slots=True)
class LabelPolicy:
    """How labels are judged. `sides` swaps categories in a mirror image; `one_sided` have none to swap with."""

    min_visibility: float = 0.4
    drop_below: float = 0.1
    min_side_px: float = 2.0
    outline: Outline = "ellipse"
    outlines: Mapping[str, Outline] = field(default_factory=dict)
    sides: Mapping[str, str] = field(default_factory=dict)
    one_sided: frozenset[str] = frozenset()
    categories: Mapping[str, Category] = field(default_factory=dict)
    ordered: frozenset[str] = frozenset()
    """Categories whose keypoints have names without sides, so that a mirror image keeps their order."""

    def outline_of(self, category: str) -> Outline:
        """The shape assumed inside a plain box of this category."""
        return self.outlines.get(category, self.outline)


@dataclass(frozen=True, slots=True)
class Judged:
    """The labels of a variant, `labels` those of the whole image.

    `dropped` counts reasons; `unclear` says what forbids keeping or dropping as it is.
    """

    annotations: tuple[Annotation, ...]
    dropped: Mapping[str, int] = field(default_factory=dict)
    partial: int = 0
    unclear: str | None = None
    labels: tuple[str, ...] = ()
    known: tuple[Known, ...] = ()


def judge(
    annotations: Sequence[Annotation],
    warp: Warp,
    holes: Holes,
    policy: LabelPolicy,
    known: Sequence[Known] = (),
    opening: Opening | None = None,
) -> Judged:
    """Move all labels of an image and keep those that stay visible enough.

    An object between `drop_below` and `min_visibility` makes the whole image `unclear`: kept it would label a remnant,
    dropped it would leave an object without label. It is kept in the result (and counted as `partial`), for the case
    that there is nothing else to draw. So does one that is cut to less than `min_side_px`, but it is dropped. Of
    objects that were cut before, `known` says what is left; an `opening` limits where the image is seen.
    """
    view = View(warp, holes, opening)
    kept: list[Annotation] = []
    left: list[Known] = []
    dropped: dict[str, int] = {}
    unclear: str | None = None
    partial = 0
    for number, annotation in enumerate(annotations):
        before = known[number] if known else None
        seen = _see(annotation, view, policy, before)
        reason = _drop_reason(seen, policy)
        if reason is not None:
            dropped[reason] = dropped.get(reason, 0) + 1
            if reason == _TOO_SMALL:
                unclear = unclear or f"{annotation.category} is cut to less than {policy.min_side_px:g} px"
            continue
        if seen.visibility < policy.min_visibility and not annotation.iscrowd:
            partial += 1
            if before is None or seen.visibility < before.given - _SAME_SHARE:
                unclear = unclear or f"{annotation.category} is {seen.visibility:.0%} visible"
        kept.append(seen.annotation if not warp.mirrors else mirrored(seen.annotation, policy.sides, policy.categories))
        left.append(Known(seen.outline, seen.visibility, 1.0 if before is None else before.given))
    if warp.fill == "reflect" and any(_reflection_shows(a, warp) for a in annotations):
        unclear = SEEN_TWICE
    return Judged(tuple(kept), dropped, partial, unclear, known=tuple(left))


def knows_its_mirror(annotation: Annotation, policy: LabelPolicy) -> bool:
    """Whether it is known which of a label's keypoints a mirror image exchanges."""
    points = annotation.keypoints
    if points is None or len(points) < 2 or annotation.category in policy.ordered:
        return True
    category = policy.categories.get(annotation.category)
    return category is not None and bool(category.flip_pairs)


def visible_boxes(
    annotations: Sequence[Annotation], warp: Warp, policy: LabelPolicy, known: Sequence[Known] = ()
) -> FloatArray:
    """The boxes (n, 4) of what a warp leaves in the frame, for filters that look for objects."""
    view = View(warp, NO_HOLES)
    seen = [_see(annotation, view, policy, known[i] if known else None) for i, annotation in enumerate(annotations)]
    return np.array([s.annotation.xyxy for s in seen if s.visibility > 0], dtype=np.float64).reshape(-1, 4)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A moved label, the share of it that is visible, and the box it would have if nothing were cut off."""

    annotation: Annotation
    visibility: float
    whole: Box
    outline: tuple[Polygon, ...] = ()


def _see(annotation: Annotation, view: View, policy: LabelPolicy, known: Known | None = None) -> _Seen:
    """What is left of an object, and how much of the whole one that is."""
    seen = _see_now(annotation, view, policy, known.outline if known is not None else ())
    return seen if known is None else replace(seen, visibility=seen.visibility * known.share)


def _see_now(annotation: Annotation, view: View, policy: LabelPolicy, known: Sequence[Polygon]) -> _Seen:
    if annotation.keypoints is not None:
        annotation = replace(annotation, keypoints=_see_keypoints(annotation.keypoints, view))
    if annotation.mask is not None:
        return _see_mask(annotation, view)
    outline = known or geometry.outline(annotation, policy.outline_of(annotation.category))
    moved = _move(outline, view.warp)
    whole = geometry.bounds(polygon.exterior for polygon in moved)
    if view.shows_all_of(whole):
        return _Seen(_reshaped(annotation, view.warp, moved, moved, whole), 1.0, whole, moved)
    full = geometry.to_shapely(moved)
    visible = full.intersection(view.open)
    if full.area <= 0 or visible.area <= 0:
        return _Seen(annotation, 0.0, whole)
    covered = len(view.holes) or view.opening is not None
    left = geometry.from_shapely(geometry.without_slivers(visible) if covered else visible)
    box = geometry.bounds(polygon.exterior for polygon in left)
    return _Seen(_reshaped(annotation, view.warp, moved, left, box), float(visible.area / full.area), whole, left)


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
    """The oriented box of what is visible: along the axes that the whole object has after the warp."""
    turned = warp(corners)
    if not _is_rectangle(turned):
        turned = geometry.min_area_rectangle(np.concatenate([p.exterior for p in moved]))
    if left is moved and _is_rectangle(turned):
        return turned
    axes = np.stack([turned[1] - turned[0], turned[3] - turned[0]])
    lengths = np.linalg.norm(axes, axis=1, keepdims=True)
    axes = axes / np.where(lengths > 0, lengths, 1)
    along = np.concatenate([p.exterior for p in left]) @ axes.T
    return np.asarray(geometry.rectangle((*along.min(axis=0), *along.max(axis=0))) @ axes, dtype=np.float64)


def _is_rectangle(corners: FloatArray) -> bool:
    u, v, w = corners[1] - corners[0], corners[3] - corners[0], corners[2] - corners[0]
    scale = max(float(np.abs(corners - corners[0]).max()), 1e-9)
    return bool(abs(u @ v) < 1e-6 * scale**2 and np.abs(u + v - w).max() < 1e-6 * scale)


def _see_mask(annotation: Annotation, view: View) -> _Seen:
    """A pixel mask: each of its pixels is visible if its centre is."""
    if annotation.mask is None:
        return _Seen(annotation, 0.0, annotation.xyxy)
    mask = geometry.decode_mask(annotation.mask)
    rows, columns = np.nonzero(mask)
    centres = view.warp(np.column_stack([columns, rows]).astype(np.float64) + 0.5)
    if not len(centres):
        return _Seen(annotation, 0.0, annotation.xyxy)
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
        return _Seen(annotation, 0.0, whole)
    reshaped = replace(annotation, xyxy=geometry.mask_box(packed), mask=packed)
    return _Seen(reshaped, float(visible.mean()), whole)


def _see_keypoints(keypoints: FloatArray | None, view: View) -> FloatArray | None:
    """Moved keypoints: outside the frame they are not labelled (0 0 0), behind a hole they are hidden."""
    if keypoints is None:
        return None
    xy, visibility = view.warp(keypoints[:, :2]), keypoints[:, 2].copy()
    visibility[view.hides(xy) & (visibility == 2)] = 1
    gone = (visibility == 0) | ~view.shows(xy)
    return np.where(gone[:, None], 0.0, np.column_stack([xy, visibility]))


def _drop_reason(seen: _Seen, policy: LabelPolicy) -> str | None:
    crowd = seen.annotation.iscrowd
    if seen.visibility <= (0.0 if crowd else policy.drop_below):
        return "not visible" if seen.visibility == 0 else "hardly visible"
    cut_small = _shorter_side(seen.annotation.xyxy) < policy.min_side_px <= _shorter_side(seen.whole)
    return _TOO_SMALL if cut_small and seen.visibility < 1 and not crowd else None


def _shorter_side(box: Box) -> float:
    return min(box[2] - box[0], box[3] - box[1])


def _reflection_shows(annotation: Annotation, warp: Warp) -> bool:
    """Whether an object's mirror image in the reflected border comes into the frame."""
    frame = shapely.box(0, 0, *warp.size)
    images = reflected_images(geometry.rectangle(annotation.xyxy), warp)
    return any(shapely.Polygon(image).intersection(frame).area > 1e-6 for image in images)
