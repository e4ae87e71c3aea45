"""The ledger: one row for every variant of a build, made or not, with all that it takes to make it again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Features, Value

from amp_datasets.errors import BuildError

LEDGER_FILE = "ledger.parquet"
LOCK_FILE = "amp.lock.json"
MANIFEST_FILE = "amp.yaml"

MADE, DROPPED = "made", "dropped"

_TEXT, _COUNT = Value("string"), Value("int32")
LEDGER_FEATURES = Features(
    {
        "source_id": _TEXT,  # set name and relative path, unique in the build
        "source_sha256": _TEXT,
        "source_labels": _TEXT,  # canonical JSON of the labels that went in
        "group": _TEXT,  # sources of one group are in one split
        "split": _TEXT,
        "spec": _TEXT,  # the manifest's name for this kind of variant
        "copy": _COUNT,
        "variant": _TEXT,  # spec and copy as one name
        "attempt": _COUNT,
        "key": _TEXT,  # names everything that decides about this variant
        "status": _TEXT,  # made, or dropped
        "reason": _TEXT,
        "detail": _TEXT,
        "steps": _TEXT,  # JSON: filter, settings and draw of each step
        "file_name": _TEXT,
        "width": _COUNT,
        "height": _COUNT,
        "encoding": _TEXT,  # JSON: format, quality, subsampling; empty for a byte-for-byte copy
        "sha256": _TEXT,  # of the image file
        "labels": _TEXT,  # canonical JSON of the labels that came out
        "labels_sha256": _TEXT,
        "labels_in": _COUNT,
        "labels_out": _COUNT,
        "labels_partial": _COUNT,
        "labels_dropped": _TEXT,  # JSON: reason -> count
    }
)


def empty_row() -> dict[str, Any]:
    """A row with nothing in it, to be filled."""
    return {name: 0 if value == _COUNT else "" for name, value in LEDGER_FEATURES.items()}


def read_ledger(build: Path, columns: Sequence[str] | None = None) -> Iterator[Mapping[str, Any]]:
    """The rows of a build's ledger, one by one; a BuildError if the folder is no build or its ledger is damaged.

    With `columns` only those are read, which saves most of the time and memory.
    """
    path = build / LEDGER_FILE
    if not path.is_file():
        raise BuildError("this folder is not a build", where=build, fix="give the folder that `amp build` wrote (-o)")
    try:
        file = pq.ParquetFile(path)
        missing = [name for name in LEDGER_FEATURES if name not in file.schema_arrow.names]
        if missing:
            raise BuildError(f"the ledger lacks the column `{missing[0]}`", where=path, fix="build it again")
        for batch in file.iter_batches(batch_size=1024, columns=None if columns is None else list(columns)):
            yield from batch.to_pylist()
    except (pa.ArrowException, OSError, ValueError) as error:  # ValueError: bytes that are no UTF-8
        raise BuildError(f"the ledger is damaged: {error}", where=path, fix="build it again") from error
