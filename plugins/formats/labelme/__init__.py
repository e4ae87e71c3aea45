"""LabelMe: one JSON an image, a list of shapes in pixels.

https://github.com/wkentaro/labelme/blob/main/labelme/_label_file.py

    {"imagePath": "a.jpg", "imageData": null, "imageWidth": 100, "imageHeight": 80,
     "shapes": [{"label": "cat", "shape_type": "rectangle", "points": [[10, 20], [40, 60]], "group_id": null}]}

Shapes of one label and `group_id` are parts of one object, points of its `group_id` are its keypoints. An image without
a JSON is unlabelled. The `flags` that are true are the classes of the whole image in a set without a single shape, as
LabelMe's own example of classification has it; beside shapes they are notes, and become tags.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import functools
import io
import json
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, ClassVar

import numpy as np
from PIL import Image as PillowImage

from amp_datasets.errors import AmpError, SourceError
from amp_datasets.formats.base import Detection, Exporter, Feature, Options, Source
from amp_datasets.formats.kit.documents import json_of, take_json
from amp_datasets.formats.kit.reading import category_name, class_list, finite, looks_like, split_of
from amp_datasets.geometry import shapes as geometry
from amp_datasets.images.codec import IMAGE_SUFFIXES
from amp_datasets.model import Annotation, ImageFile, LabelSet, Mask, Sample, Size
from amp_datasets.plugin.registry import Registry
from amp_datasets.storage.folder import Folder

from .objects import KEYPOINT_NAMES, NOT_CLASSES, ObjectReader, is_no_class


class LabelMeSource(Source[Options]):
    """Reads every LabelMe JSON of a folder, and the image inside it where its file is missing."""

    name: ClassVar[str] = "labelme"
    title: ClassVar[str] = "LabelMe, one JSON an image"

    @classmethod
    def detect(cls, folder: Folder) -> Detection | None:
        """A JSON with a list of `shapes` and the image that they are in."""
        for file in _label_files(folder):
            try:
                if _is_labelme(json_of(folder, file)):
                    return Detection(f"{file} has `shapes` and its `imagePath`", 80, file)
            except AmpError:
                continue
        return None

    def read(self) -> LabelSet:
        """The set; a JSON that cannot be read drops its image."""
        names = dict.fromkeys(name for name in class_list(self.reading) if name and name not in NOT_CLASSES)
        self._objects = ObjectReader(self.reading, self._all_documents, tuple(names))
        for file in _label_files(self.folder):
            try:
                document = take_json(self.folder, file)
            except SourceError as error:
                self.reading.use(file)
                image = self.reading.images.of_label_file(file).image
                self.reading.drop(image or file, "label file cannot be read", f"{file}: {error.what}")
                continue
            if _is_labelme(document):
                self.reading.use(file)
                listed = self.reading.classes.near(file).names
                names.update(dict.fromkeys(name for name in listed if name and name not in NOT_CLASSES))
                self._read_document(file, document, names)
        return self.reading.finish(self._objects.categories(names))

    def _all_documents(self) -> Iterator[Mapping[str, Any]]:
        """Every file that can be read and has shapes."""
        for file in _label_files(self.folder):
            with contextlib.suppress(SourceError):
                document = json_of(self.folder, file)
                if _is_labelme(document):
                    yield document

    def _read_document(self, file: str, document: Mapping[str, Any], names: dict[str, None]) -> None:
        found = self._image(file, document)
        if found is None:
            return
        image_name, image = found
        header = self.reading.header_of(image_name, image)
        if header is None:
            return
        declared = _declared(document)
        if declared is None and document.get("imageWidth") is not None:
            self.reading.repair(image_name, "unusable image size ignored", str(document["imageWidth"])[:40])
        annotations = self._objects.read(image_name, document["shapes"], declared or header.size)
        names.update(dict.fromkeys(a.category for a in annotations))
        flags = _flags(document)
        classes = flags if flags and self._classifies else []
        names.update(dict.fromkeys(classes))
        if not annotations and not all(map(is_no_class, document["shapes"])):
            self.reading.drop(image_name, "no usable label", f"all {len(document['shapes'])} shapes were dropped")
            return
        split = self.reading.splits.of(image_name) or split_of(file)
        self.reading.add(
            image_name,
            annotations,
            header=header,
            file=image,
            declared=declared,
            split=split,
            label_file=file,
            labels=classes,
            tags=[] if classes else flags,
        )

    @functools.cached_property
    def _classifies(self) -> bool:
        """Whether no file of the set has a shape, so that flags are all that it says."""
        return not any(document["shapes"] for document in self._all_documents())

    def _image(self, file: str, document: Mapping[str, Any]) -> tuple[str, ImageFile] | None:
        """The image beside the JSON, or the one inside it; None, and counted, if there is neither."""
        near, stem = posixpath.dirname(file), PurePosixPath(file).stem
        stated = document.get("imagePath")
        reference = stated if isinstance(stated, str) and stated else stem
        data = document.get("imageData")
        inside = isinstance(data, str) and data
        image = self.reading.image_for(file, reference, or_inside=bool(inside))
        if image is not None:
            return image, self.folder.image(image)
        if isinstance(data, str) and data:
            bare = reference.replace("\\", "/").rpartition("/")[2]
            name = posixpath.join(near, stem if bare in ("", ".", "..") else bare)
            try:
                content = base64.b64decode(data, validate=False)
            except (binascii.Error, ValueError) as error:
                self.reading.drop(name, "image cannot be read", f"imageData of {file}: {error}")
                return None
            if not name.lower().endswith(IMAGE_SUFFIXES):
                name += ".png" if content.startswith(b"\x89PNG") else ".jpg"
            self.reading.repair(name, "image taken from the label file", f"imageData of {file}")
            return name, ImageFile(self.folder.image(file).path, data=content)
        return None


class LabelMeExporter(Exporter[Options]):
    """Writes one folder a split with each image and its JSON side by side, and the list of classes."""

    name: ClassVar[str] = "labelme"
    title: ClassVar[str] = "LabelMe, one JSON an image"
    holds: ClassVar[frozenset[Feature]] = frozenset(
        {"polygon", "multipart", "mask", "keypoints", "attributes", "empty", "unlabelled", "split", "classes"}
    )

    def write(self, labels: LabelSet) -> None:
        """Write images and JSON files; keypoints are points in the group of their object, labelled by their names."""
        dots = {c.name: c.keypoints or _numbered(labels, c.name) for c in labels.categories}
        for sample in labels.samples:
            folder = self.target / str(sample.split)
            self.place(sample, folder / sample.source_id)
            if sample.labelled:
                text = json.dumps(_document(sample, dots), ensure_ascii=False, indent=1)
                file = folder / f"{PurePosixPath(sample.source_id).stem}.json"
                file.write_text(text + "\n", encoding="utf-8", newline="\n")
        names = "".join(f"{category.name}\n" for category in labels.categories)
        (self.target / "labels.txt").write_text(names, encoding="utf-8", newline="\n")


def _flags(document: Mapping[str, Any]) -> list[str]:
    """The flags of an image that are set and can be names."""
    found = []
    stated = document.get("flags")
    for name, value in stated.items() if isinstance(stated, dict) else ():
        if value is True and name not in NOT_CLASSES:
            with contextlib.suppress(ValueError):
                found.append(category_name(name))
    return found


def _declared(document: Mapping[str, Any]) -> Size | None:
    try:
        width, height = (finite(document.get(key)) for key in ("imageWidth", "imageHeight"))
    except ValueError:
        return None
    return (int(width), int(height)) if width >= 1 and height >= 1 else None


def _is_labelme(document: Any) -> bool:
    """Whether a document has LabelMe's list of shapes, each with points, or none and an image's name or pixels."""
    shapes = document.get("shapes") if isinstance(document, dict) else None
    if not isinstance(shapes, list):
        return False
    return any(isinstance(shape, dict) and "points" in shape for shape in shapes) or (
        "imagePath" in document or "imageData" in document
    )


def _label_files(folder: Folder) -> Iterator[str]:
    """The JSON files that have shapes; one that holds its image first may say so late."""
    for file in folder.with_suffix(".json"):
        if looks_like(folder, file, [b'"shapes"']) or looks_like(folder, file, [b'"imageData"']):
            yield file


def _document(sample: Sample, dots: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    shapes = [
        shape
        for number, annotation in enumerate(sample.annotations)
        for shape in (*_shapes(annotation, number), *_points(annotation, number, dots))
    ]
    named = {a.category: list(dots[a.category]) for a in sample.annotations if a.keypoints is not None}
    return {
        "version": "5.5.0",
        "flags": {},
        "shapes": shapes,
        "imagePath": sample.source_id,
        "imageData": None,
        "imageHeight": sample.size[1],
        "imageWidth": sample.size[0],
        **({KEYPOINT_NAMES: named} if named else {}),
    }


def _shapes(annotation: Annotation, number: int) -> Iterator[dict[str, Any]]:
    """The shapes of one object: those of several parts, or with keypoints, share a `group_id`."""
    grouped = len(annotation.polygons) > 1 or annotation.keypoints is not None
    common: dict[str, Any] = {
        "label": annotation.category,
        "group_id": number if grouped else None,
        "description": "",
        "flags": {},
    }
    if annotation.attributes:
        common["attributes"] = dict(annotation.attributes)
    if annotation.mask is not None:
        yield {**common, **_mask_shape(annotation.mask)}
        return
    for polygon in annotation.polygons:
        yield {**common, "shape_type": "polygon", "points": polygon.exterior.tolist()}
    if not annotation.polygons:
        x0, y0, x1, y1 = annotation.xyxy
        yield {**common, "shape_type": "rectangle", "points": [[x0, y0], [x1, y1]]}


def _numbered(labels: LabelSet, category: str) -> tuple[str, ...]:
    """Names for the keypoints of a class that has none for them."""
    objects = (a for sample in labels.samples for a in sample.annotations if a.category == category)
    count = max((len(a.keypoints) for a in objects if a.keypoints is not None), default=0)
    return tuple(f"keypoint_{number}" for number in range(count))


def _points(annotation: Annotation, number: int, dots: Mapping[str, Sequence[str]]) -> Iterator[dict[str, Any]]:
    """The keypoints of an object that are labelled; a hidden one says so by a flag."""
    if annotation.keypoints is None:
        return
    for name, (x, y, visibility) in zip(dots[annotation.category], annotation.keypoints.tolist(), strict=True):
        if visibility:
            flags = {"occluded": True} if visibility == 1 else {}
            common = {"label": name, "group_id": number, "description": "", "flags": flags}
            yield {**common, "shape_type": "point", "points": [[x, y]]}


def _mask_shape(mask: Mask) -> dict[str, Any]:
    x0, y0, x1, y1 = (round(value) for value in geometry.mask_box(mask))
    part = geometry.decode_mask(mask)[y0:y1, x0:x1]
    stream = io.BytesIO()
    PillowImage.fromarray(part.astype(np.uint8) * 255).save(stream, "PNG")
    text = base64.b64encode(stream.getvalue()).decode("ascii")
    return {"shape_type": "mask", "points": [[x0, y0], [x1 - 1, y1 - 1]], "mask": text}


def register(registry: Registry) -> None:
    """Offer both sides of the format."""
    registry.add_source(LabelMeSource)
    registry.add_exporter(LabelMeExporter)
