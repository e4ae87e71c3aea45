"""Copy and paste: objects of another image, cut out along their outlines (Ghiasi et al. 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from amp_datasets.filtering.base import CannotApply, Draw, JoiningFilter, Range, Settings, uniform
from amp_datasets.filtering.joining import Placement, Scene
from amp_datasets.geometry.warp import Affine, Warp
from amp_datasets.model import FloatArray, Size
from amp_datasets.plugin.registry import Registry

Count = Annotated[int, Field(ge=1, le=20)]
Scale = Annotated[float, Field(ge=0.2, le=5)]
Blend = Annotated[float, Field(ge=0, le=20)]

_TRIES = 12
"""So many places are looked at for each object; the one where it hides least of others is taken."""


class CopyPaste(JoiningFilter):
    """Paste `count` objects of another image of the split, `scale` times as large, at random places.

    Only objects with a polygon or a mask that their own image's edge does not cut are taken. Each lies wholly inside
    the image, its edge blended over `blend` pixels; what it covers of the labels below is taken from them, and they are
    judged by what stays visible.
    """

    name: ClassVar[str] = "copy_paste"
    caution: ClassVar[str] = (
        "Places that tell the class (a car on a road), and sets without polygons or masks: their objects are not taken."
    )
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"count": 2, "scale": 1.0},
        {"count": (1, 3), "scale": (0.6, 1.4), "blend": 0},
    )
    severity: ClassVar[int] = 2

    class InitSchema(Settings):
        """Settings."""

        count: Range[Count]
        scale: Range[Scale]
        blend: Blend

    def __init__(
        self,
        count: int | tuple[int, int] = (1, 3),
        scale: float | tuple[float, float] = (0.7, 1.3),
        blend: float = 1.5,
        p: float = 1.0,
    ) -> None:
        super().__init__(p=p)
        self.count = count
        self.scale = scale
        self.blend = blend

    @property
    def partners(self) -> int:
        """The image that objects are taken from."""
        return 1

    @property
    def wants_outlines(self) -> bool:
        """An image without outlines has nothing to give."""
        return True

    def draw_for(self, scenes: Sequence[Scene]) -> Draw:
        """Draw the objects, how large they get, and where the corners of their boxes come to lie, in pixels."""
        here, there = scenes
        able = [n for n, whole in enumerate(there.outlined.tolist()) if whole]
        if not able:
            raise CannotApply(
                "the other image has no whole object with an outline", fix="label outlines: polygons or masks"
            )
        count = self.py_random.randint(*self.count) if isinstance(self.count, tuple) else self.count
        pasted, boxes = [], here.boxes
        for _ in range(count):
            number = self.py_random.choice(able)
            side = there.boxes[number, 2:] - there.boxes[number, :2]
            scale = min(uniform(self.py_random, self.scale), *(0.9 * np.array(here.size) / side).tolist())
            room = np.array(here.size) - side * scale
            tries = [[self.py_random.random() * room[0], self.py_random.random() * room[1]] for _ in range(_TRIES)]
            hidden = [_hidden(boxes, corner, side * scale) for corner in tries]
            at = tries[hidden.index(min(hidden))]
            pasted.append({"object": number, "scale": scale, "at": [float(at[0]), float(at[1])]})
            boxes = np.concatenate([boxes, [[*at, *(np.array(at) + side * scale)]]])
        return {"pasted": pasted, "corners": [there.boxes[p["object"], :2].tolist() for p in pasted]}

    def place(
        self, sizes: Sequence[Size], *, pasted: list[dict[str, Any]], corners: list[list[float]], **_: Any
    ) -> tuple[Size, list[Placement]]:
        """The source, then each object on top."""
        size = sizes[0]
        whole = (0, 0, *size)
        placed = [Placement(0, Warp((), size, size), whole)]
        for one, corner in zip(pasted, corners, strict=True):
            scale = one["scale"]
            matrix = np.diag([scale, scale, 1.0])
            matrix[:2, 2] = np.array(one["at"]) - scale * np.array(corner)
            placed.append(Placement(1, Warp((Affine(matrix),), sizes[1], size), whole, one["object"], self.blend))
        return size, placed


def _hidden(boxes: FloatArray, corner: Sequence[float], side: FloatArray) -> float:
    """The largest share of a box that another one would hide; one that is hidden altogether is worst."""
    if not len(boxes):
        return 0.0
    low, high = np.maximum(boxes[:, :2], corner), np.minimum(boxes[:, 2:], np.array(corner) + side)
    shared = np.clip(high - low, 0, None).prod(axis=1)
    return float((shared / np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(axis=1), 1e-9)).max())


def register(registry: Registry) -> None:
    """Offer the filter."""
    registry.add_filter(CopyPaste)
