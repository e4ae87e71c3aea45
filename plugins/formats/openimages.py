"""OpenImages: tables of boxes as shares of the image, classes by code, and tables that name the codes.

https://storage.googleapis.com/openimages/web/download_v7.html (data formats):

    train/0a1b2c.jpg   oidv6-train-annotations-bbox.csv
        ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside
    oidv7-class-descriptions-boxable.csv (also `class-descriptions-boxable.csv`, `classes.csv`): /m/0abc,Apple

An image is named without its suffix. `IsGroupOf` is a crowd. The other flags become attributes where they are 1; -1
says that nobody looked. Images that no table names are unlabelled.
"""

from __future__ import annotations

import csv
import io
import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import ClassVar

from amp_datasets.errors import SourceError
from amp_datasets.formats.base import Detection, Options, Source
from amp_datasets.formats.kit.reading import category_name, finite, first_lines, parse_text, split_name, split_of
from amp_datasets.model import Annotation, Category, LabelSet, Size
from amp_datasets.plugin.registry import Registry
from amp_datasets.storage.folder import Folder

_REQUIRED = frozenset({"ImageID", "LabelName", "XMin", "XMax", "YMin", "YMax"})
_FLAGS = {
    "IsOccluded": "occluded",
    "IsTruncated": "truncated",
    "IsDepiction": "depiction",
    "IsInside": "inside",
}
_DESCRIPTIONS = re.compile(r"(oidv\d+-)?class-descriptions.*\.csv|classes\.csv", re.IGNORECASE)

Row = Mapping[str, str]


class OpenImagesSource(Source[Options]):
    """Reads every table of boxes with OpenImages' columns."""

    name: ClassVar[str] = "openimages"
    title: ClassVar[str] = "OpenImages, tables of boxes and of class descriptions"

    @classmethod
    def detect(cls, folder: Folder) -> Detection | None:
        """A table with the columns ImageID, LabelName, XMin, XMax, YMin and YMax."""
        file = next(_tables(folder), None)
        return Detection(f"{file} has OpenImages' columns", 76, file) if file is not None else None

    def read(self) -> LabelSet:
        """The set; rows of wrong shape are dropped one by one. Classes are in the order of their descriptions."""
        files = list(_tables(self.folder))
        if not files:
            raise SourceError("no table has OpenImages' columns", where=self.folder.root)
        self.reading.use(*files, *_description_files(self.folder))
        described = _descriptions(self.folder)
        self._used: dict[str, None] = {}
        for file in files:
            self._read_table(file, described)
        ordered = [name for name in described.values() if name in self._used]
        return self.reading.finish(Category(name) for name in dict.fromkeys([*ordered, *self._used]))

    def _read_table(self, file: str, described: Mapping[str, str]) -> None:
        text = parse_text(self.folder.read(file), self.folder.path(file))
        by_image: dict[str, list[tuple[int, Row]]] = {}
        try:
            reader = csv.DictReader(io.StringIO(text), restval="")
            reader.fieldnames = [cell.strip() for cell in reader.fieldnames or ()]
            for row in reader:
                by_image.setdefault((row["ImageID"] or "").strip(), []).append((reader.line_num, row))
        except csv.Error as error:
            raise SourceError(f"this is no CSV table: {error}", where=self.folder.path(file)) from error
        split = _split(file)
        for line, _ in by_image.pop("", []):
            self.reading.drop(f"{file}:{line}", "row names no image")
        for reference, rows in by_image.items():
            image = self.reading.image_of(reference, file, split=split)
            header = None if image is None else self.reading.header(image)
            if image is None or header is None:
                continue
            labels = list(self._labels(image, rows, header.size, described))
            self._used.update(dict.fromkeys(label.category for label in labels))
            if not labels:
                self.reading.drop(image, "no usable label", f"all {len(rows)} labels were dropped")
                continue
            self.reading.add(image, labels, header=header, split=split or split_of(image), label_file=file)

    def _labels(
        self, image: str, rows: list[tuple[int, Row]], size: Size, described: Mapping[str, str]
    ) -> Iterator[Annotation]:
        for line, row in rows:
            try:
                yield _label(row, size, described)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                self.reading.drop(f"{image}#{line}", "label cannot be read", str(error)[:100])


def _tables(folder: Folder) -> Iterator[str]:
    for file in folder.with_suffix(".csv"):
        lines = first_lines(folder, file)
        if lines and {cell.strip() for cell in lines[0].split(",")} >= _REQUIRED:
            yield file


def _description_files(folder: Folder) -> list[str]:
    return [name for name in folder.with_suffix(".csv") if _DESCRIPTIONS.fullmatch(posixpath.basename(name))]


def _descriptions(folder: Folder) -> dict[str, str]:
    """The name of each class by its code; a first row `LabelName,DisplayName` is none."""
    names: dict[str, str] = {}
    for file in _description_files(folder):
        text = parse_text(folder.read(file, 2**24), folder.path(file))
        try:
            for row in csv.reader(io.StringIO(text)):
                if len(row) == 2 and row[0].startswith("/") and row[1].strip():
                    names.setdefault(row[0].strip(), row[1].strip())
        except csv.Error as error:
            raise SourceError(f"this is no CSV table: {error}", where=folder.path(file)) from error
    return names


def _label(row: Row, size: Size, described: Mapping[str, str]) -> Annotation:
    x0, y0, x1, y1 = (finite(row[side]) for side in ("XMin", "YMin", "XMax", "YMax"))
    if max(x0, y0, x1, y1) > 1.5:
        raise ValueError(f"{max(x0, y0, x1, y1)} is no share of the image")
    code = row["LabelName"].strip()
    flags = {name: 1 for column, name in _FLAGS.items() if (row.get(column) or "").strip() == "1"}
    crowd = (row.get("IsGroupOf") or "").strip() == "1"
    box = (x0 * size[0], y0 * size[1], x1 * size[0], y1 * size[1])
    return Annotation(category_name(described.get(code, code)), box, iscrowd=crowd, attributes=flags)


def _split(file: str) -> str | None:
    """The split in a table's name, `oidv6-train-annotations-bbox.csv`, else in its folders."""
    words = re.split(r"[^a-z0-9]+", posixpath.basename(file).lower())
    return next((split for word in words if (split := split_name(word)) is not None), None) or split_of(file)


def register(registry: Registry) -> None:
    """Offer the reader."""
    registry.add_source(OpenImagesSource)
