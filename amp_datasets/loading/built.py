"""The rows and images of a build as somebody may have shipped them: only what its lock and ledger list is read.

`datasets` would list every file of such a folder and ask for each by itself. Our own rows name their images, so they
are copied once into Arrow files in its cache, and mapped from there: no image is touched before it is shown.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc
import pyarrow.parquet as pq
from datasets import ClassLabel, Dataset, DatasetDict, Features, Image, NamedSplit, Value, config

from amp_datasets.errors import BuildError
from amp_datasets.ledger.schema import MADE, ledger_batches
from amp_datasets.model import SPLITS
from amp_datasets.storage.files import file_sha256, write_failed
from amp_datasets.storage.names import inside
from amp_datasets.storage.trust import kept_copy

_ROWS = "metadata.parquet"
_BATCH_ROWS, _NAME_ROWS = 1000, 16_384
_FIX = "build it again; if it came from elsewhere, do not use it"


def has_rows(build: Path) -> bool:
    """Whether every split of a build has rows, as the export `hf` writes them."""
    splits = _splits(build)
    return bool(splits) and all((build / "images" / split / _ROWS).is_file() for split in splits)


def built_rows(build: Path, lock: Mapping[str, Any]) -> DatasetDict:
    """The rows of a build with its images, as `load_dataset` gives them: the same types, values and order.

    A BuildError if they name anything but the build's own images, or if an image leads elsewhere.
    """
    return DatasetDict({split: _split_rows(build, split, lock) for split in _splits(build)})


def _splits(build: Path) -> list[str]:
    return [split for split in SPLITS if (build / "images" / split).is_dir()]


def _made(build: Path, split: str, column: str) -> pa.Array:
    """A column of the ledger, of every image that it says was made for a split."""
    found = [pa.array([], pa.string())]
    for batch in ledger_batches(build, ["split", "status", column], _NAME_ROWS):
        wanted = pc.and_(pc.equal(batch["status"], MADE), pc.equal(batch["split"], split))
        found.append(batch[column].filter(wanted).cast(pa.string()))
    return pa.concat_arrays(found)


def _split_rows(build: Path, split: str, lock: Mapping[str, Any]) -> Dataset:
    """The rows of a split, out of the cache or copied into it now."""
    name = f"images/{split}/{_ROWS}"
    rows = inside(build, name, follow=True)
    try:
        if file_sha256(rows, follow=True) != lock["files"].get(name):
            raise BuildError("the rows are not those that were written", where=rows, fix=_FIX)
        types = Features.from_arrow_schema(pq.read_schema(rows))
        odd = [column for column, kind in types.items() if not _is_plain(kind)]
        if odd or types.get("file_name") != Value("string"):
            raise BuildError(f"the column `{(odd or ['file_name'])[0]}` is of no type of ours", where=rows, fix=_FIX)
        _check_images(build, split, rows)
        copy = _arrow_copy(rows, types, lock["files"][name])
    except (OSError, ValueError, TypeError, pa.ArrowException) as error:
        raise BuildError(f"the rows cannot be read: {error}", where=rows, fix=_FIX) from error
    return Dataset.from_file(str(copy), split=NamedSplit(split))


def _check_images(build: Path, split: str, rows: Path) -> None:
    """Refuse rows that name other files than those that were made, and links to anything but these."""
    made = _made(build, split, "file_name")
    named = pq.read_table(rows, columns=["file_name"])["file_name"]
    strange = named.filter(pc.invert(pc.is_in(named, value_set=made)))
    if len(strange):
        what = f"the rows name a file that the ledger does not: {str(strange[0])[:80]!r}"
        raise BuildError(what, where=rows, fix=_FIX)
    links = [entry.name for entry in os.scandir(rows.parent) if entry.is_symlink() and entry.name != _ROWS]
    if not links:
        return
    digests = dict(zip(made.to_pylist(), _made(build, split, "sha256").to_pylist(), strict=True))
    for link in links:
        if file_sha256(rows.parent / link, follow=True) != digests.get(link):
            what = "a link leads to another file than the image that was made"
            raise BuildError(what, where=rows.parent / link, fix=_FIX)


def _arrow_copy(rows: Path, types: Features, sha256: str) -> Path:
    """The rows of a parquet file with the paths of their images, as an Arrow file in the cache of `datasets`."""
    key = hashlib.sha256(f"{rows.parent.resolve()}|{sha256}".encode()).hexdigest()[:32]
    shown = Features({"image" if name == "file_name" else name: kind for name, kind in types.items()})
    shown["image"] = Image()
    place = Path(config.HF_DATASETS_CACHE) / "amp" / "rows"
    try:
        return kept_copy(place, key, ".arrow", lambda file: _copy_rows(rows, file, shown))
    except OSError as error:
        raise write_failed(error, place) from error


def _copy_rows(rows: Path, file: Any, shown: Features) -> None:
    with pa.ipc.new_stream(file, shown.arrow_schema) as stream, pq.ParquetFile(rows) as source:
        for batch in source.iter_batches(batch_size=_BATCH_ROWS):
            stream.write_batch(_with_paths(batch, rows.parent.resolve(), shown))


def _with_paths(batch: pa.RecordBatch, folder: Path, shown: Features) -> pa.RecordBatch:
    """Rows whose image is the file of that name in a folder."""
    batch.validate(full=True)  # offsets of a damaged file would lead out of its memory
    names = batch["file_name"]
    paths = pc.binary_join_element_wise(f"{folder}{os.sep}", names, "")
    images = pa.StructArray.from_arrays([pa.nulls(len(names), pa.binary()), paths], names=["bytes", "path"])
    columns = [images if name == "image" else batch[name] for name in shown]
    return pa.RecordBatch.from_arrays(columns, schema=shown.arrow_schema)


def _is_plain(kind: Any) -> bool:
    """Whether a type holds values alone, and no files that would be opened."""
    if isinstance(kind, Mapping):
        return all(_is_plain(inner) for inner in kind.values())
    inner = getattr(kind, "feature", None)
    return isinstance(kind, Value | ClassLabel) if inner is None else _is_plain(inner)
