"""Brightness: every value multiplied by one factor."""

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


class Brightness(TableFilter):
    """Make the image `percent` brighter (mode positive), darker (negative), or one of the two at random (both)."""

    name: ClassVar[str] = "brightness"
    roboflow: ClassVar[str] = "Brightness"
    caution: ClassVar[str] = "Classes told apart by how bright they are (lamp on, lamp off)."
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"percent": 50},
        {"percent": (10, 40), "mode": "both"},
        {"percent": 30, "mode": "negative"},
    )

    class InitSchema(Settings):
        """Settings."""

        percent: SignedStrength
        mode: Mode

        _leaves_something = model_validator(mode="after")(refuse_nothing_left)

    def __init__(self, percent: float | tuple[float, float] = 50, mode: Mode = "positive", p: float = 1.0) -> None:
        super().__init__(p=p)
        self.percent = percent
        self.mode = mode

    def get_params(self) -> Draw:
        """Draw strength and direction."""
        return {"factor": 1 + directed(self.py_random, self.percent, self.mode) / 100}

    def table(self, *, factor: float, **_: Any) -> Table:
        """v * factor."""
        return rounded(np.arange(256) * factor)


def register(registry: Registry) -> None:
    """Offer the filter."""
    registry.add_filter(Brightness)
