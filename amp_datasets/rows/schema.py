"""Samples as Arrow rows: the only place that knows column names.

A build's rows (`features`) are what `load_dataset` returns and the transformers detection examples read. Between the
processes of a build, labels travel as canonical JSON in float64 (`dump_annotations`), so that nothing is rounded twice.
"""

from __future__ import annotations

import functools
import itertools
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from amp_datasets.errors import DAMAGE, BuildError
from amp_datasets.geometry import shapes as geometry
from amp_datasets.geometry.rle import parse_rle
from amp_datasets.model import Annotation, Category, FloatArray, ImageFile, Origin, Polygon, Sample

if TYPE_CHECKING:
    from datasets import Features

OPTIONAL_KINDS = ("keypoints", "corners", "mask", "attributes")
"""Columns below `objects` that are there only if some object of the set has such a thing."""
LABEL_KINDS = ("label", "labels")
"""Columns for classes of whole images: one an image, or lists where an image has several."""
_OBJECTS = "objects"

_KEPT = 64
"""Labels that are kept as text and as objects: most variants of a source have its own, to the last bit."""


def kinds_of(samples: Iterable[Sample]) -> frozenset[str]:
    """The optional columns that some samples need; `objects` is one of them where images have labels as wholes."""
    return settled_kinds(present_kinds(samples))


def present_kinds(samples: Iterable[Sample]) -> frozenset[str]:
    """What some samples have; of several runs of a set's samples it is the union of theirs."""
    present: set[str] = set()
    for sample in samples:  # one by one: a build's samples are more than fit into memory
        if sample.labels:
            present.add("labels" if len(sample.labels) > 1 else "label")
        if sample.annotations:
            present.add(_OBJECTS)
        for a in sample.annotations:
            there = (a.keypoints is not None, a.corners is not None, a.mask is not None, bool(a.attributes))
            present.update(itertools.compress(OPTIONAL_KINDS, there))
    return frozenset(present)


def settled_kinds(present: frozenset[str]) -> frozenset[str]:
    """The optional columns of a set that has these."""
    kinds = present - {"label"} if "labels" in present else present
    return kinds if kinds & {*LABEL_KINDS} else kinds - {_OBJECTS}


def has_objects(kinds: frozenset[str]) -> bool:
    """Whether rows have the column `objects`: all have, but those of a set where only whole images are labelled."""
    return _OBJECTS in kinds or not kinds & {*LABEL_KINDS}


def features(
    categories: Sequence[Category], kinds: frozenset[str] = frozenset(), *, file_name: bool = False
) -> Features:
    """The types of a build's rows. In the parquet beside the images `file_name` stands for the image.

    `objects.bbox` is COCO's [x, y, width, height] in pixels of the upright image, `segmentation` is object -> part ->
    rings (outer one first) -> x, y, x, y ..., `keypoints` x, y, visibility ..., `corners` four points, `mask` COCO run
    lengths of the whole image. `label` is the class of the image as a whole (`labels`: where some have several).
    """
    from datasets import ClassLabel, Features, Image, List, Value

    number = Value("float32")
    optional = {
        "keypoints": List(List(number)),
        "corners": List(List(number)),
        "mask": List(Value("string")),
        "attributes": List(Value("string")),
    }
    classes = ClassLabel(names=[category.name for category in categories])
    objects = {
        "id": List(Value("int64")),
        "bbox": List(List(number, length=4)),
        "category": List(classes),
        "area": List(number),
        "iscrowd": List(Value("bool")),
        "segmentation": List(List(List(List(number)))),
        **{kind: optional[kind] for kind in OPTIONAL_KINDS if kind in kinds},
    }
    image = {"file_name": Value("string")} if file_name else {"image": Image()}
    return Features(
        {
            **image,
            "image_id": Value("int64"),
            "width": Value("int32"),
            "height": Value("int32"),
            **({"label": classes} if "label" in kinds else {}),
            **({"labels": List(classes)} if "labels" in kinds else {}),
            **({_OBJECTS: objects} if has_objects(kinds) else {}),
            "source_id": Value("string"),
            "variant": Value("string"),
            "draw": Value("string"),
        }
    )


def class_names(feature: Any) -> tuple[str, ...]:
    """The names in the first ClassLabel of a type, however deep; old and new forms of lists are understood."""
    from datasets import ClassLabel

    if isinstance(feature, ClassLabel):
        return tuple(feature.names)
    inner: list[Any] = feature if isinstance(feature, list) else []
    if isinstance(feature, dict):
        inner = list(feature.values())
    elif hasattr(feature, "feature"):
        inner = [feature.feature]
    return next((names for one in inner if (names := class_names(one))), ())


def sample_to_row(
    sample: Sample, image_id: int, category_ids: Mapping[str, int], kinds: frozenset[str]
) -> dict[str, Any]:
    """A sample as a row without its image: `category_ids` counts from 0, annotations carry their own ids."""
    annotations = sample.annotations
    optional: dict[str, list[Any]] = {
        "keypoints": [[] if a.keypoints is None else a.keypoints.ravel().tolist() for a in annotations],
        "corners": [[] if a.corners is None else a.corners.ravel().tolist() for a in annotations],
        "mask": ["" if a.mask is None else a.mask.counts.decode("ascii") for a in annotations],
        "attributes": [json.dumps(dict(a.attributes), ensure_ascii=False) for a in annotations],
    }
    origin = sample.origin or Origin(sample.source_id, "original")
    objects = {
        "id": [a.id or 0 for a in annotations],
        "bbox": [list(geometry.xyxy_to_xywh(a.xyxy)) for a in annotations],
        "category": [category_ids[a.category] for a in annotations],
        "area": [geometry.area(a) for a in annotations],
        "iscrowd": [a.iscrowd for a in annotations],
        "segmentation": [[[r.ravel().tolist() for r in p.rings] for p in a.polygons] for a in annotations],
        **{kind: optional[kind] for kind in OPTIONAL_KINDS if kind in kinds},
    }
    numbers = [category_ids[name] for name in sample.labels]
    return {
        "image_id": image_id,
        "width": sample.size[0],
        "height": sample.size[1],
        **({"label": numbers[0] if numbers else None} if "label" in kinds else {}),
        **({"labels": numbers} if "labels" in kinds else {}),
        **({_OBJECTS: objects} if has_objects(kinds) else {}),
        "source_id": origin.source_id,
        "variant": origin.variant,
        "draw": origin.draw,
    }


def row_to_sample(row: Mapping[str, Any], names: Sequence[str], image: ImageFile, source_id: str) -> Sample:
    """A row of a build as a sample again; `names` are the categories in the order of their ids."""
    objects, size = row.get(_OBJECTS) or {"bbox": ()}, (int(row["width"]), int(row["height"]))
    annotations = tuple(_annotation(objects, index, names, size) for index in range(len(objects["bbox"])))
    origin = Origin(row["source_id"], row["variant"], row["draw"]) if row.get("variant") else None
    numbers = row.get("labels") or ([] if row.get("label") is None else [row["label"]])
    labels = tuple(names[number] for number in numbers)
    return Sample(source_id, image, size, annotations, origin=origin, labels=labels)


def _annotation(objects: Mapping[str, Any], index: int, names: Sequence[str], size: tuple[int, int]) -> Annotation:
    def value(kind: str) -> Any:
        return objects[kind][index] if objects.get(kind) else None

    parts = [[_points(ring) for ring in rings] for rings in value("segmentation") or []]
    keypoints, corners, mask = value("keypoints"), value("corners"), value("mask")
    return Annotation(
        names[objects["category"][index]],
        geometry.xywh_to_xyxy([float(v) for v in objects["bbox"][index]]),
        tuple(Polygon(rings[0], tuple(rings[1:])) for rings in parts if rings),
        parse_rle({"size": [size[1], size[0]], "counts": mask}) if mask else None,
        _points(corners) if corners else None,
        _points(keypoints, 3) if keypoints else None,
        bool(value("iscrowd")),
        value("id"),
        json.loads(value("attributes") or "{}"),
    )


def _points(flat: Sequence[float], columns: int = 2) -> FloatArray:
    points = np.asarray(flat, dtype=np.float64).reshape(-1, columns)
    if not np.isfinite(points).all():
        raise ValueError("a point of a label has no place")
    return points


def dump_annotations(annotations: Iterable[Annotation], labels: Sequence[str] = ()) -> str:
    """Labels as canonical JSON: the same text for the same labels, and every float64 exactly.

    It is a list of objects; where the image as a whole has `labels`, it is a map of these and that list.
    """
    return _dumped(tuple(annotations), tuple(labels))


@functools.lru_cache(maxsize=_KEPT)
def _dumped(annotations: tuple[Annotation, ...], labels: tuple[str, ...]) -> str:
    objects = list(map(_plain, annotations))
    document = {"annotations": objects, "labels": labels} if labels else objects
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _plain(annotation: Annotation) -> dict[str, Any]:
    plain: dict[str, Any] = {"category": annotation.category, "xyxy": [float(v) for v in annotation.xyxy]}
    if annotation.polygons:
        plain["polygons"] = [[ring.tolist() for ring in polygon.rings] for polygon in annotation.polygons]
    if annotation.mask is not None:
        plain["mask"] = [*annotation.mask.size, annotation.mask.counts.decode("ascii")]
    if annotation.corners is not None:
        plain["corners"] = annotation.corners.tolist()
    if annotation.keypoints is not None:
        plain["keypoints"] = annotation.keypoints.tolist()
    if annotation.iscrowd:
        plain["iscrowd"] = True
    if annotation.shape is not None:
        plain["shape"] = annotation.shape
    if annotation.attributes:
        plain["attributes"] = dict(annotation.attributes)
    return plain


@functools.lru_cache(maxsize=_KEPT)
def load_annotations(text: str) -> tuple[Annotation, ...]:
    """The labels of objects that `dump_annotations` wrote; a BuildError for any other text."""
    try:
        document = json.loads(text)
        return tuple(_parse(document["annotations"] if isinstance(document, dict) else document))
    except DAMAGE as error:
        told = f"labels cannot be read: {type(error).__name__}: {str(error)[:100]}"
        raise BuildError(told, fix="build it again; if it came from elsewhere, do not use it") from error


def load_image_labels(text: str) -> tuple[str, ...]:
    """The labels of the whole image that `dump_annotations` wrote."""
    document = json.loads(text) if text.startswith("{") else []
    return tuple(document["labels"]) if isinstance(document, dict) else ()


def count_labels(text: str) -> int:
    """How many labels `dump_annotations` wrote, of objects and of the whole image."""
    document = json.loads(text)
    return len(document["annotations"]) + len(document["labels"]) if isinstance(document, dict) else len(document)


def _parse(rows: list[dict[str, Any]]) -> Iterator[Annotation]:
    for row in rows:
        mask = row.get("mask")
        x0, y0, x1, y1 = row["xyxy"]
        if not isinstance(row["category"], str) or not all(map(math.isfinite, (x0, y0, x1, y1))):
            raise ValueError("a label has no name, or a box without place")
        yield Annotation(
            row["category"],
            (x0, y0, x1, y1),
            tuple(
                Polygon(_points(rings[0]), tuple(_points(ring) for ring in rings[1:]))
                for rings in row.get("polygons", ())
            ),
            parse_rle({"size": [mask[1], mask[0]], "counts": mask[2]}) if mask else None,
            _points(row["corners"]) if "corners" in row else None,
            _points(row["keypoints"], 3) if "keypoints" in row else None,
            row.get("iscrowd", False),
            attributes=row.get("attributes", {}),
            shape=row.get("shape"),
        )
