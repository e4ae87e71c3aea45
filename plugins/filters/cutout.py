"""Cutout: squares of one colour at random places."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from amp_datasets.filtering.base import Colour, Draw, HidingFilter, Range, Settings, Strength, size_of, uniform
from amp_datasets.model import Size
from amp_datasets.plugin.registry import Registry

Count = Annotated[int, Field(ge=1, le=1000)]


class Cutout(HidingFilter):
    """Hide `count` squares whose side is `percent` of the image's shorter one; each lies wholly inside it."""

    name: ClassVar[str] = "cutout"
    roboflow: ClassVar[str] = "Cutout"
    caution: ClassVar[str] = "Many small objects: a square hides them whole, and their labels go."
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"count": 5, "percent": 15},
        {"count": (2, 8), "percent": (5, 20), "fill": (114, 114, 114)},
    )
    severity: ClassVar[int] = 2

    class InitSchema(Settings):
        """Settings."""

        count: Range[Count]
        percent: Range[Strength]
        fill: Colour

    def __init__(
        self,
        count: int | tuple[int, int] = 5,
        percent: float | tuple[float, float] = 15,
        fill: tuple[int, int, int] = (0, 0, 0),
        p: float = 1.0,
    ) -> None:
        super().__init__(p=p)
        self.count = count
        self.percent = percent
        self.fill = fill

    def get_params_dependent_on_data(self, params: Mapping[str, Any], data: Mapping[str, Any]) -> Draw:  # noqa: ARG002
        """Draw how many squares, how large, and where: whole pixels."""
        width, height = size_of(params)
        count = self.py_random.randint(*self.count) if isinstance(self.count, tuple) else self.count
        squares = []
        for _ in range(count):
            side = max(1, round(uniform(self.py_random, self.percent) / 100 * min(width, height)))
            x, y = self.py_random.randint(0, width - side), self.py_random.randint(0, height - side)
            squares.append([x, y, x + side, y + side])
        return {"squares": squares}

    def holes(self, size: Size, *, squares: list[list[int]], **_: Any) -> NDArray[np.int64]:  # noqa: ARG002
        """The sampled squares."""
        return np.array(squares, dtype=np.int64).reshape(-1, 4)

    def paint(self, **_: Any) -> tuple[int, int, int]:
        """The colour that the manifest says."""
        return self.fill


def register(registry: Registry) -> None:
    """Offer the filter."""
    registry.add_filter(Cutout)
