"""Pascal VOC: one XML an image, boxes by their corners in pixels.

http://host.robots.ox.ac.uk/pascal/VOC/voc2012/devkit_doc.pdf, and what tools make of it:

    JPEGImages/a.jpg   Annotations/a.xml   ImageSets/Main/train.txt   or image and XML side by side (Roboflow)

The specification counts pixels from 1 and includes the last one; most tools write the edges of the box counted from 0.
The numbers cannot tell which, so they are read as they are unless `voc_origin: 1` is given.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any, ClassVar, Literal
from xml.etree import ElementTree

import numpy as np

from amp_datasets.formats.base import Detection, Exporter, Feature, Options, Source
from amp_datasets.formats.kit.coco_annotation import turn
from amp_datasets.formats.kit.documents import first_xml, xml_files
from amp_datasets.formats.kit.reading import (
    category_name,
    finite,
    points,
    split_of,
)
from amp_datasets.geometry import shapes as geometry
from amp_datasets.model import Annotation, Box, Category, LabelSet, Polygon, Sample, Size
from amp_datasets.plugin.registry import Registry
from amp_datasets.storage.folder import Folder

_NOT_CLASSES = frozenset({"__ignore__", "_background_"})
_FLAGS = ("truncated", "difficult", "occluded")
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SETS = {"train": "train", "validation": "val", "test": "test"}


class VocOptions(Options):
    """`voc_origin`: 0, numbers are edges as most tools write them; 1, pixels counted from 1, the last one included."""

    voc_origin: Literal[0, 1] = 0


@dataclass
class _Evidence:
    """What the numbers of a set say about where they are counted from."""

    whole: bool = True
    lowest: float = float("inf")
    touches_far_side: bool = False

    def see(self, xyxy: Box, size: Size) -> None:
        self.whole = self.whole and all(value.is_integer() for value in xyxy)
        self.lowest = min(self.lowest, xyxy[0], xyxy[1])
        self.touches_far_side = self.touches_far_side or xyxy[2] == size[0] or xyxy[3] == size[1]


class VocSource(Source[VocOptions]):
    """Reads every annotation XML of a folder."""

    name: ClassVar[str] = "voc"
    title: ClassVar[str] = "Pascal VOC, one XML an image"
    options_type: ClassVar[type[Options]] = VocOptions

    @classmethod
    def detect(cls, folder: Folder) -> Detection | None:
        """An XML whose root is `annotation`, with a `bndbox` in its objects."""
        file = first_xml(folder, _is_voc)
        what = f"{file} is an <annotation> with a <bndbox> for each object"
        return Detection(what, 75, file) if file is not None else None

    def read(self) -> LabelSet:
        """The set; an XML that cannot be read drops its image."""
        names: dict[str, None] = {}
        evidence = _Evidence()
        for file, root in xml_files(self.reading, _is_voc):
            listed = self.reading.classes.near(file).names
            names.update(dict.fromkeys(name for name in listed if name and name not in _NOT_CLASSES))
            self._read_file(file, root, names, evidence)
        self._note_origin(evidence)
        return self.reading.finish([Category(name) for name in names])

    def _read_file(self, file: str, root: ElementTree.Element, names: dict[str, None], evidence: _Evidence) -> None:
        image = self.reading.image_for(file, (root.findtext("filename") or "").strip())
        header = None if image is None else self.reading.header(image)
        if image is None or header is None:
            return
        declared = _declared(root)
        if declared is None and root.find("size") is not None:
            self.reading.repair(image, "unusable image size ignored", f"in {file}")
        objects = [node for node in root.findall("object") if not self._is_no_class(image, node)]
        annotations = []
        for number, node in enumerate(objects, start=1):
            try:
                annotation = _annotation(node, self.options.voc_origin)
            except ValueError as error:
                self.reading.drop(f"{image}#{number}", "label cannot be read", str(error)[:100])
                continue
            turned = turn(annotation)
            if turned is None:
                evidence.see(annotation.xyxy, declared or header.size)
            else:
                degrees = f"{annotation.attributes['rotation']} degrees"
                self.reading.repair(f"{image}#{number}", "box turned by its rotation", degrees)
            annotations.append(turned or annotation)
            if node.find("part") is not None:
                self.reading.drop(f"{image}#{number}", "parts of an object are not read", annotation.category)
        names.update(dict.fromkeys(a.category for a in annotations))
        if objects and not annotations:
            self.reading.drop(image, "no usable label", f"all {len(objects)} labels were dropped")
            return
        split = self.reading.splits.of(image) or split_of(file)
        self.reading.add(image, annotations, header=header, declared=declared, split=split, label_file=file)

    def _is_no_class(self, image: str, node: ElementTree.Element) -> bool:
        """Whether an object is what LabelMe's converter leaves of areas to be ignored; then it is counted."""
        name = (node.findtext("name") or "").strip()
        if name in _NOT_CLASSES:
            self.reading.repair(image, "shape of no class left out", name)
        return name in _NOT_CLASSES

    def _note_origin(self, evidence: _Evidence) -> None:
        if self.options.voc_origin == 1:
            self.reading.repair("voc_origin", "boxes counted from 1 moved to pixel edges", "as asked")
            if evidence.lowest < 0:
                self.reading.repair("voc_origin", "boxes look counted from 0, read from 1 as asked", "a 0 was found")
        elif evidence.whole and evidence.lowest == 1 and evidence.touches_far_side:
            detail = "all whole, none below 1, some end at the last pixel: give `voc_origin: 1` if so"
            self.reading.repair("voc_origin", "boxes look counted from 1, read from 0", detail)


class VocExporter(Exporter[VocOptions]):
    """Writes JPEGImages, Annotations and ImageSets/Main, and the list of classes in classes.txt."""

    name: ClassVar[str] = "voc"
    title: ClassVar[str] = "Pascal VOC, one XML an image"
    options_type: ClassVar[type[Options]] = VocOptions
    holds: ClassVar[frozenset[Feature]] = frozenset({"empty", "split", "classes"})

    def write(self, labels: LabelSet) -> None:
        """Write images, XML files and lists."""
        for folder in ("Annotations", "ImageSets/Main"):
            (self.target / folder).mkdir(parents=True, exist_ok=True)
        lists: dict[str, list[str]] = {}
        for sample in labels.samples:
            if sample.labelled:
                stem = PurePosixPath(sample.source_id).stem
                lists.setdefault(str(sample.split), []).append(stem)
                self.place(sample, self.target / "JPEGImages" / sample.source_id)
                tree = ElementTree.ElementTree(_element(sample, self.options.voc_origin))
                tree.write(self.target / "Annotations" / f"{stem}.xml", encoding="utf-8")
        for split, stems in lists.items():
            file = self.target / "ImageSets" / "Main" / f"{_SETS.get(split, split)}.txt"
            file.write_text("".join(f"{stem}\n" for stem in stems), encoding="utf-8", newline="\n")
        names = "".join(f"{category.name}\n" for category in labels.categories)
        (self.target / "classes.txt").write_text(names, encoding="utf-8", newline="\n")

    def losses(self, samples: Iterable[Sample]) -> Counter[str]:
        """The flags of the specification are kept; other attributes are lost."""
        return super().losses(map(_without_flags, samples))


def _is_voc(root: ElementTree.Element) -> bool:
    """Whether the objects of a document have boxes; LabelMe's XML has the same root, and polygons of <pt>."""
    objects = root.findall("object")
    boxed = any(node.find(box) is not None for node in objects for box in ("bndbox", "robndbox"))
    outlined = any(node.find("polygon/pt") is not None for node in objects)
    return root.tag == "annotation" and (boxed or not outlined) and (root.find("filename") is not None or boxed)


def _annotation(node: ElementTree.Element, origin: int) -> Annotation:
    category = category_name(node.findtext("name") or "")
    attributes: dict[str, Any] = {flag: 1 for flag in _FLAGS if (node.findtext(flag) or "").strip() in ("1", "true")}
    attributes.update(_attributes(node))
    box, turned, outline = node.find("bndbox"), node.find("robndbox"), node.find("polygon")
    if box is None and turned is not None:
        corners = _turned_box(turned)
        return Annotation(category, geometry.bounds([corners]), corners=corners, attributes=attributes)
    if box is None:
        raise ValueError("there is no <bndbox>")
    x0, y0, x1, y1 = (finite(box.findtext(side) or "") for side in ("xmin", "ymin", "xmax", "ymax"))
    ring = [] if outline is None else [value for pair in _corner_texts(outline) for value in pair]
    polygons = (Polygon(points(ring) - origin / 2),) if len(ring) >= 6 else ()
    return Annotation(category, (x0 - origin, y0 - origin, x1, y1), polygons=polygons, attributes=attributes)


def _attributes(node: ElementTree.Element) -> Iterator[tuple[str, str]]:
    """The attributes of an object, as CVAT writes them; `rotation` (degrees, clockwise) turns its box."""
    for attribute in node.findall("attributes/attribute"):
        name, value = (attribute.findtext(key) or "" for key in ("name", "value"))
        if name.strip() and value.strip():
            yield name.strip(), value.strip()


def _corner_texts(outline: ElementTree.Element) -> Iterator[tuple[str, str]]:
    """x1 y1 x2 y2 ... of Roboflow's <polygon>."""
    number = 1
    while (x := outline.findtext(f"x{number}")) is not None and (y := outline.findtext(f"y{number}")) is not None:
        yield x, y
        number += 1


def _turned_box(node: ElementTree.Element) -> Any:
    """The corners of roLabelImg's box: centre, size, and an angle in radians, clockwise on screen."""
    cx, cy, w, h, angle = (finite(node.findtext(key) or "") for key in ("cx", "cy", "w", "h", "angle"))
    half = geometry.rectangle((-w / 2, -h / 2, w / 2, h / 2))
    cos, sin = np.cos(angle), np.sin(angle)
    return half @ np.array([[cos, sin], [-sin, cos]]) + (cx, cy)


def _declared(root: ElementTree.Element) -> Size | None:
    try:
        width, height = (finite(root.findtext(f"size/{side}") or "") for side in ("width", "height"))
    except ValueError:
        return None
    return (int(width), int(height)) if width >= 1 and height >= 1 else None


def _element(sample: Sample, origin: int) -> ElementTree.Element:
    root = ElementTree.Element("annotation")
    for tag, text in (("folder", "JPEGImages"), ("filename", sample.source_id)):
        ElementTree.SubElement(root, tag).text = _ILLEGAL.sub("?", text)
    size = ElementTree.SubElement(root, "size")
    for tag, number in (("width", sample.size[0]), ("height", sample.size[1]), ("depth", 3)):
        ElementTree.SubElement(size, tag).text = str(number)
    ElementTree.SubElement(root, "segmented").text = "0"
    for annotation in sample.annotations:
        node = ElementTree.SubElement(root, "object")
        ElementTree.SubElement(node, "name").text = _ILLEGAL.sub("?", annotation.category)
        ElementTree.SubElement(node, "pose").text = "Unspecified"
        for flag in _FLAGS:
            ElementTree.SubElement(node, flag).text = str(int(bool(annotation.attributes.get(flag))))
        box = ElementTree.SubElement(node, "bndbox")
        x0, y0, x1, y1 = annotation.xyxy
        for tag, value in (("xmin", x0 + origin), ("ymin", y0 + origin), ("xmax", x1), ("ymax", y1)):
            ElementTree.SubElement(box, tag).text = repr(float(value)).removesuffix(".0")
    ElementTree.indent(root)
    return root


def _without_flags(sample: Sample) -> Sample:
    def other(annotation: Annotation) -> Annotation:
        return replace(annotation, attributes={k: v for k, v in annotation.attributes.items() if k not in _FLAGS})

    return replace(sample, annotations=tuple(map(other, sample.annotations)))


def register(registry: Registry) -> None:
    """Offer both sides of the format."""
    registry.add_source(VocSource)
    registry.add_exporter(VocExporter)
