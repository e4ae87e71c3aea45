"""Which files are masks, and of which image each is: by the names of folders, by endings of names, by twins."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from amp_datasets.formats.kit.image_lookup import comparable
from amp_datasets.formats.kit.meaning.references import without_suffix
from amp_datasets.formats.kit.meaning.resolver import Resolver
from amp_datasets.formats.kit.reading import split_name

Kind = Literal["classes", "objects", "each"]
"""What the numbers in a mask are: of classes, of objects, or of nothing, where each file is one object."""

_PREVIEW = re.compile(r"visuali[sz]ation|preview|overlay|colou?r|(^|[^a-z])vi[sz]($|[^a-z])", re.IGNORECASE)
_MASKS = re.compile(
    r"masks?($|[^a-z])|masks?png$|[a-z]masks?$|segmentationclass|^seg(mentation)?s?$|^semantic", re.IGNORECASE
)
_OBJECTS = re.compile(r"segmentationobject|instance", re.IGNORECASE)
_MAYBE = frozenset(
    {"annotation", "annotations", "annot", "annots", "label", "labels", "gt", "groundtruth", "ground_truth"}
)
"""Folders that hold masks if all in them is of a kind that masks are, and images lie elsewhere."""
_SPLIT = re.compile(
    r"(train|training|val|valid|validation|test|dev)[_-]?(annot|annotations|masks?|labels?|gt)", re.IGNORECASE
)
_ENDING = re.compile(
    r"(?P<image>.+?)[ _.-](?:(?:mask|seg|segmentation|label|labels|gt|annotation)(?P<one>[_-]?\d+)?|(?-i:[LP]))",
    re.IGNORECASE,
)
_BEGINNING = re.compile(r"(mask|gt|label|seg|segmentation|annotation)s?[ _.-]+(?P<image>.+)", re.IGNORECASE)
_IMAGE_BEGINNINGS = ("", "image_", "img_", "image", "img")
_ADE20K = re.compile(r"_parts_\d+\.png$", re.IGNORECASE)
"""Beside such files the colours of `_seg.png` are codes of ADE20K, and no classes."""
_LOSSLESS = (".png", ".tif", ".tiff", ".bmp", ".gif")


@dataclass(frozen=True, slots=True)
class MaskFile:
    """A mask, the image that it is of (None: `reason` says why), what its numbers are, and its class if it is known."""

    name: str
    image: str | None
    kind: Kind
    sure: bool = True
    category: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Pairs:
    """The masks of a set, and files that only show them to people."""

    masks: tuple[MaskFile, ...]
    previews: tuple[str, ...] = ()


def find_pairs(names: Sequence[str], root: str) -> Pairs:
    """The masks among the image files of a set whose top folder is called `root`."""
    shows = {folder: _is_preview(folder) for folder in {name.rpartition("/")[0] for name in names}}
    previews = {name for name in names if shows[name.rpartition("/")[0]]}
    shown = [name for name in names if name not in previews]
    if not any(_is_mask_folder(part) for name in previews for part in name.split("/")[:-1]):
        previews, shown = set(), list(names)
    marked = {name: place for name in shown if (place := _place(name)) is not None}
    if not marked:
        exported = _of_labelme(shown)
        return exported if exported.masks else Pairs(tuple(_by_ending(shown) or _twins(shown)))
    images = [name for name in shown if name not in marked]
    marked = _checked(marked, images)
    images = [name for name in shown if name not in marked]
    paired = _Paired(images, marked, root)
    found = {name: paired.pair(name) for name in marked}
    known = {name.rpartition("/")[0] for name, mask in found.items() if mask.image is not None}
    for name, mask in found.items():
        if mask.image is None and name.rpartition("/")[0] not in known:
            found[name] = paired.pair_in_folder(mask)
    return Pairs(tuple(found.values()), tuple(sorted(previews)))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in a path the folder of masks stands, and what its name says."""

    level: int
    kind: Kind
    sure: bool


def _is_preview(folder: str) -> bool:
    return any(_PREVIEW.search(part) for part in folder.split("/"))


def _is_mask_folder(part: str) -> bool:
    return bool(_MASKS.search(part) or _OBJECTS.search(part) or _SPLIT.fullmatch(part))


def _place(name: str) -> _Place | None:
    return _place_of(name.rpartition("/")[0], name.lower().endswith(_LOSSLESS))


@functools.lru_cache(maxsize=4096)
def _place_of(folder: str, lossless: bool) -> _Place | None:
    """What the nearest folder that says so says of the images in a folder, which are `lossless` or not."""
    folders = folder.split("/")
    for level in range(len(folders) - 1, -1, -1):
        part = folders[level]
        if _OBJECTS.search(part):
            return _Place(level, "objects", True)
        if _MASKS.search(part) or _SPLIT.fullmatch(part):
            return _Place(level, "classes", True)
        if part.lower() in _MAYBE and lossless:
            return _Place(level, "classes", False)
    return None


def _checked(marked: dict[str, _Place], images: Sequence[str]) -> dict[str, _Place]:
    """Without folders that are only perhaps of masks where no image elsewhere has a name of theirs."""
    stems = {_stem(name) for name in images}
    return {name: place for name, place in marked.items() if place.sure or not stems.isdisjoint(_meant(name))}


def _meant(name: str) -> list[str]:
    """What an image is called whose mask is called `name`: the same, or so without the ending of a mask."""
    stem = _stem(name)
    ending = _ENDING.fullmatch(without_suffix(name.rpartition("/")[2]))
    return [stem, comparable(ending["image"])] if ending else [stem]


class _Paired:
    """Finds the image of each mask in folders of their own."""

    def __init__(self, images: Sequence[str], marked: dict[str, _Place], root: str) -> None:
        self._marked = marked
        self._resolver = Resolver(images, root)
        self._words = {part.lower() for name in images for part in name.split("/")[:-1]}
        self._beside: dict[str, list[str]] = {}
        for name in images:
            folder = name.rpartition("/")[0]
            above = folder.rpartition("/")[0]
            for place in {folder, above}:
                self._beside.setdefault(place, []).append(name)

    def pair(self, name: str) -> MaskFile:
        """A mask with its image."""
        place = self._marked[name]
        *folders, file = name.split("/")
        inner = [part for part in folders[place.level + 1 :] if split_name(part) is None]
        category = inner[0] if len(inner) == 1 and inner[0].lower() not in self._words else None
        split = _SPLIT.fullmatch(folders[place.level])
        below = [part for part in folders[place.level + 1 :] if part != category]
        near = "/".join([*folders[: place.level], split.group(1) if split else "labels", *below])
        stem = without_suffix(file)
        ending, beginning = _ENDING.fullmatch(stem), _BEGINNING.fullmatch(stem)
        others = [ending["image"]] if ending else []
        others += [f"{start}{beginning['image']}" for start in _IMAGE_BEGINNINGS] if beginning else []
        for wanted in [stem, *others]:
            found = self._resolver.resolve(wanted, f"{near}/{file}", own=True)
            if found.image is not None:
                kind: Kind = "each" if wanted != stem and ending and ending["one"] else place.kind
                return MaskFile(name, found.image, kind, place.sure, category)
        return MaskFile(name, None, place.kind, place.sure, category, f"{found.reason}|{found.detail}")

    def pair_in_folder(self, mask: MaskFile) -> MaskFile:
        """A mask whose folder names no image, with the one image beside that folder: then it is of one object."""
        folders = mask.name.split("/")[: self._marked[mask.name].level]
        beside = self._beside.get("/".join(folders), []) if folders else []
        return MaskFile(mask.name, beside[0], "each", mask.sure) if len(beside) == 1 else mask


def _of_labelme(names: Sequence[str]) -> Pairs:
    """What `labelme_export_json` makes of each file: a folder with `img.png`, `label.png` and `label_viz.png`."""
    known = frozenset(names)
    places = [name[: -len("label.png")] for name in names if name.rpartition("/")[2] == "label.png"]
    found = [place for place in places if f"{place}img.png" in known]
    masks = tuple(MaskFile(f"{place}label.png", f"{place}img.png", "classes") for place in found)
    return Pairs(masks, tuple(name for place in found if (name := f"{place}label_viz.png") in known))


def _by_ending(names: Sequence[str]) -> list[MaskFile]:
    """Masks beside their images, called as these with an ending: `a.jpg` and `a_mask.png`."""
    lossless = [name for name in names if name.lower().endswith(_LOSSLESS)]
    if any(_ADE20K.search(name) for name in lossless):
        return []
    known = {comparable(without_suffix(name)): name for name in names} if lossless else {}
    found = []
    for name in lossless:
        folder, slash, file = name.rpartition("/")
        match = _ENDING.fullmatch(without_suffix(file))
        image = known.get(comparable(f"{folder}{slash}{match['image']}")) if match else None
        if match is not None and image is not None and image != name:
            found.append(MaskFile(name, image, "each" if match["one"] else "classes"))
    return found


def _twins(names: Sequence[str]) -> list[MaskFile]:
    """Masks that are called as their images: each PNG of a folder of photographs has a JPEG beside it."""
    others = [name for name in names if not name.lower().endswith((".jpg", ".jpeg"))]
    if not others:
        return []
    photos = {without_suffix(name): name for name in names if name.lower().endswith((".jpg", ".jpeg"))}
    if not all(name.lower().endswith(".png") and without_suffix(name) in photos for name in others):
        return []
    return [MaskFile(name, photos[without_suffix(name)], "classes", sure=False) for name in others]


def _stem(name: str) -> str:
    return comparable(without_suffix(name.rpartition("/")[2]))
