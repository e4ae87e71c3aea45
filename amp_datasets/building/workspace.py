"""The place where a build grows: a folder beside the target, which it becomes in one step at the end.

In the work folder of a `GrowingFolder` a build also has
shards/     finished ledger rows
kept-1/ ... tree and shards of a run that was cut off, to be reused
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from datasets import Dataset

from amp_datasets.errors import BuildError
from amp_datasets.ledger.lock import TRAINERS_READ, image_files, is_ours, is_trainers_cache, read_lock
from amp_datasets.ledger.schema import LEDGER_FEATURES, LEDGER_FILE, LOCK_FILE, MADE, MANIFEST_FILE, read_ledger
from amp_datasets.model import SPLITS
from amp_datasets.storage.carry import foreign_files
from amp_datasets.storage.files import all_files
from amp_datasets.storage.remote import LocalCopy, Store
from amp_datasets.storage.target import WORK_INSIDE, GrowingFolder
from amp_datasets.storage.yaml import read_yaml

_SHOWN = 10


def is_build(folder: Path) -> bool:
    """Whether a folder was written by `amp build`."""
    return (folder / LOCK_FILE).is_file() and (folder / LEDGER_FILE).is_file()


def hub_settings(build: Path) -> Mapping[str, Any]:
    """What a build's manifest says of the hub: `repo`, `private`, `license`, as far as it does."""
    settings = read_yaml(build / MANIFEST_FILE).value
    hub = settings.get("hub") if isinstance(settings, dict) else None
    return hub if isinstance(hub, dict) else {}


def made_files(old: Path, new: Path) -> frozenset[str]:
    """What of a build our run made, as its lock and ledger say; `new` is the build that replaces it.

    Where they are damaged, nobody knows: what the new build writes too is taken for ours, and a BuildError lists what
    else lies where trainers would read it.
    """
    caches = set(filter(is_trainers_cache, foreign_files(old, ())))
    try:
        lock = read_lock(old)
        return frozenset({LOCK_FILE, *lock["files"], *image_files(old, lock), *caches})
    except BuildError:
        known = frozenset({LOCK_FILE, LEDGER_FILE, *all_files(new), *caches})
        unknown = [name for name in foreign_files(old, known) if name.startswith(TRAINERS_READ)]
    if unknown and is_build(old):
        listed = ", ".join(unknown[:_SHOWN]) + (" ..." if len(unknown) > _SHOWN else "")
        raise BuildError(
            f"lock or ledger are damaged, so nobody knows whether these are yours: {listed}",
            where=old,
            fix="move them away if you need them, else remove the build; then build again",
        )
    return known


class Workspace(GrowingFolder):
    """The work folder of one build. Use it as a context: it is locked inside, and gone after `publish`."""

    def __init__(self, target: Path) -> None:
        super().__init__(target, check=check_target, made=made_files, seal=LOCK_FILE)
        self.shards = self.root / "shards"

    def is_kept(self) -> bool:
        """Whether finished work of a run that was cut off lies here."""
        return super().is_kept() or any(folder.exists() for folder in (self.tree, *self._kept()))

    def reusable(self) -> dict[str, list[dict[str, Any]]]:
        """Rows of runs that were cut off, and of the build that stands at the target, by the key of their variants.

        Only this user's own runs count: what was shipped may say anything. Each row has its file's present place as
        `held_at`. Call this before `start`.
        """
        self._set_aside()
        rows: dict[str, list[dict[str, Any]]] = {}
        for folder in reversed(self._kept()):
            _add_rows(rows, _shard_rows(folder / "shards"), folder / "tree")
        if is_build(self.target):
            with contextlib.suppress(BuildError):  # a damaged ledger has nothing to offer
                if is_ours(self.target, read_lock(self.target)):
                    _add_rows(rows, read_ledger(self.target), self.target)
        return rows

    def start(self) -> None:
        """Empty folders for a new tree."""
        for split in SPLITS:
            (self.tree / "images" / split).mkdir(parents=True, exist_ok=True)
        self.shards.mkdir(exist_ok=True)

    def _kept(self) -> list[Path]:
        numbered = (path for path in self.root.glob("kept-*") if path.name.removeprefix("kept-").isdecimal())
        return sorted(numbered, key=lambda path: int(path.name.removeprefix("kept-")))

    def _set_aside(self) -> None:
        if not self.tree.exists():  # cut off after the tree became the target: its rows are there
            shutil.rmtree(self.shards, ignore_errors=True)
            return
        numbers = [int(path.name.removeprefix("kept-")) for path in self._kept()]
        kept = self.root / f"kept-{max(numbers, default=0) + 1}"
        kept.mkdir()
        for folder in (self.tree, self.shards):
            if folder.exists():
                folder.rename(kept / folder.name)


def standing_there(address: str, new: Path) -> frozenset[str]:
    """What of a build that stands at an address our run made; a BuildError if something else stands there."""
    names = set(Store(address).listing())
    own = {name for name in names if not name.startswith(".amp-part/")}
    if not own:
        return frozenset()
    if LOCK_FILE not in own:
        half = LEDGER_FILE in own or any(name.startswith(".amp-part/") for name in names)
        if half:  # an upload that was cut off: its files are those of the build that follows
            return frozenset()
        what = "the target is not empty and not a build, so it is left alone"
        raise BuildError(what, where=address, fix="choose another -o")
    copy = LocalCopy(address, at_once=lambda name: name in {LOCK_FILE, LEDGER_FILE})
    return made_files(copy.root, new)


def check_target(target: Path) -> None:
    """Refuse a target that holds anything but an earlier build."""
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise BuildError("the target is a file or a link", where=target, fix="choose another -o")
    if target.is_dir() and any(path.name != WORK_INSIDE for path in target.iterdir()) and not is_build(target):
        raise BuildError(
            "the target is not empty and not a build, so it is left alone", where=target, fix="choose another -o"
        )


def _shard_rows(folder: Path) -> Iterator[Mapping[str, Any]]:
    for file in sorted(folder.glob("shard-*.arrow")):
        with contextlib.suppress(OSError, ValueError):  # what is not a whole shard is made again
            dataset = Dataset.from_file(str(file))
            if dataset.features == LEDGER_FEATURES:
                yield from dataset


def _add_rows(rows: dict[str, list[dict[str, Any]]], found: Iterator[Mapping[str, Any]], tree: Path) -> None:
    """Add rows by key; a key that is there already keeps its rows, they are from a later run.

    Copies of an image have the same keys. The rows of one of them serve all.
    """
    added: dict[str, list[dict[str, Any]]] = {}
    for row in found:
        if row["key"] and row["key"] not in rows:
            group = added.setdefault(row["key"], [])
            if not group or group[0]["source_id"] == row["source_id"]:
                held = str(tree / "images" / row["split"] / row["file_name"]) if row["status"] == MADE else ""
                group.append({**row, "held_at": held})
    rows.update(added)
