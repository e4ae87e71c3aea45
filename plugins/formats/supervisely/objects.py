"""One object of a Supervisely annotation as a label in pixels.

https://docs.supervisely.com/data-organization/00_ann_format_navi/05_supervisely_format_images

Its library counts whole pixels: the corners of a rectangle are its first and last pixel, a vertex is a pixel's centre.
The labelling tool itself has fractions, which are pixel edges. A bitmap is a packed PNG, its first pixel at `origin`.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from amp_datasets.errors import AmpError
from amp_datasets.formats.kit.reading import brief, finite
from amp_datasets.geometry import shapes as geometry
from amp_datasets.geometry.joining import keypoints_only
from amp_datasets.images.codec import Limits
from amp_datasets.images.header import probe
from amp_datasets.model import Annotation, FloatArray, ImageFile, Mask, Polygon, Size

Pixels = Literal["whole", "edges", "exact"]
"""What numbers are: whole pixels, edges, or ours: edges, but the last corner of a rectangle is its last pixel."""

WITHOUT_AREA = frozenset({"point", "line", "polyline"})
HELD = frozenset({"rectangle", "oriented_bbox", "polygon", "multipolygon", "bitmap", "alpha_mask", "graph"})
_MAX_PACKED = 2**23


def kind_of(entry: Mapping[str, Any]) -> str:
    """The kind of an object's geometry; of old files, which leave it out, by what there is."""
    stated = entry.get("geometryType") or entry.get("shape")
    if stated:
        return str(stated)
    return next((kind for kind, key in (("bitmap", "bitmap"), ("graph", "nodes")) if entry.get(key)), "polygon")


def has_fractions(entry: Any) -> bool:
    """Whether a number of an object's geometry has a fraction, which whole pixels have not."""
    if isinstance(entry, list):
        return any(map(has_fractions, entry))
    if isinstance(entry, Mapping):
        return any(has_fractions(entry.get(key)) for key in ("points", "exterior", "interior", "parts", "nodes", "loc"))
    return isinstance(entry, float) and not entry.is_integer()


def to_annotation(
    kind: str, entry: Mapping[str, Any], category: str, nodes: Mapping[str, int], size: Size, pixels: Pixels
) -> Annotation:
    """An object as a label; ValueError, KeyError, TypeError or AttributeError for one that has no place."""
    vertex, last = (0.5 if pixels == "whole" else 0.0), (0.0 if pixels == "edges" else 1.0)
    if kind in ("rectangle", "oriented_bbox"):
        (x0, y0), (x1, y1) = _ring(entry["points"]["exterior"], 0.0).tolist()
        if pixels != "exact":  # where the two corners may be any two
            (x0, x1), (y0, y1) = sorted((x0, x1)), sorted((y0, y1))
        box = (x0, y0, x1 + last, y1 + last)
        angle = finite(entry.get("angle") or 0) if kind == "oriented_bbox" else 0.0
        if not angle:
            return Annotation(category, box)
        corners = geometry.turned_rectangle(box, float(np.degrees(angle)))
        return Annotation(category, geometry.bounds([corners]), corners=corners)
    if kind in ("bitmap", "alpha_mask"):
        mask = _bitmap(entry["bitmap"], size)
        return Annotation(category, geometry.mask_box(mask), mask=mask)
    if kind == "graph":
        return keypoints_only(category, _keypoints(entry["nodes"], nodes, vertex))
    parts = entry["parts"] if kind == "multipolygon" else [entry["points"]]
    polygons = tuple(_polygon(part, vertex) for part in parts)
    return Annotation(category, geometry.bounds(p.exterior for p in polygons), polygons=polygons)


def _polygon(part: Mapping[str, Any], vertex: float) -> Polygon:
    exterior = _ring(part["exterior"], vertex)
    holes = tuple(ring for hole in part.get("interior") or () if len(ring := _ring(hole, vertex)) >= 3)
    if len(exterior) < 3:
        raise ValueError(f"{len(exterior)} points do not make a polygon")
    return Polygon(exterior, holes)


def _ring(rows: Any, vertex: float) -> FloatArray:
    return np.array([[finite(x), finite(y)] for x, y in rows], dtype=np.float64).reshape(-1, 2) + vertex


def _keypoints(found: Mapping[str, Any], nodes: Mapping[str, int], vertex: float) -> FloatArray:
    """The nodes of a graph in the order of its class; one that is disabled is hidden."""
    known = nodes or {key: number for number, key in enumerate(found)}
    rows = np.zeros((len(known), 3))
    for key, node in found.items():
        if str(key) not in known:
            raise ValueError(f"its class has no node {brief(key)}")
        x, y = _ring([node["loc"]], vertex)[0].tolist()
        rows[known[str(key)]] = (x, y, 1.0 if node.get("disabled") else 2.0)
    return rows


def _bitmap(bitmap: Mapping[str, Any], size: Size) -> Mask:
    """The mask of the whole image from a packed PNG of a part of it."""
    x, y = (int(np.floor(finite(value))) for value in bitmap["origin"])
    part = _unpacked(str(bitmap["data"]), size)
    height, width = part.shape
    if x < 0 or y < 0 or y + height > size[1] or x + width > size[0]:
        raise ValueError(f"the mask of {width}x{height} pixels at {x}, {y} reaches out of the image")
    if not part.any():
        raise ValueError("the mask is empty")
    whole = np.zeros((size[1], size[0]), dtype=np.bool_)
    whole[y : y + height, x : x + width] = part
    return geometry.encode_mask(whole)


def _unpacked(text: str, size: Size) -> NDArray[np.bool_]:
    """The pixels of a bitmap no larger than its image: those with any opacity, or in one without it, any colour."""
    try:
        data = base64.b64decode(text)
        packed = zlib.decompressobj()
        data = data if data.startswith(b"\x89PNG") else packed.decompress(data, _MAX_PACKED)
        width, height = probe(ImageFile(Path("bitmap.png"), data=data), Limits()).size
    except (binascii.Error, zlib.error, AmpError) as error:
        raise ValueError(f"the bitmap cannot be unpacked: {error}") from error
    if width > size[0] or height > size[1]:  # before it is decoded: a label of some bytes could be a second's work
        raise ValueError(f"the mask of {width}x{height} pixels reaches out of the image")
    pixels = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.shape[:2] != (height, width):
        raise ValueError("the bitmap is no image")
    if pixels.ndim == 3:
        pixels = pixels[:, :, 3] if pixels.shape[2] == 4 else pixels.any(axis=2)
    return np.asarray(pixels > 0, dtype=np.bool_)


def packed_bitmap(mask: Mask) -> dict[str, Any]:
    """A mask as a bitmap: the PNG of its box with one channel, packed."""
    x0, y0, x1, y1 = (round(value) for value in geometry.mask_box(mask))
    part = geometry.decode_mask(mask)[y0:y1, x0:x1].astype(np.uint8) * 255
    done, data = cv2.imencode(".png", np.dstack([part] * 4))
    if not done:
        raise ValueError("the mask cannot be written")
    return {"origin": [x0, y0], "data": base64.b64encode(zlib.compress(data.tobytes())).decode("ascii")}
