"""Images and boxes that laws are checked on, and where a disc is found again by its pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from amp_datasets.geometry.warp import Warp
from amp_datasets.model import FloatArray, Image, Size

BOXES: FloatArray = np.array([[30.0, 20, 62, 45], [50, 40, 80, 70]])
"""Two boxes in an image of `make_image`, as x0, y0, x1, y1 in pixels."""


def make_image(width: int = 120, height: int = 90) -> Image:
    """A colourful image with gradients, edges and texture: (height, width, 3) uint8."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    waves = [128 + 90 * np.sin(x / a + y / b) for a, b in ((9, 20), (15, 7), (30, 11))]
    image = np.stack(waves, axis=2) + rng.normal(0, 12, (height, width, 3))
    image[height // 3 : height // 2, width // 4 : width // 2] = (200, 40, 90)
    return np.clip(image, 0, 255).astype(np.uint8)


def red_disc(size: Size, centre: tuple[float, float]) -> Image:
    """A soft red disc on black; its centroid, weighed by redness, is its centre in edge coordinates."""
    y, x = np.mgrid[: size[1], : size[0]] + 0.5
    value = 250 * np.clip(6 - np.hypot(x - centre[0], y - centre[1]), 0, 1)
    return np.stack([np.rint(value), np.zeros_like(value), np.zeros_like(value)], axis=2).astype(np.uint8)


def centroid(image: Image) -> FloatArray:
    """The centre of redness in edge coordinates; a grey fill has none."""
    weight = image[:, :, 0].astype(float) - image[:, :, 1]
    y, x = np.mgrid[: image.shape[0], : image.shape[1]] + 0.5
    total = float(weight.sum())
    return np.array([float((weight * x).sum()) / total, float((weight * y).sum()) / total])


def mean_place(warp: Warp, disc: NDArray[Any]) -> FloatArray:
    """Where a disc's points go on average, each weighed by the area that the map gives it: a bent disc is no disc."""
    y, x = np.nonzero(disc[:, :, 0])
    points: FloatArray = np.stack([x, y], axis=1).astype(np.float64) + 0.5
    step = 1e-3
    dx, dy = (warp(points + off) - warp(points - off) for off in (np.array([step, 0.0]), np.array([0.0, step])))
    area = np.abs(dx[:, 0] * dy[:, 1] - dx[:, 1] * dy[:, 0])
    weight = disc[y, x, 0] * area
    return np.asarray((warp(points) * weight[:, None]).sum(axis=0) / weight.sum())
