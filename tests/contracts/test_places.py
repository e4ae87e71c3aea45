"""Every shipped filter of values leaves objects where they are, which is looked up in its pixels, not assumed."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from oracle.movement import CENTRE, COLOURS, RADIUS, SIZE, Pixels, painted, worst

from amp_datasets.filtering.base import PixelFilter, draw
from amp_datasets.plugin.discovery import load_registry

DRAWS_LINES = {"canny", "sobel"}
"""What is left of a disc is its outline."""
HIDES = {"shadow"}
SPREADS = {"auto_contrast"}
"""Each value is replaced by a larger one the larger it was, whatever its place: what is seen as the edge of a disc is
another shade of the same edge."""
"""What it lays over an object has edges of its own; that no pixel depends on another is proof enough."""
CASES = [
    pytest.param(plugin, example, id=f"{name}-{index}")
    for name, plugin in sorted(load_registry().filters.items())
    for index, example in enumerate(plugin.examples)
    if issubclass(plugin, PixelFilter)
]


def applied(plugin: type[Any], example: dict[str, Any]) -> Any:
    """The filter as a function of an image and a seed."""
    transform = plugin(**example)

    def apply(image: Pixels, seed: int) -> Pixels:
        transform.set_random_state(np.random.default_rng(seed), random.Random(seed))
        result: Pixels = transform.apply(image, **draw(transform, image, np.zeros((0, 4))), shape=image.shape)
        return result

    return apply


@pytest.mark.parametrize(
    ("plugin", "example"), [c for c in CASES if c.values[0].name not in DRAWS_LINES | HIDES | SPREADS]
)
def test_a_painted_disc_stays_where_it_is(plugin: type[Any], example: dict[str, Any]) -> None:
    """Its centre is off by less than half a pixel, and what is seen of it has an IoU of at least 0.97."""
    centre, iou, seen = worst(applied(plugin, example), 4)
    assert seen > 0.9
    assert centre < 0.5
    assert iou >= 0.97


@pytest.mark.parametrize(("plugin", "example"), [c for c in CASES if c.values[0].name in HIDES])
def test_what_hides_looks_at_no_neighbour(plugin: type[Any], example: dict[str, Any]) -> None:
    """An image with a disc and one without become the same outside the disc, to the last bit."""
    apply = applied(plugin, example)
    for seed, colours in enumerate(COLOURS):
        with_disc, without = painted(colours), painted((colours[1], colours[1]))
        same = (with_disc == without).all(axis=2)
        np.testing.assert_array_equal(apply(with_disc, seed)[same], apply(without, seed)[same])


@pytest.mark.parametrize(("plugin", "example"), [c for c in CASES if c.values[0].name in DRAWS_LINES])
def test_lines_are_drawn_where_the_edge_is(plugin: type[Any], example: dict[str, Any]) -> None:
    """The outline of a disc lies around its centre and at its radius, to half a pixel."""
    y, x = np.mgrid[: SIZE[1], : SIZE[0]] + 0.5
    distance = np.hypot(x - CENTRE[0], y - CENTRE[1])
    for seed, colours in enumerate(COLOURS):
        image = painted(colours)
        weight = np.abs(applied(plugin, example)(image, seed).astype(float)).mean(axis=2) * (abs(distance - RADIUS) < 5)
        centre = np.array([(weight * x).sum(), (weight * y).sum()]) / weight.sum()
        assert np.hypot(*(centre - CENTRE)) < 0.5
        assert abs((weight * distance).sum() / weight.sum() - RADIUS) < 0.5
