"""One convention of a box in the whole of a build: where a label has an outline, its box is the outline's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from small_builds import write_manifest

from amp_datasets.building.api import build

SIZE = (80, 60)
OUTLINE = (20.0, 15.0, 50.0, 40.0)
VARIANTS = """
filters:
  blur: {sigma: 2}
  brightness: {percent: 30}
  flip: {how: horizontal}
  rotate90: {degrees: 180}
  translate: {percent: 5, fill: [0, 0, 0]}
labels: {min_difference: 0, outline: rect}
"""


def built(folder: Path, annotation: dict[str, Any]) -> dict[str, list[float]]:
    """The box of the one object in every image of a build, by variant."""
    (folder / "set").mkdir(parents=True)
    noise = np.random.default_rng(1).integers(0, 255, (SIZE[1], SIZE[0], 3), np.uint8)
    Image.fromarray(noise).save(folder / "set" / "a.png")
    labels = {
        "images": [{"id": 1, "file_name": "a.png", "width": SIZE[0], "height": SIZE[1]}],
        "categories": [{"id": 1, "name": "cup"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "iscrowd": 0, **annotation}],
    }
    (folder / "set" / "labels.json").write_text(json.dumps(labels), encoding="utf-8")
    build(write_manifest(folder / "amp.yaml", ["set"], VARIANTS), out=folder / "build", jobs=1)
    rows = pq.read_table(folder / "build" / "images" / "train" / "metadata.parquet").to_pylist()
    return {row["variant"]: row["objects"]["bbox"][0] for row in rows}


@pytest.mark.parametrize("given", [(20, 15, 30, 25), (10, 5, 50, 45), (25, 20, 10, 10)], ids=str)
def test_a_box_that_differs_from_its_outline_is_the_outlines_everywhere(given: tuple[int, ...], tmp_path: Path) -> None:
    """In the original, in variants of values, and where the object moves: no image has the other box."""
    x0, y0, x1, y1 = OUTLINE
    ring = [x0, y0, x1, y0, x1, y1, x0, y1]
    outlined = built(tmp_path / "outlined", {"bbox": list(given), "segmentation": [ring], "area": 750})
    plain = built(tmp_path / "plain", {"bbox": [x0, y0, x1 - x0, y1 - y0], "area": 750})
    assert len(outlined) == 6
    assert outlined == plain
    assert outlined["original"] == outlined["blur"] == outlined["brightness"] == [20, 15, 30, 25]
    assert outlined["flip"] == [30, 15, 30, 25]
