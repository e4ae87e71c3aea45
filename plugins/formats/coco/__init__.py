"""COCO JSON: boxes, polygons, run-length masks, crowds and keypoints; one file, or one a split.

https://cocodataset.org/#format-data

    annotations/train.json            train/_annotations.coco.json
    images/train/a.jpg                train/a.jpg

Coordinates are pixel edges from the top left corner, boxes [x, y, width, height]; keypoint skeletons count from 1.
Images without annotations are confirmed empty; a file without `annotations` leaves its images unlabelled.
"""

from __future__ import annotations

import fnmatch
import itertools
from collections import Counter
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, ClassVar

from amp_datasets.errors import SourceError
from amp_datasets.formats.base import Detection, Options, Source
from amp_datasets.formats.kit.coco_annotation import LabelReader, entry_key, read_category
from amp_datasets.formats.kit.documents import first_json, json_files, may_be, take_json
from amp_datasets.formats.kit.meaning.split_lists import split_of_file
from amp_datasets.model import Category, LabelSet, Size
from amp_datasets.plugin.registry import Registry
from amp_datasets.storage.folder import Folder

from .evidence import CocoOptions, Task, label_reader, stated_size, task_of
from .export import CocoExporter, RoboflowCocoExporter

_OTHER_TASKS = ("person_keypoints_*", "captions_*", "panoptic_*", "stuff_*")


class CocoSource(Source[CocoOptions]):
    """Reads every COCO JSON of a folder and finds its images wherever they are below it."""

    name: ClassVar[str] = "coco"
    title: ClassVar[str] = "COCO JSON (boxes, polygons, masks, keypoints)"
    options_type: ClassVar[type[Options]] = CocoOptions

    @classmethod
    def detect(cls, folder: Folder) -> Detection | None:
        """A JSON with a list of `images` and one of `annotations` or `categories`."""
        found = first_json(folder, _is_coco, b'"images"')
        if found is None or (found[1] is not None and not may_be(folder, found[0], b'"annotations"')):
            return None
        file, error = found
        reason = f"{file} has COCO's `images` and `annotations`" if error is None else error.what
        return Detection(reason, 85, file)

    def read(self) -> LabelSet:
        """The set; classes of several files are joined by name, in the order of their first appearance."""
        self._categories: dict[str, Category] = {}
        self._used: set[str] = set()
        self._roots: set[str] = set()
        files = self._files()
        if not files:
            raise SourceError("there is no COCO file here", where=self.folder.root, fix="check the path and `files`")
        others = {file: task for file in files if (task := self._read_file(file)) != "objects"}
        for file in [file for file, task in others.items() if task == "images"]:
            self._read_file(file, images_only=True)
        self._refuse_other_tasks(files, others)
        for name in sorted(self._roots - self._used):
            self.reading.repair(name, "dummy root category removed", "it only groups the others")
            del self._categories[name]
        return self.reading.finish(self._categories.values())

    def _files(self) -> list[str]:
        files = list(json_files(self.folder, _is_coco, b'"images"'))
        if self.options.files is not None:
            return [f for f in files if fnmatch.fnmatch(f, self.options.files) or _is_named(f, self.options.files)]
        if not any(_is_named(file, "instances_*") for file in files):
            return files
        for file in files:
            if any(_is_named(file, pattern) for pattern in _OTHER_TASKS):
                self.reading.use(file)
                self.reading.drop(file, "label file of another task not read", "choose it by the option `files`")
        return [file for file in files if not any(_is_named(file, pattern) for pattern in _OTHER_TASKS)]

    def _refuse_other_tasks(self, files: list[str], others: Mapping[str, Task]) -> None:
        """Files of other tasks beside that of the objects are named; where there is nothing else, that is an error."""
        left = {file: task for file, task in others.items() if task != "images"}
        if left and len(others) == len(files):
            file, task = next(iter(left.items()))
            raise SourceError(
                f"this COCO file has {task}, no boxes or outlines of objects",
                where=self.folder.path(file),
                fix="give the file of the objects, as `instances_*.json` is in COCO's own set",
            )
        for file, task in left.items():
            self.reading.use(file)
            self.reading.drop(file, "label file of another task not read", f"it has {task}")

    def _read_file(self, file: str, *, images_only: bool = False) -> Task:
        """Take in a file of objects; of another nothing, but its images if `images_only` asks for them."""
        document = take_json(self.folder, file)
        lists = [document.get(key) or [] for key in ("categories", "annotations")]
        if not all(isinstance(entries, list) for entries in lists):
            raise SourceError("`categories` and `annotations` must be lists", where=self.folder.path(file))
        self.reading.use(file)
        task = task_of(file, document)
        if task != "objects" and not (task == "images" and images_only):
            return task
        self._file, self._split = file, split_of_file(file)
        images, labels = self._images(file, document["images"]), self._labels_by_image(file, lists[1])
        names = self._read_categories(file, lists[0])
        self._known = frozenset(names.values())
        reader = label_reader(file, names, images, labels, self.options, self.reading)
        for name in dict.fromkeys([*reader.names.values(), *([reader.unnamed] if reader.unnamed else [])]):
            self._categories.setdefault(name, Category(name))
        for key, entry in images.items():
            if task == "objects" or not self._is_known(entry):
                self._read_image(file, entry, labels.pop(key, []), reader, task == "objects")
        for key, orphans in labels.items():
            if key not in self._ambiguous:
                self.reading.drop(f"{file}: image_id {key}", "label of an unknown image", f"{len(orphans)} labels")
        reader.finish(file)
        return task

    def _is_known(self, entry: dict[str, Any]) -> bool:
        """Whether a file of labels has told of an image already."""
        return self._find(str(entry.get("file_name") or entry["coco_url"])) in self.reading

    def _read_categories(self, file: str, entries: list[Any]) -> dict[str, str]:
        """Category ids to names; the categories themselves are kept in order."""
        names: dict[str, str] = {}
        groups = Counter(str(entry.get("supercategory")) for entry in entries if isinstance(entry, dict))
        of_name: dict[str, dict[str, None]] = {}
        for entry in entries:
            try:
                key, category = entry_key(entry["id"]), read_category(entry, self.reading)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                self.reading.drop(f"{file}: {str(entry)[:60]}", "category cannot be read", str(error))
                continue
            if names.setdefault(key, category.name) != category.name:
                raise SourceError(
                    f"category id {key} is both `{names[key]}` and `{category.name}`",
                    where=self.folder.path(file),
                    fix="give each category an id of its own",
                )
            ids = of_name.setdefault(category.name, {})
            ids[key] = None
            if len(ids) > 1:
                both = " and ".join(itertools.islice(ids, 5))
                self.reading.repair("classes", "class is listed twice", f"{category.name} has the ids {both}: joined")
            known = self._categories.setdefault(category.name, category)
            if category.keypoints and not known.keypoints:
                self._categories[category.name] = category
            if key == "0" and not category.supercategory and groups[category.name]:
                self._roots.add(category.name)
        return names

    def _images(self, file: str, entries: list[Any]) -> dict[str, dict[str, Any]]:
        """Image ids to entries; two images under one id are both set aside, for no label can be told to be whose."""
        found: dict[str, dict[str, Any]] = {}
        self._ambiguous: set[str] = set()
        for entry in entries:
            try:
                key, name = entry_key(entry["id"]), entry.get("file_name") or entry.get("coco_url")
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                self.reading.drop(f"{file}: {str(entry)[:60]}", "image entry cannot be read", str(error))
                continue
            if not isinstance(name, str) or not name:
                self.reading.drop(f"{file}: image {key}", "image entry has no file name")
                continue
            if found.setdefault(key, entry) is not entry:
                self._repeated(file, key, found[key], entry)
        return {key: entry for key, entry in found.items() if key not in self._ambiguous}

    def _repeated(self, file: str, key: str, first: dict[str, Any], second: dict[str, Any]) -> None:
        names = [str(entry.get("file_name") or entry.get("coco_url")) for entry in (first, second)]
        if names[0] == names[1]:
            self.reading.repair(names[0], "repeated image entry removed", f"id {key} in {file}")
            return
        for name in names[key in self._ambiguous :]:
            self.reading.drop(self._find(name) or name, "image id is used twice", f"id {key} in {file}")
        self._ambiguous.add(key)

    def _labels_by_image(self, file: str, entries: list[Any]) -> dict[str, list[dict[str, Any]]]:
        labels: dict[str, list[dict[str, Any]]] = {}
        for number, entry in enumerate(entries, start=1):
            try:
                labels.setdefault(entry_key(entry["image_id"]), []).append(entry)
            except (ValueError, KeyError, TypeError) as error:
                self.reading.drop(f"{file}: annotation {number}", "label cannot be read", f"image_id: {error}")
        return labels

    def _read_image(
        self, file: str, entry: dict[str, Any], labels: list[dict[str, Any]], reader: LabelReader, labelled: bool
    ) -> None:
        reference = str(entry.get("file_name") or entry["coco_url"])
        image = self.reading.image_of(reference, file, split=self._split)
        if image is None:
            return
        declared = self._declared(image, entry)
        header = self.reading.header(image) if reader.boxes.shares and declared is None else None
        size = header.size if header is not None else declared
        annotations = [a for n, raw in enumerate(labels, 1) if (a := reader.read(raw, f"{image}#{n}", size))]
        self._used.update(annotation.category for annotation in annotations)
        if labels and not annotations:
            self.reading.drop(image, "no usable label", f"all {len(labels)} labels were dropped")
            return
        if declared is None:
            declared = next((a.mask.size for a in annotations if a.mask is not None), None)
        self.reading.add(
            image,
            annotations,
            declared=declared,
            labelled=labelled,
            split=self.reading.splits.of(image, file),
            label_file=file,
            known=self._known,
            tags=_tags(entry),
        )

    def _find(self, reference: str) -> str | None:
        """The image that the present file means, if there is one."""
        return self.reading.images.resolve(reference, self._file, split=self._split).image

    def _declared(self, image: str, entry: dict[str, Any]) -> Size | None:
        """The size that the file states, if it does; it tells whether labels are for the image as stored."""
        if entry.get("width") is None or entry.get("height") is None:
            return None
        size = stated_size(entry)
        if size is None:
            self.reading.repair(image, "unusable image size ignored", f"{entry['width']} x {entry['height']}"[:60])
        return size


def _tags(entry: Mapping[str, Any]) -> list[str]:
    """The words that people gave an image, as Roboflow (`extra.user_tags`) and FiftyOne (`tags`) write them."""
    extra = entry.get("extra")
    lists = [extra.get("user_tags") if isinstance(extra, Mapping) else None, entry.get("tags")]
    return [word for words in lists if isinstance(words, list) for word in words if isinstance(word, str) and word]


def _is_coco(document: Any) -> bool:
    """Whether a document has COCO's lists: entries for images, and annotations or categories."""
    if not isinstance(document, dict) or not isinstance(document.get("images"), list):
        return False
    images = document["images"]
    listed = not images or any(isinstance(entry, dict) and "id" in entry for entry in images)
    return listed and any(isinstance(document.get(key), list) for key in ("annotations", "categories"))


def _is_named(file: str, pattern: str) -> bool:
    return fnmatch.fnmatch(PurePosixPath(file).name, pattern)


def register(registry: Registry) -> None:
    """Offer both sides of the format."""
    registry.add_source(CocoSource)
    registry.add_exporter(CocoExporter)
    registry.add_exporter(RoboflowCocoExporter)
