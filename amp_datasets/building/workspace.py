"""The place where a build grows: a hidden folder beside the target, which it becomes by one rename at the end.

.NAME.amp-work/
lock        held while a build runs; its text names the owner
tree/       the build, as far as it is
shards/     finished ledger rows
kept-1/ ... tree and shards of a run that was cut off, to be reused
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from datasets import Dataset
from filelock import FileLock, Timeout

from amp_datasets.errors import BuildError
from amp_datasets.ledger.schema import LEDGER_FEATURES, LEDGER_FILE, LOCK_FILE, MADE, read_ledger
from amp_datasets.model import SPLITS


def is_build(folder: Path) -> bool:
    """Whether a folder was written by `amp build`."""
    return (folder / LOCK_FILE).is_file() and (folder / LEDGER_FILE).is_file()


class Workspace:
    """The work folder of one target. Use it as a context: it is locked inside, and gone after `publish`."""

    def __init__(self, target: Path) -> None:
        self.target = Path(os.path.abspath(target))  # noqa: PTH100 - resolve() would follow a link that is the target
        self.root = self.target.with_name(f".{self.target.name}.amp-work")
        self.tree = self.root / "tree"
        self.shards = self.root / "shards"
        self._lock = FileLock(self.root / "lock")

    def __enter__(self) -> Workspace:
        check_target(self.target)
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
            (self.root / "owner").write_text(f"process {os.getpid()} on {platform.node()}\n", encoding="utf-8")
            self._restore()
        except Timeout as error:
            raise BuildError(
                f"another build is writing here ({self._owner()})", where=self.target, fix="wait for it, or stop it"
            ) from error
        except OSError as error:
            self._lock.release()
            raise BuildError(
                f"the target cannot be written: {error.strerror or error}",
                where=self.root.parent,
                fix="free some space or choose another -o",
            ) from error
        return self

    def __exit__(self, *_: object) -> None:
        if not any(folder.exists() for folder in (self.tree, *self._kept())):
            shutil.rmtree(self.root, ignore_errors=True)
        self._lock.release()

    def reusable(self) -> dict[str, list[dict[str, Any]]]:
        """Rows of runs that were cut off, and of the build that stands at the target, by the key of their variants.

        Each row has its file's present place as `held_at`. Call this before `start`.
        """
        self._set_aside()
        rows: dict[str, list[dict[str, Any]]] = {}
        for folder in reversed(self._kept()):
            _add_rows(rows, _shard_rows(folder / "shards"), folder / "tree")
        if is_build(self.target):
            with contextlib.suppress(BuildError):  # a damaged ledger has nothing to offer
                _add_rows(rows, read_ledger(self.target), self.target)
        return rows

    def start(self) -> None:
        """Empty folders for a new tree."""
        for split in SPLITS:
            (self.tree / "images" / split).mkdir(parents=True, exist_ok=True)
        self.shards.mkdir(exist_ok=True)

    def publish(self) -> None:
        """Put the finished tree in the target's place; an earlier build there goes away last."""
        old = self.root / "replaced"
        try:
            if self.target.exists():
                self.target.rename(old)
            self.tree.rename(self.target)
        except OSError as error:
            self._restore()
            raise BuildError(f"the build cannot be put in place: {error.strerror}", where=self.target) from error
        shutil.rmtree(self.root, ignore_errors=True)

    def discard(self) -> None:
        """Remove everything but the target."""
        shutil.rmtree(self.root, ignore_errors=True)

    def _restore(self) -> None:
        """If a run was cut off between the two renames of `publish`, the earlier build comes back."""
        old = self.root / "replaced"
        if old.exists():
            if self.target.exists():
                shutil.rmtree(old, ignore_errors=True)
            else:
                old.rename(self.target)

    def _kept(self) -> list[Path]:
        return sorted(self.root.glob("kept-*"), key=lambda path: int(path.name.removeprefix("kept-")))

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

    def _owner(self) -> str:
        with contextlib.suppress(OSError):
            return (self.root / "owner").read_text(encoding="utf-8").strip()
        return "its owner is not known"


def check_target(target: Path) -> None:
    """Refuse a target that holds anything but an earlier build."""
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise BuildError("the target is a file or a link", where=target, fix="choose another -o")
    if target.is_dir() and any(target.iterdir()) and not is_build(target):
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

    Copies of a image have the same keys. The rows of one of them serve all.
    """
    added: dict[str, list[dict[str, Any]]] = {}
    for row in found:
        if row["key"] and row["key"] not in rows:
            group = added.setdefault(row["key"], [])
            if not group or group[0]["source_id"] == row["source_id"]:
                held = str(tree / "images" / row["split"] / row["file_name"]) if row["status"] == MADE else ""
                group.append({**row, "held_at": held})
    rows.update(added)
