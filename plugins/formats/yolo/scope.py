"""The part of a YOLO tree that one data.yaml, or one list of classes, is for: its names, its task, its rows."""

from __future__ import annotations

import contextlib
import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

from amp_datasets.errors import AmpError
from amp_datasets.formats.kit.meaning.class_lists import NONE, OTHER_LIST, ClassList
from amp_datasets.formats.kit.reading import Reading, checked_names, parse_text, points
from amp_datasets.formats.kit.yolo_rows import RowReader, Task, looks_oriented
from amp_datasets.images.header import probe
from amp_datasets.model import Category, FloatArray, Size
from amp_datasets.storage.folder import MAX_IMAGE_LABEL_BYTES

from .data_yaml import YoloYaml, all_yamls, read_yaml
from .evidence import RowsOfASet, YoloOptions, from_first_class, keypoint_names, keypoint_shape
from .label_files import class_number
from .splits import YoloSplits

_SAMPLE = 200
"""How many label files are looked into to tell tasks apart."""
_MAX_UNNAMED = 10_000

Pairs = Sequence[tuple[str, str]]
"""Images with their label files."""


class Yamls:
    """The data.yaml of each part of a tree, and the splits that it names."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        every = all_yamls(reading.folder)
        self._files = {place: files[0] for place, files in every.items()}
        self._others = [(file, files[0]) for files in every.values() for file in files[1:]]
        self._read: dict[str, YoloYaml] = {}
        self._splits: dict[str, YoloSplits] = {}
        self._by_place: dict[str, YoloSplits] = {}
        reading.use(*self._files.values())

    @property
    def there(self) -> bool:
        """Whether there is one at all."""
        return bool(self._files)

    def near(self, path: str) -> YoloYaml | None:
        """The data.yaml beside a file or above it; or the only one of the tree, if no list of classes is nearer."""
        place = posixpath.dirname(path)
        while place not in self._files and place:
            place = posixpath.dirname(place)
        if place not in self._files:
            listed = self._reading.classes.above(path).file
            if len(self._files) != 1 or (listed and listed not in self._files.values()):
                return None
            place = next(iter(self._files))
        file = self._files[place]
        if file not in self._read:
            self._read[file] = read_yaml(self._reading.folder, file)
        return self._read[file]

    def every(self) -> list[YoloYaml]:
        """All of them."""
        return [yaml for file in self._files.values() if (yaml := self.near(file)) is not None]

    def compare(self) -> None:
        """Count those that are not used and name other classes than the one beside them that is."""
        for file, used in self._others:
            with contextlib.suppress(AmpError):
                names = self.near(used)
                if names is not None and read_yaml(self._reading.folder, file).names != names.names:
                    self._reading.repair(file, OTHER_LIST, f"{used} is used")

    def read_splits(self) -> None:
        """Read the lists that they name, before others are looked for."""
        for file in self._files.values():
            self.splits(file)

    def splits(self, path: str) -> YoloSplits:
        """The splits of the part that a file or image belongs to."""
        place = path.rpartition("/")[0]
        if place not in self._by_place:
            yaml = self.near(path)
            key = "" if yaml is None else yaml.file
            if key not in self._splits:
                self._splits[key] = YoloSplits(yaml, self._reading)
            self._by_place[place] = self._splits[key]
        return self._by_place[place]


@dataclass(frozen=True)
class Scope:
    """Label files that share a data.yaml and a list of classes, with the images that they are for."""

    reading: Reading
    options: YoloOptions
    yaml: YoloYaml | None
    listed: ClassList
    pairs: Pairs

    @cached_property
    def rows(self) -> RowReader:
        """What reads the rows of these files."""
        names = from_first_class(self._own_names, self.yaml, self._numbers, self.options, self.reading)
        task: Task | None = "pose" if self._shape is not None else self._task()
        return RowReader(names, task, self._shape, self._evidence.has_confidences())

    def categories(self) -> list[Category]:
        """The classes that the numbers mean, in order."""
        keypoints = keypoint_names(self.reading.folder, self.yaml, self._shape)
        flips = () if self.yaml is None else self.yaml.flip_pairs
        return [Category(name, keypoints=keypoints, flip_pairs=flips) for name in self.rows.names if name]

    def split_rows(self, label: str) -> tuple[list[list[str]], bool]:
        """The rows that hold something, split at spaces (or at commas where there are none), and whether at commas."""
        folder = self.reading.folder
        text = parse_text(folder.read(label, MAX_IMAGE_LABEL_BYTES), folder.path(label))
        rows = [parts for line in text.split("\n") if (parts := line.split())]
        has_commas = any(len(parts) == 1 and "," in parts[0] for parts in rows)
        return [parts[0].split(",") if len(parts) == 1 else parts for parts in rows], has_commas

    @cached_property
    def _evidence(self) -> RowsOfASet:
        return RowsOfASet.of(row for _, label in self.pairs[:_SAMPLE] for row in self.split_rows(label)[0])

    @cached_property
    def _shape(self) -> tuple[int, int] | None:
        return keypoint_shape(self.yaml, self._evidence, self.options, self.reading)

    @property
    def _numbers(self) -> frozenset[int]:
        """The class numbers of the set, or of some files if they tell that classes count from 0."""
        some, count = self._evidence.class_numbers(), len(self._own_names)
        if 0 in some or not {count, count - 1} & some:
            return some
        return RowsOfASet.of(row[:1] for _, label in self.pairs for row in self.split_rows(label)[0]).class_numbers()

    @cached_property
    def _own_names(self) -> list[str]:
        """The names that the nearest file gives to the numbers; numbers where none does."""
        yaml = self.yaml
        own = yaml is not None and (self.listed.file in ("", yaml.file) or not self._is_nearer(yaml))
        if yaml is not None and yaml.names and own:
            none = [""] if yaml.counts_from_one else []
            return [*none, *checked_names(self.reading, yaml.file, yaml.names[len(none) :])]
        if self.listed.names:
            if yaml is not None and yaml.names and not yaml.unnamed and yaml.names != self.listed.names:
                self.reading.repair(yaml.file, OTHER_LIST, f"{self.listed.file}, which is nearer, is used")
            return list(self.reading.classes.checked(self.listed).names)
        numbers = (class_number(parts[0]) for _, label in self.pairs for parts in self.split_rows(label)[0])
        count = 1 + max((n for n in numbers if n is not None and n < _MAX_UNNAMED), default=-1)
        if count:
            self.reading.repair("classes", "classes without names are called by their number", f"{count} classes")
        return [f"class_{i}" for i in range(count)]

    def _is_nearer(self, yaml: YoloYaml) -> bool:
        """Whether the list of classes is nearer to the label files than the data.yaml, or has names that it lacks."""
        depth = posixpath.dirname(self.listed.file).count("/") + bool(posixpath.dirname(self.listed.file))
        own = yaml.folder.count("/") + bool(yaml.folder)
        return depth > own or yaml.unnamed or (depth == own and self.listed.file.endswith(".json"))

    def _task(self) -> Task | None:
        if self.options.task != "auto":
            return self.options.task
        if self.yaml is not None and self.yaml.task is not None:
            return self.yaml.task
        rings: list[tuple[FloatArray, Size]] = []
        for image, label in islice(self.pairs, _SAMPLE):
            for parts in self.split_rows(label)[0]:
                if len(parts) > 5 and len(parts) != 9:
                    return None
                if len(parts) == 9:
                    try:
                        size = probe(self.reading.folder.image(image), self.reading.limits).size
                        rings.append((points(parts[1:]), size))
                    except (AmpError, ValueError):
                        continue
        return "obb" if looks_oriented(rings) else None


def scopes(reading: Reading, options: YoloOptions, yamls: Yamls, pairs: Pairs) -> list[Scope]:
    """Label files in the parts of the tree that they belong to."""
    parts: dict[tuple[str, str], list[tuple[str, str]]] = {}
    known: dict[str, tuple[YoloYaml | None, ClassList]] = {}
    for image, label in pairs:
        place = posixpath.dirname(label)
        if place not in known:
            known[place] = (yamls.near(label), reading.classes.find(label))
        yaml, listed = known[place]
        key = (yaml.file if yaml is not None else "", listed.file)
        parts.setdefault(key, []).append((image, label))
    found = [Scope(reading, options, *known[posixpath.dirname(part[0][1])], part) for part in parts.values()]
    used = {scope.yaml.file for scope in found if scope.yaml is not None}
    return found + [Scope(reading, options, yaml, NONE, ()) for yaml in yamls.every() if yaml.file not in used]
