"""Boxes, polygons, masks and keypoints as arrays: conversions, outlines, clipping, areas.

Everything is float64 in pixel-edge coordinates (see `model`). Polygons are clipped by shapely, masks are packed by
pycocotools; both are the field's own tools for it.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
import shapely
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from amp_datasets.model import Annotation, Box, FloatArray, Mask, Polygon, Size

Outline = Literal["ellipse", "rect"]

_HAIR_PX = 0.5
_ELLIPSE_VERTICES = 256
"""A multiple of 4 (the extremes are vertices); the polygon is at most 0.008 % of the radius inside the ellipse."""


def xywh_to_xyxy(xywh: Sequence[float]) -> Box:
    """COCO's corner and size as a box."""
    x, y, w, h = xywh
    return (x, y, x + w, y + h)


def xyxy_to_xywh(xyxy: Box) -> tuple[float, float, float, float]:
    """A box as COCO's corner and size."""
    x0, y0, x1, y1 = xyxy
    return (x0, y0, x1 - x0, y1 - y0)


def cxcywh_to_xyxy(cxcywh: Sequence[float]) -> Box:
    """Centre and size (YOLO, CreateML) as a box."""
    cx, cy, w, h = cxcywh
    return (cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2)


def xyxy_to_cxcywh(xyxy: Box) -> tuple[float, float, float, float]:
    """A box as centre and size."""
    x0, y0, x1, y1 = xyxy
    return ((x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0)


def box_area(xyxy: Box) -> float:
    """Square pixels of a box; 0 if it is inside out."""
    x0, y0, x1, y1 = xyxy
    return max(0.0, x1 - x0) * max(0.0, y1 - y0)


def clip_box(xyxy: Box, size: Size) -> Box:
    """The part of a box inside an image (inside out if there is none)."""
    x0, y0, x1, y1 = xyxy
    width, height = float(size[0]), float(size[1])
    return (max(x0, 0.0), max(y0, 0.0), min(x1, width), min(y1, height))


def bounds(points: Iterable[FloatArray]) -> Box:
    """The tightest box around all rows of some (n, 2) arrays."""
    rows = np.concatenate(list(points))
    (x0, y0), (x1, y1) = rows.min(axis=0), rows.max(axis=0)
    return (float(x0), float(y0), float(x1), float(y1))


def rectangle(xyxy: Box) -> FloatArray:
    """The four corners of a box, clockwise on screen from the top left."""
    x0, y0, x1, y1 = xyxy
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], dtype=np.float64)


def turned_rectangle(xyxy: Box, angle_deg: float) -> FloatArray:
    """The corners of a box (4, 2) that is turned about its centre, clockwise on screen."""
    centre = ((xyxy[0] + xyxy[2]) / 2, (xyxy[1] + xyxy[3]) / 2)
    return rotated(rectangle(xyxy), angle_deg, centre)


def rotated(points: FloatArray, angle_deg: float, pivot: Sequence[float]) -> FloatArray:
    """Points (n, 2) turned about a pivot, clockwise on screen for angles above 0."""
    cos, sin = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    turn = np.array([[cos, sin], [-sin, cos]])
    return np.asarray((points - np.asarray(pivot)) @ turn + np.asarray(pivot), dtype=np.float64)


def oriented_box(corners: FloatArray) -> tuple[Box, float] | None:
    """An upright box, and the degrees by which to turn it about its centre to get four corners; None for no rectangle.

    A millionth of the longer side is the tolerance. Corners that run the other way round are no different.
    """
    if len(corners) != 4:
        return None
    across, down = corners[1] - corners[0], corners[3] - corners[0]
    if across[0] * down[1] - across[1] * down[0] < 0:
        return oriented_box(corners[[0, 3, 2, 1]])
    width, height = float(np.linalg.norm(across)), float(np.linalg.norm(down))
    tolerance = 1e-6 * max(width, height, 1e-9)
    skew = abs(float(across @ down)) / max(width, height, 1e-9)
    if skew > tolerance or float(np.abs(corners[0] + corners[2] - corners[1] - corners[3]).max()) > tolerance:
        return None
    cx, cy = corners.mean(axis=0).tolist()
    angle_deg = float(np.degrees(np.arctan2(across[1], across[0])))
    return cxcywh_to_xyxy((cx, cy, width, height)), angle_deg


def ellipse(xyxy: Box) -> FloatArray:
    """The ellipse that touches all four sides of a box, as a fine polygon."""
    x0, y0, x1, y1 = xyxy
    angle = np.arange(_ELLIPSE_VERTICES) * (2 * np.pi / _ELLIPSE_VERTICES)
    unit = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    points = unit * ((x1 - x0) / 2, (y1 - y0) / 2) + ((x0 + x1) / 2, (y0 + y1) / 2)
    return np.asarray(np.clip(points, (x0, y0), (x1, y1)), dtype=np.float64)


def outline(annotation: Annotation, shape: Outline) -> tuple[Polygon, ...]:
    """What is known of the object's outline: its polygons, its oriented box, or `shape` inside its plain box."""
    if annotation.polygons:
        return annotation.polygons
    if annotation.corners is not None:
        return (Polygon(annotation.corners),)
    return (Polygon(ellipse(annotation.xyxy) if shape == "ellipse" else rectangle(annotation.xyxy)),)


def outline_box(annotation: Annotation) -> Box:
    """The box of the finest outline that is known; of an oriented box that reaches beyond its image, the given box."""
    if annotation.mask is not None:
        return mask_box(annotation.mask) if mask_area(annotation.mask) else annotation.xyxy
    if annotation.polygons:
        return bounds(polygon.exterior for polygon in annotation.polygons)
    return annotation.xyxy


def runs_counterclockwise(ring: FloatArray) -> bool:
    """Whether a ring's points follow each other against the clock, as seen on screen."""
    x, y = (ring - ring[0]).T
    return bool(x @ np.roll(y, -1) - y @ np.roll(x, -1) < 0)


def densify(ring: FloatArray, spacing: float) -> FloatArray:
    """The same ring with vertices at most `spacing` pixels apart, so that a curved map may bend its edges.

    shapely.segmentize gives the same points to 1e-13 px, so other bytes of every label that is bent.
    """
    following = np.roll(ring, -1, axis=0)
    pieces = np.maximum(1, np.ceil(np.linalg.norm(following - ring, axis=1) / spacing)).astype(int)
    rows = np.repeat(np.arange(len(ring)), pieces)
    share = ((np.arange(len(rows)) - (np.cumsum(pieces) - pieces)[rows]) / pieces[rows])[:, None]
    return np.asarray(ring[rows] * (1 - share) + following[rows] * share, dtype=np.float64)


def to_shapely(polygons: Iterable[Polygon]) -> shapely.Geometry:
    """The union of some polygons as one valid shapely geometry."""
    parts = [shapely.Polygon(p.exterior, p.holes) for p in polygons]
    return shapely.union_all([part if part.is_valid else shapely.make_valid(part) for part in parts])


def from_shapely(geometry: shapely.Geometry) -> tuple[Polygon, ...]:
    """The polygons of a shapely geometry; points and lines in it, which have no area, are left out."""
    parts = [p for p in shapely.get_parts(shapely.get_parts(geometry)) if p.geom_type == "Polygon" and p.area > 0]
    return tuple(Polygon(_open(p.exterior), tuple(_open(hole) for hole in p.interiors)) for p in parts)


def without_slivers(geometry: shapely.Geometry) -> shapely.Geometry:
    """The geometry inside the box of its solid part: what sticks out by two pixels, but hair-thin, shows nowhere.

    Cutting leaves such slivers along the cut. Thinner than half a pixel, they hold hardly a pixel's centre.
    """
    solid = geometry.buffer(-_HAIR_PX / 2, join_style="mitre")
    if solid.is_empty:
        return geometry
    inner, outer = np.array(solid.bounds) + np.array([-1, -1, 1, 1]) * _HAIR_PX / 2, np.array(geometry.bounds)
    box = np.where(np.abs(inner - outer) > 2, inner, outer)
    return geometry if (box == outer).all() else geometry.intersection(shapely.box(*box))


def _open(ring: shapely.LinearRing) -> FloatArray:
    """A ring's vertices without the repeated closing point."""
    return np.asarray(shapely.get_coordinates(ring)[:-1], dtype=np.float64)


def polygons_area(polygons: Iterable[Polygon]) -> float:
    """Square pixels covered by the union of some polygons."""
    return float(to_shapely(polygons).area)


def ring_area(ring: FloatArray) -> float:
    """Square pixels inside one ring that does not cross itself (shoelace)."""
    x, y = (ring - ring[0]).T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def _is_simple(ring: FloatArray) -> bool:
    """Whether a ring does not cross itself; where it does, the shoelace takes one half from the other."""
    return len(ring) == 3 or bool(shapely.is_valid(shapely.Polygon(ring)))


def min_area_rectangle(points: FloatArray) -> FloatArray:
    """The corners (4, 2) of the smallest rectangle, at any angle, around some points."""
    rectangle_ = shapely.MultiPoint(points).minimum_rotated_rectangle
    return _open(rectangle_.exterior) if rectangle_.geom_type == "Polygon" else rectangle(bounds([points]))


_WARNING_FILTERS = threading.Lock()
"""They are the process's: two threads that change them would each restore what the other had set."""


def encode_mask(mask: NDArray[np.bool_]) -> Mask:
    """A (height, width) mask as run lengths."""
    packed = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return Mask((mask.shape[1], mask.shape[0]), packed["counts"])


def decode_mask(mask: Mask) -> NDArray[np.bool_]:
    """Run lengths as a (height, width) mask."""
    with _WARNING_FILTERS, warnings.catch_warnings():  # pycocotools hands over an array in an old way, NumPy 2 says so
        warnings.simplefilter("ignore", DeprecationWarning)
        return np.asarray(coco_mask.decode(coco_rle(mask)), dtype=np.bool_)


def coco_rle(mask: Mask) -> dict[str, object]:
    """A mask in the form that pycocotools takes."""
    return {"size": [mask.size[1], mask.size[0]], "counts": mask.counts}


def mask_area(mask: Mask) -> int:
    """Number of pixels of a mask."""
    return int(coco_mask.area(coco_rle(mask)))


def mask_box(mask: Mask) -> Box:
    """The tightest box around a mask's pixels; all zeros for an empty mask."""
    return xywh_to_xyxy([float(v) for v in coco_mask.toBbox(coco_rle(mask))])


def area(annotation: Annotation) -> float:
    """Square pixels of the object as COCO counts them: of its mask, its polygons, its oriented box, or its box."""
    if annotation.mask is not None:
        return float(mask_area(annotation.mask))
    if annotation.polygons:
        only = annotation.polygons[0]
        simple = len(annotation.polygons) == 1 and not only.holes and _is_simple(only.exterior)
        return ring_area(only.exterior) if simple else polygons_area(annotation.polygons)
    if annotation.corners is not None:
        return ring_area(annotation.corners)
    return box_area(annotation.xyxy)
