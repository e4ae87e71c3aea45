"""Selective blur: smooth areas blurred, edges kept sharp."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import cv2
from pydantic import Field

from amp_datasets.filtering.base import Draw, PixelFilter, Range, Settings, uniform
from amp_datasets.model import Image
from amp_datasets.plugin.registry import Registry

Threshold = Annotated[float, Field(ge=1, le=255)]


class SelectiveBlur(PixelFilter):
    """Blur (11x11 Gaussian) wherever the grey image is less steep than `threshold`.

    Steepness is the magnitude of its Sobel gradient, scaled so that the image's least is 0 and its greatest 255.
    """

    name: ClassVar[str] = "selective_blur"
    caution: ClassVar[str] = "Texture that is the information (fabric, tissue)."
    examples: ClassVar[tuple[dict[str, Any], ...]] = ({"threshold": 90}, {"threshold": (40, 120)})

    class InitSchema(Settings):
        """Settings."""

        threshold: Range[Threshold]

    def __init__(self, threshold: float | tuple[float, float] = 90, p: float = 1.0) -> None:
        super().__init__(p=p)
        self.threshold = threshold

    def get_params(self) -> Draw:
        """Draw the threshold."""
        return {"threshold": uniform(self.py_random, self.threshold)}

    def apply(self, img: Image, *, threshold: float, **_: Any) -> Image:
        """The blurred image, with the steep pixels of the sharp one copied over it."""
        grey = cv2.cvtColor(img, cv2.COLOR_RGB2GRAY)
        steepness = cv2.magnitude(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
        greatest = cv2.minMaxLoc(steepness)[1]  # the least is 0: the border mirrors, so the corners are flat
        blurred: Image = cv2.GaussianBlur(img, (11, 11), 0)
        if not greatest:
            return blurred  # a flat image, or a single pixel, which OpenCV compares in a way of its own
        steep = cv2.compare(steepness, threshold / 255 * greatest, cv2.CMP_GE)
        cv2.copyTo(img, steep, blurred)
        return blurred


def register(registry: Registry) -> None:
    """Offer the filter."""
    registry.add_filter(SelectiveBlur)
