"""The rows of a build as a push to the hub: shards uploaded one after the other, and one commit at the end."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datasets import DatasetInfo
from datasets.info import DatasetInfosDict
from datasets.splits import SplitDict, SplitInfo
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, DatasetCard, HfApi

from amp_datasets.building.hub import patiently, upload
from amp_datasets.exchange.shards import RowShards
from amp_datasets.progress import Progress
from amp_datasets.storage.names import inside

_SHARD = re.compile(r"data/[^/]+-\d{5}-of-\d{5}(-[0-9a-f]+)?\.parquet")


def push_rows(api: HfApi, name: str, rows: RowShards, folder: Path, beside: Sequence[str], progress: Progress) -> None:
    """The rows of a build, shard by shard, then one commit of all with the card and the files `beside`.

    A shard is on this disk from when it is written until it is uploaded. The hub is asked for each whether it is there
    already, so that after a cut only what is missing is uploaded. Until the commit nobody sees anything.
    """
    additions: list[CommitOperationAdd] = []
    written = Counter[str]()
    with tempfile.TemporaryDirectory(prefix="amp-publish-") as work:
        for number, shard in enumerate(rows.shards):
            progress("uploading shards", number, len(rows.shards))
            path = Path(work) / f"{number}.parquet"
            rows.write(shard, path)
            written[shard.split] += path.stat().st_size
            addition = CommitOperationAdd(shard.name, path)
            upload(api, name, [addition])
            if addition.path_or_fileobj != path:  # else the hub wants it with the commit: it is a small one
                path.unlink()
            additions.append(addition)
        progress("uploading shards", len(rows.shards), len(rows.shards))
        card = _card((folder / "README.md").read_text(encoding="utf-8"), rows, written)
        operations: list[CommitOperationAdd | CommitOperationDelete] = [
            *additions,
            *(CommitOperationAdd(file, inside(folder, file)) for file in beside),
            CommitOperationAdd("README.md", card.encode()),
            *_outdated(api, name, {addition.path_in_repo for addition in additions}),
        ]
        message = "Upload the dataset"
        patiently(lambda: api.create_commit(name, operations, commit_message=message, repo_type="dataset"))


def _outdated(api: HfApi, name: str, new: set[str]) -> list[CommitOperationDelete]:
    """The shards of an earlier push that this one does not replace."""
    there = patiently(lambda: api.list_repo_files(name, repo_type="dataset"))
    return [CommitOperationDelete(file) for file in there if _SHARD.fullmatch(file) and file not in new]


def _card(text: str, rows: RowShards, written: Counter[str]) -> str:
    """Our text, with YAML about the shards: which files are which split, and their types."""
    card = DatasetCard(text)
    sizes, counts = Counter[str](), Counter[str]()
    for shard in rows.shards:
        sizes[shard.split] += sum(shard.sizes)
        counts[shard.split] += len(shard.sizes)
    splits = SplitDict()
    for split, count in counts.items():
        splits.add(SplitInfo(split, num_bytes=sizes[split], num_examples=count))
    total = {"download_size": written.total(), "dataset_size": sizes.total()}
    known: dict[str, Any] = {}
    DatasetInfosDict({"default": DatasetInfo(features=rows.features, splits=splits, **total)}).to_dataset_card_data(
        known
    )
    card.data["dataset_info"] = known["dataset_info"]
    files = [{"split": split, "path": f"data/{split}-*"} for split in counts]
    card.data["configs"] = [{"config_name": "default", "data_files": files}]
    return str(card)
