"""What a build says of its manifest and set before it makes anything."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from amp_datasets.filtering.base import GeometricFilter
from amp_datasets.model import Sample
from amp_datasets.plugin.registry import Registry
from amp_datasets.variants.recipe import Recipe, Step
from amp_datasets.variants.visibility import is_plain


def pose_notes(recipe: Recipe) -> list[str]:
    """Which classes have keypoints that look the same in a mirror, as far as their names tell."""
    return [
        f"no keypoint of {name} has left or right in its name, so mirror images keep their order; "
        "say `flip_idx` or `flip_pairs` if some change places"
        for name in recipe.categories.ordered
    ]


def rotation_notes(recipe: Recipe, registry: Registry, samples: Iterable[Sample]) -> list[str]:
    """Where `labels.max_box_rotation` narrows what a filter may draw, and for which classes."""
    labels = recipe.labels
    unknown = {
        a.category
        for sample in samples
        for a in sample.annotations
        if labels.assumed and is_plain(a) and a.shape is None and a.category not in labels.outlines
    }
    steps = [step for spec in recipe.variants for step in spec.steps]
    turning = {s.filter for s in steps if _turns_by(s, registry) > labels.max_box_rotation}
    if not unknown or not turning:
        return []
    return [
        f"images with plain boxes of {', '.join(sorted(unknown)[:5])} are turned by at most "
        f"{labels.max_box_rotation:g} degrees ({', '.join(sorted(turning))} may draw more): say by `labels.outline` "
        "whether they are more of an ellipse or a rect, or raise `labels.max_box_rotation`"
    ]


def _turns_by(step: Step, registry: Registry) -> float:
    """The largest angle to the axes, from 0 to 45 degrees, that a step can turn by."""
    degrees = step.settings.get("degrees")
    if degrees is None or not issubclass(registry.filter(step.filter), GeometricFilter):
        return 0.0
    low, high = (degrees, degrees) if isinstance(degrees, int | float) else (min(degrees), max(degrees))
    angles = np.linspace(low, high, 181) % 90
    return float(np.minimum(angles, 90 - angles).max())
