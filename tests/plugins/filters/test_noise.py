"""Salt and pepper: how often, how independent, and where the randomness comes from."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from amp_datasets.filtering.base import random_bytes
from amp_datasets.plugin.discovery import load_registry

NOISE: Any = load_registry().filters["noise"]
SHAPE = (400, 500, 3)
GREY = np.full(SHAPE, 100, np.uint8)


def close(count: int, trials: int, probability: float) -> bool:
    """Within 5 standard deviations of a binomial count (the seeds are fixed, so this never flickers)."""
    return abs(count - trials * probability) <= 5 * math.sqrt(trials * probability * (1 - probability)) + 1e-9


@pytest.mark.parametrize("amount", [0.001, 0.0071, 0.05, 0.25, 1 / 3, 0.999, 1.0])
def test_rates_are_exact(amount: float) -> None:
    """Half the amount is pepper, half salt, in every channel, also for amounts that are no multiple of 1/128."""
    for seed in (1, 2, 2**53 - 1):
        noisy = NOISE().apply(GREY, amount=amount, seed=seed)
        for channel in range(3):
            for value in (0, 255):
                hits = int((noisy[:, :, channel] == value).sum())
                assert close(hits, SHAPE[0] * SHAPE[1], amount / 2), (seed, channel, value)
        assert set(np.unique(noisy)) <= {0, 100, 255}


@pytest.mark.parametrize("amount", [0.25, 1 / 3])
def test_values_are_independent(amount: float) -> None:
    """Channels of one pixel, neighbours and rows are hit together as often as chance has it."""
    hit = NOISE().apply(GREY, amount=amount, seed=5) != 100
    pairs = [(hit[:, :, 0], hit[:, :, 1]), (hit[:, :, 1], hit[:, :, 2]), (hit[:, 1:], hit[:, :-1]), (hit[1:], hit[:-1])]
    for first, second in pairs:
        assert close(int((first & second).sum()), first.size, amount**2)


def test_untouched_values_stay() -> None:
    """What is neither salt nor pepper is the image's own."""
    image = np.random.default_rng(0).integers(1, 255, SHAPE, dtype=np.uint8)
    noisy = NOISE().apply(image, amount=0.3, seed=1)
    kept = (noisy != 0) & (noisy != 255)
    np.testing.assert_array_equal(noisy[kept], image[kept])


def test_seeds_give_different_fields() -> None:
    """Neighbouring seeds share no more than chance."""
    first, second = (NOISE().apply(GREY, amount=0.25, seed=seed) != 100 for seed in (7, 8))
    assert close(int((first & second).sum()), GREY.size, 0.25**2)


def test_random_bytes_are_pinned() -> None:
    """The stream behind recorded draws never changes: these bytes are SFC64's."""
    assert random_bytes(7, 5).tolist() == random_bytes(7, 100)[:5].tolist()
    assert len(random_bytes(1, 0)) == 0
    assert random_bytes(7, 8).tolist() == list(int(np.random.SFC64(7).random_raw()).to_bytes(8, "little"))
    assert random_bytes(7, 8).tolist() == [207, 94, 80, 250, 115, 114, 58, 11]
