"""Galleries: a large image does not wait in memory until all are there, and looks the same."""

from __future__ import annotations

import numpy as np
import pytest

from amp_datasets.images.drawing import gallery
from amp_datasets.images.drawing.gallery import Gallery, Tile
from amp_datasets.model import Annotation, Category


def test_a_large_image_is_drawn_at_once_and_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sheet and the page are the same to the last byte; in another size it is what was drawn, fitted."""
    image = np.random.default_rng(0).integers(0, 256, (300, 500, 3), np.uint8)
    categories = (Category("cat"),)
    tile = Tile("a.jpg", image, (Annotation("cat", (20.0, 30.0, 200.0, 250.0)),))
    whole = Gallery((tile,), categories, (220, 165))
    assert tile.light(categories, whole.tile) is tile
    monkeypatch.setattr(gallery, "_LIGHT_BYTES", image.size - 1)
    light = Gallery((tile.light(categories, whole.tile),), categories, whole.tile)
    assert light.tiles[0].image is None
    assert light.sheet().tobytes() == whole.sheet().tobytes()
    assert light.to_html() == whole.to_html()
    assert light.drawn(light.tiles[0], (110, 110)).size == (110, 66)


def test_a_tile_without_an_image_stays() -> None:
    """With its reason."""
    tile = Tile("a.jpg", note="it is broken")
    assert tile.light((), (220, 165)) is tile
