"""Reads the label files of a build again and compares them with its ledger.

The parsing here is small and shares no code with the exporters, so that a mistake of theirs cannot hide in it.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import pyarrow as pa

from amp_datasets.errors import BuildError
from amp_datasets.ledger.label_reading import batches, coco_document, yaml_map, yolo_rows

TOLERANCE_PX = 0.01
"""Label files round: YOLO to nine decimals of the image's size, the rows to float32."""

Label = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in a build that is not as it was made: the rule it breaks, where, what, and how to repair it."""

    rule: str
    file: str
    what: str
    fix: str = "build it again"


class Comparable(NamedTuple):
    """One label as two label files can be compared by it; `outline` is empty where it is not compared."""

    category: str | None
    bbox: object
    crowd: object
    outline: list[float]


@dataclass(frozen=True, slots=True)
class Expected:
    """What the ledger says of one image."""

    split: str
    file_name: str
    width: int
    height: int
    source_id: str
    variant: str
    labels: str

    def parsed(self) -> list[Label]:
        """The labels of objects; a BuildError if the ledger's text is not what a build writes."""
        return self._both()[0]

    def of_the_image(self) -> list[str]:
        """The labels of the whole image; a BuildError as with `parsed`."""
        return self._both()[1]

    def _both(self) -> tuple[list[Label], list[str]]:
        try:
            document = json.loads(self.labels)
            labels: list[Label] = document["annotations"] if isinstance(document, dict) else document
            whole: list[str] = document["labels"] if isinstance(document, dict) else []
            if all("category" in label and len(label["xyxy"]) == 4 for label in labels) and isinstance(whole, list):
                return labels, whole
        except (ValueError, TypeError, KeyError, RecursionError):
            pass
        raise BuildError("the ledger's labels cannot be read", where=self.file_name, fix="build it again")


def check_labels(build: Path, images: Sequence[Expected], names: Sequence[str]) -> Iterator[Finding]:
    """Everything in the label files of a build that is not what the ledger says; `names` are the classes in order."""
    try:
        if (build / "data.yaml").is_file():
            yield from _check_yolo(build, images, names)
        for split in dict.fromkeys(image.split for image in images):
            expected = {image.file_name: image for image in images if image.split == split}
            if (build / "annotations" / f"{split}.json").is_file():
                yield from _check_coco(build, f"annotations/{split}.json", expected, names)
            if (build / "images" / split / "metadata.parquet").is_file():
                yield from _check_rows(build, f"images/{split}/metadata.parquet", expected, names)
    except BuildError as error:
        yield Finding("labels", str(error.where), error.what)


def _check_yolo(build: Path, images: Iterable[Expected], names: Sequence[str]) -> Iterator[Finding]:
    document = yaml_map(build / "data.yaml")
    listed = document.get("names")
    classes = list(listed.values()) if isinstance(listed, dict) else listed
    if classes != list(names):
        yield Finding("yolo", "data.yaml", f"its classes are {_brief(classes)}, the build's are {_brief(list(names))}")
        return
    task = str(document.get("task", "detect"))
    for image in images:
        name = f"labels/{image.split}/{PurePosixPath(image.file_name).stem}.txt"
        if (build / name).is_file():
            problem = _yolo_problem(yolo_rows(build / name), image, names, task)
            if problem is not None:
                yield Finding("yolo", name, problem)


def _yolo_problem(rows: list[list[float]] | None, image: Expected, names: Sequence[str], task: str) -> str | None:
    """Why rows are not the ledger's labels; rows that would repeat an earlier one are written once."""
    if rows is None or not all(len(row) >= 5 for row in rows):
        return "it is not rows of numbers"
    at = 0
    for number, label in enumerate(image.parsed(), start=1):
        if at < len(rows) and _is_yolo_row(rows[at], label, image, names, task):
            at += 1
        elif not any(_is_yolo_row(row, label, image, names, task) for row in rows[:at]):
            return f"row {at + 1} is not label {number} of the ledger ({label['category']})"
    return None if at == len(rows) else f"it has {len(rows)} rows, the ledger {at} different labels"


def _is_yolo_row(row: list[float], label: Label, image: Expected, names: Sequence[str], task: str) -> bool:
    if row[0] != int(row[0]) or not 0 <= row[0] < len(names) or names[int(row[0])] != label["category"]:
        return False
    size = (image.width, image.height)
    if task in {"detect", "pose"}:
        x0, y0, x1, y1 = _clipped(label["xyxy"], size)
        pixels = [value * size[i % 2] for i, value in enumerate(row[1:5])]
        return _close(pixels, [(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0])
    points = [value * size[i % 2] for i, value in enumerate(row[1:])]
    wanted = _outline(label, task)
    return wanted is None or _close(points, _clipped(wanted, size))


def _outline(label: Label, task: str) -> list[float] | None:
    """The points that a row must have; None where the exporter has to derive them (masks, holes, several parts)."""
    parts = label.get("polygons", [])
    if task == "segment" and len(parts) == 1 and len(parts[0]) == 1:
        return [value for point in parts[0][0] for value in point]
    if task == "segment" and not parts and "mask" not in label and "corners" not in label:
        x0, y0, x1, y1 = label["xyxy"]
        return [x0, y0, x1, y0, x1, y1, x0, y1]
    return None


def _check_coco(build: Path, name: str, expected: Mapping[str, Expected], names: Sequence[str]) -> Iterator[Finding]:
    try:
        document = coco_document(build / name)
        classes = {category["id"]: category["name"] for category in document["categories"]}
        images = {image["id"]: image for image in document["images"]}
        found: dict[str, list[Label]] = {image["file_name"]: [] for image in document["images"]}
        for label in document["annotations"]:
            found[images[label["image_id"]]["file_name"]].append(label)
        sizes = {image["file_name"]: (image["width"], image["height"]) for image in document["images"]}
        ids = {label["id"] for label in document["annotations"]}
        labels = {file: [_coco_label(label, classes) for label in listed] for file, listed in found.items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        yield Finding("coco", name, f"it is not COCO JSON: {type(error).__name__}: {_brief(error)}")
        return
    if list(classes.values()) != list(names):
        yield Finding("coco", name, f"its classes are {_brief(list(classes.values()))}")
        return
    if len(images) != len(document["images"]) or len(ids) != len(document["annotations"]):
        yield Finding("coco", name, "an id is used twice")
    yield from _names_differ("coco", name, found, expected)
    for file_name in found.keys() & expected.keys():
        image = expected[file_name]
        wanted = [_comparable(label, _flat(label)) for label in image.parsed()]
        # Rings count only where the ledger's label has some that COCO keeps as such.
        pairs = itertools.zip_longest(labels[file_name], wanted)
        there = [one if other and other.outline else one._replace(outline=[]) for one, other in pairs if one]
        yield from _differences("coco", name, image, sizes[file_name], there, wanted)


def _coco_label(label: Label, classes: Mapping[Any, str]) -> Comparable:
    """A COCO label as comparable values."""
    rings = label.get("segmentation")
    flat = [value for ring in rings for value in ring] if isinstance(rings, list) else []
    return Comparable(classes.get(label.get("category_id")), label.get("bbox"), label.get("iscrowd"), flat)


def _comparable(label: Label, outline: list[float]) -> Comparable:
    return Comparable(label["category"], _xywh(label["xyxy"]), int(label.get("iscrowd", False)), outline)


def _flat(label: Label) -> list[float]:
    """The outline's coordinates, if COCO writes them as polygons: no mask, no holes."""
    parts = label.get("polygons", [])
    if "mask" in label or any(len(rings) > 1 for rings in parts):
        return []
    return [value for rings in parts for point in rings[0] for value in point]


def _check_rows(build: Path, name: str, expected: Mapping[str, Expected], names: Sequence[str]) -> Iterator[Finding]:
    columns = ["file_name", "width", "height", "objects", "label", "labels", "source_id", "variant"]
    found: set[str] = set()
    try:
        for batch in batches(build / name, columns):
            for row in batch.to_pylist():
                found.add(row["file_name"])
                image = expected.get(row["file_name"])
                if image is None:
                    continue
                if (row["source_id"], row["variant"]) != (image.source_id, image.variant):
                    yield Finding("rows", name, f"{image.file_name} is said to be {row['source_id']} {row['variant']}")
                whole = row.get("labels") or ([] if row.get("label") is None else [row["label"]])
                if [names[number] if 0 <= number < len(names) else None for number in whole] != image.of_the_image():
                    yield Finding("rows", name, f"the label of {image.file_name} is not the ledger's")
                there = list(_row_labels(row.get("objects"), names))
                wanted = [_comparable(label, []) for label in image.parsed()]
                yield from _differences("rows", name, image, (row["width"], row["height"]), there, wanted)
    except (pa.ArrowException, OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        yield Finding("rows", name, f"it cannot be read: {_brief(error)}")
        return
    yield from _names_differ("rows", name, found, expected)


def _row_labels(objects: Label | None, names: Sequence[str]) -> Iterator[Comparable]:
    if objects is None:  # a set where only whole images are labelled
        return
    for number, box, crowd in zip(objects["category"], objects["bbox"], objects["iscrowd"], strict=True):
        yield Comparable(names[number] if 0 <= number < len(names) else None, box, int(crowd), [])


def _differences(
    rule: str,
    name: str,
    image: Expected,
    size: tuple[int, int],
    there: Sequence[Comparable],
    wanted: Sequence[Comparable],
) -> Iterator[Finding]:
    """What is different between the labels in a file and those of the ledger, for one image."""
    if size != (image.width, image.height):
        yield Finding(rule, name, f"{image.file_name} is said to be {size[0]}x{size[1]}")
    if len(there) != len(wanted):
        yield Finding(rule, name, f"{image.file_name} has {len(there)} labels, in the ledger {len(wanted)}")
        return
    for number, (one, other) in enumerate(zip(there, wanted, strict=True), start=1):
        same = (one.category, one.crowd) == (other.category, other.crowd)
        if not same or not _close(one.bbox, other.bbox) or not _close(one.outline, other.outline):
            yield Finding(rule, name, f"label {number} of {image.file_name} is not the ledger's ({other.category})")


def _names_differ(rule: str, name: str, found: Iterable[str], expected: Mapping[str, Expected]) -> Iterator[Finding]:
    files = set(found)
    for file_name in sorted(expected.keys() - files):
        yield Finding(rule, name, f"{file_name} is not listed")
    for file_name in sorted(files - expected.keys()):
        yield Finding(rule, name, f"{file_name} is listed, but not in the ledger")


def _xywh(xyxy: Sequence[float]) -> list[float]:
    return [xyxy[0], xyxy[1], xyxy[2] - xyxy[0], xyxy[3] - xyxy[1]]


def _clipped(values: Sequence[float], size: tuple[int, int]) -> list[float]:
    return [min(max(value, 0.0), float(size[i % 2])) for i, value in enumerate(values)]


def _close(one: object, other: object) -> bool:
    """Whether two lists of coordinates are the same but for rounding."""
    if not isinstance(one, list) or not isinstance(other, list) or len(one) != len(other):
        return False
    try:
        return all(abs(a - b) <= TOLERANCE_PX for a, b in zip(one, other, strict=True))
    except TypeError:
        return False


def _brief(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 100 else f"{text[:97]}..."
