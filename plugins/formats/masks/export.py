"""Writes images and masks: folders for trainers of segmentation, and Pascal VOC's layout, which CVAT imports.

    masks       images/train/a.jpg  masks/train/a.png  classes.txt       0 is background, 1 the first class
    masks-voc   JPEGImages/a.jpg  SegmentationClass/a.png  SegmentationObject/a.png  ImageSets/Segmentation/train.txt
                labelmap.txt                              https://docs.cvat.ai/docs/manual/advanced/formats/format-smask

Masks have Pascal VOC's palette. A pixel has one number: smaller objects are drawn over larger ones, and objects that
are covered by others are counted. Only `masks-voc` tells two objects of one class apart.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from amp_datasets.errors import BuildError
from amp_datasets.formats.base import Exporter, Feature, Options
from amp_datasets.geometry import shapes as geometry
from amp_datasets.geometry.rle import rasterise
from amp_datasets.model import Annotation, LabelSet, Sample

from .classes import palette_colour

Pixels = NDArray[np.uint16]
_HELD: frozenset[Feature] = frozenset({"polygon", "multipart", "hole", "mask", "empty", "split", "classes"})
_MOST_CLASSES = 254
_LISTS = {"train": "train", "validation": "val", "test": "test"}


class MaskExporter(Exporter[Options]):
    """Writes `images/<split>` and `masks/<split>`, and the classes in classes.txt."""

    name: ClassVar[str] = "masks"
    title: ClassVar[str] = "Images and masks of classes, in two folders"
    holds: ClassVar[frozenset[Feature]] = _HELD

    def __init__(self, target: Path, options: Options, place: Any) -> None:
        super().__init__(target, options, place)
        self._covered = 0

    def write(self, labels: LabelSet) -> None:
        """Write images, masks and classes."""
        numbers = _numbers(labels)
        for sample in (sample for sample in labels.samples if sample.labelled):
            split = str(sample.split)
            self.place(sample, self.target / "images" / split / sample.source_id)
            classes, _ = self._drawn(sample, numbers)
            _save(classes, self.target / "masks" / split / f"{_stem(sample)}.png")
        names = "".join(f"{name}\n" for name in ("background", *numbers))
        (self.target / "classes.txt").write_text(names, encoding="utf-8", newline="\n")

    def losses(self, samples: Iterable[Sample]) -> Counter[str]:
        """As of every format, with the objects that others cover in their mask."""
        return super().losses(samples) + Counter({"object covered by others": self._covered})

    def _drawn(self, sample: Sample, numbers: dict[str, int]) -> tuple[Pixels, Pixels]:
        """The masks (h, w) of classes and of objects, the largest object first."""
        classes: Pixels = np.zeros(sample.size[::-1], np.uint16)
        objects: Pixels = np.zeros(sample.size[::-1], np.uint16)
        areas = {}
        for number, annotation in enumerate(sorted(sample.annotations, key=geometry.area, reverse=True), start=1):
            here = _pixels(annotation, sample)
            classes[here], objects[here] = numbers[annotation.category], number
            areas[number] = int(here.sum())
        left = np.bincount(objects.ravel(), minlength=len(areas) + 1)
        self._covered += sum(left[number] < area or not area for number, area in areas.items())
        return classes, objects


class VocMaskExporter(MaskExporter):
    """Writes Pascal VOC's folders of segmentation, with CVAT's labelmap.txt."""

    name: ClassVar[str] = "masks-voc"
    title: ClassVar[str] = "Pascal VOC segmentation, masks of classes and of objects"

    def write(self, labels: LabelSet) -> None:
        """Write images, both kinds of mask, lists and classes."""
        numbers = _numbers(labels)
        lists: dict[str, list[str]] = {}
        for sample in (sample for sample in labels.samples if sample.labelled):
            stem = _stem(sample)
            lists.setdefault(_LISTS[str(sample.split)], []).append(stem)
            self.place(sample, self.target / "JPEGImages" / sample.source_id)
            for kind, pixels in zip(("Class", "Object"), self._drawn(sample, numbers), strict=True):
                _save(pixels, self.target / f"Segmentation{kind}" / f"{stem}.png")
        folder = self.target / "ImageSets" / "Segmentation"
        folder.mkdir(parents=True, exist_ok=True)
        for split, stems in lists.items():
            (folder / f"{split}.txt").write_text("".join(f"{s}\n" for s in stems), encoding="utf-8", newline="\n")
        rows = ["# label:color_rgb:parts:actions", "background:0,0,0::"]
        rows += [f"{_listed(name)}:{','.join(map(str, palette_colour(n)))}::" for name, n in numbers.items()]
        (self.target / "labelmap.txt").write_text("\n".join(rows) + "\n", encoding="utf-8", newline="\n")

    def losses(self, samples: Iterable[Sample]) -> Counter[str]:
        """Also the labels whose class has another name in the list, which separates names by colons."""
        renamed: Counter[str] = Counter()

        def watched() -> Iterator[Sample]:
            for sample in samples:
                renamed["class name"] += sum(_listed(name) != name for name in (a.category for a in sample.annotations))
                yield sample

        return +(super().losses(watched()) + renamed)


def _listed(name: str) -> str:
    """A class name as labelmap.txt can say it."""
    return name.replace(":", "-")


def _numbers(labels: LabelSet) -> dict[str, int]:
    """The number of each class in masks: 0 is background, 255 is void."""
    if len(labels.categories) > _MOST_CLASSES:
        what = f"{len(labels.categories)} classes do not go into masks, which number {_MOST_CLASSES}"
        raise BuildError(what, fix="choose another format, or fewer `classes`")
    return {category.name: number for number, category in enumerate(labels.categories, start=1)}


def _pixels(annotation: Annotation, sample: Sample) -> NDArray[np.bool_]:
    """The pixels (h, w) of a label: of its mask, or those whose centres are in its outline or box."""
    mask = annotation.mask or rasterise(geometry.outline(annotation, "rect"), sample.size)
    return geometry.decode_mask(mask)


def _save(pixels: Pixels, path: Path) -> None:
    """Numbers as PNG: with a palette where they fit, else of 16 bits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stream = io.BytesIO()
    if pixels.max(initial=0) < 255:
        image = PillowImage.fromarray(pixels.astype(np.uint8))
        image.putpalette([value for number in range(256) for value in palette_colour(number)])
        image.save(stream, "PNG")
    else:
        PillowImage.fromarray(pixels).save(stream, "PNG")
    path.write_bytes(stream.getvalue())


def _stem(sample: Sample) -> str:
    return sample.source_id.rpartition(".")[0]
