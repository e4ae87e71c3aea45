"""The rows and images of a build as somebody may have shipped them: only what its lock and ledger list is read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import ClassLabel, Features, Value

from amp_datasets.errors import BuildError
from amp_datasets.ledger.schema import MADE, read_ledger
from amp_datasets.storage.carry import foreign_files
from amp_datasets.storage.files import file_sha256
from amp_datasets.storage.names import inside

_ROWS = "metadata.parquet"
_FIX = "build it again; if it came from elsewhere, do not use it"


def check_rows(build: Path, lock: Mapping[str, Any]) -> None:
    """Refuse a build whose rows name anything but its own images, or whose images lead elsewhere: a BuildError."""
    made: dict[str, dict[str, str]] = {}
    for row in read_ledger(build, ["split", "file_name", "sha256", "status"]):
        if row["status"] == MADE:
            made.setdefault(row["split"], {})[row["file_name"]] = row["sha256"]
    for split in (split for split in made if (build / "images" / split / _ROWS).exists()):
        _check_split(build, split, lock, made[split])


def _check_split(build: Path, split: str, lock: Mapping[str, Any], made: Mapping[str, str]) -> None:
    """Refuse rows that are not those of the lock, that name other files, or images that lead elsewhere."""
    name = f"images/{split}/{_ROWS}"
    rows = inside(build, name, follow=True)
    try:
        if file_sha256(rows, follow=True) != lock["files"].get(name):
            raise BuildError("the rows are not those that were written", where=rows, fix=_FIX)
        types = Features.from_arrow_schema(pq.read_schema(rows))
        odd = [column for column, kind in types.items() if not _is_plain(kind)]
        if odd or types.get("file_name") != Value("string"):
            raise BuildError(f"the column `{(odd or ['file_name'])[0]}` is of no type of ours", where=rows, fix=_FIX)
        named = set(pq.read_table(rows, columns=["file_name"])["file_name"].to_pylist())
        strange = [str(each) for each in named if each not in made]
        if strange:
            what = f"the rows name a file that the ledger does not: {strange[0][:80]!r}"
            raise BuildError(what, where=rows, fix=_FIX)
        for each in foreign_files(build / "images" / split, {_ROWS}):
            path = build / "images" / split / each
            if path.is_symlink() and file_sha256(path, follow=True) != made.get(each):
                raise BuildError("a link leads to another file than the image that was made", where=path, fix=_FIX)
    except (OSError, ValueError, TypeError, pa.ArrowException) as error:
        raise BuildError(f"the rows cannot be read: {error}", where=rows, fix=_FIX) from error


def _is_plain(kind: Any) -> bool:
    """Whether a type holds values alone, and no files that would be opened."""
    if isinstance(kind, Mapping):
        return all(_is_plain(inner) for inner in kind.values())
    inner = getattr(kind, "feature", None)
    return isinstance(kind, Value | ClassLabel) if inner is None else _is_plain(inner)
