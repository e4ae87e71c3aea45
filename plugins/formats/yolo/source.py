"""YOLO sets: text files with one row an object beside the images, in any of the layouts that tools write.

https://docs.ultralytics.com/datasets; the rows are described in `amp_datasets.formats.kit.yolo_rows`.

    data.yaml                      class names, and where the splits are; or classes.txt, obj.names, or nothing
    images/train/a.jpg             the last `images` of the path becomes `labels`; or both lie in one folder
    labels/train/a.txt             an empty file is a confirmed empty image, a missing one an unlabelled image

Rows are read one by one, whatever stands in the row above: a file that mixes boxes and polygons loses nothing.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from itertools import islice
from typing import ClassVar

from amp_datasets.errors import AmpError
from amp_datasets.formats.base import Detection, Options, Source
from amp_datasets.formats.kit.image_lookup import ImageLookup, comparable
from amp_datasets.formats.kit.reading import (
    CLASS_LISTS,
    checked_names,
    class_list,
    is_readme,
    parse_text,
    points,
    split_name,
)
from amp_datasets.formats.kit.yolo_rows import RowError, RowReader, Task, looks_oriented
from amp_datasets.images.header import probe
from amp_datasets.model import Annotation, Category, FloatArray, LabelSet, Size
from amp_datasets.storage.folder import Folder

from .data_yaml import YoloYaml, find_yaml, read_yaml
from .evidence import RowsOfASet, YoloOptions, from_first_class, keypoint_names, keypoint_shape
from .splits import YoloSplits

_SAMPLE = 200
"""How many label files are looked into to tell formats and tasks apart."""
_MAX_UNNAMED = 10_000
_MAX_LABEL_BYTES = 2**27


class YoloSource(Source[YoloOptions]):
    """Reads YOLO detect, segment, pose and oriented boxes, with or without a data.yaml."""

    name: ClassVar[str] = "yolo"
    title: ClassVar[str] = "YOLO text files (detect, segment, pose, oriented), with or without data.yaml"
    options_type: ClassVar[type[Options]] = YoloOptions

    @classmethod
    def detect(cls, folder: Folder) -> Detection | None:
        """A data.yaml with class names and splits, or label files beside images."""
        try:
            file = find_yaml(folder)
        except AmpError as error:
            return Detection(error.what, 85)
        if file is not None:
            return Detection(f"{file} names classes and splits", 85)
        finder = LabelFiles(folder)
        for image in ImageLookup(folder).names[: 50 * _SAMPLE]:
            label = finder.find(image)
            if label is not None and _has_rows(folder, label):
                return Detection(f"{label} has rows of a class number and shares of the image", 60)
        return None

    def read(self) -> LabelSet:
        """The set; rows that cannot be used are dropped one by one."""
        file = find_yaml(self.folder)
        yaml = None if file is None else read_yaml(self.folder, file)
        finder = LabelFiles(self.folder)
        pairs = [(image, finder.find(image)) for image in self.reading.images.names]
        files = [label for _, label in pairs if label is not None]
        evidence = RowsOfASet.of(row for label in files[:_SAMPLE] for row in self._split(label)[0])
        names = self._names(yaml, files)
        names = from_first_class(names, yaml, self._numbers(names, evidence, files), self.options, self.reading)
        splits = YoloSplits(yaml, self.reading)
        shape = keypoint_shape(yaml, evidence, self.options, self.reading)
        task: Task | None = "pose" if shape is not None else self._task(yaml, pairs)
        rows = RowReader(names, task, shape, evidence.has_confidences())
        used: dict[str, str] = {}
        for image, label in pairs:
            if label is None:
                self.reading.add(image, (), labelled=False, split=splits.of(image))
                continue
            other = used.setdefault(label, image)
            if other != image:
                self.reading.repair(image, "two images share one label file", f"{label}, also of {other}")
            self._read_image(image, label, rows, splits.of(image))
        self._count_orphans(used, splits)
        points = keypoint_names(self.folder, yaml, shape)
        flips = () if yaml is None else yaml.flip_pairs
        return self.reading.finish(Category(name, keypoints=points, flip_pairs=flips) for name in names if name)

    def _numbers(self, names: list[str], evidence: RowsOfASet, files: list[str]) -> frozenset[int]:
        """The class numbers of the set, or of some files if they tell that classes count from 0."""
        some = evidence.class_numbers()
        if 0 in some or not {len(names), len(names) - 1} & some:
            return some
        return RowsOfASet.of(row[:1] for label in files for row in self._split(label)[0]).class_numbers()

    def _read_image(self, image: str, label: str, rows: RowReader, split: str | None) -> None:
        header = self.reading.header(image)
        if header is None:
            return
        lines = self._rows(label)
        annotations = []
        for number, parts in enumerate(lines, start=1):
            try:
                annotations.append(rows.read(parts, header.size))
            except RowError as error:
                self.reading.drop(f"{label}#{number}", error.reason, str(error))
        if lines and not annotations:
            self.reading.drop(image, "no usable label", f"all {len(lines)} rows of {label} were dropped")
            return
        annotations = self._confident(label, annotations)
        if len(annotations) > 1 and rows.task != "pose" and _mixed(annotations):
            self.reading.repair(label, "box and polygon rows in one file", "each row is read for what it is")
        self.reading.add(image, annotations, header=header, split=split)

    def _confident(self, label: str, annotations: list[Annotation]) -> list[Annotation]:
        """Labels that are predictions: said, unless the least confidence that they need is told."""
        found = [a.attributes["confidence"] for a in annotations if "confidence" in a.attributes]
        if not found:
            return annotations
        least = self.options.min_confidence
        if least is None:
            detail = f"{len(found)} rows, the least sure of {min(found):.2f}"
            self.reading.repair(label, "rows have a confidence, as predictions do", detail)
            return annotations
        kept = [a for a in annotations if a.attributes.get("confidence", 1.0) >= least]
        if len(kept) < len(annotations):
            self.reading.drop(label, "prediction of too little confidence", f"{len(annotations) - len(kept)} rows")
        return kept

    def _rows(self, label: str) -> list[list[str]]:
        """The rows that hold something; commas between values are counted."""
        rows, had_commas = self._split(label)
        if had_commas:
            self.reading.repair(label, "commas between values read as spaces")
        return rows

    def _split(self, label: str) -> tuple[list[list[str]], bool]:
        """The rows that hold something, split at spaces (or at commas where there are none), and whether at commas."""
        text = parse_text(self.folder.read(label, _MAX_LABEL_BYTES), self.folder.path(label))
        rows = [parts for line in text.split("\n") if (parts := line.split())]
        has_commas = any(len(parts) == 1 and "," in parts[0] for parts in rows)
        return [parts[0].split(",") if len(parts) == 1 else parts for parts in rows], has_commas

    def _names(self, yaml: YoloYaml | None, labels: list[str]) -> list[str]:
        if yaml is not None and yaml.names:
            none = [""] if yaml.counts_from_one else []
            return [*none, *checked_names(self.reading, yaml.file, yaml.names[len(none) :])]
        near = posixpath.dirname(labels[0]) if labels else ""
        names = class_list(self.reading, near)
        if names:
            return names
        numbers = (_class_number(parts[0]) for label in labels for parts in self._split(label)[0])
        count = 1 + max((n for n in numbers if n is not None and n < _MAX_UNNAMED), default=-1)
        if count:
            self.reading.repair("classes", "classes without names are called by their number", f"{count} classes")
        return [f"class_{i}" for i in range(count)]

    def _task(self, yaml: YoloYaml | None, pairs: list[tuple[str, str | None]]) -> Task | None:
        if self.options.task != "auto":
            return self.options.task
        if yaml is not None and yaml.task is not None:
            return yaml.task
        rings: list[tuple[FloatArray, Size]] = []
        for image, label in islice(((p, x) for p, x in pairs if x is not None), _SAMPLE):
            for parts in self._split(label)[0]:
                if len(parts) > 5 and len(parts) != 9:
                    return None
                if len(parts) == 9:
                    try:
                        size = probe(self.folder.image(image), self.reading.limits).size
                        rings.append((points(parts[1:]), size))
                    except (AmpError, ValueError):
                        continue
        return "obb" if looks_oriented(rings) else None

    def _count_orphans(self, used: dict[str, str], splits: YoloSplits) -> None:
        """Label files whose image is not there: each is a lost image."""
        folders = {posixpath.dirname(label) for label in used}
        for file in self.folder.with_suffix(".txt"):
            folder, _, bare = file.rpartition("/")
            in_place = folder in folders or "labels" in folder.split("/")
            is_list = file in splits.lists or split_name(bare[:-4]) is not None
            if in_place and file not in used and not is_list and not _is_no_label(bare):
                self.reading.drop(file, "image is missing", "only its label file is there")


class LabelFiles:
    """Finds the label file of a image."""

    def __init__(self, folder: Folder) -> None:
        self._known = {comparable(file): file for file in folder.with_suffix(".txt")}

    def find(self, image: str) -> str | None:
        """The image's label file, if there is one."""
        for candidate in _candidates(comparable(image.rpartition(".")[0] + ".txt")):
            found = self._known.get(candidate)
            if found is not None and not _is_no_label(found.rpartition("/")[2]):
                return found
        return None


def _candidates(beside: str) -> Iterator[str]:
    """Where a label file may lie, given its path beside the image."""
    at = f"/{beside}".rfind("/images/")
    if at >= 0:
        yield f"{beside[:at]}labels/{beside[at + len('images/') :]}"
    yield beside
    folder, slash, bare = beside.rpartition("/")
    yield f"{folder}{slash}labels/{bare}"


def _is_no_label(bare: str) -> bool:
    return is_readme(bare) or bare.lower() in CLASS_LISTS


def _class_number(text: str) -> int | None:
    try:
        return int(float(text))
    except (ValueError, OverflowError):
        return None


def _has_rows(folder: Folder, label: str) -> bool:
    """Whether the first row of a label file is one; False for an empty file, which proves nothing."""
    try:
        line = parse_text(folder.head(label, 4096).rpartition(b"\n")[0] or folder.head(label, 4096), label)
        parts = next((parts for row in line.split("\n") if (parts := row.replace(",", " ").split())), [])
        return len(parts) >= 5 and _class_number(parts[0]) is not None and abs(float(parts[1])) <= 2
    except (AmpError, ValueError):
        return False


def _mixed(annotations: list[Annotation]) -> bool:
    outlined = sum(1 for a in annotations if a.polygons or a.corners is not None)
    return 0 < outlined < len(annotations)
