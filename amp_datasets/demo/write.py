"""A small labelled set, drawn from a seed: for the quick start, the tests and the documentation's images.

    python -m amp_datasets.demo DIR [--images N] [--size WxH] [--seed S] [--format coco]

Every outline is known exactly, so a label that is off by a pixel can be seen and measured. An image depends on the
seed and its own number only: a longer set begins with the shorter one.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from amp_datasets.demo import scene as scenery
from amp_datasets.demo.scene import Thing
from amp_datasets.errors import AmpError, BuildError
from amp_datasets.geometry import shapes as geometry
from amp_datasets.images.codec import Encoding, encode
from amp_datasets.model import Annotation, Category, Image, ImageFile, LabelSet, Polygon, Sample, Size
from amp_datasets.plugin.discovery import load_formats

CATEGORIES = tuple(Category(name) for name in scenery.CATEGORIES)
"""The classes of the set, in the order of their ids."""
SIZE: Size = (640, 480)

_ENCODING = Encoding("jpeg", quality=95, subsampling="444")
_MARGIN_PX = 3
"""Between a thing and the image's edge, and at least this much between two things."""
_MIN_SIDE_PX = 48


def demo_set(images: int = 10, size: Size = SIZE, seed: int = 0) -> LabelSet:
    """The set in memory: JPEG bytes and exact polygons."""
    if images < 1 or min(size) < _MIN_SIDE_PX:
        raise BuildError(f"a demo set needs at least one image of {_MIN_SIDE_PX}x{_MIN_SIDE_PX} pixels")
    return LabelSet(CATEGORIES, tuple(_sample(number, size, seed) for number in range(images)), name="demo")


def write_demo(folder: Path | str, images: int = 10, size: Size = SIZE, seed: int = 0, layout: str = "coco") -> None:
    """Write the set into an empty or new folder, in any format that there is an exporter for."""
    target = Path(folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BuildError("the folder of the demo set is not empty", where=target, fix="remove it or name another")
    exporter = load_formats().exporter(layout)
    labels = demo_set(images, size, seed)
    if exporter.classifies:
        labels = replace(labels, samples=tuple(map(_as_a_whole, labels.samples)))
    target.mkdir(parents=True, exist_ok=True)
    exporter(target, exporter.options_type(), _place).write(labels)


def draw(number: int, size: Size = SIZE, seed: int = 0) -> tuple[Image, tuple[Annotation, ...]]:
    """One image of the set before it is encoded, with its labels."""
    rng = np.random.default_rng((seed, number))
    things = _arrange(rng, size, number)
    return scenery.image(things, rng, size, number), tuple(map(_annotation, things))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m amp_datasets.demo", description="Draw a small labelled set.")
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--images", type=int, default=10, metavar="N", help="how many images (default: 10)")
    parser.add_argument("--size", type=_size, default=SIZE, metavar="WxH", help="in pixels (default: 640x480)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="another seed, another set (default: 0)")
    parser.add_argument("--format", default="coco", metavar="NAME", help="of the labels (default: coco)")
    chosen = parser.parse_args(arguments)
    try:
        write_demo(chosen.folder, chosen.images, chosen.size, chosen.seed, chosen.format)
    except AmpError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{chosen.images} labelled images in {chosen.folder}", file=sys.stderr)
    return 0


def _sample(number: int, size: Size, seed: int) -> Sample:
    pixels, annotations = draw(number, size, seed)
    name = f"demo_{number + 1:03d}{_ENCODING.suffix}"
    return Sample(name, ImageFile(Path(name), data=encode(pixels, _ENCODING)), size, annotations, split="train")


def _as_a_whole(sample: Sample) -> Sample:
    """The image with the class of its largest thing as its own label."""
    largest = max(sample.annotations, key=lambda annotation: geometry.box_area(annotation.xyxy))
    return replace(sample, annotations=(), labels=(largest.category,))


def _arrange(rng: np.random.Generator, size: Size, number: int) -> list[Thing]:
    """One to four things that keep clear of each other, though their boxes may overlap."""
    taken = np.zeros((size[1], size[0]), np.uint8)
    things: list[Thing] = []
    categories = rng.permutation(scenery.CATEGORIES)
    wanted = (3, 4, 2, 4, 1)[number % 5]
    for attempt in range(200):
        if len(things) == wanted:
            break
        category = str(categories[len(things)])
        radius = min(size) * rng.uniform(0.17, 0.29) * 0.99**attempt
        centre = (float(rng.uniform(0, size[0])), float(rng.uniform(0, size[1])))
        candidate = scenery.thing(category, rng, centre, radius)
        cover = scenery.coverage(candidate.outline, size) if _inside(candidate, size) else None
        if cover is not None and not (taken[cover > 0]).any():
            things.append(candidate)
            taken |= cv2.dilate((cover > 0).astype(np.uint8), np.ones((2 * _MARGIN_PX + 1,) * 2, np.uint8))
    return things


def _inside(each: Thing, size: Size) -> bool:
    outline = each.outline
    return bool((outline >= _MARGIN_PX).all() and (outline <= np.subtract(size, _MARGIN_PX)).all())


def _annotation(each: Thing) -> Annotation:
    return Annotation(each.category, geometry.bounds([each.outline]), (Polygon(each.outline),))


def _place(sample: Sample, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(sample.image.data or b"")


def _size(text: str) -> Size:
    width, _, height = text.lower().partition("x")
    return int(width), int(height)
