"""Reads the lists of WIDER FACE."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterator
from typing import ClassVar

from amp_datasets.errors import SourceError
from amp_datasets.formats.base import Detection, Options, Source
from amp_datasets.formats.kit.reading import (
    category_name,
    class_list,
    finite,
    first_lines,
    is_number,
    is_readme,
    parse_text,
    split_name,
    split_of,
)
from amp_datasets.geometry.shapes import xywh_to_xyxy
from amp_datasets.images.codec import IMAGE_SUFFIXES
from amp_datasets.model import Annotation, Category, LabelSet
from amp_datasets.storage.folder import Folder

from .export import ATTRIBUTES, FACE, TITLE

_MANY = 100

Entry = tuple[str, list[tuple[int, list[str]]]]
"""The path of an image, and its rows with the numbers of their lines."""


class WiderFaceOptions(Options):
    """`category`: the class of rows that have none."""

    category: str = FACE


class WiderFaceSource(Source[WiderFaceOptions]):
    """Reads every list of a folder."""

    name: ClassVar[str] = "widerface"
    title: ClassVar[str] = TITLE
    options_type: ClassVar[type[Options]] = WiderFaceOptions

    @classmethod
    def detect(cls, folder: Folder) -> Detection | None:
        """A text file of an image's path, a number, and as many rows that begin with a box."""
        file = next((name for name in _texts(folder) if _is_list(first_lines(folder, name))), None)
        return Detection(f"{file} lists images, numbers of boxes, and boxes (WIDER FACE)", 84, file) if file else None

    def read(self) -> LabelSet:
        """The set; rows of wrong shape are dropped one by one."""
        names = dict.fromkeys(name for name in class_list(self.reading) if name)
        found = False
        for file in _texts(self.folder):
            head = first_lines(self.folder, file)
            if not _is_list(head) and not (_is_list_of_files(head) and _split(file)):
                continue
            found = found or _is_list(head)
            self.reading.use(file)
            lines = parse_text(self.folder.read(file), self.folder.path(file)).split("\n")
            for reference, rows in self._entries(file, lines) if _is_list(head) else ():
                self._read_image(file, reference, rows, names)
            for reference in () if _is_list(head) else filter(None, map(str.strip, lines)):
                image = self._image(file, reference, _split(file))
                if image is not None:
                    self.reading.add(image, (), labelled=False, split=_split(file))
        if not found:
            raise SourceError("no text file lists images and boxes", where=self.folder.root)
        return self.reading.finish([Category(name) for name in names])

    def _entries(self, file: str, lines: list[str]) -> Iterator[Entry]:
        """Each image with its rows; where a number is wrong, the next path tells where its rows end."""
        entry: Entry | None = None
        counted = 0
        for number, line in enumerate(lines, start=1):
            text = line.strip()
            if text.lower().endswith(IMAGE_SUFFIXES):
                if entry is not None:
                    yield self._checked(file, entry, counted)
                entry, counted = (text, []), -1
            elif entry is not None and counted < 0 and text.isdecimal():
                counted = int(text[:9])
            elif entry is not None and text:
                entry[1].append((number, text.split()))
        if entry is not None:
            yield self._checked(file, entry, counted)

    def _checked(self, file: str, entry: Entry, counted: int) -> Entry:
        """An image with its rows, less the row of zeros that stands for none."""
        reference, rows = entry
        if counted == 0 and all(set(parts) <= {"0", "-", "False"} for _, parts in rows):
            return reference, []
        if counted != len(rows):
            self.reading.repair(reference, "number of boxes is wrong", f"{counted} stated, {len(rows)} found in {file}")
        return reference, rows

    def _read_image(self, file: str, reference: str, rows: list[tuple[int, list[str]]], names: dict[str, None]) -> None:
        split = _split(file)
        image = self._image(file, reference, split)
        if image is None:
            return
        labels = []
        for line, parts in rows:
            try:
                labels.append(self._label(parts))
            except ValueError as error:
                self.reading.drop(f"{image}#{line}", "label cannot be read", str(error)[:100])
        names.update(dict.fromkeys(label.category for label in labels))
        if rows and not labels:
            self.reading.drop(image, "no usable label", f"all {len(rows)} labels were dropped")
            return
        self.reading.add(image, labels, split=split or split_of(image), label_file=file)

    def _image(self, file: str, reference: str, split: str | None) -> str | None:
        """The image in the folder of the list's split: events have the same names in all of them."""
        word = {"validation": "val"}.get(str(split), str(split))
        top = posixpath.dirname(posixpath.dirname(file))
        for place in (f"WIDER_{word}/images/{reference}", f"WIDER_{word}/{reference}"):
            if posixpath.join(top, place) in self.reading.images:
                return posixpath.join(top, place)
        return self.reading.image_of(reference, file, split=split)

    def _label(self, parts: list[str]) -> Annotation:
        if len(parts) < 4:
            raise ValueError(f"{len(parts)} values are not a box")
        box = xywh_to_xyxy([finite(value) for value in parts[:4]])
        values = dict(zip(ATTRIBUTES, (_flag(part) for part in parts[4:10]), strict=False))
        invalid = bool(values.pop("invalid", 0))
        word = " ".join(parts[10:])
        name = category_name(word if word and not is_number(word) else self.options.category)
        return Annotation(name, box, iscrowd=invalid, attributes={k: v for k, v in values.items() if v})


def _flag(text: str) -> int:
    """The value of an attribute: a number, or as Datumaro writes it True, False or `-`."""
    if text in ("-", "False", "false"):
        return 0
    return 1 if text in ("True", "true") else int(finite(text))


def _texts(folder: Folder) -> list[str]:
    """The text files that may be lists: where there are very many in a folder, each is for an image of its own."""
    files = [name for name in folder.with_suffix(".txt") if not is_readme(name)]
    many = Counter(name.rpartition("/")[0] for name in files)
    return [name for name in files if many[name.rpartition("/")[0]] <= _MANY]


def _is_list(lines: list[str]) -> bool:
    """Whether lines are a path, a number, and a row that begins with a box."""
    if len(lines) < 3 or not lines[0].strip().lower().endswith(IMAGE_SUFFIXES) or not lines[1].strip().isdecimal():
        return False
    row = lines[2].split()
    return (len(row) >= 4 and all(map(is_number, row[:4]))) or lines[2].strip().lower().endswith(IMAGE_SUFFIXES)


def _is_list_of_files(lines: list[str]) -> bool:
    """Whether lines are paths of images alone, as of a test set without labels."""
    return bool(lines) and all(line.strip().lower().endswith(IMAGE_SUFFIXES) for line in lines)


def _split(file: str) -> str | None:
    """The split in a list's name: `wider_face_train_bbx_gt.txt`."""
    words = re.split(r"[^a-z0-9]+", posixpath.basename(file).lower())
    return next((split for word in words if (split := split_name(word)) is not None), None)
