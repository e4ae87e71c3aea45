"""Fetches a labelled set from the Hugging Face Hub, row by row, into a folder that the readers know."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import datasets
import fsspec
from datasets import Features, Image, IterableDataset, Value
from huggingface_hub import HfApi

from amp_datasets.errors import AmpError, SourceError
from amp_datasets.images.codec import IMAGE_SUFFIXES
from amp_datasets.rows.parquet_writer import ParquetFile
from amp_datasets.storage.names import inside
from amp_datasets.storage.target import GrowingFolder

_URI = re.compile(r"hf://datasets/(?P<repo>[\w.-]+(?:/[\w.-]+)?)(?:@(?P<revision>[\w./-]+))?/?")


def open_hub(uri: str, cache: Path | None = None) -> Path:
    """A folder with the images and rows of `hf://datasets/owner/name@revision`, fetched once for each commit.

    Private sets need the login that huggingface_hub keeps. Raises SourceError for a bad address or a failed download.
    """
    match = _URI.fullmatch(uri)
    if match is None:
        raise SourceError("this is no address of a dataset", where=uri, fix="hf://datasets/owner/name@revision")
    repo, revision = match["repo"], match["revision"]
    try:
        commit = str(HfApi().dataset_info(repo, revision=revision).sha)
        root = cache or Path(datasets.config.HF_DATASETS_CACHE) / "amp" / "hub"
        target = root / hashlib.sha256(f"{repo}@{commit}".encode()).hexdigest()[:32]
        if not target.exists():
            _fetch(repo, commit, target)
    except AmpError:
        raise
    except Exception as error:  # the network, the hub and datasets each have error classes of their own
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SourceError(
            f"the dataset cannot be fetched: {reason}", where=uri, fix="check name and network, or run `hf auth login`"
        ) from error
    return target


def _fetch(repo: str, commit: str, target: Path) -> None:
    """Write everything beside the target, which it becomes in one step; one process at a time does it."""
    with GrowingFolder(target) as work:
        tree = work.begin()
        for split, rows in datasets.load_dataset(repo, revision=commit, streaming=True).items():
            _fetch_split(rows, inside(tree, f"images/{split}"), repo)
        work.publish()


def _fetch_split(rows: IterableDataset, folder: Path, repo: str) -> None:
    types: Mapping[str, Any] = rows.features or {}
    column = next((name for name, feature in types.items() if isinstance(feature, Image)), None)
    if column is None:
        raise SourceError("the dataset has no column of images", where=repo)
    kept = {name: feature for name, feature in types.items() if name not in {column, "file_name"}}
    with ParquetFile(folder / "metadata.parquet", Features({"file_name": Value("string"), **kept})) as file:
        for number, row in enumerate(rows.cast_column(column, Image(decode=False))):
            image = row[column]
            name = f"{number:07d}{_suffix(image)}"
            (folder / name).write_bytes(_bytes(image, repo))
            file.add({"file_name": name, **{key: row[key] for key in kept}})


def _bytes(image: Mapping[str, Any], repo: str) -> bytes:
    """The image's file, out of the row or of the same repository; rows must not name files of this machine."""
    if isinstance(image["bytes"], bytes):
        return image["bytes"]
    path = str(image["path"])
    if not re.match(rf"(?:zip://[^:]*::)?hf://datasets/{re.escape(repo)}[@/]", path):
        raise SourceError(f"an image is neither in its row nor in the repository: {path[:100]}", where=repo)
    with fsspec.open(path, "rb") as file:
        return bytes(file.read())


def _suffix(image: Mapping[str, Any]) -> str:
    inside, _, _ = str(image.get("path")).partition("::")  # zip://a.jpg::hf://...
    suffix = PurePosixPath(inside).suffix.lower()
    return suffix if suffix in IMAGE_SUFFIXES else ".jpg"
