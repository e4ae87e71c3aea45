"""Fog: a grey veil, here thicker and there thinner."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import cv2
import numpy as np
from pydantic import Field

from amp_datasets.filtering.base import Draw, PixelFilter, Range, Settings, draw_seed, random_bytes, uniform
from amp_datasets.model import Image
from amp_datasets.plugin.registry import Registry

Percent = Annotated[float, Field(ge=5, le=90)]

_GREY = 225
_BANKS = (5, 4)
"""How many banks of fog there are across and down."""


class Fog(PixelFilter):
    """Blend with a light grey: `percent` of it on average, between half and one and a half times as much.

    Objects stay visible through it, and labels stay.
    """

    name: ClassVar[str] = "fog"
    caution: ClassVar[str] = "Scenes indoors, microscopy, documents."
    examples: ClassVar[tuple[dict[str, Any], ...]] = ({"percent": 50}, {"percent": (20, 60)})
    severity: ClassVar[int] = 2

    class InitSchema(Settings):
        """Settings."""

        percent: Range[Percent]

    def __init__(self, percent: float | tuple[float, float] = (20, 50), p: float = 1.0) -> None:
        super().__init__(p=p)
        self.percent = percent

    def get_params(self) -> Draw:
        """Draw how thick it is, and the seed of its banks."""
        return {"thick": uniform(self.py_random, self.percent) / 100, "seed": draw_seed(self.py_random)}

    def apply(self, img: Image, *, thick: float, seed: int, **_: Any) -> Image:
        """v + a (grey - v), where a is a smooth field."""
        height, width = img.shape[:2]
        columns, rows = _BANKS
        banks = random_bytes(seed, rows * columns).reshape(rows, columns).astype(np.float32) / 255
        coarse = np.minimum(255 * thick * (0.5 + banks), 242)
        veil = cv2.resize(coarse, (max(1, width // 8), max(1, height // 8)), interpolation=cv2.INTER_CUBIC)
        veil = np.clip(np.rint(veil), 0, 242).astype(np.uint8)
        full = cv2.resize(veil, (width, height), interpolation=cv2.INTER_LINEAR)
        clear = cv2.multiply(img, cv2.merge([cv2.bitwise_not(full)] * 3), scale=1 / 255)
        veiled: Image = cv2.add(clear, cv2.merge([cv2.convertScaleAbs(full, alpha=_GREY / 255)] * 3))
        return veiled


def register(registry: Registry) -> None:
    """Offer the filter."""
    registry.add_filter(Fog)
