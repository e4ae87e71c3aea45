"""The crop window: around the objects, on whole pixels, inside the image."""

from __future__ import annotations

import random
from typing import Any

import albumentations as A  # noqa: N812
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amp_datasets.errors import CannotApply
from amp_datasets.filtering.base import draw
from amp_datasets.plugin.discovery import load_registry

CROP: Any = load_registry().filters["crop"]
IMAGE = np.random.default_rng(0).integers(0, 256, (100, 200, 3), dtype=np.uint8)


def window(boxes: Any, seed: int = 0, **settings: Any) -> list[int]:
    """The drawn window for boxes in pixels."""
    transform = CROP(**settings)
    transform.set_random_state(np.random.default_rng(seed), random.Random(seed))
    return draw(transform, IMAGE, np.array(boxes, dtype=float).reshape(-1, 4))["window"]


def test_margin_is_a_share_of_each_side() -> None:
    """Half of the object's width left and right, half of its height above and below."""
    assert window([(60, 40, 80, 50)], margin=0.5) == [50, 35, 90, 55]


def test_window_is_clipped_to_the_image() -> None:
    """A margin that reaches beyond the edge ends at it."""
    assert window([(5, 10, 45, 60)], margin=0.5) == [0, 0, 65, 85]
    assert window([(150, 60, 190, 95)], margin=0.5) == [130, 42, 200, 100]


def test_all_objects_are_inside() -> None:
    """`around: all` takes the extent of all boxes together."""
    assert window([(60, 40, 80, 50), (100, 20, 120, 45)], margin=0) == [60, 20, 120, 50]


def test_one_object_is_drawn() -> None:
    """`around: one` takes each of them about as often."""
    boxes = [(60, 40, 80, 50), (100, 20, 120, 45)]
    windows = [tuple(window(boxes, seed, margin=0, around="one")) for seed in range(200)]
    assert set(windows) == {(60, 40, 80, 50), (100, 20, 120, 45)}
    assert 60 < windows.count((60, 40, 80, 50)) < 140


@given(
    st.tuples(st.integers(0, 190), st.integers(0, 90), st.integers(1, 200), st.integers(1, 100)).map(
        lambda t: (t[0], t[1], min(200, t[0] + t[2]), min(100, t[1] + t[3]))
    )
)
def test_whole_pixels_survive_32_bits(box: tuple[int, int, int, int]) -> None:
    """A box on whole pixels that went through Albumentations' float32 gives a window no pixel larger."""
    if box == (0, 0, 200, 100):
        return
    transform = CROP(margin=0)
    noisy = (np.array([box]) / (200, 100, 200, 100)).astype(np.float32)
    drawn = transform.get_params_dependent_on_data({"shape": IMAGE.shape}, {"bboxes": noisy})
    assert drawn["window"] == list(box)


@given(st.lists(st.tuples(*[st.floats(-20, 220)] * 4), max_size=4), st.floats(0, 2))
def test_window_is_never_empty_and_never_outside(boxes: list[tuple[float, ...]], margin: float) -> None:
    """Whatever the boxes: whole pixels, at least one each way, inside the image, or a reason."""
    try:
        x0, y0, x1, y1 = window(boxes, margin=margin)
    except CannotApply:
        return
    assert 0 <= x0 < x1 <= 200
    assert 0 <= y0 < y1 <= 100


def test_no_object_is_a_reason() -> None:
    """Nothing to crop around: said, with what to do, also where no boxes are given at all."""
    with pytest.raises(CannotApply, match="no object to crop around"):
        window([])
    with pytest.raises(CannotApply, match="no object to crop around"):
        A.Compose([CROP()])(image=IMAGE)
    with pytest.raises(CannotApply, match="no object"):
        window([(-30, -30, -5, -5)])


def test_margin_that_would_keep_the_whole_image_is_halved() -> None:
    """A window that cuts nothing off is no variant: half the margin, and half again, until something goes."""
    assert window([(10, 10, 190, 90)], margin=0.1) == [0, 2, 200, 98]
    assert window([(10, 10, 190, 90)], margin=0.2) == [0, 2, 200, 98]
    assert window([(10, 10, 190, 90)], margin=0.8) == [0, 2, 200, 98]


def test_objects_that_fill_the_image_are_a_reason() -> None:
    """Where no margin cuts anything off, that is said."""
    with pytest.raises(CannotApply, match="the objects fill the whole image"):
        window([(0, 0, 200, 50), (0, 40, 120, 100)], margin=0.5)


def test_pixels_are_copied() -> None:
    """The result is the window of the source, value by value."""
    result = CROP().apply(IMAGE, window=[50, 35, 90, 55], shape=IMAGE.shape)
    np.testing.assert_array_equal(result, IMAGE[35:55, 50:90])


def test_boxes_move_with_the_window() -> None:
    """In a Compose the box that was cropped around keeps its size, and a box outside goes."""
    composed = A.Compose([CROP(margin=0.5)], bbox_params=A.BboxParams("pascal_voc", label_fields=["ids"]))
    result = composed(image=IMAGE, bboxes=[(60, 40, 80, 50)], ids=[5])
    np.testing.assert_allclose(result["bboxes"], [(10, 5, 30, 15)], atol=0.05)
    assert result["image"].shape == (20, 40, 3)
