"""Reads CVAT's XML files: lists of images with their shapes, and tracks through the frames of a video."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import ClassVar
from xml.etree import ElementTree

from amp_datasets.formats.base import Detection, Options, Source
from amp_datasets.formats.kit.reading import parse_xml, split_name, split_of
from amp_datasets.formats.kit.structure import xml_elements
from amp_datasets.model import Category, LabelSet
from amp_datasets.storage.folder import Folder

from .collecting import Collected, Collector, CvatOptions
from .labels import read_labels
from .shapes import KINDS, declared_size
from .video import Video


class CvatSource(Source[CvatOptions]):
    """Reads every CVAT XML of a folder."""

    name: ClassVar[str] = "cvat"
    title: ClassVar[str] = "CVAT XML, for images and for video"
    options_type: ClassVar[type[Options]] = CvatOptions

    @classmethod
    def detect(cls, folder: Folder) -> Detection | None:
        """An XML whose root is `annotations`, with images, tracks or CVAT's `meta` in it."""
        file = next(_label_files(folder), None)
        return Detection(f"{file} is CVAT's <annotations>", 90, file) if file is not None else None

    def read(self) -> LabelSet:
        """The set. Raises SourceError for an XML that cannot be read as a whole."""
        classes: dict[str, Category] = {}
        collector = Collector(self.reading, self.options, classes)
        files = list(_label_files(self.folder))
        for file in files:
            self.reading.use(file)
            root = parse_xml(self.folder.read(file), self.folder.path(file))
            for name, category in read_labels(root, self.reading, file).items():
                known = classes.setdefault(name, category)
                if category.keypoints and not known.keypoints:
                    classes[name] = category
            for node in root.iterfind("image"):
                self._read_image(file, node, collector)
            if root.find("track") is not None or _is_empty_video(root):
                Video(file, root, collector, file if len(files) > 1 else None).read(root)
        collector.finish()
        return self.reading.finish(classes.values())

    def _read_image(self, file: str, node: ElementTree.Element, collector: Collector) -> None:
        stated, subset = node.get("name") or "", node.get("subset") or ""
        name = self._find(file, stated, subset)
        header = None if name is None else self.reading.header(name)
        if name is None or header is None:
            return
        listed = self.reading.splits.listed(name)
        split = listed or split_name(subset) or split_of(name) or split_name(PurePosixPath(file).stem) or split_of(file)
        image = Collected(name, header, declared_size(node), split, file=file)
        for number, shape in enumerate((child for child in node if child.tag in KINDS | {"tag"}), start=1):
            collector.add(image, shape, f"{name}#{number}")
        collector.images.append(image)

    def _find(self, file: str, stated: str, subset: str) -> str | None:
        """The image that an XML names: in the folders where CVAT puts it, else wherever it is; None, and counted."""
        near = file.rpartition("/")[0]
        prefix = f"{near}/" if near else ""
        for place in (f"{prefix}images/{subset}/{stated}", f"{prefix}images/{stated}"):
            if place in self.reading.images:
                return place
        return self.reading.image_of(stated, file, split=split_name(subset))


def _label_files(folder: Folder) -> Iterator[str]:
    for file in folder.with_suffix(".xml"):
        root, below = xml_elements(folder, file)
        if root == "annotations" and below & {"image", "track", "meta"}:
            yield file


def _is_empty_video(root: ElementTree.Element) -> bool:
    """Whether a file without any track or image is of a video, all of whose frames are empty."""
    return root.find("image") is None and (root.findtext("meta//mode") or "").strip() == "interpolation"
