"""The original program's filters, one pass over a set each, as its formulas are known: plain NumPy and OpenCV, BGR.

Its defects are left out (it turned dark values to noise in `contrast`, for one); its cost is not: float arithmetic on
whole arrays, noise drawn for every value, elastic through SciPy's full-size fields.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

Image = NDArray[np.uint8]
Boxes = Sequence[tuple[float, float, float, float]]
Pass = Callable[[Image, Boxes], Image]

_RNG = np.random.default_rng(0)


def _clipped(values: NDArray[np.floating]) -> Image:
    return np.clip(values, 0, 255).astype(np.uint8)


def blur(image: Image, _: Boxes) -> Image:
    """Gaussian."""
    return cv2.GaussianBlur(image, (15, 15), 2.5)


def canny(image: Image, _: Boxes) -> Image:
    """Edges."""
    return cv2.Canny(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), 50, 75)


def brightness(image: Image, _: Boxes) -> Image:
    """Float product."""
    return _clipped(image.astype(np.float64) * 1.5)


def contrast(image: Image, _: Boxes) -> Image:
    """Float product about the middle."""
    return _clipped(128 + 1.4 * (image.astype(np.float64) - 128))


def crop(image: Image, boxes: Boxes) -> Image:
    """A window around the objects."""
    x0, y0 = np.min(boxes, axis=0)[:2]
    x1, y1 = np.max(boxes, axis=0)[2:]
    dx, dy = 0.1 * (x1 - x0), 0.1 * (y1 - y0)
    return image[max(0, int(y0 - dy)) : int(y1 + dy), max(0, int(x0 - dx)) : int(x1 + dx)]


def cutout(image: Image, _: Boxes) -> Image:
    """Black squares."""
    painted, (height, width) = image.copy(), image.shape[:2]
    side = int(0.15 * min(height, width))
    for _ in range(5):
        y, x = _RNG.integers(height - side), _RNG.integers(width - side)
        painted[y : y + side, x : x + side] = 0
    return painted


def selective_blur(image: Image, _: Boxes) -> Image:
    """Blur where the gradient is small."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    across, down = cv2.Sobel(grey, cv2.CV_64F, 1, 0), cv2.Sobel(grey, cv2.CV_64F, 0, 1)
    steepness = cv2.normalize(np.sqrt(across**2 + down**2), None, 0, 255, cv2.NORM_MINMAX)
    return np.where(steepness[..., None] < 90, cv2.GaussianBlur(image, (11, 11), 0), image)


def elastic(image: Image, _: Boxes) -> Image:
    """Simard's distortion by SciPy."""
    shape = image.shape[:2]
    dx, dy = (gaussian_filter(_RNG.random(shape) * 2 - 1, 10) * 100 for _ in range(2))
    x, y = np.meshgrid(np.arange(shape[1]), np.arange(shape[0]))
    at = (y + dy, x + dx)
    return np.stack([map_coordinates(image[..., c], at, order=1, mode="reflect") for c in range(3)], axis=-1)


def exposure(image: Image, _: Boxes) -> Image:
    """Gamma by a table."""
    table = _clipped(255 * (np.arange(256) / 255) ** (1 / 1.5))
    return cv2.LUT(image, table)


def flip(image: Image, _: Boxes) -> Image:
    """Mirror."""
    return cv2.flip(image, 1)


def grayscale(image: Image, _: Boxes) -> Image:
    """A blend with the grey image."""
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    return cv2.addWeighted(grey, 1.0, image, 0.0, 0)


def hue(image: Image, _: Boxes) -> Image:
    """HSV."""
    hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
    hsv[..., 0] = (hsv[..., 0].astype(int) + 75) % 180
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)


def noise(image: Image, _: Boxes) -> Image:
    """Salt and pepper by coordinates."""
    noisy, count = image.copy(), int(image.size * 0.125)
    for value in (255, 0):
        noisy[tuple(_RNG.integers(0, side, count) for side in image.shape)] = value
    return noisy


def rotate(image: Image, _: Boxes) -> Image:
    """About the centre."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), 15, 1)
    return cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)


def saturation(image: Image, _: Boxes) -> Image:
    """HSV in floats."""
    hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV).astype(np.float32)
    hsv[..., 1] = np.clip(hsv[..., 1] * 1.8, 0, 255)
    return cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2BGR)


def color_matrix(image: Image, _: Boxes) -> Image:
    """Sepia in floats."""
    matrix = np.array([[0.131, 0.534, 0.272], [0.168, 0.686, 0.349], [0.189, 0.769, 0.393]])
    return _clipped(cv2.transform(image.astype(np.float64), matrix))


def sobel(image: Image, _: Boxes) -> Image:
    """In float64."""
    across, down = cv2.Sobel(image, cv2.CV_64F, 1, 0), cv2.Sobel(image, cv2.CV_64F, 0, 1)
    return _clipped(np.sqrt(across**2 + down**2))


PASSES: dict[str, tuple[str | None, Pass]] = {
    **{
        function.__name__: (None, function)
        for function in (
            blur, canny, brightness, contrast, crop, cutout, selective_blur, elastic, exposure, flip, grayscale, hue,
            noise, rotate, saturation, color_matrix, sobel,
        )
    },
    "mix1": ("blur", grayscale),
    "mix2": ("contrast", brightness),
    "mix3": ("brightness", saturation),
}  # fmt: skip
"""Set -> (the set whose files it reads, or the sources themselves; the filter)."""
