"""Writes sets as COCO JSON, in the layout of COCO and in that of Roboflow."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, ClassVar

from amp_datasets.formats.base import Feature, Options, Part, PartedExporter
from amp_datasets.model import LabelSet

from .json_writer import COCO_MIDDLE, CocoEntries, CocoFile, coco_head, coco_tail


class CocoExportOptions(Options):
    """`boxes_as_polygons`: give labels that are only a box a four-cornered segmentation, for trainers of masks."""

    boxes_as_polygons: bool = False


class CocoExporter(PartedExporter[CocoExportOptions]):
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

    def write_part(self, labels: LabelSet, part: Part) -> dict[str, str]:
        """Two pieces of text for each split: its images, and their labels."""
        with ExitStack() as stack:
            entries: dict[str, CocoEntries] = {}
            for split in part.splits:
                opened = (path.open("w", encoding="utf-8", newline="\n") for path in _pieces(part, split))
                images, annotations = (stack.enter_context(file) for file in opened)
                entries[split] = CocoEntries(
                    (images, annotations),
                    labels.categories,
                    boxes_as_polygons=self.options.boxes_as_polygons,
                    before=(part.images.get(split, 0), part.annotations.get(split, 0)),
                )
            for sample in labels.samples:
                entries[str(sample.split)].add(sample)
        return {}

    def join_parts(self, labels: LabelSet, parts: Sequence[Part]) -> None:
        """All pieces of a split in a row."""
        for split in dict.fromkeys(split for part in parts for split in part.splits):
            path = self.label_file(split)
            path.parent.mkdir(parents=True, exist_ok=True)
            images, annotations = zip(*(_pieces(part, split) for part in parts if split in part.splits), strict=True)
            with path.open("wb") as file:
                file.write(coco_head(labels.name).encode())
                _append(file, images)
                file.write(COCO_MIDDLE.encode())
                _append(file, annotations)
                file.write(coco_tail(labels.categories).encode())

    def label_file(self, split: str) -> Path:
        """Where a split's labels go."""
        return self.target / "annotations" / f"{split}.json"

    def image_folder(self, split: str) -> Path:
        """Where a split's images go."""
        return self.target / "images" / split

    def _file(self, path: Path, labels: LabelSet) -> CocoFile:
        return CocoFile(path, labels, boxes_as_polygons=self.options.boxes_as_polygons)


def _pieces(part: Part, split: str) -> tuple[Path, Path]:
    return part.folder / f"{split}-images", part.folder / f"{split}-annotations"


def _append(file: BinaryIO, pieces: Iterable[Path]) -> None:
    for piece in pieces:
        with piece.open("rb") as stream:
            shutil.copyfileobj(stream, file, 2**20)


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
