"""COCO panoptic sets: numbers of segments in colours, things and stuff, masks that are missing or lack a segment."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import best_source, read_set, reasons, rules, write_files
from PIL import Image as PillowImage

from amp_datasets.geometry import shapes as geometry
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.storage.folder import open_folder

REGISTRY = load_registry()
PANOPTIC = REGISTRY.source("coco_panoptic")
NUMBER = 3 + 256 * 2 + 65536 * 1
CATEGORIES = [{"id": 1, "name": "cat", "isthing": 1}, {"id": 9, "name": "sky", "isthing": 0}]


def mask_file(mode: str = "RGB") -> bytes:
    """A mask of 64x48: segment NUMBER at [10, 20] x [5, 15], segment 7 (R) in the lower half."""
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[5:15, 10:20] = (3, 2, 1)
    pixels[24:] = (7, 0, 0)
    stream = io.BytesIO()
    image = PillowImage.fromarray(pixels)
    (image.quantize(8) if mode == "P" else image).save(stream, "PNG")
    return stream.getvalue()


def segment(number: int, category: int = 1, **more: Any) -> dict[str, Any]:
    """One entry of `segments_info`."""
    return {"id": number, "category_id": category, "bbox": [1, 2, 3, 4], "area": 12, "iscrowd": 0, **more}


def one(folder: Path, *segments: Any, mask: bytes | None = None) -> Path:
    """A set of one image."""
    document = {
        "images": [{"id": 5, "file_name": "a.jpg", "width": 64, "height": 48}],
        "annotations": [{"image_id": 5, "file_name": "a.png", "segments_info": list(segments)}],
        "categories": CATEGORIES,
    }
    files: dict[str, str | bytes] = {"val2017/a.jpg": "", "annotations/panoptic_val2017.json": json.dumps(document)}
    if mask is not None:
        files["annotations/panoptic_val2017/a.png"] = mask
    return write_files(folder, files)


@pytest.mark.parametrize("mode", ["RGB", "P"])
def test_segments_are_masks_of_the_pixels_with_their_number(mode: str, tmp_path: Path) -> None:
    """R + 256 G + 65536 B, in a palette too; the box is that of the pixels, not the one that is written."""
    found = best_source(REGISTRY, one(tmp_path, segment(NUMBER), segment(7, 9), mask=mask_file(mode)))
    assert found is not None
    assert found[0] == "coco_panoptic"
    labels = read_set(PANOPTIC, tmp_path)
    (sample,) = labels.samples
    cat, sky = sample.annotations
    assert (cat.category, cat.xyxy, dict(cat.attributes)) == ("cat", (10.0, 5.0, 20.0, 15.0), {})
    assert (sky.category, sky.xyxy, dict(sky.attributes)) == ("sky", (0.0, 24.0, 64.0, 48.0), {"isthing": 0})
    assert cat.mask is not None
    assert geometry.mask_area(cat.mask) == 100
    assert (sample.split, labels.dropped) == ("validation", ())


def test_stuff_can_be_left_out(tmp_path: Path) -> None:
    """The class then is none of the set's."""
    labels = read_set(PANOPTIC, one(tmp_path, segment(NUMBER), segment(7, 9), mask=mask_file()), stuff="drop")
    assert [a.category for s in labels.samples for a in s.annotations] == ["cat"]
    assert [c.name for c in labels.categories] == ["cat"]


def test_without_a_mask_boxes_are_kept_and_said(tmp_path: Path) -> None:
    """So they are for a segment that no pixel has."""
    labels = read_set(PANOPTIC, one(tmp_path / "a", segment(NUMBER)))
    assert [a.xyxy for a in labels.samples[0].annotations] == [(1.0, 2.0, 4.0, 6.0)]
    assert "mask image is missing" in rules(labels)
    labels = read_set(PANOPTIC, one(tmp_path / "b", segment(99), segment(NUMBER), mask=mask_file()))
    assert [a.mask is None for a in next(iter(labels.samples)).annotations] == [True, False]
    assert "segment that is not in the mask image" in rules(labels)
    labels = read_set(PANOPTIC, one(tmp_path / "c", segment(NUMBER), mask=b"no image"))
    assert rules(labels) >= {"mask image is missing"}


@pytest.mark.parametrize(
    "bad", [None, 5, {"id": 1}, segment(1, 77), segment(1, bbox="x"), segment(1, bbox=[1, 2, "a", 4])]
)
def test_bad_segments_are_dropped_one_by_one(bad: Any, tmp_path: Path) -> None:
    """The segment beside stays."""
    labels = read_set(PANOPTIC, one(tmp_path, bad, segment(NUMBER), mask=mask_file()))
    assert [a.category for s in labels.samples for a in s.annotations] == ["cat"]
    assert reasons(labels) == {"label cannot be read"}


def test_cocos_own_set_is_read_by_its_instances(tmp_path: Path) -> None:
    """Where the file of the objects is there, the panoptic one is not what is meant."""
    write_files(one(tmp_path, segment(NUMBER), mask=mask_file()), {"annotations/instances_val2017.json": "{}"})
    assert PANOPTIC.detect(open_folder(tmp_path)) is None
