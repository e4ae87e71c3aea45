"""Writes sets as CSV tables, one row an object."""

from __future__ import annotations

from typing import ClassVar

from amp_datasets.formats.base import Exporter, Feature, Options
from amp_datasets.formats.kit.entries import csv_rows, write_csv
from amp_datasets.model import LabelSet


class CsvExportOptions(Options):
    """`integers`: round coordinates to whole pixels, for readers that take nothing else.

    `formulas`: leave class names that begin with `=`, `+`, `-` or `@` as they are. Without it they get an apostrophe,
    which our reader takes away: a spreadsheet would run them.
    """

    integers: bool = False
    formulas: bool = False


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
            write_csv(self.target / split / "_annotations.csv", table, formulas=self.options.formulas)
        names = "".join(f"{category.name}\n" for category in labels.categories)
        (self.target / "classes.txt").write_text(names, encoding="utf-8", newline="\n")
