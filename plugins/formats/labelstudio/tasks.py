"""The files that Label Studio writes, in one form: tasks with their regions.

JSON has tasks with annotations, each a list of results; JSON-MIN has a record an annotation, whose regions are lists
below the names of the controls; a storage has a file an annotation with its task inside.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from amp_datasets.formats.kit.reading import brief
from amp_datasets.formats.kit.structure import json_paths
from amp_datasets.images.codec import IMAGE_SUFFIXES
from amp_datasets.storage.folder import Folder

CLASS_KEYS = ("rectanglelabels", "polygonlabels", "ellipselabels", "brushlabels", "keypointlabels", "labels")
_WORDS = ((b'"data"',), (b'"annotation_id"',))


@dataclass
class Region:
    """One region: its values (geometry and classes), what the image measured, and its place among the others."""

    value: dict[str, Any]
    size: Any = None
    id: str = ""
    parent: str = ""
    text: Any = None
    kinds: set[str] = field(default_factory=set)


@dataclass
class Annotation:
    """What one person said of an image: regions, its classes as a whole, and kinds of results that are neither."""

    regions: list[Region]
    whole: list[str]
    other: list[str]
    order: str = ""
    ground_truth: bool = False
    by: Any = None


@dataclass
class Task:
    """One image as it is named, and what was said of it; `guesses` counts predictions."""

    names: list[str]
    annotations: list[Annotation] = field(default_factory=list)
    guesses: int = 0


def is_label_studio(folder: Folder, file: str) -> bool:
    """Whether a JSON has tasks with `data` and annotations, or the records of JSON-MIN."""
    paths = json_paths(folder, file, _WORDS[0]) or json_paths(folder, file, _WORDS[1])
    for top in ((), ("[]",)):
        if (*top, "data") in paths and any(
            (*top, key) in paths for key in ("annotations", "completions", "predictions")
        ):
            return True
    if {("[]", "annotation_id"), ("[]", "annotator")} <= paths:
        return True
    return {("result",), ("task",), ("task", "data")} <= paths


def read_tasks(document: Any) -> Iterator[Task | str]:
    """The tasks of a file; what is none, briefly, in its place."""
    minimal: dict[tuple[str, ...], Task] = {}
    for entry in document if isinstance(document, list) else [document]:
        if not isinstance(entry, Mapping):
            yield brief(entry)
        elif "annotation_id" in entry and "data" not in entry:
            task = _minimal(entry)
            known = minimal.setdefault(tuple(task.names), task)
            if known is not task:
                known.annotations += task.annotations
        elif isinstance(entry.get("task"), Mapping) and "result" in entry:
            yield _task(entry["task"], [entry])
        else:
            yield _task(entry, entry.get("annotations", entry.get("completions")))
    if any(said.regions or said.whole or said.other for task in minimal.values() for said in task.annotations):
        yield from minimal.values()
    elif minimal:  # the values of choices and texts stand among the task's own, and cannot be told from them
        yield f"{len(minimal)} records without a region"


def _task(entry: Mapping[str, Any], annotations: Any) -> Task:
    data, guesses = entry.get("data"), entry.get("predictions")
    names = _names(data if isinstance(data, Mapping) else {})
    upload = entry.get("file_upload")
    if isinstance(upload, str) and upload and names:
        names.append(upload)
    found = Task(names, guesses=len(guesses) if isinstance(guesses, list) else 0)
    for said in annotations if isinstance(annotations, list) else ():
        cancelled = isinstance(said, Mapping) and (said.get("was_cancelled") or said.get("skipped"))
        if isinstance(said, Mapping) and isinstance(said.get("result"), list) and not cancelled:
            regions, whole, other = _regions(said["result"])
            by = said.get("completed_by")
            by = by.get("id") if isinstance(by, Mapping) else by
            found.annotations.append(Annotation(regions, whole, other, _time(said), bool(said.get("ground_truth")), by))
    return found


def _names(data: Mapping[str, Any]) -> list[str]:
    """The image of a task: under `image`, else the only value that could be one."""
    stated = data.get("image")
    if isinstance(stated, str) and stated:
        return [stated]
    texts = [value for value in data.values() if isinstance(value, str)]
    images = [text for text in texts if text.partition("?")[0].lower().endswith(IMAGE_SUFFIXES)]
    images = images or [text for text in texts if text.lower().endswith(IMAGE_SUFFIXES)]
    return images if len(images) == 1 else []


def _time(said: Mapping[str, Any]) -> str:
    return str(said.get("updated_at") or said.get("created_at") or "")


def _regions(results: list[Any]) -> tuple[list[Region], list[str], list[str]]:
    """Regions, each with all that several results of one id say of it, the classes of the whole image, and the rest."""
    found: dict[str, Region] = {}
    whole: list[str] = []
    other: list[str] = []
    for number, result in enumerate(results):
        value = result.get("value") if isinstance(result, Mapping) else None
        kind = str(result.get("type")) if isinstance(result, Mapping) else brief(result)
        if kind == "relation":
            continue
        value = dict(value) if isinstance(value, Mapping) else {}
        if not _has_place(value) and not kind.startswith(("rect", "poly", "ellipse", "brush", "keypoint")):
            whole += _choices(value)
            other += [] if _choices(value) else [kind]
            continue
        key = str(result.get("id") or number) if isinstance(result, Mapping) else str(number)
        region = found.setdefault(key, Region({}, id=key))
        region.value.update(value)
        region.kinds.add(kind)
        if isinstance(result, Mapping):
            _describe(region, result)
    return list(found.values()), whole, other


def _describe(region: Region, result: Mapping[str, Any]) -> None:
    region.size = (result.get("original_width"), result.get("original_height"))
    if result.get("rotation"):  # other tools' exports have it beside the value
        region.value.setdefault("rotation", result["rotation"])
    region.parent = str(result.get("parentID") or region.parent)
    meta = result.get("meta")
    region.text = meta.get("text") if isinstance(meta, Mapping) else region.text


def _has_place(value: Mapping[str, Any]) -> bool:
    return "x" in value or "points" in value or "rle" in value


def _choices(value: Mapping[str, Any]) -> list[str]:
    """The classes of a whole image."""
    choices = value.get("choices")
    return [str(choice) for choice in choices] if isinstance(choices, list) else []


def _minimal(record: Mapping[str, Any]) -> Task:
    """A record of JSON-MIN, whose lists are the controls' regions; one with no annotation was never labelled."""
    regions: list[Region] = []
    whole: list[str] = []
    other: list[str] = []
    for control, values in record.items():
        for value in values if isinstance(values, list) else ():
            if isinstance(value, Mapping) and _has_place(value):
                size = (value.get("original_width"), value.get("original_height"))
                kinds = {key for key in CLASS_KEYS if key in value}
                key, parent = str(value.get("id") or f"{control} {len(regions)}"), str(value.get("parentID") or "")
                regions.append(Region(dict(value), size, key, parent, kinds=kinds))
            elif isinstance(value, Mapping):
                whole += _choices(value)
                other += [] if _choices(value) else [control]
    task = Task(_names({key: value for key, value in record.items() if isinstance(value, str)}))
    if record.get("annotation_id") is not None:
        task.annotations.append(Annotation(regions, whole, other, _time(record), by=record.get("annotator")))
    return task
