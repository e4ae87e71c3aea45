"""The ledger: one row for every variant of a build, made or not, with all that it takes to make it again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
from datasets import Features, Value

from amp_datasets.errors import BuildError
from amp_datasets.ledger.checks import MAX_ROWS, checked_batch
from amp_datasets.storage.files import open_regular

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
        "piece": _TEXT,  # which part of its source, where preprocessing makes several of one
        "partners": _TEXT,  # JSON: for each step that joins images, the others: source, digest, labels, piece
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
        "values": _TEXT,  # JSON: black and white of a source deeper than 8 bits
        "labels": _TEXT,  # canonical JSON of the labels that came out
        "labels_sha256": _TEXT,
        "labels_in": _COUNT,
        "labels_out": _COUNT,
        "labels_partial": _COUNT,
        "labels_estimated": _COUNT,  # boxes that follow from an assumed shape
        "labels_dropped": _TEXT,  # JSON: reason -> count
    }
)
SOURCE_FILE = "source_file"
"""The further column of a lazy set: JSON [file, member or null] of a row's source."""

_TEXTS = [*(name for name, value in LEDGER_FEATURES.items() if value == _TEXT), SOURCE_FILE]
_BATCH_ROWS = 256
_GROUP_BYTES = 32 * 2**20


def shard_batches(shards: Iterable[Path], columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """The rows of finished shards (Arrow files), in order; no more than one shard is mapped at a time."""
    for shard in shards:
        with pa.memory_map(str(shard)) as source:
            for batch in pa.ipc.open_stream(source):
                yield batch if columns is None else batch.select(list(columns))


def write_ledger(target: Path, shards: Iterable[Path], places: Mapping[str, str] | None = None) -> None:
    """The rows of all shards as one ledger, some megabytes at a time; `places` are those of a lazy set's sources."""
    more = {} if places is None else {SOURCE_FILE: _TEXT}
    schema = Features({**LEDGER_FEATURES, **more}).arrow_schema
    held, size = list[pa.RecordBatch](), 0
    with pq.ParquetWriter(target, schema, use_content_defined_chunking=True, write_page_index=True) as writer:
        for batch in shard_batches(shards):
            if places is not None:
                found = [places[source_id] for source_id in batch["source_id"].to_pylist()]
                batch = batch.append_column(SOURCE_FILE, pa.array(found, pa.string()))
            held.append(batch)
            size += batch.nbytes
            if size >= _GROUP_BYTES:
                writer.write_table(pa.Table.from_batches(held).cast(schema))
                held, size = [], 0
        if held:
            writer.write_table(pa.Table.from_batches(held).cast(schema))
    give_memory_back()


def give_memory_back() -> None:
    """Let go of what Arrow keeps for later: some 50 MB after each pass over a large ledger."""
    pa.default_memory_pool().release_unused()


def empty_row() -> dict[str, Any]:
    """A row with nothing in it, to be filled."""
    return {name: 0 if value == _COUNT else "" for name, value in LEDGER_FEATURES.items()}


def read_ledger(build: Path, columns: Sequence[str] | None = None) -> Iterator[Mapping[str, Any]]:
    """The rows of a build's ledger, one by one and looked through; a BuildError if there is none or it is damaged.

    With `columns` only those are read, which saves most of the time and memory.
    """
    for batch in ledger_batches(build, columns):
        yield from batch.to_pylist()


def ledger_batches(
    build: Path, columns: Sequence[str] | None = None, batch_rows: int = _BATCH_ROWS
) -> Iterator[pa.RecordBatch]:
    """As `read_ledger`, but many rows at a time as Arrow has them; texts may be dictionaries."""
    path = build / LEDGER_FILE
    try:
        with open(open_regular(path, follow=True), "rb") as stream:  # noqa: PTH123 - of a descriptor
            metadata = pq.read_metadata(stream)
            names = _checked_columns(metadata, path)
            texts = [name for name in _TEXTS if name in names]
            file = pq.ParquetFile(stream, metadata=metadata, read_dictionary=texts)
            wanted = [name for name in names if columns is None or name in columns]
            for batch in file.iter_batches(batch_size=batch_rows, columns=wanted):
                yield checked_batch(batch, path)
    except FileNotFoundError as error:
        fix = "give the folder that `amp build` wrote (-o)"
        raise BuildError("this folder is not a build", where=build, fix=fix) from error
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:  # ValueError: bytes that are no UTF-8
        told = str(error).partition("\n")[0] or type(error).__name__
        raise BuildError(f"the ledger is damaged: {told}", where=path, fix="build it again") from error
    finally:
        give_memory_back()


def _checked_columns(metadata: pq.FileMetaData, path: Path) -> list[str]:
    """The columns of a ledger that we know, whatever else there is; refuses what is none, or has too many rows."""
    if metadata.num_rows > MAX_ROWS:
        what = f"the ledger says it has {metadata.num_rows} rows, more than {MAX_ROWS}"
        raise BuildError(what, where=path, fix="do not use it")
    schema = metadata.schema.to_arrow_schema()
    types = {field.name: field.type for field in schema}
    for name, feature in LEDGER_FEATURES.items():
        if name not in types:
            raise BuildError(f"the ledger lacks the column `{name}`", where=path, fix="build it again")
        fits = pa.types.is_integer(types[name]) if feature == _COUNT else _is_text(types[name])
        if not fits:
            raise BuildError(f"the ledger's column `{name}` is of the wrong type", where=path, fix="build it again")
    if SOURCE_FILE in types and not _is_text(types[SOURCE_FILE]):
        raise BuildError(f"the ledger's column `{SOURCE_FILE}` is of the wrong type", where=path, fix="build it again")
    if len(types) != len(schema.names):
        raise BuildError("the ledger has two columns of one name", where=path, fix="build it again")
    return [name for name in schema.names if name in LEDGER_FEATURES or name == SOURCE_FILE]


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind.value_type if pa.types.is_dictionary(kind) else kind))
