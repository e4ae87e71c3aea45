"""LabelMe XML: what LabelMe's old web tool wrote, and CVAT and Datumaro still do; one XML an image.

http://labelme.csail.mit.edu/Release3.0, and https://docs.cvat.ai/docs/dataset_management/formats/format-labelme

    <annotation><filename>a.jpg</filename><folder>set</folder><imagesize><nrows>80</nrows><ncols>100</ncols></imagesize>
      <object><name>cat</name><deleted>0</deleted><occluded>no</occluded><type>bounding_box</type>
        <polygon><pt><x>10</x><y>20</y></pt> ... </polygon></object></annotation>

A box is a polygon of four corners with `type` bounding_box; a mask is `<segm>` with the name of a file in `Masks/`.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any, ClassVar
from xml.etree import ElementTree

import cv2
import numpy as np

from amp_datasets.errors import AmpError
from amp_datasets.formats.base import Detection, Options, Source
from amp_datasets.formats.kit.coco_annotation import turn
from amp_datasets.formats.kit.documents import first_xml, xml_files
from amp_datasets.formats.kit.reading import category_name, finite, split_of
from amp_datasets.geometry import shapes as geometry
from amp_datasets.images.codec import Limits
from amp_datasets.images.header import probe
from amp_datasets.model import Annotation, Category, LabelSet, Mask, Polygon, Size
from amp_datasets.plugin.registry import Registry
from amp_datasets.storage.folder import Folder

_PLACES = ("polygon", "segm")


class LabelMeXmlSource(Source[Options]):
    """Reads every XML of LabelMe's web tool in a folder."""

    name: ClassVar[str] = "labelme-xml"
    title: ClassVar[str] = "LabelMe XML, of its old web tool (CVAT, Datumaro)"

    @classmethod
    def detect(cls, folder: Folder) -> Detection | None:
        """An XML whose objects have polygons of `pt`, or masks in files."""
        file = first_xml(folder, _is_labelme)
        what = f"{file} is an <annotation> with LabelMe's <polygon> of <pt>"
        return Detection(what, 78, file) if file is not None else None

    def read(self) -> LabelSet:
        """The set; an XML that cannot be read drops its image."""
        names: dict[str, None] = {}
        for file, root in xml_files(self.reading, _is_labelme):
            names.update(dict.fromkeys(name for name in self.reading.classes.near(file).names if name))
            self._read_file(file, root, names)
        return self.reading.finish([Category(name) for name in names])

    def _read_file(self, file: str, root: ElementTree.Element, names: dict[str, None]) -> None:
        image = self.reading.image_for(file, (root.findtext("filename") or "").strip())
        header = None if image is None else self.reading.header(image)
        if image is None or header is None:
            return
        declared = _declared(root)
        objects = [node for node in root.findall("object") if not self._is_deleted(image, node)]
        annotations = []
        for number, node in enumerate(objects, start=1):
            try:
                annotation = self._annotation(file, node, declared or header.size)
            except (ValueError, AmpError) as error:
                self.reading.drop(f"{image}#{number}", "label cannot be read", str(error)[:100])
                continue
            if annotation is None:
                self.reading.drop(f"{image}#{number}", "shape has no area", (node.findtext("name") or "")[:60])
                continue
            turned = turn(annotation)
            if turned is not None:
                degrees = f"{annotation.attributes['rotation']} degrees"
                self.reading.repair(f"{image}#{number}", "box turned by its rotation", degrees)
            annotations.append(turned or annotation)
        names.update(dict.fromkeys(a.category for a in annotations))
        if objects and not annotations:
            self.reading.drop(image, "no usable label", f"all {len(objects)} labels were dropped")
            return
        split = self.reading.splits.of(image) or split_of(file)
        self.reading.add(image, annotations, header=header, declared=declared, split=split, label_file=file)

    def _is_deleted(self, image: str, node: ElementTree.Element) -> bool:
        deleted = (node.findtext("deleted") or "").strip() == "1"
        if deleted:
            self.reading.repair(image, "object that was deleted left out", (node.findtext("name") or "")[:60])
        return deleted

    def _annotation(self, file: str, node: ElementTree.Element, size: Size) -> Annotation | None:
        """An object with its outline; None for a point or a line. ValueError for one that cannot be read."""
        category, attributes = category_name(node.findtext("name") or ""), _attributes(node)
        mask_name = (node.findtext("segm/mask") or "").strip()
        scribble = PurePosixPath((node.findtext("segm/scribbles/scribble_name") or "").strip().replace("\\", "/")).name
        drawn = self._beside(posixpath.dirname(file), "Scribbles", scribble) if scribble else None
        self.reading.leave_out(*filter(None, [drawn]))
        if node.find("polygon") is None and mask_name:
            mask = self._mask(file, mask_name, size)
            return Annotation(category, geometry.mask_box(mask), mask=mask, attributes=attributes)
        ring = _ring(node)
        if len(ring) < 3:
            return None
        box = geometry.bounds([ring])
        if (node.findtext("type") or "").strip() == "bounding_box":
            return Annotation(category, box, attributes=attributes)
        return Annotation(category, box, polygons=(Polygon(ring),), attributes=attributes)

    def _mask(self, file: str, name: str, size: Size) -> Mask:
        """The pixels above 0 of a mask's file; ValueError if it is not there or not of the image's size."""
        bare = PurePosixPath(name.replace("\\", "/")).name
        found = self._beside(posixpath.dirname(file), "Masks", bare)
        if found is None:
            raise ValueError(f"there is no mask {bare[:60]}")
        self.reading.leave_out(found)
        self.reading.use(found)
        if probe(self.folder.image(found), Limits()).size != size:
            raise ValueError(f"the mask {bare[:60]} has another size than the image")
        pixels = cv2.imdecode(np.frombuffer(self.folder.read(found), np.uint8), cv2.IMREAD_GRAYSCALE)
        if pixels is None or not pixels.any():
            raise ValueError(f"the mask {bare[:60]} is empty")
        return geometry.encode_mask(pixels > 0)

    def _beside(self, near: str, kind: str, bare: str) -> str | None:
        """An image of a kind by its name: beside the XML, or in the folder of the kind that mirrors the XML's."""
        mirrored = "/".join(kind if part.lower() == "annotations" else part for part in near.split("/"))
        places = [posixpath.join(near, *parts) for parts in ((kind,), ("..", kind), ())] + [mirrored]
        found = (posixpath.normpath(posixpath.join(place, bare)) for place in places)
        return next((name for name in found if name in self.folder), None)


def _is_labelme(root: ElementTree.Element) -> bool:
    """Whether a document has LabelMe's objects, or none and its `imagesize`; Pascal VOC has the same root."""
    if root.tag != "annotation" or root.find("object/bndbox") is not None or root.find("object/robndbox") is not None:
        return False
    return any(root.find(f"object/{place}") is not None for place in ("polygon/pt", "segm")) or (
        root.find("imagesize/nrows") is not None and root.find("object") is None
    )


def _ring(node: ElementTree.Element) -> Any:
    corners: Sequence[tuple[float, float]] = [
        (finite((pt.findtext("x") or "").strip()), finite((pt.findtext("y") or "").strip()))
        for pt in node.findall("polygon/pt")
    ]
    return np.array(corners, dtype=np.float64).reshape(-1, 2)


def _attributes(node: ElementTree.Element) -> dict[str, Any]:
    """`occluded`, and the text `name=value, other` of CVAT's attributes."""
    attributes: dict[str, Any] = {}
    if (node.findtext("occluded") or "").strip().lower() in ("yes", "1", "true"):
        attributes["occluded"] = 1
    for part in (node.findtext("attributes") or "").split(","):
        name, equals, value = (text.strip() for text in part.partition("="))
        if name:
            attributes[name] = value if equals else 1
    return attributes


def _declared(root: ElementTree.Element) -> Size | None:
    try:
        width, height = (finite((root.findtext(f"imagesize/{side}") or "").strip()) for side in ("ncols", "nrows"))
    except ValueError:
        return None
    return (int(width), int(height)) if width >= 1 and height >= 1 else None


def register(registry: Registry) -> None:
    """Offer the format; it has no exporter, for no tool of today reads it alone."""
    registry.add_source(LabelMeXmlSource)
