"""Reads the label files of a build, whatever lies in their places: within limits, and without waiting for a pipe."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from amp_datasets.errors import AmpError
from amp_datasets.ledger.checks import MAX_ROWS
from amp_datasets.storage.files import open_regular, read_file
from amp_datasets.storage.yaml import read_yaml

MAX_YOLO_BYTES = 16 * 2**20
MAX_COCO_BYTES = 2**30


def yolo_rows(path: Path) -> list[list[float]] | None:
    """The rows of a YOLO label file; None unless it is rows of finite numbers."""
    try:
        lines = read_file(path, MAX_YOLO_BYTES).decode("ascii").splitlines()
        rows = [[float(value) for value in line.split()] for line in lines]
    except (OSError, ValueError):
        return None
    return rows if all(math.isfinite(value) for row in rows for value in row) else None


def coco_document(path: Path) -> Any:
    """The JSON in a file; OSError, ValueError or RecursionError if there is none."""
    return json.loads(read_file(path, MAX_COCO_BYTES))


def batches(path: Path, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """Those of some columns that a parquet file has, a few rows at a time; an error of Arrow or the system if not."""
    with open(open_regular(path), "rb") as stream:  # noqa: PTH123 - of a descriptor
        file = pq.ParquetFile(stream)
        if file.metadata.num_rows > MAX_ROWS:
            raise ValueError(f"it says it has {file.metadata.num_rows} rows")
        for batch in file.iter_batches(batch_size=256, columns=[c for c in columns if c in file.schema_arrow.names]):
            batch.validate(full=True)  # offsets of a damaged file would lead out of its memory
            yield batch


def yaml_map(path: Path) -> dict[str, Any]:
    """The map in a YAML file; an empty one if there is none."""
    try:
        document = read_yaml(path).value
    except AmpError:
        return {}
    return document if isinstance(document, dict) else {}
