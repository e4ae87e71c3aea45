"""The least that the filters beyond the first twenty cost: views from elsewhere, weather and cameras, as OpenCV calls.

As in `kernels`: no class, no draw, no label, and the fastest known way to the same result.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from statistics import NormalDist

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Kernel = Callable[[Image], Image]

_RNG = np.random.SFC64(0)
_VALUE = np.arange(256) / 255
_ERROR = np.array([NormalDist().inv_cdf((byte + 0.5) / 256) for byte in range(256)])
_GRAIN = 255 * (_VALUE[:, None] + 0.5 * np.sqrt(0.24**2 * _VALUE + 0.04**2)[:, None] * _ERROR)
GRAIN = np.clip(np.rint(_GRAIN), 0, 255).astype(np.uint8).ravel()
GREY = (114, 114, 114)


def _warped(image: Image, matrix: list[list[float]], border: int, colour: tuple[int, int, int] = (0, 0, 0)) -> Image:
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = (image.shape[1], image.shape[0])
    return cv2.warpAffine(image, np.array(matrix), size, flags=flags, borderMode=border, borderValue=colour)


def zoom(image: Image) -> Image:
    """The middle, enlarged by 1.25."""
    height, width = image.shape[:2]
    return _warped(image, [[0.8, 0, 0.1 * width], [0, 0.8, 0.1 * height]], cv2.BORDER_CONSTANT, GREY)


def shear(image: Image) -> Image:
    """Rows slide by 15 degrees."""
    slope = float(np.tan(np.radians(15)))
    return _warped(image, [[1, -slope, slope * image.shape[0] / 2], [0, 1, 0]], cv2.BORDER_REPLICATE)


def translate(image: Image) -> Image:
    """Moved by 15 percent of each side, with a grey border."""
    height, width = image.shape[:2]
    x, y = round(0.15 * width), round(0.15 * height)
    return cv2.copyMakeBorder(image[: height - y, : width - x], y, 0, x, 0, cv2.BORDER_CONSTANT, value=GREY)


def affine(image: Image) -> Image:
    """Turned by 10 degrees and shrunk by a tenth."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), 10, 0.9)
    return cv2.warpAffine(
        image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=GREY
    )


def perspective(image: Image) -> Image:
    """A part with four free corners, stretched to the frame."""
    height, width = image.shape[:2]
    part = np.float32([(0.15, 0.05), (0.9, 0.1), (0.95, 0.9), (0.05, 0.95)]) * np.float32([width, height])
    whole = np.float32([(0, 0), (width, 0), (width, height), (0, height)])
    matrix = cv2.getPerspectiveTransform(part, whole)
    return cv2.warpPerspective(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _line() -> NDArray[np.float32]:
    """15 pixels at 30 degrees, each of many points shared among the four pixels around it; it falls to the right."""
    line = np.zeros((9, 15))
    for t in np.linspace(-7, 7, 225):
        x, y = 7 + t * np.cos(np.radians(30)), 4 + t * np.sin(np.radians(30))
        left, top = int(x), int(y)
        line[top : top + 2, left : left + 2] += np.outer((top + 1 - y, y - top), (left + 1 - x, x - left))
    return (64 * line / line.sum()).astype(np.float32)


LINE = _line()


def motion_blur(image: Image) -> Image:
    """Averaged along a line, in two halves: OpenCV takes a large kernel through Fourier's transform."""
    upper, lower = LINE[:5, :8].copy(), LINE[4:, 7:]
    upper[-1, -1] = 0
    ends = ((upper, (7, 4)), (lower, (0, 0)))
    return cv2.convertScaleAbs(cv2.add(*(cv2.filter2D(image, cv2.CV_16S, p, anchor=e) for p, e in ends)), alpha=1 / 64)


def camera_gain(image: Image) -> Image:
    """Each value replaced by one of 256 outcomes, by a random byte."""
    dice = _RNG.random_raw(-(-image.size // 8)).view(np.uint8)[: image.size].reshape(image.shape)
    places = np.left_shift(image, 8, dtype=np.uint16)
    return np.take(GRAIN, np.bitwise_or(places, dice, out=places))


def jpeg(image: Image) -> Image:
    """Encoded at quality 15 and decoded."""
    data = simplejpeg.encode_jpeg(image, quality=15, colorsubsampling="420")
    return simplejpeg.decode_jpeg(data, colorspace="RGB")


def shadow(image: Image) -> Image:
    """Half the light in a shape with soft edges."""
    height, width = image.shape[:2]
    light = np.full((256 * height // max(height, width), 256 * width // max(height, width)), 255, np.uint8)
    cv2.fillPoly(light, [np.int32([(60, 20), (160, 60), (120, 130), (40, 100)])], 128)
    full = cv2.resize(cv2.blur(light, (9, 9)), (width, height))
    return cv2.multiply(image, cv2.merge([full] * 3), scale=1 / 255)


def fog(image: Image) -> Image:
    """Blended with grey by a smooth field."""
    height, width = image.shape[:2]
    banks = _RNG.random_raw(3).view(np.uint8)[:20].reshape(4, 5).astype(np.float32) / 255
    veil = cv2.resize(127 * (0.5 + banks), (width // 8, height // 8), interpolation=cv2.INTER_CUBIC)
    full = cv2.resize(np.clip(np.rint(veil), 0, 242).astype(np.uint8), (width, height))
    clear = cv2.multiply(image, cv2.merge([cv2.bitwise_not(full)] * 3), scale=1 / 255)
    return cv2.add(clear, cv2.merge([cv2.convertScaleAbs(full, alpha=225 / 255)] * 3))


def rain(image: Image) -> Image:
    """Blended with 720 streaks."""
    height, width = image.shape[:2]
    dice = _RNG.random_raw(1080).view("<u2").reshape(3, -1)[:, :720] / 65535
    top = np.stack([dice[0] * width, dice[1] * height], axis=1)
    length = (0.04 + 0.06 * dice[2]) * height
    ends = np.rint(np.stack([top, top + np.stack([length * 0.2, length], axis=1)], axis=1)).astype(np.int32)
    streaks = np.zeros((height, width), np.uint8)
    cv2.polylines(streaks, list(ends), False, 150, max(1, round(min(height, width) / 500)))
    streaks = cv2.blur(streaks, (3, 3))
    around = cv2.convertScaleAbs(cv2.bitwise_not(streaks), alpha=0.85)
    scene = cv2.multiply(image, cv2.merge([around] * 3), scale=1 / 255)
    return cv2.add(scene, cv2.merge([cv2.convertScaleAbs(streaks, alpha=200 / 255)] * 3))


def auto_contrast(image: Image) -> Image:
    """All channels by one line through two percentiles of all values."""
    counts = np.bincount(image.ravel(), minlength=256).cumsum()
    low, high = np.searchsorted(counts, counts[-1] * np.array([0.02, 0.98])).tolist()
    line = np.clip(np.rint((np.arange(256) - low) * (255 / (high - low))), 0, 255).astype(np.uint8)
    return cv2.LUT(image, line)


def resize(image: Image) -> Image:
    """To 320 x 320, averaged."""
    return cv2.resize(image, (320, 320), interpolation=cv2.INTER_AREA)


def mosaic(image: Image) -> Image:
    """Four images, each halved, in one."""
    height, width = image.shape[:2]
    half = (width // 2, height // 2)
    canvas = np.empty_like(image)
    for x, y in ((0, 0), (half[0], 0), (0, half[1]), half):
        canvas[y : y + half[1], x : x + half[0]] = cv2.resize(image, half, interpolation=cv2.INTER_AREA)
    return canvas


def copy_paste(image: Image) -> Image:
    """A round part of the image once more, half as large again, with a soft edge."""
    part = cv2.resize(image[40:120, 60:160], None, fx=1.5, fy=1.5)
    cover = cv2.ellipse(np.zeros(part.shape[:2], np.uint8), (75, 60), (74, 59), 0, 0, 360, 255, -1)
    share = cv2.GaussianBlur(cover, (0, 0), 0.75)[..., None].astype(np.uint16)
    result = image.copy()
    place = result[-part.shape[0] :, -part.shape[1] :]
    place[...] = (part * share + place * (255 - share) + 127) // 255
    return result


def tile(image: Image, _: NDArray[np.float64]) -> Image:
    """One of the four quarters, as an array of its own."""
    height, width = image.shape[:2]
    x, y = random.choice([(0, 0), (width // 2, 0), (0, height // 2), (width // 2, height // 2)])
    return np.ascontiguousarray(image[y : y + height // 2, x : x + width // 2])


def isolate_objects(image: Image, boxes: NDArray[np.float64]) -> Image:
    """The pixels that one of the boxes touches, as an array of their own."""
    box = random.choice(boxes)
    x0, y0 = np.floor(box[:2]).astype(int)
    x1, y1 = np.ceil(box[2:]).astype(int)
    return np.ascontiguousarray(image[max(0, y0) : y1, max(0, x0) : x1])


KERNELS: dict[str, Kernel] = {
    kernel.__name__: kernel
    for kernel in (
        zoom, shear, translate, affine, perspective, motion_blur, camera_gain, jpeg, shadow, fog, rain,
        auto_contrast, resize, mosaic, copy_paste,
    )
}  # fmt: skip
"""By the manifest's name."""
