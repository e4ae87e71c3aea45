"""Reads COCO panoptic files with their images of segments."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from amp_datasets.errors import AmpError, ImageError, SourceError
from amp_datasets.formats.base import Detection, Options, Source
from amp_datasets.formats.kit.coco_annotation import entry_key, read_category
from amp_datasets.formats.kit.reading import finite, looks_like, parse_json, split_of
from amp_datasets.geometry.shapes import encode_mask, mask_box, xywh_to_xyxy
from amp_datasets.images.label_image import read_label_image
from amp_datasets.model import Annotation, Category, LabelSet, Size
from amp_datasets.storage.folder import Folder

from .export import TITLE

_HEAD_BYTES = 2**20
_WORDS = (b'"segments_info"',)


class PanopticOptions(Options):
    """`stuff`: whether segments of what is no object, as sky or road, are labels too."""

    stuff: Literal["keep", "drop"] = "keep"


class PanopticSource(Source[PanopticOptions]):
    """Reads every panoptic JSON of a folder with its mask images."""

    name: ClassVar[str] = "coco_panoptic"
    title: ClassVar[str] = TITLE
    options_type: ClassVar[type[Options]] = PanopticOptions

    @classmethod
    def detect(cls, folder: Folder) -> Detection | None:
        """A JSON whose annotations have `segments_info`, where no other has labels of objects as COCO's own set has."""
        files = list(_label_files(folder))
        others = [f for f in folder.with_suffix(".json") if posixpath.basename(f).startswith("instances_")]
        return Detection(f"{files[0]} has `segments_info`", 92, files[0]) if files and not others else None

    def read(self) -> LabelSet:
        """The set; segments and images that cannot be read are dropped one by one."""
        self._categories: dict[str, Category] = {}
        self._things: dict[str, bool] = {}
        files = list(_label_files(self.folder))
        if not files:
            raise SourceError("no JSON has annotations with `segments_info`", where=self.folder.root)
        for file in files:
            self._read_file(file, parse_json(self.folder.read(file), self.folder.path(file)))
        return self.reading.finish(self._categories.values())

    def _read_file(self, file: str, document: Mapping[str, Any]) -> None:
        self.reading.use(file)
        names = self._read_categories(file, document)
        images = {}
        for entry in document["images"]:
            try:
                images[entry_key(entry["id"])] = str(entry["file_name"]), _size(entry)
            except (ValueError, KeyError, TypeError) as error:
                self.reading.drop(f"{file}: {str(entry)[:60]}", "image entry cannot be read", str(error)[:100])
        for entry in document["annotations"]:
            try:
                reference, size = images[entry_key(entry["image_id"])]
                mask_name, segments = str(entry["file_name"]), list(entry["segments_info"])
            except (ValueError, KeyError, TypeError) as error:
                self.reading.drop(
                    f"{file}: {str(entry)[:60]}", "entry has no image or no list of annotations", str(error)[:100]
                )
                continue
            mask = self._mask_file(file, mask_name)
            if mask is not None:
                self.reading.leave_out(mask)
            image = self.reading.image_of(reference, file, split=_split(file))
            if image is not None:
                labels = list(self._labels(image, mask, segments, names))
                split = self.reading.splits.listed(image) or _split(file) or split_of(image)
                self.reading.add(image, labels, declared=size, split=split, label_file=file)

    def _read_categories(self, file: str, document: Mapping[str, Any]) -> dict[str, str]:
        names: dict[str, str] = {}
        for entry in document["categories"]:
            try:
                category = read_category(entry, self.reading)
                names[entry_key(entry["id"])] = category.name
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                self.reading.drop(f"{file}: {str(entry)[:60]}", "category cannot be read", str(error)[:100])
                continue
            self._things[category.name] = entry.get("isthing", 1) != 0
            if self._things[category.name] or self.options.stuff == "keep":
                self._categories.setdefault(category.name, category)
        return names

    def _mask_file(self, file: str, name: str) -> str | None:
        """The mask image that an entry names: in the folder called as the JSON, or beside it."""
        near, stem = posixpath.dirname(file), posixpath.basename(file).removesuffix(".json")
        places = (posixpath.join(near, stem, name), posixpath.join(near, name), posixpath.join(stem, name), name)
        found = next((place for place in places if place in self.reading.images), None)
        if found is None:
            ends = [image for image in self.reading.images.names if image.endswith(f"/{stem}/{name}")]
            found = ends[0] if len(ends) == 1 else None
        return found

    def _labels(
        self, image: str, mask: str | None, segments: list[Any], names: Mapping[str, str]
    ) -> Iterator[Annotation]:
        numbers = self._numbers(image, mask)
        for place, segment in enumerate(segments, start=1):
            label = f"{image}#{place}"
            try:
                name = names[entry_key(segment["category_id"])]
                if self._things[name] or self.options.stuff == "keep":
                    yield self._label(label, name, segment, numbers)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                self.reading.drop(label, "label cannot be read", f"{type(error).__name__}: {error}"[:100])

    def _label(
        self, label: str, name: str, segment: Mapping[str, Any], numbers: NDArray[np.uint32] | None
    ) -> Annotation:
        attributes = {} if self._things[name] else {"isthing": 0}
        crowd = bool(segment.get("iscrowd", 0))
        here = None if numbers is None else numbers == int(finite(segment["id"]))
        if here is not None and here.any():
            mask = encode_mask(here)
            return Annotation(name, mask_box(mask), mask=mask, iscrowd=crowd, attributes=attributes)
        box = xywh_to_xyxy([finite(value) for value in segment["bbox"]])
        self.reading.repair(label, "segment that is not in the mask image", "its box is kept")
        return Annotation(name, box, iscrowd=crowd, attributes=attributes)

    def _numbers(self, image: str, mask: str | None) -> NDArray[np.uint32] | None:
        """The number of the segment at each pixel; None, and counted, if there is no mask image to be read."""
        if mask is None:
            self.reading.repair(image, "mask image is missing", "boxes are kept")
            return None
        try:
            found = read_label_image(self.folder.image(mask), self.reading.limits)
        except (ImageError, SourceError) as error:
            self.reading.repair(image, "mask image is missing", error.what)
            return None
        if not found.is_colour and not found.palette:  # gray: R, G and B are the same
            return found.values * np.uint32(0x010101)
        colours = found.values
        if found.palette:
            table = np.array([found.palette.get(n, 0) for n in range(256)], dtype=np.uint32)
            colours = table[np.minimum(found.values, 255)]
        return np.asarray((colours >> 16) | (colours & 0xFF00) | ((colours & 0xFF) << 16), dtype=np.uint32)


def _label_files(folder: Folder) -> Iterator[str]:
    """The JSON files that are panoptic by their structure; words only say which are worth parsing."""
    for file in folder.with_suffix(".json"):
        called = posixpath.basename(file).startswith("panoptic")  # it may begin with a long list of images
        if not called and not looks_like(folder, file, _WORDS, _HEAD_BYTES):
            continue
        try:
            document = parse_json(folder.read(file), file)
        except AmpError:
            continue
        if _is_panoptic(document):
            yield file


def _is_panoptic(document: Any) -> bool:
    if not isinstance(document, dict):
        return False
    lists = [document.get(key) for key in ("images", "annotations", "categories")]
    if not all(isinstance(each, list) for each in lists):
        return False
    entries = document["annotations"]
    return bool(entries) and all(isinstance(e, dict) and "segments_info" in e for e in entries[:100])


def _size(entry: Mapping[str, Any]) -> Size | None:
    width, height = entry.get("width"), entry.get("height")
    return (width, height) if type(width) is int and type(height) is int and min(width, height) > 0 else None


def _split(file: str) -> str | None:
    """The split in a file's name: `panoptic_val2017.json`."""
    words = posixpath.basename(file).removesuffix(".json").split("_")
    return next((split for word in words if (split := split_of(f"{word}/x")) is not None), None)
