"""Finding the image that a label file means, by the many ways in which tools name it."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from urllib.parse import unquote

from amp_datasets.images.codec import IMAGE_SUFFIXES
from amp_datasets.storage.folder import Folder

_ROBOFLOW = re.compile(r"^(.+)\.rf\.[0-9a-f]{32}$", re.IGNORECASE)


class ImageLookup:
    """The images of a folder, found by the many ways in which label files name them."""

    def __init__(self, folder: Folder) -> None:
        found = folder.with_suffix(*IMAGE_SUFFIXES)
        self.unusable = [name for name in found if not _is_text(name)]
        self.names = [name for name in found if _is_text(name)] if self.unusable else found
        self._known = frozenset(self.names)
        self._by_key: dict[str, list[str]] | None = None

    def __contains__(self, name: str) -> bool:
        return name in self._known

    def find(self, reference: str, near: str = "") -> str | None:
        """The image that a label file means: by relative path, then by bare name, then without its ending.

        Windows and percent-encoded paths are understood. `near` is the folder of the label file: of several images
        of one name the one in or below it is meant. None if there is no such image, or no telling which.
        """
        near = "" if near == "." else near.rstrip("/")
        direct = f"{near}/{reference}" if near else reference
        if direct in self._known:
            return direct
        for spelled in dict.fromkeys((reference, unquote(reference))):
            found = self._find_spelled(spelled.replace("\\", "/"), near)
            if found is not None:
                return found
        return None

    def why_missing(self, reference: str) -> str:
        """The reason to count where `find` knows no answer."""
        bare = reference.replace("\\", "/").rpartition("/")[2]
        several = any(self._keyed(comparable(name)) for name in (bare, unquote(bare), _without_suffix(bare)))
        return "image name is not unique in the set" if several else "image is missing"

    def _find_spelled(self, path: str, near: str) -> str | None:
        joined = posixpath.normpath(posixpath.join(near, path))
        bare = path.rpartition("/")[2]
        for key in dict.fromkeys((joined, posixpath.normpath(path), bare, _without_suffix(bare))):
            found = self._keyed(comparable(key))
            exact = [name for name in found if name in (path, joined)]
            alike = [name for name in found if comparable(name) == comparable(joined)]
            below = [name for name in found if near and name.startswith(near + "/")]
            same = [name for name in found if name.rpartition("/")[2] == bare]
            for choice in (exact, alike, [name for name in below if name in same], below, same, found):
                if len(choice) == 1:
                    return choice[0]
        return None

    def _keyed(self, key: str) -> list[str]:
        if self._by_key is None:
            self._by_key = {}
            for name in self.names:
                bare = name.rpartition("/")[2]
                for known in {comparable(name), comparable(bare), comparable(_without_suffix(bare))}:
                    self._by_key.setdefault(known, []).append(name)
        return self._by_key.get(key, [])


def roboflow_group(image: str) -> str | None:
    """What the copies that Roboflow made of one image have in common: the name before `.rf.` and its 32 digits."""
    if ".rf." not in image:
        return None
    found = _ROBOFLOW.match(_without_suffix(image.rpartition("/")[2]))
    return found.group(1) if found else None


def comparable(name: str) -> str:
    """A file name as it is compared: in any case, accents in one or two characters (macOS writes two)."""
    lowered = name.lower()
    return lowered if lowered.isascii() else unicodedata.normalize("NFC", lowered)


def _is_text(name: str) -> bool:
    """Whether a file name is text at all: disks may hold names in bytes that no label file could spell."""
    return name.isascii() or not any(0xD800 <= ord(character) < 0xE000 for character in name)


def _without_suffix(name: str) -> str:
    """A file name without the ending of a image; other dots belong to the name."""
    return next((name[: -len(suffix)] for suffix in IMAGE_SUFFIXES if name.lower().endswith(suffix)), name)
