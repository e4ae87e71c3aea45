"""Draws both ends of every control of Roboflow's page, as this program makes them, for `docs/roboflow.md`.

The labels are the ones that the program returned. `python docs/roboflow_pictures.py` writes `docs/roboflow/*.webp`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from amp_datasets.demo import write as demo
from amp_datasets.filtering.settings import complete_settings
from amp_datasets.images.drawing.gallery import Gallery, Tile
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.variants.maker import Planned, VariantMaker, render
from amp_datasets.variants.recipe import LabelSettings, Recipe, Step, VariantSpec
from amp_datasets.variants.steps import Original

FOLDER = Path(__file__).parent / "roboflow"
SHOWN, APART, PARTNERS, SEED = 21, 38, (5, 9, 13), 3
"""Numbers of demo images; in that of `APART` no two boxes meet, so that all of them can be worked in."""
TILE = (200, 150)
BLACK = (0, 0, 0)

End = tuple[str, str, dict[str, Any]]
"""A title, a filter, its settings."""
ENDS: dict[str, tuple[End, ...]] = {
    "resize": (
        ("stretch to 160", "resize", {"size": (160, 160)}),
        ("fit in 160, black", "resize", {"size": (160, 160), "how": "letterbox", "fill": BLACK}),
        ("fill 160", "resize", {"size": (160, 160), "how": "fill"}),
    ),
    "grayscale": (("grayscale", "grayscale", {"percent": 100}),),
    "contrast": (
        ("stretching", "auto_contrast", {"how": "stretch"}),
        ("histogram", "auto_contrast", {"how": "equalize"}),
        ("adaptive", "auto_contrast", {"how": "adaptive"}),
    ),
    "isolate": (("one of four", "isolate_objects", {}),),
    "static-crop": (
        ("5 .. 95 %", "static_crop", {"x": (5, 95), "y": (5, 95)}),
        ("25 .. 75 %", "static_crop", {"x": (25, 75), "y": (25, 75)}),
    ),
    "tile": (
        ("one of 1 x 2", "tile", {"rows": 1, "columns": 2}),
        ("one of 3 x 3", "tile", {"rows": 3, "columns": 3}),
    ),
    "flip": (("horizontal", "flip", {}), ("vertical", "flip", {"how": "vertical"})),
    "ninety": (("clockwise", "rotate90", {"degrees": 90}), ("upside down", "rotate90", {"degrees": 180})),
    "crop": (("1 %", "zoom", {"percent": 1}), ("60 %", "zoom", {"percent": 60})),
    "rotate": (
        ("1 degree", "rotate", {"degrees": 1, "direction": "clockwise", "fill": BLACK}),
        ("45 degrees", "rotate", {"degrees": 45, "direction": "clockwise", "fill": BLACK}),
    ),
    "shear": (
        ("1 degree", "shear", {"degrees": 1, "direction": "positive", "fill": BLACK}),
        ("45 degrees", "shear", {"degrees": 45, "direction": "positive", "fill": BLACK}),
    ),
    "hue": (("-180 degrees", "hue", {"degrees": 180}), ("+30 degrees", "hue", {"degrees": 30})),
    "saturation": (
        ("-99 %", "saturation", {"percent": 99, "mode": "negative"}),
        ("+99 %", "saturation", {"percent": 99}),
    ),
    "brightness": (
        ("-80 %", "brightness", {"percent": 80, "mode": "negative"}),
        ("+80 %", "brightness", {"percent": 80}),
    ),
    "exposure": (("-90 %", "exposure", {"percent": 90, "mode": "negative"}), ("+90 %", "exposure", {"percent": 90})),
    "blur": (("0.5 px", "blur", {"sigma": 0.5}), ("25 px", "blur", {"sigma": 25})),
    "noise": (("0.1 %", "noise", {"amount": 0.001}), ("25 %", "noise", {"amount": 0.25})),
    "cutout": (
        ("1 of 5 %", "cutout", {"count": 1, "percent": 5}),
        ("6 of 20 %", "cutout", {"count": 6, "percent": 20}),
    ),
    "mosaic": (("mosaic", "mosaic", {}),),
    "motion-blur": (
        ("3 px", "motion_blur", {"length": 3, "degrees": 0}),
        ("40 px", "motion_blur", {"length": 40, "degrees": 0}),
    ),
    "camera-gain": (("5 %", "camera_gain", {"percent": 5}), ("100 %", "camera_gain", {"percent": 100})),
}
"""What is shown of each key of Roboflow's API."""
INSIDE = ("flip", "ninety", "crop", "rotate", "shear", "brightness", "exposure", "blur", "noise")
"""The keys that there are once more for the inside of boxes, with `bb` before them."""


def main() -> None:
    """Draw all of it beside the page."""
    FOLDER.mkdir(exist_ok=True)
    for name, tiles in pictures():
        page = Gallery(tiles, demo.CATEGORIES, TILE, len(tiles)).sheet()
        path = FOLDER / f"{name}.webp"
        page.crop((0, 0, page.width, TILE[1] + 36)).save(path, "WEBP", quality=70, method=6)
        print(f"{path}: {page.width}x{page.height}, {path.stat().st_size // 1000} kB")


def pictures() -> Iterator[tuple[str, tuple[Tile, ...]]]:
    """The tiles of each control."""
    for name, ends in ENDS.items():
        yield name, tuple(_tile(end, "") for end in ends)
    for name in INSIDE:
        yield f"bb{name}", tuple(_tile(end, "objects") for end in ENDS[name])


def _tile(end: End, within: str) -> Tile:
    title, name, settings = end
    plugin = load_registry().filter(name)
    step = Step(name, complete_settings(plugin, settings), within="objects" if within else "")
    labels = LabelSettings(min_difference=0, min_visibility=0.15)
    maker = VariantMaker(Recipe(SEED, (VariantSpec(name, (step,)),), labels))
    original = _original(APART if within else SHOWN)
    (planned,) = maker.plan_all(original)
    if not isinstance(planned, Planned):
        raise SystemExit(f"{title}: {planned.reason} ({planned.detail})")
    return Tile(title, render(original.image, planned), tuple(planned.judged.annotations))


def _original(number: int) -> Original:
    """A demo image, with others of its kind for filters that need more than one."""
    others = [Original(image, f"demo{n}", labels) for n in PARTNERS for image, labels in [demo.draw(n)]]
    image, annotations = demo.draw(number)
    return Original(image, "demo", annotations, beside=lambda *_: others)


if __name__ == "__main__":
    main()
