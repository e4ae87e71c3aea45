"""What the OIDv4 toolkit downloads: a folder for each class, and in it `Label` with a text file for each image.

https://github.com/EscVM/OIDv4_ToolKit:

    OID/Dataset/train/Apple/0a1b2c.jpg   OID/Dataset/train/Apple/Label/0a1b2c.txt
        Apple 20.48 33.0 512.0 400.5          class (of any words), then the corners in pixels

An image of two classes lies in both folders, each time with the labels of that class alone: such copies, byte for byte
the same, become one image with the labels of both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import ClassVar

from amp_datasets.errors import SourceError
from amp_datasets.formats.base import Detection, Options, Source
from amp_datasets.formats.kit.reading import category_name, finite, first_lines, is_number, parse_text, split_of
from amp_datasets.model import Annotation, Category, LabelSet
from amp_datasets.plugin.registry import Registry
from amp_datasets.storage.folder import MAX_IMAGE_LABEL_BYTES, Folder

_FOLDER = "label"
_LOOKED_AT = 50


class OidToolkitSource(Source[Options]):
    """Reads the text files in every folder called `Label`."""

    name: ClassVar[str] = "oid_toolkit"
    title: ClassVar[str] = "OIDv4 toolkit, a folder for each class with `Label` in it"

    @classmethod
    def detect(cls, folder: Folder) -> Detection | None:
        """A text file in a folder `Label` whose rows are a name and four numbers."""
        for file in list(_label_files(folder))[:_LOOKED_AT]:
            if _is_row(next((line.split() for line in first_lines(folder, file)), [])):
                return Detection(f"{file} has rows of a class and four corners", 83, file)
        return None

    def read(self) -> LabelSet:
        """The set; rows of wrong shape are dropped one by one."""
        found: dict[str, list[Annotation]] = {}
        for file in _label_files(self.folder):
            try:
                text = parse_text(self.folder.read(file, MAX_IMAGE_LABEL_BYTES), self.folder.path(file))
            except SourceError as error:
                self.reading.drop(file, "label file cannot be read", error.what)
                continue
            image = self.reading.image_for(file)
            if image is not None:
                found.setdefault(image, []).extend(self._labels(image, text))
        names: dict[str, None] = {}
        for image, labels in self._joined(found).items():
            names.update(dict.fromkeys(label.category for label in labels))
            self.reading.add(image, labels, split=self.reading.splits.of(image))
        return self.reading.finish([Category(name) for name in names])

    def _labels(self, image: str, text: str) -> Iterator[Annotation]:
        for line, parts in ((n, row.split()) for n, row in enumerate(text.split("\n"), start=1) if row.strip()):
            try:
                if len(parts) < 5:
                    raise ValueError(f"{len(parts)} values are not a class and four corners")
                x0, y0, x1, y1 = map(finite, parts[-4:])
                yield Annotation(category_name(" ".join(parts[:-4])), (x0, y0, x1, y1))
            except ValueError as error:
                self.reading.drop(f"{image}#{line}", "label cannot be read", str(error)[:100])

    def _joined(self, found: dict[str, list[Annotation]]) -> dict[str, list[Annotation]]:
        """The labels with those of copies in other folders of the same split; the copies are set aside."""
        first: dict[tuple[str | None, str, str], str] = {}
        alike: dict[tuple[str | None, str], int] = {}
        for image in found:
            key = (split_of(image), PurePosixPath(image).name)
            alike[key] = alike.get(key, 0) + 1
        for image in list(found):
            key = (split_of(image), PurePosixPath(image).name)
            if alike[key] < 2:
                continue
            digest = hashlib.sha256(self.folder.read(image, self.reading.limits.max_bytes)).hexdigest()
            known = first.setdefault((*key, digest), image)
            if known != image:
                found[known] += found.pop(image)
                self.reading.drop(image, "exact copy of another image", f"its labels went to {known}")
        return found


def _label_files(folder: Folder) -> Iterator[str]:
    return (f for f in folder.with_suffix(".txt") if f"/{f.lower()}".rpartition("/")[0].endswith(f"/{_FOLDER}"))


def _is_row(parts: list[str]) -> bool:
    """A name of any words, and four numbers."""
    return len(parts) >= 5 and all(map(is_number, parts[-4:])) and not is_number(parts[0])


def register(registry: Registry) -> None:
    """Offer the reader."""
    registry.add_source(OidToolkitSource)
