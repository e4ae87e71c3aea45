"""The images and files of a build against ledger and lock, row by row: of a large build only names are held."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from amp_datasets.errors import DAMAGE
from amp_datasets.ledger.expected import Mismatch
from amp_datasets.ledger.keys import text_sha256
from amp_datasets.ledger.schema import LEDGER_FILE
from amp_datasets.rows.schema import count_labels
from amp_datasets.storage.files import file_sha256

_HASHING_THREADS = 4
_AT_ONCE = 256
GONE = "it is gone"


class RowChecks:
    """Looks at one row after the other: each must agree with itself, and no source may be in two splits."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.labels = 0
        self.splits: dict[str, None] = {}
        self.rows: list[Mismatch] = []
        self.leaks: list[Mismatch] = []
        self._first: dict[tuple[str, str], str] = {}

    def look(self, row: Mapping[str, Any]) -> str:
        """Take one row in; the relative name of its image."""
        name = f"images/{row['split']}/{row['file_name']}"
        if name in self.names:
            self.rows.append(Mismatch("ledger", LEDGER_FILE, f"{name} has two lines"))
        self.names.add(name)
        self.splits.setdefault(row["split"])
        self.labels += row["labels_out"]
        if text_sha256(row["labels"]) != row["labels_sha256"]:
            what = f"the labels of {name} are not those that its digest is of"
            self.rows.append(Mismatch("ledger", LEDGER_FILE, what))
        elif _count(row["labels"]) != row["labels_out"]:
            self.rows.append(Mismatch("ledger", LEDGER_FILE, f"{name} is said to have {row['labels_out']} labels"))
        self._look_at_split(row)
        return name

    def _look_at_split(self, row: Mapping[str, Any]) -> None:
        """A source, a copy of it, or one of its split group in two splits would make a test result worthless."""
        for kind in ("source_id", "group", "source_sha256"):
            split = self._first.setdefault((kind, row[kind]), row["split"])
            if split != row["split"]:
                self._first[kind, row[kind]] = row["split"]
                what = f"the {kind} {row[kind]} of {row['file_name']} is in {split} and in {row['split']}"
                self.leaks.append(Mismatch("split leak", LEDGER_FILE, what))


def check_digests(build: Path, expected: Iterable[tuple[str, str]], read: Callable[[], None]) -> Iterator[Mismatch]:
    """Files of a build by name and digest: those that are gone or others; `read` is called after each of them."""
    pending, linked = iter(expected), _Linked(build)
    with ThreadPoolExecutor(_HASHING_THREADS) as pool:
        while group := list(itertools.islice(pending, _AT_ONCE)):  # the pool would take in all of them at once
            paths = [None if linked.holds(name) else build / name for name, _ in group]
            for (name, wanted), found in zip(group, pool.map(_sha256, paths), strict=True):
                read()
                if found != wanted:
                    what = "it is not the file that was written" if len(found) == 64 else found
                    yield Mismatch("missing" if found == GONE else "changed", name, what)


class _Linked:
    """Which folders of a build are reached through a link: what lies there is not in the build."""

    def __init__(self, build: Path) -> None:
        self._build = build
        self._known: dict[str, bool] = {"": False}

    def holds(self, name: str) -> bool:
        """Whether a file's name leads through a link."""
        folder = name.rpartition("/")[0]
        if folder not in self._known:
            self._known[folder] = (self._build / folder).is_symlink() or self.holds(folder)
        return self._known[folder]


def _sha256(path: Path | None) -> str:
    """A file's digest, or why it has none."""
    if path is None:
        return GONE
    try:
        return "a link, which a build never writes" if path.is_symlink() else file_sha256(path)
    except OSError as error:
        is_nothing = not os.path.lexists(path) or (path.is_dir() and not path.is_symlink())
        return GONE if is_nothing else f"it cannot be read: {error.strerror}"


def _count(labels: str) -> int:
    try:
        return count_labels(labels)
    except DAMAGE:
        return -1
