"""Each filter against the direct OpenCV kernel and against Albumentations' own transform, in CPU time.

    python benchmarks/filters.py [--quick] [--rounds N] [NAME ...]

A filter's time is that of its draw and its pixels, as in a build. Ratios are medians of ratios within a round.
"""

from __future__ import annotations

import os

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import argparse
import statistics
from collections.abc import Callable
from functools import partial

import albumentations as A  # noqa: N812 - the library's own convention
import cv2
import kernels
import measuring
import numpy as np
import scene_kernels

from amp_datasets.demo import write as demo
from amp_datasets.filtering.base import JoiningFilter, TableFilter, draw, look_up
from amp_datasets.filtering.settings import complete_settings, create
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.variants.composing.join import join
from amp_datasets.variants.labels import LabelPolicy
from amp_datasets.variants.steps import Original

SETTINGS: dict[str, dict[str, object]] = {
    "color_matrix": {},
    "crop": {"margin": 0.1},
    "copy_paste": {"count": 1, "scale": 1.5},
    "mosaic": {"spread": 0},
    "noise": {"amount": 0.25},
    "resize": {"size": (320, 320)},
    "rotate": {"degrees": 15, "direction": "clockwise"},
}
"""Where the first example of a filter is not what the kernel does."""
MIXES = {
    "mix1": ("blur", "grayscale"),
    "mix2": ("contrast", "brightness"),
    "mix3": ("brightness", "saturation"),
}
CUTS = ("crop", "static_crop")
"""Filters whose kernel is a window of the image as an array of its own."""
VIEWS = (*CUTS, "tile")
"""Where Albumentations gives a window of its input, which changes with it: the table lets it make a copy, as we do."""
BUILT_IN: dict[str, Callable[[], A.BasicTransform]] = {
    "blur": lambda: A.GaussianBlur(blur_limit=0, sigma_limit=(2.5, 2.5), p=1),
    "brightness": lambda: A.MultiplicativeNoise((1.5, 1.5), p=1),
    "contrast": lambda: A.RandomBrightnessContrast((-0.2, -0.2), (0.4, 0.4), p=1),
    "crop": lambda: A.CropAndPad(percent=-0.125, keep_size=False, p=1),
    "cutout": lambda: A.CoarseDropout((5, 5), (0.15, 0.15), (0.15, 0.15), p=1),
    "elastic": lambda: A.ElasticTransform(100, 10, noise_distribution="uniform", p=1),
    "exposure": lambda: A.RandomGamma((67, 67), p=1),
    "flip": lambda: A.HorizontalFlip(p=1),
    "grayscale": lambda: A.ToGray(p=1),
    "hue": lambda: A.HueSaturationValue((75, 75), (0, 0), (0, 0), p=1),
    "noise": lambda: A.SaltAndPepper((0.25, 0.25), (0.5, 0.5), p=1),
    "rotate": lambda: A.Rotate((-15, -15), border_mode=cv2.BORDER_REPLICATE, p=1),
    "saturation": lambda: A.HueSaturationValue((0, 0), (50, 50), (0, 0), p=1),
    "color_matrix": lambda: A.ToSepia(p=1),
    "affine": lambda: A.Affine(
        scale=(0.9, 0.9), rotate=(10, 10), shear={"x": (5, 5), "y": (0, 0)}, translate_percent=0.05, fill=114, p=1
    ),
    "camera_gain": lambda: A.ISONoise((0.05, 0.05), (0.5, 0.5), p=1),
    "fog": lambda: A.RandomFog(fog_coef_range=(0.5, 0.5), p=1),
    "jpeg": lambda: A.ImageCompression(quality_range=(15, 15), p=1),
    "motion_blur": lambda: A.MotionBlur((15, 15), angle_range=(30, 30), p=1),
    "perspective": lambda: A.Perspective((0.1, 0.1), border_mode=cv2.BORDER_REPLICATE, p=1),
    "rain": lambda: A.RandomRain(blur_value=3, rain_type="heavy", p=1),
    "shadow": lambda: A.RandomShadow(num_shadows_limit=(2, 2), shadow_intensity_range=(0.5, 0.5), p=1),
    "shear": lambda: A.Affine(shear={"x": (15, 15), "y": (0, 0)}, border_mode=cv2.BORDER_REPLICATE, p=1),
    "resize": lambda: A.Resize(320, 320, interpolation=cv2.INTER_AREA, p=1),
    "static_crop": lambda: A.CropAndPad(percent=-0.1, keep_size=False, p=1),
    "tile": lambda: A.RandomCropFromBorders(0.5, 0.5, 0.5, 0.5, p=1),
    "translate": lambda: A.ShiftScaleRotate((0.15, 0.15), (0, 0), (0, 0), fill=114, p=1),
    "zoom": lambda: A.Affine(scale=(1.25, 1.25), p=1),
    "mix1": lambda: A.Sequential([BUILT_IN["blur"](), BUILT_IN["grayscale"]()], p=1),
    "mix2": lambda: A.Sequential([BUILT_IN["contrast"](), BUILT_IN["brightness"]()], p=1),
    "mix3": lambda: A.Sequential([BUILT_IN["brightness"](), BUILT_IN["saturation"]()], p=1),
}
"""The nearest there is; canny, sobel and selective blur are not in the library."""


PIECES: dict[str, Callable[[kernels.Image, np.ndarray], kernels.Image]] = {
    "tile": scene_kernels.tile,
    "isolate_objects": scene_kernels.isolate_objects,
}
"""Kernels that choose a window, and look at the boxes for it."""
KERNELS = {**kernels.KERNELS, **scene_kernels.KERNELS, **dict.fromkeys((*CUTS, *PIECES), kernels.crop)}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Filters against kernels and built-ins.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="filters (default: all)")
    parser.add_argument("--quick", action="store_true", help="a small image and one round")
    parser.add_argument("--rounds", type=int, default=25, metavar="N")
    chosen = parser.parse_args()
    cv2.setNumThreads(1)
    measuring.describe_machine("albucore")
    sizes = ((160, 120),) if chosen.quick else ((640, 640), (1920, 1080))
    for size in sizes:
        measure(chosen.names or list(KERNELS), size, 1 if chosen.quick else chosen.rounds)


def measure(names: list[str], size: tuple[int, int], rounds: int) -> None:
    """Print the table for one size."""
    image, annotations = demo.draw(3, size)
    boxes = np.array([a.xyxy for a in annotations])
    rows = []
    for name in names:
        functions: list[Callable[[], object]] = [ours(name, image, boxes), direct(name, image, boxes)]
        if name in BUILT_IN:
            functions.append(built_in(name, image))
        mine, kernel, *others = measuring.milliseconds(functions, rounds)
        row = [name, f"{statistics.median(mine):.2f}", f"{statistics.median(kernel):.2f}"]
        row += [f"{measuring.ratio(mine, kernel):.2f}"]
        row += (
            [f"{statistics.median(others[0]):.2f}", f"{measuring.ratio(mine, others[0]):.2f}"] if others else ["", ""]
        )
        rows.append(row)
    measuring.heading(f"Filters at {size[0]}x{size[1]}: CPU milliseconds, medians of {rounds}")
    measuring.table(["filter", "amp", "kernel", "amp/kernel", "built-in", "amp/built-in"], rows)


def settings(name: str) -> dict[str, object]:
    """All settings of a filter that make it do what its kernel does."""
    plugin = load_registry().filter(name)
    return complete_settings(plugin, SETTINGS.get(name, plugin.examples[0]))


def ours(name: str, image: kernels.Image, boxes: np.ndarray) -> Callable[[], object]:
    """The draw and the pixels of a filter, or of a mix: neighbouring tables as one, as a build does it."""
    registry = load_registry()
    if issubclass(registry.filters.get(name, A.NoOp), JoiningFilter):
        return joined(name, image)
    steps = MIXES.get(name, (name,))
    transforms = [create(registry.filter(step), settings(step)) for step in steps]
    for transform in transforms:
        transform.set_random_seed(0)

    def run() -> object:
        result = image
        draws = [draw(transform, image, boxes) for transform in transforms]
        if len(transforms) > 1 and all(isinstance(transform, TableFilter) for transform in transforms):
            first, second = (t.table(**d) for t, d in zip(transforms, draws, strict=True))
            return look_up(result, second[first])
        for transform, choice in zip(transforms, draws, strict=True):
            result = transform.apply(result, **choice, shape=result.shape)
        return result

    return run


def joined(name: str, image: kernels.Image) -> Callable[[], object]:
    """The draw, the pixels and the labels of several images that become one: there these cannot be had apart."""
    size = (image.shape[1], image.shape[0])
    images = [Original(pixels, str(n), labels) for n in range(4) for pixels, labels in [demo.draw(n, size)]]
    transform = create(load_registry().filter(name), settings(name))
    transform.set_random_seed(0)
    return partial(join, images[0], images[1:], transform, LabelPolicy())


def direct(name: str, image: kernels.Image, boxes: np.ndarray) -> Callable[[], object]:
    """The kernel; a cut to a window that the filter takes."""
    if name in PIECES:
        return partial(PIECES[name], image, boxes)
    if name not in CUTS:
        return partial(KERNELS[name], image)
    transform = create(load_registry().filter(name), settings(name))
    size = (image.shape[1], image.shape[0])
    warp = transform.warp(size, **draw(transform, image, boxes))
    x, y = (round(-move) for move in warp.matrix[:2, 2])
    return partial(kernels.crop_to, image, (x, y, x + warp.size[0], y + warp.size[1]))


def built_in(name: str, image: kernels.Image) -> Callable[[], object]:
    """Albumentations' own transform, and a copy of what it gives where that is a view."""
    transform = BUILT_IN[name]()
    if name not in VIEWS:
        return partial(transform, image=image)
    return lambda: np.ascontiguousarray(transform(image=image)["image"])


if __name__ == "__main__":
    main()
