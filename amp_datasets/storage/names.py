"""Names of files: those that we write, and the one place where a name that came from outside becomes a path.

A ledger, a lock, a parquet or label file may be anybody's. What it calls a file is a name until `inside` made a path of
it, or `Folder` found it in its own listing.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from pathlib import Path, PureWindowsPath
from posixpath import splitext

from amp_datasets.errors import BuildError

_MAX_STEM_BYTES = 120
_MAX_NAME_BYTES = 255
_MAX_PATH_BYTES = 4096
_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069<>:\"/\\|?*%#]+")
_ORDINARY_NAME = re.compile(r"(?:[A-Za-z0-9_][\w .-]{0,200}/){0,8}[A-Za-z0-9_][\w .-]{0,200}", re.ASCII)
_ORDINARY_STEM = re.compile(r"[A-Za-z0-9](?:[\w .-]{0,100}[A-Za-z0-9])?", re.ASCII)


def is_relative_name(name: object) -> bool:
    """Whether something is the name of a file below a folder, on every system: no root, no drive, no way up."""
    if isinstance(name, str) and _ORDINARY_NAME.fullmatch(name):  # nearly all: ten times faster
        return True
    if not isinstance(name, str) or not name or "\\" in name or not _is_text(name) or PureWindowsPath(name).drive:
        return False
    parts = name.split("/")
    fits = len(name.encode()) <= _MAX_PATH_BYTES and all(len(part.encode()) <= _MAX_NAME_BYTES for part in parts)
    return fits and not any(part in {"", ".", ".."} for part in parts)


def is_plain_name(name: object) -> bool:
    """Whether something is the name of a file in a folder itself: not hidden, and no part of an address (`a::b:`)."""
    return isinstance(name, str) and is_relative_name(name) and not set(name) & {"/", ":"} and name[0] != "."


def inside(root: Path, name: object, *, follow: bool = False) -> Path:
    """The path of a name that came from outside, below `root`; a BuildError if it would lead anywhere else.

    Neither by its words nor, unless `follow` says so, by a link on the way. Nothing has to be there yet.
    """
    if not isinstance(name, str) or not is_relative_name(name):
        raise BuildError(f"this is no name of a file inside the folder: {str(name)[:200]!r}", where=root, fix=_DISTRUST)
    path = root / name
    if not follow:
        way = [root.joinpath(*name.split("/")[:count]) for count in range(1, name.count("/") + 2)]
        if any(step.is_symlink() for step in way):
            raise BuildError(f"a link leads away from the folder: {name[:200]!r}", where=root, fix=_DISTRUST)
    return path


_DISTRUST = "get the set again from where it was made; do not use this one"


def _is_text(name: str) -> bool:
    """Whether a name has neither control characters nor halves of characters."""
    return not any(unicodedata.category(letter) in {"Cc", "Cs"} for letter in name)


def safe_stem(source_id: str) -> str:
    """A file's stem without what file systems, shells' globs or our own `__` give a meaning to."""
    stem = splitext(source_id.rpartition("/")[2])[0]
    if _ORDINARY_STEM.fullmatch(stem) and "__" not in stem:  # nearly all: ten times faster
        return stem
    stem = re.sub(
        r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\u200e\u200f<>:\"/\\|?*%#]+",
        "-",
        unicodedata.normalize("NFC", stem),
    )
    stem = re.sub(r"_{2,}", "_", stem).strip(" .-_").lstrip("=+@ .-_") or "image"  # no formula in a table
    return stem.encode()[:_MAX_STEM_BYTES].decode(errors="ignore").rstrip(" .-_")


class FreeStems:
    """Gives every image of a set a file stem of its own, in letters of any case; the one wished for if it is free."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._last: Counter[str] = Counter()

    def take(self, *wishes: str) -> str:
        """The first wish that is free, else the first with a number; it is taken from now on."""
        stem = next((wish for wish in wishes if wish.casefold() not in self._taken), wishes[0])
        while stem.casefold() in self._taken:
            self._last[wishes[0]] += 1
            stem = f"{wishes[0]}-{self._last[wishes[0]] + 1}"
        self._taken.add(stem.casefold())
        return stem
