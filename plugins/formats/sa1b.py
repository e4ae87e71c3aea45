"""SA-1B: one JSON an image with masks of everything in it, and no classes.

https://ai.meta.com/datasets/segment-anything-downloads (format), what Segment Anything's mask generator writes:

    sa_1.jpg   sa_1.json
        {"image": {"image_id", "width", "height", "file_name"},
         "annotations": [{"id", "segmentation": {"size", "counts"}, "bbox", "area", "predicted_iou", ...}]}

All labels get one class, which is called as the option `category` says. What the model thought of its masks
(`predicted_iou`, `stability_score`) is kept as attributes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from amp_datasets.errors import AmpError, SourceError
from amp_datasets.formats.base import Detection, Options, Source
from amp_datasets.formats.kit.coco_annotation import LabelReader
from amp_datasets.formats.kit.reading import category_name, looks_like, parse_json
from amp_datasets.model import Category, LabelSet, Size
from amp_datasets.plugin.registry import Registry
from amp_datasets.storage.folder import Folder

_WORDS = (b'"image"', b'"annotations"')


class Sa1bOptions(Options):
    """`category`: the class of all masks."""

    category: str = "object"


class Sa1bSource(Source[Sa1bOptions]):
    """Reads the JSON beside each image."""

    name: ClassVar[str] = "sa1b"
    title: ClassVar[str] = "SA-1B, a JSON of masks without classes an image"
    options_type: ClassVar[type[Options]] = Sa1bOptions

    @classmethod
    def detect(cls, folder: Folder) -> Detection | None:
        """A JSON with one `image` and `annotations` that have a segmentation and no category."""
        file = next(_label_files(folder), None)
        return (
            Detection(f"{file} has masks of one image and no classes (SA-1B)", 84, file) if file is not None else None
        )

    def read(self) -> LabelSet:
        """The set; masks that cannot be read are dropped one by one."""
        try:
            name = category_name(self.options.category)
        except ValueError as error:
            raise SourceError(f"the option `category`: {error}", where=self.folder.root) from error
        found = False
        for file in _label_files(self.folder):
            self._read_file(file, parse_json(self.folder.read(file), self.folder.path(file)), name)
            found = True
        if not found:
            raise SourceError("no JSON has masks of one image", where=self.folder.root)
        self.reading.repair("classes", "labels without a category read as one class", name)
        return self.reading.finish([Category(name)])

    def _read_file(self, file: str, document: Mapping[str, Any], name: str) -> None:
        entry, labels = document["image"], document["annotations"]
        image = self.reading.image_for(file, str(entry.get("file_name") or ""))
        if image is None:
            return
        size = _size(entry)
        reader = LabelReader(self.reading, {"0": name})
        read = []
        for number, label in enumerate(labels, start=1):
            if not isinstance(label, dict):
                self.reading.drop(f"{image}#{number}", "label cannot be read", str(label)[:60])
                continue
            annotation = reader.read({"iscrowd": 0, **label, "category_id": 0}, f"{image}#{number}", size)
            if annotation is not None:
                read.append(annotation)
        if labels and not read:
            self.reading.drop(image, "no usable label", f"all {len(labels)} labels were dropped")
            return
        self.reading.add(image, read, declared=size, split=self.reading.splits.of(image), label_file=file)


def _label_files(folder: Folder) -> Iterator[str]:
    """The JSON files that are of this kind by their structure; words only say which are worth parsing."""
    for file in folder.with_suffix(".json"):
        if not looks_like(folder, file, _WORDS):
            continue
        try:
            document = parse_json(folder.read(file), file)
        except AmpError:
            continue
        if _is_sa1b(document):
            yield file


def _is_sa1b(document: Any) -> bool:
    if not isinstance(document, dict) or not isinstance(document.get("image"), dict):
        return False
    labels = document.get("annotations")
    if not isinstance(labels, list) or "file_name" not in document["image"]:
        return False
    masks = [label for label in labels if isinstance(label, dict) and "segmentation" in label]
    return (not labels or bool(masks)) and not any("category_id" in label for label in masks)


def _size(entry: Mapping[str, Any]) -> Size | None:
    width, height = entry.get("width"), entry.get("height")
    return (width, height) if type(width) is int and type(height) is int and min(width, height) > 0 else None


def register(registry: Registry) -> None:
    """Offer the reader."""
    registry.add_source(Sa1bSource)
