"""Auto contrast: the whole range of brightness, whatever the light was."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import cv2
import numpy as np

from amp_datasets.filtering.base import Draw, PixelFilter, Settings, in_runs, look_up, rounded
from amp_datasets.model import Image
from amp_datasets.plugin.registry import Registry

How = Literal["stretch", "equalize", "adaptive"]

_LEFT_OUT = 0.02
"""The share of the darkest and of the brightest values that may become black and white."""
_TILES, _CLIP = (8, 8), 3.0
"""OpenCV's CLAHE: so many tiles, and how far a tile's histogram may be steeper than an even one."""


class AutoContrast(PixelFilter):
    """Make the image use all of black to white. Nothing is sampled: the image itself decides.

    `how`: stretch spreads the middle 96 percent of its values evenly; equalize makes all levels of luma equally
    frequent; adaptive does that for each of 8 x 8 parts, limited and blended (CLAHE, Zuiderveld 1994).
    """

    name: ClassVar[str] = "auto_contrast"
    roboflow: ClassVar[str] = "Auto-Adjust Contrast"
    caution: ClassVar[str] = "Brightness that is itself the information (X-ray, thermal) is changed."
    examples: ClassVar[tuple[dict[str, Any], ...]] = ({"how": "stretch"}, {"how": "equalize"}, {"how": "adaptive"})

    class InitSchema(Settings):
        """Settings."""

        how: How

    def __init__(self, how: How = "stretch", p: float = 1.0) -> None:
        super().__init__(p=p)
        self.how = how

    def get_params(self) -> Draw:
        """Nothing is sampled."""
        return {}

    def apply(self, img: Image, **_: Any) -> Image:
        """The image with its own range made the whole one."""
        if self.how == "stretch":
            return _stretch(img)
        luma = cv2.cvtColor(img, cv2.COLOR_RGB2YCrCb)
        first = cv2.extractChannel(luma, 0)
        even = cv2.equalizeHist(first) if self.how == "equalize" else cv2.createCLAHE(_CLIP, _TILES).apply(first)
        cv2.insertChannel(even, luma, 0)
        return np.asarray(cv2.cvtColor(luma, cv2.COLOR_YCrCb2RGB), dtype=np.uint8)


def _stretch(image: Image) -> Image:
    """All three channels by one line through the second and the 98th percentile of all values."""
    values = image.reshape(-1)
    counts = np.sum([np.bincount(values[run], minlength=256) for run in in_runs(image.size)], axis=0).cumsum()
    low, high = np.searchsorted(counts, counts[-1] * np.array([_LEFT_OUT, 1 - _LEFT_OUT])).tolist()
    if high <= low:
        return image.copy()
    return look_up(image, rounded((np.arange(256) - low) * (255 / (high - low))))


def register(registry: Registry) -> None:
    """Offer the filter."""
    registry.add_filter(AutoContrast)
