"""Cutout: how many squares, how large, where, and what they do to labels."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from amp_datasets.filtering.base import draw
from amp_datasets.plugin.discovery import load_registry

CUTOUT: Any = load_registry().filters["cutout"]


def squares(size: tuple[int, int], seed: int = 0, **settings: Any) -> np.ndarray:
    """Drawn squares for an image of a size."""
    transform = CUTOUT(**settings)
    transform.set_random_state(np.random.default_rng(seed), random.Random(seed))
    image = np.zeros((size[1], size[0], 3), np.uint8)
    return transform.holes(size, **draw(transform, image, np.zeros((0, 4))))


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 8), st.floats(1, 100), st.integers(0, 99))
def test_squares_have_the_size_and_lie_inside(width: int, height: int, count: int, percent: float, seed: int) -> None:
    """`percent` of the shorter side, rounded to whole pixels, at least one; no part beyond the edge."""
    holes = squares((width, height), seed, count=count, percent=percent)
    assert holes.shape == (count, 4)
    assert (holes[:, 2:] - holes[:, :2] == max(1, round(percent / 100 * min(width, height)))).all()
    assert (holes[:, :2] >= 0).all()
    assert (holes[:, 2:] <= (width, height)).all()


def test_places_are_uniform() -> None:
    """Each edge is reached, and the mean place is the middle."""
    corners = np.concatenate([squares((40, 30), seed, count=20, percent=50) for seed in range(100)])[:, :2]
    assert corners.min(axis=0).tolist() == [0, 0]
    assert corners.max(axis=0).tolist() == [25, 15]
    np.testing.assert_allclose(corners.mean(axis=0), (12.5, 7.5), atol=0.6)


def test_counts_and_sizes_are_drawn_from_ranges() -> None:
    """Both ends of a range occur."""
    drawn = [squares((200, 100), seed, count=(2, 4), percent=(5, 20)) for seed in range(60)]
    assert {len(holes) for holes in drawn} == {2, 3, 4}
    sides = np.concatenate([holes[:, 2] - holes[:, 0] for holes in drawn])
    assert sides.min() <= 6
    assert sides.max() >= 19


def test_only_the_squares_are_painted() -> None:
    """Every pixel of a square has the colour, every other one its own value."""
    image = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    places = [[3, 4, 9, 10], [30, 20, 40, 30], [7, 8, 8, 9]]
    result = CUTOUT(fill=(9, 8, 7)).apply(image, squares=places, shape=image.shape)
    hidden = np.zeros((30, 40), bool)
    for x0, y0, x1, y1 in places:
        hidden[y0:y1, x0:x1] = True
    np.testing.assert_array_equal(result[~hidden], image[~hidden])
    assert (result[hidden] == (9, 8, 7)).all()


def test_boxes_keep_what_is_visible() -> None:
    """A box under a square collapses, one beside it stays, one half under it keeps the other half."""
    transform = CUTOUT()
    boxes = np.array([(12, 12, 18, 18), (50, 50, 60, 60), (15, 10, 30, 20)]) / 100
    moved = transform.apply_to_bboxes(boxes, squares=[[10, 10, 20, 20]], shape=(100, 100, 3)) * 100
    np.testing.assert_allclose(moved, [(0, 0, 0, 0), (50, 50, 60, 60), (20, 10, 30, 20)], atol=1e-9)
