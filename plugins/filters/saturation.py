"""Saturation: the S of HSV multiplied or divided by one factor, hue and value kept."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

import cv2

from amp_datasets.filtering.base import Draw, Mode, PixelFilter, Settings, SignedStrength, directed, in_strips
from amp_datasets.filtering.class_hints import Meaning
from amp_datasets.model import Image
from amp_datasets.plugin.registry import Registry


class Saturation(PixelFilter):
    """Multiply the saturation by 1 + percent/100 (mode positive), divide it by that (negative), or either (both).

    A channel c of a pixel whose largest is V becomes V - k (V - c): that is S times k with the same V and hue, so no
    conversion to 8-bit HSV (whose rounding moves one value in fifty) is needed. S ends at 1, where the smallest channel
    m reaches 0, so k is at most V / (V - m) = 1 + m / (V - m).
    """

    name: ClassVar[str] = "saturation"
    roboflow: ClassVar[str] = "Saturation"
    caution: ClassVar[str] = "Classes told apart by colour; grey images, which it cannot change."
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"percent": 80},
        {"percent": (30, 80), "mode": "both"},
        {"percent": 80, "mode": "negative"},
    )
    spoils: ClassVar[frozenset[Meaning]] = frozenset({"colour"})

    class InitSchema(Settings):
        """Settings."""

        percent: SignedStrength
        mode: Mode

    def __init__(self, percent: float | tuple[float, float] = 80, mode: Mode = "positive", p: float = 1.0) -> None:
        super().__init__(p=p)
        self.percent = percent
        self.mode = mode

    def get_params(self) -> Draw:
        """Draw the factor."""
        percent = directed(self.py_random, self.percent, self.mode)
        growth = 1 + abs(percent) / 100
        return {"factor": growth if percent > 0 else 1 / growth}

    def apply(self, img: Image, *, factor: float, **_: Any) -> Image:
        """The image with S times `factor`."""
        return in_strips(partial(_fade if factor < 1 else _enrich, factor=factor), img)


def _fade(image: Image, factor: float) -> Image:
    """V - factor (V - c) as a blend with V."""
    red, green, blue = cv2.split(image)
    value = cv2.max(cv2.max(red, green), blue)
    faded: Image = cv2.addWeighted(image, factor, cv2.merge((value, value, value)), 1 - factor, 0)
    return faded


def _enrich(image: Image, factor: float) -> Image:
    """c - extra (V - c), where 255 extra = min(255 (factor - 1), 255 m / (V - m)) is an 8-bit number."""
    channels = cv2.split(image)
    red, green, blue = channels
    value, least = cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue)
    extra = cv2.min(cv2.divide(least, cv2.subtract(value, least), scale=255), round(255 * (factor - 1)))
    moved = [cv2.subtract(c, cv2.multiply(cv2.subtract(value, c), extra, scale=1 / 255)) for c in channels]
    enriched: Image = cv2.merge(moved)
    return enriched


def register(registry: Registry) -> None:
    """Offer the filter."""
    registry.add_filter(Saturation)
