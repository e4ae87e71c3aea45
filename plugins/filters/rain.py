"""Rain: bright streaks before a duller scene."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar

import cv2
import numpy as np
from pydantic import Field

from amp_datasets.filtering.base import Draw, PixelFilter, Range, Settings, draw_seed, random_bytes, uniform
from amp_datasets.model import Image
from amp_datasets.plugin.registry import Registry

Percent = Annotated[float, Field(ge=5, le=100)]
Degrees = Annotated[float, Field(ge=0, le=60)]

_MOST_DROPS = 1200
"""In heavy rain, whatever the size of the image: streaks are as long as a share of it."""
_DULL, _GREY = 0.25, 200


class Rain(PixelFilter):
    """Draw streaks of rain, `percent` of a downpour, that lean by up to `slant` degrees to either side.

    The light falls by up to a quarter. Objects stay visible between the streaks, and labels stay.
    """

    name: ClassVar[str] = "rain"
    caution: ClassVar[str] = "Scenes indoors, microscopy, documents."
    examples: ClassVar[tuple[dict[str, Any], ...]] = ({"percent": 60}, {"percent": (20, 80), "slant": 40})
    severity: ClassVar[int] = 2

    class InitSchema(Settings):
        """Settings."""

        percent: Range[Percent]
        slant: Degrees

    def __init__(self, percent: float | tuple[float, float] = (20, 60), slant: float = 20, p: float = 1.0) -> None:
        super().__init__(p=p)
        self.percent = percent
        self.slant = slant

    def get_params(self) -> Draw:
        """Draw how hard it rains, which way, and the seed of the drops."""
        return {
            "hard": uniform(self.py_random, self.percent) / 100,
            "angle_deg": self.py_random.uniform(-self.slant, self.slant),
            "seed": draw_seed(self.py_random),
        }

    def apply(self, img: Image, *, hard: float, angle_deg: float, seed: int, **_: Any) -> Image:
        """The dulled image, blended with the streaks."""
        height, width = img.shape[:2]
        count = round(_MOST_DROPS * hard)
        dice = random_bytes(seed, 6 * count).view("<u2").reshape(3, count) / 65535
        length = (0.04 + 0.06 * dice[2]) * height
        lean = math.tan(math.radians(angle_deg))
        top = np.stack([dice[0] * width * 1.2 - 0.1 * width, dice[1] * height * 1.1 - 0.1 * height], axis=1)
        ends = np.stack([top, top + np.stack([length * lean, length], axis=1)], axis=1)
        streaks = np.zeros((height, width), np.uint8)
        thickness = max(1, round(min(height, width) / 500))
        cv2.polylines(streaks, list(np.rint(ends).astype(np.int32)), isClosed=False, color=150, thickness=thickness)
        streaks = cv2.blur(streaks, (3, 3))
        around = cv2.convertScaleAbs(cv2.bitwise_not(streaks), alpha=1 - _DULL * hard)
        scene = cv2.multiply(img, cv2.merge([around] * 3), scale=1 / 255)
        wet: Image = cv2.add(scene, cv2.merge([cv2.convertScaleAbs(streaks, alpha=_GREY / 255)] * 3))
        return wet


def register(registry: Registry) -> None:
    """Offer the filter."""
    registry.add_filter(Rain)
