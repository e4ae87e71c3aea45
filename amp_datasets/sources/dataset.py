"""Datasets in memory as sets on disk: rows in the cache of `datasets`, read like anybody's parquet files."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from amp_datasets.errors import SourceError
from amp_datasets.storage.files import file_sha256, read_file

if TYPE_CHECKING:
    from datasets import Dataset

_DIGESTS = ".digests.json"
"""What was written; hidden, so that it is no part of the set."""

_MAX_DIGESTS_BYTES = 2**20


def spool_dataset(dataset: Dataset | Mapping[str, Dataset]) -> Path:
    """A folder with the rows of a dataset, or of each split of several, as parquet with the images inside.

    It is named by the fingerprint, which `datasets` keeps for every content, and so written once; one whose files are
    not what was written is made again.
    """
    from datasets import config

    splits = dict(dataset) if isinstance(dataset, Mapping) else {str(dataset.split or "train"): dataset}
    if not splits or not all(len(rows) for rows in splits.values()):
        raise SourceError("the dataset has no rows", fix="give a `datasets.Dataset` with an image and objects")
    # `_fingerprint` is the only name that `datasets` has for a content; its own cache files are called so too.
    name = "-".join(f"{split}-{rows._fingerprint}" for split, rows in splits.items())
    root = Path(config.HF_DATASETS_CACHE) / "amp" / "datasets" / name
    if _is_whole(root):
        return root
    root.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=root.parent, prefix=".writing-"))
    try:
        for split, rows in splits.items():
            rows.to_parquet(str(work / f"{split}-00000-of-00001.parquet"))
        digests = {file.name: file_sha256(file) for file in work.iterdir()}
        (work / _DIGESTS).write_text(json.dumps(digests), encoding="utf-8")
        shutil.rmtree(root, ignore_errors=True)  # one that is not whole
        with contextlib.suppress(OSError):  # another process was first
            work.rename(root)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return root


def _is_whole(root: Path) -> bool:
    """Whether a folder holds the files that were written there, and no others."""
    try:
        kept = json.loads(read_file(root / _DIGESTS, _MAX_DIGESTS_BYTES))
        found = {file.name: file_sha256(file) for file in root.iterdir() if file.name != _DIGESTS}
    except (OSError, ValueError, RecursionError):
        return False
    return bool(kept == found)
