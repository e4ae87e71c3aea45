"""Which class a number means: by the list nearest to the label file, beside it or in a folder above.

notes.json          {"categories": [{"id": 0, "name": "cat"}]}: Label Studio; its ids hold, not the order beside it
data.yaml, *.yaml   names: [cat, dog] or {0: cat}, also where no split is named
classes.txt, obj.names, *.names, _darknet.labels, labels.txt      one name a line, or `0 cat` in each line
obj.data            names = data/obj.names
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

import yaml

from amp_datasets.errors import AmpError
from amp_datasets.formats.kit.parsing import brief, category_name, parse_json, parse_text
from amp_datasets.formats.kit.report import Report
from amp_datasets.storage.folder import Folder
from amp_datasets.storage.yaml import find_bomb

CLASS_FILES = ("classes.txt", "obj.names", "_darknet.labels", "labels.txt", "class_names.txt", "predefined_classes.txt")
"""Files, one class name a line, that tools write beside labels which do not hold a list of classes."""
OTHER_LIST = "class list differs from another"
_MAX_BYTES = 2**24
_MAX_CLASSES = 10**5
_NUMBERED = re.compile(r"^(\d{1,5})[\s:,]+(\S.*)$")
_NAMES = re.compile(r"^\s*names\s*=\s*(\S.*?)\s*$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ClassList:
    """Class names in the order of their numbers, and the file that lists them; "" for a number without a name."""

    file: str = ""
    names: tuple[str, ...] = ()


NONE = ClassList()


class ClassLists:
    """The lists of a set, read when they are asked for; `used` are the files that were taken for lists."""

    def __init__(self, folder: Folder, report: Report) -> None:
        self._folder, self._report = folder, report
        self._by_folder: dict[str, list[ClassList]] | None = None
        self._checked: dict[str, ClassList] = {}
        self.used: dict[str, None] = {}

    def near(self, label_file: str) -> ClassList:
        """The list that a label file means, its names checked: see `find`."""
        return self.checked(self.find(label_file))

    def find(self, label_file: str) -> ClassList:
        """The nearest list beside a label file or above it; without one, the only one of the set, if there is one."""
        found = self.above(label_file)
        if found is NONE and len({lists[0].names for lists in self._all().values()}) == 1:
            return next(iter(self._all().values()))[0]
        return found

    def above(self, label_file: str) -> ClassList:
        """The nearest list beside a label file or above it."""
        lists, near = self._all(), posixpath.dirname(label_file)
        while near not in lists and near:
            near = posixpath.dirname(near)
        return lists[near][0] if near in lists else NONE

    def checked(self, found: ClassList) -> ClassList:
        """A list whose names are usable or empty; names that are not, and another list that says otherwise, count."""
        if found.file not in self._checked:
            names = tuple(found.names)
            if found is not NONE:
                self._compare(found)
                gaps = not is_class_list(found.file)
                names = tuple("" if gaps and not name else self._name(found.file, name) for name in found.names)
            self._checked[found.file] = ClassList(found.file, names)
        return self._checked[found.file]

    def _name(self, file: str, name: str) -> str:
        return checked_names(self._report, file, [name])[0]

    def _compare(self, best: ClassList) -> None:
        """Count the lists in the same folder that say otherwise."""
        for other in self._all()[posixpath.dirname(best.file)]:
            self.used[other.file] = None
            if list(filter(None, other.names)) != list(filter(None, best.names)):
                self._report.repair(other.file, OTHER_LIST, f"{best.file} is used")

    def _all(self) -> dict[str, list[ClassList]]:
        """The lists of each folder, the one that is believed first."""
        if self._by_folder is None:
            by_folder: dict[str, list[tuple[int, str]]] = {}
            for file in self._folder.files:
                rank = _rank(file)
                if rank is not None:
                    by_folder.setdefault(posixpath.dirname(file), []).append((rank, file))
            read = {
                place: [*chain.from_iterable(self._read(f) for _, f in sorted(x))] for place, x in by_folder.items()
            }
            self._by_folder = {place: lists for place, lists in read.items() if lists}
        return self._by_folder

    def _read(self, file: str) -> Iterator[ClassList]:
        try:
            names = _READERS[_rank(file) or 0](self._folder, file)
        except AmpError:
            return
        if names:
            yield ClassList(file, tuple(names))


def checked_names(report: Report, where: str, names: Iterable[object]) -> list[str]:
    """Class names as text, in order; one that cannot be a name becomes empty and is counted."""
    checked = []
    for name in names:
        try:
            checked.append(category_name(name))
        except ValueError as error:
            checked.append("")
            report.drop(f"{where}: {brief(name)}", "class name is not usable", str(error))
    return checked


def is_class_list(file: str) -> bool:
    """Whether a file is called as lists of classes are."""
    bare = file.rpartition("/")[2].lower()
    return bare in CLASS_FILES or bare.endswith(".names")


def ordered_names(names: object) -> list[str] | None:
    """Names of a YAML or JSON document, a list or a map of numbers, in order; None if they are neither."""
    if isinstance(names, dict):
        try:
            by_number = {int(str(key)): value for key, value in names.items()}
        except ValueError:
            return None
        if len(by_number) != len(names) or not all(0 <= number < _MAX_CLASSES for number in by_number):
            return None
        names = [by_number.get(number, "") for number in range(max(by_number, default=-1) + 1)]
    if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
        return list(names)
    return None


def _rank(file: str) -> int | None:
    """Which kind of list a file may be, the one that is believed first having the lowest number; None for others."""
    bare = file.rpartition("/")[2].lower()
    if bare == "notes.json":
        return 0
    if bare.endswith((".yaml", ".yml")):
        return 1
    if is_class_list(file):
        return 2
    return 3 if bare.endswith(".data") else None


def _of_notes(folder: Folder, file: str) -> list[str]:
    document = parse_json(folder.read(file, _MAX_BYTES), file)
    entries = document.get("categories") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return []
    return ordered_names({entry.get("id"): str(entry.get("name", "")) for entry in entries}) or []


def _of_yaml(folder: Folder, file: str) -> list[str]:
    text = parse_text(folder.read(file, _MAX_BYTES), file)
    try:
        if "names" not in text or find_bomb(text) is not None:
            return []
        document = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - BaseLoader makes texts, lists and maps only
    except (yaml.YAMLError, RecursionError, ValueError, TypeError):
        return []
    names = document.get("names") if isinstance(document, dict) else None
    if isinstance(names, str):
        names = [name.strip() for name in names.split(",")]
    return ordered_names(names) or []


def _of_lines(folder: Folder, file: str) -> list[str]:
    """One name a line; a line that is no class name stays, so that the numbers of the others hold."""
    lines = parse_text(folder.read(file, _MAX_BYTES), file).rstrip().split("\n")
    numbered = [_NUMBERED.match(line.strip()) for line in lines]
    if all(numbered):
        by_number = ordered_names({found.group(1): found.group(2) for found in numbered if found})
        if by_number is not None and all(by_number):
            return by_number
    return lines if lines != [""] else []


def _of_data(folder: Folder, file: str) -> list[str]:
    found = _NAMES.search(parse_text(folder.read(file, _MAX_BYTES), file))
    if found is None:
        return []
    path = found.group(1).replace("\\", "/")
    near = posixpath.dirname(file)
    places = [posixpath.join(base, end) for end in (path, posixpath.basename(path)) for base in (near, "")]
    place = next((place for place in map(posixpath.normpath, places) if place in folder), None)
    return _of_lines(folder, place) if place is not None else []


_READERS: tuple[Callable[[Folder, str], list[str]], ...] = (_of_notes, _of_yaml, _of_lines, _of_data)
