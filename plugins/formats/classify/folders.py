"""A folder for each class: where in a tree the classes are, and whether it is such a tree at all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from amp_datasets.formats.kit.reading import split_name
from amp_datasets.storage.folder import Folder

LISTS = frozenset({"classes.txt", "labels.txt", "class_names.txt"})
"""Lists of classes, one a line, that may lie beside the folders."""

_TEXT = frozenset({"readme", "license", "licence", "changelog", "citation", "requirements"})
_LABEL_FILES = (
    *(".json", ".jsonl", ".geojson", ".xml", ".txt", ".csv", ".tsv", ".parquet", ".arrow", ".yaml", ".yml", ".record"),
    *(".tfrecord", ".tfrecords", ".npy", ".npz", ".mat", ".pkl", ".h5", ".names"),
)
_NO_CLASSES = re.compile(
    r"(jpeg|png|train|val|test)?_?(images?|imgs?|pictures?|photos?|frames?|samples?)(_?\d+)?"
    r"|(semantic_?|instance_?|seg_?)?(labels?|masks?|annotations?|segmentations?|ground_?truth|gt)(_?\d+)?"
    r"|jpegimages|segmentationclass|segmentationobject|data|dataset|default|raw|all|cam(era)?_?\d*|\d{4}-\d\d-\d\d.*",
    re.IGNORECASE,
)
"""Names of folders that say what lies in them, or where it is from, and not which class it is."""
_NUMBERED = re.compile(r"label_?\d+", re.IGNORECASE)
"""Folders that hold masks, or are the classes of a set that only numbers them."""
_VIEWS = frozenset(
    {
        "rgb",
        "depth",
        "disparity",
        "thermal",
        "infrared",
        "nir",
        "ir",
        "normals",
        "flow",
        "gt",
        "semseg",
        "insseg",
        "panseg",
    }
    | {"hr", "lr", "upsampled", "query", "gallery", "bounding", "img8bit", "gtfine", "gtcoarse", "leftimg8bit"}
)
"""Words for another view of the same images, or for their use, in the names of folders that are then no classes."""
_BESIDE_VIEWS = frozenset({"left", "right", "train", "test", "val", "box", "fine", "coarse", "x2", "x3", "x4", "x8"})
_MOST_LOOSE = 0.25
"""So large a share of the images of a tree may lie in no folder of a class."""
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+(?:8bit|\d)?|\d+")
_OF_A_MASK = re.compile(r"(.+)[_-](mask|seg|segmentation|label|gt|annotation)(_?\d+)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an image lies: in which split, and in the folder of which class (None: in none)."""

    split: str | None
    category: str | None


def places(images: Sequence[str]) -> dict[str, Place]:
    """The place of every image in a tree `[above/][split/]class/[below/]image`."""
    parts = {name: PurePosixPath(name).parts[:-1] for name in images}
    paths = _below_all(parts.values())
    split_at = _split_level(paths)
    start = _common(paths) if split_at is None else split_at + 1
    found = {}
    for name, folders in parts.items():
        split = None if split_at is None or len(folders) <= split_at else split_name(folders[split_at])
        found[name] = Place(split, folders[start] if len(folders) > start else None)
    return found


def are_classes(folder: Folder, images: Sequence[str]) -> bool:
    """Whether the folders of a tree can only be classes: two or more, no label file anywhere, no images of masks.

    A few images beside the folders are in no class; where there are many, folders are hardly what tells images apart.
    """
    if any(_may_label(name) for name in folder.files):
        return False
    found = places(images)
    classes = {place.category for place in found.values()}
    loose = sum(place.category is None and place.split is None for place in found.values())
    named = [name for name in classes if name is not None]
    numbered = all(map(_NUMBERED.fullmatch, named)) and not _are_views(found)
    if len(named) < 2 or (any(map(_is_no_class, named)) and not numbered) or _are_split(found):
        return False
    return loose <= _MOST_LOOSE * len(found) and not _has_masks(images)


def _is_no_class(name: str) -> bool:
    """Whether a folder's name says what kind of images lie in it, and not what is to be seen on them."""
    words = {word.lower() for word in _WORD.findall(name)} or {""}
    views = words <= _VIEWS | _BESIDE_VIEWS and bool(words & _VIEWS)
    return bool(_NO_CLASSES.fullmatch(name) or split_name(name)) or views


def _are_views(found: Mapping[str, Place]) -> bool:
    """Whether files in two folders of a split are called the same: then these are about the same images."""
    homes: dict[tuple[str | None, str], set[str | None]] = {}
    for name, place in found.items():
        homes.setdefault((place.split, PurePosixPath(name).stem), set()).add(place.category)
    return any(len(categories) > 1 for categories in homes.values())


def _are_split(found: Mapping[str, Place]) -> bool:
    """Whether the folders of splits lie below those that would be classes: then these are kinds of files."""
    classed = ((name.split("/")[:-1], place.category) for name, place in found.items() if place.category is not None)
    below = (folders[folders.index(category) + 1 :] for folders, category in classed)
    return any(split_name(part) is not None for folders in below for part in folders)


def _below_all(paths: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The paths of folders, less one that all others lie below, whose images are beside the folders of classes."""
    found = list(dict.fromkeys(paths))
    shortest = min(found, key=len, default=())
    below = [path for path in found if path != shortest]
    return below if len(below) > 1 and all(path[: len(shortest)] == shortest for path in below) else found


def _split_level(paths: Sequence[Sequence[str]]) -> int | None:
    """How deep the folders lie that are named after splits: the same for all images, with the same ones above."""
    deepest = min((len(path) for path in paths), default=0)
    for level in range(min(deepest, _common(paths) + 1)):
        if all(split_name(path[level]) is not None for path in paths):
            return level
    return None


def _common(paths: Sequence[Sequence[str]]) -> int:
    """How many folders all paths begin with; of a single class, its own folder is not one of them."""
    levels = list(zip(*paths, strict=False))
    shared = next((n for n, level in enumerate(levels) if len(set(level)) > 1), len(levels))
    return shared - 1 if shared and all(len(path) == shared for path in paths) else shared


def _may_label(name: str) -> bool:
    path = PurePosixPath(name.lower())
    stem = re.split(r"[._-]", path.name)[0]
    return path.suffix in _LABEL_FILES and stem not in _TEXT and path.name not in LISTS


def _has_masks(images: Sequence[str]) -> bool:
    """Whether there are images `x_mask` beside images `x`."""
    stems = {name.rpartition(".")[0] for name in images}
    return any((match := _OF_A_MASK.fullmatch(stem)) is not None and match.group(1) in stems for stem in stems)
