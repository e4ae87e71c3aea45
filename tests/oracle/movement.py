"""Where an object's edge lies in a filtered image: found by its pixels alone, whatever became of their values.

A disc is painted on a plain ground. Along each of many directions from its centre the filtered values are read; the
edge is where they cross the middle between what is seen just inside and just outside in that direction. So a filter may
recolour, shade or hide as it likes: only moving the edge is noticed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

SIZE = (260, 220)
CENTRE = np.array([150.0, 95.0])
RADIUS = 60.0
SECTORS = 72
_REACH = 30.0
"""How far from the edge profiles are read, in pixels."""
_LEVEL = (14.0, 26.0)
"""Between which distances from the edge the values inside and outside are taken."""
_STEP = 0.25

Pixels = NDArray[np.uint8]
COLOURS = (((235, 70, 40), (20, 40, 60)), ((30, 40, 120), (150, 200, 170)), ((245, 245, 245), (70, 90, 110)))
"""Of the disc and of the ground."""


@dataclass(frozen=True)
class Moved:
    """What was found: how far the centre is off, IoU with the painted disc, and the share of it that shows."""

    centre_px: float
    iou: float
    shown: float


def painted(colours: tuple[tuple[int, int, int], tuple[int, int, int]], seed: int = 0) -> Pixels:
    """A disc with a soft edge of one pixel, and a little texture."""
    y, x = np.mgrid[: SIZE[1], : SIZE[0]] + 0.5
    cover = np.clip(RADIUS - np.hypot(x - CENTRE[0], y - CENTRE[1]) + 0.5, 0, 1)[..., None]
    texture = cv2.GaussianBlur(np.random.default_rng(seed).normal(0, 6, (SIZE[1], SIZE[0], 3)), (0, 0), 2)
    image = np.array(colours[0]) * cover + np.array(colours[1]) * (1 - cover) + texture
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def look(image: Pixels, min_contrast: float = 8.0) -> Moved:
    """Where the disc of `painted` is in a filtered image; sectors that show no edge are left out."""
    radii = np.arange(RADIUS - _REACH, RADIUS + _REACH, _STEP)
    profiles = _profiles(image.astype(np.float64), radii)
    inside = profiles[:, (radii > RADIUS - _LEVEL[1]) & (radii < RADIUS - _LEVEL[0])].mean(axis=1)
    outside = profiles[:, (radii > RADIUS + _LEVEL[0]) & (radii < RADIUS + _LEVEL[1])].mean(axis=1)
    contrast = inside - outside
    strength = np.linalg.norm(contrast, axis=1)
    clear = strength >= max(min_contrast, float(np.median(strength)) / 3)
    if clear.mean() < 0.25:
        return Moved(float("nan"), float("nan"), float(clear.mean()))
    share = ((profiles - outside[:, None]) * contrast[:, None]).sum(axis=2) / np.maximum(strength**2, 1e-9)[:, None]
    near = np.abs(radii - RADIUS) <= _LEVEL[0]
    edge = RADIUS - _LEVEL[0] + (share[:, near] > 0.5).sum(axis=1) * _STEP  # how much of the way is inside
    angle = (np.arange(SECTORS) + 0.5) * (2 * np.pi / SECTORS)
    basis = np.stack([np.cos(angle), np.sin(angle), np.ones(SECTORS)], axis=1)[clear]
    off = edge[clear] - RADIUS
    keep = np.abs(off - np.median(off)) < 25
    shift, *_ = np.linalg.lstsq(basis[keep], off[keep], rcond=None)
    both, either = np.minimum(edge[clear], RADIUS), np.maximum(edge[clear], RADIUS)
    return Moved(float(np.hypot(*shift[:2])), float((both**2).sum() / (either**2).sum()), float(clear.mean()))


def worst(apply: Callable[[Pixels, int], Pixels], draws: int) -> tuple[float, float, float]:
    """The largest shift and the least IoU over that many draws on every colouring, and the share that could be seen."""
    found = [
        look(apply(painted(colours), number * len(COLOURS) + i))
        for number in range(draws)
        for i, colours in enumerate(COLOURS)
    ]
    seen = [each for each in found if each.shown >= 0.25]
    if not seen:
        return float("nan"), float("nan"), 0.0
    return max(m.centre_px for m in seen), min(m.iou for m in seen), len(seen) / len(found)


def _profiles(image: NDArray[np.float64], radii: NDArray[np.float64]) -> NDArray[np.float64]:
    """(sectors, radii, channels): values by distance from the centre, averaged over each sector."""
    fine = 8
    angle = (np.arange(SECTORS * fine) + 0.5) * (2 * np.pi / (SECTORS * fine))
    x = CENTRE[0] + np.cos(angle)[:, None] * radii - 0.5
    y = CENTRE[1] + np.sin(angle)[:, None] * radii - 0.5
    read = cv2.remap(image.astype(np.float32), x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR)
    return read.astype(np.float64).reshape(SECTORS, fine, len(radii), 3).mean(axis=1)
