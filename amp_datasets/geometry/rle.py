"""Pixel masks from COCO's run lengths, checked before pycocotools sees them: its C code trusts what it is given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pycocotools import mask as coco_mask

from amp_datasets.model import FloatArray, Mask, Polygon, Size

_MAX_PIXELS = 2**31


def parse_rle(value: Mapping[str, Any]) -> Mask:
    """A JSON run-length mask, compressed or not; ValueError unless its runs fill its size exactly."""
    size = value.get("size")
    if not isinstance(size, list | tuple) or len(size) != 2 or not all(type(side) is int and side > 0 for side in size):
        raise ValueError(f"mask size {str(size)[:40]} is not [height, width]")
    height, width = size
    counts = value.get("counts")
    if not isinstance(counts, list | str | bytes):
        raise ValueError("the mask has no run lengths")
    runs = counts if isinstance(counts, list) else _runs(counts)
    if not all(type(run) is int and run >= 0 for run in runs):
        raise ValueError("a run length of the mask is not a whole number from 0")
    if sum(runs) != height * width or height * width > _MAX_PIXELS:
        raise ValueError(f"the mask's runs cover {sum(runs)} pixels of {width}x{height}")
    if isinstance(counts, list):
        packed = coco_mask.frPyObjects({"size": [height, width], "counts": counts}, height, width)["counts"]
        return Mask((width, height), packed)
    return Mask((width, height), counts.encode() if isinstance(counts, str) else counts)


def _runs(counts: str | bytes) -> list[int]:
    """The run lengths in a compressed string: 5 bits a character, low ones first, each from the third on as difference.

    https://github.com/cocodataset/cocoapi/blob/master/common/maskApi.c (rleFrString)
    """
    runs: list[int] = []
    value = shift = 0
    for character in counts.encode("utf-8") if isinstance(counts, str) else counts:
        bits = character - 48
        if not 0 <= bits < 64 or shift > 60:
            raise ValueError("the mask's run lengths are not in COCO's coding")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        value = shift = 0
    if shift:
        raise ValueError("the mask's run lengths are cut off")
    return runs


def union(masks: Sequence[Mask]) -> Mask:
    """The pixels that any of some masks covers; ValueError if they are of different images."""
    if len({mask.size for mask in masks}) != 1:
        raise ValueError("the masks differ in size")
    width, height = masks[0].size
    merged = coco_mask.merge([{"size": [height, width], "counts": mask.counts} for mask in masks])
    return Mask(masks[0].size, merged["counts"])


def rasterise(polygons: Iterable[Polygon], size: Size) -> Mask:
    """The pixels that polygons cover, as COCO's own tools paint them, holes left out."""
    parts = []
    for polygon in polygons:
        packed = _painted(polygon.exterior, size)
        for hole in polygon.holes:
            packed = coco_mask.merge([packed, _complement(_painted(hole, size))], intersect=True)
        parts.append(packed)
    return Mask(size, coco_mask.merge(parts)["counts"])


def _painted(ring: FloatArray, size: Size) -> dict[str, Any]:
    (packed,) = coco_mask.frPyObjects([ring.ravel().tolist()], size[1], size[0])
    return dict(packed)


def _complement(packed: dict[str, Any]) -> dict[str, Any]:
    """The other pixels: the same runs, the first one now covered."""
    runs = _runs(packed["counts"])
    others = runs[1:] if runs[0] == 0 else [0, *runs]
    return dict(coco_mask.frPyObjects({"size": packed["size"], "counts": others}, *packed["size"]))
