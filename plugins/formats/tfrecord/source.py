"""Reads TFRecord files of TensorFlow's detection API, and of image classification.

https://github.com/tensorflow/models/blob/master/research/object_detection/g3doc/using_your_own_dataset.md; Roboflow
exports the same:

    train/set.tfrecord  train/set_label_map.pbtxt        also train.record-00000-of-00010
        image/encoded, image/format, image/filename, image/width, image/height
        image/object/bbox/xmin (ymin, xmax, ymax): shares of the image   image/object/class/text (label: from 1)
        image/object/is_crowd, difficult, truncated, image/object/mask: a PNG for each object
        image/object/keypoint/x (y): shares, visibility: 0 to 2, text: names; as many for each object
        image/class/text (label): the class of the whole image

Images inside records are put into the cache of `datasets`. A damaged record is dropped; where the frame itself is
damaged, the rest of its file is.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePosixPath
from typing import ClassVar

from amp_datasets.errors import AmpError, SourceError
from amp_datasets.formats.base import Detection, Options, Source
from amp_datasets.formats.kit.arrow_reader import spool
from amp_datasets.formats.kit.reading import category_name, parse_text, split_name, split_of
from amp_datasets.images.codec import IMAGE_SUFFIXES, Header
from amp_datasets.model import Annotation, Category, ImageFile, LabelSet, Size
from amp_datasets.storage.folder import Folder

from .columns import OBJECT, Columns, decoded
from .example import Example, parse_example
from .records import DamagedRecordError, first_length, is_packed, records, unpacked

_FILE = re.compile(r".*\.(tfrecords?|record)(-\d+-of-\d+)?(\.gz)?|.*tfrecord-\d+-of-\d+(\.gz)?", re.IGNORECASE)
_HEAD_BYTES = 2**26
_ITEM = re.compile(r"""item\s*:?\s*\{((?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^}'"])*)\}""")
_FIELD = re.compile(r"(\w+)\s*:\s*(?:'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"|([\w.+-]+))")


class TfRecordSource(Source[Options]):
    """Reads every file of records in a folder."""

    name: ClassVar[str] = "tfrecord"
    title: ClassVar[str] = "TFRecord, as TensorFlow's detection API has it"

    @classmethod
    def detect(cls, folder: Folder) -> Detection | None:
        """A file of records whose first one is an example with an image, boxes or classes."""
        for file in _files(folder):
            try:
                length = first_length(unpacked(folder.head(file, 2**16), 12))
                whole = length is not None and length < _HEAD_BYTES
                head = unpacked(folder.head(file, (length or 0) + 2**16), (length or 0) + 16) if whole else b""
                first = next(records(io.BytesIO(head)), None)
                if isinstance(first, bytes) and _is_labelled_image(parse_example(first)):
                    return Detection(f"{file} has records of images with labels", 88, file)
            except (AmpError, ValueError):
                continue
        return None

    def read(self) -> LabelSet:
        """The set; damaged records, and labels that cannot be read, are dropped one by one."""
        self._names = _label_map(self.folder)
        self._used: dict[str, None] = {}
        self._dots: dict[str, tuple[str, ...]] = {}
        self._taken: set[str] = set()
        files = list(_files(self.folder))
        if not files:
            raise SourceError("there is no file of records", where=self.folder.root)
        self.reading.use(*files, *self.folder.with_suffix(".pbtxt"))
        for file in files:
            self._read_file(file)
        known = list(dict.fromkeys(self._names[number] for number in sorted(self._names)))
        names = dict.fromkeys([*known, *self._used])
        return self.reading.finish(Category(name, keypoints=self._dots.get(name, ())) for name in names)

    def _read_file(self, file: str) -> None:
        head = self.folder.head(file, 2**16)
        try:
            length = first_length(unpacked(head, 12))
        except ValueError as error:
            raise SourceError(str(error), where=self.folder.path(file)) from error
        if length is None:
            raise SourceError("this is no file of records", where=self.folder.path(file))
        split = _split(file)
        with self.folder.stream(file) as stream:
            for number, record in enumerate(records(stream, packed=is_packed(head))):
                self._take(file, number, record, split)

    def _take(self, file: str, number: int, record: bytes | DamagedRecordError, split: str | None) -> None:
        where = f"{file}: record {number}"
        if isinstance(record, DamagedRecordError):
            self.reading.drop(where, "rest of a file is damaged" if record.rest else "record is damaged", str(record))
            return
        try:
            self._read_record(file, number, parse_example(record), split)
        except ValueError as error:
            self.reading.drop(where, "record is damaged", str(error)[:100])

    def _read_record(self, file: str, number: int, example: Example, split: str | None) -> None:
        found = self._image(file, number, example, split)
        if found is None:
            return
        name, image = found
        header = self.reading.header_of(name, image) if image is not None else self.reading.header(name)
        if header is None:
            return
        labels = list(self._labels(name, example, header))
        count = len(example.get(f"{OBJECT}bbox/xmin", []))
        if count and not labels:
            self.reading.drop(name, "no usable label", f"all {count} labels were dropped")
            return
        whole = [] if labels else self._of_the_image(example)
        self._used.update(dict.fromkeys([*(label.category for label in labels), *whole]))
        self.reading.add(
            name,
            labels,
            header=header,
            file=image,
            declared=_size(example),
            labelled=_is_labelled(example),
            split=split,
            labels=whole,
            label_file=f"{file}: {name}",
        )

    def _image(
        self, file: str, number: int, example: Example, split: str | None
    ) -> tuple[str, ImageFile | None] | None:
        """The name of a record's image, and where it is if it is not a file of the set."""
        stated = _text(example, "image/filename") or _text(example, "image/source_id")
        encoded = example.get("image/encoded")
        if not encoded or not isinstance(encoded[0], bytes) or not encoded[0]:
            name = self.reading.image_of(stated, file, split=split)
            return None if name is None else (name, None)
        bare = PurePosixPath(stated.replace("\\", "/")).name
        suffix = PurePosixPath(bare).suffix.lower()
        if suffix not in IMAGE_SUFFIXES:
            suffix = ".png" if _text(example, "image/format").lower() == "png" else ".jpg"
            bare = f"{bare}{suffix}" if bare else f"{number:06d}{suffix}"
        name = f"{split or PurePosixPath(file).name.partition('.')[0]}/{bare}"
        if name in self._taken:
            name = f"{name.removesuffix(PurePosixPath(bare).suffix)}-{number:06d}{suffix}"
        self._taken.add(name)
        return name, ImageFile(spool(encoded[0], suffix))

    def _labels(self, image: str, example: Example, header: Header) -> Iterator[Annotation]:
        columns = Columns(example, _size(example) or header.size)
        for index in range(columns.count):
            try:
                label = columns.label(index, self._names)
                dots, named = columns.keypoints(index)
                if dots is not None and self._dots.setdefault(label.category, named) != named:
                    raise ValueError(f"its keypoints are others than those of {label.category} before")
                yield label if dots is None else replace(label, keypoints=dots)
            except (ValueError, TypeError, IndexError) as error:
                self.reading.drop(f"{image}#{index + 1}", "label cannot be read", str(error)[:100])
            except AmpError as error:
                self.reading.drop(f"{image}#{index + 1}", "label cannot be read", error.what)

    def _of_the_image(self, example: Example) -> list[str]:
        """The class of the whole image; by its number where there is no text."""
        texts = [decoded(value) for value in example.get("image/class/text", [])]
        numbers = [value for value in example.get("image/class/label", []) if isinstance(value, int)]
        names = texts or [self._names.get(number, str(number)) for number in numbers]
        return [category_name(name) for name in names if name]


def _files(folder: Folder) -> list[str]:
    return [name for name in folder.files if _FILE.fullmatch(name.rpartition("/")[2])]


def _is_labelled_image(example: Example) -> bool:
    return ("image/encoded" in example or "image/filename" in example) and _is_labelled(example)


def _is_labelled(example: Example) -> bool:
    """Whether an example speaks of objects, be it that there are none, or of the class of the image."""
    return any(name.startswith((OBJECT, "image/class/")) for name in example)


def _label_map(folder: Folder) -> dict[int, str]:
    """Names by number in a set's label maps, `item {id: 1 name: 'cat'}`; a SourceError where two contradict."""
    names: dict[int, str] = {}
    for file in folder.with_suffix(".pbtxt"):
        for item in _ITEM.findall(parse_text(folder.read(file, 2**24), folder.path(file))):
            fields = {key: one or other or bare for key, one, other, bare in _FIELD.findall(item)}
            name = (fields.get("display_name") or fields.get("name", "")).replace("\\'", "'").replace('\\"', '"')
            name = name.replace("\\\\", "\\")
            if not fields.get("id", "").isdecimal() or not name:
                continue
            if names.setdefault(int(fields["id"][:9]), name) != name:
                raise SourceError(
                    f"class {fields['id']} is both `{names[int(fields['id'][:9])]}` and `{name}`",
                    where=folder.path(file),
                    fix="read the sets one by one, or give all of them one label map",
                )
    return names


def _size(example: Example) -> Size | None:
    sides = [example.get(f"image/{side}", []) for side in ("width", "height")]
    width, height = (side[0] if len(side) == 1 else 0 for side in sides)
    usable = isinstance(width, int) and isinstance(height, int) and width > 0 and height > 0
    return (int(width), int(height)) if usable else None


def _text(example: Example, name: str) -> str:
    values = example.get(name, [])
    return decoded(values[0]).strip() if values and isinstance(values[0], bytes) else ""


def _split(file: str) -> str | None:
    """The split in a file's name (`train.record-00000-of-00010`), else in its folders."""
    words = re.split(r"[^A-Za-z0-9]+", PurePosixPath(file).name)
    return next((split for word in words if (split := split_name(word)) is not None), None) or split_of(file)
