"""Rows of Hugging Face datasets on disk: parquet, saved Arrow files, and metadata files beside images.

`datasets` takes half a second to import, so it is imported where a set of its kind is at hand.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from amp_datasets.errors import AmpError, SourceError
from amp_datasets.formats.kit.parsing import refuse_long_table
from amp_datasets.formats.kit.reading import parse_json, parse_text
from amp_datasets.model import Category
from amp_datasets.rows.parquet_writer import CATEGORIES_KEY
from amp_datasets.rows.schema import class_names
from amp_datasets.storage.files import file_sha256
from amp_datasets.storage.folder import Folder

if TYPE_CHECKING:
    from datasets import Features

OBJECTS = ("objects", "annotations", "faces", "instances", "detections", "regions")
"""Columns under which sets have their labels."""
IMAGE_LABELS = ("label", "labels", "fine_label", "class", "category")
"""Columns under which sets have the class of each image as a whole, or several of them."""

_BATCH_ROWS = 64
_MAX_PACKED_BYTES = 2**28
"""Of a file of rows in an archive, which is read as a whole; on a disk it is mapped."""

Row = dict[str, Any]


@dataclass(frozen=True)
class RowFile:
    """One file of rows, opened as far as its column names and types."""

    folder: Folder
    name: str
    columns: tuple[str, ...]
    features: Features | None = None
    categories: tuple[Category, ...] = ()

    def rows(self) -> Iterator[Row]:
        """All rows, a few at a time; a SourceError for damaged files."""
        where = self.folder.path(self.name)
        try:
            if self.name.endswith((".jsonl", ".csv")):
                yield from _text_rows(self.folder, self.name)
                return
            for batch in _batches(self.folder, self.name):
                batch.validate(full=True)  # offsets of a damaged file would lead out of its memory
                yield from batch.to_pylist()
        except AmpError:
            raise
        except Exception as error:  # Arrow has a dozen error classes for damaged files
            raise _damaged(where, error) from error

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names in the first ClassLabel among the types of the objects, else of the images' own labels."""
        types = self.features or {}
        return class_names({name: types[name] for name in (*OBJECTS, self.image_label) if name in types})

    @property
    def has_objects(self) -> bool:
        """Whether there is a column for objects."""
        return bool({*OBJECTS} & {*self.columns})

    @property
    def image_label(self) -> str:
        """The column with the classes of whole images: a ClassLabel, text, whole numbers, or a list of these."""
        for name in (name for name in IMAGE_LABELS if name in self.columns):
            if self.features is None or _names_classes(self.features[name]):
                return name
        return ""


def open_rows(folder: Folder, name: str) -> RowFile:
    """A file of rows by its ending: .parquet, .arrow, .jsonl or .csv."""
    try:
        if name.endswith((".jsonl", ".csv")):
            first = next(_text_rows(folder, name), {})
            return RowFile(folder, name, tuple(first))
        from datasets import Features

        schema = _schema(folder, name)
        features = Features.from_arrow_schema(schema)
        return RowFile(folder, name, tuple(schema.names), features, _categories(schema))
    except AmpError:
        raise
    except Exception as error:  # Arrow has a dozen error classes for damaged files
        raise _damaged(folder.path(name), error) from error


def _names_classes(feature: Any) -> bool:
    """Whether values of a type can name classes: an image (a mask, that is) or a fraction cannot."""
    inner = getattr(feature, "feature", feature[0] if isinstance(feature, list) and feature else None)
    if inner is not None:
        return _names_classes(inner)
    return bool(class_names(feature)) or str(getattr(feature, "dtype", "")).startswith(
        ("int", "uint", "string", "large_")
    )


def saved_files(folder: Folder) -> list[str]:
    """The Arrow files of every dataset that `save_to_disk` left in a folder."""
    files = []
    for state in (
        name for name in folder.files if name.endswith("state.json") and PurePosixPath(name).name == "state.json"
    ):
        document = parse_json(folder.read(state), folder.path(state))
        entries = document.get("_data_files") if isinstance(document, dict) else None
        for entry in entries if isinstance(entries, list) else ():
            file = entry.get("filename") if isinstance(entry, dict) else None
            name = (PurePosixPath(state).parent / str(file)).as_posix()
            if name in folder:
                files.append(name)
    return files


def spool(data: bytes, suffix: str) -> Path:
    """An image's bytes as a file in the cache of `datasets`, named after its content, so that it is written once."""
    from datasets import config

    digest = hashlib.sha256(data).hexdigest()
    path = Path(config.HF_DATASETS_CACHE) / "amp" / "images" / digest[:2] / f"{digest}{suffix}"
    if not _holds(path, digest):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(data)
        os.replace(file.name, path)  # noqa: PTH105 - atomic, also where two processes spool the same image
    return path


def _holds(path: Path, digest: str) -> bool:
    """Whether a file of the cache is what its name says: one that was cut off or changed is written again."""
    try:
        return file_sha256(path) == digest
    except OSError:
        return False


def _source(folder: Folder, name: str) -> Any:
    if folder.image(name).member is not None:
        return pa.BufferReader(folder.read(name, _MAX_PACKED_BYTES))
    return pa.memory_map(str(folder.root / name))


def _schema(folder: Folder, name: str) -> pa.Schema:
    with _source(folder, name) as source:
        return pq.read_schema(source) if name.endswith(".parquet") else pa.ipc.open_stream(source).schema


def _batches(folder: Folder, name: str) -> Iterator[pa.RecordBatch]:
    with _source(folder, name) as source:
        if name.endswith(".parquet"):
            yield from pq.ParquetFile(source).iter_batches(batch_size=_BATCH_ROWS)
            return
        for batch in pa.ipc.open_stream(source):
            yield from (batch.slice(start, _BATCH_ROWS) for start in range(0, batch.num_rows, _BATCH_ROWS))


def _text_rows(folder: Folder, name: str) -> Iterator[Row]:
    where = folder.path(name)
    data = folder.read(name)
    refuse_long_table(data, where)
    text = parse_text(data, where)
    if name.endswith(".csv"):
        yield from csv.DictReader(io.StringIO(text))
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            row = parse_json(line.encode(), f"{where}:{number}")
            yield row if isinstance(row, dict) else {}


def _categories(schema: pa.Schema) -> tuple[Category, ...]:
    """What a file of ours says of its categories; nothing for files of others."""
    text = (schema.metadata or {}).get(CATEGORIES_KEY)
    entries = json.loads(text) if text else []
    return tuple(
        Category(
            str(entry["name"]),
            str(entry["supercategory"]),
            tuple(map(str, entry["keypoints"])),
            tuple((int(a), int(b)) for a, b in entry["skeleton"]),
            tuple((int(a), int(b)) for a, b in entry["flip_pairs"]),
        )
        for entry in entries
    )


def _damaged(where: object, error: Exception) -> SourceError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return SourceError(f"the rows cannot be read: {reason}", where=where, fix="write or download the file again")
