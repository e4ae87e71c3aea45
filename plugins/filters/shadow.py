"""Shadow: something outside of the image takes the light from parts of it."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar

import cv2
import numpy as np
from pydantic import Field

from amp_datasets.filtering.base import Draw, PixelFilter, Range, Settings, uniform
from amp_datasets.model import Image
from amp_datasets.plugin.registry import Registry

Count = Annotated[int, Field(ge=1, le=10)]
Percent = Annotated[float, Field(ge=5, le=95)]

_MASK_SIDE = 256
"""Shadows are painted at most this large, and enlarged: their edges are soft anyway."""


class Shadow(PixelFilter):
    """Darken `count` shapes with soft edges by `percent`; each covers a fifth to a half of the image's width."""

    name: ClassVar[str] = "shadow"
    caution: ClassVar[str] = (
        "Microscopy and scans, which have no shadows, and classes told apart by how bright they are."
    )
    examples: ClassVar[tuple[dict[str, Any], ...]] = ({"percent": 50}, {"percent": (30, 70), "count": (1, 4)})

    class InitSchema(Settings):
        """Settings."""

        percent: Range[Percent]
        count: Range[Count]

    def __init__(
        self, percent: float | tuple[float, float] = (30, 60), count: int | tuple[int, int] = (1, 3), p: float = 1.0
    ) -> None:
        super().__init__(p=p)
        self.percent = percent
        self.count = count

    def get_params(self) -> Draw:
        """Draw how dark it gets, and each shape: corners around a point, as shares of the sides."""
        percent = uniform(self.py_random, self.percent)
        count = self.py_random.randint(*self.count) if isinstance(self.count, tuple) else self.count
        return {"dark": percent / 100, "shapes": [self._shape() for _ in range(count)]}

    def _shape(self) -> list[list[float]]:
        x, y = self.py_random.random(), self.py_random.random()
        corners = self.py_random.randint(3, 6)
        angles = [2 * math.pi * (i + 0.8 * self.py_random.random()) / corners for i in range(corners)]
        reach = [self.py_random.uniform(0.1, 0.25) * 2 for _ in angles]
        return [[x + r * math.cos(a), y + r * math.sin(a)] for r, a in zip(reach, angles, strict=True)]

    def apply(self, img: Image, *, dark: float, shapes: list[list[list[float]]], **_: Any) -> Image:
        """The image times 1 - dark inside the shapes."""
        height, width = img.shape[:2]
        shrink = min(1.0, _MASK_SIDE / max(height, width))
        size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
        light = np.full((size[1], size[0]), 255, np.uint8)
        for shape in shapes:
            cv2.fillPoly(light, [np.rint(np.array(shape) * size).astype(np.int32)], round(255 * (1 - dark)))
        light = cv2.blur(light, (9, 9))
        full = cv2.resize(light, (width, height), interpolation=cv2.INTER_LINEAR)
        shaded: Image = cv2.multiply(img, cv2.merge((full, full, full)), scale=1 / 255)
        return shaded


def register(registry: Registry) -> None:
    """Offer the filter."""
    registry.add_filter(Shadow)
