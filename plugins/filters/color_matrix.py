"""Colour matrix: every pixel's colour through one 3x3 matrix; sepia unless told otherwise."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import cv2
import numpy as np
from pydantic import AfterValidator, Field

from amp_datasets.filtering.base import Draw, PixelFilter, Settings
from amp_datasets.filtering.class_hints import Meaning
from amp_datasets.model import Image
from amp_datasets.plugin.registry import Registry

Weight = Annotated[float, Field(ge=-10, le=10)]
Row = tuple[Weight, Weight, Weight]

SEPIA = ((0.393, 0.769, 0.189), (0.349, 0.686, 0.168), (0.272, 0.534, 0.131))


def _changes_something(matrix: tuple[Row, Row, Row]) -> tuple[Row, Row, Row]:
    if np.abs(np.subtract(matrix, np.eye(3))).max() < 0.01:
        raise ValueError("the matrix is the identity: it changes nothing")
    if not np.any(matrix):
        raise ValueError("the matrix is zero: nothing of the image is left")
    return matrix


class ColorMatrix(PixelFilter):
    """Multiply every colour (red, green, blue) by `matrix`, given row by row; without one the image turns sepia."""

    name: ClassVar[str] = "color_matrix"
    caution: ClassVar[str] = "Classes told apart by colour (ripe, unripe; red cell, white cell)."
    examples: ClassVar[tuple[dict[str, Any], ...]] = ({}, {"matrix": ((0, 1, 0), (0, 0, 1), (1, 0, 0))})
    spoils: ClassVar[frozenset[Meaning]] = frozenset({"colour"})

    class InitSchema(Settings):
        """Settings."""

        matrix: Annotated[tuple[Row, Row, Row], AfterValidator(_changes_something)]

    def __init__(self, matrix: tuple[Row, Row, Row] = SEPIA, p: float = 1.0) -> None:
        super().__init__(p=p)
        self.matrix = matrix

    def get_params(self) -> Draw:
        """Nothing is sampled: the matrix."""
        return {"matrix": [list(row) for row in self.matrix]}

    def apply(self, img: Image, *, matrix: list[list[float]], **_: Any) -> Image:
        """RGB @ matrix transposed."""
        toned: Image = cv2.transform(img, np.array(matrix, dtype=np.float64))
        return toned


def register(registry: Registry) -> None:
    """Offer the filter."""
    registry.add_filter(ColorMatrix)
