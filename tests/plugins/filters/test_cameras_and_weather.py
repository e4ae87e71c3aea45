"""Laws of the filters that imitate cameras and weather: nothing moves, and strengths are what they say."""

from __future__ import annotations

import random
from typing import Any

import cv2
import numpy as np
import pytest

from amp_datasets.filtering.base import PixelFilter, draw
from amp_datasets.plugin.discovery import load_registry

FILTERS = ("motion_blur", "camera_gain", "jpeg", "shadow", "fog", "rain")
GREY = np.full((180, 240, 3), 120, np.uint8)


def applied(name: str, image: np.ndarray, seed: int = 0, **settings: Any) -> np.ndarray:
    """An image through a filter."""
    transform: Any = load_registry().filter(name)(**settings)
    assert isinstance(transform, PixelFilter)
    transform.set_random_state(np.random.default_rng(seed), random.Random(seed))
    return np.asarray(transform.apply(image, **draw(transform, image, np.zeros((0, 4))), shape=image.shape))


@pytest.mark.parametrize("name", FILTERS)
def test_an_object_stays_where_it_is(name: str) -> None:
    """Over 60 draws, a bright disc's centre of mass, above its surroundings, stays within half a pixel on average."""
    y, x = np.mgrid[:180, :240] + 0.5
    inside = np.hypot(x - 120.3, y - 90.7) < 40
    scene = np.where(inside[..., None], np.uint8(230), np.uint8(20)) * np.ones(3, np.uint8)
    found = []
    for seed in range(60):
        seen = applied(name, scene, seed).mean(axis=2) > 125
        seen = cv2.medianBlur(seen.astype(np.uint8), 5) > 0
        if seen.sum() > 0.9 * inside.sum():
            found.append([x[seen].mean() - x[inside].mean(), y[seen].mean() - y[inside].mean()])
    assert len(found) >= 30
    assert np.abs(np.mean(found, axis=0)).max() < 0.5
    assert np.abs(np.median(found, axis=0)).max() < 0.3


@pytest.mark.parametrize("degrees", [0, 17.0, 45, 90, 133, 180, 300])
@pytest.mark.parametrize("length", [3, 6.5, 15, 20, 61])
def test_motion_blur_is_a_symmetric_line(length: float, degrees: float) -> None:
    """A white dot becomes a line of that length about itself, and no light is lost."""
    dot = np.zeros((101, 101, 3), np.uint8)
    dot[50, 50] = 255
    lines = [applied("motion_blur", cv2.merge([dot[..., 0]] * 3), length=length, degrees=degrees) for _ in range(1)]
    line = lines[0][..., 0].astype(float)
    np.testing.assert_allclose(line, line[::-1, ::-1], atol=1)
    assert line.sum() == pytest.approx(255, rel=0.25)  # each of many small values is rounded
    ys, xs = np.nonzero(line)
    reach = np.hypot(xs - 50, ys - 50).max()
    assert abs(reach - (length - 1) / 2) <= 1.5


@pytest.mark.parametrize("length", [9, 15, 20, 40])
@pytest.mark.parametrize("degrees", [0, 20, 30, 65, 90, 110, 150])
def test_motion_blur_is_the_mean_along_the_line(length: float, degrees: float) -> None:
    """The slow way: the image moved along the line in small steps, all averaged."""
    image = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8).astype(np.float32)
    along = np.linspace(-(length - 1) / 2, (length - 1) / 2, 8 * int(length - 1) + 1)
    x, y = along * np.cos(np.radians(degrees)), along * np.sin(np.radians(degrees))
    moves = [np.array([(1, 0, dx), (0, 1, dy)]) for dx, dy in zip(x, y, strict=True)]
    mean = sum(cv2.warpAffine(image, move, (160, 120), borderMode=cv2.BORDER_REFLECT_101) for move in moves) / len(
        along
    )
    blurred = applied("motion_blur", image.astype(np.uint8), length=length, degrees=degrees)
    assert np.abs(blurred - mean)[30:-30, 30:-30].max() <= 2


def test_camera_gain_has_the_stated_deviation() -> None:
    """sqrt(0.24^2 v + 0.04^2) of the gain, without moving the mean."""
    noisy = applied("camera_gain", GREY, percent=50).astype(float)
    assert noisy.mean() == pytest.approx(120, abs=0.5)
    assert noisy.std() == pytest.approx(255 * 0.5 * np.sqrt(0.24**2 * 120 / 255 + 0.04**2), rel=0.02)


def test_jpeg_is_worse_at_lower_quality() -> None:
    """And 444 keeps colours that 420 blurs."""
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    off = [cv2.absdiff(applied("jpeg", image, quality=q), image).mean() for q in (5, 30, 80)]
    assert off == sorted(off, reverse=True)
    fine = cv2.absdiff(applied("jpeg", image, quality=80, subsampling="444"), image).mean()
    assert fine < off[-1]


def test_shadow_only_darkens_and_fog_only_greys() -> None:
    """A shadow never brightens; fog brings black and white nearer to each other by its share."""
    assert (applied("shadow", GREY, percent=50) <= GREY).all()
    assert applied("shadow", GREY, percent=50).min() == pytest.approx(60, abs=1)
    black, white = (applied("fog", np.full_like(GREY, v), 3, percent=40).mean() for v in (0, 255))
    assert 0.4 < (white - black) / 255 < 0.8
    assert black > 40
