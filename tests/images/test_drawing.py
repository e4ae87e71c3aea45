"""Labels are drawn where they are, in colours that can be told apart, and names never cover names."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amp_datasets.images.drawing import labels as drawing
from amp_datasets.images.drawing.labels import PALETTE, draw_labels
from amp_datasets.model import Annotation, Category, Polygon
from amp_datasets.shown import shortened

CATS = [Category("cat"), Category("dog", keypoints=("left_eye", "right_eye"), skeleton=((0, 1),))]
MACHADO = {  # severity 1, on linear RGB: Machado, Oliveira and Fernandes 2009
    "normal": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def lab(colours: Any, vision: str) -> np.ndarray[Any, Any]:
    """CIE Lab (n, 3) of sRGB colours as somebody sees them."""
    c = np.asarray(colours) / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.transpose(MACHADO[vision]), 0, 1)
    to_xyz = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    xyz = seen @ np.transpose(to_xyz) / (0.95047, 1, 1.08883)
    f = np.where(xyz > 0.008856, np.cbrt(np.maximum(xyz, 1e-9)), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


@pytest.mark.parametrize("vision", MACHADO)
def test_twenty_classes_can_be_told_apart(vision: str) -> None:
    """Also by people who see fewer colours."""
    assert len(PALETTE) == 20
    values = lab(PALETTE, vision)
    assert min(np.linalg.norm(a - b) for a, b in combinations(values, 2)) > 13


def test_lines_lie_on_the_boxs_edges() -> None:
    """Inside and outside the image is untouched."""
    image = np.full((60, 80, 3), 50, np.uint8)
    shown = np.asarray(draw_labels(image, [Annotation("cat", (20.0, 10.0, 60.0, 40.0))], CATS, names=False))
    assert (shown[10, 20:60] != 50).any(axis=1).all()
    assert (shown[10:40, 20] != 50).any(axis=1).all()
    np.testing.assert_array_equal(shown[20:30, 30:50], 50)
    np.testing.assert_array_equal(shown[50:], 50)
    np.testing.assert_array_equal(image, 50)


@pytest.mark.parametrize("background", [0, 128, 255])
def test_lines_are_seen_on_any_ground(background: int) -> None:
    """Every class's line differs from the ground by its colour or its rim."""
    image = np.full((90, 120, 3), background, np.uint8)
    for number in range(20):
        names = [Category(str(n)) for n in range(20)]
        shown = np.asarray(draw_labels(image, [Annotation(str(number), (20.0, 20.0, 90.0, 70.0))], names, names=False))
        assert np.abs(shown[18:23, 50].astype(int) - background).max() > 60


def test_a_line_keeps_its_width_on_a_phones_photo() -> None:
    """The image is shrunk first, then drawn on."""
    image = np.full((3000, 4000, 3), 50, np.uint8)
    shown = draw_labels(image, [Annotation("cat", (1000.0, 500.0, 3000.0, 2500.0))], CATS, size=(300, 225))
    assert shown.size == (300, 225)
    assert (np.asarray(shown)[100, 72:78] != 50).any()


def test_a_hole_stays_open() -> None:
    """Polygons are tinted inside, not in their holes."""
    square = np.array([(10, 10), (70, 10), (70, 70), (10, 70)], float)
    hole = np.array([(30, 30), (50, 30), (50, 50), (30, 50)], float)
    label = Annotation("cat", (10.0, 10.0, 70.0, 70.0), (Polygon(square, (hole,)),))
    shown = np.asarray(draw_labels(np.full((80, 80, 3), 50, np.uint8), [label], CATS, names=False))
    np.testing.assert_array_equal(shown[38:42, 38:42], 50)
    assert (shown[20, 40] != 50).any()


def test_left_and_right_keypoints_have_colours_of_their_own() -> None:
    """Blue and orange, as names say; points that are not labelled are not drawn."""
    points = np.array([(20, 40, 2), (60, 40, 2)], float)
    shown = np.asarray(
        draw_labels(
            np.zeros((80, 80, 3), np.uint8), [Annotation("dog", (5.0, 5.0, 75.0, 75.0), keypoints=points)], CATS
        )
    )
    assert tuple(shown[39, 19]) == (0, 170, 255)
    assert tuple(shown[39, 59]) == (255, 150, 0)


@given(st.lists(st.tuples(*[st.floats(0, 200)] * 4), max_size=30), st.text(min_size=1, max_size=60))
def test_names_never_cover_names(corners: list[tuple[float, float, float, float]], name: str) -> None:
    """Each is written where no other is, inside the image, or left out."""
    taken: list[Any] = []
    meets = drawing._meets
    places = []
    for x0, y0, x1, y1 in corners:
        box = (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
        place = next((p for p in drawing._places(box, 40, 12, (200, 200)) if not meets(p, taken)), None)
        if place is not None:
            taken.append(place)
            places.append(place)
    assert not any(meets(a, [b]) for a, b in combinations(places, 2))
    assert all(p[0] >= 0 and p[1] >= 0 and p[2] <= 200 and p[3] <= 200 for p in places)
    assert len(shortened(name)) <= 24
    labels = [Annotation(name, (0.0, 0.0, 50.0, 50.0))]
    draw_labels(np.zeros((60, 60, 3), np.uint8), labels, [Category(name)])


def test_long_names_are_cut_in_the_middle() -> None:
    """Where they differ least."""
    assert shortened("a" * 30 + "_left") == "aaaaaaaaaaa…aaaaaaa_left"
    assert shortened("short") == "short"
