"""Sobel: how steep every channel is, pixel by pixel."""

from __future__ import annotations

from typing import Any, ClassVar

import cv2

from amp_datasets.filtering.base import PixelFilter, Settings, in_strips
from amp_datasets.model import Image
from amp_datasets.plugin.registry import Registry


class Sobel(PixelFilter):
    """Show the magnitude of the 3x3 Sobel gradient of each channel."""

    name: ClassVar[str] = "sobel"
    caution: ClassVar[str] = (
        "All colour and shading goes; a detector for photographs learns little from it: use a few copies at most."
    )
    examples: ClassVar[tuple[dict[str, Any], ...]] = ({},)
    severity: ClassVar[int] = 3

    class InitSchema(Settings):
        """There is nothing to set."""

    def __init__(self, p: float = 1.0) -> None:
        super().__init__(p=p)

    def apply(self, img: Image, **_: Any) -> Image:
        """sqrt(gx^2 + gy^2) of each channel; in strips, whose floats stay in the cache (twice as fast)."""
        return in_strips(_magnitude, img, halo=1)


def _magnitude(image: Image) -> Image:
    """The root of a whole number is never close to a half one, so that 32 bits round as more would."""
    across, down = cv2.Sobel(image, cv2.CV_32F, 1, 0), cv2.Sobel(image, cv2.CV_32F, 0, 1)
    magnitude: Image = cv2.convertScaleAbs(cv2.magnitude(across, down))
    return magnitude


def register(registry: Registry) -> None:
    """Offer the filter."""
    registry.add_filter(Sobel)
