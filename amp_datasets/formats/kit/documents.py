"""JSON files of a set, parsed once for all formats that look at them.

Words in the bytes only say which files are worth parsing; what a file is, its structure says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from amp_datasets.errors import AmpError
from amp_datasets.formats.kit.parsing import parse_json
from amp_datasets.storage.folder import Folder

_KEPT = 8
"""So many documents are kept until they are taken; of a set with a file for each image the last ones."""


def json_files(folder: Folder, is_one: Callable[[Any], bool], *words: bytes, head: int | None = None) -> Iterator[str]:
    """The JSON files of a folder that are of one kind, by structure; a SourceError for one that cannot be parsed.

    `words` are what every file of the kind contains, in its first `head` bytes if that is given.
    """
    for file in folder.with_suffix(".json"):
        if may_be(folder, file, *words, head=head) and is_one(json_of(folder, file)):
            yield file


def first_json(
    folder: Folder, is_one: Callable[[Any], bool], *words: bytes, head: int | None = None
) -> tuple[str, AmpError | None] | None:
    """The first JSON file of one kind; where there is none, one that has all the words but cannot be parsed."""
    broken: tuple[str, AmpError] | None = None
    for file in folder.with_suffix(".json"):
        if not may_be(folder, file, *words, head=head):
            continue
        try:
            if is_one(json_of(folder, file)):
                return file, None
        except AmpError as error:
            broken = broken or (file, error)
    return broken


def json_of(folder: Folder, file: str) -> Any:
    """The document in a JSON file, kept for whoever asks next."""
    if file not in folder.documents:
        while len(folder.documents) >= _KEPT:
            del folder.documents[next(iter(folder.documents))]
        folder.documents[file] = parse_json(folder.read(file), folder.path(file))
    return folder.documents[file]


def take_json(folder: Folder, file: str) -> Any:
    """The document in a JSON file, for the last who asks."""
    document = json_of(folder, file)
    del folder.documents[file]
    return document


def may_be(folder: Folder, file: str, *words: bytes, head: int | None = None) -> bool:
    """Whether a file contains all of some words, so that it is worth parsing; False if it cannot be read."""
    try:
        data = folder.read(file) if head is None else folder.head(file, head)
    except AmpError:
        return False
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        data = data.decode("utf-16", errors="replace").encode()
    return all(word in data for word in words)
