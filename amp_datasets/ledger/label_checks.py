"""Reads the label files of a build again and compares them with its ledger.

The parsing here is small and shares no code with the exporters, so that a mistake of theirs cannot hide in it.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa

from amp_datasets.errors import DAMAGE, BuildError
from amp_datasets.ledger.expected import (
    Comparable,
    Expected,
    Label,
    Mismatch,
    brief,
    clipped,
    close,
    comparable,
    differences,
    flat,
    names_differ,
)
from amp_datasets.ledger.label_reading import CocoWalk, OutOfStep, batches, coco_document, yaml_map, yolo_rows

Images = Callable[[], Iterator[Expected]]
"""What the ledger says of all images, read again at each call: of a large build nobody holds it."""


def check_labels(build: Path, images: Images, splits: Iterable[str], names: Sequence[str]) -> Iterator[Mismatch]:
    """Everything in the label files of a build that is not what the ledger says; `names` are the classes in order."""
    try:
        if (build / "data.yaml").is_file():
            yield from _check_yolo(build, images(), names)
        for split in splits:
            own = functools.partial(_of_split, images, split)
            if (build / "annotations" / f"{split}.json").is_file():
                yield from _check_coco(build, f"annotations/{split}.json", own, names)
            if (build / "images" / split / "metadata.parquet").is_file():
                yield from _check_rows(build, f"images/{split}/metadata.parquet", own, names)
    except BuildError as error:
        yield Mismatch("labels", str(error.where), error.what)


def _of_split(images: Images, split: str) -> Iterator[Expected]:
    return (image for image in images() if image.split == split)


def _check_yolo(build: Path, images: Iterable[Expected], names: Sequence[str]) -> Iterator[Mismatch]:
    document = yaml_map(build / "data.yaml")
    listed = document.get("names")
    classes = list(listed.values()) if isinstance(listed, dict) else listed
    if classes != list(names):
        yield Mismatch("yolo", "data.yaml", f"its classes are {brief(classes)}, the build's are {brief(list(names))}")
        return
    task = str(document.get("task", "detect"))
    for image in images:
        name = f"labels/{image.split}/{PurePosixPath(image.file_name).stem}.txt"
        if (build / name).is_file():
            problem = _yolo_problem(yolo_rows(build / name), image, names, task)
            if problem is not None:
                yield Mismatch("yolo", name, problem)


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
        x0, y0, x1, y1 = clipped(label["xyxy"], size)
        pixels = [value * size[i % 2] for i, value in enumerate(row[1:5])]
        return close(pixels, [(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0])
    points = [value * size[i % 2] for i, value in enumerate(row[1:])]
    wanted = _outline(label, task)
    return wanted is None or close(points, clipped(wanted, size))


def _outline(label: Label, task: str) -> list[float] | None:
    """The points that a row must have; None where the exporter has to derive them (masks, holes, several parts)."""
    parts = label.get("polygons", [])
    if task == "segment" and len(parts) == 1 and len(parts[0]) == 1:
        return [value for point in parts[0][0] for value in point]
    if task == "segment" and not parts and "mask" not in label and "corners" not in label:
        x0, y0, x1, y1 = label["xyxy"]
        return [x0, y0, x1, y0, x1, y1, x0, y1]
    return None


def _check_coco(build: Path, name: str, images: Images, names: Sequence[str]) -> Iterator[Mismatch]:
    """By one walk through file and ledger, which a build writes in the same order; else by all that is in the file."""
    try:
        yield from list(_walk_coco(build, name, images(), names))
    except OutOfStep:
        yield from _check_whole_coco(build, name, {image.file_name: image for image in images()}, names)


def _walk_coco(build: Path, name: str, images: Iterator[Expected], names: Sequence[str]) -> Iterator[Mismatch]:
    with CocoWalk(build / name) as walk:
        if list(walk.classes.values()) != list(names):
            yield Mismatch("coco", name, f"its classes are {brief(list(walk.classes.values()))}")
            return
        for entry, labels in walk:
            image = next(images, None)
            if image is None or entry["file_name"] != image.file_name:
                raise OutOfStep
            there = [_coco_label(label, walk.classes) for label in labels]
            yield from _coco_differences(name, image, (entry["width"], entry["height"]), there)
        if next(images, None) is not None:
            raise OutOfStep


def _check_whole_coco(
    build: Path, name: str, expected: Mapping[str, Expected], names: Sequence[str]
) -> Iterator[Mismatch]:
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
    except (OSError, *DAMAGE) as error:
        yield Mismatch("coco", name, f"it is not COCO JSON: {type(error).__name__}: {brief(error)}")
        return
    if list(classes.values()) != list(names):
        yield Mismatch("coco", name, f"its classes are {brief(list(classes.values()))}")
        return
    if len(images) != len(document["images"]) or len(ids) != len(document["annotations"]):
        yield Mismatch("coco", name, "an id is used twice")
    yield from names_differ("coco", name, found, expected)
    for file_name in found.keys() & expected.keys():
        yield from _coco_differences(name, expected[file_name], sizes[file_name], labels[file_name])


def _coco_differences(
    name: str, image: Expected, size: tuple[int, int], labels: Sequence[Comparable]
) -> Iterator[Mismatch]:
    wanted = [comparable(label, flat(label)) for label in image.parsed()]
    # Rings count only where the ledger's label has some that COCO keeps as such.
    pairs = itertools.zip_longest(labels, wanted)
    there = [one if other and other.outline else one._replace(outline=[]) for one, other in pairs if one]
    yield from differences("coco", name, image, size, there, wanted)


def _coco_label(label: Label, classes: Mapping[Any, str]) -> Comparable:
    """A COCO label as comparable values."""
    rings = label.get("segmentation")
    outline = [value for ring in rings for value in ring] if isinstance(rings, list) else []
    return Comparable(classes.get(label.get("category_id")), label.get("bbox"), label.get("iscrowd"), outline)


def _check_rows(build: Path, name: str, images: Images, names: Sequence[str]) -> Iterator[Mismatch]:
    """As with COCO: by one walk, else by all that the ledger says."""
    try:
        try:
            yield from list(_walk_rows(build, name, images(), names))
        except OutOfStep:
            yield from _check_all_rows(build, name, {image.file_name: image for image in images()}, names)
    except (pa.ArrowException, OSError, *DAMAGE) as error:
        yield Mismatch("rows", name, f"it cannot be read: {brief(error)}")


def _walk_rows(build: Path, name: str, images: Iterator[Expected], names: Sequence[str]) -> Iterator[Mismatch]:
    for row in _rows(build / name):
        image = next(images, None)
        if image is None or image.file_name != row["file_name"]:
            raise OutOfStep
        yield from _row_findings(name, row, image, names)
    if next(images, None) is not None:
        raise OutOfStep


def _check_all_rows(
    build: Path, name: str, expected: Mapping[str, Expected], names: Sequence[str]
) -> Iterator[Mismatch]:
    found: set[str] = set()
    for row in _rows(build / name):
        found.add(row["file_name"])
        if row["file_name"] in expected:
            yield from _row_findings(name, row, expected[row["file_name"]], names)
    yield from names_differ("rows", name, found, expected)


def _rows(path: Path) -> Iterator[Mapping[str, Any]]:
    columns = ["file_name", "width", "height", "objects", "label", "labels", "source_id", "variant"]
    return (row for batch in batches(path, columns) for row in batch.to_pylist())


def _row_findings(name: str, row: Mapping[str, Any], image: Expected, names: Sequence[str]) -> Iterator[Mismatch]:
    if (row["source_id"], row["variant"]) != (image.source_id, image.variant):
        yield Mismatch("rows", name, f"{image.file_name} is said to be {row['source_id']} {row['variant']}")
    whole = row.get("labels") or ([] if row.get("label") is None else [row["label"]])
    if [names[number] if 0 <= number < len(names) else None for number in whole] != image.of_the_image():
        yield Mismatch("rows", name, f"the label of {image.file_name} is not the ledger's")
    there = list(_row_labels(row.get("objects"), names))
    wanted = [comparable(label, []) for label in image.parsed()]
    yield from differences("rows", name, image, (row["width"], row["height"]), there, wanted)


def _row_labels(objects: Label | None, names: Sequence[str]) -> Iterator[Comparable]:
    if objects is None:  # a set where only whole images are labelled
        return
    for number, box, crowd in zip(objects["category"], objects["bbox"], objects["iscrowd"], strict=True):
        yield Comparable(names[number] if 0 <= number < len(names) else None, box, int(crowd), [])
