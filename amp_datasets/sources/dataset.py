"""Datasets in memory as sets on disk: rows in the cache of `datasets`, read like anybody's parquet files."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from amp_datasets.errors import SourceError

if TYPE_CHECKING:
    from datasets import Dataset


def spool_dataset(dataset: Dataset | Mapping[str, Dataset]) -> Path:
    """A folder with the rows of a dataset, or of each split of several, as parquet with the images inside.

    It is named by the fingerprint, which `datasets` keeps for every content, and so written once.
    """
    from datasets import config

    splits = dict(dataset) if isinstance(dataset, Mapping) else {str(dataset.split or "train"): dataset}
    if not splits or not all(len(rows) for rows in splits.values()):
        raise SourceError("the dataset has no rows", fix="give a `datasets.Dataset` with an image and objects")
    # `_fingerprint` is the only name that `datasets` has for a content; its own cache files are called so too.
    name = "-".join(f"{split}-{rows._fingerprint}" for split, rows in splits.items())
    root = Path(config.HF_DATASETS_CACHE) / "amp" / "datasets" / name
    if root.is_dir():
        return root
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root.parent, prefix=".writing-") as work:
        for split, rows in splits.items():
            rows.to_parquet(str(Path(work) / f"{split}-00000-of-00001.parquet"))
        if not root.is_dir():
            shutil.copytree(work, root, dirs_exist_ok=True)
    return root
