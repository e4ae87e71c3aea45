"""Laws of point maps and of the resampling that goes with them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from amp_datasets.geometry.warp import (
    Affine,
    Displacement,
    Warp,
    identity,
    reflected_images,
    resample_image,
    resample_mask,
)

SIZE = (60, 40)
POINTS = hnp.arrays(np.float64, (7, 2), elements=st.floats(-20, 80))


def flip(size: tuple[int, int] = SIZE, *, down: bool = False) -> Warp:
    """A mirror image, left to right or upside down."""
    rows = [(1, 0, 0), (0, -1, size[1])] if down else [(-1, 0, size[0]), (0, 1, 0)]
    return Warp((Affine(np.array([*rows, (0, 0, 1)], dtype=float)),), size, size)


def quarter(size: tuple[int, int] = SIZE) -> Warp:
    """A quarter turn clockwise."""
    return Warp((Affine(np.array([(0.0, -1, size[1]), (1, 0, 0), (0, 0, 1)])),), size, size[::-1])


def turn(degrees: float, size: tuple[int, int] = SIZE) -> Warp:
    """A turn about the centre that keeps the size."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    x, y = np.array(size) / 2
    matrix = [(cos, -sin, x - cos * x + sin * y), (sin, cos, y - sin * x - cos * y), (0, 0, 1)]
    return Warp((Affine(np.array(matrix)),), size, size)


def crop(x0: int, y0: int, x1: int, y1: int, size: tuple[int, int] = SIZE) -> Warp:
    """A window of whole pixels."""
    return Warp((Affine(np.array([(1.0, 0, -x0), (0, 1, -y0), (0, 0, 1)])),), size, (x1 - x0, y1 - y0))


def waves(seed: int, size: tuple[int, int] = SIZE) -> Warp:
    """A smooth displacement of up to a few pixels that does not fold."""
    rng = np.random.default_rng(seed)
    columns, rows = size[0] // 10, size[1] // 10
    field = rng.uniform(-1, 1, (2, rows, columns)).astype(np.float32)
    steepest = max(float(np.abs(np.diff(field, axis=axis)).max()) for axis in (1, 2)) / 10
    return Warp((Displacement(field * np.float32(0.3 / steepest), size),), size, size)


WARPS = st.one_of(
    st.builds(flip, down=st.booleans()),
    st.just(quarter()),
    st.builds(turn, st.floats(-180, 180)),
    st.builds(waves, st.integers(0, 99)),
    st.builds(crop, st.integers(0, 20), st.integers(0, 10), st.integers(30, 60), st.integers(20, 40)),
)
IMAGES = hnp.arrays(np.uint8, (SIZE[1], SIZE[0], 3))


def chained(warps: list[Warp]) -> Warp:
    """One warp after the other; each is taken as made for the size that it finds."""
    whole = identity(SIZE)
    for warp in warps:
        whole = whole.then(warp)
    return whole


@given(warps=st.lists(WARPS, min_size=1, max_size=4), points=POINTS)
def test_back_undoes_forward(warps: list[Warp], points: np.ndarray) -> None:
    """Both directions of any chain cancel to 1e-5 px, also for points far outside."""
    whole = chained(warps)
    np.testing.assert_allclose(whole.back(whole(points)), points, atol=1e-5)
    np.testing.assert_allclose(whole(whole.back(points)), points, atol=1e-5)


@given(warps=st.lists(WARPS, max_size=4), points=POINTS)
def test_a_composed_warp_goes_where_its_steps_go(warps: list[Warp], points: np.ndarray) -> None:
    """Affine steps that became one matrix give the same places as one step after the other."""
    stepwise = points
    for warp in warps:
        stepwise = warp(stepwise)
    np.testing.assert_allclose(chained(warps)(points), stepwise, atol=1e-9)


@given(first=WARPS, second=WARPS, third=WARPS, points=POINTS)
def test_composing_is_associative(first: Warp, second: Warp, third: Warp, points: np.ndarray) -> None:
    """How a chain is bracketed does not matter."""
    left, right = first.then(second).then(third), first.then(second.then(third))
    np.testing.assert_allclose(left(points), right(points), atol=1e-9)
    assert (left.size, len(left.maps)) == (right.size, len(right.maps))


@given(degrees=st.floats(-180, 180), points=POINTS)
def test_turning_back_is_no_turn(degrees: float, points: np.ndarray) -> None:
    """A turn and its opposite are one matrix, the identity."""
    both = turn(degrees).then(turn(-degrees))
    assert both.affine is not None
    np.testing.assert_allclose(both(points), points, atol=1e-9)


@given(image=IMAGES, down=st.booleans())
@settings(max_examples=20)
def test_flipping_twice_gives_the_image_back(image: np.ndarray, down: bool) -> None:
    """Pixel by pixel, in one resampling or in two."""
    once = flip(down=down)
    np.testing.assert_array_equal(resample_image(resample_image(image, once), once), image)
    np.testing.assert_array_equal(resample_image(image, once.then(once)), image)


@given(image=IMAGES, turns=st.integers(0, 4), down=st.booleans())
@settings(max_examples=30)
def test_whole_pixels_are_moved_as_numpy_moves_them(image: np.ndarray, turns: int, down: bool) -> None:
    """Quarter turns, a flip and a crop, composed and done in one go, are NumPy's own, value for value."""
    whole, expected = identity(SIZE), image
    for _ in range(turns):
        whole, expected = whole.then(quarter(whole.size)), np.rot90(expected, -1)
    whole, expected = whole.then(flip(whole.size, down=down)), np.flip(expected, 0 if down else 1)
    whole, expected = whole.then(crop(3, 5, 33, 38, whole.size)), expected[5:38, 3:33]
    np.testing.assert_array_equal(resample_image(image, whole), expected)
    np.testing.assert_array_equal(resample_mask(image[..., 0] > 99, whole), expected[..., 0] > 99)


@given(warps=st.lists(WARPS, min_size=1, max_size=3))
@settings(max_examples=50)
def test_pixels_come_from_where_back_says(warps: list[Warp]) -> None:
    """In an image whose value is its x (or y) every new value is the place that `back` gives.

    Rounding to a level costs an eighth of a pixel, and a pixel on a kink of these steep, coarse waves as much again;
    6,000 such chains came to 0.33 px at most, and to 0.009 px on average over an image.
    """
    whole = chained(warps)
    y, x = np.mgrid[: whole.size[1], : whole.size[0]] + 0.5
    source = whole.back(np.stack([x.ravel(), y.ravel()], axis=1))
    ramp = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    ramp[..., 0], ramp[..., 1] = 4 * np.arange(SIZE[0]), 4 * np.arange(SIZE[1])[:, None]
    found = resample_image(ramp, whole)[..., :2].reshape(-1, 2) / 4 + 0.5
    inside = ((source > 0.5) & (source < np.array(SIZE) - 0.5)).all(axis=1)
    assume(inside.sum() > 20)
    assert np.abs(found - source)[inside].max() < 0.4
    assert np.abs((found - source)[inside].mean(axis=0)).max() < 0.05


@given(warp=WARPS)
def test_only_an_odd_number_of_flips_mirrors(warp: Warp) -> None:
    """Turns, crops and waves keep left and right."""
    mirrored = warp.then(flip(warp.size))
    assert mirrored.mirrors != warp.mirrors
    assert mirrored.then(flip(warp.size, down=True)).mirrors == warp.mirrors


def test_two_flips_with_waves_between_them_do_not_mirror() -> None:
    """Waves keep the two from becoming one matrix, so each is counted."""
    assert flip().then(waves(1)).mirrors
    twice = flip().then(waves(1)).then(flip(down=True))
    assert len(twice.maps) == 3
    assert not twice.mirrors


def test_fill_is_that_of_the_step_that_chose_one() -> None:
    """A step that says how to fill is heard; the default is not louder than it."""
    black = replace(turn(10), fill=(0, 0, 0))
    assert flip().then(black).fill == black.then(flip()).fill == (0, 0, 0)


@pytest.mark.parametrize("degrees", [0, 20, 45, 90])
@pytest.mark.parametrize("size", [(60, 40), (120, 16)], ids=str)
def test_reflected_images_are_where_the_border_shows_them(degrees: float, size: tuple[int, int]) -> None:
    """A white pixel is seen again in a reflected border at just the places that are listed."""
    warp = replace(turn(degrees, size), fill="reflect")
    image = np.zeros((size[1], size[0], 3), np.uint8)
    column = size[0] // 2 - 3
    image[5:8, column : column + 3] = 255
    white = resample_image(image, warp)[..., 0] > 100
    centre = np.array([(column + 1.5, 6.5)])
    listed = np.concatenate([warp(centre), *reflected_images(centre, warp)])
    y, x = np.nonzero(white)
    distance = np.hypot(x[:, None] + 0.5 - listed[:, 0], y[:, None] + 0.5 - listed[:, 1])
    assert distance.min(axis=1).max(initial=0) < 3
    inside = ((listed > 2) & (listed < np.array(size) - 2)).all(axis=1)
    assert distance.min(axis=0)[inside].max(initial=0) < 2
