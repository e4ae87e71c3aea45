"""Reads the label files of a build, whatever lies in their places: within limits, and without waiting for a pipe."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from amp_datasets.errors import DAMAGE, AmpError
from amp_datasets.ledger.checks import MAX_ROWS
from amp_datasets.storage.files import open_regular, read_file
from amp_datasets.storage.yaml import read_yaml

MAX_YOLO_BYTES = 16 * 2**20
MAX_COCO_BYTES = 2**30
MAX_ENTRY_BYTES = 64 * 2**20
"""Of one label in a COCO file: a mask in run lengths."""

_HEADING_BYTES = 100


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


class OutOfStep(Exception):  # noqa: N818 - not an error: the file is then looked at as a whole
    """A file is not laid out as a build writes it, entry by entry in the order of the ledger."""


class CocoWalk:
    """A COCO file of a build, one image with its labels at a time, whatever its size. Use it as a context.

    It understands the layout that a build writes: an entry a line, ids that grow, the labels in the order of their
    images. Anything else raises OutOfStep.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> CocoWalk:
        self._streams = ExitStack()
        try:
            starts = self._starts()
            self._images, self._labels, categories = (
                self._entries(starts[name]) for name in ("images", "annotations", "categories")
            )
            self.classes = {category["id"]: category["name"] for category in categories}
        except (OSError, *DAMAGE) as error:
            self._streams.close()
            raise OutOfStep from error
        return self

    def __exit__(self, *_: object) -> None:
        self._streams.close()

    def __iter__(self) -> Iterator[tuple[Any, list[Any]]]:
        """Each image's entry and those of its labels."""
        try:
            last, last_label, label = 0, 0, next(self._labels, None)
            for image in self._images:
                own = []
                if image["id"] <= last:
                    raise OutOfStep
                last = image["id"]
                while label is not None and label["image_id"] == last:
                    if label["id"] <= last_label:
                        raise OutOfStep
                    last_label = label["id"]
                    own.append(label)
                    label = next(self._labels, None)
                yield image, own
        except DAMAGE as error:
            raise OutOfStep from error
        if label is not None:
            raise OutOfStep

    def _starts(self) -> dict[str, int]:
        """Where in the file the entries of each list begin."""
        found, at = dict[str, int](), 0
        for line in self._open():
            at += len(line)
            if line.endswith(b": [\n") and len(line) < _HEADING_BYTES:
                found[line.split(b'"')[1].decode()] = at
        return found

    def _entries(self, start: int) -> Iterator[Any]:
        stream = self._open()
        stream.seek(start)
        while (line := stream.readline(MAX_ENTRY_BYTES)) and line[:1] != b"]":
            yield json.loads(line.rstrip(b",\n"))

    def _open(self) -> IO[bytes]:
        opened = open(open_regular(self._path), "rb")  # noqa: PTH123, SIM115 - of a descriptor; closed with the walk
        return self._streams.enter_context(opened)


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
