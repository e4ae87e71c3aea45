"""Flips and quarter turns against NumPy's own, value by value."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from amp_datasets.plugin.discovery import load_registry

FILTERS = load_registry().filters
IMAGE = np.random.default_rng(0).integers(0, 256, (31, 50, 3), dtype=np.uint8)
FLIPS = {"horizontal": IMAGE[:, ::-1], "vertical": IMAGE[::-1], "both": IMAGE[::-1, ::-1]}


@pytest.mark.parametrize("how", FLIPS)
def test_flip_is_numpys(how: str) -> None:
    """`both` mirrors both axes."""
    result = FILTERS["flip"]().apply(IMAGE, how=how, shape=IMAGE.shape)
    np.testing.assert_array_equal(result, FLIPS[how])


@pytest.mark.parametrize("how", FLIPS)
def test_flip_twice_is_identity(how: str) -> None:
    """Pixels and points come back."""
    transform: Any = FILTERS["flip"]()
    once = transform.apply(IMAGE, how=how, shape=IMAGE.shape)
    np.testing.assert_array_equal(transform.apply(once, how=how, shape=IMAGE.shape), IMAGE)
    warp = transform.warp((50, 31), how=how)
    points = np.array([(0.0, 0), (7.25, 30)])
    np.testing.assert_array_equal(warp(warp(points)), points)


@pytest.mark.parametrize(("degrees", "quarters"), [(90, 3), (180, 2), (270, 1)])
def test_rotate90_is_numpys(degrees: int, quarters: int) -> None:
    """Clockwise on screen; `np.rot90` counts the other way."""
    result = FILTERS["rotate90"]().apply(IMAGE, degrees=degrees, shape=IMAGE.shape)
    np.testing.assert_array_equal(result, np.rot90(IMAGE, quarters))


def test_corner_goes_clockwise() -> None:
    """At 90 degrees the top left corner becomes the top right one."""
    warp = FILTERS["rotate90"]().warp((50, 31), degrees=90)
    assert warp.size == (31, 50)
    np.testing.assert_array_equal(warp(np.array([(0.0, 0), (50, 31)])), [(31, 0), (0, 50)])


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        ("flip", {"how": "any"}, {"horizontal", "vertical", "both"}),
        ("rotate90", {"degrees": (90, 270)}, {90, 270}),
        ("rotate90", {}, {90, 180, 270}),
    ],
)
def test_open_choices_are_drawn(name: str, settings: dict[str, Any], expected: set[Any]) -> None:
    """Each of the choices occurs, and no other."""
    transform: Any = FILTERS[name](**settings)
    transform.set_random_state(np.random.default_rng(0), random.Random(0))
    assert {next(iter(transform.get_params().values())) for _ in range(60)} == expected


@pytest.mark.parametrize("degrees", [0, 45, 360, (), (90, 0)])
def test_rotate90_takes_quarters_only(degrees: Any) -> None:
    """No turn at all and anything in between is refused."""
    with pytest.raises(ValueError, match="degrees"):
        FILTERS["rotate90"](degrees=degrees)
