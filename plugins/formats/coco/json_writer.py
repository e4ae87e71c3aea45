"""Writes COCO JSON entry by entry, so that a set of any size takes no memory."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from amp_datasets.formats.kit.entries import simple_values
from amp_datasets.geometry import shapes as geometry
from amp_datasets.geometry.rle import rasterise
from amp_datasets.model import Annotation, Box, Category, LabelSet, Polygon, Sample, Size

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode  # `json.dumps` makes an encoder at each call
_YEAR = 2026  # a constant, so that the same set gives the same bytes in any year; some readers insist on a number


class CocoEntries:
    """Writes the entries of images and of annotations to a stream each, numbered from those that come before them."""

    def __init__(
        self,
        streams: tuple[IO[str], IO[str]],
        categories: Sequence[Category],
        *,
        boxes_as_polygons: bool,
        before: tuple[int, int] = (0, 0),
    ) -> None:
        self._images, self._annotations = streams
        self._categories = categories
        self._numbers = {category.name: number for number, category in enumerate(categories, start=1)}
        self._boxes_as_polygons = boxes_as_polygons
        self._image, self._annotation = before

    def add(self, sample: Sample) -> None:
        """One image and its annotations."""
        width, height = sample.size
        self._image += 1
        entry = {"file_name": sample.source_id, "width": width, "height": height}
        _write(self._images, self._image, entry)
        for annotation in sample.annotations:
            number = self._numbers[annotation.category]
            if self._boxes_as_polygons and _only_box(annotation):
                annotation = replace(annotation, polygons=(Polygon(geometry.rectangle(annotation.xyxy)),))
            fields = coco_annotation(annotation, sample.size, self._categories[number - 1])
            self._annotation += 1
            _write(self._annotations, self._annotation, {"image_id": self._image, "category_id": number, **fields})


class CocoFile:
    """A COCO file that is written entry by entry: images at once, annotations by way of a second file.

    Use it in a `with` statement. All ids count from 1: pycocotools takes annotation 0 for "no match".
    """

    def __init__(self, path: Path, labels: LabelSet, *, boxes_as_polygons: bool) -> None:
        self._path = path
        self._labels = labels
        self._boxes_as_polygons = boxes_as_polygons

    def __enter__(self) -> CocoFile:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._images = self._path.open("w", encoding="utf-8", newline="\n")
        self._spool = self._path.with_name(f"{self._path.name}.part").open("w+", encoding="utf-8", newline="\n")
        self._images.write(coco_head(self._labels.name))
        streams = (self._images, self._spool)
        self._entries = CocoEntries(streams, self._labels.categories, boxes_as_polygons=self._boxes_as_polygons)
        return self

    def add(self, sample: Sample) -> None:
        """One image and its annotations."""
        self._entries.add(sample)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        with self._images, self._spool:
            if error is None:
                self._images.write(COCO_MIDDLE)
                self._spool.seek(0)
                shutil.copyfileobj(self._spool, self._images)
                self._images.write(coco_tail(self._labels.categories))
        Path(self._spool.name).unlink()


def coco_head(name: str) -> str:
    """What stands before the first image."""
    info = {"description": name, "version": "1.0", "year": _YEAR, "contributor": "", "url": ""}
    return f'{{\n"info": {json.dumps(info, ensure_ascii=False)},\n"licenses": [],\n"images": ['


COCO_MIDDLE = '\n],\n"annotations": ['
"""What stands between the last image and the first annotation."""


def coco_tail(categories: Sequence[Category]) -> str:
    """What stands behind the last annotation."""
    entries = (coco_category(category, number) for number, category in enumerate(categories, start=1))
    lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries)
    return f'\n],\n"categories": [\n{lines}\n]\n}}\n'


def _write(file: IO[str], number: int, entry: dict[str, Any]) -> None:
    file.write((",\n" if number > 1 else "\n") + _encode({"id": number, **entry}))


def _only_box(annotation: Annotation) -> bool:
    return not annotation.polygons and annotation.mask is None and annotation.corners is None


def coco_category(category: Category, number: int) -> dict[str, Any]:
    """A class as COCO describes it. Without a supercategory it is its own: some trainers skip classes of "none"."""
    above = category.supercategory if category.supercategory not in {"", "none"} else category.name
    entry: dict[str, Any] = {"id": number, "name": category.name}
    entry["supercategory"] = "object" if above == "none" else above
    if category.keypoints:
        entry["keypoints"] = list(category.keypoints)
        entry["skeleton"] = [[a + 1, b + 1] for a, b in category.skeleton]
    if category.flip_pairs:
        entry["flip_pairs"] = [list(pair) for pair in category.flip_pairs]
    return entry


def coco_annotation(annotation: Annotation, size: Size, category: Category) -> dict[str, Any]:
    """A label as COCO describes it, without its three ids. Masks, and outlines with holes, become run lengths."""
    if annotation.mask is None and any(polygon.holes for polygon in annotation.polygons):
        annotation = replace(annotation, mask=rasterise(annotation.polygons, size))
    entry: dict[str, Any] = {
        "bbox": coco_box(annotation.xyxy),
        "area": geometry.area(annotation),
        "iscrowd": int(annotation.iscrowd),
    }
    segmentation = coco_segmentation(annotation)
    if segmentation is not None:
        entry["segmentation"] = segmentation
    if category.keypoints or annotation.keypoints is not None:
        points = annotation.keypoints
        flat = [0] * (3 * len(category.keypoints)) if points is None else _flat_keypoints(points.tolist())
        entry["keypoints"] = flat
        entry["num_keypoints"] = sum(visible > 0 for visible in flat[2::3])
    if annotation.attributes:
        entry["attributes"] = simple_values(annotation.attributes)
    return entry


def coco_box(xyxy: Box) -> list[float]:
    """Corner and size, so that corner plus size never rounds to more than the far corner."""
    x, y, width, height = geometry.xyxy_to_xywh(xyxy)
    if x + width > xyxy[2]:
        width = math.nextafter(width, 0.0)
    if y + height > xyxy[3]:
        height = math.nextafter(height, 0.0)
    return [x, y, width, height]


def coco_segmentation(annotation: Annotation) -> object | None:
    """Run lengths of a mask, else flat rings of the polygons or the oriented box; None where only the box is known."""
    if annotation.mask is not None:
        width, height = annotation.mask.size
        return {"size": [height, width], "counts": annotation.mask.counts.decode("ascii")}
    if annotation.polygons:
        return [polygon.exterior.ravel().tolist() for polygon in annotation.polygons]
    return None if annotation.corners is None else [annotation.corners.ravel().tolist()]


def _flat_keypoints(rows: list[list[float]]) -> list[float]:
    return [value for x, y, visible in rows for value in (x, y, int(visible))]
