"""The label files of a set by their kind: JSON, parsed once for all formats that look at it, XML and plain text.

Words in the bytes only say which files are worth parsing; what a file is, its structure says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any
from xml.etree import ElementTree

from amp_datasets.errors import AmpError, SourceError
from amp_datasets.formats.kit.parsing import first_lines, is_readme, parse_json, parse_text, parse_xml
from amp_datasets.formats.kit.reading import Reading
from amp_datasets.storage.folder import MAX_IMAGE_LABEL_BYTES, Folder

_KEPT = 8
"""So many documents are kept until they are taken; of a set with a file for each image the last ones."""
_LOOKED_AT = 50
"""So many text files are looked at to recognise a format."""


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


def first_xml(folder: Folder, is_one: Callable[[ElementTree.Element], bool]) -> str | None:
    """The first XML of a folder that is of one kind, by its root."""
    for file in folder.with_suffix(".xml"):
        try:
            root = parse_xml(folder.read(file), file)
        except AmpError:
            continue
        if is_one(root):
            return file
    return None


def xml_files(
    reading: Reading, is_one: Callable[[ElementTree.Element], bool]
) -> Iterator[tuple[str, ElementTree.Element]]:
    """Every XML of one kind with its root, noted as read; one that cannot be read drops its image."""
    for file in reading.folder.with_suffix(".xml"):
        try:
            root = parse_xml(reading.folder.read(file), reading.folder.path(file))
        except SourceError as error:
            reading.use(file)
            image = reading.images.of_label_file(file).image
            reading.drop(image or file, "label file cannot be read", f"{file}: {error.what}")
            continue
        if is_one(root):
            reading.use(file)
            yield file, root


def first_text(folder: Folder, is_one: Callable[[Sequence[str]], bool]) -> str | None:
    """The first text file of a folder whose first lines are of one kind; READMEs are none."""
    return next((file for file in _texts(folder)[:_LOOKED_AT] if is_one(first_lines(folder, file))), None)


def text_files(reading: Reading, is_one: Callable[[Sequence[str]], bool], rows: str) -> Iterator[tuple[str, str]]:
    """Every text file and its text, also those of other kinds; one that cannot be read is dropped.

    Raises SourceError where not one is of the kind, which has such `rows`.
    """
    files = _texts(reading.folder)
    if not any(is_one(first_lines(reading.folder, file)) for file in files):
        raise SourceError(f"no text file has rows of {rows}", where=reading.folder.root)
    for file in files:
        try:
            yield file, parse_text(reading.folder.read(file, MAX_IMAGE_LABEL_BYTES), reading.folder.path(file))
        except SourceError as error:
            reading.drop(file, "label file cannot be read", error.what)


def is_called_as_an_image(reading: Reading, file: str) -> bool:
    """Whether there is an image for a label file that has no rows, so that it says that the image shows nothing."""
    stem = file.rpartition("/")[2].rpartition(".")[0]
    return bool(reading.images.resolve(stem, file, own=True).image)


def _texts(folder: Folder) -> list[str]:
    return [file for file in folder.with_suffix(".txt") if not is_readme(file)]
