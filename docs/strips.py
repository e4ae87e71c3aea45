"""Draws a strip for every filter of the reference: one demo image at a low, the usual and a high setting.

The labels on it are the ones that the program returned. `python docs/strips.py` writes `docs/reference/*.webp`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image as PillowImage

from amp_datasets.demo import write as demo
from amp_datasets.filtering.base import Filter
from amp_datasets.filtering.settings import complete_settings
from amp_datasets.images.drawing.gallery import Gallery, Tile
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.variants.maker import Planned, VariantMaker, render
from amp_datasets.variants.recipe import Recipe, Step, VariantSpec
from amp_datasets.variants.steps import Original

FOLDER = Path(__file__).parent / "reference"
SHOWN, PARTNERS, SEED = 21, (5, 9, 13), 3
TILE = (240, 180)

LEVELS: dict[str, tuple[dict[str, Any], ...]] = {
    "affine": ({"degrees": 3, "shear": 1, "translate": 1}, {}, {"degrees": 30, "shear": 20, "translate": 15}),
    "auto_contrast": ({"how": "stretch"}, {"how": "equalize"}, {"how": "adaptive"}),
    "blur": ({"sigma": 1.0}, {"sigma": 2.5}, {"sigma": 8.0}),
    "brightness": ({"percent": 15}, {"percent": 50}, {"percent": 60, "mode": "negative"}),
    "camera_gain": ({"percent": 10}, {"percent": 35}, {"percent": 90}),
    "canny": ({"low": 20.0, "high": 30.0}, {"low": 50.0, "high": 75.0}, {"low": 200.0, "high": 300.0}),
    "color_matrix": ({}, {"matrix": ((0, 1, 0), (0, 0, 1), (1, 0, 0))}, {"matrix": ((0, 0, 1), (0, 1, 0), (1, 0, 0))}),
    "contrast": ({"percent": 15}, {"percent": 40}, {"percent": 60, "mode": "negative"}),
    "copy_paste": ({"count": 1}, {"count": 2}, {"count": 4}),
    "crop": ({"margin": 2.0, "around": "one"}, {"margin": 0.5, "around": "one"}, {"margin": 0.1, "around": "one"}),
    "cutout": ({"count": 3, "percent": 8}, {"count": 5, "percent": 15}, {"count": 8, "percent": 20}),
    "elastic": (
        {"alpha": 50.0, "sigma": 10.0},
        {"alpha": 170.0, "sigma": 10.0},
        {"alpha": 600.0, "sigma": 20.0},
    ),
    "exposure": ({"percent": 15}, {"percent": 50}, {"percent": 60, "mode": "negative"}),
    "flip": ({"how": "horizontal"}, {"how": "vertical"}, {"how": "both"}),
    "fog": ({"percent": 15}, {"percent": 35}, {"percent": 70}),
    "grayscale": ({"percent": 30}, {"percent": 60}, {"percent": 100}),
    "hue": ({"degrees": 15}, {"degrees": 60}, {"degrees": 150}),
    "isolate_objects": ({"margin": 0.0}, {"margin": 0.25}, {"margin": 1.0}),
    "jpeg": ({"quality": 60}, {"quality": 25}, {"quality": 5}),
    "mosaic": ({"spread": 0.0}, {"spread": 0.1}, {"spread": 0.3}),
    "motion_blur": ({"length": 5}, {"length": 12}, {"length": 30}),
    "noise": ({"amount": 0.01}, {"amount": 0.05}, {"amount": 0.25}),
    "perspective": ({"percent": 5}, {"percent": 12}, {"percent": 28}),
    "rain": ({"percent": 15}, {"percent": 40}, {"percent": 90}),
    "resize": ({"size": (160, 160), "how": "stretch"}, {"size": 160, "how": "letterbox"}, {"size": 160, "how": "fill"}),
    "rotate": ({"degrees": 5}, {"degrees": 15, "fill": "crop"}, {"degrees": 45, "expand": True, "fill": (0, 0, 0)}),
    "rotate90": ({"degrees": 90}, {"degrees": 180}, {"degrees": 270}),
    "saturation": ({"percent": 30}, {"percent": 80}, {"percent": 80, "mode": "negative"}),
    "selective_blur": ({"threshold": 30.0}, {"threshold": 90.0}, {"threshold": 200.0}),
    "shadow": ({"percent": 30, "count": 1}, {"percent": 50, "count": 2}, {"percent": 80, "count": 4}),
    "shear": ({"degrees": 5}, {"degrees": 15}, {"degrees": 35, "fill": "replicate"}),
    "sobel": ({},),
    "static_crop": ({"x": (5, 95), "y": (5, 95)}, {"x": (10, 90), "y": (10, 90)}, {"x": (25, 75), "y": (25, 75)}),
    "tile": ({"rows": 1, "columns": 2}, {"rows": 2, "columns": 2}, {"rows": 3, "columns": 3}),
    "translate": ({"percent": 5}, {"percent": 12}, {"percent": 40}),
    "zoom": ({"percent": 10}, {"percent": 30}, {"percent": 50, "direction": "out"}),
}
"""Settings at the low end, as usual and at the high end; where there is no such order, three that differ."""


def main() -> None:
    """Draw the strips beside the reference."""
    filters = load_registry().filters
    if set(LEVELS) != set(filters):
        raise SystemExit(f"LEVELS of {__file__} is not the list of filters: {sorted(set(LEVELS) ^ set(filters))}")
    FOLDER.mkdir(exist_ok=True)
    original = _original()
    for name, levels in sorted(LEVELS.items()):
        tiles = tuple(_tiles(original, filters[name], levels))
        page = Gallery(tiles, demo.CATEGORIES, TILE, len(tiles)).sheet()
        legend = page.crop((0, 0, page.width, TILE[1] + 36))
        _save(legend, FOLDER / f"{name}.webp")


def _original() -> Original:
    """The demo image, with others of its kind for filters that need more than one."""
    others = [Original(image, f"demo{number}", labels) for number in PARTNERS for image, labels in [demo.draw(number)]]
    image, annotations = demo.draw(SHOWN)
    return Original(image, "demo", annotations, beside=lambda *_: others)


def _tiles(original: Original, plugin: type[Filter], levels: tuple[dict[str, Any], ...]) -> Iterator[Tile]:
    for level in levels:
        spec = VariantSpec(plugin.name, (Step(plugin.name, complete_settings(plugin, level)),))
        (planned,) = VariantMaker(Recipe(SEED, (spec,))).plan_all(original)
        if not isinstance(planned, Planned):
            raise SystemExit(f"{plugin.name} {level}: {planned.reason} ({planned.detail})")
        title = ", ".join(f"{key} {value}" for key, value in level.items() if key != "matrix") or plugin.name
        yield Tile(title, render(original.image, planned), tuple(planned.judged.annotations))


def _save(page: PillowImage.Image, path: Path) -> None:
    page.save(path, "WEBP", quality=80, method=6)
    print(f"{path}: {page.width}x{page.height}, {path.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
