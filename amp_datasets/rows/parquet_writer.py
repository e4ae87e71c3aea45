"""Writes rows of samples to typed parquet files, a few megabytes at a time."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from amp_datasets.model import Category, LabelSet, Sample
from amp_datasets.rows.schema import sample_to_row

if TYPE_CHECKING:
    from datasets import Features

CATEGORIES_KEY = b"amp_categories"
"""Metadata of a file of ours: what a ClassLabel cannot hold of the categories, as JSON."""

_MAX_ROWS = 1000
_MAX_BYTES = 32 * 2**20


class ParquetFile:
    """A parquet file under construction; `datasets` finds its types in it. Use it in a `with` statement."""

    def __init__(self, path: Path, features: Features, categories: Sequence[Category] = ()) -> None:
        self.path = path
        self.size = 0
        own = {CATEGORIES_KEY: json.dumps([asdict(category) for category in categories])} if categories else {}
        schema = features.arrow_schema
        self._schema = schema.with_metadata({**(schema.metadata or {}), **own})
        self._rows: list[Mapping[str, Any]] = []
        self._tables: list[pa.Table] = []
        self._buffered = 0

    def __enter__(self) -> ParquetFile:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = pq.ParquetWriter(self.path, self._schema)
        return self

    def add(self, row: Mapping[str, Any], size: int = 0) -> None:
        """One row, which holds an image of `size` bytes."""
        self._rows.append(row)
        self._buffered += size
        self.size += size
        if len(self._rows) >= _MAX_ROWS or self._buffered >= _MAX_BYTES:
            self._flush()

    def add_table(self, table: pa.Table) -> None:
        """Rows that are a table already; the file is the same as if they were added one by one, without sizes."""
        self._tables.append(table)
        while sum(map(len, self._tables)) >= _MAX_ROWS:
            self._write_tables(_MAX_ROWS)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        with self._writer:
            if error is None:
                self._flush()
                self._write_tables(_MAX_ROWS)

    def _write_tables(self, rows: int) -> None:
        """The first so many rows of the tables, as one group."""
        joined = pa.concat_tables(self._tables) if self._tables else self._schema.empty_table()
        if len(joined):
            self._writer.write_table(joined.slice(0, rows).combine_chunks())
        self._tables = [rest] if len(rest := joined.slice(rows)) else []

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
        self._rows, self._buffered = [], 0


def labelled_rows(
    labels: LabelSet,
    kinds: frozenset[str],
    before: tuple[Mapping[str, int], Mapping[str, int]] = (MappingProxyType({}), MappingProxyType({})),
) -> Iterator[tuple[Sample, dict[str, Any]]]:
    """The labelled samples with their rows; images and labels are numbered from 1 in each split, as in COCO files.

    `before` are how many images and labels of each split there are already.
    """
    category_ids = {category.name: number for number, category in enumerate(labels.categories)}
    images, objects = Counter(before[0]), Counter(before[1])
    for sample in labels.samples:
        if not sample.labelled:
            continue
        split = str(sample.split)
        images[split] += 1
        first = objects[split] + 1
        objects[split] += len(sample.annotations)
        numbered = tuple(replace(a, id=number) for number, a in enumerate(sample.annotations, start=first))
        yield sample, sample_to_row(replace(sample, annotations=numbered), images[split], category_ids, kinds)


def card(name: str, paths: Mapping[str, str], *, whole_images: bool = False) -> str:
    """A README whose header tells `datasets` which files are which split; `whole_images` are labelled, no objects."""
    files = [{"split": split, "path": path} for split, path in paths.items()]
    header = {
        "pretty_name": name or "set",
        "task_categories": ["image-classification" if whole_images else "object-detection"],
        "configs": [{"config_name": "default", "data_files": files}],
    }
    text = yaml.safe_dump(header, sort_keys=False, allow_unicode=True)
    load = '```python\nfrom datasets import load_dataset\n\ndataset = load_dataset("path/of/this/folder")\n```'
    note = "Boxes are [x, y, width, height] in pixels of the upright image."
    if whole_images:
        note = "`label` is the class of the whole image."
    return f"---\n{text}---\n\n# {name or 'set'}\n\n{note}\n\n{load}\n"
