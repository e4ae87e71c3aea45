"""One annotation of a Datumaro item as a label in pixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from amp_datasets.formats.kit.entries import simple_values
from amp_datasets.formats.kit.reading import brief, finite, points
from amp_datasets.geometry import shapes as geometry
from amp_datasets.geometry.joining import keypoints_only
from amp_datasets.geometry.rle import parse_rle
from amp_datasets.model import Annotation, FloatArray, Polygon, Size


def to_annotation(
    kind: str, raw: Mapping[str, Any], category: str, names: list[str], keypoints: tuple[str, ...], size: Size
) -> Annotation:
    """One shape as a label; ValueError, KeyError, TypeError or AttributeError for one that has no place."""
    attributes = simple_values(raw.get("attributes") or {})
    crowd = bool(attributes.pop("is_crowd", False))
    attributes = {key: value for key, value in attributes.items() if not (key == "occluded" and not value)}
    more: dict[str, Any] = {"attributes": attributes, "iscrowd": crowd}
    if kind == "bbox":
        x, y, width, height = (finite(value) for value in raw["bbox"])
        return Annotation(category, (x, y, x + width, y + height), **more)
    if kind == "mask":
        mask = parse_rle(raw["rle"])
        if mask.size != size:
            raise ValueError(f"the mask is {mask.size[0]}x{mask.size[1]}, its image {size[0]}x{size[1]}")
        if not geometry.mask_area(mask):
            raise ValueError("the mask is empty")
        return Annotation(category, geometry.mask_box(mask), mask=mask, **more)
    if kind in ("points", "skeleton"):
        rows = _point_rows(raw) if kind == "points" else _skeleton_rows(raw, names, keypoints)
        found = keypoints_only(category, rows)
        return Annotation(category, found.xyxy, keypoints=found.keypoints, **more)
    if kind == "rotated_bbox":
        cx, cy, width, height, angle_deg = (finite(value) for value in raw["points"])
        corners = geometry.turned_rectangle(geometry.cxcywh_to_xyxy((cx, cy, width, height)), angle_deg)
        return Annotation(category, geometry.bounds([corners]), corners=corners, **more)
    ring = points(raw["points"])
    if kind == "ellipse" and len(ring) == 2:
        ring = geometry.ellipse(geometry.bounds([ring]))
    elif kind != "polygon" or len(ring) < 3:
        raise ValueError(f"{len(ring)} points do not make a {brief(kind)}")
    return Annotation(category, geometry.bounds([ring]), polygons=(Polygon(ring),), **more)


def _point_rows(raw: Mapping[str, Any]) -> FloatArray:
    """Keypoints with their visibility, which is COCO's: 0 absent, 1 hidden, 2 visible."""
    rows = points(raw["points"])
    states = raw.get("visibility")
    if states is None:
        states = [2] * len(rows)
    if len(states) != len(rows) or any(state not in (0, 1, 2) for state in states):
        raise ValueError(f"the visibility of {len(rows)} points is {brief(states)}")
    seen = np.array(states, dtype=np.float64)
    return np.column_stack([np.where(seen[:, None] > 0, rows, 0.0), seen])


def _skeleton_rows(raw: Mapping[str, Any], names: list[str], keypoints: tuple[str, ...]) -> FloatArray:
    """The keypoints of CVAT's skeletons, whose elements are points with labels of their own."""
    parts = [part for part in raw["elements"] if part["type"] == "points"]
    if any(type(part["label_id"]) is not int or not 0 <= part["label_id"] < len(names) for part in parts):
        raise ValueError("a point of the skeleton has a label that the categories have not")
    found = {names[part["label_id"]]: _point_rows(part)[0] for part in parts}
    absent = np.zeros(3)
    return np.array([found.get(name, absent) for name in keypoints or found], dtype=np.float64).reshape(-1, 3)
