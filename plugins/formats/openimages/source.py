"""Reads OpenImages' tables; images that no table names are unlabelled."""

from __future__ import annotations

import csv
import io
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import ClassVar

from amp_datasets.errors import SourceError
from amp_datasets.formats.base import Detection, Options, Source
from amp_datasets.formats.kit.parsing import plain_number, refuse_long_table
from amp_datasets.formats.kit.reading import (
    category_name,
    finite,
    first_lines,
    is_number,
    parse_text,
    split_name,
    split_of,
)
from amp_datasets.geometry.shapes import mask_box
from amp_datasets.model import Annotation, Category, LabelSet, Size
from amp_datasets.storage.folder import Folder

from .columns import FLAGS, TITLE
from .masks import MaskFiles

_BOXES = frozenset({"ImageID", "LabelName", "XMin", "XMax", "YMin", "YMax"})
_MASKS = frozenset({"MaskPath", "ImageID", "LabelName", "BoxXMin", "BoxXMax", "BoxYMin", "BoxYMax"})
_IMAGES = frozenset({"ImageID", "LabelName", "Confidence"})
_DESCRIPTIONS = re.compile(r"(oidv\d+-)?class-descriptions.*\.csv|classes\.csv", re.IGNORECASE)

Row = Mapping[str, str]


class OpenImagesSource(Source[Options]):
    """Reads every table of boxes and of masks; those of labels of whole images where there is no other."""

    name: ClassVar[str] = "openimages"
    title: ClassVar[str] = TITLE

    @classmethod
    def detect(cls, folder: Folder) -> Detection | None:
        """A table with OpenImages' columns, by which it gives an image boxes, masks, or labels of the whole."""
        tables = _tables(folder)
        file = next(iter([*tables[_BOXES], *tables[_MASKS], *tables[_IMAGES]]), None)
        return Detection(f"{file} has OpenImages' columns", 76, file) if file is not None else None

    def read(self) -> LabelSet:
        """The set; rows of wrong shape are dropped one by one. Classes are in the order of their descriptions."""
        tables = _tables(self.folder)
        if not any(tables.values()):
            raise SourceError("no table has OpenImages' columns", where=self.folder.root)
        self.reading.use(*_description_files(self.folder))
        self._described = _descriptions(self.folder)
        self._used: dict[str, None] = {}
        self._masks = MaskFiles(self.folder, self.reading)
        self._masked: set[tuple[str, ...]] = set()
        for file in (*tables[_MASKS], *tables[_BOXES]):
            self._read_table(file, masks=file in tables[_MASKS])
        for file in tables[_IMAGES]:
            self.reading.use(file)
            if tables[_BOXES] or tables[_MASKS]:
                self.reading.drop(file, "label file of another task not read", "it has labels of whole images")
            else:
                self._read_whole(file)
        ordered = [name for name in self._described.values() if name in self._used]
        return self.reading.finish(Category(name) for name in dict.fromkeys([*ordered, *self._used]))

    def _rows(self, file: str) -> dict[str, list[tuple[int, Row]]]:
        """The rows of a table with their lines' numbers, by the image that they name."""
        self.reading.use(file)
        data = self.folder.read(file)
        refuse_long_table(data, self.folder.path(file))
        text = parse_text(data, self.folder.path(file))
        by_image: dict[str, list[tuple[int, Row]]] = {}
        try:
            reader = csv.DictReader(io.StringIO(text), restval="")
            reader.fieldnames = [cell.strip() for cell in reader.fieldnames or ()]
            if "ImageID" not in reader.fieldnames:
                what = "the first line does not name the columns of OpenImages"
                raise SourceError(what, where=self.folder.path(file), fix="remove what stands before them")
            for row in reader:
                by_image.setdefault((row["ImageID"] or "").strip(), []).append((reader.line_num, row))
        except csv.Error as error:
            raise SourceError(f"this is no CSV table: {error}", where=self.folder.path(file)) from error
        for line, _ in by_image.pop("", []):
            self.reading.drop(f"{file}:{line}", "row names no image")
        return by_image

    def _read_table(self, file: str, *, masks: bool) -> None:
        split = _split(file)
        for reference, rows in self._rows(file).items():
            image = self.reading.image_of(reference, file, split=split)
            header = None if image is None else self.reading.header(image)
            if image is None or header is None:
                continue
            rows = [(line, row) for line, row in rows if masks or not self._is_of_a_mask(row)]
            labels = list(self._labels(image, rows, header.size, masks=masks))
            self._used.update(dict.fromkeys(label.category for label in labels))
            if not labels:
                if rows:
                    self.reading.drop(image, "no usable label", f"all {len(rows)} labels were dropped")
                continue
            of_image = self.reading.splits.listed(image) or split or split_of(image)
            self.reading.add(image, labels, header=header, split=of_image, label_file=file)

    def _labels(self, image: str, rows: list[tuple[int, Row]], size: Size, *, masks: bool) -> Iterator[Annotation]:
        for line, row in rows:
            try:
                label = _label(row, size, self._described, "Box" if masks else "")
                mask = self._masks.find(f"{image}#{line}", row["MaskPath"], size, label.xyxy) if masks else None
                if mask is not None:
                    self._masked.add(_key(row, "Box"))
                yield label if mask is None else replace(label, xyxy=mask_box(mask), mask=mask)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                self.reading.drop(f"{image}#{line}", "label cannot be read", str(error)[:100])

    def _is_of_a_mask(self, row: Row) -> bool:
        """Whether a row is the box of an object whose mask has been read."""
        return _key(row, "") in self._masked

    def _read_whole(self, file: str) -> None:
        """Labels of whole images; 0 in `Confidence` says that people looked, and that the class is not there."""
        split = _split(file)
        for reference, rows in self._rows(file).items():
            image = self.reading.image_of(reference, file, split=split)
            if image is None:
                continue
            names = []
            for line, row in rows:
                try:
                    if finite(row["Confidence"]) > 0:
                        code = row["LabelName"].strip()
                        names.append(category_name(self._described.get(code, code)))
                except (ValueError, KeyError, TypeError, AttributeError) as error:
                    self.reading.drop(f"{image}#{line}", "label cannot be read", str(error)[:100])
            self._used.update(dict.fromkeys(names))
            self.reading.add(
                image,
                (),
                labelled=bool(names),
                labels=names,
                split=self.reading.splits.listed(image) or split or split_of(image),
            )


def _tables(folder: Folder) -> dict[frozenset[str], list[str]]:
    """The tables of each kind; one of images without boxes says so by its name, or has OpenImages' codes."""
    found: dict[frozenset[str], list[str]] = {_BOXES: [], _MASKS: [], _IMAGES: []}
    for file in folder.with_suffix(".csv"):
        lines = first_lines(folder, file)
        columns = {cell.strip() for cell in lines[0].split(",")} if lines else set()
        kind = next((kind for kind in found if columns >= kind), None)
        if kind is not None and (kind is not _IMAGES or any("/m/" in line for line in lines[1:])):
            found[kind].append(file)
    return found


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


def _label(row: Row, size: Size, described: Mapping[str, str], prefix: str) -> Annotation:
    x0, y0, x1, y1 = (finite(plain_number(row[f"{prefix}{side}"].strip())) for side in ("XMin", "YMin", "XMax", "YMax"))
    if max(x0, y0, x1, y1) > 1.5:
        raise ValueError(f"{max(x0, y0, x1, y1)} is no share of the image")
    code = row["LabelName"].strip()
    flags = {name: 1 for column, name in FLAGS.items() if (row.get(column) or "").strip() == "1"}
    crowd = (row.get("IsGroupOf") or "").strip() == "1"
    box = (x0 * size[0], y0 * size[1], x1 * size[0], y1 * size[1])
    return Annotation(category_name(described.get(code, code)), box, iscrowd=crowd, attributes=flags)


def _key(row: Row, prefix: str) -> tuple[str, ...]:
    """What a row and the one with the mask of the same object have in common, the numbers to six decimals."""
    numbers = (row.get(f"{prefix}{side}") or "" for side in ("XMin", "XMax", "YMin", "YMax"))
    return (row["ImageID"], row["LabelName"], *(f"{float(n):.6f}" if is_number(n) else n for n in numbers))


def _split(file: str) -> str | None:
    """The split in a table's name, `oidv6-train-annotations-bbox.csv`, else in its folders."""
    words = re.split(r"[^a-z0-9]+", posixpath.basename(file).lower())
    return next((split for word in words if (split := split_name(word)) is not None), None) or split_of(file)
