"""Gaussian blur."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import cv2
from pydantic import Field

from amp_datasets.filtering.base import Draw, PixelFilter, Range, Settings, uniform
from amp_datasets.model import Image
from amp_datasets.plugin.registry import Registry

Sigma = Annotated[float, Field(ge=0.5, le=100)]
"""Below half a pixel the kernel is a single weight, or all but one."""


class Blur(PixelFilter):
    """Blur with a Gaussian of `sigma` pixels; the kernel reaches 3 sigma to each side."""

    name: ClassVar[str] = "blur"
    roboflow: ClassVar[str] = "Blur"
    caution: ClassVar[str] = "Objects of a few pixels vanish: keep `sigma` below a tenth of the smallest object."
    examples: ClassVar[tuple[dict[str, Any], ...]] = ({"sigma": 2.5}, {"sigma": (1.0, 4.0)})

    any_depth: ClassVar[bool] = True

    class InitSchema(Settings):
        """Settings."""

        sigma: Range[Sigma]

    def __init__(self, sigma: float | tuple[float, float] = 2.5, p: float = 1.0) -> None:
        super().__init__(p=p)
        self.sigma = sigma

    def get_params(self) -> Draw:
        """Draw the strength."""
        return {"sigma": uniform(self.py_random, self.sigma)}

    def apply(self, img: Image, *, sigma: float, **_: Any) -> Image:
        """The blurred image."""
        side = int(6 * sigma) | 1
        blurred: Image = cv2.GaussianBlur(img, (side, side), sigma)
        return blurred


def register(registry: Registry) -> None:
    """Offer the filter."""
    registry.add_filter(Blur)
