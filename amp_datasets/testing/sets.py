"""Small sets with every kind of label, on which a format is checked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as PillowImage

from amp_datasets.geometry import shapes as geometry
from amp_datasets.model import Annotation, Category, ImageFile, LabelSet, Polygon, Sample

_SIZE = (64, 48)
_POINTS = ("left eye", "right eye", "nose")
_NAMES = ("cat", "Zürich: #1", "no", "12")


def gallery() -> list[LabelSet]:
    """Sets of boxes, outlines, masks, oriented boxes and poses, each with odd names and images without an object."""
    triangle = Polygon(np.array([(2.0, 3.0), (40.0, 5.0), (12.0, 44.0)]))
    hollow = Polygon(geometry.rectangle((1, 1, 21, 21)), (geometry.rectangle((5, 5, 15, 15)),))
    part = Polygon(geometry.rectangle((30, 30, 45, 40)))
    pixels = np.zeros((_SIZE[1], _SIZE[0]), dtype=np.bool_)
    pixels[5:20, 8:30] = True
    corners = np.array([(10.0, 5.0), (40.0, 15.0), (37.0, 24.0), (7.0, 14.0)])
    points = np.array([(5.0, 6.0, 2.0), (9.0, 7.0, 1.0), (0.0, 0.0, 0.0)])
    mask = geometry.encode_mask(pixels)
    found: dict[str, list[Annotation]] = {
        "boxes": [Annotation("cat", (3.0, 4.0, 30.5, 40.25)), Annotation("no", (1.0 / 3, 2.0, 20.0, 30.0))],
        "outlines": [
            Annotation("12", geometry.bounds([triangle.exterior]), polygons=(triangle,)),
            Annotation("no", (1, 1, 45, 40), polygons=(hollow, part)),
        ],
        "masks": [Annotation("cat", geometry.mask_box(mask), mask=mask)],
        "oriented": [Annotation("cat", geometry.bounds([corners]), corners=corners)],
        "poses": [Annotation("no", (1.0, 2.0, 60.0, 40.0), keypoints=points)],
    }
    return [_set(name, annotations) for name, annotations in found.items()]


def classified_set() -> LabelSet:
    """Images in two splits with one label each."""
    names = {"a.jpg": "cat", "b.png": "dog", "c.jpg": "dog", "d.jpg": "cat"}
    samples = tuple(
        _sample(name, labels=(label,), split="train" if number < 2 else "validation")
        for number, (name, label) in enumerate(names.items())
    )
    return LabelSet((Category("cat"), Category("dog")), samples, name="classes")


def place_image(sample: Sample, path: Path) -> None:
    """Put an image of the sample's size at a path, as exporters ask for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    PillowImage.new("RGB", sample.size, (90, 120, 40)).save(path)


def _set(name: str, annotations: Sequence[Annotation]) -> LabelSet:
    categories = tuple(Category(each, keypoints=_POINTS, flip_pairs=((0, 1),)) for each in _NAMES)
    samples = (
        _sample("a b (é).jpg", annotations=tuple(annotations)),
        _sample("b.png", annotations=tuple(annotations[:1]), split="validation"),
        _sample("empty.jpg"),
    )
    return LabelSet(categories, samples, name=name)


def _sample(name: str, **more: Any) -> Sample:
    return Sample(**{"source_id": name, "size": _SIZE, "split": "train", "image": ImageFile(Path(name)), **more})
