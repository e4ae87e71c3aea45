"""Labels brought inside their image: what is not usable is dropped and counted, what is a hair outside is clipped.

A box-only label inside its image, which is nearly every label, passes in a microsecond and without an array.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from amp_datasets.formats.kit.report import Report
from amp_datasets.geometry import shapes as geometry
from amp_datasets.geometry.crossing import TANGLED, is_tangled
from amp_datasets.geometry.warp import Affine, Warp, resample_mask
from amp_datasets.model import Annotation, Box, FloatArray, Mask, Polygon, Size

_TOLERANCE = 1e-6
"""What rounding in a label file may put outside, as a share of the image's longer side."""


def clean(image: str, annotations: Iterable[Annotation], size: Size, report: Report) -> list[Annotation]:
    """Labels that lie inside the image and have an area; the others are dropped, repeated ones merged."""
    width, height = size
    kept: list[Annotation] = []
    seen: set[tuple[object, ...]] = set()
    for number, annotation in enumerate(annotations, start=1):
        x0, y0, x1, y1 = annotation.xyxy
        if _is_plain(annotation) and 0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height:
            cleaned: Annotation | None = annotation
        else:
            cleaned = _clean_one(f"{image}#{number}", annotation, size, report)
        if cleaned is None:
            continue
        identity = _identity(cleaned)
        if identity in seen:
            report.repair(f"{image}#{number}", "duplicate label removed", cleaned.category)
            continue
        seen.add(identity)
        kept.append(cleaned)
    return kept


def transform(annotation: Annotation, affine: Affine) -> Annotation:
    """A label under a map that moves whole pixels (EXIF): every kind of outline goes along."""
    polygons = tuple(Polygon(affine(p.exterior), tuple(map(affine, p.holes))) for p in annotation.polygons)
    corners = None if annotation.corners is None else affine(annotation.corners)
    keypoints = annotation.keypoints
    if keypoints is not None:
        keypoints = np.column_stack([affine(keypoints[:, :2]), keypoints[:, 2]])
        keypoints[keypoints[:, 2] == 0] = 0
    box = geometry.bounds([affine(geometry.rectangle(annotation.xyxy))])
    mask = None if annotation.mask is None else _transform_mask(annotation.mask, affine)
    return replace(annotation, xyxy=box, polygons=polygons, corners=corners, keypoints=keypoints, mask=mask)


def _transform_mask(mask: Mask, affine: Affine) -> Mask:
    frame = geometry.bounds([affine(geometry.rectangle((0.0, 0.0, float(mask.size[0]), float(mask.size[1]))))])
    size = (round(frame[2]), round(frame[3]))
    return geometry.encode_mask(resample_mask(geometry.decode_mask(mask), Warp((affine,), mask.size, size)))


def _is_plain(annotation: Annotation) -> bool:
    return (
        not annotation.polygons
        and annotation.mask is None
        and annotation.corners is None
        and annotation.keypoints is None
    )


def _identity(annotation: Annotation) -> tuple[object, ...]:
    if _is_plain(annotation):
        return (annotation.category, annotation.xyxy, annotation.iscrowd)
    outline = tuple(ring.tobytes() for p in annotation.polygons for ring in p.rings)
    points = tuple(a.tobytes() for a in (annotation.corners, annotation.keypoints) if a is not None)
    return (annotation.category, annotation.xyxy, outline, points, annotation.mask, annotation.iscrowd)


def _clean_one(label: str, annotation: Annotation, size: Size, report: Report) -> Annotation | None:
    problem = _problem(annotation, size)
    if problem is not None:
        report.drop(label, problem, f"{annotation.category} {annotation.xyxy}")
        return None
    annotation = _clean_keypoints(label, _clean_polygons(label, annotation, report), size, report)
    inside = geometry.clip_box(annotation.xyxy, size)
    if geometry.box_area(inside) <= 0:
        report.drop(label, "box is outside the image", f"{annotation.category} {annotation.xyxy}")
        return None
    return annotation if inside == annotation.xyxy else _clip(label, annotation, inside, size, report)


def _problem(annotation: Annotation, size: Size) -> str | None:
    """Why a label cannot be used at all."""
    numbers = [np.asarray(annotation.xyxy), *(ring for p in annotation.polygons for ring in p.rings)]
    numbers += [a for a in (annotation.corners, annotation.keypoints) if a is not None]
    if not all(np.isfinite(values).all() for values in numbers):
        return "label has a coordinate that is not a finite number"
    x0, y0, x1, y1 = annotation.xyxy
    if x0 > x1 or y0 > y1:
        return "box has a negative width or height"
    if geometry.box_area(annotation.xyxy) <= 0:
        return "box has no area"
    if annotation.polygons and is_tangled(annotation.polygons):
        return TANGLED
    if annotation.mask is not None and annotation.mask.size != size:
        return "mask has another size than the image"
    return None


def _clip(label: str, annotation: Annotation, inside: Box, size: Size, report: Report) -> Annotation | None:
    beyond = max(abs(a - b) for a, b in zip(annotation.xyxy, inside, strict=True))
    if beyond > _TOLERANCE * max(size):
        report.repair(label, "box clipped to the image", f"{annotation.category}: {beyond:.3f} px outside")
    if annotation.polygons:
        polygons = _inside(annotation.polygons, size)
    elif annotation.corners is not None:
        polygons = _inside((Polygon(annotation.corners),), size)
    else:
        return replace(annotation, xyxy=inside)
    if not polygons:
        report.drop(label, "polygon is outside the image", annotation.category)
        return None
    box = geometry.bounds(p.exterior for p in polygons)
    return replace(annotation, xyxy=box, polygons=polygons if annotation.polygons else ())


def _inside(polygons: Sequence[Polygon], size: Size) -> tuple[Polygon, ...]:
    """The part of some polygons inside the image; a rounding error beyond its edge moves points, but cuts nothing."""
    rings = [ring for polygon in polygons for ring in polygon.rings]
    if all(np.abs(ring - np.clip(ring, 0, size)).max() <= _TOLERANCE * max(size) for ring in rings):
        return tuple(Polygon(*_clamped(polygon, size)) for polygon in polygons)
    frame = geometry.to_shapely([Polygon(geometry.rectangle((0.0, 0.0, float(size[0]), float(size[1]))))])
    return geometry.from_shapely(geometry.to_shapely(polygons).intersection(frame))


def _clamped(polygon: Polygon, size: Size) -> tuple[FloatArray, tuple[FloatArray, ...]]:
    exterior, *holes = (np.asarray(np.clip(ring, 0, size), dtype=np.float64) for ring in polygon.rings)
    return exterior, tuple(holes)


def _clean_polygons(label: str, annotation: Annotation, report: Report) -> Annotation:
    if not annotation.polygons:
        return annotation
    parts = []
    for part in annotation.polygons:
        exterior = _without_repeats(part.exterior)
        holes = tuple(hole for hole in map(_without_repeats, part.holes) if len(hole) >= 3)
        if len(exterior) != len(part.exterior):
            report.repair(label, "repeated polygon point removed", annotation.category)
        if len(exterior) >= 3 and geometry.ring_area(exterior) > 0:
            parts.append(Polygon(exterior, holes))
        else:
            report.repair(label, "polygon part without area removed", annotation.category)
    return replace(annotation, polygons=tuple(parts))


def _clean_keypoints(label: str, annotation: Annotation, size: Size, report: Report) -> Annotation:
    """Labelled points outside the image become unlabelled ones; a hair outside is moved to the border."""
    points = annotation.keypoints
    if points is None:
        return annotation
    clipped = np.clip(points[:, :2], 0.0, size)
    beyond = np.abs(clipped - points[:, :2]).max(axis=1, initial=0.0)
    if not ((beyond > 0) & (points[:, 2] > 0)).any():
        return annotation
    moved = np.column_stack([clipped, points[:, 2]])
    far = (beyond > _TOLERANCE * max(size)) & (points[:, 2] > 0)
    moved[far] = 0.0
    if far.any():
        report.repair(label, "keypoint outside the image removed", f"{annotation.category}: {int(far.sum())} points")
    return replace(annotation, keypoints=moved)


def _without_repeats(ring: FloatArray) -> FloatArray:
    """A ring without points that the next one repeats, and so without a repeated closing point."""
    if len(ring) < 2:
        return ring
    different = (ring != np.roll(ring, -1, axis=0)).any(axis=1)
    return ring[different] if not different.all() else ring
