"""Motion blur: camera or object moved while the shutter was open."""

from __future__ import annotations

import functools
import math
from typing import Annotated, Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from amp_datasets.filtering.base import Draw, PixelFilter, Range, Settings, in_strips, uniform
from amp_datasets.model import Image
from amp_datasets.plugin.registry import Registry

Length = Annotated[float, Field(ge=3, le=200)]
Degrees = Annotated[float, Field(ge=0, le=360)]

_SAMPLES_PER_PX = 8
_DIRECT = 130
"""Above so many entries OpenCV takes the way through Fourier's transform."""
_SCALE = np.float32(64)
"""Sums of 8-bit values have six more bits until both halves are added."""


class MotionBlur(PixelFilter):
    """Average along a line of `length` pixels at `degrees` (0 is level, 90 upright).

    The line reaches equally far to both sides of each pixel, so that nothing moves and labels stay where they are.
    """

    name: ClassVar[str] = "motion_blur"
    roboflow: ClassVar[str] = "Motion blur"
    caution: ClassVar[str] = "Objects narrower than `length`."
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"length": 15, "degrees": 30},
        {"length": (5, 20), "degrees": (0, 180)},
    )

    class InitSchema(Settings):
        """Settings."""

        length: Range[Length]
        degrees: Range[Degrees]

    def __init__(
        self,
        length: float | tuple[float, float] = (5, 15),
        degrees: float | tuple[float, float] = (0, 180),
        p: float = 1.0,
    ) -> None:
        super().__init__(p=p)
        self.length = length
        self.degrees = degrees

    def get_params(self) -> Draw:
        """Draw length and direction."""
        return {"length": uniform(self.py_random, self.length), "angle_deg": uniform(self.py_random, self.degrees)}

    def apply(self, img: Image, *, length: float, angle_deg: float, **_: Any) -> Image:
        """The image through the line's kernel."""
        kernel = _line(length, angle_deg)
        if kernel.size >= _DIRECT and max(half.size for half in _halves(kernel)) < _DIRECT:
            return in_strips(lambda strip: _in_halves(strip, kernel), img, halo=len(kernel))
        blurred: Image = cv2.filter2D(img, -1, kernel)
        return blurred


def _halves(kernel: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The part of a line's kernel above its centre, or left of it where it is level, and the other with the centre."""
    rows, columns = kernel.shape
    rising = kernel[: rows // 2, columns // 2 + 1 :].any()
    upper = kernel[: rows // 2 + 1, columns // 2 :] if rising else kernel[: rows // 2 + 1, : columns // 2 + 1]
    lower = kernel[rows // 2 :, : columns // 2 + 1] if rising else kernel[rows // 2 :, columns // 2 :]
    upper = upper.copy()
    upper[-1, 0 if rising else -1] = 0
    return upper, lower


def _in_halves(image: Image, kernel: NDArray[np.float32]) -> Image:
    """The image through both halves of a kernel, each small enough for OpenCV to use its few weights one by one.

    A larger kernel goes through Fourier's transform there, which for a thin line takes six times as long.
    """
    upper, lower = _halves(kernel)
    rising = kernel[: len(kernel) // 2, kernel.shape[1] // 2 + 1 :].any()
    last = (upper.shape[1] - 1, upper.shape[0] - 1)
    ends = ((0, last[1]), (last[0], 0)) if rising else (last, (0, 0))
    sums = [
        cv2.filter2D(image, cv2.CV_16S, half * _SCALE, anchor=end)
        for half, end in zip((upper, lower), ends, strict=True)
    ]
    return np.asarray(cv2.convertScaleAbs(cv2.add(*sums), alpha=1 / float(_SCALE)), dtype=np.uint8)


@functools.lru_cache(maxsize=4)
def _line(length: float, angle_deg: float) -> NDArray[np.float32]:
    """A kernel with the weights of a thin line through its centre, the same on both sides of it."""
    half = (length - 1) / 2
    along = np.linspace(-half, half, 2 * math.ceil(half * _SAMPLES_PER_PX) + 1)
    x, y = along * math.cos(math.radians(angle_deg)), along * math.sin(math.radians(angle_deg))
    rows, columns = (math.ceil(float(np.abs(v).max()) - 1e-9) for v in (y, x))
    kernel = np.zeros((2 * rows + 3, 2 * columns + 3))
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    u, v = x - left, y - top
    for dx, dy, weight in ((0, 0, (1 - u) * (1 - v)), (1, 0, u * (1 - v)), (0, 1, (1 - u) * v), (1, 1, u * v)):
        np.add.at(kernel, (top + dy + rows + 1, left + dx + columns + 1), weight)
    kernel = kernel + kernel[::-1, ::-1]
    return np.asarray(kernel[1:-1, 1:-1] / kernel.sum(), dtype=np.float32)


def register(registry: Registry) -> None:
    """Offer the filter."""
    registry.add_filter(MotionBlur)
