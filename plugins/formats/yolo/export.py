"""YOLO sets as Ultralytics reads them: `data.yaml`, `images/<split>`, `labels/<split>`, one form of rows an export.

https://docs.ultralytics.com/datasets. The data.yaml has no `path:` key, so the set works from any folder and after
moving. Every labelled image gets a label file, an empty one if it is confirmed empty; an unlabelled image is left out,
since the trainer would take it for an empty one.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from posixpath import splitext
from typing import Any, ClassVar

import numpy as np
import shapely

from amp_datasets.formats.base import Feature, Options, Part, PartedExporter
from amp_datasets.formats.kit.yolo_rows import box_text, keypoints_text, points_text
from amp_datasets.geometry import shapes as geometry
from amp_datasets.model import Annotation, Category, FloatArray, LabelSet, Mask, Polygon, Sample, Size

from .data_yaml import data_yaml, quoted

_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
_ALIKE_PX = 0.1
_MIN_SIDE_PX = 10


class YoloDetectExporter(PartedExporter[Options]):
    """Writes plain boxes."""

    name: ClassVar[str] = "yolo-detect"
    title: ClassVar[str] = "YOLO detect: data.yaml and rows of boxes"
    holds: ClassVar[frozenset[Feature]] = frozenset({"empty", "split", "classes"})
    shares_images: ClassVar[bool] = True
    file_per_image: ClassVar[bool] = True
    task: ClassVar[str] = "detect"

    def write(self, labels: LabelSet) -> None:
        """Write images, rows and data.yaml."""
        self.prepare(labels, [self.survey(labels.samples)])
        folders: dict[str, tuple[Path, Path]] = {}
        for sample, name, text in self._texts(labels):
            split = str(sample.split)
            if split not in folders:
                folders[split] = (self.target / "images" / split, self._folder(split))
            images, texts = folders[split]
            self.place(sample, images / sample.source_id)
            _write(f"{texts}/{name}", text)
        self._write_data_yaml(labels, folders)

    def write_part(self, labels: LabelSet, part: Part) -> dict[str, str]:
        """The label files themselves: each is one image's own."""
        self.prepare(labels, part.surveys)
        folders = {split: self._folder(split) for split in part.splits}
        digests = {}
        for sample, name, text in self._texts(labels):
            _write(f"{folders[str(sample.split)]}/{name}", text)
            digests[f"labels/{sample.split}/{name}"] = hashlib.sha256(text).hexdigest()
        return digests

    def join_parts(self, labels: LabelSet, parts: Sequence[Part]) -> None:
        """What is left: the data.yaml."""
        self.prepare(labels, parts[0].surveys if parts else ())
        self._write_data_yaml(labels, {split for part in parts for split in part.splits})

    def _texts(self, labels: LabelSet) -> Iterator[tuple[Sample, str, bytes]]:
        """Each labelled image with the name and content of its label file; rows that would repeat are written once."""
        numbers = {category.name: number for number, category in enumerate(labels.categories)}
        for sample in labels.samples:
            if sample.labelled:
                rows = dict.fromkeys(f"{numbers[a.category]} {self.row(a, sample.size)}\n" for a in sample.annotations)
                yield sample, f"{splitext(sample.source_id)[0]}.txt", "".join(rows).encode("ascii")

    def _folder(self, split: str) -> Path:
        folder = self.target / "labels" / split
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _write_data_yaml(self, labels: LabelSet, splits: Iterable[str]) -> None:
        names = [category.name for category in labels.categories]
        text = data_yaml(sorted(splits), names, [f"task: {self.task}", *self.settings()])
        (self.target / "data.yaml").write_text(text, encoding="utf-8", newline="\n")

    def losses(self, samples: Iterable[Sample]) -> Counter[str]:
        """Also the images that the trainer would skip, and rows that it would merge."""
        own: Counter[str] = Counter()

        def watched() -> Iterator[Sample]:
            for sample in samples:
                own.update(self._own_losses(sample))
                yield sample

        return +(super().losses(watched()) + own)

    def _own_losses(self, sample: Sample) -> Iterator[str]:
        if splitext(sample.source_id)[1].lower() not in _SUFFIXES:
            yield "image format that the trainer skips"
        if min(sample.size) < _MIN_SIDE_PX:
            yield "image too small for the trainer"
        if any(_alike(a, b) for a, b in combinations(sample.annotations, 2)):  # else no two rows can be the same
            rows = {(a.category, self.row(a, sample.size)) for a in sample.annotations}
            yield from ["repeated row"] * (len(sample.annotations) - len(rows))

    def prepare(self, labels: LabelSet, surveys: Collection[Any]) -> None:
        """Settle what holds for all rows, by the categories and by what was found in the samples."""

    def settings(self) -> list[str]:
        """More lines of the data.yaml."""
        return []

    def row(self, annotation: Annotation, size: Size) -> str:
        """An object's row behind its class number."""
        return box_text(annotation.xyxy, size)


class YoloSegmentExporter(YoloDetectExporter):
    """Writes outlines: of a box its four corners, of several parts and holes one ring that joins them."""

    name: ClassVar[str] = "yolo-segment"
    title: ClassVar[str] = "YOLO segment: data.yaml and rows of polygons"
    holds: ClassVar[frozenset[Feature]] = frozenset({"polygon", "empty", "split", "classes"})
    task: ClassVar[str] = "segment"

    def row(self, annotation: Annotation, size: Size) -> str:
        """The outline as one ring."""
        return points_text(_one_ring(_outline(annotation)), size)


class YoloObbExporter(YoloDetectExporter):
    """Writes four corners: the oriented box, else the smallest rectangle around the outline."""

    name: ClassVar[str] = "yolo-obb"
    title: ClassVar[str] = "YOLO oriented boxes: data.yaml and rows of four corners"
    holds: ClassVar[frozenset[Feature]] = frozenset({"corners", "empty", "split", "classes"})
    task: ClassVar[str] = "obb"

    def row(self, annotation: Annotation, size: Size) -> str:
        """The four corners."""
        return points_text(_corners(annotation, size), size)


class YoloPoseExporter(YoloDetectExporter):
    """Writes boxes with keypoints; every class gets as many as the class with most has."""

    name: ClassVar[str] = "yolo-pose"
    title: ClassVar[str] = "YOLO pose: data.yaml and rows of boxes with keypoints"
    holds: ClassVar[frozenset[Feature]] = frozenset({"keypoints", "empty", "split", "classes"})
    task: ClassVar[str] = "pose"
    skeleton: Category = Category("")
    count: int = 1

    def survey(self, samples: Iterable[Sample]) -> int:
        """The most keypoints that an object has."""
        return max((len(p) for s in samples for a in s.annotations if (p := a.keypoints) is not None), default=0)

    def prepare(self, labels: LabelSet, surveys: Collection[Any]) -> None:
        """Choose the keypoints: the trainer has one list of them for all classes, also where nobody named them."""
        self.skeleton = max(labels.categories, key=lambda category: len(category.keypoints), default=Category(""))
        named = {category.name for category in labels.categories if category.keypoints}
        found = [len(self.skeleton.keypoints), 1]
        if len(named) < len(labels.categories):
            found += surveys
        self.count = max(found)

    def settings(self) -> list[str]:
        """The number of keypoints, their names, and which ones a mirror swaps, where somebody said so.

        Without `flip_idx` the trainer mirrors no image, as is right where nobody knows left from right.
        """
        lines = [f"kpt_shape: [{self.count}, 3]"]
        if self.count == 1 or self.skeleton.flip_pairs:
            order = list(range(self.count))
            for i, j in self.skeleton.flip_pairs:
                order[i], order[j] = j, i
            lines.append(f"flip_idx: {order}")
        if len(self.skeleton.keypoints) == self.count:
            lines += ["kpt_names:", "  0:", *(f"    - {quoted(name)}" for name in self.skeleton.keypoints)]
        return lines

    def row(self, annotation: Annotation, size: Size) -> str:
        """The box and its keypoints."""
        return f"{box_text(annotation.xyxy, size)} {keypoints_text(annotation.keypoints, self.count, size)}"


def _write(path: str, text: bytes) -> None:
    with open(path, "wb") as file:  # noqa: PTH123 - two thirds of the time of Path.write_bytes
        file.write(text)


def _outline(annotation: Annotation) -> tuple[Polygon, ...]:
    if annotation.polygons:
        return annotation.polygons
    if annotation.mask is not None:
        return _mask_outline(annotation.mask)
    return geometry.outline(annotation, "rect")


def _mask_outline(mask: Mask) -> tuple[Polygon, ...]:
    """The pixels' borders, exactly: the union of all runs of pixels in a row."""
    pixels = np.pad(geometry.decode_mask(mask), ((0, 0), (1, 1))).astype(np.int8)
    change = np.diff(pixels, axis=1)
    rows, starts = np.nonzero(change == 1)
    _, ends = np.nonzero(change == -1)
    return geometry.from_shapely(shapely.union_all(shapely.box(starts, rows, ends, rows + 1)))


def _alike(one: Annotation, other: Annotation) -> bool:
    """Whether two labels of a class are so close that the text of their rows may be the same."""
    if one.category != other.category or abs(one.xyxy[0] - other.xyxy[0]) > _ALIKE_PX:
        return False
    return max(abs(a - b) for a, b in zip(one.xyxy, other.xyxy, strict=True)) <= _ALIKE_PX


def _one_ring(polygons: Iterable[Polygon]) -> FloatArray:
    """All rings as one, joined by bridges without width, as the trainer's own COCO converter joins them."""
    rings = [ring for polygon in polygons for ring in polygon.rings]
    joined = rings[0]
    for ring in rings[1:]:
        apart = np.linalg.norm(joined[:, None] - ring[None], axis=2)
        here, there = np.unravel_index(int(apart.argmin()), apart.shape)
        loop = np.concatenate([ring[there:], ring[: there + 1]])
        joined = np.concatenate([joined[: here + 1], loop, joined[here:]])
    return joined


def _corners(annotation: Annotation, size: Size) -> FloatArray:
    """Four corners inside the image; an oriented box that reaches out is fitted to what is inside."""
    corners = annotation.corners
    if corners is None:
        outline = _outline(annotation)
        plain = not annotation.polygons and annotation.mask is None
        return (
            outline[0].exterior if plain else geometry.min_area_rectangle(np.concatenate([p.exterior for p in outline]))
        )
    if (corners >= 0).all() and (corners <= size).all():
        return corners
    frame = shapely.box(0, 0, *size)
    inside = geometry.from_shapely(shapely.Polygon(corners).intersection(frame))
    return geometry.min_area_rectangle(inside[0].exterior) if inside else geometry.rectangle(annotation.xyxy)
