"""Whether a set is what the contract says, looked at once where a reader of somebody else gives it.

The readers that are shipped keep it by their tests. All that comes later trusts it: an outline of another shape would
end in C code, a class that nobody listed in the middle of a build.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from amp_datasets.geometry.rle import parse_rle
from amp_datasets.model import SPLITS, Annotation, Category, Dropped, ImageFile, LabelSet, Mask, Polygon, Repair, Sample
from amp_datasets.shown import is_shown_as_it_is
from amp_datasets.storage.names import is_relative_name

_LEAST_POINTS = 3
_PLAIN = (str, int, float, bool, type(None))


def check_labels(labels: LabelSet) -> LabelSet:
    """The same set; a ValueError that says where it is not what `LabelSet` and all in it say."""
    _must(isinstance(labels.samples, Collection), "the samples are no list of a length")
    names = _class_names(labels.categories)
    texts = (labels.name, labels.provenance)
    _must(all(isinstance(text, str) for text in texts), "the name or provenance of the set is no text")
    _must(labels.values is None or _is_range(labels.values), "`values` are not black and white, two numbers")
    for kind, given in ((Dropped, labels.dropped), (Repair, labels.repairs)):
        _must(_all(kind, given), f"what was lost or repaired is no tuple of {kind.__name__}")
    seen = set[str]()
    for number, sample in enumerate(labels.samples):
        _must(isinstance(sample, Sample), f"sample {number} is a {type(sample).__name__}")
        name = sample.source_id
        _must(is_relative_name(name), f"sample {number}: the source_id is no name below a folder: {str(name)[:80]!r}")
        _must(name not in seen, f"{name}: two samples have this source_id")
        seen.add(name)
        _check_sample(sample, names)
    return labels


def _class_names(categories: Any) -> frozenset[str]:
    _must(_all(Category, categories), "the categories are no tuple of Category")
    names = [category.name for category in categories]
    shown = all(isinstance(name, str) and name.strip() and is_shown_as_it_is(name) for name in names)
    _must(shown, "the name of a category is not one line of text")
    _must(len(set(names)) == len(names), "two categories have one name")
    return frozenset(names)


def _check_sample(sample: Sample, names: frozenset[str]) -> None:
    where, file, size = sample.source_id, sample.image, sample.size
    _must(isinstance(file, ImageFile) and isinstance(file.path, Path), f"{where}: `image` is no ImageFile with a Path")
    _must(isinstance(file.member, str | None), f"{where}: the member of its archive is no text")
    _must(isinstance(file.data, bytes | None), f"{where}: the data of its image are no bytes")
    sides = isinstance(size, tuple) and len(size) == 2 and all(type(side) is int and side > 0 for side in size)
    _must(sides, f"{where}: the size is not (width, height) in whole pixels")
    _must(sample.split is None or sample.split in SPLITS, f"{where}: the split is none of {', '.join(SPLITS)}")
    _must(isinstance(sample.group, str | None), f"{where}: the group is no text")
    _must(type(sample.labelled) is bool and type(sample.turned) is bool, f"{where}: `labelled` or `turned` is no bool")
    _must(_all(str, sample.labels) and set(sample.labels) <= names, f"{where}: a label is no category of the set")
    _must(isinstance(sample.tags, frozenset), f"{where}: the tags are no frozenset")
    _must(_all(Annotation, sample.annotations), f"{where}: the annotations are no tuple of Annotation")
    for number, annotation in enumerate(sample.annotations):
        _check_annotation(annotation, size, names, f"{where}: annotation {number}")


def _check_annotation(annotation: Annotation, size: tuple[int, int], names: frozenset[str], where: str) -> None:
    known = isinstance(annotation.category, str) and annotation.category in names
    _must(known, f"{where}: its category is none of the set's")
    box = annotation.xyxy
    numbers = isinstance(box, tuple) and len(box) == 4 and all(isinstance(value, int | float) for value in box)
    _must(numbers and bool(np.isfinite(box).all()), f"{where}: `xyxy` is not four finite numbers")
    ordered = box[0] <= box[2] and box[1] <= box[3] and max(map(abs, box)) <= _FARTHEST
    _must(ordered, f"{where}: `xyxy` is not (x_min, y_min, x_max, y_max) in pixels")
    _must(_all(Polygon, annotation.polygons), f"{where}: the polygons are no tuple of Polygon")
    for polygon in annotation.polygons:
        _must(isinstance(polygon.holes, tuple), f"{where}: the holes are no tuple")
        fits = all(_is_points(ring, 2) and len(ring) >= _LEAST_POINTS for ring in polygon.rings)
        _must(fits, f"{where}: a ring is no array (n, 2) of finite numbers, three or more")
    corners, keypoints = annotation.corners, annotation.keypoints
    _must(corners is None or (_is_points(corners, 2) and len(corners) == 4), f"{where}: `corners` is no array (4, 2)")
    _must(keypoints is None or _is_points(keypoints, 3), f"{where}: `keypoints` is no array (k, 3)")
    _check_mask(annotation.mask, size, where)
    _must(type(annotation.iscrowd) is bool, f"{where}: `iscrowd` is no bool")
    _must(isinstance(annotation.id, int | None), f"{where}: the id is no whole number")
    _must(annotation.shape in {None, "ellipse", "rect"}, f"{where}: `shape` is neither ellipse nor rect")
    _must(
        _is_json(annotation.attributes) and isinstance(annotation.attributes, Mapping),
        f"{where}: `attributes` is no JSON",
    )


_FARTHEST = 1e9
"""Pixels; no image is so large."""


def _check_mask(mask: Any, size: tuple[int, int], where: str) -> None:
    if mask is None:
        return
    _must(isinstance(mask, Mask) and mask.size == size, f"{where}: the mask is not of the image's size")
    try:
        parse_rle({"size": [size[1], size[0]], "counts": mask.counts})
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def _is_points(array: Any, columns: int) -> bool:
    fits = isinstance(array, np.ndarray) and array.ndim == 2 and array.shape[1] == columns
    return fits and array.dtype.kind in "fiu" and bool((np.abs(array) <= _FARTHEST).all())


def _is_range(values: Any) -> bool:
    return isinstance(values, tuple) and len(values) == 2 and all(isinstance(value, int | float) for value in values)


def _is_json(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_json(inner) for key, inner in value.items())
    if isinstance(value, list | tuple):
        return all(map(_is_json, value))
    return isinstance(value, _PLAIN)


def _all(kind: type, given: Any) -> bool:
    return isinstance(given, tuple) and all(isinstance(each, kind) for each in given)


def _must(holds: object, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)
