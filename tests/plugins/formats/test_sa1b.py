"""SA-1B sets: masks without classes, one JSON an image."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import best_source, read_set, reasons, rules, write_files

from amp_datasets.geometry import shapes as geometry
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.storage.folder import open_folder

REGISTRY = load_registry()
SA1B = REGISTRY.source("sa1b")


def mask(**more: Any) -> dict[str, Any]:
    """One annotation: a mask at [10, 20] x [5, 15] of 64x48."""
    pixels = np.zeros((48, 64), np.bool_)
    pixels[5:15, 10:20] = True
    rle = {"size": [48, 64], "counts": geometry.encode_mask(pixels).counts.decode()}
    values = {"id": 1, "segmentation": rle, "bbox": [10, 5, 10, 10], "area": 100, "predicted_iou": 0.9}
    return {**values, "crop_box": [0, 0, 64, 48], "point_coords": [[12.0, 7.0]], **more}


def one(folder: Path, *labels: Any, size: tuple[int, int] = (64, 48)) -> Path:
    """A set of one image."""
    image = {"image_id": 1, "width": size[0], "height": size[1], "file_name": "sa_1.jpg"}
    document = {"image": image, "annotations": list(labels)}
    return write_files(folder, {"sa_1.jpg": "", "sa_1.json": json.dumps(document)})


def test_masks_become_labels_of_one_class(tmp_path: Path) -> None:
    """Called `object`, or as the option says; single numbers are attributes."""
    found = best_source(REGISTRY, one(tmp_path, mask()))
    assert found is not None
    assert found[0] == "sa1b"
    labels = read_set(SA1B, tmp_path, category="thing")
    ((annotation,),) = [sample.annotations for sample in labels.samples]
    assert (annotation.category, annotation.xyxy) == ("thing", (10.0, 5.0, 20.0, 15.0))
    assert annotation.mask is not None
    assert (geometry.mask_area(annotation.mask), dict(annotation.attributes)) == (100, {"predicted_iou": 0.9})
    assert rules(labels) == {"labels without a category read as one class"}


@pytest.mark.parametrize("bad", [None, [], mask(segmentation={"size": [9, 9], "counts": "x"}, bbox=None), {"id": 3}])
def test_bad_masks_are_dropped_one_by_one(bad: Any, tmp_path: Path) -> None:
    """The mask beside stays."""
    labels = read_set(SA1B, one(tmp_path, mask(), bad))
    assert [len(sample.annotations) for sample in labels.samples] == [1]
    assert reasons(labels) <= {"label cannot be read", "outline cannot be read"}


@pytest.mark.parametrize(
    "document", [{"images": [], "annotations": []}, {"image": "a.jpg", "annotations": []}, [mask()]]
)
def test_other_documents_are_not_claimed(document: Any, tmp_path: Path) -> None:
    """COCO has `images`, CreateML a list of entries whose `image` is a name."""
    write_files(tmp_path, {"a.jpg": "", "a.json": json.dumps(document)})
    assert SA1B.detect(open_folder(tmp_path)) is None


def test_a_label_with_a_category_is_not_of_this_kind(tmp_path: Path) -> None:
    """Another format with one image a file would lose its classes."""
    assert SA1B.detect(open_folder(one(tmp_path, mask(category_id=3)))) is None
