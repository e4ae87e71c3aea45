"""Contact sheets before a build."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from amp_datasets.building.plan import Prepared, prepare
from amp_datasets.errors import BuildError
from amp_datasets.model import Annotation
from amp_datasets.view.preview import BACKGROUND, COLUMNS, drawn, preview

MANIFEST = "name: p\nsources: [set]\nsplits: {train: 1.0}\nfilters: {flip: , grayscale: , rotate90: }\n"


def prepared(folder: Path, demo_folder: Path, text: str = MANIFEST) -> Prepared:
    """A manifest of a few filters over the demo images."""
    path = folder / "amp.yaml"
    path.write_text(text)
    return prepare(path, sources=[demo_folder])


def test_every_variant_has_a_tile(tmp_path: Path, demo_folder: Path) -> None:
    """The original and three variants, for as many sources as asked for."""
    ready = prepared(tmp_path, demo_folder)
    assert preview(ready, tmp_path / "one.png") == 4
    assert preview(ready, tmp_path / "two.png", images=2) == 8
    with PillowImage.open(tmp_path / "one.png") as one, PillowImage.open(tmp_path / "two.png") as two:
        assert two.height > one.height > 225
        assert one.width == two.width == COLUMNS * 308 + 8
        corner = PillowImage.new("RGB", (1, 1), BACKGROUND).getpixel((0, 0))
        assert one.convert("RGB").getpixel((0, 0)) == corner


def test_a_variant_that_cannot_be_made_says_why(tmp_path: Path, demo_folder: Path) -> None:
    """It keeps its place in the sheet."""
    text = "name: p\nsplits: {train: 1.0}\nlabels: {min_difference: 255}\nfilters: {grayscale: , flip: }\n"
    assert preview(prepared(tmp_path, demo_folder, text), tmp_path / "sheet.png") == 3


def test_a_wrong_ending_is_told(tmp_path: Path, demo_folder: Path) -> None:
    """No file is left."""
    with pytest.raises(BuildError, match=r"no image format has the ending `\.nope`"):
        preview(prepared(tmp_path, demo_folder), tmp_path / "sheet.nope")
    assert not (tmp_path / "sheet.nope").exists()


def test_nothing_to_augment_is_told(tmp_path: Path, demo_folder: Path) -> None:
    """All images are in a split that gets no variants."""
    with pytest.raises(BuildError, match="no source image gets variants"):
        preview(prepared(tmp_path, demo_folder, MANIFEST + "augment: [test]\n"), tmp_path / "sheet.png")


def test_labels_are_drawn_where_they_are() -> None:
    """The box's line is on its edges; inside and outside the image is untouched."""
    image = np.full((60, 80, 3), 50, np.uint8)
    shown = np.asarray(drawn(image, [Annotation("cat", (20.0, 10.0, 60.0, 40.0))]))
    assert (shown[10, 20:60] != 50).any(axis=1).all()
    assert (shown[10:40, 20] != 50).any(axis=1).all()
    np.testing.assert_array_equal(shown[20:30, 30:50], 50)
    np.testing.assert_array_equal(shown[50:], 50)
