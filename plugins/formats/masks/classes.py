"""What the numbers and colours of masks mean: the lists of classes that tools write beside them."""

from __future__ import annotations

import csv
import io
import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from amp_datasets.errors import AmpError
from amp_datasets.formats.kit.parsing import parse_json, parse_text
from amp_datasets.images.label_image import packed
from amp_datasets.storage.folder import Folder

BACKGROUND = re.compile(r"_*(background|bg|void|ignore|ignored|unlabel+ed|none)_*", re.IGNORECASE)
"""Names of what is no class."""
VOC = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog"),
    *("horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
"""Pascal VOC's own classes: number 1 is the first."""
VOC_VOID_COLOUR = 0xE0E0C0
"""The colour of pixels in Pascal VOC's masks of which nobody says what they are."""
_PLAIN = ("classes.txt", "labels.txt", "class_names.txt", "label_names.txt", "codes.txt", "obj.names")
_COLOUR_ROW = re.compile(r"\s*(\d{1,3})[\s,]+(\d{1,3})[\s,]+(\d{1,3})[\s,]+(.*[^\W\d_].*?)\s*")
_MAX_BYTES = 2**24


@dataclass(frozen=True, slots=True)
class MaskClasses:
    """Names by number and by colour (an empty name is no class), from which file, and if numbers were counted here."""

    file: str
    by_value: dict[int, str] = field(default_factory=dict)
    by_colour: dict[int, str] = field(default_factory=dict)
    counted: bool = False

    @property
    def names(self) -> list[str]:
        """The classes in order."""
        found = [*self.by_value.values(), *self.by_colour.values()]
        return [name for name in dict.fromkeys(found) if name]


def mask_classes(folder: Folder, first_value: int) -> list[MaskClasses]:
    """All lists of classes in a set that numbers or colours of masks can be of."""
    return list(_lists(folder, first_value))


def nearest(lists: Iterable[MaskClasses], mask: str) -> MaskClasses | None:
    """The list in the folder of a mask, or above it, or else the only one of the set."""
    known = list(lists)
    place = posixpath.dirname(mask)
    while True:
        here = [each for each in known if posixpath.dirname(each.file) == place]
        if here:
            return max(here, key=lambda each: (bool(each.by_colour), not each.counted))
        if not place:
            return known[0] if len(known) == 1 else None
        place = posixpath.dirname(place)


def _lists(folder: Folder, first_value: int) -> Iterator[MaskClasses]:
    for file in folder.with_suffix(".txt", ".csv", ".names", "dataset_meta.json"):
        try:
            found = _list_of(folder, file, first_value)
        except (AmpError, csv.Error, ValueError, KeyError, TypeError, AttributeError):
            continue  # another kind of file
        if found is not None and found.names:
            yield found


def _list_of(folder: Folder, file: str, first_value: int) -> MaskClasses | None:
    bare = posixpath.basename(file).lower()
    if bare == "dataset_meta.json":
        return _datumaro(file, parse_json(folder.read(file, _MAX_BYTES), file))
    text = parse_text(folder.read(file, _MAX_BYTES), file)
    if bare.endswith(".csv"):
        return _table(file, text)
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if bare == "labelmap.txt":
        return _labelmap(file, lines)
    rows = [_COLOUR_ROW.fullmatch(line) for line in lines if not line.startswith("#")]
    if rows and all(rows):
        entries = [(row[4], packed(*(int(row[n]) for n in (1, 2, 3)))) for row in rows if row is not None]
        return _coloured(file, entries)
    return _plain(file, lines, first_value) if bare in _PLAIN else None


def _labelmap(file: str, lines: list[str]) -> MaskClasses:
    """CVAT's `label:color_rgb:parts:actions`; a class may have no colour."""
    entries = []
    for line in (line for line in lines if not line.startswith("#")):
        name, colour = (*line.split(":"), "")[:2]
        numbers = [int(number) for number in colour.split(",")] if colour.strip() else []
        entries.append((name.strip(), packed(*numbers) if len(numbers) == 3 else None))
    if any(colour is None for _, colour in entries):
        return _numbered(file, [name for name, _ in entries])
    return _coloured(file, [(name, colour) for name, colour in entries if colour is not None])


def _coloured(file: str, entries: list[tuple[str, int]]) -> MaskClasses:
    """Names with colours; in gray masks the numbers are places in the list."""
    by_colour = {colour: _named(name) if colour else "" for name, colour in entries}
    return MaskClasses(file, _numbered(file, [name for name, _ in entries]).by_value, by_colour)


def _numbered(file: str, names: list[str]) -> MaskClasses:
    """Names that are numbered by their places; background that is not first stands for 0 all the same."""
    first = 0 if names and BACKGROUND.fullmatch(names[0]) else 1
    return MaskClasses(file, {number: _named(name) for number, name in enumerate(names, start=first)})


def _plain(file: str, lines: list[str], first_value: int) -> MaskClasses:
    """One name a line. `__ignore__` before the background is labelme's -1; without a background, 0 may be a class."""
    names = lines[1:] if lines[:1] == ["__ignore__"] else lines
    if names and BACKGROUND.fullmatch(names[0]):
        return _numbered(file, names)
    if any(
        map(BACKGROUND.fullmatch, names)
    ):  # no class has its own place, so that all numbers are places: CamVid's Void
        first_value = 0
    return MaskClasses(file, {n: _named(name) for n, name in enumerate(names, start=first_value)}, counted=True)


def _table(file: str, text: str) -> MaskClasses | None:
    """`name,r,g,b` (CamVid on Kaggle), or `Pixel Value, Class` (Roboflow)."""
    rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text)) if row]
    header = [cell.lower() for cell in rows[0]] if rows else []
    if header == ["name", "r", "g", "b"]:
        return _coloured(file, [(row[0], packed(*map(int, row[1:4]))) for row in rows[1:]])
    if header == ["pixel value", "class"]:
        return MaskClasses(file, {int(row[0]): _named(row[1]) for row in rows[1:]})
    return None


def _datumaro(file: str, document: Any) -> MaskClasses:
    """`label_map`: number to name; `segmentation_colors`: a colour for each number."""
    names = {int(number): str(name) for number, name in document["label_map"].items()}
    colours = document.get("segmentation_colors") or []
    by_colour = {packed(*map(int, colour)): _named(names[n]) for n, colour in enumerate(colours) if n in names}
    return MaskClasses(file, {number: _named(name) for number, name in names.items()}, by_colour)


def _named(name: str) -> str:
    return "" if BACKGROUND.fullmatch(name) else name


def palette_colour(number: int) -> tuple[int, int, int]:
    """Pascal VOC's colour of a number: its bits, the lowest first, are in turn the highest of R, G and B."""
    channels = [0, 0, 0]
    for bit in range(8):
        channels[bit % 3] |= (number >> bit & 1) << (7 - bit // 3)
    return channels[0], channels[1], channels[2]


def voc_colours() -> dict[int, str]:
    """Pascal VOC's own classes by their colours (65536 R + 256 G + B)."""
    return {int.from_bytes(bytes(palette_colour(number))): name for number, name in enumerate(VOC, start=1)}
