"""Isolate objects: each of them as an image of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from amp_datasets.filtering.base import CannotApply, Draw, Settings, SplittingFilter
from amp_datasets.model import FloatArray, Size
from amp_datasets.plugin.registry import Registry

Margin = Annotated[float, Field(ge=0, le=10)]

_TOLERANCE_PX = 1e-4


class IsolateObjects(SplittingFilter):
    """Cut out the box of each object, with `margin` (a share of its width and height) on each side.

    As preprocessing each image becomes one for each of its objects; among the filters one of them at random. What else
    is seen in such an image keeps its label, if enough of it is seen. With `classify`, which is for preprocessing, the
    object's class becomes that of its image, and no box is left: a set for classification.
    """

    name: ClassVar[str] = "isolate_objects"
    roboflow: ClassVar[str] = "Isolate Objects"
    caution: ClassVar[str] = "Detectors, which need to see what is around an object; this is for classification."
    examples: ClassVar[tuple[dict[str, Any], ...]] = ({"margin": 0}, {"margin": 0.2})

    class InitSchema(Settings):
        """Settings."""

        margin: Margin
        classify: bool

    def __init__(self, margin: float = 0.0, classify: bool = False, p: float = 1.0) -> None:
        super().__init__(p=p)
        self.margin = margin
        self.classify = classify

    @property
    def classifies(self) -> bool:
        """Whether an object's class becomes that of its image."""
        return self.classify

    def get_params_dependent_on_data(self, params: Mapping[str, Any], data: Mapping[str, Any]) -> Draw:
        """Draw one of the objects."""
        if self.classify:
            raise CannotApply("`classify` is for preprocessing", fix="write `isolate_objects` under `preprocess`")
        return super().get_params_dependent_on_data(params, data)

    def pieces(self, size: Size, boxes: FloatArray) -> list[tuple[str, Draw]]:
        """The window of each box, in the labels' order: the pixels that it and its margin touch, inside the image."""
        low, high = boxes[:, :2], boxes[:, 2:]
        margin = self.margin * (high - low)
        limit = np.array(size)
        first = np.minimum(np.maximum(np.floor(low - margin + _TOLERANCE_PX), 0), limit - 1)
        end = np.minimum(np.maximum(np.ceil(high + margin - _TOLERANCE_PX), first + 1), limit)
        windows = np.concatenate([first, end], axis=1).astype(int).tolist()
        return [(f"o{number}", {"window": window}) for number, window in enumerate(windows, start=1)]


def register(registry: Registry) -> None:
    """Offer the filter."""
    registry.add_filter(IsolateObjects)
