"""Publishes a build on the Hugging Face hub. With `hub_source` the only module that uses the network."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from datasets import DatasetDict
from huggingface_hub import CommitOperationAdd, DatasetCard, HfApi, get_token
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

from amp_datasets.building.cards.card import SHEET
from amp_datasets.building.workspace import is_build
from amp_datasets.errors import BuildError
from amp_datasets.ledger.lock import image_files, read_lock
from amp_datasets.ledger.schema import LEDGER_FILE, LOCK_FILE, MANIFEST_FILE
from amp_datasets.ledger.verify import verify
from amp_datasets.loading.lazy import is_lazy
from amp_datasets.loading.load import load
from amp_datasets.progress import Progress, silent
from amp_datasets.storage.names import inside
from amp_datasets.storage.remote import here
from amp_datasets.storage.yaml import read_yaml

_T = TypeVar("_T")
_TRIES = 5
_RETRIED = {408, 409, 412, 429, 500, 502, 503, 504}
_HttpError: Any = HfHubHTTPError.__bases__[0]
"""What the HTTP library raises; which library that is changes between versions of the hub's client."""

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
        return lines if self.pushed else [*lines, *(f"    {file}" for file in self.files)]


def publish(
    build: str | Path,
    *,
    repo: str | None = None,
    private: bool | None = None,
    dry_run: bool = False,
    progress: Progress = silent,
) -> PublishReport:
    """Push a build: its images and rows as parquet, its card, manifest, ledger and lock; a lazy set as its folder.

    The token is the hub's own (login or HF_TOKEN). `repo` and `private` default to the manifest's `hub`. Raises
    BuildError without token, if the hub refuses, or if a set that is to be private would go where everybody looks.
    """
    folder = here(build, whole=True)
    if not is_build(folder):
        raise BuildError("this folder is not a build", where=folder, fix="give the folder that `amp build` wrote")
    progress("verifying the build", 0, 2)
    files = _whole_files(folder)
    settings = read_yaml(folder / MANIFEST_FILE).value
    hub = settings.get("hub") or {} if isinstance(settings, dict) else {}
    name = _checked_name(repo or hub.get("repo"))
    hidden = bool(hub.get("private", True)) if private is None else private
    dataset = load(folder)
    lazy = is_lazy(folder)
    size = sum(inside(folder, file).stat().st_size for file in files) / 1e6
    counts = {split: len(rows) for split, rows in dataset.items()}
    progress("pushing", 1, 2)
    if not dry_run:
        hidden = _push(None if lazy else dataset, folder, name, hidden, files)
    progress("pushing", 2, 2)
    url = f"{HfApi().endpoint}/datasets/{name}"
    return PublishReport(name, hidden, counts, size, not dry_run, url, lazy, tuple(files))


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


def _push(dataset: DatasetDict | None, folder: Path, name: str, private: bool, files: Sequence[str]) -> bool:
    """Push the rows of a build, or without rows these files of the folder. Whether the dataset is private in fact.

    One that is there already stays as private as it is: nothing is shown to everybody by a push.
    """
    if get_token() is None:
        raise BuildError("there is no token for the hub", fix="run `hf auth login`, or set HF_TOKEN")
    api = HfApi()
    try:
        _patiently(lambda: api.create_repo(name, repo_type="dataset", private=private, exist_ok=True))
        is_private = bool(_patiently(lambda: api.dataset_info(name)).private)
        if private and not is_private:
            raise BuildError(
                "this dataset is there already, and public", where=name, fix="choose another --repo, or give --public"
            )
        if dataset is None:
            operations = [CommitOperationAdd(file, inside(folder, file)) for file in files]
            message = "Upload the lazy set"
            _patiently(lambda: api.create_commit(name, operations, commit_message=message, repo_type="dataset"))
        else:
            _patiently(lambda: dataset.push_to_hub(name, private=is_private))
            _patiently(lambda: _push_card(api, folder, name))
    except (_HttpError, OSError, ValueError) as error:
        raise BuildError(
            f"the hub refused: {(str(error) or type(error).__name__).splitlines()[0]}",
            where=name,
            fix="check the name, the network and the token's rights; what was uploaded is not uploaded again",
        ) from error
    return is_private


def _push_card(api: HfApi, folder: Path, name: str) -> None:
    """Our text with the YAML that push_to_hub wrote about the parquet files, and what the text speaks of."""
    card = DatasetCard((folder / "README.md").read_text(encoding="utf-8"))
    pushed = DatasetCard.load(name)
    for key in ("configs", "dataset_info"):  # the folder's own are about files that are not pushed
        card.data.pop(key, None)
        if pushed.data.get(key) is not None:
            card.data[key] = pushed.data[key]
    files = [CommitOperationAdd(path, folder / path) for path in _provenance(read_lock(folder))]
    files.append(CommitOperationAdd("README.md", str(card).encode()))
    api.create_commit(name, files, commit_message="Describe the dataset", repo_type="dataset")


def _patiently(action: Callable[[], _T]) -> _T:
    """Try again on what passes by itself: conflicts, rate limits, server errors, lost connections."""
    for attempt in range(_TRIES - 1):
        try:
            return action()
        except HfHubHTTPError as error:
            if error.response.status_code not in _RETRIED:
                raise
        except (_HttpError, ConnectionError, TimeoutError):
            pass
        time.sleep(2.0**attempt)
    return action()
