"""LabelMe: one JSON an image, a list of shapes in pixels.

https://github.com/wkentaro/labelme/blob/main/labelme/_label_file.py

    {"imagePath": "a.jpg", "imageData": null, "imageWidth": 100, "imageHeight": 80,
     "shapes": [{"label": "cat", "shape_type": "rectangle", "points": [[10, 20], [40, 60]], "group_id": null}]}

Shapes of one label and `group_id` are parts of one object. A image without a JSON is unlabelled.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import cv2
import numpy as np
from PIL import Image as PillowImage

from amp_datasets.errors import AmpError, SourceError
from amp_datasets.formats.base import Detection, Exporter, Feature, Options, Source
from amp_datasets.formats.kit.reading import category_name, class_list, finite, looks_like, parse_json, split_of
from amp_datasets.geometry import shapes as geometry
from amp_datasets.images.codec import IMAGE_SUFFIXES, Limits
from amp_datasets.images.header import probe
from amp_datasets.model import Annotation, Category, FloatArray, ImageFile, LabelSet, Mask, Polygon, Sample, Size
from amp_datasets.plugin.registry import Registry
from amp_datasets.storage.folder import Folder

_NOT_CLASSES = frozenset({"__ignore__", "_background_"})
_NO_AREA = frozenset({"point", "points", "line", "linestrip"})
_MAX_MASK_PIXELS = 10**9


class LabelMeSource(Source[Options]):
    """Reads every LabelMe JSON of a folder, and the image inside it where its file is missing."""

    name: ClassVar[str] = "labelme"
    title: ClassVar[str] = "LabelMe, one JSON an image"

    @classmethod
    def detect(cls, folder: Folder) -> Detection | None:
        """A JSON with `shapes` and `points`, or one without any shape that names its image."""
        file = next(_label_files(folder), None)
        return Detection(f"{file} has `shapes`", 80) if file is not None else None

    def read(self) -> LabelSet:
        """The set; a JSON that cannot be read drops its image."""
        names = dict.fromkeys(name for name in class_list(self.reading) if name and name not in _NOT_CLASSES)
        for file in _label_files(self.folder):
            try:
                document = parse_json(self.folder.read(file), self.folder.path(file))
            except SourceError as error:
                image = self.reading.images.find(PurePosixPath(file).stem, posixpath.dirname(file))
                self.reading.drop(image or file, "label file cannot be read", f"{file}: {error.what}")
                continue
            if isinstance(document, dict) and isinstance(document.get("shapes"), list):
                self._read_document(file, document, names)
            else:
                self.reading.drop(file, "label file has no list of shapes")
        return self.reading.finish([Category(name) for name in names])

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
        annotations = self._annotations(image_name, document["shapes"], declared or header.size)
        names.update(dict.fromkeys(a.category for a in annotations))
        if document["shapes"] and not annotations:
            self.reading.drop(image_name, "no usable label", f"all {len(document['shapes'])} shapes were dropped")
            return
        split = split_of(image_name) or split_of(file)
        self.reading.add(image_name, annotations, header=header, file=image, declared=declared, split=split)

    def _image(self, file: str, document: Mapping[str, Any]) -> tuple[str, ImageFile] | None:
        """The image beside the JSON, or the one inside it; None, and counted, if there is neither."""
        near, stem = posixpath.dirname(file), PurePosixPath(file).stem
        stated = document.get("imagePath")
        reference = stated if isinstance(stated, str) and stated else stem
        images = self.reading.images
        image = images.find(reference, near) or images.find(stem, near)
        if image is not None:
            return image, self.folder.image(image)
        data = document.get("imageData")
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
        self.reading.drop(reference, images.why_missing(reference), f"named in {file}")
        return None

    def _annotations(self, image: str, shapes: Sequence[Any], size: Size) -> list[Annotation]:
        """The objects: each shape, or the parts that share a label and a `group_id`."""
        objects: dict[object, list[Annotation]] = {}
        for number, shape in enumerate(shapes, start=1):
            label = f"{image}#{number}"
            kind = shape.get("shape_type") if isinstance(shape, dict) else None
            if isinstance(kind, str) and kind in _NO_AREA:
                self.reading.drop(label, "shape has no area", kind)
                continue
            try:
                annotation = shape_to_annotation(shape, size)
            except (ValueError, KeyError, TypeError, AttributeError, AmpError) as error:
                self.reading.drop(label, "label cannot be read", f"{type(error).__name__}: {error}"[:100])
                continue
            group = shape.get("group_id")
            key = (annotation.category, str(group)) if isinstance(group, int | str) else number
            objects.setdefault(key, []).append(annotation)
        return [_joined(parts) for parts in objects.values()]


class LabelMeExporter(Exporter[Options]):
    """Writes one folder a split with each image and its JSON side by side, and the list of classes."""

    name: ClassVar[str] = "labelme"
    title: ClassVar[str] = "LabelMe, one JSON an image"
    holds: ClassVar[frozenset[Feature]] = frozenset(
        {"polygon", "multipart", "mask", "attributes", "empty", "unlabelled", "split", "classes"}
    )

    def write(self, labels: LabelSet) -> None:
        """Write images and JSON files."""
        for sample in labels.samples:
            folder = self.target / str(sample.split)
            self.place(sample, folder / sample.source_id)
            if sample.labelled:
                text = json.dumps(_document(sample), ensure_ascii=False, indent=1)
                file = folder / f"{PurePosixPath(sample.source_id).stem}.json"
                file.write_text(text + "\n", encoding="utf-8", newline="\n")
        names = "".join(f"{category.name}\n" for category in labels.categories)
        (self.target / "labels.txt").write_text(names, encoding="utf-8", newline="\n")


def shape_to_annotation(shape: Any, size: Size) -> Annotation:
    """One shape as a label; ValueError, KeyError, TypeError or AttributeError for one that has no outline."""
    category, kind = category_name(shape["label"]), shape.get("shape_type") or "polygon"
    ring = np.array([[finite(x), finite(y)] for x, y in shape["points"]], dtype=np.float64).reshape(-1, 2)
    attributes = _attributes(shape)
    if kind == "mask":
        mask = _mask(shape["mask"], ring, size)
        return Annotation(category, geometry.mask_box(mask), mask=mask, attributes=attributes)
    if kind == "circle":
        ring = _circle(ring)
    elif kind == "rectangle" and len(ring) == 2:
        return Annotation(category, geometry.bounds([ring]), attributes=attributes)
    elif kind in ("rotation", "oriented_rectangle") and len(ring) == 4:
        return Annotation(category, geometry.bounds([ring]), corners=ring, attributes=attributes)
    elif kind not in ("polygon", "rectangle") or len(ring) < 3:
        raise ValueError(f"{len(ring)} points do not make a {str(kind)[:40]}")
    return Annotation(category, geometry.bounds([ring]), polygons=(Polygon(ring),), attributes=attributes)


def _circle(ring: FloatArray) -> FloatArray:
    """The outline of a circle given by its centre and a point on its rim."""
    if len(ring) != 2:
        raise ValueError(f"a circle has 2 points, not {len(ring)}")
    (x, y), radius = ring[0], float(np.linalg.norm(ring[1] - ring[0]))
    return geometry.ellipse((x - radius, y - radius, x + radius, y + radius))


def _mask(text: Any, corners: FloatArray, size: Size) -> Mask:
    """A mask of the whole image from the PNG of its box, whose top left pixel is the first point."""
    data = base64.b64decode(text)
    width, height = probe(ImageFile(Path("mask.png"), data=data), Limits()).size
    x, y = (round(value) for value in corners[0].tolist())
    if x < 0 or y < 0 or y + height > size[1] or x + width > size[0] or size[0] * size[1] > _MAX_MASK_PIXELS:
        raise ValueError(f"the mask of {width}x{height} pixels at {x}, {y} reaches out of the image")
    part = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_GRAYSCALE)
    if part is None or part.shape != (height, width):
        raise ValueError("the mask is no image")
    whole = np.zeros((size[1], size[0]), dtype=np.bool_)
    whole[y : y + height, x : x + width] = part > 0
    return geometry.encode_mask(whole)


def _attributes(shape: Mapping[str, Any]) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    for key in ("flags", "attributes"):
        values = shape.get(key)
        if isinstance(values, dict):
            attributes.update(values)
    return attributes


def _joined(parts: list[Annotation]) -> Annotation:
    """The parts of one object; a part that is a plain box takes part with its four corners."""
    if len(parts) == 1:
        return parts[0]
    polygons = tuple(polygon for part in parts for polygon in geometry.outline(part, "rect"))
    box = geometry.bounds(polygon.exterior for polygon in polygons)
    return Annotation(parts[0].category, box, polygons=polygons, attributes=parts[0].attributes)


def _declared(document: Mapping[str, Any]) -> Size | None:
    try:
        width, height = (finite(document.get(key)) for key in ("imageWidth", "imageHeight"))
    except ValueError:
        return None
    return (int(width), int(height)) if width >= 1 and height >= 1 else None


def _label_files(folder: Folder) -> Iterator[str]:
    """The JSON files that have shapes; one that holds its image first may say so late."""
    for file in folder.with_suffix(".json"):
        if looks_like(folder, file, [b'"shapes"']) or looks_like(folder, file, [b'"imageData"']):
            yield file


def _document(sample: Sample) -> dict[str, Any]:
    shapes = [shape for number, a in enumerate(sample.annotations) for shape in _shapes(a, number, len(a.polygons) > 1)]
    return {
        "version": "5.5.0",
        "flags": {},
        "shapes": shapes,
        "imagePath": sample.source_id,
        "imageData": None,
        "imageHeight": sample.size[1],
        "imageWidth": sample.size[0],
    }


def _shapes(annotation: Annotation, number: int, grouped: bool) -> Iterator[dict[str, Any]]:
    """The shapes of one object: several where it has several parts, which then share a `group_id`."""
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
