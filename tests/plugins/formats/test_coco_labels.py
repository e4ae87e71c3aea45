"""COCO annotations as tools leave them: each mistake is repaired or counted, the good label beside it stays."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coco_sets import (
    PERSON,
    SIZE,
    SQUARE,
    document,
    label,
    only,
    read,
    reasons,
    rules,
    write,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from amp_datasets.errors import AmpError


@pytest.mark.parametrize(
    ("segmentation", "rule"),
    [
        ([[*SQUARE, 10, 10]], "repeated polygon point removed"),
        ([[*SQUARE, 7]], "odd polygon value removed"),
        ([SQUARE, [1, 1, 5, 5]], "polygon part without area removed"),
        (SQUARE, "polygon not in a list of parts"),
        ([[10, 10], [30, 10], [30, 25], [10, 25]], "polygon as a list of points"),
    ],
)
def test_malformed_polygons_are_mended(tmp_path: Path, segmentation: Any, rule: str) -> None:
    """Each habit leaves the same square, and is counted."""
    labels = read(write(tmp_path, document(annotations=[label(segmentation=segmentation)])))
    (part,) = only(labels).polygons
    start = np.flatnonzero((part.exterior == SQUARE[:2]).all(axis=1))[0]
    np.testing.assert_array_equal(np.roll(part.exterior, -start, axis=0), np.array(SQUARE).reshape(-1, 2))
    assert rules(labels) == {rule}


def test_all_parts_of_a_polygon_are_kept(tmp_path: Path) -> None:
    """An object behind a pole has two."""
    other = [40, 10, 50, 10, 50, 20]
    labels = read(write(tmp_path, document(annotations=[label(segmentation=[SQUARE, other], bbox=[10, 10, 40, 15])])))
    assert [len(part.exterior) for part in only(labels).polygons] == [4, 3]
    assert only(labels).xyxy == (10, 10, 50, 25)


@pytest.mark.parametrize("compressed", [True, False])
def test_run_lengths_are_kept_as_the_same_pixels(tmp_path: Path, compressed: bool) -> None:
    """Compressed or not; a crowd stays one."""
    mask = np.zeros(SIZE[::-1], dtype=bool)
    mask[10:20, 5:50] = True
    mask[12:15, 20:30] = False
    packed = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    changes = np.flatnonzero(np.diff(mask.ravel(order="F"), prepend=False))
    runs = np.diff([0, *changes, mask.size]).tolist()
    counts = packed["counts"].decode() if compressed else runs
    segmentation = {"size": [48, 64], "counts": counts}
    entry = label(segmentation=segmentation, iscrowd=1)
    del entry["bbox"]
    annotation = only(read(write(tmp_path, document(annotations=[entry]))))
    assert annotation.mask is not None
    assert annotation.mask.counts == packed["counts"]
    assert annotation.iscrowd
    assert annotation.xyxy == (5, 10, 50, 20)


@pytest.mark.parametrize(
    "segmentation",
    [
        {"size": [48, 64], "counts": [5, 5]},
        {"size": [48, 64], "counts": [-5, 3077]},
        {"size": [48, 64], "counts": "P"},
        {"size": [48, 64], "counts": "\x00\x7f"},
        {"size": [48, 64], "counts": "ÿ"},
        {"size": [48], "counts": "abc"},
        {"size": [48, 64], "counts": 5},
        {"size": [2**40, 2**40], "counts": [2**80]},
        {},
        [["a", "b", 1, 2, 3, 4]],
        [[float("nan")] * 6],
        ["abc", 5],
    ],
)
def test_an_unreadable_outline_is_counted_and_the_box_stays(tmp_path: Path, segmentation: Any) -> None:
    """Wrong run lengths never reach the C code that would trust them."""
    labels = read(write(tmp_path, document(annotations=[label(segmentation=segmentation)])))
    assert only(labels).xyxy == (10, 10, 30, 25)
    assert only(labels).mask is None
    assert reasons(labels) == {"outline cannot be read"}


def test_a_mask_of_another_size_than_its_image_is_dropped(tmp_path: Path) -> None:
    """It belongs to another version of the image."""
    other = label(segmentation={"size": [24, 32], "counts": [100, 668]})
    labels = read(write(tmp_path, document(annotations=[other])))
    assert reasons(labels) == {"label cannot be read", "no usable label"}


@pytest.mark.parametrize("bbox", [None, [10, 10, 20], [float("nan"), 10, 20, 15], "10 10 20 15", [None] * 4, {}])
def test_a_missing_box_is_that_of_the_outline(tmp_path: Path, bbox: Any) -> None:
    """The outline is enough."""
    labels = read(write(tmp_path, document(annotations=[label(bbox=bbox, segmentation=[SQUARE])])))
    assert only(labels).xyxy == (10, 10, 30, 25)
    assert rules(labels) == {"box taken from the outline"}


def test_a_rounded_box_is_replaced_by_its_polygons_extent(tmp_path: Path) -> None:
    """Roboflow rounds x and y, not width and height; a box further off is meant so."""
    precise = [10.4, 10.3, 30.4, 10.3, 30.4, 25.3, 10.4, 25.3]
    labels = read(write(tmp_path, document(annotations=[label(segmentation=[precise])])))
    assert only(labels).xyxy == (10.4, 10.3, 30.4, 25.3)
    assert rules(labels) == {"rounded box replaced by its polygon's extent"}
    wider = read(write(tmp_path, document(annotations=[label(segmentation=[precise], bbox=[8, 10, 24, 16])])))
    assert only(wider).xyxy == (8, 10, 32, 26)


def test_missing_area_and_iscrowd_are_understood(tmp_path: Path) -> None:
    """Counted once a file."""
    entry = {"image_id": 1, "category_id": 1, "bbox": [10, 10, 20, 15]}
    labels = read(write(tmp_path, document(annotations=[entry])))
    assert not only(labels).iscrowd
    assert [(r.rule, r.detail) for r in labels.repairs] == [("missing iscrowd taken as 0", "1 labels")]


@pytest.mark.parametrize(
    "changes",
    [
        {"category_id": 7},
        {"category_id": None},
        {"category_id": [1]},
        {"category_id": True},
        {"bbox": ["a", 1, 2, 3]},
        {"bbox": [float("inf"), 1, 2, 3]},
        {"iscrowd": "many"},
        {"iscrowd": 3},
    ],
)
def test_unusable_labels_are_dropped_one_by_one(tmp_path: Path, changes: dict[str, Any]) -> None:
    """The good one beside it stays."""
    labels = read(write(tmp_path, document(annotations=[label(), label(id=2, **changes)])))
    assert only(labels).id == 1
    assert reasons(labels) == {"label cannot be read"}


def test_a_image_that_lost_every_label_is_no_background(tmp_path: Path) -> None:
    """It is dropped and counted."""
    labels = read(write(tmp_path, document(annotations=[label(category_id=7)])))
    assert not labels.samples
    assert reasons(labels) == {"label cannot be read", "no usable label"}


def test_labels_of_unknown_images_are_counted(tmp_path: Path) -> None:
    """An orphan names the id that no image has."""
    labels = read(
        write(tmp_path, document(annotations=[label(), label(id=2, image_id=99), label(id=3, image_id=None)]))
    )
    assert reasons(labels) == {"label of an unknown image", "label cannot be read"}


def test_keypoints_come_with_names_skeleton_and_mirror_pairs(tmp_path: Path) -> None:
    """COCO's skeleton counts from 1, ours from 0; edges to points that do not exist are removed."""
    names = ["nose", "left_eye", "right_eye"]
    category = {"id": 1, "name": "person", "keypoints": names, "skeleton": [[1, 2], [1, 3], [0, 9]]}
    points = [20, 12, 2, 18, 11, 1, 0, 0, 0]
    labels = read(write(tmp_path, document(categories=[category], annotations=[label(keypoints=points)])))
    assert labels.categories == (PERSON,)
    np.testing.assert_array_equal(only(labels).keypoints, np.array(points, dtype=float).reshape(3, 3))
    assert rules(labels) == {"pair of keypoints that do not exist removed"}


@pytest.mark.parametrize("points", [[1, 2], [1, 2, 9], ["a", 1, 2], [float("nan"), 1, 2]])
def test_unreadable_keypoints_are_counted_and_the_box_stays(tmp_path: Path, points: Any) -> None:
    """The object itself is known."""
    labels = read(write(tmp_path, document(annotations=[label(keypoints=points)])))
    assert only(labels).keypoints is None
    assert reasons(labels) == {"keypoints cannot be read"}


def test_simple_extra_values_become_attributes(tmp_path: Path) -> None:
    """Also CVAT's nested ones; lists and NaN do not."""
    extra = {"occluded": True, "track": 4, "odd": [1], "bad": float("nan"), "attributes": {"colour": "red", "x": None}}
    attributes = only(read(write(tmp_path, document(annotations=[label(**extra)])))).attributes
    assert attributes == {"occluded": True, "track": 4, "colour": "red"}


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_fields = ("id", "image_id", "category_id", "bbox", "segmentation", "iscrowd", "keypoints", "attributes")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.dictionaries(st.sampled_from(_fields), _json),
    image=st.dictionaries(st.sampled_from(("id", "file_name", "width", "height")), _json),
    category=st.dictionaries(st.sampled_from(("id", "name", "supercategory", "keypoints", "skeleton")), _json),
    whole=st.dictionaries(st.sampled_from(("images", "annotations", "categories")), _json, max_size=1),
)
def test_whatever_the_json_only_our_errors_come_out(
    tmp_path: Path, data: dict[str, Any], image: dict[str, Any], category: dict[str, Any], whole: dict[str, Any]
) -> None:
    """Wrong types anywhere are dropped, repaired or a SourceError; the good label next to them is never changed."""
    content = document(
        annotations=[{**label(), **data}],
        images=[{**document()["images"][0], **image}],
        categories=[{**document()["categories"][0], **category}],
    )
    with contextlib.suppress(AmpError):
        read(write(tmp_path, {**content, **whole}))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=40), st.integers(0, 300))
def test_whatever_the_bytes_only_our_errors_come_out(tmp_path: Path, noise: bytes, at: int) -> None:
    """Damaged files too."""
    write(tmp_path, document())
    path = tmp_path / "annotations.json"
    good = path.read_bytes()
    path.write_bytes(good[:at] + noise + good[at:] + b' "images" "annotations"')
    with contextlib.suppress(AmpError):
        read(tmp_path)
