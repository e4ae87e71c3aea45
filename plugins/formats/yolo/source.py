"""YOLO sets: text files with one row an object beside the images, in any of the layouts that tools write.

https://docs.ultralytics.com/datasets; the rows are described in `amp_datasets.formats.kit.yolo_rows`.

    data.yaml                      class names, and where the splits are; or classes.txt, obj.names, or nothing
    images/train/a.jpg             the last `images` of the path becomes `labels`; or both lie in one folder
    labels/train/a.txt             an empty file is a confirmed empty image
    images/train/b.jpg             without a label file, beside images that have one: background, as the trainer has it

A tree may hold several sets: each label file has the data.yaml and the list of classes that are nearest to it. Rows are
read one by one, whatever stands in the row above: a file that mixes boxes and polygons loses nothing.
"""

from __future__ import annotations

from typing import ClassVar

from amp_datasets.errors import AmpError
from amp_datasets.formats.base import Detection, Options, Source
from amp_datasets.formats.kit.image_lookup import ImageLookup
from amp_datasets.formats.kit.meaning.agreement import BACKGROUND
from amp_datasets.formats.kit.meaning.resolver import MISSING
from amp_datasets.formats.kit.yolo_rows import RowError
from amp_datasets.model import Annotation, Category, LabelSet
from amp_datasets.storage.folder import Folder

from .data_yaml import find_yamls
from .evidence import YoloOptions
from .label_files import LabelFiles, find_label_files, has_rows
from .scope import Scope, Yamls, scopes

NO_LABEL_FILE = "split without one label file"


class YoloSource(Source[YoloOptions]):
    """Reads YOLO detect, segment, pose and oriented boxes, with or without a data.yaml."""

    name: ClassVar[str] = "yolo"
    title: ClassVar[str] = "YOLO text files (detect, segment, pose, oriented), with or without data.yaml"
    options_type: ClassVar[type[Options]] = YoloOptions

    @classmethod
    def detect(cls, folder: Folder) -> Detection | None:
        """A data.yaml with class names and splits, or label files that are called as images are."""
        try:
            file = next(iter(find_yamls(folder).values()), None)
        except AmpError as error:
            return Detection(error.what, 85)
        if file is not None:
            return Detection(f"{file} names classes and splits", 85, file)
        images = ImageLookup(folder)
        for label in folder.with_suffix(".txt") if images.names else ():
            if has_rows(folder, label) and images.of_label_file(label).reason != MISSING:
                return Detection(f"{label} has rows of a class number and shares of the image", 60, label)
        return None

    def read(self) -> LabelSet:
        """The set; rows that cannot be used are dropped one by one."""
        reading = self.reading
        yamls = Yamls(reading)
        yamls.read_splits()
        yamls.compare()
        lists = reading.splits.files()
        found = find_label_files(self.folder, reading.images, lists, described=yamls.there)
        reading.use(*found.images, *found.orphans)
        for label in found.loose & found.images.keys():
            reading.name_loosely(label, found.images[label][0], label.rpartition("/")[2])
        pairs = [(image, label) for label, images in found.images.items() for image in images]
        categories: list[Category] = []
        for scope in scopes(reading, self.options, yamls, pairs):
            for image, label in scope.pairs:
                self._read_image(image, label, scope, yamls.splits(image).of(image))
            categories += [c for c in scope.categories() if c.name not in {known.name for known in categories}]
        self._count_shared_and_orphans(found)
        self._add_background({image for image, _ in pairs}, yamls)
        return reading.finish(categories)

    def _read_image(self, image: str, label: str, scope: Scope, split: str | None) -> None:
        header = self.reading.header(image)
        if header is None:
            return
        lines, had_commas = scope.split_rows(label)
        if had_commas:
            self.reading.repair(label, "commas between values read as spaces")
        annotations = []
        for number, parts in enumerate(lines, start=1):
            try:
                annotations.append(scope.rows.read(parts, header.size))
            except RowError as error:
                self.reading.drop(f"{label}#{number}", error.reason, str(error))
        if lines and not annotations:
            self.reading.drop(image, "no usable label", f"all {len(lines)} rows of {label} were dropped")
            return
        annotations = self._confident(label, annotations)
        if len(annotations) > 1 and scope.rows.task != "pose" and _mixed(annotations):
            self.reading.repair(label, "box and polygon rows in one file", "each row is read for what it is")
        self.reading.add(image, annotations, header=header, split=split, label_file=label)

    def _confident(self, label: str, annotations: list[Annotation]) -> list[Annotation]:
        """Labels that are predictions: said, unless the least confidence that they need is told."""
        found = [a.attributes["confidence"] for a in annotations if "confidence" in a.attributes]
        if not found:
            return annotations
        least = self.options.min_confidence
        if least is None:
            detail = f"{len(found)} rows, the least sure of {min(found):.2f}"
            self.reading.repair(label, "rows have a confidence, as predictions do", detail)
            return annotations
        kept = [a for a in annotations if a.attributes.get("confidence", 1.0) >= least]
        if len(kept) < len(annotations):
            self.reading.drop(label, "prediction of too little confidence", f"{len(annotations) - len(kept)} rows")
        return kept

    def _count_shared_and_orphans(self, found: LabelFiles) -> None:
        """Label files of several images, and those whose image is not there: each of these is a lost image."""
        for label, (first, *others) in found.images.items():
            for image in others:
                self.reading.repair(image, "two images share one label file", f"{label}, also of {first}")
        for file, meant in found.orphans.items():
            self.reading.contested.update(dict.fromkeys(meant.candidates, file))
            self.reading.drop(file, meant.reason, meant.detail or "only its label file is there")

    def _add_background(self, labelled: set[str], yamls: Yamls) -> None:
        """Images without a label file in folders, or in splits of a data.yaml, where others have one."""
        places = {_place(image, yamls) for image in labelled}
        others = labelled.union(self.reading.images.companions())
        bare: dict[str, list[str]] = {}
        for image in self.reading.images.names:
            split = None if image in others else yamls.splits(image).of(image)
            beside = image not in others and _place(image, yamls) in places
            if beside and self.options.unlabelled == "background":
                self.reading.repair(image, BACKGROUND)
                self.reading.add(image, (), split=split)
            elif split is not None or beside:
                self.reading.add(image, (), labelled=False, split=split)
                bare.setdefault(str(split), []).append(image)
        for split, images in bare.items() if labelled and self.options.unlabelled == "background" else ():
            self.reading.repair(split, NO_LABEL_FILE, f"{len(images)} images, such as {images[0]}")


def _place(image: str, yamls: Yamls) -> str:
    """The folder of an image, or the one above it that a data.yaml names for a split."""
    place = yamls.splits(image).place(image)
    return image.rpartition("/")[0] if place is None else place


def _mixed(annotations: list[Annotation]) -> bool:
    outlined = sum(1 for a in annotations if a.polygons or a.corners is not None)
    return 0 < outlined < len(annotations)
