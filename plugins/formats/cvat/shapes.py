"""One shape of a CVAT XML as a label in pixels.

https://docs.cvat.ai/docs/dataset_management/formats/format-cvat/

Coordinates are pixel edges from the top left corner. `rotation` is in degrees, clockwise on screen, about the centre of
the shape. The runs of a mask go row by row through its own box, the first one is of pixels outside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

import numpy as np

from amp_datasets.formats.kit.reading import category_name, finite, points
from amp_datasets.geometry import shapes as geometry
from amp_datasets.geometry.joining import keypoints_only
from amp_datasets.model import Annotation, FloatArray, Mask, Polygon, Size

HELD = frozenset({"box", "ellipse", "polygon", "mask", "skeleton"})
WITHOUT_AREA = frozenset({"polyline", "points"})
KINDS = HELD | WITHOUT_AREA | {"cuboid"}
_MAX_PIXELS = 10**9


@dataclass(frozen=True)
class Shape:
    """A shape of one frame: `numbers` are those of its kind, `parts` the keypoints of a skeleton (x, y, visibility)."""

    kind: str
    numbers: FloatArray
    rotation: float = 0.0
    occluded: bool = False
    attributes: Mapping[str, Any] = field(default_factory=dict)
    parts: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    mask: Mask | None = None


def read_shape(node: ElementTree.Element, size: Size | None) -> Shape:
    """A shape as it is written; ValueError for one that cannot be read. `size` is the image's, which masks need."""
    kind = node.tag
    attributes = {str(a.get("name")): a.text or "" for a in node.iterfind("attribute") if a.get("name")}
    occluded = node.get("occluded") == "1"
    mask = None
    if kind == "box":
        numbers = _numbers(node, ("xtl", "ytl", "xbr", "ybr"))
    elif kind == "ellipse":
        numbers = _numbers(node, ("cx", "cy", "rx", "ry"))
    elif kind == "polygon":
        numbers = _pairs(node.get("points") or "").ravel()
        if len(numbers) < 6:
            raise ValueError(f"{len(numbers) // 2} points do not make a polygon")
    elif kind == "mask":
        numbers, mask = np.zeros(0), _mask(node, size)
    elif kind == "skeleton":
        return Shape(kind, np.zeros(0), 0.0, occluded, attributes, _parts(node))
    else:
        raise ValueError(f"`{kind[:40]}` is no shape with an area")
    rotation = finite(node.get("rotation") or 0)
    return Shape(kind, numbers, rotation, occluded, attributes, mask=mask)


def to_annotation(label: str, shape: Shape, keypoints: Sequence[str]) -> Annotation:
    """A shape as a label of a class; ValueError if it has no outline. `keypoints` names those of its class in order."""
    category, attributes = category_name(label), dict(shape.attributes)
    if shape.occluded:
        attributes["occluded"] = 1
    if shape.mask is not None:
        return Annotation(category, geometry.mask_box(shape.mask), mask=shape.mask, attributes=attributes)
    if shape.kind == "skeleton":
        absent = (0.0, 0.0, 0.0)
        parts = {name: part if part[2] else absent for name, part in shape.parts.items()}
        rows = [parts.get(name, absent) for name in keypoints or parts]
        found = keypoints_only(category, np.array(rows, dtype=np.float64).reshape(-1, 3))
        return Annotation(category, found.xyxy, keypoints=found.keypoints, attributes=attributes)
    numbers = shape.numbers.tolist()
    if shape.kind == "box":
        x0, y0, x1, y1 = numbers
        if shape.rotation % 360 == 0:
            return Annotation(category, (x0, y0, x1, y1), attributes=attributes)
        corners = geometry.turned_rectangle((x0, y0, x1, y1), shape.rotation)
        return Annotation(category, geometry.bounds([corners]), corners=corners, attributes=attributes)
    if shape.kind == "ellipse":
        cx, cy, rx, ry = numbers
        upright = geometry.ellipse((cx - rx, cy - ry, cx + rx, cy + ry))
        ring = geometry.rotated(upright, shape.rotation, (cx, cy)) if shape.rotation % 360 else upright
    else:
        ring = shape.numbers.reshape(-1, 2)
    return Annotation(category, geometry.bounds([ring]), polygons=(Polygon(ring),), attributes=attributes)


def declared_size(node: ElementTree.Element | None) -> Size | None:
    """The size of an image that an element states, as attributes or in elements below it."""
    if node is None:
        return None
    try:
        width, height = (finite(node.get(side) or node.findtext(side) or "") for side in ("width", "height"))
    except ValueError:
        return None
    return (int(width), int(height)) if width >= 1 and height >= 1 else None


def _numbers(node: ElementTree.Element, keys: Sequence[str]) -> FloatArray:
    return np.array([finite(node.get(key) or "") for key in keys], dtype=np.float64)


def _pairs(text: str) -> FloatArray:
    """x,y;x,y;... as an (n, 2) array."""
    return points([value for pair in text.split(";") if pair.strip() for value in pair.split(",")])


def _parts(node: ElementTree.Element) -> dict[str, tuple[float, float, float]]:
    """The keypoints of a skeleton by their labels: `outside` is not labelled, `occluded` is hidden.

    Those that are not labelled have a place all the same, which others on their way to it are seen moving to.
    """
    parts = {}
    for part in node.iterfind("points"):
        rows = _pairs(part.get("points") or "")
        if len(rows) != 1:
            raise ValueError(f"a keypoint of the skeleton has {len(rows)} points")
        visibility = 0.0 if part.get("outside") == "1" else 1.0 if part.get("occluded") == "1" else 2.0
        x, y = rows[0].tolist()
        parts[str(part.get("label"))] = (x, y, visibility)
    return parts


def _mask(node: ElementTree.Element, size: Size | None) -> Mask:
    """The mask of the whole image from the runs inside its box."""
    left, top, width, height = (int(finite(node.get(key) or "")) for key in ("left", "top", "width", "height"))
    runs = [int(run) for run in (node.get("rle") or "").split(",") if run.strip()]
    if size is None or size[0] * size[1] > _MAX_PIXELS:
        raise ValueError("a mask in an image of unknown or excessive size")
    if width < 1 or height < 1 or left < 0 or top < 0 or left + width > size[0] or top + height > size[1]:
        raise ValueError(f"the mask of {width}x{height} pixels at {left}, {top} reaches out of the image")
    if min(runs, default=-1) < 0 or sum(runs) != width * height:
        raise ValueError(f"the mask's runs cover {sum(runs)} pixels of {width}x{height}")
    pixels = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(height, width)
    whole = np.zeros((size[1], size[0]), dtype=np.bool_)
    whole[top : top + height, left : left + width] = pixels
    if not pixels.any():
        raise ValueError("the mask is empty")
    return geometry.encode_mask(whole)
