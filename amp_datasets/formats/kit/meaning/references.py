"""How a label file names an image: a path, an address, a name in some spelling, and what each may mean."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from amp_datasets.images.kinds import IMAGE_SUFFIXES

_ADDRESS = re.compile(r"^([a-z][a-z0-9+.-]*:)?//[^/]*/|^[a-z]:[\\/]|^/|^\\\\", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Stated:
    """A reference as it is understood: its folders, its name, whether it is a path of another machine, or decoded."""

    folder: str
    name: str
    foreign: bool
    decoded: bool


def readings(reference: str) -> Iterator[Stated]:
    """The ways in which a reference can be understood, the plainest first."""
    plain = reference.replace("\\", "/")
    spelled = [plain]
    head, mark, query = plain.partition("?")
    if mark:
        values = [part.rpartition("=")[2] for part in query.split("&")]
        spelled += [head, *(value for value in values if suffix_of(unquote(value)))]
    spelled += [unquote(each) for each in spelled if "%" in each]
    foreign = _ADDRESS.match(reference) is not None
    for each in dict.fromkeys(spelled):
        folder, _, name = each.rpartition("/")
        if name:
            folder = _ADDRESS.sub("", f"{folder}/", count=1) if foreign else folder
            yield Stated(folder.strip("/"), name, foreign or ".." in folder.split("/"), each != plain)


def comparable(name: str) -> str:
    """A file name as it is compared: in any case, accents in one or two characters (macOS writes two)."""
    lowered = name.lower()
    return lowered if lowered.isascii() else unicodedata.normalize("NFC", lowered)


def without_suffix(name: str) -> str:
    """A file name without the ending of an image; other dots belong to the name."""
    return name[: -len(suffix)] if (suffix := suffix_of(name)) else name


def suffix_of(name: str) -> str:
    """The ending of an image in lower case, empty where a name has none."""
    lowered = name.lower()
    return next((suffix for suffix in IMAGE_SUFFIXES if lowered.endswith(suffix)), "")


def is_called(image: str, stem: str) -> bool:
    """Whether an image's file is called so, whatever its ending."""
    return without_suffix(image.rpartition("/")[2]) == stem
