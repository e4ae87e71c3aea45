"""CSV tables with one row an object, in the column sets that tools and competitions use.

    filename,width,height,class,xmin,ymin,xmax,ymax      TensorFlow and Roboflow (`_annotations.csv`); what we write
    path,x1,y1,x2,y2,class                               keras-retinanet: no header; `path,,,,,` is an empty image
    image,xmin,ymin,xmax,ymax,label                      VoTT
    image_id,width,height,bbox,source                    Kaggle's wheat heads: bbox is "[x, y, w, h]", one class
    ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,...   OpenImages, shares of the image

Values are pixels, or shares where none of a file is above 1. A table cannot list an image without objects (except the
second form), so images of the folder that it does not name are taken as unlabelled.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import ClassVar, Literal

from amp_datasets.errors import AmpError
from amp_datasets.formats.base import Detection, Exporter, Feature, Options, Source
from amp_datasets.formats.kit.entries import csv_rows, write_csv
from amp_datasets.formats.kit.reading import category_name, class_list, is_readme, split_of
from amp_datasets.model import Annotation, Category, LabelSet, Size
from amp_datasets.plugin.registry import Registry
from amp_datasets.storage.folder import Folder

from .table import (
    Table,
    are_shares,
    box_of,
    class_names,
    declared_size,
    first_lines,
    is_background,
    parse_table,
)


class CsvOptions(Options):
    """`values`: what coordinates are; `unlisted`: what images are that no table names.

    `category` is the class of all rows of a table without a column for it.
    """

    values: Literal["auto", "pixels", "shares"] = "auto"
    unlisted: Literal["unlabelled", "empty"] = "unlabelled"
    category: str = "object"


class CsvExportOptions(Options):
    """`integers`: round coordinates to whole pixels, for readers that take nothing else."""

    integers: bool = False


class CsvSource(Source[CsvOptions]):
    """Reads every table of a folder whose columns are known; each names images beside itself."""

    name: ClassVar[str] = "csv"
    title: ClassVar[str] = "CSV, one row an object (TensorFlow, Roboflow, keras-retinanet, VoTT, OpenImages ...)"
    options_type: ClassVar[type[Options]] = CsvOptions

    @classmethod
    def detect(cls, folder: Folder) -> Detection | None:
        """A table with columns for a image and a box."""
        for file in folder.with_suffix(".csv"):
            try:
                table = parse_table(first_lines(folder.head(file, 65536)), file)
            except AmpError:
                continue
            if table is not None:
                return Detection(f"{file} has columns for a image and a box", 70)
        return None

    def read(self) -> LabelSet:
        """The set; rows of wrong shape are dropped one by one."""
        names: dict[str, None] = {}
        numbered, known = class_names(self.folder)
        for file in self.folder.with_suffix(".csv"):
            where = self.folder.path(file)
            table = None if is_readme(file) else parse_table(self.folder.read(file), where)
            if table is None:
                continue
            listed = class_list(self.reading, posixpath.dirname(file)) or numbered
            names.update(dict.fromkeys(name for name in listed if name))
            self._read_table(file, table, known, names)
        unlisted_is_empty = self.options.unlisted == "empty"
        return self.reading.finish([Category(name) for name in names], unlisted_is_empty=unlisted_is_empty)

    def _read_table(self, file: str, table: Table, known: Mapping[str, str], names: dict[str, None]) -> None:
        by_image: dict[str, list[tuple[int, list[str]]]] = {}
        for line, row in table.rows:
            reference = table.value(row, "image")
            if reference:
                by_image.setdefault(reference, []).append((line, row))
            else:
                self.reading.drop(f"{file}:{line}", "row names no image")
        shares = self.options.values == "shares" or (self.options.values == "auto" and are_shares(table))
        for reference, rows in by_image.items():
            image = self.reading.images.find(reference, posixpath.dirname(file))
            if image is None:
                self.reading.drop(reference, self.reading.images.why_missing(reference), f"named in {file}")
                continue
            self._read_image(image, rows, table, shares, known, names)

    def _read_image(
        self,
        image: str,
        rows: list[tuple[int, list[str]]],
        table: Table,
        shares: bool,
        known: Mapping[str, str],
        names: dict[str, None],
    ) -> None:
        header = self.reading.header(image)
        if header is None:
            return
        declared = declared_size(table, rows)
        if declared is None and any(table.value(row, "width") for _, row in rows):
            self.reading.repair(image, "unusable image size ignored", table.value(rows[0][1], "width")[:40])
        scale = (declared or header.size) if shares else (1, 1)
        labels = [(line, row) for line, row in rows if not is_background(table, row)]
        annotations = []
        for line, row in labels:
            try:
                annotations.append(self._annotation(table, row, scale, known))
            except ValueError as error:
                self.reading.drop(f"{image}#{line}", "label cannot be read", str(error)[:100])
        names.update(dict.fromkeys(a.category for a in annotations))
        if labels and not annotations:
            self.reading.drop(image, "no usable label", f"all {len(labels)} labels were dropped")
            return
        self.reading.add(image, annotations, header=header, declared=declared, split=split_of(image))

    def _annotation(self, table: Table, row: list[str], scale: Size, known: Mapping[str, str]) -> Annotation:
        name = table.value(row, "class") if "class" in table.columns else self.options.category
        (x0, y0, x1, y1), (width, height) = box_of(table, row), scale
        flags = {key: table.value(row, key) in ("1", "True", "true") for key in ("crowd", "occluded", "truncated")}
        return Annotation(
            category_name(known.get(name, name)),
            (x0 * width, y0 * height, x1 * width, y1 * height),
            iscrowd=flags.pop("crowd"),
            attributes={key: 1 for key, there in flags.items() if there},
        )


class CsvExporter(Exporter[CsvExportOptions]):
    """Writes one folder a split with the images and `_annotations.csv`, coordinates as exact decimals."""

    name: ClassVar[str] = "csv"
    title: ClassVar[str] = "CSV, one row an object, as TensorFlow and Roboflow have it"
    options_type: ClassVar[type[Options]] = CsvExportOptions
    holds: ClassVar[frozenset[Feature]] = frozenset({"unlabelled", "split", "classes"})

    def write(self, labels: LabelSet) -> None:
        """Write images, tables and the list of classes."""
        rows: dict[str, list[tuple[object, ...]]] = {}
        for sample in labels.samples:
            split = str(sample.split)
            rows.setdefault(split, []).extend(csv_rows(sample, integers=self.options.integers))
            self.place(sample, self.target / split / sample.source_id)
        for split, table in rows.items():
            write_csv(self.target / split / "_annotations.csv", table)
        names = "".join(f"{category.name}\n" for category in labels.categories)
        (self.target / "classes.txt").write_text(names, encoding="utf-8", newline="\n")


def register(registry: Registry) -> None:
    """Offer both sides of the format."""
    registry.add_source(CsvSource)
    registry.add_exporter(CsvExporter)
