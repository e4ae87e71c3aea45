"""What tells variants apart without making them in full."""

from __future__ import annotations

import numpy as np
import pytest

from amp_datasets.variants.steps import Original


@pytest.mark.parametrize(
    "size", [(1, 5000), (5000, 1), (105, 5000), (191, 97), (97, 97), (96, 96), (3, 2), (1000, 750), (1333, 1037)]
)
def test_a_thumbnail_shows_the_whole_image(size: tuple[int, int]) -> None:
    """At most 96 pixels a side, of the same shape, and of a twentieth of a side at most nothing is seen."""
    width, height = size
    ramp = np.zeros((height, width, 3), np.uint8)
    ramp[..., 0] = np.linspace(0, 255, width)
    ramp[..., 1] = np.linspace(0, 255, height)[:, None]
    thumbnail = Original(ramp, "", ()).thumbnail
    assert max(thumbnail.shape[:2]) <= 96
    means = ramp.reshape(-1, 3).mean(axis=0) - thumbnail.reshape(-1, 3).mean(axis=0)
    assert np.abs(means).max() <= 255 / 40 + 1


def test_what_is_not_touched_has_the_signature_of_no_step() -> None:
    """The same size and values; its points are where they were."""
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    signature = Original(image, "", ()).signature
    assert not signature.differs(signature, 0.5)
    assert signature.size == (80, 60)
    assert signature.points.min(axis=0).tolist() == pytest.approx([4, 3])
    assert signature.points.max(axis=0).tolist() == pytest.approx([76, 57])
