"""What a label file is by its structure: the elements of an XML, the paths of a JSON, never a word in its bytes.

Only the beginning of a file is looked at, so that a folder of many or of huge files is judged in no time.
"""

from __future__ import annotations

import contextlib
import functools
import re
from xml.etree import ElementTree

from amp_datasets.errors import AmpError
from amp_datasets.storage.folder import Folder

_HEAD_BYTES = 65536
_DEPTH = 6
_DOCTYPE = re.compile(r"<!DOCTYPE[^\[>]*(\[.*?\]\s*)?>", re.IGNORECASE | re.DOTALL)
_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|"[\s\S]*|([{}\[\]:,])|[^\s{}\[\]:,"]+')

Path = tuple[str, ...]
"""The keys from the top of a JSON document down to a value; `[]` stands for any place in a list."""


def json_paths(folder: Folder, name: str, words: tuple[bytes, ...] = ()) -> frozenset[Path]:
    """The paths of a JSON file's beginning, six deep; none for a file that is no JSON or lacks one of the `words`."""
    text = _head(folder, name)
    data = text.encode("utf-8", errors="replace")
    if text[:1] not in ("{", "[") or not all(word in data for word in words):
        return frozenset()
    return paths_of(text)


@functools.lru_cache(maxsize=16)
def paths_of(text: str) -> frozenset[Path]:
    """The paths of a JSON text, which may be cut off anywhere; kept, for every format asks for those of every file."""
    found: set[Path] = set()
    stack: list[str | None] = []  # the key or `[]` that leads on from each open object or list; None: a key is due
    for token in _TOKEN.finditer(text):
        string, mark = token.group(1), token.group(2)
        if mark is not None and mark in "{[":
            stack.append(None if mark == "{" else "[]")
            if mark == "[":
                _note(found, stack)
        elif mark is not None and mark in "}]":
            if not stack:
                break
            stack.pop()
        elif mark == ",":
            if stack and stack[-1] != "[]":
                stack[-1] = None
        elif mark is None and string is not None and stack and stack[-1] is None:
            stack[-1] = string
            _note(found, stack)
        if not stack:
            break
    return frozenset(found)


def xml_elements(folder: Folder, name: str) -> tuple[str, frozenset[str]]:
    """The root element of an XML file, and those directly below it in the file's beginning; empty if it is no XML.

    What follows a mistake is not seen: a damaged file still tells what it was to be.
    """
    text = _DOCTYPE.sub("", re.sub(r"^\s*<\?xml[^>]*\?>", "", _head(folder, name)))
    seen = _Elements()
    parser = ElementTree.XMLParser(target=seen)  # noqa: S314 - its document type is cut off
    with contextlib.suppress(ElementTree.ParseError, ValueError):
        parser.feed(text)
    return seen.root, frozenset(seen.below)


class _Elements:
    """Takes in the events of a parser, and keeps the names of the root and of what is directly below it."""

    def __init__(self) -> None:
        self.root = ""
        self.below: set[str] = set()
        self._depth = 0

    def start(self, tag: str, _attributes: dict[str, str]) -> None:
        """An element begins."""
        self._depth += 1
        if self._depth == 1:
            self.root = tag
        elif self._depth == 2:
            self.below.add(tag)

    def end(self, _tag: str) -> None:
        """An element ends."""
        self._depth -= 1


def _note(found: set[Path], stack: list[str | None]) -> None:
    if len(stack) <= _DEPTH:
        found.add(tuple(key for key in stack if key is not None))


def _head(folder: Folder, name: str) -> str:
    """The beginning of a text file; what cannot be decoded is replaced."""
    try:
        data = folder.head(name, _HEAD_BYTES)
    except AmpError:
        return ""
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    return data.decode(encoding, errors="replace").lstrip()
