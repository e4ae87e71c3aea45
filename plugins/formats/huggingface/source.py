"""Reads Hugging Face datasets on disk: rows of images with objects, or with the classes of whole images."""

from __future__ import annotations

import contextlib
import itertools
import re
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

from amp_datasets.errors import AmpError, ImageError, SourceError
from amp_datasets.formats.base import Detection, Options, Source
from amp_datasets.formats.kit.arrow_reader import Row, RowFile, open_rows, saved_files, spool
from amp_datasets.formats.kit.box_form import AS_STATED, BoxEvidence, BoxForm, GivenForm
from amp_datasets.formats.kit.coco_annotation import LabelReader, entry_key
from amp_datasets.formats.kit.reading import category_name, split_name, split_of
from amp_datasets.geometry.rle import parse_rle
from amp_datasets.geometry.shapes import coco_rle
from amp_datasets.images.codec import IMAGE_SUFFIXES
from amp_datasets.images.header import probe
from amp_datasets.model import Annotation, Category, ImageFile, LabelSet, Origin, Size
from amp_datasets.rows.schema import class_names, row_to_sample
from amp_datasets.storage.folder import Folder

from .objects import CATEGORY, as_coco, class_of_column, entries_of, is_evident, objects_column, size_of_row

_METADATA = ("metadata.parquet", "metadata.jsonl", "metadata.csv")
_BUILD_LOCK = "amp.lock.json"
_SEEN_ROWS = 300
"""How many rows of a file are looked at to judge what boxes are."""


class HuggingFaceOptions(Options):
    """`boxes`: what the four numbers are, COCO's unless the rows prove otherwise; `names`: names of bare numbers."""

    boxes: GivenForm = "auto"
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
            return Detection(f"{_BUILD_LOCK} and {files[0].name}: a folder that amp built", 95, files[0].name)
        what = "objects" if _has_objects(files[0]) else f"`{files[0].image_label}`"
        return Detection(f"{files[0].name} has rows of images with {what}", 90, files[0].name)

    def read(self) -> LabelSet:
        """The set; classes in the order of their ids, where the rows have no types in that of their numbers."""
        self._names: dict[str, str] = {}
        self._known: dict[str, Category] = {}
        self._origins: dict[str, Origin] = {}
        self._spooled: set[str] = set()
        self._without_class = 0
        files = _row_files(self.folder)
        if not files:
            raise SourceError("no file has rows of images with objects", where=self.folder.root)
        self._form = AS_STATED if all(file.categories for file in files) else self._judge(files)
        for file in files:
            self.reading.use(file.name)
            self._read_file(file)
        if _BUILD_LOCK in self.folder:  # the rows of a build say all that its other label files say
            self.reading.use(*(name for name in self.folder.files if name not in self.reading.images))
        keys = list(self._names)
        if keys and all(key.isdecimal() for key in keys):
            keys.sort(key=int)
            detail = f"rows have {len(keys)} numbers: the option `names` says what they mean"
            self.reading.repair("classes", "classes without names are called by their number", detail)
        if self._without_class:
            detail = f"{self._without_class} objects have no class, all are `object`"
            self.reading.repair("classes", "labels without a category read as one class", detail)
        names = dict.fromkeys([*self._known, *(self._names[key] for key in keys)])
        labels = self.reading.finish([self._known.get(name, Category(name)) for name in names])
        samples = tuple(replace(s, origin=self._origins.get(s.source_id)) for s in labels.samples)
        return replace(labels, samples=samples)

    def _read_file(self, file: RowFile) -> None:
        declared = file.class_names or _class_names_beside(file) or self.options.names
        for category in file.categories or map(Category, declared):
            self._known.setdefault(category.name, category)
        by_number = {str(number): name for number, name in enumerate(declared)}
        reader = LabelReader(self.reading, by_number, self._form)
        split = _split(file.name)
        for number, row in enumerate(file.rows(), start=1):
            image_name, image = self._image(file, row, number, split)
            if image_name is not None:
                self._read_row(file, row, image_name, image, reader, split)
        if not declared:
            self._names.update(reader.names)
        reader.finish(file.name)

    def _judge(self, files: list[RowFile]) -> BoxForm:
        """What the boxes of all files are, from the first rows of each."""
        evidence, place = BoxEvidence(), ""
        for file in files:
            for row in itertools.islice(file.rows(), _SEEN_ROWS):
                with contextlib.suppress(ValueError, TypeError, KeyError, IndexError, AttributeError):
                    size = size_of_row(row) or self._size_of_image(file, row)
                    for entry in entries_of(row, file.columns):
                        raw, form = as_coco(entry)
                        if form is None and not evidence.is_enough:
                            evidence.see(raw["bbox"], size, None if raw.get("segmentation") else raw.get("area"))
                            place = place or file.name
        judged = evidence.judge(self.options.boxes)
        if judged.rule:
            self.reading.repair(place, judged.rule, judged.detail)
        return judged

    def _size_of_image(self, file: RowFile, row: Row) -> Size | None:
        """The size of a row's image, wherever that is; None, and not counted, if it cannot be read."""
        value = row.get("file_name") or row.get("image")
        if isinstance(value, dict) and isinstance(value.get("bytes"), bytes):
            try:
                return probe(ImageFile(Path(file.name), data=value["bytes"]), self.reading.limits).size
            except ImageError:
                return None
        path = value.get("path") if isinstance(value, dict) else value
        image = (
            self.reading.images.find(path, PurePosixPath(file.name).parent.as_posix())
            if isinstance(path, str)
            else None
        )
        return None if image is None else self.reading.size_of(image)

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
            annotations = self._foreign(file, row, image_name, image, reader) if exact is None else exact
            labels = self._image_labels(file, row, reader)
            size = size_of_row(row)
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
            labelled=bool(labels) or _has_objects(file),
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

    def _foreign(
        self, file: RowFile, row: Row, image: str, data: ImageFile | None, reader: LabelReader
    ) -> list[Annotation] | None:
        """The labels of anybody's row; None if it has some and all were dropped."""
        entries = entries_of(row, file.columns)
        size = self._real_size(row, image, data) if reader.boxes.shares else None
        annotations = []
        for number, entry in enumerate(entries, start=1):
            raw, form = as_coco(entry)
            if raw["category_id"] is None and not set(CATEGORY) & set(entry):
                raw["category_id"] = self._class_of_column(file)
            self._make_known(raw["category_id"], reader)
            if form is not None:  # its keys tell the form
                x0, y0, x1, y1 = BoxForm(form).xyxy(raw["bbox"], None)
                raw["bbox"] = [x0, y0, x1 - x0, y1 - y0]
            annotation = (reader if form is None else replace(reader, boxes=AS_STATED)).read(
                raw, f"{image}#{number}", size
            )
            if annotation is not None:
                annotations.append(annotation)
        return None if entries and not annotations else annotations

    def _real_size(self, row: Row, image: str, data: ImageFile | None) -> Size | None:
        header = None if size_of_row(row) else self.reading.header_of(image, data or self.folder.image(image))
        return size_of_row(row) if header is None else header.size

    def _class_of_column(self, file: RowFile) -> str:
        """The class of objects that have none; said where not even the name of their column tells it."""
        self._without_class += not is_evident(file.columns)
        return class_of_column(file.columns)

    def _make_known(self, category: Any, reader: LabelReader) -> None:
        """A class that comes by name, or by a number without names, becomes known."""
        untyped = not self._known or not isinstance(category, int | float)
        if untyped and category is not None and isinstance(reader.names, dict):
            key = entry_key(category)
            reader.names.setdefault(key, category_name(key))

    def _image_labels(self, file: RowFile, row: Row, reader: LabelReader) -> list[str]:
        """The classes of the image as a whole; foreign rows with objects have them for other purposes."""
        value = row.get(file.image_label) if file.image_label and (file.categories or not _has_objects(file)) else None
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


def _class_names_beside(file: RowFile) -> tuple[str, ...]:
    """The names in the type of a column of classes that stands beside one of boxes."""
    types = file.features or {}
    return class_names({name: types[name] for name in CATEGORY if name in types})


def _has_objects(file: RowFile) -> bool:
    """Whether rows have objects, in a column of theirs or as columns of boxes and classes."""
    return objects_column(file.columns) is not None


def _has_labels(file: RowFile) -> bool:
    """Whether rows have images with objects, or labels of whole images: those lie in them or beside their metadata."""
    holds_images = "image" in file.columns or PurePosixPath(file.name).name in _METADATA
    named = "file_name" in file.columns or "image" in file.columns
    return named and (_has_objects(file) or (holds_images and bool(file.image_label)))


def _split(name: str) -> str | None:
    """The split in a file's name (`train-00000-of-00002.parquet`), else in its folders."""
    words = (split_name(word) for word in re.split(r"[^A-Za-z0-9]+", PurePosixPath(name).stem))
    return next((split for split in words if split is not None), None) or split_of(name)
