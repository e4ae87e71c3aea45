"""The elastic field: distributed as the original's, made 40 times as fast, and never folded."""

from __future__ import annotations

import json
import random
from typing import Any

import cv2
import numpy as np
import pytest

from amp_datasets.errors import CannotApply
from amp_datasets.filtering.base import draw
from amp_datasets.geometry.warp import Displacement
from amp_datasets.plugin.discovery import load_registry

ELASTIC: Any = load_registry().filters["elastic"]
SIZE = (400, 300)


def displacement(alpha: float, sigma: float, seed: int, size: tuple[int, int] = SIZE) -> Displacement:
    """The field that the filter makes from a draw."""
    (step,) = ELASTIC().warp(size, alpha=alpha, sigma=sigma, seed=seed).maps
    return step


def reference(alpha: float, sigma: float, seed: int) -> np.ndarray:
    """The original's field (2, height, width): uniform noise at every pixel through a full Gaussian, times alpha."""
    rng = np.random.default_rng(seed)
    reach = int(np.ceil(5 * sigma))
    weights = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    weights /= weights.sum()
    planes = []
    for _ in range(2):
        noise = np.pad(rng.uniform(-1, 1, SIZE[::-1]), reach, mode="symmetric")
        rows = np.apply_along_axis(np.convolve, 1, noise, weights, mode="valid")
        planes.append(alpha * np.apply_along_axis(np.convolve, 0, rows, weights, mode="valid"))
    return np.array(planes)


def statistics(fields: list[np.ndarray], sigma: float) -> tuple[float, float, float]:
    """Standard deviation, and correlation at one sigma across and down, away from the edges."""
    edge, lag = int(4 * sigma), round(sigma)
    inner = np.concatenate([field[:, edge:-edge, edge:-edge] for field in fields])
    variance = (inner**2).mean()
    across = (inner[:, :, lag:] * inner[:, :, :-lag]).mean() / variance
    down = (inner[:, lag:] * inner[:, :-lag]).mean() / variance
    return float(np.sqrt(variance)), float(across), float(down)


@pytest.mark.parametrize(("alpha", "sigma"), [(100.0, 10.0), (20.0, 4.0), (4.0, 2.0)])
def test_field_is_distributed_as_the_full_resolution_one(alpha: float, sigma: float) -> None:
    """Same standard deviation and same correlation at one sigma, to a few percent, as the slow definition."""
    ours = statistics([np.stack(displacement(alpha, sigma, seed).full()) for seed in range(12)], sigma)
    theirs = statistics([reference(alpha, sigma, seed) for seed in range(12)], sigma)
    theory = alpha / np.sqrt(3) / (2 * sigma * np.sqrt(np.pi)), np.exp(-0.25), np.exp(-0.25)
    np.testing.assert_allclose(ours, theirs, rtol=0.05)  # 12 fields hold 1,000 independent waves at the least
    np.testing.assert_allclose(ours, theory, rtol=0.04)


def test_components_are_independent() -> None:
    """Across and down move on their own, and seeds give different fields."""
    fields = [np.stack(displacement(100, 10, seed).full())[:, 40:-40, 40:-40] for seed in range(12)]
    across, down = np.concatenate([f[0].ravel() for f in fields]), np.concatenate([f[1].ravel() for f in fields])
    assert abs(np.corrcoef(across, down)[0, 1]) < 0.1
    assert abs(np.corrcoef(fields[0].ravel(), fields[1].ravel())[0, 1]) < 0.3


@pytest.mark.parametrize(("alpha", "sigma"), [(100.0, 10.0), (173.0, 10.0), (15.6, 3.0), (1.7, 1.0)])
def test_image_never_folds(alpha: float, sigma: float) -> None:
    """Also at the limit of alpha the determinant of the map is positive between all pixels, with room to spare."""
    for seed in range(10):
        field = np.stack(displacement(alpha, sigma, seed, (640, 480)).full()).astype(float)
        xx, xy = np.diff(field[0], axis=1)[:-1], np.diff(field[0], axis=0)[:, :-1]
        yx, yy = np.diff(field[1], axis=1)[:-1], np.diff(field[1], axis=0)[:, :-1]
        assert ((1 + xx) * (1 + yy) - xy * yx).min() > 0.02
        jacobians = np.stack([np.stack([xx, xy], axis=-1), np.stack([yx, yy], axis=-1)], axis=-2)
        steep = np.square(jacobians).sum(axis=(-2, -1)) > 0.7
        assert np.linalg.norm(jacobians[steep], ord=2, axis=(-2, -1)).max(initial=0.0) < 0.851


@pytest.mark.parametrize(("alpha", "sigma"), [(100.0, 10.0), (16.0, 4.0)])
def test_usual_strengths_are_never_weakened(alpha: float, sigma: float) -> None:
    """Well below its limit alpha only scales the field: the guard against folds has nothing to do."""
    for seed in range(20):
        weak = displacement(alpha / 100, sigma, seed, (1000, 750)).field
        strong = displacement(alpha, sigma, seed, (1000, 750)).field
        np.testing.assert_allclose(strong, 100 * weak, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "settings", [{"alpha": 175, "sigma": 10}, {"alpha": (1, 50), "sigma": (5, 10)}, {"alpha": 100, "sigma": (5, 20)}]
)
def test_folding_settings_are_refused(settings: dict[str, Any]) -> None:
    """The worst pair of the ranges decides, and the message says how far one may go."""
    with pytest.raises(ValueError, match=r"would fold the image at sigma .*: take an alpha below"):
        ELASTIC(**settings)


def test_stated_limit_is_the_limit() -> None:
    """The alpha that the message names is accepted just below it."""
    with pytest.raises(ValueError, match="take an alpha below 174"):
        ELASTIC(alpha=200, sigma=10)
    ELASTIC(alpha=173, sigma=10)


def test_nothing_crosses_the_edge() -> None:
    """Points on an edge stay on it, and the image shows nothing from beyond: no mirror image of an object."""
    warp = ELASTIC().warp(SIZE, alpha=150.0, sigma=10.0, seed=3)
    along = np.linspace(0, 1, 200)
    for axis, side in ((0, 0.0), (0, 400.0), (1, 0.0), (1, 300.0)):
        points = np.empty((200, 2))
        points[:, axis] = side
        points[:, 1 - axis] = along * SIZE[1 - axis]
        np.testing.assert_allclose(warp(points)[:, axis], side, atol=1e-6)
        np.testing.assert_allclose(warp.back(points)[:, axis], side, atol=1e-6)
    inside = np.random.default_rng(0).uniform(0, 1, (2000, 2)) * SIZE
    for moved in (warp(inside), warp.back(inside)):
        assert (moved >= 0).all()
        assert (moved <= SIZE).all()


def test_moves_are_visible_at_the_edge_too() -> None:
    """Only the movement across an edge fades; along it the image moves as anywhere."""
    field = np.stack(displacement(100, 10, 1, (2000, 300)).full())
    across = np.concatenate([np.stack(displacement(100, 10, seed, (2000, 300)).full())[0, 0] for seed in range(5)])
    assert across.std() == pytest.approx(100 / np.sqrt(3) / (20 * np.sqrt(np.pi)), rel=0.1)
    assert field[1][0].std() == 0


def test_pixels_follow_the_field() -> None:
    """The image is the source looked up at p + d(p), bilinearly."""
    image = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8), (0, 0), 3)
    choice = {"alpha": 100.0, "sigma": 10.0, "seed": 5}
    dx, dy = displacement(**choice).full()
    y, x = np.mgrid[:300, :400]
    across, down = np.clip(x + dx, 0, 398.999), np.clip(y + dy, 0, 298.999)
    left, top = across.astype(int), down.astype(int)
    u, v = (across - left)[:, :, None], (down - top)[:, :, None]
    upper = image[top, left] * (1 - u) + image[top, left + 1] * u
    lower = image[top + 1, left] * (1 - u) + image[top + 1, left + 1] * u
    result = ELASTIC().apply(image, **choice, shape=image.shape)
    assert np.abs(result - (upper * (1 - v) + lower * v))[2:-2, 2:-2].max() < 2  # remap counts in 32nds of a pixel


def test_small_images_are_a_reason() -> None:
    """Where not even one wave fits nothing would move: said, with what to do."""
    transform = ELASTIC(alpha=100, sigma=10)
    with pytest.raises(CannotApply, match="smaller than the waves") as caught:
        draw(transform, np.zeros((19, 50, 3), np.uint8), np.zeros((0, 4)))
    assert caught.value.fix == "take a `sigma` below 9.5, or larger images"


def test_draw_is_small() -> None:
    """A ledger holds three numbers, not a field."""
    transform = ELASTIC(alpha=(50, 100), sigma=(8, 12))
    transform.set_random_state(np.random.default_rng(0), random.Random(0))
    choice = draw(transform, np.zeros((100, 100, 3), np.uint8), np.zeros((0, 4)))
    assert set(choice) == {"alpha", "sigma", "seed"}
    assert 0 <= choice["seed"] < 2**53
    assert len(json.dumps(choice)) < 100
