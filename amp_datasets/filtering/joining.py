"""What filters that join images see of them, and say of where they go.

Pixels and labels follow from the placements, once for all such filters. Which other images a filter gets is not its
choice: the build draws them, see `building.choosing.pool`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from amp_datasets.geometry.warp import Warp
from amp_datasets.model import FloatArray, Size


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What a joining filter sees of an image: its size, its objects' xyxy boxes (n, 4), and which have a whole outline.

    `outlined` is (n,) bool: the label holds polygons or a mask, and the image's edge does not cut the object.
    """

    size: Size
    boxes: FloatArray
    outlined: NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """Where an image goes: number 0 is the source, 1 the first of the others, and so on; later ones lie on top.

    It is seen inside `window` (x0, y0, x1, y1 in whole pixels of the new image). With an `item` only that object of it
    is, inside its outline, whose edge blends over `blend` pixels.
    """

    image: int
    warp: Warp
    window: tuple[int, int, int, int]
    item: int | None = None
    blend: float = 0.0
