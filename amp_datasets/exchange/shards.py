"""The rows of a build as parquet files with the images inside, one at a time: no more than one is ever on the disk.

A shard is a function of the build and of the wished size alone, so one that was uploaded before a cut is known again
by its digest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Dataset, DatasetDict, Features, Image

from amp_datasets.errors import BuildError
from amp_datasets.rows.parquet_writer import CATEGORIES_KEY
from amp_datasets.storage.files import read_file

MAX_SHARD_MB = 500
_GROUP_BYTES = 32 * 2**20
_GROUP_ROWS = 1000
_LOOK_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Shard:
    """Some rows of a split as one file: its `name` below the repository, and how large its images are."""

    name: str
    split: str
    first: int
    sizes: tuple[int, ...]
    """The bytes of each image, in order."""


class RowShards:
    """How the rows of a build are cut into shards of at most so many bytes of images, or of one image."""

    def __init__(self, dataset: DatasetDict, max_bytes: int, categories: Sequence[Mapping[str, Any]] = ()) -> None:
        self._rows = {split: rows.cast_column("image", Image(decode=False)) for split, rows in dataset.items()}
        self._categories = categories
        self.shards = [shard for split, rows in self._rows.items() for shard in _cut(split, rows, max_bytes)]

    @property
    def features(self) -> Features:
        """The types of the rows, images included."""
        types = next(iter(self._rows.values())).features.copy()
        types["image"] = Image()
        return types

    def write(self, shard: Shard, path: Path) -> None:
        """Write a shard. The image's path in it is its bare name. Raises BuildError for an image that has changed."""
        rows = self._rows[shard.split]
        own = {CATEGORIES_KEY: json.dumps(list(self._categories))} if self._categories else {}
        schema = self.features.arrow_schema
        schema = schema.with_metadata({**(schema.metadata or {}), **own})
        # Chunks by content, as `datasets` writes them: the hub keeps parts that files have in common once.
        with pq.ParquetWriter(path, schema, use_content_defined_chunking=True, write_page_index=True) as writer:
            for first, end in _groups(shard.sizes):
                table = rows.with_format("arrow")[shard.first + first : shard.first + end]
                writer.write_table(_embedded(table, shard.sizes[first:end], schema))


def _cut(split: str, rows: Dataset, max_bytes: int) -> list[Shard]:
    """The shards of a split; their number stands in their names, as the hub has it."""
    runs: list[list[int]] = []
    full = max_bytes + 1
    for size in _image_sizes(rows):
        if full + size > max_bytes:
            runs.append([])
            full = 0
        runs[-1].append(size)
        full += size
    firsts = [0]
    for run in runs:
        firsts.append(firsts[-1] + len(run))
    return [
        Shard(f"data/{split}-{number:05d}-of-{len(runs):05d}.parquet", split, firsts[number], tuple(run))
        for number, run in enumerate(runs)
    ]


def _image_sizes(rows: Dataset) -> Iterator[int]:
    for batch in rows.select_columns("image").with_format("arrow").iter(_LOOK_ROWS):
        for image in batch["image"].to_pylist():
            yield Path(image["path"]).stat().st_size


def _groups(sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The rows of a shard in row groups that fit into memory."""
    first, held = 0, 0
    for number, size in enumerate(sizes):
        if number > first and (held + size > _GROUP_BYTES or number - first >= _GROUP_ROWS):
            yield first, number
            first, held = number, 0
        held += size
    if sizes:
        yield first, len(sizes)


def _embedded(table: pa.Table, sizes: Sequence[int], schema: pa.Schema) -> pa.Table:
    """Rows with the bytes of their images in place of where these are."""
    images = []
    for image, size in zip(table["image"].to_pylist(), sizes, strict=True):
        path = Path(image["path"])
        data = read_file(path, size, follow=True)
        if len(data) != size:
            raise BuildError(
                "this image changes while it is read", where=path, fix="publish when the build is left alone"
            )
        images.append({"bytes": data, "path": path.name})
    columns = [
        pa.array(images, type=field.type) if field.name == "image" else table[field.name].cast(field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)
