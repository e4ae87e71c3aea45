"""Exposure: a gamma curve, which keeps black black and white white."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from amp_datasets.filtering.base import (
    Draw,
    Mode,
    Settings,
    SignedStrength,
    Table,
    TableFilter,
    directed,
    rounded,
)
from amp_datasets.plugin.registry import Registry


class Exposure(TableFilter):
    """Expose the image longer (mode positive), shorter (negative), or one of the two at random (both).

    Values v become 255 (v/255)^g with g = 1 / (1 + percent/100) when brighter and 1 + percent/100 when darker.
    """

    name: ClassVar[str] = "exposure"
    roboflow: ClassVar[str] = "Exposure"
    caution: ClassVar[str] = "Images that are cut off at black or white already."
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"percent": 50},
        {"percent": (20, 60), "mode": "both"},
        {"percent": 50, "mode": "negative"},
    )

    class InitSchema(Settings):
        """Settings."""

        percent: SignedStrength
        mode: Mode

    def __init__(self, percent: float | tuple[float, float] = 50, mode: Mode = "positive", p: float = 1.0) -> None:
        super().__init__(p=p)
        self.percent = percent
        self.mode = mode

    def get_params(self) -> Draw:
        """Draw the exponent."""
        percent = directed(self.py_random, self.percent, self.mode)
        growth = 1 + abs(percent) / 100
        return {"gamma": 1 / growth if percent > 0 else growth}

    def table(self, *, gamma: float, **_: Any) -> Table:
        """255 * (v / 255) ** gamma."""
        return rounded(255 * (np.arange(256) / 255) ** gamma)


def register(registry: Registry) -> None:
    """Offer the filter."""
    registry.add_filter(Exposure)
