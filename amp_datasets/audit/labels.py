"""What can be wrong with the labels of one image, and with the names of classes; no file is opened here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np
import shapely

from amp_datasets.audit.rules import Finding, finding, of_reading
from amp_datasets.filtering.class_hints import meanings
from amp_datasets.formats.kit.cleaning import clean
from amp_datasets.formats.kit.parsing import is_prose
from amp_datasets.geometry import shapes as geometry
from amp_datasets.model import Annotation, Box, Dropped, Repair, Sample, Size
from amp_datasets.sources.classes import alike
from amp_datasets.variants.mirror import side_pairs

TINY_SHARE = 0.01
"""A label is very small if a side is below this share of the image's, or below `TINY_PX`."""
TINY_PX = 3.0
WHOLE_SHARE = 0.95
SAME_IOU = 0.95
"""Two labels are of the same object if their outlines overlap by this much."""
_SAME_SHOWN = 8
"""A label is compared with so many of those that have its box."""
MISMATCH_PX = 2.0

_MAX_NAME = 64
_DATE = re.compile(r"\b\d{4}-\d{1,2}-\d{1,2}\b|\b\d{1,2}[./]\d{1,2}[./]\d{4}\b")


class _Collected(list[Dropped | Repair]):
    """What cleaning counts, under the number that the label has in its image."""

    def drop(self, name: str, reason: str, detail: str = "") -> None:
        """Count something that is set aside."""
        self.append(Dropped(name, reason, detail))

    def repair(self, name: str, rule: str, detail: str = "") -> None:
        """Count a mistake that was repaired."""
        self.append(Repair(name, rule, detail))


def label_findings(sample: Sample) -> Iterator[Finding]:
    """The problems of an image's labels, each on its own and between two of them."""
    usable: list[tuple[int, Annotation]] = []
    for number, annotation in enumerate(sample.annotations, start=1):
        label = f"{sample.source_id}#{number}"
        collected = _Collected()
        kept = clean(sample.source_id, [annotation], sample.size, collected)
        for found in of_reading(collected):
            yield finding(found.rule, label, found.what)
        usable += [(number, each) for each in kept]
        for each in kept:
            yield from _of_one(label, each, sample.size)
    yield from _of_pairs(sample.source_id, usable)


def _of_one(label: str, annotation: Annotation, size: Size) -> Iterator[Finding]:
    x0, y0, x1, y1 = annotation.xyxy
    about = f"{annotation.category}, {x1 - x0:.1f} x {y1 - y0:.1f} of {size[0]} x {size[1]} pixels"
    limits = [max(TINY_PX, TINY_SHARE * side) for side in size]
    if x1 - x0 < limits[0] or y1 - y0 < limits[1]:
        yield finding("AMP104", label, f"very small label: {about}")
    if geometry.box_area(annotation.xyxy) >= WHOLE_SHARE * size[0] * size[1]:
        yield finding("AMP105", label, f"label over nearly the whole image: {about}")
    for polygon in annotation.polygons:
        shape = shapely.Polygon(polygon.exterior, polygon.holes)
        if not shape.is_valid:
            why = shapely.is_valid_reason(shape)
            yield finding("AMP109", label, f"polygon crosses itself: {annotation.category}, {why}")
            break
    extent = _extent(annotation, size)
    apart = max(abs(a - b) for a, b in zip(annotation.xyxy, extent, strict=True)) if extent else 0.0
    if apart > MISMATCH_PX:
        yield finding("AMP111", label, f"box does not match its outline: {annotation.category}, {apart:.1f} px apart")


def _extent(annotation: Annotation, size: Size) -> Box | None:
    """The box that the label's own outline has; None where only the box is known."""
    if annotation.mask is not None:
        return geometry.mask_box(annotation.mask)
    if annotation.polygons:
        return geometry.bounds(polygon.exterior for polygon in annotation.polygons)
    if annotation.corners is not None:
        return geometry.clip_box(geometry.bounds([annotation.corners]), size)
    return None


def _of_pairs(image: str, labels: Sequence[tuple[int, Annotation]]) -> Iterator[Finding]:
    single = [(number, label) for number, label in labels if not label.iscrowd]
    for i, j in _same_boxes([label.xyxy for _, label in single]):
        (first, a), (second, b) = single[i], single[j]
        if not _same_outline(a, b):
            continue
        if a.category == b.category:
            yield finding("AMP106", f"{image}#{second}", f"same object as label {first}: {a.category}")
        else:
            yield finding("AMP107", f"{image}#{second}", f"label {first} is {a.category}, this one {b.category}")


def _same_boxes(boxes: Sequence[Box]) -> list[tuple[int, int]]:
    """Indices (i < j) of boxes that are practically equal, for each j those of the first few."""
    xyxy = np.array(boxes, dtype=np.float64).reshape(-1, 4)
    area = np.prod(xyxy[:, 2:] - xyxy[:, :2], axis=1)
    found: list[tuple[int, int]] = []
    for j in range(1, len(boxes)):  # one row of the square at a time: all of it would take gigabytes
        low, high = np.maximum(xyxy[:j, :2], xyxy[j, :2]), np.minimum(xyxy[:j, 2:], xyxy[j, 2:])
        shared = np.prod(np.clip(high - low, 0, None), axis=1)
        same = np.flatnonzero(shared >= SAME_IOU * (area[:j] + area[j] - shared))
        found += [(int(i), j) for i in same[:_SAME_SHOWN]]
    return sorted(found)


def _same_outline(a: Annotation, b: Annotation) -> bool:
    """Whether two labels with one box are of one object, as far as their outlines tell."""
    if a.mask is not None or b.mask is not None:
        return a.mask == b.mask
    if not (a.polygons or a.corners is not None) or not (b.polygons or b.corners is not None):
        return True
    one, two = (geometry.to_shapely(geometry.outline(each, "rect")) for each in (a, b))
    return bool(one.intersection(two).area >= SAME_IOU * one.union(two).area)


def name_findings(names: Sequence[str], used: frozenset[str]) -> Iterator[Finding]:
    """The problems of a list of class names; those without a label are noted."""
    for group in alike(names):
        yield finding("AMP201", "classes", f"class names that differ by case or spaces only: {', '.join(group)}")
    pairs, single = side_pairs(names)
    for name in names:
        if is_prose(name) or len(name) > _MAX_NAME or _DATE.search(name):
            yield finding("AMP202", "classes", f"class name looks like a line of text: {name[:80]}")
            continue
        if name not in used:
            yield finding("AMP203", "classes", f"class without labels: {name}")
        if name in pairs or name in single:
            other = f"its mirror image is {pairs[name]}" if name in pairs else "no class is its mirror image"
            yield finding("AMP204", "classes", f"class says left or right: {name}, {other}")
        if "direction" in meanings(name):
            yield finding("AMP205", "classes", f"class says text, digits or arrows: {name}")
        if "colour" in meanings(name):
            yield finding("AMP206", "classes", f"class says a colour: {name}")
