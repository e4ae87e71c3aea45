"""The images of a folder, and which of them a label file means."""

from __future__ import annotations

import re

from amp_datasets.formats.kit.meaning.folder_words import is_aside
from amp_datasets.formats.kit.meaning.references import comparable, without_suffix
from amp_datasets.formats.kit.meaning.resolver import MISSING, Resolution, Resolver
from amp_datasets.images.codec import IMAGE_SUFFIXES
from amp_datasets.storage.folder import Folder

__all__ = ["ImageLookup", "Resolution", "comparable", "roboflow_group"]

_ROBOFLOW = re.compile(r"^(.+)\.rf\.[0-9a-f]{32}$", re.IGNORECASE)


class ImageLookup:
    """The images of a folder, found by the many ways in which label files name them."""

    def __init__(self, folder: Folder) -> None:
        found = folder.with_suffix(*IMAGE_SUFFIXES)
        self.unusable = [name for name in found if not _is_text(name)]
        self.names = [name for name in found if _is_text(name)] if self.unusable else found
        self._known = frozenset(self.names)
        self.resolver = Resolver(self.names, folder.root.name, folder.files)

    def __contains__(self, name: str) -> bool:
        return name in self._known

    def resolve(self, reference: str, label_file: str, *, split: str | None = None, own: bool = False) -> Resolution:
        """The image that a label file means, and how sure that is: see `resolver`."""
        return self.resolver.resolve(reference, label_file, split=split, own=own)

    def of_label_file(self, label_file: str) -> Resolution:
        """The image that is called as a label file is, which is for this image alone."""
        return self.resolver.of_label_file(label_file)

    def companions(self) -> list[str]:
        """The images in folders for masks, previews and the like that are called as another image of the set is."""
        aside = [name for name in self.names if is_aside(name.rpartition("/")[0])]
        if not aside:
            return []
        shown = set(self.names).difference(aside)
        stems = {comparable(without_suffix(name.rpartition("/")[2])) for name in shown}
        return [name for name in aside if comparable(without_suffix(name.rpartition("/")[2])) in stems]

    def find(self, reference: str, near: str = "") -> str | None:
        """The image that a label file in the folder `near` means; None if there is no such image, or no telling."""
        return self.resolve(reference, _in_folder(near)).image

    def why_missing(self, reference: str, near: str = "") -> str:
        """The reason to count where `find` knows no answer."""
        return self.resolve(reference, _in_folder(near)).reason or MISSING


def roboflow_group(image: str) -> str | None:
    """What the copies that Roboflow made of one image have in common: the name before `.rf.` and its 32 digits."""
    if ".rf." not in image:
        return None
    found = _ROBOFLOW.match(without_suffix(image.rpartition("/")[2]))
    return found.group(1) if found else None


def _in_folder(near: str) -> str:
    return f"{near.rstrip('/')}/labels" if near not in ("", ".") else "labels"


def _is_text(name: str) -> bool:
    """Whether a file name is text at all: disks may hold names in bytes that no label file could spell."""
    return name.isascii() or not any(0xD800 <= ord(character) < 0xE000 for character in name)
