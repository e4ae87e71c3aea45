"""The images of a folder, and which of them a label file means."""

from __future__ import annotations

import re

from amp_datasets.formats.kit.meaning.folder_words import is_aside
from amp_datasets.formats.kit.meaning.mask_folders import masks_beside
from amp_datasets.formats.kit.meaning.references import comparable, without_suffix
from amp_datasets.formats.kit.meaning.resolver import MISSING, Resolution, Resolver
from amp_datasets.images.codec import IMAGE_SUFFIXES
from amp_datasets.images.kinds import UNDECODED_SUFFIXES
from amp_datasets.storage.folder import Folder

__all__ = ["ImageLookup", "Resolution", "comparable", "roboflow_group"]

UNDECODED = "image format is not decoded"
CONVERT = "convert it to JPEG or PNG at the same size and name (`heif-convert a.heic a.jpg`, `magick a.heic a.jpg`)"
_ROBOFLOW = re.compile(r"^(.+)\.rf\.[0-9a-f]{32}$", re.IGNORECASE)


class ImageLookup:
    """The images of a folder, found by the many ways in which label files name them."""

    def __init__(self, folder: Folder) -> None:
        found = folder.with_suffix(*IMAGE_SUFFIXES)
        self.unusable = [name for name in found if not _is_text(name)]
        self.names = [name for name in found if _is_text(name)] if self.unusable else found
        self._known = frozenset(self.names)
        self.undecoded = folder.with_suffix(*UNDECODED_SUFFIXES)
        self.resolver = Resolver(self.names, folder.root.name, folder.files)

    def __contains__(self, name: str) -> bool:
        return name in self._known

    def resolve(self, reference: str, label_file: str, *, split: str | None = None, own: bool = False) -> Resolution:
        """The image that a label file means, and how sure that is: see `resolver`."""
        found = self.resolver.resolve(reference, label_file, split=split, own=own)
        return self._or_undecoded(found, reference) if found.image is None and self.undecoded else found

    def of_label_file(self, label_file: str) -> Resolution:
        """The image that is called as a label file is, which is for this image alone."""
        found = self.resolver.of_label_file(label_file)
        stem = label_file.rpartition("/")[2].rpartition(".")[0]
        return self._or_undecoded(found, stem) if found.image is None and self.undecoded else found

    def _or_undecoded(self, missing: Resolution, reference: str) -> Resolution:
        """What is said of an image that is there, in a format that nobody here decodes, rather than that it is not."""
        called = comparable(reference.replace("\\", "/").rpartition("/")[2])
        there = next((name for name in self.undecoded if called in _spellings(name)), None)
        if there is None or missing.candidates:
            return missing
        return Resolution(None, UNDECODED, f"{there} is there: {CONVERT}")

    def companions(self) -> list[str]:
        """The images in folders for masks, previews and the like that are called as another; also `a_mask.png`."""
        aside = [name for name in self.names if is_aside(name.rpartition("/")[0])]
        beside = masks_beside(self.names)
        if not aside:
            return beside
        shown = set(self.names).difference(aside)
        stems = {comparable(without_suffix(name.rpartition("/")[2])) for name in shown}
        return [*(name for name in aside if comparable(without_suffix(name.rpartition("/")[2])) in stems), *beside]

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


def _spellings(name: str) -> tuple[str, str]:
    """An image's bare name as it is compared, with and without its ending."""
    bare = comparable(name.rpartition("/")[2])
    return bare, bare.rpartition(".")[0]


def _in_folder(near: str) -> str:
    return f"{near.rstrip('/')}/labels" if near not in ("", ".") else "labels"


def _is_text(name: str) -> bool:
    """Whether a file name is text at all: disks may hold names in bytes that no label file could spell."""
    return name.isascii() or not any(0xD800 <= ord(character) < 0xE000 for character in name)
