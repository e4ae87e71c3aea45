"""The objects in anybody's rows, one by one under COCO's keys, by the columns that sets on the hub have.

objects: {bbox: [...], category: [...]}      the hub's examples, cppe-5, fashionpedia; also a list of maps (DocLayNet)
faces: {bbox: [...]}                         wider_face
objects: [{x, y, w, h, names: [...]}]        visual_genome
bboxes: [...], category_id: [...]            columns of their own: DocLayNet 1.2, and many a metadata.jsonl
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from amp_datasets.formats.kit.arrow_reader import Row
from amp_datasets.formats.kit.box_form import Form
from amp_datasets.formats.kit.reading import category_name
from amp_datasets.model import Size

OBJECTS = (
    *("objects", "annotations", "annotation", "faces", "instances", "detections", "regions", "bounding_boxes"),
    *("figures", "targets"),
)
"""Columns under which sets have their labels."""
BOX = ("bbox", "bboxes", "boxes", "box", "bounding_box", "bounding_boxes")
CATEGORY = (
    *("category", "categories", "label", "labels", "class", "classes", "class_label", "class_labels"),
    *("category_name", "class_name", "label_name", "name", "names", "category_id", "category_ids", "class_id"),
    *("class_ids", "label_id"),
)
_PARTS: tuple[tuple[Form, tuple[str, str, str, str]], ...] = (
    ("xywh", ("x", "y", "w", "h")),
    ("xywh", ("x", "y", "width", "height")),
    ("xyxy", ("xmin", "ymin", "xmax", "ymax")),
    ("xyxy", ("x_min", "y_min", "x_max", "y_max")),
    ("xyxy", ("x1", "y1", "x2", "y2")),
    ("xywh", ("left", "top", "width", "height")),
    ("xyxy", ("left", "top", "right", "bottom")),
)
_BESIDE = ("area", "iscrowd", "segmentation", "keypoints", "id", *CATEGORY)
"""Columns of rows that go with a column of boxes."""
_UNNAMED = frozenset({"objects", "annotations", "annotation", "instances", "detections", "targets", "figures"})


def objects_column(columns: Sequence[str]) -> str | None:
    """The column with the objects; the box's own where rows have boxes and classes as columns; None if neither."""
    found = next((name for name in OBJECTS if name in columns and name not in BOX), None)
    if found is not None:
        return found
    box = next((name for name in BOX if name in columns), None)
    return box if box is not None and any(name in columns for name in CATEGORY) else None


def entries_of(row: Row, columns: Sequence[str]) -> list[dict[str, Any]]:
    """The objects of a row as they are written; ValueError if they cannot be told apart."""
    name = objects_column([column for column in columns if row.get(column) is not None])
    if name is None:
        return []
    value = row[name]
    if isinstance(value, str):
        value = json.loads(value) if value.strip() else None
    if name in BOX:
        return _beside(name, value, row)
    if value is None:
        return []
    if isinstance(value, list):
        if not all(isinstance(entry, Mapping) for entry in value):
            raise ValueError("an object is not a mapping")
        return list(value)
    return _from_columns(value)


def as_coco(entry: Mapping[str, Any]) -> tuple[dict[str, Any], Form | None]:
    """An object under COCO's keys, its class as written, and the form of its box where the keys tell it."""
    form, box = _box(entry)
    parts = {key for _, keys in _PARTS for key in keys}
    others = {key: value for key, value in entry.items() if key not in {*CATEGORY, *BOX, *parts}}
    iscrowd = others.get("iscrowd") or others.pop("is_crowd", None) or 0
    return {**others, "category_id": category_of(entry), "bbox": box, "iscrowd": iscrowd}, form


def category_of(entry: Mapping[str, Any]) -> Any:
    """The class of an object: its name where it has one, else its number; None if it has neither."""
    found = [
        value[0] if isinstance(value, list) and value else value
        for key in CATEGORY
        if (value := entry.get(key)) is not None
    ]
    texts = [value for value in found if isinstance(value, str) and value.strip()]
    return next(iter(texts), next((value for value in found if not isinstance(value, list | str)), None))


def class_of_column(columns: Sequence[str]) -> str:
    """The class of objects that have none: `face` of `faces`, else `object`."""
    name = objects_column(columns)
    return "object" if name is None or name in _UNNAMED or name in BOX else category_name(name.removesuffix("s"))


def is_evident(columns: Sequence[str]) -> bool:
    """Whether the name of the column is the class."""
    return class_of_column(columns) != "object"


def size_of_row(row: Row) -> Size | None:
    """The size of the image that a row states, if it does."""
    places: Iterator[tuple[Any, Any]] = iter(
        [
            (row.get("width"), row.get("height")),
            (row.get("image_width"), row.get("image_height")),
        ]
    )
    for width, height in places:
        if type(width) is int and type(height) is int and width > 0 and height > 0:
            return width, height
    return None


def _box(entry: Mapping[str, Any]) -> tuple[Form | None, Any]:
    box = next((entry[key] for key in BOX if entry.get(key) is not None), None)
    if isinstance(box, Mapping):
        return _box(box)
    if box is not None:
        return None, box
    for form, keys in _PARTS:
        if all(entry.get(key) is not None for key in keys):
            return form, [entry[key] for key in keys]
    return None, None


def _from_columns(value: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Columns of equal length, row by row."""
    columns = {key: column for key, column in value.items() if isinstance(column, list)}
    telling = {*BOX, *CATEGORY, *(key for _, keys in _PARTS for key in keys)}
    lengths = {len(column) for key, column in columns.items() if key in telling}
    if len(lengths) > 1:
        raise ValueError(f"boxes and categories differ in number: {sorted(lengths)}")
    count = next(iter(lengths), 0)
    whole = {key: column for key, column in columns.items() if len(column) == count}
    return [{key: column[index] for key, column in whole.items()} for index in range(count)]


def _beside(name: str, value: Any, row: Row) -> list[dict[str, Any]]:
    """Boxes in a column of the rows, with what stands in other columns; a row may be a single object."""
    beside = {key: row[key] for key in _BESIDE if row.get(key) is not None and key != name}
    if isinstance(value, list) and len(value) == 4 and not any(isinstance(part, list | Mapping) for part in value):
        return [{name: value, **beside}]
    return _from_columns({name: value or [], **beside})
