"""Flip: mirror images."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np

from amp_datasets.filtering.base import Draw, GeometricFilter, Settings
from amp_datasets.filtering.class_hints import Meaning
from amp_datasets.geometry.warp import Affine, Warp
from amp_datasets.model import Size
from amp_datasets.plugin.registry import Registry

_WAYS = ("horizontal", "vertical", "both")


class Flip(GeometricFilter):
    """Mirror the image: left and right (horizontal), top and bottom (vertical), both, or any of the three.

    No value changes. Labels that say left or right lose their meaning under `horizontal` and `vertical`.
    """

    name: ClassVar[str] = "flip"
    roboflow: ClassVar[str] = "Flip"
    caution: ClassVar[str] = (
        "Text, left and right hands, traffic signs: what has a side. Vertical flips of scenes that are never "
        "seen upside down."
    )
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"how": "horizontal"},
        {"how": "vertical"},
        {"how": "both"},
        {"how": "any"},
    )
    spoils: ClassVar[frozenset[Meaning]] = frozenset({"direction"})

    class InitSchema(Settings):
        """Settings."""

        how: Literal["horizontal", "vertical", "both", "any"]

    def __init__(self, how: Literal["horizontal", "vertical", "both", "any"] = "horizontal", p: float = 1.0) -> None:
        super().__init__(p=p)
        self.how = how

    def get_params(self) -> Draw:
        """Draw one of the three for `any`."""
        return {"how": self.py_random.choice(_WAYS) if self.how == "any" else self.how}

    def warp(self, size: Size, *, how: str, **_: Any) -> Warp:
        """x -> width - x, y -> height - y, or both."""
        matrix = np.eye(3)
        if how != "vertical":
            matrix[0] = -1, 0, size[0]
        if how != "horizontal":
            matrix[1] = 0, -1, size[1]
        return Warp((Affine(matrix),), size, size)


def register(registry: Registry) -> None:
    """Offer the filter."""
    registry.add_filter(Flip)
