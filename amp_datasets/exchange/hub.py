"""Publishes a build on the Hugging Face hub: what is pushed under which name, and who may see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

from amp_datasets.building.cards.card import SHEET
from amp_datasets.building.hub import opened, push_files, refusals_told
from amp_datasets.building.workspace import hub_settings, is_build
from amp_datasets.errors import BuildError
from amp_datasets.exchange.hub_push import push_rows
from amp_datasets.exchange.shards import MAX_SHARD_MB, RowShards
from amp_datasets.ledger.lock import image_files, read_lock
from amp_datasets.ledger.schema import LEDGER_FILE, LOCK_FILE, MANIFEST_FILE
from amp_datasets.ledger.verify import verify
from amp_datasets.loading.lazy import is_lazy
from amp_datasets.loading.load import load
from amp_datasets.progress import Progress, silent
from amp_datasets.storage.names import inside
from amp_datasets.storage.remote import here

_MOST_SHARD_MB = 5000
_PROVENANCE = (MANIFEST_FILE, LEDGER_FILE, LOCK_FILE)


@dataclass(frozen=True, slots=True)
class PublishReport:
    """What was pushed, or would be; `files` is every file that leaves this machine as it is."""

    repo: str
    private: bool
    images: dict[str, int]
    megabytes: float
    pushed: bool
    url: str
    lazy: bool = False
    files: tuple[str, ...] = ()
    shards: int = 0
    """Parquet files that hold the rows with their images; none for a lazy set."""

    def to_json(self) -> dict[str, Any]:
        """As one JSON document."""
        return asdict(self)

    def as_text(self) -> list[str]:
        """The lines that a person reads."""
        counts = ", ".join(f"{n} {split}" for split, n in self.images.items())
        who = "private" if self.private else "public"
        verb = "pushed" if self.pushed else "would push"
        what = f"sources for {counts}" if self.lazy else counts
        lines = [f"{verb} {what} ({self.megabytes:.1f} MB) to the {who} dataset {self.repo}", self.url]
        lines += [f"parquet files with the images inside: {self.shards}"] if self.shards else []
        return lines if self.pushed else [*lines, *(f"    {file}" for file in self.files)]


def publish(
    build: str | Path,
    *,
    repo: str | None = None,
    private: bool | None = None,
    dry_run: bool = False,
    max_shard_mb: int = MAX_SHARD_MB,
    progress: Progress = silent,
) -> PublishReport:
    """Push a build: its rows with their images as parquet, card, manifest, ledger and lock; a lazy set as its folder.

    The parquet files hold at most `max_shard_mb` of images each. They are written and uploaded one by one, and all of
    them become visible by one commit at the end. A push that was cut off is begun again by the same call: what the hub
    has got already is not uploaded again. `load_dataset(repo)` then gives what `amp.load(build)` gives.

    The token is the hub's own (login or HF_TOKEN). `repo` and `private` default to the manifest's `hub`. Raises
    BuildError without token, if the hub refuses, or if a set that is to be private would go where everybody looks.
    """
    if not 1 <= max_shard_mb <= _MOST_SHARD_MB:
        what = f"a parquet file holds 1 to {_MOST_SHARD_MB} MB of images (got {max_shard_mb})"
        raise BuildError(what, fix="the hub advises about 500")
    folder = here(build, whole=True)
    if not is_build(folder):
        raise BuildError("this folder is not a build", where=folder, fix="give the folder that `amp build` wrote")
    progress("verifying the build", 0, 2)
    files = _whole_files(folder)
    hub = hub_settings(folder)
    name = _checked_name(repo or hub.get("repo"))
    hidden = bool(hub.get("private", True)) if private is None else private
    dataset = load(folder)
    lazy = is_lazy(folder)
    rows = None if lazy else RowShards(dataset, max_shard_mb * 10**6, read_lock(folder)["categories"])
    size = sum(inside(folder, file).stat().st_size for file in files) / 1e6
    counts = {split: len(rows) for split, rows in dataset.items()}
    progress("pushing", 1, 2)
    if not dry_run:
        hidden = _push(rows, folder, name, hidden, files, progress)
    progress("pushing", 2, 2)
    url = f"{HfApi().endpoint}/datasets/{name}"
    count = 0 if rows is None else len(rows.shards)
    return PublishReport(name, hidden, counts, size, not dry_run, url, lazy, tuple(files), count)


def _whole_files(folder: Path) -> list[str]:
    """The files that a push is made of, each what lock and ledger say; a BuildError if one of them is not.

    What else lies in the folder stays here, and so does what a link leads to.
    """
    lock = read_lock(folder)
    faults = [f for f in verify(folder).findings if f.rule != "not ours"]
    if faults:
        what = f"this is not what was built: {faults[0].file}: {faults[0].what}"
        raise BuildError(what, where=folder, fix="`amp verify` says all; build it again, then publish")
    listed = (
        {LOCK_FILE, *lock["files"]} if lock["lazy"] else {*_provenance(lock), "README.md", *image_files(folder, lock)}
    )
    return sorted(listed)


def _provenance(lock: Mapping[str, Any]) -> list[str]:
    """What is pushed beside the rows: where they come from, and the sheet that the card shows."""
    return [*_PROVENANCE, *(name for name in (SHEET,) if name in lock["files"])]


def _checked_name(name: str | None) -> str:
    if not name:
        raise BuildError("there is no repository to push to", fix="give --repo owner/name, or `hub: {repo: ...}`")
    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise BuildError(f"`{name}` is no repository's name: {error}", fix="give --repo owner/name") from error
    return name


def _push(
    rows: RowShards | None, folder: Path, name: str, private: bool, files: Sequence[str], progress: Progress
) -> bool:
    """Push the rows of a build, or without rows these files of the folder. Whether the dataset is private in fact."""
    with refusals_told(name):
        api, is_private = opened(name, private=private)
        if rows is None:
            push_files(api, name, folder, files, (), progress)
        else:
            push_rows(api, name, rows, folder, _provenance(read_lock(folder)), progress)
    return is_private
