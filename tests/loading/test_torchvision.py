"""torchvision's own types, and boxes that its transforms move as it means them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_builds import small_build

import amp_datasets as amp


def test_rows_become_tv_tensors(tmp_path: Path) -> None:
    """Boxes as corners on the image's canvas, classes from 1, and a flip of torchvision moves them."""
    try:
        import torchvision
        from torchvision.transforms import v2
    except (ImportError, RuntimeError) as error:  # RuntimeError: built for another torch than the one that is here
        pytest.skip(f"torchvision does not import: {error}")

    small_build(tmp_path, images=1)
    rows = amp.load(tmp_path / "build")["train"]
    plain = rows.with_transform(amp.TvTensors())[0]
    image, target = plain["image"], plain["target"]
    width, height = rows[0]["image"].size
    assert isinstance(image, torchvision.tv_tensors.Image)
    assert tuple(image.shape) == (3, height, width)
    x, y, w, h = rows[0]["objects"]["bbox"][0]
    assert np.allclose(target["boxes"][0], [x, y, x + w, y + h], atol=1e-3)
    assert target["labels"].tolist() == [c + 1 for c in rows[0]["objects"]["category"]]
    flipped = rows.with_transform(amp.TvTensors(v2.RandomHorizontalFlip(p=1)))[0]["target"]["boxes"]
    assert np.allclose(flipped[0], [width - x - w, y, width - x, y + h], atol=1e-3)
