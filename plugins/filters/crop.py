"""Crop: a window around the labelled objects."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from amp_datasets.filtering.base import CannotApply, Draw, GeometricFilter, Range, Settings, size_of, uniform
from amp_datasets.geometry.warp import Affine, Warp
from amp_datasets.model import FloatArray, Size
from amp_datasets.plugin.registry import Registry

Margin = Annotated[float, Field(ge=0, le=10)]

_TOLERANCE_PX = 1e-4
"""Albumentations hands boxes over as normalised float32, so a whole pixel comes back as almost one."""

_LEAST_MARGIN = 0.01
"""Where even this margin reaches all four edges, the objects fill the image."""


class Crop(GeometricFilter):
    """Cut out the objects (around: all), or one chosen at random (one), with some of their surroundings.

    `margin` is added on each side, as a share of the objects' extent in that direction; the window ends at the
    image's edge and on whole pixels, so that no value changes. A margin that reaches all four edges, and so would
    leave the image as it is, is halved until it does not.
    """

    name: ClassVar[str] = "crop"
    caution: ClassVar[str] = (
        "Detectors that must know how large objects are in the frame: this one makes all of them large."
    )
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"margin": 0.5},
        {"margin": (0.1, 0.4), "around": "one"},
        {"margin": 0},
    )
    severity: ClassVar[int] = 1

    class InitSchema(Settings):
        """Settings."""

        margin: Range[Margin]
        around: Literal["all", "one"]

    def __init__(
        self,
        margin: float | tuple[float, float] = 0.5,
        around: Literal["all", "one"] = "all",
        p: float = 1.0,
    ) -> None:
        super().__init__(p=p)
        self.margin = margin
        self.around = around

    def get_params_dependent_on_data(self, params: Mapping[str, Any], data: Mapping[str, Any]) -> Draw:
        """Draw the object and the margin: the window in whole pixels."""
        size = size_of(params)
        boxes = _boxes(data, size)
        if not len(boxes):
            raise CannotApply(
                "there is no object to crop around",
                fix="label the image, leave it out of this filter, or give boxes to the transform",
            )
        if self.around == "one":
            index = self.py_random.randrange(len(boxes))
            boxes = boxes[index : index + 1]
        margin = uniform(self.py_random, self.margin)
        window = _window(boxes, margin, size)
        while window == [0, 0, *size] and margin > _LEAST_MARGIN:
            margin /= 2
            window = _window(boxes, margin, size)
        if window == [0, 0, *size]:
            raise CannotApply("the objects fill the whole image", fix="take `around: one`, or leave the filter out")
        return {"window": window}

    def warp(self, size: Size, *, window: list[int], **_: Any) -> Warp:
        """The translation that puts the window's corner at the origin."""
        x0, y0, x1, y1 = window
        return Warp((Affine(np.array([(1.0, 0, -x0), (0, 1, -y0), (0, 0, 1)])),), size, (x1 - x0, y1 - y0))


def _boxes(data: Mapping[str, Any], size: Size) -> FloatArray:
    """The boxes inside the image, in pixels."""
    given = data.get("bboxes")
    if given is None or not len(given):
        return np.zeros((0, 4))
    scaled = np.asarray(given)[:, :4].astype(np.float64) * (*size, *size)
    boxes = np.clip(scaled, 0, (*size, *size))
    return np.asarray(boxes[(boxes[:, 2:] > boxes[:, :2]).all(axis=1)], dtype=np.float64)


def _window(boxes: FloatArray, margin: float, size: Size) -> list[int]:
    """The pixels that the boxes and their margin touch, inside the image."""
    (x0, y0), (x1, y1) = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    dx, dy = margin * (x1 - x0), margin * (y1 - y0)
    left, top = (max(0, math.floor(v + _TOLERANCE_PX)) for v in (x0 - dx, y0 - dy))
    right, bottom = math.ceil(x1 + dx - _TOLERANCE_PX), math.ceil(y1 + dy - _TOLERANCE_PX)
    return [left, top, min(size[0], max(right, left + 1)), min(size[1], max(bottom, top + 1))]


def register(registry: Registry) -> None:
    """Offer the filter."""
    registry.add_filter(Crop)
