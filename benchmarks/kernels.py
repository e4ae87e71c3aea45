"""The least that each filter costs: its OpenCV calls on an array, with the settings of manifests/seed20.yaml.

No class, no draw, no label. Where several ways exist the fastest known one stands here: tables go through
`albucore.sz_lut`, elastic displaces on a coarse grid, salt and pepper take one random byte a value.
"""

from __future__ import annotations

from collections.abc import Callable

import albucore
import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Kernel = Callable[[Image], Image]

_RNG = np.random.SFC64(0)
_VALUES = np.arange(256)
SEPIA = np.array([[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]])


def _rounded(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


BRIGHTER, CONTRAST = _rounded(_VALUES * 1.5), _rounded(128 + 1.4 * (_VALUES - 128.0))
GAMMA = _rounded(255 * (_VALUES / 255) ** (1 / 1.5))
PEPPER, SALT = np.where(_VALUES < 32, 0, 255).astype(np.uint8), np.where(_VALUES >= 224, 255, 0).astype(np.uint8)


def table(image: Image, values: NDArray[np.uint8]) -> Image:
    """Every value replaced."""
    return albucore.sz_lut(image, values, inplace=False)


def blur(image: Image) -> Image:
    """Gaussian, sigma 2.5."""
    return cv2.GaussianBlur(image, (15, 15), 2.5)


def canny(image: Image) -> Image:
    """White edges on black."""
    return cv2.cvtColor(cv2.Canny(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), 50, 75), cv2.COLOR_GRAY2RGB)


def brightness(image: Image) -> Image:
    """Values times 1.5."""
    return table(image, BRIGHTER)


def contrast(image: Image) -> Image:
    """Distances from mid-grey times 1.4."""
    return table(image, CONTRAST)


def crop(image: Image) -> Image:
    """The middle; `crop_to` where the window is known."""
    height, width = image.shape[:2]
    return crop_to(image, (width // 8, height // 8, width - width // 8, height - height // 8))


def crop_to(image: Image, window: tuple[int, int, int, int]) -> Image:
    """A window x0, y0, x1, y1 as an array of its own."""
    x0, y0, x1, y1 = window
    return np.ascontiguousarray(image[y0:y1, x0:x1])


def cutout(image: Image) -> Image:
    """Five black squares of 15 percent."""
    painted, (height, width) = image.copy(), image.shape[:2]
    side = round(0.15 * min(height, width))
    for i in range(5):
        x, y = (width - side) * i // 4, (height - side) * (i * 3 % 5) // 4
        painted[y : y + side, x : x + side] = 0
    return painted


def selective_blur(image: Image) -> Image:
    """Blurred where the gradient is small."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    steepness = cv2.magnitude(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    blurred = cv2.GaussianBlur(image, (11, 11), 0)
    cv2.copyTo(image, cv2.compare(steepness, 90 / 255 * cv2.minMaxLoc(steepness)[1], cv2.CMP_GE), blurred)
    return blurred


def elastic(image: Image) -> Image:
    """Displaced by smoothed noise (alpha 100, sigma 10), made on every fourth pixel."""
    height, width = image.shape[:2]
    rows, columns = height // 4, width // 4
    white = _RNG.random_raw((rows * columns + 1) // 2).view(np.uint16)[: 2 * rows * columns].astype(np.float32)
    white = (white * np.float32(2 / 65535) - 1).reshape(2, rows, columns)
    grid = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    maps = []
    for plane, start in zip(white, grid, strict=True):
        smooth = cv2.GaussianBlur(plane, (15, 15), 2.5) * np.float32(100 / 4)
        maps.append(start + cv2.resize(smooth, (width, height)))
    return cv2.remap(image, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def exposure(image: Image) -> Image:
    """Gamma 1 / 1.5."""
    return table(image, GAMMA)


def flip(image: Image) -> Image:
    """Left and right exchanged."""
    return cv2.flip(image, 1)


def grayscale(image: Image) -> Image:
    """Luma in three channels."""
    return cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


def hue(image: Image) -> Image:
    """Hue turned by 150 degrees in 8-bit HSV."""
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV_FULL)
    cv2.insertChannel(table(cv2.extractChannel(hsv, 0), (_VALUES + 107).astype(np.uint8)), hsv, 0)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL)


def noise(image: Image) -> Image:
    """Salt and pepper on a quarter of all values."""
    dice = _RNG.random_raw(-(-image.size // 8)).view(np.uint8)[: image.size].reshape(image.shape)
    return cv2.bitwise_or(cv2.bitwise_and(image, table(dice, PEPPER)), table(dice, SALT))


def rotate(image: Image) -> Image:
    """By 15 degrees about the centre."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -15, 1)
    return cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def saturation(image: Image) -> Image:
    """S times 1.8 in 8-bit HSV."""
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV_FULL)
    cv2.insertChannel(table(cv2.extractChannel(hsv, 1), _rounded(_VALUES * 1.8)), hsv, 1)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL)


def color_matrix(image: Image) -> Image:
    """Sepia."""
    return cv2.transform(image, SEPIA)


def sobel(image: Image) -> Image:
    """Gradient magnitude of each channel."""
    return cv2.convertScaleAbs(cv2.magnitude(cv2.Sobel(image, cv2.CV_32F, 1, 0), cv2.Sobel(image, cv2.CV_32F, 0, 1)))


def mix1(image: Image) -> Image:
    """Blur, then grey."""
    return grayscale(blur(image))


def mix2(image: Image) -> Image:
    """Contrast and brightness in one table."""
    return table(image, BRIGHTER[CONTRAST])


def mix3(image: Image) -> Image:
    """Brightness, then saturation."""
    return saturation(brightness(image))


KERNELS: dict[str, Kernel] = {
    kernel.__name__: kernel
    for kernel in (
        blur, canny, brightness, contrast, crop, cutout, selective_blur, elastic, exposure, flip, grayscale, hue,
        noise, rotate, saturation, color_matrix, sobel, mix1, mix2, mix3,
    )
}  # fmt: skip
"""By the manifest's name."""
