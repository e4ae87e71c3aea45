"""Outlines that nobody drew are told before anything is computed of them."""

from __future__ import annotations

import time

import numpy as np
import pytest

from amp_datasets.geometry.crossing import MAX_CROSSINGS, MAX_POINTS, is_tangled
from amp_datasets.model import Polygon


@pytest.mark.parametrize("points", [100, 3000, 20_000])
def test_a_tangle_is_told_at_once(points: int) -> None:
    """Points at random: 3,000 of them cross a million times, and took a minute and gigabytes to join."""
    ring = np.random.default_rng(0).random((points, 2)) * 1000
    started = time.monotonic()
    assert is_tangled([Polygon(ring)])
    assert time.monotonic() - started < 10


def test_drawn_outlines_are_none() -> None:
    """A fine circle, a figure of eight, a star, and a hundred parts that touch nobody."""
    angle = np.linspace(0, 2 * np.pi, 5000, endpoint=False)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1) * 100
    eight = np.stack([np.sin(angle[::20]), np.sin(2 * angle[::20])], axis=1) * 100
    star = circle[(np.arange(25) * 2000) % 5000]
    assert not is_tangled([Polygon(circle)])
    assert not is_tangled([Polygon(eight)])
    assert not is_tangled([Polygon(star)])
    assert not is_tangled([Polygon(circle[::100] + np.array([300 * n, 0])) for n in range(100)])


def test_the_number_of_points_has_a_limit() -> None:
    """Whatever they do."""
    angle = np.linspace(0, 2 * np.pi, MAX_POINTS + 1, endpoint=False)
    assert is_tangled([Polygon(np.stack([np.cos(angle), np.sin(angle)], axis=1))])


def test_crossings_are_counted_over_all_parts() -> None:
    """Two combs laid over each other cross as often as their teeth are many."""
    teeth = 40
    comb = np.array([(x, y) for x in range(teeth) for y in ((-1, 100) if x % 2 else (100, -1))], dtype=np.float64)
    other = comb[:, ::-1] + 0.5
    assert teeth * teeth > MAX_CROSSINGS
    assert is_tangled([Polygon(comb), Polygon(other)])
