"""Writes sets as COCO JSON, in the layout of COCO and in that of Roboflow."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import ClassVar

from amp_datasets.formats.base import Exporter, Feature, Options
from amp_datasets.model import LabelSet

from .json_writer import CocoFile


class CocoExportOptions(Options):
    """`boxes_as_polygons`: give labels that are only a box a four-cornered segmentation, for trainers of masks."""

    boxes_as_polygons: bool = False


class CocoExporter(Exporter[CocoExportOptions]):
    """Writes `images/<split>/` and `annotations/<split>.json`; all ids count from 1."""

    name: ClassVar[str] = "coco"
    title: ClassVar[str] = "COCO JSON (boxes, polygons, masks, keypoints)"
    options_type: ClassVar[type[Options]] = CocoExportOptions
    holds: ClassVar[frozenset[Feature]] = frozenset(
        {"polygon", "multipart", "hole", "mask", "keypoints", "crowd", "attributes", "empty", "split", "classes"}
    )
    shares_images: ClassVar[bool] = True

    def write(self, labels: LabelSet) -> None:
        """Write images and label files, one pass over the samples."""
        with ExitStack() as stack:
            files: dict[str, CocoFile] = {}
            for sample in labels.samples:
                if not sample.labelled:
                    continue
                split = str(sample.split)
                if split not in files:
                    files[split] = stack.enter_context(self._file(self.label_file(split), labels))
                files[split].add(sample)
                self.place(sample, self.image_folder(split) / sample.source_id)

    def label_file(self, split: str) -> Path:
        """Where a split's labels go."""
        return self.target / "annotations" / f"{split}.json"

    def image_folder(self, split: str) -> Path:
        """Where a split's images go."""
        return self.target / "images" / split

    def _file(self, path: Path, labels: LabelSet) -> CocoFile:
        return CocoFile(path, labels, boxes_as_polygons=self.options.boxes_as_polygons)


class RoboflowCocoExporter(CocoExporter):
    """Writes `train/`, `valid/`, `test/` with `_annotations.coco.json` beside the images, as RF-DETR reads them."""

    name: ClassVar[str] = "coco-roboflow"
    title: ClassVar[str] = "COCO JSON in Roboflow's layout (RF-DETR)"
    shares_images: ClassVar[bool] = False

    def label_file(self, split: str) -> Path:
        """Where a split's labels go."""
        return self.image_folder(split) / "_annotations.coco.json"

    def image_folder(self, split: str) -> Path:
        """Where a split's images go."""
        return self.target / ("valid" if split == "validation" else split)
