"""Grayscale: colours blended with their luma."""

from __future__ import annotations

from typing import Any, ClassVar

import cv2
import numpy as np

from amp_datasets.filtering.base import Draw, PixelFilter, Range, Settings, Strength, uniform
from amp_datasets.filtering.class_hints import Meaning
from amp_datasets.model import Image
from amp_datasets.plugin.registry import Registry

_COLOUR = np.eye(3)
_LUMA = np.tile((0.299, 0.587, 0.114), (3, 1))
"""Shares of red, green and blue: ITU-R BT.601, section 2.5.1."""


class Grayscale(PixelFilter):
    """Take `percent` of the colour away; 100 leaves three equal channels of luma (BT.601)."""

    name: ClassVar[str] = "grayscale"
    roboflow: ClassVar[str] = "Grayscale"
    caution: ClassVar[str] = "Classes told apart by colour."
    examples: ClassVar[tuple[dict[str, Any], ...]] = ({"percent": 100}, {"percent": (30, 90)})
    spoils: ClassVar[frozenset[Meaning]] = frozenset({"colour"})

    class InitSchema(Settings):
        """Settings."""

        percent: Range[Strength]

    def __init__(self, percent: float | tuple[float, float] = 100, p: float = 1.0) -> None:
        super().__init__(p=p)
        self.percent = percent

    def get_params(self) -> Draw:
        """Draw the share of grey."""
        return {"share": uniform(self.py_random, self.percent) / 100}

    def apply(self, img: Image, *, share: float, **_: Any) -> Image:
        """The luma, or the blend as one matrix, so that it is rounded once."""
        if share == 1:
            grey: Image = cv2.cvtColor(cv2.cvtColor(img, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
            return grey
        blended: Image = cv2.transform(img, (1 - share) * _COLOUR + share * _LUMA)
        return blended


def register(registry: Registry) -> None:
    """Offer the filter."""
    registry.add_filter(Grayscale)
