"""COCO files whose labels are not what the format says: what the whole file proves is read, and said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coco_sets import SIZE, SQUARE, document, label, only, read, reasons, rules, write, write_image
from pycocotools import mask as coco_mask

from amp_datasets.audit.rules import of_reading
from amp_datasets.errors import SourceError
from amp_datasets.geometry import shapes as geometry
from amp_datasets.model import LabelSet

CORNERS = [10, 10, 30, 25]


def warned(labels: LabelSet) -> set[str]:
    """The rules of `amp check` that fail the set."""
    return {each.rule for each in of_reading([*labels.dropped, *labels.repairs]) if each.severity != "note"}


def run_lengths(x0: int, y0: int, x1: int, y1: int, *, compressed: bool = True) -> dict[str, Any]:
    """A filled rectangle as COCO's run lengths."""
    pixels = np.zeros((SIZE[1], SIZE[0]), dtype=np.uint8, order="F")
    pixels[y0:y1, x0:x1] = 1
    packed = coco_mask.encode(pixels)
    text = {"size": list(packed["size"]), "counts": packed["counts"].decode()}
    if compressed:
        return text
    runs, last = [0], 0
    for value in pixels.ravel(order="F").tolist():
        if value != last:
            runs.append(0)
            last = value
        runs[-1] += 1
    return {"size": text["size"], "counts": runs}


def test_areas_uncover_corners(tmp_path: Path) -> None:
    """A box of [x0, y0, x1, y1] whose area is that of corners is read so, and `amp check` fails with the option."""
    write(tmp_path, document(annotations=[label(bbox=CORNERS)]))
    labels = read(tmp_path)
    assert only(labels).xyxy == (10, 10, 30, 25)
    assert warned(labels) == {"AMP520"}
    assert only(read(tmp_path, boxes="xyxy")).xyxy == (10, 10, 30, 25)
    assert not warned(read(tmp_path, boxes="xyxy"))
    assert only(read(tmp_path, boxes="xywh")).xyxy == (10, 10, 40, 35)


def test_outlines_uncover_corners(tmp_path: Path) -> None:
    """The area is the outline's own there, and proves nothing; its extent does."""
    entries = [label(id=i, bbox=CORNERS, segmentation=[SQUARE], area=7) for i in (1, 2)]
    write(tmp_path, document(annotations=entries[:1]))
    assert only(read(tmp_path)).xyxy == (10, 10, 30, 25)
    assert "AMP520" in warned(read(tmp_path))


def test_areas_of_outlines_prove_nothing_about_boxes(tmp_path: Path) -> None:
    """A plain COCO file is read without a word, also where its areas are those of outlines."""
    outline = [10, 10, 30, 10, 10, 25]
    write(tmp_path, document(annotations=[label(segmentation=[outline], area=150), label(id=2, area=299.9)]))
    assert not warned(read(tmp_path))


@pytest.mark.parametrize("shares", [[0.15625, 0.2083333, 0.3125, 0.3125], [0.15625, 0.2083333, 0.9, 0.7]])
def test_shares_of_the_image_are_told(shares: list[float], tmp_path: Path) -> None:
    """Numbers within 0 and 1 are no pixels: read as shares, and said."""
    write(tmp_path, document(annotations=[label(bbox=shares, area=None)]))
    labels = read(tmp_path, boxes="xywh")
    assert only(labels).xyxy[:2] == pytest.approx((10, 10), abs=1e-3)
    assert warned(read(tmp_path)) & {"AMP520", "AMP521"}


@pytest.mark.parametrize("angle", [45.0, -30, "90", 405])
def test_a_rotation_turns_the_box(angle: Any, tmp_path: Path) -> None:
    """CVAT writes the upright box and the angle beside it, clockwise on screen; the corners are those of OpenCV's."""
    import cv2

    write(tmp_path, document(annotations=[label(attributes={"rotation": angle, "occluded": False})]))
    labels = read(tmp_path)
    annotation = only(labels)
    assert annotation.corners is not None
    expected = cv2.boxPoints(((20.0, 17.5), (20.0, 15.0), float(angle)))
    apart = np.linalg.norm(annotation.corners[:, None] - expected[None], axis=2)
    assert apart.min(axis=0).max() < 1e-3
    assert apart.min(axis=1).max() < 1e-3
    assert annotation.attributes == {"occluded": False}
    assert rules(labels) >= {"box turned by its rotation"}


@pytest.mark.parametrize(
    "entry",
    [
        {"attributes": {"rotation": 0.0}},
        {"attributes": {"rotation": 360}},
        {"attributes": {"rotation": "none"}},
        {"attributes": {"rotation": 30}, "segmentation": [[10, 12, 28, 10, 30, 25]]},
        {"attributes": {"rotation": 30}, "segmentation": run_lengths(10, 10, 30, 25)},
    ],
)
def test_no_rotation_where_there_is_none_or_the_outline_shows_it(entry: dict[str, Any], tmp_path: Path) -> None:
    """An angle of nothing, or an outline that is not the box itself."""
    write(tmp_path, document(annotations=[label(**entry)]))
    assert only(read(tmp_path)).corners is None


def test_an_outline_that_is_the_box_turns_with_it(tmp_path: Path) -> None:
    """The four corners of the upright box as outline say nothing of the object."""
    write(tmp_path, document(annotations=[label(segmentation=[SQUARE], attributes={"rotation": 30})]))
    annotation = only(read(tmp_path))
    assert annotation.corners is not None
    assert not annotation.polygons


@pytest.mark.parametrize(
    "outline",
    [
        [run_lengths(10, 10, 30, 25)],
        [run_lengths(10, 10, 30, 25, compressed=False)],
        [run_lengths(10, 10, 20, 25), run_lengths(20, 10, 30, 25)],
        [run_lengths(10, 10, 20, 25), [20, 10, 30, 10, 30, 25, 20, 25]],
    ],
)
def test_run_lengths_in_a_list_are_a_mask(outline: list[Any], tmp_path: Path) -> None:
    """One or several, with rings between them: the pixels that any of them covers."""
    write(tmp_path, document(annotations=[label(segmentation=outline)]))
    labels = read(tmp_path)
    mask = only(labels).mask
    assert mask is not None
    assert (geometry.mask_area(mask), geometry.mask_box(mask)) == (300, (10, 10, 30, 25))
    assert not labels.dropped


def test_run_lengths_of_two_sizes_are_an_outline_less_and_said(tmp_path: Path) -> None:
    """The label keeps its box."""
    other = {"size": [10, 10], "counts": [0, 100]}
    write(tmp_path, document(annotations=[label(segmentation=[run_lengths(10, 10, 30, 25), other])]))
    labels = read(tmp_path)
    assert only(labels).mask is None
    assert reasons(labels) == {"outline cannot be read"}


def test_masks_that_are_all_crowds_are_objects(tmp_path: Path) -> None:
    """CVAT marks every mask as a crowd, which trainers leave out: read as objects, and said; an option settles it."""
    masks = [
        label(id=1, segmentation=run_lengths(10, 10, 30, 25), iscrowd=1),
        label(id=2, segmentation=run_lengths(40, 10, 50, 25), bbox=[40, 10, 10, 15], iscrowd=1),
    ]
    write(tmp_path, document(annotations=masks))
    assert [a.iscrowd for a in read(tmp_path).samples for a in a.annotations] == [False, False]
    assert warned(read(tmp_path)) == {"AMP522"}
    for option, crowds in (("keep", [True, True]), ("objects", [False, False])):
        labels = read(tmp_path, crowds=option)
        assert [a.iscrowd for s in labels.samples for a in s.annotations] == crowds
        assert not warned(labels)
    write(tmp_path, document(annotations=[masks[0], {**masks[1], "iscrowd": 0}]))
    assert [a.iscrowd for s in read(tmp_path).samples for a in s.annotations] == [True, False]


@pytest.mark.parametrize(("value", "expected"), [("false", False), ("true", True), ("0", False), ("True", True)])
def test_iscrowd_may_be_a_word(value: str, expected: bool, tmp_path: Path) -> None:
    """As tools write it that turn everything into text."""
    write(tmp_path, document(annotations=[label(iscrowd=value)]))
    assert only(read(tmp_path)).iscrowd is expected


def test_one_name_of_two_categories_is_joined_and_said(tmp_path: Path) -> None:
    """Under two supercategories too."""
    categories = [{"id": i, "name": "other", "supercategory": above} for i, above in ((1, "car"), (2, "sign"))]
    boxes = [label(), label(id=2, category_id=2, bbox=[40, 10, 10, 15], area=150)]
    write(tmp_path, document(categories=categories, annotations=boxes))
    labels = read(tmp_path)
    assert [c.name for c in labels.categories] == ["other"]
    assert len(labels.samples[0].annotations) == 2
    assert warned(labels) == {"AMP207"}


def test_categories_without_a_list_are_called_by_number(tmp_path: Path) -> None:
    """No label is lost, and that the names are made up is a warning."""
    write(tmp_path, document(categories=[], annotations=[label(category_id=7)]))
    assert only(read(tmp_path)).category == "class_7"
    assert warned(read(tmp_path)) == {"AMP208"}


@pytest.mark.parametrize(("categories", "name"), [([], "object"), ([{"id": 1, "name": "cat"}], "cat")])
def test_labels_without_a_category_are_of_one_class(categories: list[Any], name: str, tmp_path: Path) -> None:
    """That of the only category, else one called as the option says; where others have one it is an error."""
    write(tmp_path, document(categories=categories, annotations=[label(category_id=None)]))
    assert only(read(tmp_path)).category == name
    assert warned(read(tmp_path)) == {"AMP208"}
    write(tmp_path, document(annotations=[label(), label(id=2, category_id=None)]))
    assert reasons(read(tmp_path)) == {"label cannot be read"}


def task_files(root: Path) -> Path:
    """COCO's own set of files: objects, and beside them every other task."""
    image = {"id": 2, "file_name": "b.jpg", "width": SIZE[0], "height": SIZE[1]}
    images = [*document()["images"], image]
    write_image(root / "b.jpg")
    write(root, document(), "annotations/instances_train.json")
    others: dict[str, Any] = {
        "captions_train": [{"id": 1, "image_id": 1, "caption": "a cat"}],
        "labels_train": [{"id": 1, "image_id": 1, "category_id": 1}],
        "panoptic_train": [{"image_id": 1, "file_name": "a.png", "segments_info": [{"id": 1, "category_id": 1}]}],
        "image_info_train": [],
    }
    for name, entries in others.items():
        write(root, document(images=images, annotations=entries), f"annotations/{name}.json")
    return root


def test_files_of_other_tasks_are_named_and_lose_nothing(tmp_path: Path) -> None:
    """Captions, image labels and panoptic segments are no objects; a list of images makes none of them empty."""
    labels = read(task_files(tmp_path))
    found = {s.source_id: (s.labelled, len(s.annotations), s.split) for s in labels.samples}
    assert found == {"a.jpg": (True, 1, "train"), "b.jpg": (False, 0, "train")}
    named = {d.id.rpartition("/")[2] for d in labels.dropped if d.reason == "label file of another task not read"}
    assert named == {"captions_train.json", "labels_train.json", "panoptic_train.json"}
    assert not warned(labels)


@pytest.mark.parametrize("name", ["captions_train", "labels_train", "panoptic_train"])
def test_a_set_of_another_task_alone_is_refused_by_name(name: str, tmp_path: Path) -> None:
    """Not read as a set without labels."""
    for file in task_files(tmp_path).glob("annotations/*.json"):
        if file.stem != name:
            file.unlink()
    with pytest.raises(SourceError, match="this COCO file has"):
        read(tmp_path)


def test_a_file_without_labels_confirms_empty_images(tmp_path: Path) -> None:
    """Only its absence, or the name of a list of images, leaves them unlabelled."""
    write(tmp_path, document(annotations=[]))
    assert read(tmp_path).samples[0].labelled  # type: ignore[index]
    content = document()
    del content["annotations"]
    (tmp_path / "annotations.json").write_text(json.dumps(content))
    assert not read(tmp_path).samples[0].labelled  # type: ignore[index]
