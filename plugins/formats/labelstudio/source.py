"""Reads Label Studio's exports: finds each task's image, and makes labels of the regions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from amp_datasets.formats.base import Detection, Options, Source
from amp_datasets.formats.kit.reading import class_list, parse_json, split_name, split_of
from amp_datasets.images.codec import Header
from amp_datasets.model import Annotation, Category, LabelSet, Size
from amp_datasets.storage.folder import Folder

from .config import Config, read_config
from .regions import classes, declared_size, is_point, place, point
from .tasks import Annotation as Said
from .tasks import Region, Task, is_label_studio, read_tasks

_PREFIX = re.compile(r"^[0-9a-f]{8}-(?=.)", re.IGNORECASE)
_ERRORS = (ValueError, KeyError, TypeError, AttributeError, OverflowError)
Points = dict[str, tuple[float, float, float]]


class LabelStudioOptions(Options):
    """`completed_by`: read the annotations of this person alone, by number, where several labelled one image."""

    completed_by: int | None = None


@dataclass
class _Image:
    """What is collected of one image."""

    name: str
    header: Header
    declared: Size | None
    split: str | None
    objects: list[tuple[Annotation, Points]]
    whole: list[str]
    labelled: bool


class LabelStudioSource(Source[LabelStudioOptions]):
    """Reads every Label Studio export of a folder."""

    name: ClassVar[str] = "labelstudio"
    title: ClassVar[str] = "Label Studio JSON and JSON-MIN"
    options_type: ClassVar[type[Options]] = LabelStudioOptions

    @classmethod
    def detect(cls, folder: Folder) -> Detection | None:
        """A JSON of tasks with `data` and annotations, or of the records of JSON-MIN."""
        file = next(_label_files(folder), None)
        return Detection(f"{file} has Label Studio's tasks", 88, file) if file is not None else None

    def read(self) -> LabelSet:
        """The set; a task that cannot be read is dropped with its image."""
        self._config = read_config(self.reading)
        self._uploaded: dict[str, list[str]] | None = None
        images: list[_Image] = []
        for file in _label_files(self.folder):
            self.reading.use(file)
            for task in read_tasks(parse_json(self.folder.read(file), self.folder.path(file))):
                if isinstance(task, str) or not task.names:
                    what = task if isinstance(task, str) else "task without an image"
                    self.reading.drop(f"{file}: {what}", "entry has no image or no list of annotations")
                elif (image := self._read_task(file, task)) is not None:
                    images.append(image)
        names = self._classes(images)
        keypoints = self._keypoints(images)
        classifies = not any(image.objects for image in images)
        for image in images:
            self._add(image, keypoints, classifies)
        if classifies:
            names.update(dict.fromkeys(name for image in images for name in image.whole))
        categories = [Category(name, keypoints=tuple(keypoints.get(name, ()))) for name in names]
        return self.reading.finish(categories)

    def _read_task(self, file: str, task: Task) -> _Image | None:
        name = self._find(file, task.names)
        header = None if name is None else self.reading.header(name)
        if name is None or header is None:
            return None
        said = self._choose(name, task)
        if said is None:
            if task.guesses:
                self.reading.drop(name, "predictions are not read", f"{task.guesses} of them in {file}")
            return _Image(name, header, None, self._split(name, file), [], [], labelled=False)
        declared = next((size for region in said.regions if (size := declared_size(region)) is not None), None)
        image = _Image(name, header, declared, self._split(name, file), [], said.whole, labelled=True)
        for what in said.other:
            self.reading.drop(name, "kind of label is not read", what[:60])
        self._read_regions(image, said.regions)
        if said.regions and not image.objects:
            self.reading.drop(name, "no usable label", f"all {len(said.regions)} regions were dropped")
            return None
        return image

    def _split(self, image: str, file: str) -> str | None:
        """The split of an image; that of a project may be the name of the file or of its folder."""
        stem = file.rpartition("/")[2].rpartition(".")[0]
        listed = self.reading.splits.listed(image)
        return listed or split_name(stem) or split_of(image) or split_of(file)

    def _choose(self, name: str, task: Task) -> Said | None:
        """What is read of what several people said of an image: what is marked as the truth, else the latest."""
        wanted = self.options.completed_by
        known = [said for said in task.annotations if wanted is None or said.by == wanted]
        true = [said for said in known if said.ground_truth] or known
        if not true:
            return None
        latest = max(enumerate(true), key=lambda item: (item[1].order, item[0]))[1]
        values = [[(region.kinds, region.value) for region in said.regions] for said in true]
        if any(value != values[0] for value in values):
            detail = f"{len(true)} annotations; `completed_by` chooses a person's"
            self.reading.repair(name, "several annotations of one image, the latest is read", detail)
        return latest

    def _find(self, file: str, names: list[str]) -> str | None:
        """The image of a task: as it is named, else without what the upload made of its name; None, and counted."""
        for name in names:
            if self.reading.images.resolve(name, file).image is not None:
                return self.reading.image_of(name, file)
        if self._uploaded is None:
            self._uploaded = {}
            for image in self.reading.images.names:
                self._uploaded.setdefault(_uploaded_name(image.rpartition("/")[2]), []).append(image)
        for name in names:
            bare = name.partition("?")[0].replace("\\", "/").rpartition("/")[2]
            plain = _PREFIX.sub("", bare)
            found = self._uploaded.get(_uploaded_name(plain), [])
            if plain != bare and len(found) == 1:
                self.reading.repair(found[0], "image found without the prefix of its upload", bare)
                return found[0]
        return self.reading.image_of(names[0], file)

    def _read_regions(self, image: _Image, regions: list[Region]) -> None:
        """The objects of an image, each with the keypoints whose parent it is."""
        size = image.declared or image.header.size
        byid: dict[str, Points] = {}
        points = [region for region in regions if is_point(region)]
        for number, region in enumerate((r for r in regions if not is_point(r)), start=1):
            try:
                labels = classes(region)
                found = [(place(region, label, size), byid.setdefault(region.id, {})) for label in labels]
            except _ERRORS as error:
                self._drop(f"{image.name}#{number}", error)
                continue
            if "radiusX" in region.value:
                self.reading.repair(f"{image.name}#{number}", "ellipse read as a polygon", labels[0])
            image.objects += found
        for region in points:
            report = f"{image.name} keypoint {region.id}"[:200]
            if region.parent not in byid:
                self.reading.drop(report, "shape has no area", "a keypoint without a parent that is read")
                continue
            try:
                byid[region.parent].update({label: point(region, size) for label in classes(region)})
            except _ERRORS as error:
                self._drop(report, error)

    def _drop(self, report: str, error: Exception) -> None:
        self.reading.drop(report, "label cannot be read", f"{type(error).__name__}: {error}"[:100])

    def _classes(self, images: list[_Image]) -> dict[str, None]:
        """The names in order: of a list, of the configuration, of their first appearance."""
        listed = [name for name in class_list(self.reading) if name]
        configured = [name for names in self._config.classes.values() for name in names]
        used = [annotation.category for image in images for annotation, _ in image.objects]
        return dict.fromkeys([*listed, *configured, *used])

    def _keypoints(self, images: list[_Image]) -> dict[str, list[str]]:
        """The keypoints of each class: those of the control that has them all, else those that appear, in order."""
        found: dict[str, dict[str, None]] = {}
        for image in images:
            for annotation, points in image.objects:
                if points:
                    found.setdefault(annotation.category, {}).update(dict.fromkeys(points))
        return {name: _in_order(list(points), self._config) for name, points in found.items()}

    def _add(self, image: _Image, keypoints: dict[str, list[str]], classifies: bool) -> None:
        objects = [_with_points(annotation, points, keypoints) for annotation, points in image.objects]
        self.reading.add(
            image.name,
            objects,
            header=image.header,
            declared=image.declared,
            labelled=image.labelled,
            split=image.split,
            labels=image.whole if classifies else (),
            tags=() if classifies else image.whole,
        )


def _with_points(annotation: Annotation, points: Points, keypoints: dict[str, list[str]]) -> Annotation:
    if not points:
        return annotation
    rows = [points.get(name, (0.0, 0.0, 0.0)) for name in keypoints[annotation.category]]
    return replace(annotation, keypoints=np.array(rows, dtype=np.float64))


def _in_order(names: list[str], config: Config) -> list[str]:
    """Keypoints in the order of the first control that has all of them, together with those that never appear."""
    for listed in config.keypoints.values():
        if set(names) <= set(listed):
            return list(dict.fromkeys(listed))
    return names


def _label_files(folder: Folder) -> Iterator[str]:
    return (file for file in folder.with_suffix(".json") if is_label_studio(folder, file))


def _uploaded_name(name: str) -> str:
    """What an upload makes of a file's name, apart from the prefix: spaces become `_`, odd characters vanish."""
    return re.sub(r"[^-\w.]", "", name.strip().replace(" ", "_")).lower()
