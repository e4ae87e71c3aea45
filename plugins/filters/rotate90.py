"""Quarter turns: exact, whatever the shape of the image."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from amp_datasets.filtering.base import Draw, GeometricFilter, Settings
from amp_datasets.filtering.class_hints import Meaning
from amp_datasets.geometry.warp import Affine, Warp
from amp_datasets.model import Size
from amp_datasets.plugin.registry import Registry

Turn = Literal[90, 180, 270]


class Rotate90(GeometricFilter):
    """Turn the image clockwise by 90, 180 or 270 `degrees`, or by one sampled from a list of them.

    Width and height change places at 90 and 270, no value changes, and labels stay exact.
    """

    name: ClassVar[str] = "rotate90"
    roboflow: ClassVar[str] = "90 degree rotate"
    caution: ClassVar[str] = "Scenes with an upright that is always the same; classes told apart by direction."
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"degrees": 90},
        {"degrees": 180},
        {"degrees": 270},
        {"degrees": (90, 270)},
    )
    spoils: ClassVar[frozenset[Meaning]] = frozenset({"direction"})

    class InitSchema(Settings):
        """Settings."""

        degrees: Turn | Annotated[tuple[Turn, ...], Field(min_length=1)]

    def __init__(self, degrees: Turn | tuple[Turn, ...] = (90, 180, 270), p: float = 1.0) -> None:
        super().__init__(p=p)
        self.degrees = degrees

    def get_params(self) -> Draw:
        """Draw the turn from a list."""
        return {"degrees": self.py_random.choice(self.degrees) if isinstance(self.degrees, tuple) else self.degrees}

    def warp(self, size: Size, *, degrees: int, **_: Any) -> Warp:
        """The turn, and the translation that brings the image back to the origin."""
        width, height = size
        if degrees == 180:
            return Warp((Affine(np.array([(-1.0, 0, width), (0, -1, height), (0, 0, 1)])),), size, size)
        first, second = ((0.0, -1, height), (1, 0, 0)) if degrees == 90 else ((0.0, 1, 0), (-1, 0, width))
        return Warp((Affine(np.array([first, second, (0, 0, 1)])),), size, (height, width))


def register(registry: Registry) -> None:
    """Offer the filter."""
    registry.add_filter(Rotate90)
