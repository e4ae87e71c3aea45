"""Which text files of a tree are YOLO label files, and of which images."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from amp_datasets.errors import AmpError
from amp_datasets.formats.kit.image_lookup import ImageLookup, Resolution
from amp_datasets.formats.kit.meaning.class_lists import is_class_list
from amp_datasets.formats.kit.reading import first_lines, is_number, is_readme, parse_text
from amp_datasets.storage.folder import Folder

_SAMPLE = 200
"""How many label files of a folder are looked into to tell whether they have rows."""
_MAX_CLASS = 10_000
_KITTI_VALUES = 15
_FAR = 2.0
"""A share this large is no share."""


@dataclass(frozen=True, slots=True)
class LabelFiles:
    """Label files with the images that each is for (several, where they are called the same), and those without one."""

    images: dict[str, tuple[str, ...]] = field(default_factory=dict)
    orphans: dict[str, Resolution] = field(default_factory=dict)
    loose: frozenset[str] = frozenset()
    """Those whose own image may be another, which is not there."""


def find_label_files(
    folder: Folder, images: ImageLookup, lists: Collection[str] = (), *, described: bool = False
) -> LabelFiles:
    """The label files of a tree without the `lists` of splits.

    A folder of text files holds labels if one of them begins with a row; with a data.yaml (`described`) also if its
    files are called as images are, whatever is in them, unless it is a row of another format that has a data.yaml too.
    """
    found, orphans, loose = dict[str, tuple[str, ...]](), dict[str, Resolution](), set[str]()
    for file in folder.with_suffix(".txt"):
        bare = file.rpartition("/")[2]
        if file in lists or is_readme(bare) or is_class_list(bare):
            continue
        meant = images.of_label_file(file)
        if meant.image is not None:
            found[file] = (meant.image,)
            if meant.loose:
                loose.add(file)
        elif meant.candidates and len({posixpath.splitext(name)[0] for name in meant.candidates}) == 1:
            found[file] = meant.candidates
        else:
            orphans[file] = meant
    with_rows = {place for place, files in _by_folder(found) if any(has_rows(folder, file) for file in files[:_SAMPLE])}
    if with_rows or described:
        with_rows.update(
            place
            for place, files in _by_folder(found)
            if (described and not _are_of_another(folder, files)) or _are_empty(folder, files)
        )
    return LabelFiles(
        {file: meant for file, meant in found.items() if file.rpartition("/")[0] in with_rows},
        {
            file: meant
            for file, meant in orphans.items()
            if (file.rpartition("/")[0] in with_rows or "labels" in file.split("/")) and has_rows(folder, file)
        },
        frozenset(loose),
    )


def has_rows(folder: Folder, label: str) -> bool:
    """Whether the first row of a label file is one; False for an empty file, which proves nothing."""
    try:
        head = folder.head(label, 4096)
        text = parse_text(head.rpartition(b"\n")[0] or head, label)
        parts = next((parts for row in text.split("\n") if (parts := row.replace(",", " ").split())), [])
        number = class_number(parts[0]) if len(parts) >= 5 and not _is_of_another(parts) else None
        return number is not None and number < _MAX_CLASS and all(abs(float(value)) <= _FAR for value in parts[1:5])
    except (AmpError, ValueError):
        return False


def class_number(text: str) -> int | None:
    """The number of a class; None for a text that is none."""
    try:
        return int(float(text))
    except (ValueError, OverflowError):
        return None


def _by_folder(files: Collection[str]) -> Iterator[tuple[str, list[str]]]:
    places: dict[str, list[str]] = {}
    for file in files:
        places.setdefault(file.rpartition("/")[0], []).append(file)
    yield from places.items()


def _are_of_another(folder: Folder, files: Collection[str]) -> bool:
    """Whether the first row that is found in some files is one of another format."""
    rows = (next((line.split() for line in first_lines(folder, file, 4096)), []) for file in files)
    return _is_of_another(next(filter(None, rows), []))


def _is_of_another(parts: list[str]) -> bool:
    """Whether a row is DOTA's, as of Roboflow's oriented boxes, or KITTI's."""
    numbers = [is_number(part) for part in parts]
    dota = len(parts) > 8 and all(numbers[:8]) and not numbers[8]
    kitti = len(parts) >= _KITTI_VALUES and not numbers[0] and all(numbers[1:_KITTI_VALUES])
    return dota or kitti or (bool(parts) and parts[0].lower().startswith(("imagesource:", "gsd:")))


def _are_empty(folder: Folder, files: Collection[str]) -> bool:
    """Whether nothing stands in some files, as in those of background images."""
    try:
        return not any(folder.head(file, 4096).strip() for file in files)
    except AmpError:
        return False
