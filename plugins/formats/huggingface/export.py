"""Writes sets as typed Hugging Face image folders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar, get_args

import pyarrow as pa
import pyarrow.ipc

from amp_datasets.formats.base import Feature, Options, Part, PartedExporter
from amp_datasets.model import LabelSet, Sample, classifies
from amp_datasets.rows.parquet_writer import ParquetFile, card, labelled_rows
from amp_datasets.rows.schema import features, present_kinds, settled_kinds

_WHOLE = frozenset({"label", "labels"})


class HuggingFaceExporter(PartedExporter[Options]):
    """Writes `images/<split>/` with `metadata.parquet`, and a card that makes `load_dataset` give a typed dataset."""

    name: ClassVar[str] = "huggingface"
    title: ClassVar[str] = "Hugging Face image folder, typed"
    holds: ClassVar[frozenset[Feature]] = frozenset(get_args(Feature)) - {"unlabelled"}
    shares_images: ClassVar[bool] = True

    def write(self, labels: LabelSet) -> None:
        """Write images, rows and card."""
        kinds = settled_kinds(self.survey(labels.samples))
        types = features(labels.categories, kinds, file_name=True)
        files: dict[str, ParquetFile] = {}
        with ExitStack() as stack:
            for sample, row in labelled_rows(labels, kinds):
                split = str(sample.split)
                path = self._rows(split)
                if split not in files:
                    files[split] = stack.enter_context(ParquetFile(path, types, labels.categories))
                self.place(sample, path.parent / sample.source_id)
                files[split].add({"file_name": sample.source_id, **row})
        self._write_card(labels, files, whole_images=classifies(labels.samples))

    def survey(self, samples: Iterable[Sample]) -> frozenset[str]:
        """The optional columns that some of them need."""
        return present_kinds(samples)

    def write_part(self, labels: LabelSet, part: Part) -> dict[str, str]:
        """A table of rows for each split."""
        kinds = settled_kinds(frozenset().union(*part.surveys))
        schema = features(labels.categories, kinds, file_name=True).arrow_schema
        rows: dict[str, list[dict[str, Any]]] = {split: [] for split in part.splits}
        for sample, row in labelled_rows(labels, kinds, (part.images, part.annotations)):
            rows[str(sample.split)].append({"file_name": sample.source_id, **row})
        for split, found in rows.items():
            with pa.OSFile(str(part.folder / split), "wb") as file, pa.ipc.new_stream(file, schema) as stream:
                stream.write_table(pa.Table.from_pylist(found, schema=schema))
        return {}

    def join_parts(self, labels: LabelSet, parts: Sequence[Part]) -> None:
        """All tables of a split in a row, and the card."""
        present = frozenset[str]().union(*(parts[0].surveys if parts else ()))
        types = features(labels.categories, settled_kinds(present), file_name=True)
        splits = dict.fromkeys(split for part in parts for split in part.splits)
        for split in splits:
            with ParquetFile(self._rows(split), types, labels.categories) as file:
                for part in (part for part in parts if split in part.splits):
                    with pa.OSFile(str(part.folder / split)) as piece:
                        file.add_table(pa.ipc.open_stream(piece).read_all())
        self._write_card(labels, splits, whole_images=present == present & _WHOLE and bool(present))

    def _rows(self, split: str) -> Path:
        return self.target / "images" / split / "metadata.parquet"

    def _write_card(self, labels: LabelSet, splits: Iterable[str], *, whole_images: bool) -> None:
        paths = {split: f"images/{split}/**" for split in splits}
        text = card(labels.name, paths, whole_images=whole_images)
        (self.target / "README.md").write_text(text, encoding="utf-8")
