"""Which split an image of a YOLO set belongs to, by what its `data.yaml` names."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from amp_datasets.formats.kit.reading import Reading
from amp_datasets.storage.folder import Folder

from .data_yaml import YoloYaml


class YoloSplits:
    """The splits of a set: folders and lists that its data.yaml names, else what other lists and folders say."""

    def __init__(self, yaml: YoloYaml | None, reading: Reading) -> None:
        self._reading = reading
        self._folders: dict[str, str] = {}
        self._listed: dict[str, str] = {}
        if yaml is None or _names_one_place(yaml, reading):
            return
        folders = _folders(reading.folder)
        for split, entries in yaml.splits.items():
            for entry in entries:
                self._take(entry, split, yaml, folders)

    def of(self, image: str) -> str | None:
        """The split of an image; None if nothing tells."""
        place = self.place(image)
        return self._listed.get(image) or (
            self._folders[place] if place is not None else self._reading.splits.of(image)
        )

    def place(self, image: str) -> str | None:
        """The folder that data.yaml names in which an image lies, if there is one."""
        folder = image.rpartition("/")[0]
        while self._folders:
            if folder in self._folders:
                return folder
            if not folder:
                break
            folder = folder.rpartition("/")[0]
        return None

    def _take(self, entry: str, split: str, yaml: YoloYaml, folders: frozenset[str]) -> None:
        for place in _places(entry, yaml):
            if place in folders:
                other = self._folders.setdefault(place, split)
                if other != split:
                    self._reading.repair(yaml.file, "folder is in two splits, the first is kept", entry)
                return
            if place in self._reading.folder:
                named = (
                    [place] if place in self._reading.images else self._reading.splits.take(place, split, yaml.folder)
                )
                for image in named:
                    if self._listed.setdefault(image, split) != split:
                        self._reading.repair(image, "image is in two splits, the first is kept", f"named in {place}")
                return
        self._reading.repair(yaml.file, "split without a folder ignored", f"{split}: {entry}"[:100])


def _names_one_place(yaml: YoloYaml, reading: Reading) -> bool:
    """Whether several splits are the same folder, as in sets that were never split."""
    named = [entries for entries in yaml.splits.values() if entries]
    if len(named) > 1 and len(set(named)) == 1:
        reading.repair(yaml.file, "all splits are the same folder: read as not split", ", ".join(named[0])[:100])
        return True
    return False


def _folders(folder: Folder) -> frozenset[str]:
    """All folders that hold something, "" for the top."""
    found = {""}
    for parent in {name.rpartition("/")[0] for name in folder.files}:
        while parent and parent not in found:
            found.add(parent)
            parent = parent.rpartition("/")[0]
    return frozenset(found)


def _places(entry: str, yaml: YoloYaml) -> Iterator[str]:
    """Where an entry may lie in the set, the likeliest first.

    Roboflow writes `../train/images` for the folder beside the file, so a leading `../` is dropped before it is
    followed. Of an absolute path, or one from another machine, the end is looked for.
    """
    path, root = entry.replace("\\", "/"), yaml.path.replace("\\", "/")
    plain = path
    while plain.startswith(("../", "./")):
        plain = plain.partition("/")[2]
    for base in dict.fromkeys((posixpath.join(yaml.folder, root.lstrip("/")), yaml.folder, "")):
        for spelled in dict.fromkeys((plain, path)):
            place = posixpath.normpath(posixpath.join("/", base, spelled.lstrip("/"))).strip("/")
            yield place
    parts = plain.strip("/").split("/")
    for start in range(1, len(parts)):
        yield posixpath.normpath(posixpath.join("/", yaml.folder, *parts[start:])).strip("/")
