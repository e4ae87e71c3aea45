"""Shapes that are one object: tools keep an object's parts, its box and its keypoints as shapes of one group."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field, replace

import numpy as np
from pycocotools import mask as coco_mask

from amp_datasets.geometry import shapes as geometry
from amp_datasets.model import Annotation, FloatArray, Mask

KEYPOINTS_BOX = "box taken from the keypoints"
JOINED = "shapes of one group joined to one object"
"""What readers say of both."""


@dataclass
class Joiner:
    """Collects the shapes of one image, then gives its objects in the order of their first shapes.

    Polygons of one class and group are parts of one object, and so are masks; keypoints belong to the one box or
    outline of their class and group. Several boxes of a group are several objects: people group what stands together.
    """

    _groups: dict[Hashable, list[Annotation]] = field(default_factory=dict)
    joined: int = 0
    """How many shapes became part of another one."""
    boxed: int = 0
    """How many objects have no box but that of their keypoints."""

    def add(self, annotation: Annotation, group: Hashable = None) -> None:
        """Take in a shape; those without a group stay alone. A shape of keypoints alone has their extent as its box."""
        key = (annotation.category, group) if group is not None else len(self._groups)
        self._groups.setdefault(key, []).append(annotation)

    def objects(self) -> list[Annotation]:
        """The objects of the image."""
        return [found for shapes in self._groups.values() for found in self._objects(shapes)]

    def _objects(self, shapes: list[Annotation]) -> list[Annotation]:
        points = [shape for shape in shapes if _is_points(shape)]
        bodies = _merged([shape for shape in shapes if not _is_points(shape)])
        if len(bodies) == 1 and len(points) == 1:
            bodies = [replace(bodies[0], keypoints=points[0].keypoints)]
            points = []
        self.joined += len(shapes) - len(bodies) - len(points)
        self.boxed += len(points)
        return [*bodies, *points]


def keypoints_only(category: str, keypoints: FloatArray) -> Annotation:
    """An object of which nothing but keypoints (k, 3) is known; ValueError if none of them is labelled."""
    labelled = keypoints[keypoints[:, 2] > 0, :2]
    if not len(labelled):
        raise ValueError("none of its keypoints is labelled")
    return Annotation(category, geometry.bounds([labelled]), keypoints=keypoints)


def _is_points(shape: Annotation) -> bool:
    return shape.keypoints is not None


def _merged(shapes: list[Annotation]) -> list[Annotation]:
    """The parts of one object as one: where all are polygons, where all are masks, or outlines beside their one box."""
    boxes = [s for s in shapes if not s.polygons and s.mask is None]
    outlines = [s for s in shapes if s.polygons or s.mask is not None]
    if len(boxes) == 1 and outlines and boxes[0].corners is None:
        boxes = []
    if all(s.polygons for s in outlines) and len(outlines) > 1:
        parts = tuple(polygon for shape in outlines for polygon in shape.polygons)
        box = geometry.bounds(part.exterior for part in parts)
        outlines = [replace(outlines[0], xyxy=box, polygons=parts)]
    elif len(outlines) > 1 and len({s.mask.size for s in outlines if s.mask is not None}) == 1:
        masks = [s.mask for s in outlines if s.mask is not None]
        if len(masks) == len(outlines):
            union = _union(masks)
            outlines = [replace(outlines[0], xyxy=geometry.mask_box(union), mask=union)]
    return [*boxes, *outlines]


def _union(masks: list[Mask]) -> Mask:
    merged = coco_mask.merge([geometry.coco_rle(mask) for mask in masks])
    return Mask(masks[0].size, merged["counts"])


def visible(points: FloatArray) -> FloatArray:
    """Points (k, 2) as keypoints (k, 3) that are all visible."""
    return np.column_stack([points, np.full(len(points), 2.0)])
