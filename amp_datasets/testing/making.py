"""Filters with generators of their own, applied as a build and as a user of Albumentations would."""

from __future__ import annotations

import json
import random
from typing import Any

import albumentations as A  # noqa: N812 - the library's own convention
import numpy as np

from amp_datasets.filtering.base import Draw, Filter, draw
from amp_datasets.model import FloatArray, Image
from amp_datasets.testing.scenes import BOXES

SEED = 3


def make(plugin: type[Filter], example: dict[str, Any], seed: int = SEED) -> Any:
    """A filter with generators of its own."""
    transform = plugin(**example)
    transform.set_random_state(np.random.default_rng(seed), random.Random(seed))
    return transform


def apply(transform: Any, image: Image, choice: Draw) -> Image:
    """The image under a recorded draw."""
    result: Image = transform.apply(image, **choice, shape=image.shape)
    return result


def recorded(transform: Any, image: Image, boxes: FloatArray = BOXES) -> Draw:
    """A draw as it comes back from a ledger."""
    loaded: Draw = json.loads(json.dumps(draw(transform, image, boxes)))
    return loaded


def compose(transform: Any) -> Any:
    """What a user of Albumentations writes around a filter."""
    composed = A.Compose(
        [transform],
        bbox_params=A.BboxParams("pascal_voc", label_fields=["ids"]),
        keypoint_params=A.KeypointParams("xy", remove_invisible=False),
    )
    composed.set_random_state(np.random.default_rng(SEED), random.Random(SEED))
    return composed
