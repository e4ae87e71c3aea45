"""Contrast: the distance of every value from mid-grey multiplied by one factor."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import model_validator

from amp_datasets.filtering.base import (
    Draw,
    Mode,
    Settings,
    SignedStrength,
    Table,
    TableFilter,
    directed,
    refuse_nothing_left,
    rounded,
)
from amp_datasets.plugin.registry import Registry


class Contrast(TableFilter):
    """Raise the contrast by `percent` (mode positive), lower it (negative), or one of the two at random (both)."""

    name: ClassVar[str] = "contrast"
    caution: ClassVar[str] = "Images of low contrast whose objects would disappear at negative `percent`."
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"percent": 40},
        {"percent": (10, 40), "mode": "both"},
        {"percent": 60, "mode": "negative"},
    )

    class InitSchema(Settings):
        """Settings."""

        percent: SignedStrength
        mode: Mode

        _leaves_something = model_validator(mode="after")(refuse_nothing_left)

    def __init__(self, percent: float | tuple[float, float] = 40, mode: Mode = "positive", p: float = 1.0) -> None:
        super().__init__(p=p)
        self.percent = percent
        self.mode = mode

    def get_params(self) -> Draw:
        """Draw strength and direction."""
        return {"factor": 1 + directed(self.py_random, self.percent, self.mode) / 100}

    def table(self, *, factor: float, **_: Any) -> Table:
        """128 + factor * (v - 128)."""
        return rounded(128 + factor * (np.arange(256) - 128.0))


def register(registry: Registry) -> None:
    """Offer the filter."""
    registry.add_filter(Contrast)
