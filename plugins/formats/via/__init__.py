"""VGG Image Annotator: JSON of its versions 1 to 3, projects, and CSV; the class is an attribute that people named.

https://gitlab.com/vgg/via/-/blob/master/via-2.x.y/CodeDoc.md and via-3.x.y/CodeDoc.md

    {"a.jpg5000": {"filename": "a.jpg", "size": 5000, "file_attributes": {},
                   "regions": [{"shape_attributes": {"name": "rect", "x": 20, "y": 20, "width": 60, "height": 50},
                                "region_attributes": {"class": "bolt"}}]}}

Coordinates are pixels from the top left corner. There is neither a size nor a list of classes in the older files; their
order is that of the attribute's options, else of their first appearance. An image without regions is empty.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from amp_datasets.formats.base import Detection, Options, Source
from amp_datasets.formats.kit.entries import simple_values
from amp_datasets.formats.kit.reading import class_list, finite, points, split_of
from amp_datasets.geometry import shapes as geometry
from amp_datasets.model import Annotation, Category, FloatArray, LabelSet, Polygon
from amp_datasets.plugin.registry import Registry
from amp_datasets.storage.folder import Folder

from .classes import Classes, find_classes
from .documents import Entry, label_files, read_document
from .export import ViaExporter

_WITHOUT_AREA = frozenset({"point", "line", "polyline"})
_ROUND = frozenset({"circle", "ellipse"})


class ViaOptions(Options):
    """`attribute`: the region attribute that is the class. `class_name`: the class of regions that have none."""

    attribute: str | None = None
    class_name: str | None = None


class ViaSource(Source[ViaOptions]):
    """Reads every file of VIA in a folder."""

    name: ClassVar[str] = "via"
    title: ClassVar[str] = "VGG Image Annotator, JSON or CSV"
    options_type: ClassVar[type[Options]] = ViaOptions

    @classmethod
    def detect(cls, folder: Folder) -> Detection | None:
        """A JSON whose entries have `filename` and `regions`, a project of VIA 3, or a CSV with VIA's header."""
        file = next(label_files(folder), None)
        return Detection(f"{file} has VIA's regions", 88, file) if file is not None else None

    def read(self) -> LabelSet:
        """The set. Raises SourceError if nothing tells which attribute is the class."""
        documents = {file: read_document(self.folder, file) for file in label_files(self.folder)}
        attributes = [values for d in documents.values() for entry in d.entries for _, values in entry.regions]
        options, where = self.options, ", ".join(list(documents)[:3])
        listed = [key for document in documents.values() for key, choices in document.choices.items() if choices]
        classes = find_classes(attributes, listed, options.attribute, options.class_name, self.reading, where)
        names = dict.fromkeys(name for name in class_list(self.reading) if name)
        for document in documents.values():
            names.update(dict.fromkeys(filter(None, map(str.strip, document.choices.get(classes.attribute or "", ())))))
        for file, document in documents.items():
            self.reading.use(file)
            for what in document.unread:
                self.reading.drop(f"{file}: {what}", "entry has no image or no list of annotations")
            for entry in document.entries:
                self._read_entry(file, entry, classes, names)
        return self.reading.finish([Category(name) for name in names])

    def _read_entry(self, file: str, entry: Entry, classes: Classes, names: dict[str, None]) -> None:
        image = self.reading.image_of(entry.name, file)
        header = None if image is None else self.reading.header(image)
        if image is None or header is None:
            return
        for kind in entry.other:
            self.reading.drop(image, "kind of label is not read", kind)
        annotations = []
        for number, (shape, attributes) in enumerate(entry.regions, start=1):
            report = f"{image}#{number}"
            kind = str(shape.get("name")) if isinstance(shape, dict) else ""
            if kind in _WITHOUT_AREA:
                self.reading.drop(report, "shape has no area", kind)
                continue
            try:
                annotations.append(_annotation(shape, attributes, classes))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                self.reading.drop(report, "label cannot be read", f"{type(error).__name__}: {error}"[:100])
                continue
            if kind in _ROUND:
                self.reading.repair(report, "ellipse read as a polygon", annotations[-1].category)
        names.update(dict.fromkeys(a.category for a in annotations))
        if entry.regions and not annotations:
            self.reading.drop(image, "no usable label", f"all {len(entry.regions)} regions were dropped")
            return
        self.reading.add(image, annotations, header=header, split=self.reading.splits.of(image) or split_of(file))


def _annotation(shape: Any, values: Any, classes: Classes) -> Annotation:
    """One region as a label; ValueError, KeyError, TypeError or AttributeError for one that has no class or outline."""
    category = classes.of(values)
    others = {key: value for key, value in values.items() if key != classes.attribute} if values else {}
    attributes = {key: value for key, value in simple_values(others).items() if value != ""}
    if shape["name"] == "rect":
        x, y, width, height = (finite(shape[key]) for key in ("x", "y", "width", "height"))
        return Annotation(category, (x, y, x + width, y + height), attributes=attributes)
    if shape["name"] == "extreme_rect":  # the outermost point on each side
        return Annotation(category, geometry.bounds([_ring(shape)]), attributes=attributes)
    ring = _round(shape) if shape["name"] in _ROUND else _ring(shape)
    if len(ring) < 3 or shape["name"] not in _ROUND | {"polygon"}:
        raise ValueError(f"{len(ring)} points do not make a {str(shape['name'])[:40]}")
    return Annotation(category, geometry.bounds([ring]), polygons=(Polygon(ring),), attributes=attributes)


def _ring(shape: Any) -> FloatArray:
    xs, ys = shape["all_points_x"], shape["all_points_y"]
    if len(xs) != len(ys) or not xs:
        raise ValueError(f"it has {len(xs)} x and {len(ys)} y")
    return points([value for pair in zip(xs, ys, strict=True) for value in pair])


def _round(shape: Any) -> FloatArray:
    """The outline of a circle or ellipse; `theta` is in radians, clockwise on screen about the centre."""
    cx, cy = finite(shape["cx"]), finite(shape["cy"])
    rx, ry = (finite(shape[key]) for key in (("r", "r") if shape["name"] == "circle" else ("rx", "ry")))
    upright = geometry.ellipse((cx - rx, cy - ry, cx + rx, cy + ry))
    theta = finite(shape.get("theta") or 0)
    return geometry.rotated(upright, float(np.degrees(theta)), (cx, cy)) if theta else upright


def register(registry: Registry) -> None:
    """Offer both sides of the format."""
    registry.add_source(ViaSource)
    registry.add_exporter(ViaExporter)
