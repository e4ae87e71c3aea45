"""Hugging Face datasets on disk: folders with metadata, saved datasets, parquet shards, and what `amp build` writes.

    images/train/a.jpg  images/train/metadata.parquet (or .jsonl, .csv)      https://huggingface.co/docs/datasets/image_load
    data/train-00000-of-00001.parquet                                        images inside
    train/data-00000-of-00001.arrow  train/state.json                        `save_to_disk`

A row has the image (`image`, or `file_name` relative to its metadata file) and `objects` with `bbox` [x, y, width,
height] in pixels of the upright image and `category`; or `label`, the class of the whole image. Images inside rows are
put into the cache of `datasets`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any, ClassVar, Literal, get_args

from amp_datasets.errors import AmpError, SourceError
from amp_datasets.formats.base import Detection, Exporter, Feature, Options, Source
from amp_datasets.formats.kit.arrow_reader import OBJECTS, Row, RowFile, open_rows, saved_files, spool
from amp_datasets.formats.kit.coco_annotation import LabelReader, entry_key
from amp_datasets.formats.kit.reading import category_name, finite, split_name, split_of
from amp_datasets.geometry.rle import parse_rle
from amp_datasets.geometry.shapes import coco_rle, cxcywh_to_xyxy, xyxy_to_xywh
from amp_datasets.images.codec import IMAGE_SUFFIXES
from amp_datasets.model import Annotation, Category, ImageFile, LabelSet, Origin, Size, classifies
from amp_datasets.plugin.registry import Registry
from amp_datasets.rows.parquet_writer import ParquetFile, card, labelled_rows
from amp_datasets.rows.schema import features, kinds_of, row_to_sample
from amp_datasets.storage.folder import Folder

_METADATA = ("metadata.parquet", "metadata.jsonl", "metadata.csv")
_BOX = ("bbox", "bboxes", "boxes", "box")
_CATEGORY = ("category", "categories", "category_id", "label", "labels", "class")
_BUILD_LOCK = "amp.lock.json"


class HuggingFaceOptions(Options):
    """`boxes`: what the four numbers are, by default COCO's; `names`: class names where the rows hold bare numbers."""

    boxes: Literal["xywh", "xyxy", "cxcywh"] = "xywh"
    names: tuple[str, ...] = ()


class HuggingFaceSource(Source[HuggingFaceOptions]):
    """Reads every file of rows that has images and objects, or labels of whole images."""

    name: ClassVar[str] = "huggingface"
    title: ClassVar[str] = "Hugging Face dataset (metadata folder, saved dataset, parquet, amp build)"
    options_type: ClassVar[type[Options]] = HuggingFaceOptions

    @classmethod
    def detect(cls, folder: Folder) -> Detection | None:
        """Files of rows with an image, and `objects` or a `label`."""
        files = _row_files(folder)
        if not files:
            return None
        if _BUILD_LOCK in folder:
            return Detection(f"{_BUILD_LOCK} and {files[0].name}: a folder that amp built", 95)
        what = "objects" if files[0].has_objects else f"`{files[0].image_label}`"
        return Detection(f"{files[0].name} has rows of images with {what}", 90)

    def read(self) -> LabelSet:
        """The set; classes in the order of their ids, where the rows have no types in that of their numbers."""
        self._names: dict[str, str] = {}
        self._known: dict[str, Category] = {}
        self._origins: dict[str, Origin] = {}
        self._spooled: set[str] = set()
        files = _row_files(self.folder)
        if not files:
            raise SourceError("no file has rows of images with objects", where=self.folder.root)
        for file in files:
            self._read_file(file)
        keys = list(self._names)
        if all(key.isdecimal() for key in keys):
            keys.sort(key=int)
        names = dict.fromkeys([*self._known, *(self._names[key] for key in keys)])
        labels = self.reading.finish([self._known.get(name, Category(name)) for name in names])
        samples = tuple(replace(s, origin=self._origins.get(s.source_id)) for s in labels.samples)
        return replace(labels, samples=samples)

    def _read_file(self, file: RowFile) -> None:
        declared = file.class_names or self.options.names
        for category in file.categories or map(Category, declared):
            self._known.setdefault(category.name, category)
        reader = LabelReader(self.reading, {str(number): name for number, name in enumerate(declared)})
        split = _split(file.name)
        for number, row in enumerate(file.rows(), start=1):
            image_name, image = self._image(file, row, number, split)
            if image_name is not None:
                self._read_row(file, row, image_name, image, reader, split)
        if not declared:
            self._names.update(reader.names)

    def _image(self, file: RowFile, row: Row, number: int, split: str | None) -> tuple[str | None, ImageFile | None]:
        """The name of a row's image, and where it is if it is not a file of the set."""
        value = row.get("file_name") or row.get("image")
        data, path = (value.get("bytes"), value.get("path")) if isinstance(value, dict) else (None, value)
        if isinstance(data, bytes):
            suffix = PurePosixPath(str(path)).suffix.lower()
            suffix = suffix if suffix in IMAGE_SUFFIXES else ".jpg"
            stem = PurePosixPath(str(path).replace("\\", "/")).stem if path else f"{number - 1:06d}"
            name = f"{split or PurePosixPath(file.name).stem}/{stem}{suffix}"
            if name in self._spooled:
                name = f"{split or PurePosixPath(file.name).stem}/{stem}-{number - 1:06d}{suffix}"
            self._spooled.add(name)
            return name, ImageFile(spool(data, suffix))
        near = PurePosixPath(file.name).parent.as_posix()
        image = self.reading.images.find(path, near) if isinstance(path, str) else None
        if image is not None and (near == "." or image.startswith(f"{near}/")):
            return image, None
        self.reading.drop(f"{file.name}: {path or number}", "image is missing", f"row {number}")
        return None, None

    def _read_row(
        self, file: RowFile, row: Row, image_name: str, image: ImageFile | None, reader: LabelReader, split: str | None
    ) -> None:
        try:
            exact = self._exact(file, row, image_name, image) if file.categories else None
            annotations = self._foreign(row, image_name, reader) if exact is None else exact
            labels = self._image_labels(file, row, reader)
            size = _size(row)
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            self.reading.drop(image_name, "row cannot be read", f"{type(error).__name__}: {error}"[:200])
            return
        if annotations is None:
            self.reading.drop(image_name, "no usable label", "all labels were dropped")
            return
        origin = self._origins.get(image_name)
        group = origin.source_id if origin else None
        split = split or split_of(image_name)
        self.reading.add(
            image_name,
            annotations,
            file=image,
            declared=size,
            labelled=bool(labels) or file.has_objects,
            split=split,
            group=group,
            labels=labels,
        )

    def _exact(self, file: RowFile, row: Row, image_name: str, image: ImageFile | None) -> list[Annotation]:
        """The labels of a row that we wrote; masks are checked, for the file may not be what it says."""
        sample = row_to_sample(row, file.class_names, image or self.folder.image(image_name), image_name)
        for annotation in sample.annotations:
            if annotation.mask is not None:
                parse_rle(coco_rle(annotation.mask))
        if sample.origin is not None:
            self._origins[image_name] = sample.origin
        return list(sample.annotations)

    def _foreign(self, row: Row, image: str, reader: LabelReader) -> list[Annotation] | None:
        """The labels of anybody's row; None if it has some and all were dropped."""
        entries = _entries(next((row[key] for key in OBJECTS if row.get(key) is not None), None))
        annotations = []
        for number, entry in enumerate(entries, start=1):
            raw = self._as_coco(entry, reader)
            annotation = reader.read(raw, f"{image}#{number}", None)
            if annotation is not None:
                annotations.append(annotation)
        return None if entries and not annotations else annotations

    def _image_labels(self, file: RowFile, row: Row, reader: LabelReader) -> list[str]:
        """The classes of the image as a whole; foreign rows with objects have them for other purposes."""
        value = row.get(file.image_label) if file.image_label and (file.categories or not file.has_objects) else None
        labels = []
        for one in value if isinstance(value, list) else [value]:
            if one is None or one == "" or one == -1:  # so `datasets` writes what has no label
                continue
            known = file.class_names or self.options.names
            if known and not isinstance(one, str):
                labels.append(known[range(len(known)).index(one)])
                continue
            labels.append(category_name(one))
            if not known and isinstance(reader.names, dict):
                reader.names.setdefault(entry_key(one), labels[-1])
        return labels

    def _as_coco(self, entry: Mapping[str, Any], reader: LabelReader) -> dict[str, Any]:
        """An object under COCO's keys; a class that comes by name, or by a number without names, becomes known."""
        category = next((entry[key] for key in _CATEGORY if key in entry), None)
        box = next((entry[key] for key in _BOX if key in entry), None)
        others = {key: value for key, value in entry.items() if key not in {*_CATEGORY, *_BOX}}
        untyped = not self._known or not isinstance(category, int | float)
        if untyped and category is not None and isinstance(reader.names, dict):
            key = entry_key(category)
            reader.names.setdefault(key, category_name(key))
        iscrowd = others.get("iscrowd") or 0
        return {**others, "category_id": category, "bbox": self._box(box), "iscrowd": iscrowd}

    def _box(self, box: Any) -> Any:
        if self.options.boxes == "xywh" or not isinstance(box, list) or len(box) != 4:
            return box
        a, b, c, d = (finite(number) for number in box)
        return list(xyxy_to_xywh(cxcywh_to_xyxy((a, b, c, d)) if self.options.boxes == "cxcywh" else (a, b, c, d)))


class HuggingFaceExporter(Exporter[Options]):
    """Writes `images/<split>/` with `metadata.parquet`, and a card that makes `load_dataset` give a typed dataset."""

    name: ClassVar[str] = "huggingface"
    title: ClassVar[str] = "Hugging Face image folder, typed"
    holds: ClassVar[frozenset[Feature]] = frozenset(get_args(Feature)) - {"unlabelled"}
    shares_images: ClassVar[bool] = True

    def write(self, labels: LabelSet) -> None:
        """Write images, rows and card."""
        kinds = kinds_of(labels.samples)
        types = features(labels.categories, kinds, file_name=True)
        files: dict[str, ParquetFile] = {}
        with ExitStack() as stack:
            for sample, row in labelled_rows(labels, kinds):
                split = str(sample.split)
                folder = self.target / "images" / split
                if split not in files:
                    file = ParquetFile(folder / "metadata.parquet", types, labels.categories)
                    files[split] = stack.enter_context(file)
                self.place(sample, folder / sample.source_id)
                files[split].add({"file_name": sample.source_id, **row})
        paths = {split: f"images/{split}/**" for split in files}
        text = card(labels.name, paths, whole_images=classifies(labels.samples))
        (self.target / "README.md").write_text(text, encoding="utf-8")


def _row_files(folder: Folder) -> list[RowFile]:
    """The files with rows of images and objects; what cannot be opened is none of them."""
    try:
        names = saved_files(folder)
    except AmpError:
        names = []
    names += folder.with_suffix(".parquet")
    names += [name for name in folder.with_suffix(".jsonl", ".csv") if PurePosixPath(name).name in _METADATA]
    found = []
    for name in names:
        try:
            file = open_rows(folder, name)
        except AmpError:
            continue
        if _has_labels(file):
            found.append(file)
    return found


def _has_labels(file: RowFile) -> bool:
    """Whether rows have images with objects, or labels of whole images: those lie in them or beside their metadata."""
    holds_images = "image" in file.columns or PurePosixPath(file.name).name in _METADATA
    named = "file_name" in file.columns or "image" in file.columns
    return named and (file.has_objects or (holds_images and bool(file.image_label)))


def _entries(value: Any) -> list[Mapping[str, Any]]:
    """Objects one by one, from a list of them, columns of equal length, or either as JSON text."""
    if isinstance(value, str):
        value = json.loads(value) if value.strip() else None
    if value is None:
        return []
    if isinstance(value, list):
        if not all(isinstance(entry, Mapping) for entry in value):
            raise ValueError("an object is not a mapping")
        return value
    columns = {key: column for key, column in value.items() if isinstance(column, list)}
    lengths = {len(column) for key, column in columns.items() if key in {*_BOX, *_CATEGORY}}
    if len(lengths) > 1:
        raise ValueError(f"boxes and categories differ in number: {sorted(lengths)}")
    count = next(iter(lengths), 0)
    whole = {key: column for key, column in columns.items() if len(column) == count}
    return [{key: column[index] for key, column in whole.items()} for index in range(count)]


def _size(row: Row) -> Size | None:
    width, height = row.get("width"), row.get("height")
    return (width, height) if type(width) is int and type(height) is int and width > 0 and height > 0 else None


def _split(name: str) -> str | None:
    """The split in a file's name (`train-00000-of-00002.parquet`), else in its folders."""
    words = (split_name(word) for word in re.split(r"[^A-Za-z0-9]+", PurePosixPath(name).stem))
    return next((split for split in words if split is not None), None) or split_of(name)


def register(registry: Registry) -> None:
    """Offer both sides of the format."""
    registry.add_source(HuggingFaceSource)
    registry.add_exporter(HuggingFaceExporter)
