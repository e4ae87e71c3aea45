"""The `data.yaml` of a YOLO set in all the shapes that tools and people write, and the one shape that we write.

https://docs.ultralytics.com/datasets/detect/#dataset-yaml-format. Only the keys that describe the set are read: a
`download:` value, which the trainer would execute, is never looked at.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from amp_datasets.errors import SourceError
from amp_datasets.formats.kit.parsing import parse_text, split_name
from amp_datasets.formats.kit.yolo_rows import Task
from amp_datasets.storage.folder import Folder
from amp_datasets.storage.yaml import find_bomb

MAX_BYTES = 2**18
_TASKS: Mapping[str, Task] = {"detect": "detect", "segment": "segment", "pose": "pose", "obb": "obb"}
_PREFERRED = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")


@dataclass(frozen=True)
class YoloYaml:
    """What a `data.yaml` says. `splits` maps a split to the folders, lists or images it names, as written.

    `counts_from_one`: `names` is a map of 1, 2 ... to all of them, so that the name of class 0 is empty.
    """

    file: str
    names: tuple[str, ...]
    splits: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    path: str = ""
    task: Task | None = None
    keypoints: tuple[int, int] | None = None
    keypoint_names: tuple[str, ...] = ()
    flip_pairs: tuple[tuple[int, int], ...] = ()
    counts_from_one: bool = False
    unnamed: bool = False
    """Whether it says how many classes there are, and not what they are called."""

    @property
    def folder(self) -> str:
        """The folder of the file, "" at the top."""
        return posixpath.dirname(self.file)


def find_yamls(folder: Folder) -> dict[str, str]:
    """The files that describe sets, by their folder: of several in one folder the one with the usual name."""
    return {place: files[0] for place, files in all_yamls(folder).items()}


def all_yamls(folder: Folder) -> dict[str, list[str]]:
    """All files that describe sets, by their folder, the one with the usual name first."""
    found = [name for name in folder.with_suffix(".yaml", ".yml") if _describes_a_set(folder, name)]
    found.sort(key=lambda name: (posixpath.basename(name).lower() not in _PREFERRED, name))
    by_folder: dict[str, list[str]] = {}
    for name in found:
        by_folder.setdefault(posixpath.dirname(name), []).append(name)
    return by_folder


def _describes_a_set(folder: Folder, name: str) -> bool:
    try:
        document = _load(folder, name)
    except SourceError:
        return posixpath.basename(name).lower() in _PREFERRED
    has_classes = "names" in document or "nc" in document
    return has_classes and any(split_name(key) is not None for key in document)


def read_yaml(folder: Folder, file: str) -> YoloYaml:
    """What the file says; a SourceError if its classes cannot be told."""
    where = folder.path(file)
    document = _load(folder, file)
    splits: dict[str, tuple[str, ...]] = {}
    for key, value in document.items():
        split = split_name(key)
        if split is not None:
            entries = value if isinstance(value, list) else [value]
            texts = tuple(text for text in entries if isinstance(text, str) and text not in ("", "~", "null"))
            splits[split] = splits.get(split, ()) + texts
    keypoints = _keypoint_shape(document.get("kpt_shape"), where)
    task = _TASKS.get(str(document.get("task", "")))
    return YoloYaml(
        file=file,
        names=_names(document, where),
        splits=splits,
        path=_text(document.get("path")),
        task=task or ("pose" if keypoints else None),
        keypoints=keypoints,
        keypoint_names=_keypoint_names(document.get("kpt_names"), keypoints),
        flip_pairs=_flip_pairs(document.get("flip_idx"), keypoints),
        counts_from_one=_counts_from_one(document.get("names")),
        unnamed=not document.get("names"),
    )


def _load(folder: Folder, file: str) -> dict[str, Any]:
    """The document with every value as the text it is written as, so that a class may be called `no`."""
    where = folder.path(file)
    text = parse_text(folder.read(file, MAX_BYTES), where)
    try:
        bomb = find_bomb(text)
        if bomb is not None:
            what, line, column = bomb
            what = f"this is not YAML as label sets have it: {what}"
            raise SourceError(what, where=f"{where}:{line}:{column}", fix="write the value out")
        document = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - BaseLoader makes texts, lists and maps only
    except yaml.MarkedYAMLError as error:
        at = "" if error.problem_mark is None else f":{error.problem_mark.line + 1}:{error.problem_mark.column + 1}"
        raise SourceError(f"this is not YAML: {error.problem or error.context}", where=f"{where}{at}") from error
    except (yaml.YAMLError, RecursionError, ValueError, TypeError) as error:
        reason = str(error).splitlines()[0] if str(error) else "it is nested too deeply"
        raise SourceError(f"this is not YAML: {reason}", where=where) from error
    if not isinstance(document, dict):
        raise SourceError("a data.yaml is a list of keys and values", where=where)
    return {key: value for key, value in document.items() if isinstance(key, str)}


def _names(document: Mapping[str, Any], where: str) -> tuple[str, ...]:
    names = document.get("names")
    count = _count(document.get("nc"), where)
    if isinstance(names, dict):
        names = _ordered(names, where)
    elif isinstance(names, str) and names:
        names = [name.strip() for name in names.split(",")]
    if not names:
        return tuple(f"class_{i}" for i in range(count or 0))
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise SourceError("`names` is neither a list nor a map of class names", where=where)
    if count is not None and count != len(names) - _counts_from_one(document.get("names")):
        raise SourceError(
            f"`nc` is {count} but `names` has {len(names)} classes", where=where, fix="correct the one that is wrong"
        )
    return tuple(names)


def _counts_from_one(names: object) -> bool:
    """Whether `names` is a map whose keys are 1, 2 ... without a gap."""
    if not isinstance(names, dict) or not names:
        return False
    return {str(key).strip() for key in names} == {str(number) for number in range(1, len(names) + 1)}


def _count(value: object, where: str) -> int | None:
    if value is None or value == "":
        return None
    try:
        count = float(str(value))
        if count != int(count) or not 0 <= count <= 10**6:
            raise ValueError
    except (ValueError, OverflowError) as error:
        raise SourceError(f"`nc` is no number of classes: {str(value)[:40]}", where=where) from error
    return int(count)


def _ordered(names: Mapping[Any, Any], where: str) -> list[Any]:
    """A map of numbers to names as a list; numbers that are left out, which belong to no class, become empty."""
    try:
        by_number = {int(key): name for key, name in names.items()}
    except (ValueError, TypeError) as error:
        raise SourceError("the keys of `names` are not numbers", where=where) from error
    if len(by_number) != len(names) or min(by_number, default=0) < 0 or max(by_number, default=0) > 10**6:
        raise SourceError("the keys of `names` are not class numbers", where=where, fix="number the classes from 0")
    return [by_number.get(i, "") for i in range(max(by_number, default=-1) + 1)]


def _keypoint_shape(value: object, where: str) -> tuple[int, int] | None:
    if not value:
        return None
    try:
        count, values = (int(str(item)) for item in value) if isinstance(value, list) else (0, 0)
    except ValueError as error:
        raise SourceError("`kpt_shape` is not two numbers", where=where) from error
    if not 1 <= count <= 10**4 or values not in (2, 3):
        raise SourceError("`kpt_shape` is not [number of keypoints, 2 or 3]", where=where)
    return (count, values)


def _keypoint_names(value: object, shape: tuple[int, int] | None) -> tuple[str, ...]:
    """The names of the keypoints (the first class's, where each has its own), or numbers."""
    if shape is None:
        return ()
    if isinstance(value, dict) and value:
        value = next(iter(value.values()))
    if isinstance(value, list) and len(value) == shape[0] and all(isinstance(item, str) for item in value):
        return tuple(value)
    return tuple(f"keypoint_{i}" for i in range(shape[0]))


def _flip_pairs(value: object, shape: tuple[int, int] | None) -> tuple[tuple[int, int], ...]:
    if shape is None or not isinstance(value, list) or len(value) != shape[0]:
        return ()
    try:
        order = [int(str(item)) for item in value]
    except ValueError:
        return ()
    if sorted(order) != list(range(len(order))) or any(order[order[i]] != i for i in order):
        return ()
    pairs = tuple((i, j) for i, j in enumerate(order) if i < j)
    return pairs or tuple((i, i) for i in order)  # each point is its own mirror image, which somebody has to say


def _text(value: object) -> str:
    return value if isinstance(value, str) and value not in ("~", "null") else ""


def quoted(text: str) -> str:
    """A text as a double-quoted YAML scalar that every loader reads back as it is."""
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in json.dumps(text, ensure_ascii=False))


def data_yaml(splits: Sequence[str], names: Sequence[str], more: Sequence[str] = ()) -> str:
    """The text of a data.yaml that works from anywhere and after moving: without a `path`, class names quoted."""
    lines = ["# Without `path:` the folders are found beside this file, wherever it is."]
    for split, key in (("train", "train"), ("validation", "val"), ("test", "test")):
        if split in splits:
            lines.append(f"{key}: images/{split}")
        elif key != "test":
            lines.append(f"{key}:")
    lines += [*more, "names:", *(f"  {number}: {quoted(name)}" for number, name in enumerate(names))]
    return "\n".join(lines) + "\n"
