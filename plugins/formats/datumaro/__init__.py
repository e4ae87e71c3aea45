"""Datumaro JSON, which CVAT exports too: one file a subset, items with boxes, polygons, masks and points.

https://open-edge-platform.github.io/datumaro/latest/docs/data-formats/formats/datumaro.html

    annotations/train.json   images/train/a.jpg (of old versions images/a.jpg)

    {"dm_format_version": "1.0", "categories": {"label": {"labels": [{"name": "cat", "parent": ""}]}},
     "items": [{"id": "a", "image": {"path": "a.jpg", "size": [120, 160]},
                "annotations": [{"type": "bbox", "label_id": 0, "group": 0, "bbox": [20, 20, 60, 50]}]}]}

Coordinates are pixel edges; a size is height, width. Shapes of one label and `group` (0 is none) are one object: the
parts of an outline, or a box and its points. The file's name is its subset. An item without annotations is empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, ClassVar

from amp_datasets.errors import SourceError
from amp_datasets.formats.base import Detection, Options, Source
from amp_datasets.formats.kit.reading import brief, category_name, parse_json, split_name, split_of
from amp_datasets.formats.kit.structure import json_paths
from amp_datasets.geometry.joining import JOINED, KEYPOINTS_BOX, Joiner
from amp_datasets.images.codec import Header
from amp_datasets.model import Category, LabelSet, Size
from amp_datasets.plugin.registry import Registry
from amp_datasets.storage.folder import Folder

from .annotations import to_annotation
from .export import DatumaroExporter

_OF_IMAGE = frozenset({"label"})
_WITHOUT_AREA = frozenset({"polyline"})
_NOT_READ = frozenset({"caption", "cuboid_2d", "cuboid_3d", "feature_vector", "hash_key"})


@dataclass
class _Item:
    """What is collected of one image; `whole` are its classes as a whole."""

    image: str
    header: Header
    declared: Size | None
    split: str | None
    joiner: Joiner = field(default_factory=Joiner)
    shapes: int = 0
    whole: list[str] = field(default_factory=list)


class DatumaroSource(Source[Options]):
    """Reads every Datumaro JSON of a folder."""

    name: ClassVar[str] = "datumaro"
    title: ClassVar[str] = "Datumaro JSON, one file a subset"

    @classmethod
    def detect(cls, folder: Folder) -> Detection | None:
        """A JSON with `items`, and `categories` that are an object of kinds."""
        file = next(_label_files(folder), None)
        return Detection(f"{file} has Datumaro's `categories` and `items`", 90, file) if file is not None else None

    def read(self) -> LabelSet:
        """The set; classes of several files are joined by name, in the order of their first appearance."""
        self._classes: dict[str, Category] = {}
        self._items: list[_Item] = []
        for file in _label_files(self.folder):
            self.reading.use(file)
            document = parse_json(self.folder.read(file), self.folder.path(file))
            if not isinstance(document, dict) or not isinstance(document.get("items"), list):
                raise SourceError("a Datumaro file is an object with a list `items`", where=self.folder.path(file))
            names = self._read_categories(file, document.get("categories"), _part_labels(document["items"]))
            for entry in document["items"]:
                self._read_item(file, entry, names)
        classifies = not any(item.shapes for item in self._items)
        for item in self._items:
            self._finish(item, classifies)
        return self.reading.finish(self._classes.values())

    def _read_categories(self, file: str, categories: Any, parts: set[int]) -> list[str]:
        """The names by label id, empty where unusable; `parts` of skeletons are keypoints of the class above them."""
        label = categories.get("label") if isinstance(categories, dict) else None
        entries = label.get("labels") if isinstance(label, dict) else None
        names, parents = [], []
        for entry in entries if isinstance(entries, list) else ():
            try:
                names.append(category_name(entry["name"]))
                parents.append(str(entry.get("parent") or ""))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                self.reading.drop(f"{file}: {brief(entry)}", "category cannot be read", str(error))
                names.append("")
                parents.append("")
        keypoints = _keypoints(categories, names, [p if n in parts else "" for n, p in enumerate(parents)])
        for number, (name, parent) in enumerate(zip(names, parents, strict=True)):
            if name and number not in parts:
                category = Category(name, "" if parent == name else parent, *keypoints.get(name, ((), ())))
                known = self._classes.setdefault(name, category)
                if category.keypoints and not known.keypoints:
                    self._classes[name] = category
        return names

    def _read_item(self, file: str, entry: Any, names: list[str]) -> None:
        described = entry.get("image") if isinstance(entry, dict) else None
        if not isinstance(described, dict) or not isinstance(entry.get("annotations", []), list):
            self.reading.drop(f"{file}: {brief(entry)}", "entry has no image or no list of annotations")
            return
        stem = PurePosixPath(file).stem
        image = self._find(file, stem, described.get("path") or entry.get("id"))
        header = None if image is None else self.reading.header(image)
        if image is None or header is None:
            return
        declared = _declared(described.get("size"))
        split = self.reading.splits.listed(image) or split_name(stem) or split_of(image) or split_of(file)
        item = _Item(image, header, declared, split)
        for number, raw in enumerate(entry.get("annotations", []), start=1):
            self._read_annotation(raw, names, item, f"{image}#{number}")
        self._items.append(item)

    def _finish(self, item: _Item, classifies: bool) -> None:
        """Give an item to the reading; classes of whole images are labels where no image of the set has a shape."""
        objects = item.joiner.objects()
        for what in () if classifies else item.whole:
            self.reading.drop(item.image, "kind of label is not read", f"label {what}"[:60])
        if item.joiner.joined:
            self.reading.repair(item.image, JOINED, f"{item.joiner.joined} shapes")
        if item.joiner.boxed:
            self.reading.repair(item.image, KEYPOINTS_BOX, f"{item.joiner.boxed} objects")
        if item.shapes and not objects:
            self.reading.drop(item.image, "no usable label", f"all {item.shapes} labels were dropped")
            return
        whole = item.whole if classifies else ()
        self.reading.add(
            item.image, objects, header=item.header, declared=item.declared, split=item.split, labels=whole
        )

    def _find(self, file: str, subset: str, stated: object) -> str | None:
        """The image of an item: where Datumaro puts it, else wherever it is; None, and counted."""
        if not isinstance(stated, str) or not stated:
            self.reading.drop(file, "image entry has no file name")
            return None
        root = file.rpartition("/")[0].rpartition("/")[0]
        prefix = f"{root}/" if root else ""
        for place in (f"{prefix}images/{subset}/{stated}", f"{prefix}images/{stated}"):
            if place in self.reading.images:
                return place
        return self.reading.image_of(stated, file, split=split_name(subset))

    def _read_annotation(self, raw: Any, names: list[str], item: _Item, report: str) -> None:
        """Take in one annotation of an item, or count why not."""
        kind = str(raw.get("type")) if isinstance(raw, dict) else ""
        item.shapes += kind not in _OF_IMAGE | {"caption"}
        if kind in _NOT_READ:
            self.reading.drop(report, "kind of label is not read", kind)
            return
        if kind in _WITHOUT_AREA:
            self.reading.drop(report, "shape has no area", kind)
            return
        try:
            label = raw["label_id"]
            if type(label) is not int or not 0 <= label < len(names) or not names[label]:
                raise ValueError(f"label_id {brief(label)} is not in `categories`")
            if kind in _OF_IMAGE:
                item.whole.append(names[label])
                return
            known = self._classes.get(names[label])
            keypoints = known.keypoints if known else ()
            annotation = to_annotation(kind, raw, names[label], names, keypoints, item.declared or item.header.size)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self.reading.drop(report, "label cannot be read", f"{type(error).__name__}: {error}"[:100])
            return
        if kind == "ellipse":
            self.reading.repair(report, "ellipse read as a polygon", annotation.category)
        group = raw.get("group")
        item.joiner.add(annotation, group if type(group) is int and group else None)


def _label_files(folder: Folder) -> Iterator[str]:
    for file in folder.with_suffix(".json"):
        paths = json_paths(folder, file, (b'"categories"',))
        listed = ("items",) in paths or ("dm_format_version",) in paths
        if ("categories",) in paths and ("categories", "[]") not in paths and listed:
            yield file


def _part_labels(items: list[Any]) -> set[int]:
    """The label ids of nothing but the parts of skeletons."""
    parts, whole = set[int](), set[int]()
    for item in items:
        shapes = item.get("annotations") if isinstance(item, dict) else None
        for shape in shapes if isinstance(shapes, list) else ():
            elements = shape.get("elements") if isinstance(shape, dict) else None
            parts.update(_label_ids(elements if isinstance(elements, list) else []))
            whole.update(_label_ids([shape]))
    return parts - whole


def _label_ids(shapes: list[Any]) -> Iterator[int]:
    for shape in shapes:
        label = shape.get("label_id") if isinstance(shape, dict) else None
        if type(label) is int:
            yield label


def _keypoints(
    categories: Any, names: list[str], parents: list[str]
) -> dict[str, tuple[tuple[str, ...], tuple[tuple[int, int], ...]]]:
    """The names of each class's keypoints, and the edges between them: from the points' own list, else by parents."""
    found: dict[str, tuple[tuple[str, ...], tuple[tuple[int, int], ...]]] = {}
    for parent in dict.fromkeys(parent for parent in parents if parent in names):
        own = tuple(name for name, above in zip(names, parents, strict=True) if above == parent and name)
        found[parent] = (own, ())
    listed = categories.get("points") if isinstance(categories, dict) else None
    for entry in (listed.get("items") if isinstance(listed, dict) else None) or ():
        if not isinstance(entry, dict) or type(entry.get("label_id")) is not int:
            continue
        index, labels, joints = entry["label_id"], entry.get("labels"), entry.get("joints")
        if 0 <= index < len(names) and isinstance(labels, list) and all(isinstance(name, str) for name in labels):
            pairs = joints if isinstance(joints, list) else []
            edges = [(p[0] - 1, p[1] - 1) for p in pairs if isinstance(p, list) and _is_edge(p, len(labels))]
            if labels and all(labels):
                found[names[index]] = (tuple(labels), tuple(edges))
    return found


def _is_edge(pair: list[Any], count: int) -> bool:
    """Whether two numbers, counted from 1 as COCO does, name keypoints."""
    return len(pair) == 2 and all(type(end) is int and 1 <= end <= count for end in pair)


def _declared(size: Any) -> Size | None:
    """Height, width as a size; None if it is not usable."""
    if not isinstance(size, list) or len(size) != 2 or not all(type(side) is int and side > 0 for side in size):
        return None
    return (size[1], size[0])


def register(registry: Registry) -> None:
    """Offer both sides of the format."""
    registry.add_source(DatumaroSource)
    registry.add_exporter(DatumaroExporter)
