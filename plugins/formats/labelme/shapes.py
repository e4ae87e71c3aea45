"""One shape of a LabelMe file as a label."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from amp_datasets.formats.kit.reading import category_name, finite
from amp_datasets.geometry import shapes as geometry
from amp_datasets.images.codec import Limits
from amp_datasets.images.header import probe
from amp_datasets.model import Annotation, FloatArray, ImageFile, Mask, Polygon, Size

_MAX_MASK_PIXELS = 10**9


def shape_to_annotation(shape: Any, size: Size) -> Annotation:
    """One shape as a label; ValueError, KeyError, TypeError or AttributeError for one that has no outline."""
    category, kind = category_name(shape["label"]), shape.get("shape_type") or "polygon"
    ring = np.array([[finite(x), finite(y)] for x, y in shape["points"]], dtype=np.float64).reshape(-1, 2)
    attributes = _attributes(shape)
    if kind == "mask":
        mask = _mask(shape["mask"], ring, size)
        return Annotation(category, geometry.mask_box(mask), mask=mask, attributes=attributes)
    if kind == "circle":
        ring = _circle(ring)
    elif kind == "rectangle" and (len(ring) == 2 or _is_upright(ring)):
        return Annotation(category, geometry.bounds([ring]), attributes=attributes)
    elif kind in ("rotation", "oriented_rectangle") and len(ring) == 4:
        return Annotation(category, geometry.bounds([ring]), corners=ring, attributes=attributes)
    elif kind not in ("polygon", "rectangle") or len(ring) < 3:
        raise ValueError(f"{len(ring)} points do not make a {str(kind)[:40]}")
    return Annotation(category, geometry.bounds([ring]), polygons=(Polygon(ring),), attributes=attributes)


def _is_upright(ring: FloatArray) -> bool:
    """Whether four points are the corners of an upright box, as X-AnyLabeling writes them."""
    corners = {(x, y) for x in set(ring[:, 0].tolist()) for y in set(ring[:, 1].tolist())}
    return len(ring) == 4 == len(corners) and {(x, y) for x, y in ring.tolist()} == corners


def _circle(ring: FloatArray) -> FloatArray:
    """The outline of a circle given by its centre and a point on its rim."""
    if len(ring) != 2:
        raise ValueError(f"a circle has 2 points, not {len(ring)}")
    (x, y), radius = ring[0], float(np.linalg.norm(ring[1] - ring[0]))
    return geometry.ellipse((x - radius, y - radius, x + radius, y + radius))


def _mask(text: Any, corners: FloatArray, size: Size) -> Mask:
    """A mask of the whole image from the PNG of its box, whose top left pixel is the first point."""
    data = base64.b64decode(text)
    width, height = probe(ImageFile(Path("mask.png"), data=data), Limits()).size
    x, y = (round(value) for value in corners[0].tolist())
    if x < 0 or y < 0 or y + height > size[1] or x + width > size[0] or size[0] * size[1] > _MAX_MASK_PIXELS:
        raise ValueError(f"the mask of {width}x{height} pixels at {x}, {y} reaches out of the image")
    part = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_GRAYSCALE)
    if part is None or part.shape != (height, width):
        raise ValueError("the mask is no image")
    whole = np.zeros((size[1], size[0]), dtype=np.bool_)
    whole[y : y + height, x : x + width] = part > 0
    return geometry.encode_mask(whole)


def _attributes(shape: Mapping[str, Any]) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    for key in ("flags", "attributes"):
        values = shape.get(key)
        if isinstance(values, dict):
            attributes.update(values)
    return attributes
