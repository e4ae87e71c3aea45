"""Parquet shards with the images inside: what the Hub's viewer shows and `load_dataset` streams.

data/train-00000-of-00002.parquet    README.md
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, get_args

from pydantic import Field

from amp_datasets.formats.base import Exporter, Feature, Options
from amp_datasets.images.codec import Limits, read_bytes
from amp_datasets.model import LabelSet, Sample, classifies
from amp_datasets.plugin.registry import Registry
from amp_datasets.rows.parquet_writer import ParquetFile, card, labelled_rows
from amp_datasets.rows.schema import features, kinds_of

if TYPE_CHECKING:
    from datasets import Features


class ParquetOptions(Options):
    """`max_shard_mb`: images that one file holds, in megabytes."""

    max_shard_mb: Annotated[int, Field(ge=1, le=1500)] = 500


class ParquetExporter(Exporter[ParquetOptions]):
    """Writes `data/<split>-0000i-of-0000n.parquet`, typed, with each image's file as it is."""

    name: ClassVar[str] = "parquet"
    title: ClassVar[str] = "Hugging Face parquet shards, images inside"
    options_type: ClassVar[type[Options]] = ParquetOptions
    holds: ClassVar[frozenset[Feature]] = frozenset(get_args(Feature)) - {"unlabelled"}

    def write(self, labels: LabelSet) -> None:
        """Write the shards, one split after the other, and the card."""
        kinds = kinds_of(labels.samples)
        types = features(labels.categories, kinds)
        shards: dict[str, _Shards] = {}
        for sample, row in labelled_rows(labels, kinds):
            split = str(sample.split)
            if split not in shards:
                folder = self.target / "data"
                shards[split] = _Shards(folder, split, types, labels, self.options.max_shard_mb * 10**6)
            shards[split].add(sample, row)
        for written in shards.values():
            written.finish()
        paths = {split: f"data/{split}-*" for split in shards}
        text = card(labels.name, paths, whole_images=classifies(labels.samples))
        (self.target / "README.md").write_text(text, encoding="utf-8")


class _Shards:
    """The files of one split; their number stands in their names, so they are named at the end."""

    def __init__(self, folder: Path, split: str, types: Features, labels: LabelSet, limit: int) -> None:
        self._folder, self._split, self._types, self._labels, self._limit = folder, split, types, labels, limit
        self._files: list[ParquetFile] = []

    def add(self, sample: Sample, row: dict[str, object]) -> None:
        """One image, in a new file where the last one is full."""
        data = read_bytes(sample.image, Limits())
        if not self._files or self._files[-1].size + len(data) > self._limit:
            self._close_last()
            path = self._folder / f"{self._split}-{len(self._files):05d}.part"
            self._files.append(ParquetFile(path, self._types, self._labels.categories).__enter__())
        self._files[-1].add({"image": {"bytes": data, "path": sample.source_id}, **row}, len(data))

    def finish(self) -> None:
        """Close the last file and give all their names."""
        self._close_last()
        for number, file in enumerate(self._files):
            file.path.rename(self._folder / f"{self._split}-{number:05d}-of-{len(self._files):05d}.parquet")

    def _close_last(self) -> None:
        if self._files:
            self._files[-1].__exit__(None, None, None)


def register(registry: Registry) -> None:
    """Offer the exporter."""
    registry.add_exporter(ParquetExporter)
