"""One region of Label Studio as labels in pixels.

https://labelstud.io/guide/task_format and https://labelstud.io/tags/rectanglelabels

Numbers are percents of the image's width and height. A rectangle turns clockwise on screen about its top left corner,
an ellipse about its centre; both by degrees, in pixels rather than in percents. `image_rotation` says how the image
was shown while people drew: numbers are of the image as it is stored, whose sides `original_width` and
`original_height` are, and Label Studio's own exports do not look at it. Where these are the sides of the turned image,
another program wrote the file, and a size that contradicts the image's is an error as for all formats.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from amp_datasets.formats.kit.reading import brief, category_name, finite
from amp_datasets.geometry import shapes as geometry
from amp_datasets.model import Annotation, Polygon, Size

from .brush import decode_brush
from .tasks import CLASS_KEYS, Region

HIDDEN = "hidden"
"""The text of a keypoint's region that says that it is hidden, which Label Studio itself has no word for."""


def declared_size(region: Region) -> Size | None:
    """The size of the image that a region states; None if it is not usable."""
    try:
        width, height = (finite(side) for side in region.size)
    except (ValueError, TypeError):
        return None
    return (int(width), int(height)) if width >= 1 and height >= 1 else None


def classes(region: Region) -> list[str]:
    """The classes that a region has, usually one; ValueError for none."""
    names = [name for key in CLASS_KEYS for name in _list(region.value.get(key))]
    names = names or _list(region.value.get("choices"))
    if not names:
        raise ValueError("the region has no label")
    return [category_name(name) for name in dict.fromkeys(names)]


def is_point(region: Region) -> bool:
    """Whether a region is a keypoint."""
    return any(kind.startswith("keypoint") for kind in region.kinds)


def place(region: Region, category: str, size: Size) -> Annotation:
    """A region as a label; ValueError, KeyError or TypeError for one that has no outline."""
    value = region.value
    if "rle" in value:
        mask = geometry.encode_mask(decode_brush(value["rle"], *size))
        if not geometry.mask_area(mask):
            raise ValueError("the mask is empty")
        return Annotation(category, geometry.mask_box(mask), mask=mask)
    share = np.array(size) / 100
    if "points" in value:
        ring = np.array([[finite(x), finite(y)] for x, y in value["points"]], dtype=np.float64).reshape(-1, 2) * share
    elif "radiusX" in value:
        (cx, cy), (rx, ry) = (_pair(value, *keys) * share for keys in (("x", "y"), ("radiusX", "radiusY")))
        upright = geometry.ellipse((cx - rx, cy - ry, cx + rx, cy + ry))
        ring = geometry.rotated(upright, _turn(value), (cx, cy)) if _turn(value) else upright
    else:
        corner, extent = _pair(value, "x", "y") * share, _pair(value, "width", "height") * share
        if (extent < 0).any():
            raise ValueError(f"negative size {extent.tolist()}")
        box = (float(corner[0]), float(corner[1]), float(corner[0] + extent[0]), float(corner[1] + extent[1]))
        if not _turn(value):
            return Annotation(category, box)
        corners = geometry.rotated(geometry.rectangle(box), _turn(value), corner)
        return Annotation(category, geometry.bounds([corners]), corners=corners)
    if len(ring) < 3:
        raise ValueError(f"{len(ring)} points do not make a polygon")
    return Annotation(category, geometry.bounds([ring]), polygons=(Polygon(ring),))


def point(region: Region, size: Size) -> tuple[float, float, float]:
    """A keypoint with its visibility; ValueError or KeyError if it has no place."""
    x, y = (_pair(region.value, "x", "y") * np.array(size) / 100).tolist()
    return x, y, 1.0 if HIDDEN in _list(region.text) else 2.0


def _pair(value: Mapping[str, Any], first: str, second: str) -> Any:
    return np.array([finite(value[first]), finite(value[second])], dtype=np.float64)


def _turn(value: Mapping[str, Any]) -> float:
    return finite(value.get("rotation") or 0) % 360


def _list(value: Any) -> list[Any]:
    if isinstance(value, str):
        return [value]
    if value is not None and not isinstance(value, list):
        raise ValueError(f"{brief(value)} is not a list of labels")
    return value or []
