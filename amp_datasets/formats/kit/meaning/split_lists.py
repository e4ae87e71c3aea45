"""Which split an image is in: by the lists of the set, by the name of its label file, by folders, in this order.

ImageSets/Main/train.txt      names without suffix, also with sub-folders          Pascal VOC
train.txt  valid.txt          a path in each line; 2007_train.txt                  Darknet, CVAT, Ultralytics
obj.data                      `valid = data/test.txt`: says what a list is for     Darknet
"""

from __future__ import annotations

import functools
import posixpath
import re
from collections.abc import Collection, Iterator

from amp_datasets.errors import AmpError
from amp_datasets.formats.kit.meaning.folder_words import split_name, split_of
from amp_datasets.formats.kit.meaning.references import suffix_of
from amp_datasets.formats.kit.meaning.resolver import BY_BARE_NAME, MISSING, Resolution, Resolver
from amp_datasets.formats.kit.parsing import parse_text
from amp_datasets.formats.kit.report import Report
from amp_datasets.storage.folder import Folder

_PROBED = 20
"""So many lines of a file are tried to see whether they name images."""
_MAY_BE_SPLIT = re.compile(r"train|val|test|dev", re.IGNORECASE).search
_ASSIGNMENT = re.compile(r"^\s*(train|valid|val|validation|test)\s*=\s*(\S.*?)\s*$", re.IGNORECASE | re.MULTILINE)


class SplitLists:
    """The lists of images of a set, and the split of each image; `used` are the files that were taken for lists."""

    def __init__(self, folder: Folder, images: Resolver, report: Report) -> None:
        self._folder, self._images, self._report = folder, images, report
        self.used: dict[str, None] = {}
        self._listed: dict[str, str] = {}
        self._loose: dict[str, tuple[str, str]] = {}
        self._read = False

    def of(self, image: str, label_file: str = "") -> str | None:
        """The split of an image; `label_file` is that of many images which names it, if there is one."""
        listed = self.listed(image)
        if listed is not None or not label_file:
            return listed or split_of(image)
        stated = split_of_file(label_file)
        if stated is not None and split_of(image) not in (None, stated):
            self._report.repair(image, "split of the label file, not of the folder", f"{stated}, by {label_file}")
        return stated or split_of(image)

    def listed(self, image: str) -> str | None:
        """The split whose list names an image, if one does."""
        self.files()
        return self._listed.get(image)

    def files(self) -> Collection[str]:
        """The files that are lists of splits, all of them read."""
        if not self._read:
            self._read = True
            self._read_all()
        return self.used

    def take(self, file: str, split: str, near: str | None = None, *, weak: bool = False) -> list[str]:
        """Read one list for a split, and give its images; its paths start at `near`, by default its own folder.

        Those that begin with `./` start at its own folder in any case, as Ultralytics has it. Pascal VOC's lists, in
        folders of `ImageSets`, name the images of the folder above that.
        """
        self.used[file] = None
        near = _above_sets(file) if near is None else near
        where = file if near is None else f"{near}/list" if near else "list"
        found = [(line, self._resolution(line, file if line.startswith("./") else where)) for line in self._lines(file)]
        sure = any(each.image is not None and not each.loose for _, each in found)
        images = []
        for reference, each in found:
            if each.image is None or (each.loose and sure):  # one that is gone, though another is called so
                if not reference.startswith("#"):  # a comment
                    detail = f"{each.detail}; " if each.detail else ""
                    self._report.drop(
                        reference, each.reason if each.image is None else MISSING, f"{detail}named in {file}"
                    )
                continue
            images.append(each.image)
            if each.loose:
                self._loose.setdefault(each.image, (split, file))
            else:
                self._put(each.image, split, f"named in {file}", weak=weak)
        return images

    def _put(self, image: str, split: str, detail: str, *, weak: bool = False) -> None:
        """Note the split of an image; the first that is said is kept, and others are counted unless they are weak."""
        if self._listed.setdefault(image, split) != split and not weak:
            self._report.repair(image, "image is in two splits, the first is kept", detail)

    def _read_all(self) -> None:
        found = [*self._stated(), *self._named()]
        for file, split in sorted(dict(reversed(found)).items(), key=lambda entry: _is_both(entry[0])):
            if file not in self.used and self._is_list(file):
                self.take(file, split, weak=_is_both(file))
        for image, (split, file) in self._loose.items():
            if image not in self._listed:
                self._listed[image] = split
                self._report.repair(file, BY_BARE_NAME, f"split of {image}")

    def _stated(self) -> Iterator[tuple[str, str]]:
        """Lists that an `obj.data` names."""
        for file in self._folder.with_suffix(".data"):
            near = posixpath.dirname(file)
            for key, path in _ASSIGNMENT.findall(self._text(file)):
                ends = [path.replace("\\", "/"), posixpath.basename(path.replace("\\", "/"))]
                places = [posixpath.normpath(posixpath.join(base, end)) for end in ends for base in (near, "")]
                place = next((place for place in places if place in self._folder), None)
                split = split_name(key)
                if place is not None and split is not None:
                    self.used[file] = None
                    yield place, split

    def _named(self) -> Iterator[tuple[str, str]]:
        """Text files that are called as a split."""
        for file in self._folder.with_suffix(".txt"):
            folder, _, bare = file.rpartition("/")
            stem = bare[:-4]
            if not _MAY_BE_SPLIT(stem):  # most text files are labels of an image
                continue
            split = split_name(stem)
            if split is None and "ImageSets" not in folder.split("/"):
                words = re.split(r"[^A-Za-z0-9]+", stem)
                split = next((found for word in words if (found := split_name(word)) is not None), None)
            if split is not None:
                yield file, split

    def _is_list(self, file: str) -> bool:
        """Whether most of the first lines are names, and one is that of an image: label files are called so, too."""
        tried = [line for line, _ in zip(self._lines(file), range(_PROBED), strict=False)]
        found = [self._resolution(line, file).reason != MISSING for line in tried]
        sets = "ImageSets" in file.split("/")
        names = [there or sets or bool(suffix_of(line)) for line, there in zip(tried, found, strict=True)]
        return any(found) and 2 * sum(names) > len(names)

    def _resolution(self, reference: str, where: str) -> Resolution:
        found = self._images.resolve(reference, where)
        if found.image is None and found.reason == MISSING and " " in reference:
            return self._images.resolve(reference.split()[0], where)
        return found

    def _lines(self, file: str) -> Iterator[str]:
        return (stripped for line in self._text(file).split("\n") if (stripped := line.strip()))

    def _text(self, file: str) -> str:
        try:
            return parse_text(self._folder.read(file), self._folder.path(file))
        except AmpError:
            return ""


@functools.lru_cache(maxsize=1024)
def split_of_file(label_file: str) -> str | None:
    """The split in the name of a label file of many images (`instances_train2017.json`), else in its folders."""
    stem = label_file.rpartition("/")[2].partition(".")[0]
    words = [stem, *re.split(r"[^A-Za-z0-9]+", stem)]
    return next((split for word in words if (split := split_name(word)) is not None), None) or split_of(label_file)


def _is_both(file: str) -> bool:
    """Whether a list names training and validation images together."""
    return "trainval" in file.rpartition("/")[2].lower()


def _above_sets(file: str) -> str | None:
    """The folder that holds the `ImageSets` which a list lies in; None for other lists."""
    folders = file.split("/")[:-1]
    return "/".join(folders[: folders.index("ImageSets")]) if "ImageSets" in folders else None
