"""Hue: all colours turned on the colour wheel."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import cv2
import numpy as np
from pydantic import Field

from amp_datasets.filtering.base import Draw, Mode, PixelFilter, Settings, Signed, directed
from amp_datasets.filtering.class_hints import Meaning
from amp_datasets.model import Image
from amp_datasets.plugin.registry import Registry

Degrees = Annotated[float, Field(ge=1, le=359)]


class Hue(PixelFilter):
    """Turn the hue by `degrees` of the 360 of the wheel: from red towards green (mode positive), blue, or either.

    Saturation and value of HSV stay. The turn is a multiple of 360/256 degrees, the resolution of 8-bit hues, which are
    a third as fast again as floating-point ones and off by less than a level on most photographs.
    """

    name: ClassVar[str] = "hue"
    roboflow: ClassVar[str] = "Hue"
    caution: ClassVar[str] = "Classes told apart by colour; skin and food look wrong beyond some 20 degrees."
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"degrees": 150},
        {"degrees": (10, 40), "mode": "both"},
        {"degrees": 30, "mode": "negative"},
    )
    severity: ClassVar[int] = 2
    spoils: ClassVar[frozenset[Meaning]] = frozenset({"colour"})

    class InitSchema(Settings):
        """Settings."""

        degrees: Signed[Degrees, Annotated[float, Field(ge=-180, le=180)]]
        mode: Mode

    def __init__(self, degrees: float | tuple[float, float] = 150, mode: Mode = "positive", p: float = 1.0) -> None:
        super().__init__(p=p)
        self.degrees = degrees
        self.mode = mode

    def get_params(self) -> Draw:
        """Draw the turn."""
        return {"degrees": directed(self.py_random, self.degrees, self.mode)}

    def apply(self, img: Image, *, degrees: float, **_: Any) -> Image:
        """The image with the 8-bit hues, which wrap around as the wheel does, moved on."""
        hsv = cv2.cvtColor(img, cv2.COLOR_RGB2HSV_FULL)
        step = np.array([round(degrees * 256 / 360) % 256, 0, 0], dtype=np.uint8)
        rows = hsv.reshape(len(img), -1)
        rows += np.tile(step, img.shape[1])  # half the time of a table on the extracted channel
        turned: Image = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL)
        return turned


def register(registry: Registry) -> None:
    """Offer the filter."""
    registry.add_filter(Hue)
