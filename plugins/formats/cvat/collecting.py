"""What is collected of each image while an XML is read: its shapes, joined to objects, and what was not held."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass, field
from xml.etree import ElementTree

from pydantic import Field

from amp_datasets.formats.base import Options
from amp_datasets.formats.kit.reading import Reading, category_name
from amp_datasets.geometry.joining import JOINED, KEYPOINTS_BOX, Joiner
from amp_datasets.images.codec import Header
from amp_datasets.model import Annotation, Category, Size

from .frames import Naming
from .shapes import HELD, WITHOUT_AREA, Shape, read_shape, to_annotation


class CvatOptions(Options):
    """What the file does not settle.

    `class_attribute`: the attribute whose value is the class, where it is not the label. `every`: of a video, read each
    n-th frame only. `frames`: whether frame 12 is the image whose name ends in 12, or the 13th by name. `first_image`:
    the number in the name of the image of frame 0. `groups`: whether polygons of one label and group are one object.
    """

    class_attribute: str | None = None
    every: int = Field(default=1, ge=1)
    frames: Naming = "number"
    first_image: int = Field(default=0, ge=0)
    groups: bool = True


@dataclass
class Collected:
    """One image with its shapes so far; `shapes` counts also those that were dropped."""

    name: str
    header: Header
    declared: Size | None
    split: str | None
    group: str | None = None
    joiner: Joiner = field(default_factory=Joiner)
    shapes: int = 0
    whole: list[str] = field(default_factory=list)
    """The labels of the image as a whole, which CVAT calls tags."""
    file: str = ""

    @property
    def frame(self) -> Size:
        """The size of the frame that the labels refer to."""
        return self.declared or self.header.size


@dataclass
class Collector:
    """Turns shapes into labels of images, and counts what cannot be one."""

    reading: Reading
    options: CvatOptions
    classes: MutableMapping[str, Category]
    images: list[Collected] = field(default_factory=list)

    def add(self, image: Collected, node: ElementTree.Element, report: str) -> None:
        """Take in a shape or tag of an image; dropped and counted if it cannot be held or read."""
        label = node.get("label") or ""
        if node.tag == "tag":
            image.whole.append(label)
            return
        if node.tag not in HELD:
            self.drop_kind(node.tag, label, report)
            image.shapes += 1
            return
        try:
            shape = read_shape(node, image.frame)
        except ValueError as error:
            self.drop(image, report, error)
            return
        self.take(image, shape, label, node.get("group_id"), report)

    def take(self, image: Collected, shape: Shape, label: str, group: str | None, report: str) -> None:
        """Take in a shape that was read; dropped and counted if it is no label."""
        try:
            annotation = self._annotation(shape, label)
        except ValueError as error:
            self.drop(image, report, error)
            return
        image.shapes += 1
        if shape.kind == "ellipse":
            self.reading.repair(report, "ellipse read as a polygon", annotation.category)
        grouped = self.options.groups and group not in (None, "", "0")
        image.joiner.add(annotation, group if grouped else None)

    def drop(self, image: Collected, report: str, error: ValueError) -> None:
        """Count a shape of an image that cannot be read."""
        image.shapes += 1
        self.reading.drop(report, "label cannot be read", str(error)[:100])

    def drop_kind(self, kind: str, label: str, report: str) -> None:
        """Count a shape of a kind that no label here can be."""
        reason = "shape has no area" if kind in WITHOUT_AREA else "kind of label is not read"
        self.reading.drop(report, reason, f"{kind} {label[:40]}")

    def finish(self) -> None:
        """Give all images and their objects to the reading; tags are labels where no image of the set has a shape."""
        classifies = not any(image.shapes for image in self.images)
        for image in self.images:
            self._finish(image, classifies)

    def _finish(self, image: Collected, classifies: bool) -> None:
        objects, words = image.joiner.objects(), self._tags(image)
        whole = words if classifies else []
        self.classes.update((name, Category(name)) for name in whole if name not in self.classes)
        if image.joiner.joined:
            self.reading.repair(image.name, JOINED, f"{image.joiner.joined} shapes")
        if image.joiner.boxed:
            self.reading.repair(image.name, KEYPOINTS_BOX, f"{image.joiner.boxed} objects")
        if image.shapes and not objects:
            self.reading.drop(image.name, "no usable label", f"all {image.shapes} shapes were dropped")
            return
        self.reading.add(
            image.name,
            objects,
            header=image.header,
            declared=image.declared,
            split=image.split,
            group=image.group,
            labels=whole,
            tags=() if classifies else words,
            label_file=image.file,
        )

    def _tags(self, image: Collected) -> list[str]:
        """The tags of an image: its classes where no image has a shape, else words that people gave it."""
        names = []
        for label in image.whole:
            try:
                names.append(category_name(label))
            except ValueError as error:
                self.reading.drop(image.name, "label cannot be read", f"tag: {error}"[:100])
        return names

    def _annotation(self, shape: Shape, label: str) -> Annotation:
        keypoints = self.classes[label].keypoints if label in self.classes else ()
        chosen = self.options.class_attribute
        if chosen is not None:
            if chosen not in shape.attributes:
                raise ValueError(f"it has no attribute `{chosen}`, which is to be its class")
            label = category_name(shape.attributes[chosen])
        annotation = to_annotation(label, shape, keypoints)
        self.classes.setdefault(annotation.category, Category(annotation.category))
        return annotation
