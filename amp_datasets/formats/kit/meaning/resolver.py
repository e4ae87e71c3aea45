"""Which image does a label file mean? The one answer for every format, by a stated order of evidence.

1. the path that is stated, from the label file's folder, then from the top of the set;
2. the file that has most of the stated path's end;
3. of several, the one in the folder that mirrors the label file's (`labels/x` and `images/x`), or in its split;
4. the bare name if one image alone can be meant; also without suffix, percent-decoded, an address without `?query`.

A label file whose own folder has images means these. Masks, previews and thumbnails come last. Where a stated folder
contradicts the only candidate, the image is missing; where several are left, nobody knows which: both are said.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from amp_datasets.formats.kit.meaning.folder_words import is_for_labels, split_of, telling_parts
from amp_datasets.formats.kit.meaning.mask_folders import folders_of_masks
from amp_datasets.formats.kit.meaning.references import Stated, comparable, readings, suffix_of, without_suffix
from amp_datasets.images.codec import IMAGE_SUFFIXES

MISSING = "image is missing"
SEVERAL = "image name is not unique in the set"
BY_ENDING = "image found by the end of its path"
BY_MIRROR = "image found in the mirrored folder"
BY_NAME = "image found by its name alone"
BY_BARE_NAME = "image found by its name, without the stated folder"
BY_STEM = "image found under another suffix"
BY_DECODING = "image found by its decoded name"

_LABEL_SUFFIXES = (".json", ".xml", ".txt", ".csv", ".jsonl")
_AMBIGUOUS = frozenset("\\%?:")
"""What a name may mean in more than one way."""
_SHOWN = 4


@dataclass(frozen=True, slots=True)
class Resolution:
    """The image that is meant, or None; `reason` says how it was found where that was not exact, or why it was not.

    It is `loose` if the folder that was stated is not there: another image may be meant, which is not there either.
    """

    image: str | None
    reason: str = ""
    detail: str = ""
    candidates: tuple[str, ...] = ()
    loose: bool = False


class Resolver:
    """Finds images among the names of a set; `root` is what its top folder is called, `files` are all its files."""

    def __init__(self, names: Sequence[str], root: str = "", files: Iterable[str] = ()) -> None:
        self._names, self._files = names, files
        self._known = frozenset(names)
        self._root = root.lower()
        self._by_stem: dict[str, list[str]] | None = None
        self._folders, self._telling = set[str](), set[str]()
        self._aside = frozenset[str]()
        self._splits: dict[str, set[str]] = {}
        self._labelled: set[str] = set()
        self._alone: dict[str, str] = {}
        self._alike: dict[tuple[object, ...], Resolution] = {}

    def resolve(self, reference: str, label_file: str, *, split: str | None = None, own: bool = False) -> Resolution:
        """The image that `reference` means in `label_file` (a path in the set).

        `split` is the one that the label file is known to be for. With `own`, the label file is of this image alone,
        so that its own folder tells which one is meant.
        """
        near = label_file.rpartition("/")[0]
        direct = f"{near}/{reference}" if near else reference
        if direct in self._known:
            return Resolution(direct)
        self._index()
        stated_folder, _, bare = reference.rpartition("/")
        alone = self._alone.get(bare)  # the only one that can be meant: then folders decide, as for others beside it
        key = (stated_folder, alone.rpartition("/")[0], near, split, own) if alone is not None else None
        if key is not None and alone is not None and (known := self._alike.get(key)) is not None:
            return Resolution(alone, known.reason, loose=known.loose)
        found = self._understood(reference, near, split, own)
        if key is not None and found.image == alone:
            self._alike[key] = found
        return found

    def _understood(self, reference: str, near: str, split: str | None, own: bool) -> Resolution:
        """The image that one of the readings of a reference means."""
        home = self._home(near)
        best = Resolution(None, MISSING)
        for stated in readings(reference):
            found = self._exact(stated, near, home) or self._search(stated, near, home, split, own)
            if found.image is not None:
                return found
            if best.reason == MISSING and found.detail:
                best = found
        return best

    def of_label_file(self, label_file: str) -> Resolution:
        """The image that is called as a label file is, which is for this image alone."""
        beside = label_file.rpartition(".")[0]
        at = f"/{beside}".rfind("/labels/")
        mirrored = f"{beside[:at]}images/{beside[at + len('labels/') :]}" if at >= 0 else beside
        for path in (beside, mirrored):
            found = [name for suffix in IMAGE_SUFFIXES if (name := path + suffix) in self._known]
            if len(found) == 1:
                return Resolution(found[0])
            if found:
                return Resolution(None, SEVERAL, f"it may be {' or '.join(found)}", tuple(found))
        return self.resolve(beside.rpartition("/")[2], label_file, own=True)

    def _exact(self, stated: Stated, near: str, home: str) -> Resolution | None:
        """The image at the stated path, from the label file's folder, its home, or the top."""
        path = posixpath.join(stated.folder, stated.name)
        for base in dict.fromkeys((near, home, "")):
            place = posixpath.normpath(posixpath.join(base, path.lstrip("/")))
            if place in self._known and (base or place.startswith(f"{home}/") or not self._is_own(path, home)):
                return Resolution(place, loose=base != near and bool(_telling_of_labels(near[len(base) :])))
        return None

    def _is_own(self, path: str, home: str) -> bool:
        """Whether a path's first folder is also one of the label file's home, which is then the one that is meant."""
        first, slash, _ = path.partition("/")
        return bool(home) and (not slash or f"{home}/{first}" in self._folders)

    def _search(self, stated: Stated, near: str, home: str, split: str | None, own: bool) -> Resolution:
        found = self._candidates(stated.name, home)
        if not found:
            return Resolution(None, MISSING)
        ends = {name: _common_end(_parts(stated.folder), _parts(name.rpartition("/")[0])) for name in found}
        most = max(ends.values())
        left = [name for name in found if ends[name] == most]
        for keep in (
            lambda name: telling_parts(name.rpartition("/")[0]) == telling_parts(near),
            lambda name: name.rpartition("/")[0] == near,
            lambda name: split is not None and split_of(name) == split,
            lambda name: name.rpartition("/")[2] == stated.name,
        ):
            if len(left) > 1:
                left = [name for name in left if keep(name)] or left
        agreeing = [name for name in left if not self._contradicts(stated, name, most, near, home, split, own)]
        if not agreeing:
            return Resolution(None, MISSING, f"the only one of its name is {', '.join(left[:_SHOWN])}")
        if len(agreeing) > 1:
            return Resolution(None, SEVERAL, f"it may be {' or '.join(agreeing[:_SHOWN])}", tuple(agreeing))
        image = agreeing[0]
        loose = not _accounts_for(_below(image.rpartition("/")[0], home), stated, near, home, split, own)
        if telling_parts(stated.folder) and loose and not most and not stated.foreign:
            return Resolution(image, BY_BARE_NAME, loose=True)
        return Resolution(image, _how(stated, image, most, near, split), loose=loose)

    def _candidates(self, name: str, home: str) -> list[str]:
        """The images of a name: in the label file's home, of the same suffix, and no masks, as far as there are."""
        found = (self._by_stem or {}).get(comparable(without_suffix(name)), [])
        if home:
            found = [each for each in found if each.startswith(f"{home}/")]
        if len(found) > 1:
            key = comparable(name)
            found = [each for each in found if comparable(each.rpartition("/")[2]) == key] or found
        if len(found) > 1:
            found = [each for each in found if each.rpartition("/")[0] not in self._aside] or found
        return found

    def _contradicts(
        self, stated: Stated, image: str, matched: int, near: str, home: str, split: str | None, own: bool
    ) -> bool:
        """Whether an image's folders are others than those that are stated, or than those of its own label file."""
        there = _below(image.rpartition("/")[0], home)
        said = tuple(part for part in telling_parts(stated.folder) if part != self._root)
        if split is not None and f"<{split}>" not in there and self._other_split(there, split, home):
            return True
        if said and stated.foreign:
            elsewhere = self._telling.difference(telling_parts(home))
            if not _ends_with(said, there) if there else said[-1] in elsewhere:
                return True
        elif said and not (_ends_with(there, said) or _ends_with(said, there)):
            return True
        return self._is_of_another(near, image, matched, home, own)

    def _is_of_another(self, near: str, image: str, matched: int, home: str, own: bool) -> bool:
        """Whether a label file lies in the folder of one part of the set, and an image in that of another.

        `matched` folders of the image are stated, so they tell nothing more. Folders for labels or images tell no parts
        apart, nor do two beside each other, one of which holds the label files.
        """
        there = image.rpartition("/")[0]
        ours, theirs = (folder[len(home) :].strip("/").split("/") for folder in (near, there))
        theirs = theirs[: len(theirs) - matched]
        shared = _common_end(ours, theirs)
        ours, theirs = ours[: len(ours) - shared], theirs[: len(theirs) - shared]
        start = _common_end(ours[::-1], theirs[::-1])
        place = "/".join(filter(None, (home, *theirs[: start + 1])))
        ours, theirs = ours[start:], theirs[start:]
        mine, its = _telling_of_labels("/".join(ours)), telling_parts("/".join(theirs))
        if not mine or not its:
            return False
        is_part = bool(telling_parts(theirs[0]))
        if is_part and place in self._labelled:
            return True
        if len(ours) == len(theirs) == 1 or not (own or is_part):
            return False
        return not (_ends_with(mine, its) or _ends_with(its, mine))

    def _other_split(self, there: tuple[str, ...], split: str, home: str) -> bool:
        """Whether an image lies in a split's folder while the one that is wanted has a folder of its own."""
        return any(part[:1] == "<" for part in there) and split in self._splits.get(home, ())

    def _index(self) -> None:
        if self._by_stem is not None:
            return
        self._by_stem, self._aside = {}, folders_of_masks(self._names)
        for name in self._names:
            folder, _, bare = name.rpartition("/")
            self._by_stem.setdefault(comparable(without_suffix(bare)), []).append(name)
            if folder not in self._folders and folder not in self._aside:
                self._add_folder(folder)
        for names in self._by_stem.values():
            bare = names[0].rpartition("/")[2]
            if len(names) == 1 and _AMBIGUOUS.isdisjoint(bare):
                self._alone[bare] = names[0]
        for file in self._files:
            folder = file.rpartition("/")[0]
            if folder not in self._labelled and file.lower().endswith(_LABEL_SUFFIXES):
                self._labelled.update(_with_parents(folder))

    def _add_folder(self, folder: str) -> None:
        """Note a folder with images, all those above it, and the splits that are found below each."""
        split, above = split_of(f"{folder}/"), folder
        self._telling.update(telling_parts(folder))
        while True:
            self._folders.add(above)
            if split is not None:
                self._splits.setdefault(above, set()).add(split)
            if not above:
                return
            above = above.rpartition("/")[0]

    def _home(self, near: str) -> str:
        """The nearest folder, from the label file's upwards, that has images in or below it."""
        while near and (near not in self._folders or is_for_labels(near)):
            near = near.rpartition("/")[0]
        return near


def _parts(folder: str) -> list[str]:
    return [part.lower() for part in folder.split("/") if part not in ("", ".", "..")]


def _common_end(some: Sequence[str], others: Sequence[str]) -> int:
    """How many parts two paths share at their ends."""
    number = 0
    while number < min(len(some), len(others)) and some[-1 - number] == others[-1 - number]:
        number += 1
    return number


def _accounts_for(there: tuple[str, ...], stated: Stated, near: str, home: str, split: str | None, own: bool) -> bool:
    """Whether all that tells an image's folder from others is stated, or told by its label file's folder or split."""
    said, mine = telling_parts(stated.folder), _telling_of_labels(near[len(home) :])
    if not said:
        return there == mine or (not own and not mine and there == (f"<{split}>",))
    if stated.foreign and not there:  # a set that was made on another machine, in a folder of any name
        return not mine
    return there[: len(mine)] == mine and (there == said or (bool(there) and _ends_with(said, there)))


def _with_parents(folder: str) -> Iterator[str]:
    """A folder and all those above it, up to the top."""
    while folder:
        yield folder
        folder = folder.rpartition("/")[0]


def _telling_of_labels(folder: str) -> tuple[str, ...]:
    """What tells a label file's folder from others, without the parts that say that labels are inside."""
    return telling_parts("/".join(part for part in folder.split("/") if not is_for_labels(part)))


def _ends_with(parts: tuple[str, ...], end: tuple[str, ...]) -> bool:
    return parts[len(parts) - len(end) :] == end if len(end) <= len(parts) else False


def _below(folder: str, home: str) -> tuple[str, ...]:
    """What tells a folder from others below the label file's home."""
    inside = folder == home or folder.startswith(f"{home}/")
    return telling_parts(folder[len(home) :]) if home and inside else telling_parts(folder)


def _how(stated: Stated, image: str, matched: int, near: str, split: str | None) -> str:
    """Why an image is the one that is meant; the bare name in the folder that belongs to the label file's is exact."""
    folder, _, bare = image.rpartition("/")
    if suffix_of(stated.name) and suffix_of(stated.name) != suffix_of(bare):
        return BY_STEM
    if stated.decoded:
        return BY_DECODING
    if matched or telling_parts(stated.folder):
        return BY_ENDING
    mirrored = telling_parts(folder) in (telling_parts(near), (*telling_parts(near), f"<{split}>"))
    return BY_MIRROR if mirrored else BY_NAME
