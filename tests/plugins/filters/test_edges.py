"""Blur and the edge filters against slow references that share no code with OpenCV."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from amp_datasets.plugin.discovery import load_registry

FILTERS = load_registry().filters
ACROSS = ((-1, 0, 1), (-2, 0, 2), (-1, 0, 1))
LUMA = (0.299, 0.587, 0.114)


def make_image(width: int = 71, height: int = 53) -> np.ndarray:
    """Smooth areas, a steep square, texture."""
    y, x = np.mgrid[:height, :width]
    image = np.stack([90 + x, 200 - 2 * y, 60 + x + y], axis=2).astype(float)
    image[15:35, 20:50] += 70
    image += np.random.default_rng(0).normal(0, 4, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8)


def correlate(image: np.ndarray, kernel: Any, border: str) -> np.ndarray:
    """A sum over a small window, by shifting the padded image."""
    kernel = np.asarray(kernel, dtype=float)
    reach = len(kernel) // 2
    padded = np.pad(image.astype(float), [(reach, reach)] * 2, mode=border)
    height, width = image.shape
    return sum(
        kernel[i, j] * padded[i : i + height, j : j + width] for i in range(len(kernel)) for j in range(len(kernel))
    )


def gaussian(side: int, sigma: float) -> np.ndarray:
    """A normalised Gaussian window."""
    weights = np.exp(-((np.arange(side) - side // 2) ** 2) / (2 * sigma**2))
    return np.outer(weights, weights) / weights.sum() ** 2


def gradient(channel: np.ndarray, border: str = "reflect") -> tuple[np.ndarray, np.ndarray]:
    """3x3 Sobel derivatives; NumPy's `reflect` does not repeat the edge pixel."""
    return correlate(channel, ACROSS, border), correlate(channel, np.transpose(ACROSS), border)


def grey_of(image: np.ndarray) -> np.ndarray:
    """BT.601 luma as 8-bit values."""
    return np.rint(image.astype(float) @ LUMA)


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.5, 4.0])
def test_blur_is_a_gaussian(sigma: float) -> None:
    """The window is int(6 sigma), made odd; values are within one level of the float result."""
    image = make_image()
    window = gaussian(int(6 * sigma) | 1, sigma)
    exact = np.stack([correlate(image[:, :, c], window, "reflect") for c in range(3)], axis=2)
    assert np.abs(FILTERS["blur"]().apply(image, sigma=sigma) - exact).max() < 1


@pytest.mark.parametrize("height", [53, 700])
def test_sobel_is_the_magnitude_of_each_channel(height: int) -> None:
    """sqrt(gx^2 + gy^2), rounded and clipped once, without seams where strips meet."""
    image = make_image(171, height)
    exact = np.stack([np.hypot(*gradient(image[:, :, c])) for c in range(3)], axis=2)
    np.testing.assert_array_equal(FILTERS["sobel"]().apply(image), np.clip(np.rint(exact), 0, 255))


@pytest.mark.parametrize("threshold", [10.0, 90.0, 200.0])
def test_selective_blur_keeps_steep_pixels(threshold: float) -> None:
    """Where the scaled gradient of the grey image reaches the threshold nothing changes; elsewhere it is blurred."""
    image = np.repeat(make_image()[:, :, :1], 3, axis=2)
    steepness = np.hypot(*gradient(grey_of(image)))
    scaled = (steepness - steepness.min()) / (steepness.max() - steepness.min()) * 255
    window = gaussian(11, 0.3 * ((11 - 1) * 0.5 - 1) + 0.8)
    blurred = np.stack([correlate(image[:, :, c], window, "reflect") for c in range(3)], axis=2)
    result = FILTERS["selective_blur"]().apply(image, threshold=threshold).astype(float)
    clear = np.abs(scaled - threshold) > 1e-3
    steep = scaled >= threshold
    assert steep.any()
    assert not steep.all()
    np.testing.assert_array_equal(result[steep & clear], image[steep & clear])
    assert np.abs(result - blurred)[~steep & clear].max() < 1


def test_selective_blur_of_a_flat_image_is_flat() -> None:
    """No gradient at all divides nothing by zero."""
    flat = np.full((20, 20, 3), 77, np.uint8)
    np.testing.assert_array_equal(FILTERS["selective_blur"]().apply(flat, threshold=90.0), flat)


def canny(image: np.ndarray, low: float, high: float) -> np.ndarray:
    """Canny (1986) as OpenCV documents it: L1 gradient, thinned along four directions, two thresholds."""
    gx, gy = gradient(grey_of(image), border="edge")
    size = np.abs(gx) + np.abs(gy)
    around = np.pad(size, 1)
    weak = np.zeros(size.shape, bool)
    for y, x in zip(*np.nonzero(size > low), strict=True):
        slope = abs(gy[y, x]) / max(abs(gx[y, x]), 1e-12)
        if slope < math.tan(math.pi / 8):
            before, after, ties = around[y + 1, x], around[y + 1, x + 2], True
        elif slope > math.tan(3 * math.pi / 8):
            before, after, ties = around[y, x + 1], around[y + 2, x + 1], True
        else:
            side = -1 if gx[y, x] * gy[y, x] < 0 else 1
            before, after, ties = around[y, x + 1 - side], around[y + 2, x + 1 + side], False
        weak[y, x] = size[y, x] > before and (size[y, x] >= after if ties else size[y, x] > after)
    edges = weak & (size > high)
    while True:
        spread = np.pad(edges, 1)
        near = np.any([spread[i : i + len(edges), j : j + edges.shape[1]] for i in range(3) for j in range(3)], axis=0)
        if (near & weak == edges).all():
            return edges
        edges = near & weak


@pytest.mark.parametrize(("low", "high"), [(50.0, 75.0), (20.0, 200.0), (100.0, 100.0)])
def test_canny_is_white_on_black(low: float, high: float) -> None:
    """The edges of a reference written from the definition, in three equal channels of 0 and 255."""
    image = np.repeat(make_image()[:, :, :1], 3, axis=2)
    exact = canny(image, low, high)
    assert 0 < exact.mean() < 0.5
    result = FILTERS["canny"]().apply(image, low=low, high=high)
    np.testing.assert_array_equal(result, np.repeat(exact[:, :, None] * 255, 3, axis=2))


def test_canny_thresholds_must_be_in_order() -> None:
    """OpenCV would swap them in silence."""
    with pytest.raises(ValueError, match="low must not be above high"):
        FILTERS["canny"](low=(50, 90), high=75)
