"""Which images are masks and previews of others, by the names of their folders and files."""

from __future__ import annotations

import re
from collections.abc import Sequence

from amp_datasets.formats.kit.meaning.folder_words import is_aside, is_for_labels
from amp_datasets.formats.kit.meaning.references import comparable, without_suffix

_OF_OBJECTS = re.compile(r"instances?|semantic|polygons", re.IGNORECASE)
_MASK_SUFFIXES = (".png", ".tif", ".tiff", ".bmp", ".gif")
_ENDING = re.compile(r"(.+)[ _.-]masks?", re.IGNORECASE)


def folders_of_masks(names: Sequence[str]) -> frozenset[str]:
    """The folders called as those of masks and previews, and folders `labels` or `instances` of other images' twins."""
    folders = {name.rpartition("/")[0] for name in names}
    aside = {folder for folder in folders if is_aside(folder)}
    maybe = {folder for folder in folders - aside if is_for_labels(folder) or _OF_OBJECTS.fullmatch(_last(folder))}
    if maybe:
        there = {_stem(name) for name in names if name.rpartition("/")[0] not in aside | maybe}
        alone = {folder for name in names if (folder := name.rpartition("/")[0]) in maybe and not _is_twin(name, there)}
        aside |= maybe - alone
    return frozenset(aside)


def masks_beside(names: Sequence[str]) -> list[str]:
    """The images in folders of images that are called as one of them, with the ending of a mask: `a_mask.png`."""
    found = [(name, match[1]) for name in names if name.lower().endswith(_MASK_SUFFIXES) and (match := _ended(name))]
    known = {comparable(without_suffix(name)) for name in names} if found else set()
    return [name for name, image in found if comparable(image) in known]


def _ended(name: str) -> re.Match[str] | None:
    return _ENDING.fullmatch(without_suffix(name))


def _is_twin(name: str, there: set[str]) -> bool:
    return name.lower().endswith(_MASK_SUFFIXES) and _stem(name) in there


def _last(folder: str) -> str:
    return folder.rpartition("/")[2]


def _stem(name: str) -> str:
    return comparable(without_suffix(name.rpartition("/")[2]))
