"""Every colour filter against its formula in slow float64 NumPy."""

from __future__ import annotations

import colorsys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amp_datasets.plugin.discovery import load_registry

FILTERS = load_registry().filters
SHARES = st.floats(1, 100)
MATRIX_SLACK = 0.38
"""cv2.transform has 10 binary places in a weight, half of the last one for each of three channels of up to 255."""


def table_of(name: str, **draw: float) -> np.ndarray:
    """The 256 new values, as numbers that may be subtracted."""
    transform: Any = FILTERS[name]()
    return transform.table(**draw).astype(float)


def settled(exact: np.ndarray, got: np.ndarray, slack: float = 1e-9) -> None:
    """`got` is `exact` rounded to nearest and clipped once."""
    np.testing.assert_array_less(np.abs(np.clip(exact, 0, 255) - got), 0.5 + slack)


def random_image(seed: int = 0) -> np.ndarray:
    """Uniform colours, with greys and both extremes among them."""
    image = np.random.default_rng(seed).integers(0, 256, (60, 70, 3), dtype=np.uint8)
    image[:5] = image[:5, :, :1]
    image[5], image[6] = 0, 255
    return image


@given(percent=SHARES, mode=st.sampled_from([1, -1]))
def test_brightness_multiplies(percent: float, mode: int) -> None:
    """v * factor, rounded to nearest."""
    factor = 1 + mode * percent / 100
    settled(np.arange(256) * factor, table_of("brightness", factor=factor))


@given(percent=SHARES, mode=st.sampled_from([1, -1]))
def test_contrast_turns_about_mid_grey(percent: float, mode: int) -> None:
    """128 + factor (v - 128), also for the values below 128, which wrapped around in the original."""
    factor = 1 + mode * percent / 100
    table = table_of("contrast", factor=factor)
    settled(128 + factor * (np.arange(256) - 128), table)
    assert (np.diff(table) >= 0).all()
    assert table[128] == 128


@given(gamma=st.floats(0.5, 2))
def test_exposure_is_a_gamma_curve(gamma: float) -> None:
    """255 (v / 255)^gamma: black and white stay."""
    table = table_of("exposure", gamma=gamma)
    settled(255 * (np.arange(256) / 255) ** gamma, table)
    assert (table[0], table[255]) == (0, 255)


@pytest.mark.parametrize("name", ["brightness", "contrast", "exposure", "saturation"])
def test_mode_says_the_direction(name: str) -> None:
    """Positive is above the identity, negative below it, and both draws each about as often."""
    import random

    def drawn(mode: str) -> list[float]:
        transform: Any = FILTERS[name](percent=(20, 50), mode=mode)
        transform.set_random_state(np.random.default_rng(0), random.Random(0))
        return [next(iter(transform.get_params().values())) for _ in range(200)]

    grows = {mode: np.mean([(v < 1) if name == "exposure" else (v > 1) for v in drawn(mode)]) for mode in MODES}
    assert grows["positive"] == 1
    assert grows["negative"] == 0
    assert 0.35 < grows["both"] < 0.65
    assert len(set(drawn("positive"))) == 200


MODES = ("positive", "negative", "both")


def test_strengths_are_those_of_the_manifest() -> None:
    """A scalar is exactly that strength in the documented direction."""
    assert FILTERS["brightness"](percent=50).get_params() == {"factor": 1.5}
    assert FILTERS["brightness"](percent=25, mode="negative").get_params() == {"factor": 0.75}
    assert FILTERS["contrast"](percent=40).get_params() == {"factor": 1.4}
    assert FILTERS["exposure"](percent=50).get_params() == {"gamma": 1 / 1.5}
    assert FILTERS["exposure"](percent=50, mode="negative").get_params() == {"gamma": 1.5}
    assert FILTERS["saturation"](percent=80).get_params() == {"factor": 1.8}
    assert FILTERS["saturation"](percent=80, mode="negative").get_params() == {"factor": 1 / 1.8}
    assert FILTERS["hue"](degrees=150, mode="negative").get_params() == {"degrees": -150}


@pytest.mark.parametrize("name", ["brightness", "contrast"])
@pytest.mark.parametrize("mode", ["negative", "both"])
def test_nothing_left_is_refused(name: str, mode: str) -> None:
    """-100 percent would be one flat colour: labels on nothing."""
    with pytest.raises(ValueError, match="nothing of the image is left"):
        FILTERS[name](percent=(50, 100), mode=mode)
    FILTERS[name](percent=100, mode="positive")


@given(share=st.floats(0.01, 1))
def test_grayscale_blends_with_luma(share: float) -> None:
    """(1 - share) v + share (0.299 R + 0.587 G + 0.114 B), rounded once."""
    image = random_image()
    luma = image.astype(float) @ (0.299, 0.587, 0.114)
    result = FILTERS["grayscale"]().apply(image, share=share)
    settled((1 - share) * image + share * luma[:, :, None], result, MATRIX_SLACK)


def test_full_grayscale_has_three_equal_channels() -> None:
    """At 100 percent no colour is left, and the luma is rounded to nearest."""
    image = random_image()
    result = FILTERS["grayscale"]().apply(image, share=1.0)
    settled(np.repeat(image.astype(float) @ (0.299, 0.587, 0.114), 3).reshape(image.shape), result, slack=0.01)
    assert (result == result[:, :, :1]).all()


def test_color_matrix_is_rgb_times_transpose() -> None:
    """RGB @ M^T, rounded once and clipped; sepia by default."""
    image = random_image()
    sepia = np.array([(0.393, 0.769, 0.189), (0.349, 0.686, 0.168), (0.272, 0.534, 0.131)])
    transform: Any = FILTERS["color_matrix"]()
    settled(image.astype(float) @ sepia.T, transform.apply(image, **transform.get_params()), MATRIX_SLACK)
    mixed = ((0.5, -0.5, 1.0), (0, 1.5, 0), (2, 0, -1))
    transform = FILTERS["color_matrix"](matrix=mixed)
    settled(image.astype(float) @ np.array(mixed).T, transform.apply(image, **transform.get_params()), MATRIX_SLACK)


@pytest.mark.parametrize("matrix", [np.eye(3).tolist(), (np.eye(3) + 0.001).tolist(), np.zeros((3, 3)).tolist()])
def test_color_matrix_without_effect_or_image_is_refused(matrix: list[list[float]]) -> None:
    """Neither the identity nor blackness is a variant."""
    with pytest.raises(ValueError, match="the matrix is"):
        FILTERS["color_matrix"](matrix=matrix)


def through_hsv(image: np.ndarray, turn_deg: float = 0, growth: float = 1) -> np.ndarray:
    """Hue turned and saturation multiplied by Python's own float HSV, pixel by pixel."""
    rows = []
    for pixel in image.reshape(-1, 3) / 255:
        h, s, v = colorsys.rgb_to_hsv(*pixel)
        rows.append(colorsys.hsv_to_rgb((h + turn_deg / 360) % 1, min(1.0, s * growth), v))
    return np.array(rows).reshape(image.shape) * 255


@pytest.mark.parametrize("factor", [1.05, 1.3, 1.8, 2.0, 1 / 1.05, 1 / 1.8, 0.5])
def test_saturation_multiplies_s(factor: float) -> None:
    """S times the factor, at most 1, with hue and value kept: within one level, and nearly always exact."""
    image = random_image()
    exact = through_hsv(image, growth=factor)
    result = FILTERS["saturation"]().apply(image, factor=factor)
    assert np.abs(exact - result).max() <= 1.01
    assert (np.abs(exact - result) > 0.501).mean() < 0.05
    np.testing.assert_array_equal(result.max(axis=2), image.max(axis=2))


def test_saturation_is_the_same_in_strips() -> None:
    """An image larger than a strip has no seams."""
    image = np.random.default_rng(1).integers(0, 256, (300, 700, 3), dtype=np.uint8)
    whole = FILTERS["saturation"]().apply(image, factor=1.7)
    parts = [FILTERS["saturation"]().apply(image[:, a : a + 7], factor=1.7) for a in range(0, 700, 7)]
    np.testing.assert_array_equal(whole, np.concatenate(parts, axis=1))


@pytest.mark.parametrize("turn", [150.0, -30.0, 120.0, 1.5, 359.0])
def test_hue_turns_the_wheel(turn: float) -> None:
    """The float reference, within what 8-bit hues (256 a turn) can tell apart."""
    image = random_image()
    exact = through_hsv(image, turn_deg=round(turn * 256 / 360) * 360 / 256)
    error = np.abs(exact - FILTERS["hue"]().apply(image, degrees=turn))
    assert error.mean() < 1.2  # 43 hues for each of the six sections of 255 levels: a quantum is 6 levels
    assert error.max() < 12
    np.testing.assert_array_equal(error[:7], np.zeros_like(error[:7]))  # greys have no hue


def test_hue_goes_from_red_to_green_to_blue() -> None:
    """120 degrees of the wheel: the direction is the documented one."""
    red = np.full((2, 2, 3), (255, 0, 0), np.uint8)
    green = FILTERS["hue"]().apply(red, degrees=120.0)
    blue = FILTERS["hue"]().apply(red, degrees=-120.0)
    np.testing.assert_allclose(green[0, 0], (0, 255, 0), atol=6)  # one hue of 256
    np.testing.assert_allclose(blue[0, 0], (0, 0, 255), atol=6)
