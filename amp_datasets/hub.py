"""Publishes a build on the Hugging Face hub. With `hub_source` the only module that uses the network."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from datasets import DatasetDict
from huggingface_hub import DatasetCard, get_token
from huggingface_hub.errors import HfHubHTTPError

from amp_datasets.errors import BuildError
from amp_datasets.ledger import MANIFEST_FILE
from amp_datasets.loading import load
from amp_datasets.workspace import is_build

_T = TypeVar("_T")
_TRIES = 5
_RETRIED = {408, 409, 412, 429, 500, 502, 503, 504}


@dataclass(frozen=True, slots=True)
class PublishReport:
    """What was pushed, or would be."""

    repo: str
    private: bool
    images: dict[str, int]
    megabytes: float
    pushed: bool
    url: str

    def to_json(self) -> dict[str, Any]:
        """As one JSON document."""
        return asdict(self)

    def as_text(self) -> list[str]:
        """The lines that a person reads."""
        counts = ", ".join(f"{n} {split}" for split, n in self.images.items())
        who = "private" if self.private else "public"
        verb = "pushed" if self.pushed else "would push"
        return [f"{verb} {counts} ({self.megabytes:.1f} MB) to the {who} dataset {self.repo}", self.url]


def publish(
    build: str | Path, *, repo: str | None = None, private: bool | None = None, dry_run: bool = False
) -> PublishReport:
    """Push a build's images, rows and card as parquet; the token is the hub's own (login or HF_TOKEN).

    `repo` and `private` default to the manifest's `hub`. Raises BuildError without token, or if the hub refuses.
    """
    folder = Path(build)
    if not is_build(folder):
        raise BuildError("this folder is not a build", where=folder, fix="give the folder that `amp build` wrote")
    manifest = yaml.safe_load((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
    hub = manifest.get("hub") or {}
    name = repo or hub.get("repo")
    if not name:
        raise BuildError("there is no repository to push to", fix="give --repo owner/name, or `hub: {repo: ...}`")
    secret = bool(hub.get("private", True)) if private is None else private
    dataset = load(folder)
    size = sum(path.stat().st_size for path in (folder / "images").rglob("*") if path.is_file()) / 1e6
    counts = {split: len(rows) for split, rows in dataset.items()}
    if not dry_run:
        _push(dataset, folder, name, secret)
    return PublishReport(name, secret, counts, size, not dry_run, f"https://huggingface.co/datasets/{name}")


def _push(dataset: DatasetDict, folder: Path, name: str, private: bool) -> None:
    if get_token() is None:
        raise BuildError("there is no token for the hub", fix="run `hf auth login`, or set HF_TOKEN")
    card = DatasetCard((folder / "README.md").read_text(encoding="utf-8"))
    for key in ("configs", "dataset_info"):  # of the folder; the pushed parquet files get their own
        card.data.__dict__.pop(key, None)
    try:
        _patiently(lambda: dataset.push_to_hub(name, private=private))
        _patiently(lambda: _push_card(card, name))
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise BuildError(
            f"the hub refused: {str(error).splitlines()[0]}",
            where=name,
            fix="check the name and the token's rights; what was uploaded is not uploaded again",
        ) from error


def _push_card(card: DatasetCard, name: str) -> None:
    """Our text with the YAML that push_to_hub wrote about the parquet files."""
    pushed = DatasetCard.load(name)
    card.data.__dict__.update({k: v for k, v in pushed.data.__dict__.items() if k in {"configs", "dataset_info"}})
    card.push_to_hub(name, repo_type="dataset")


def _patiently(action: Callable[[], _T]) -> _T:
    """Try again on what passes by itself: conflicts, rate limits, server errors, lost connections."""
    for attempt in range(_TRIES - 1):
        try:
            return action()
        except HfHubHTTPError as error:
            if error.response.status_code not in _RETRIED:
                raise
        except ConnectionError:
            pass
        time.sleep(2.0**attempt)
    return action()
