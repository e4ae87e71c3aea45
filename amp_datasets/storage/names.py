"""Names of the files that we write."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from posixpath import splitext

_MAX_STEM_BYTES = 120
_ORDINARY_STEM = re.compile(r"[A-Za-z0-9](?:[\w .-]{0,100}[A-Za-z0-9])?", re.ASCII)


def safe_stem(source_id: str) -> str:
    """A file's stem without what file systems, shells' globs or our own `__` give a meaning to."""
    stem = splitext(source_id.rpartition("/")[2])[0]
    if _ORDINARY_STEM.fullmatch(stem) and "__" not in stem:  # nearly all: ten times faster
        return stem
    stem = re.sub(r"[\x00-\x1f\x7f<>:\"/\\|?*%#]+", "-", unicodedata.normalize("NFC", stem))
    stem = re.sub(r"_{2,}", "_", stem).strip(" .-_") or "image"
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
