"""The commands that `torture.py` disturbs, each with the small folder that it works in."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import datasets
from PIL import Image
from small_builds import write_manifest, write_set

from amp_datasets.building.api import build
from amp_datasets.building.merge import merge
from amp_datasets.exchange.conversion import export, export_zip
from amp_datasets.exchange.hub import publish
from amp_datasets.ledger.replay import replay
from amp_datasets.ledger.schema import read_ledger
from amp_datasets.plugin.discovery import load_formats, load_registry
from amp_datasets.sources.hub import open_hub
from amp_datasets.studio.document import Document
from amp_datasets.view.preview import preview
from amp_datasets.view.report import report

IMAGES = 2
OLD = "filters: {flip: {}}\n"
NEW = "filters: {flip: {}, brightness: {percent: 20}}\n"
REPO = "me/photos"


@dataclass(frozen=True)
class Command:
    """What is run in a folder with `set` and `amp.yaml`, and what has to be at `out` before that."""

    work: Callable[[Path], object]
    before: Callable[[Path], object] = lambda _: None
    wants_empty: bool = False
    """Whether it refuses to run over its own result."""
    single: bool = False
    """Whether its results are single files, each of which comes whole."""
    has_workers: bool = False
    """Whether it may be a worker process that is killed, which the command then tells."""
    in_cache: bool = False
    """Whether its target lies in a cache, where an empty work folder may stay."""

    def run(self, home: Path) -> None:
        """Do it, with the caches in the folder, too."""
        cache = home / "cache"
        os.environ["HF_DATASETS_CACHE"] = datasets.config.HF_DATASETS_CACHE = str(cache)
        self.work(home)


def prepare(home: Path, command: Command) -> None:
    """The folder that a command works in; in a child, for libraries that were used do not bear a fork."""
    home.mkdir()
    os.environ["HF_DATASETS_CACHE"] = datasets.config.HF_DATASETS_CACHE = str(home / "cache")
    write_set(home / "set", IMAGES)
    write_manifest(home / "amp.yaml", ["set"], OLD)
    command.before(home)
    write_manifest(home / "amp.yaml", ["set"], NEW)


def _build(home: Path, *, to: str = "out", lazy: bool = False) -> None:
    build(home / "amp.yaml", out=home / to, jobs=1, lazy=lazy)


def _lazy(home: Path) -> None:
    _build(home, lazy=True)


def _built(home: Path) -> None:
    _build(home, to="built")


def _merge(home: Path) -> None:
    merge([home / "set"], home / "out")


def _export(home: Path) -> None:
    export(home / "set", "yolo", home / "out", load_formats())


def _pack(home: Path) -> None:
    export_zip(home / "set", "yolo", home / "out" / "set.zip", load_formats())


def _rows() -> dict[str, Any]:
    stream = io.BytesIO()
    Image.new("RGB", (32, 24), "red").save(stream, "JPEG")
    rows = {"image": [{"bytes": stream.getvalue(), "path": None}] * 3, "label": [0, 1, 2]}
    types = datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")})
    return {"train": datasets.Dataset.from_dict(rows, features=types).to_iterable_dataset()}


def _fetch(home: Path) -> None:
    """A set from the hub, which is played: a commit, and its rows."""
    api = SimpleNamespace(dataset_info=lambda *_, **__: SimpleNamespace(sha="0" * 40))
    with (
        mock.patch("amp_datasets.sources.hub.HfApi", return_value=api),
        mock.patch("datasets.load_dataset", side_effect=lambda *_, **__: _rows()),
    ):
        open_hub(f"hf://datasets/{REPO}", home / "out")


def _publish(home: Path) -> None:
    """What happens on this machine: all but the upload."""
    publish(home / "out", repo=REPO, dry_run=True)


def _replay(home: Path) -> None:
    names = sorted(str(row["file_name"]) for row in read_ledger(home / "built"))
    replay(home / "built", names[0], home / "out" / "again.jpg")


def _preview(home: Path) -> None:
    preview(home / "amp.yaml").save(home / "out" / "preview.jpg")


def _report(home: Path) -> None:
    report(home / "set").save(home / "out" / "report.html")


def _studio(home: Path) -> None:
    """A setting that is changed in the window."""
    path = home / "out" / "amp.yaml"
    Document(path, (home / "amp.yaml").read_text(), load_registry()).change(("seed",), 11)


COMMANDS = {
    "build": Command(_build),
    "rebuild": Command(_build, before=_build),
    "lazy build": Command(_lazy),
    "merge": Command(_merge, before=_build, has_workers=True),
    "export": Command(_export, wants_empty=True),
    "export --zip": Command(_pack, wants_empty=True),
    "fetch": Command(_fetch, in_cache=True),
    "publish --dry-run": Command(_publish, before=_build),
    "replay": Command(_replay, before=_built, single=True),
    "preview": Command(_preview, single=True),
    "report": Command(_report, single=True),
    "studio": Command(_studio, single=True),
}
