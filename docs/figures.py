"""Draws the documentation's images, `filters.jpg` and `labels.jpg`: what the program makes of one demo image.

The labels drawn on them are the ones that the program returned, so a wrong one would be seen here first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from amp_datasets.demo import write as demo
from amp_datasets.filtering.base import Filter
from amp_datasets.filtering.settings import complete_settings
from amp_datasets.geometry import shapes as geometry
from amp_datasets.images.drawing.gallery import Gallery, Tile
from amp_datasets.model import Annotation, Image
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.variants.maker import Planned, VariantMaker, render
from amp_datasets.variants.recipe import CategoryRules, Recipe, Step, VariantSpec
from amp_datasets.variants.steps import Original

FOLDER = Path(__file__).parent
SCENE, PARTNERS = 21, (5, 9, 13)
SEED = 1
SETTINGS = {
    "crop": {"margin": 0.4, "around": "one"},
    "noise": {"amount": 0.1},
    "copy_paste": {"count": 2},
    "resize": {"size": 180},
}
"""In place of a filter's first example, where that would show little on this image."""

MOVING = ("flip", "rotate", "shear", "perspective", "elastic", "crop", "cutout", "mosaic")
"""The filters of `labels.jpg`: one of each way in which labels move, are cut or are hidden."""

RULES = CategoryRules(flip_pairs={category.name: ((0, 2),) for category in demo.CATEGORIES})
"""What is leftmost is rightmost in a mirror image."""

Kind = Callable[[Annotation], Annotation]


def main() -> None:
    """Draw both images beside this file."""
    image, annotations = demo.draw(SCENE)
    original = original_of(image, annotations)
    filters = load_registry().filters
    shown = [Tile("original", image, annotations)]
    shown += made(original, [*(one_step(name, filters[name]) for name in sorted(filters)), mix("mix", filters)])
    save(Gallery(tuple(shown), demo.CATEGORIES, (240, 180), 7), "filters.jpg")
    tiles = tuple(label_tiles(image, annotations, filters))
    save(Gallery(tiles, demo.CATEGORIES, (196, 147), len(MOVING) + 1), "labels.jpg")


def label_tiles(image: Image, annotations: Sequence[Annotation], filters: dict[str, type[Filter]]) -> Iterable[Tile]:
    """A row for every kind of label: the original, then filters that move or hide something."""
    specs = [one_step(name, filters[name]) for name in MOVING]
    for name, kind in KINDS.items():
        labels = tuple(map(kind, annotations))
        yield Tile(name, image, labels)
        yield from made(original_of(image, labels, kind), specs)


def original_of(image: Image, labels: Sequence[Annotation], kind: Kind = lambda label: label) -> Original:
    """The demo image, with others of its kind for the filters that join images."""
    drawn = {f"demo{number}": demo.draw(number) for number in PARTNERS}
    others = [Original(other, name, tuple(map(kind, seen))) for name, (other, seen) in drawn.items()]
    return Original(image, "demo", tuple(labels), beside=lambda *_: others)


def one_step(name: str, plugin: type[Filter]) -> VariantSpec:
    """A filter alone, with settings that show it."""
    return VariantSpec(name, (Step(name, complete_settings(plugin, SETTINGS.get(name, plugin.examples[0]))),))


def mix(name: str, filters: dict[str, type[Filter]]) -> VariantSpec:
    """Three filters in a row."""
    steps = (step for part in ("rotate", "color_matrix", "blur") for step in one_step(part, filters[part]).steps)
    return VariantSpec(name, tuple(steps))


def made(original: Original, specs: Sequence[VariantSpec]) -> Iterable[Tile]:
    """The variants with their labels drawn on them."""
    for planned in VariantMaker(Recipe(SEED, tuple(specs), categories=RULES)).plan_all(original):
        if not isinstance(planned, Planned):
            raise SystemExit(f"{planned.spec.name}: {planned.reason} ({planned.detail})")
        yield Tile(planned.spec.name, render(original.image, planned), tuple(planned.judged.annotations))


def save(gallery: Gallery, name: str) -> None:
    """Write a sheet beside this file."""
    page = gallery.sheet()
    page.save(FOLDER / name, quality=86, optimize=True, progressive=True)
    print(f"{FOLDER / name}: {page.width}x{page.height}, {(FOLDER / name).stat().st_size // 1000} kB")


def _with_keypoints(annotation: Annotation) -> Annotation:
    """The outline's extreme points: leftmost, topmost, rightmost, lowest."""
    ring = annotation.polygons[0].exterior
    extremes = ring[[*ring.argmin(axis=0), *ring.argmax(axis=0)]]
    return replace(annotation, polygons=(), keypoints=np.column_stack([extremes, np.full(4, 2.0)]))


def _oriented(annotation: Annotation) -> Annotation:
    corners = geometry.min_area_rectangle(annotation.polygons[0].exterior)
    return replace(annotation, polygons=(), corners=corners)


KINDS: dict[str, Kind] = {
    "polygons": lambda annotation: annotation,
    "boxes only": lambda annotation: replace(annotation, polygons=()),
    "keypoints": _with_keypoints,
    "oriented boxes": _oriented,
}

if __name__ == "__main__":
    main()
