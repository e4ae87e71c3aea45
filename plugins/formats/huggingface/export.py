"""Writes sets as typed Hugging Face image folders."""

from __future__ import annotations

from contextlib import ExitStack
from typing import ClassVar, get_args

from amp_datasets.formats.base import Exporter, Feature, Options
from amp_datasets.model import LabelSet, classifies
from amp_datasets.rows.parquet_writer import ParquetFile, card, labelled_rows
from amp_datasets.rows.schema import features, kinds_of


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
