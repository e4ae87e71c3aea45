"""Datumaro JSON: every kind of annotation, groups, skeletons as CVAT writes them, and subsets by the files' names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import by_name, read_set, reasons, rules, write_files

from amp_datasets.errors import SourceError
from amp_datasets.geometry import shapes as geometry
from amp_datasets.model import Annotation, Category, LabelSet
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.storage.folder import open_folder

DATUMARO = load_registry().source("datumaro")
LABELS = [{"name": name, "parent": "", "attributes": []} for name in ("cat", "dog")]


def document(items: list[Any], labels: list[Any] = LABELS, **categories: Any) -> str:
    """A whole file."""
    kinds = {"label": {"labels": labels, "label_groups": [], "attributes": []}, **categories}
    return json.dumps({"dm_format_version": "1.0", "media_type": 2, "infos": {}, "categories": kinds, "items": items})


def item(*annotations: Any, path: str = "a.jpg", name: str = "a") -> dict[str, Any]:
    """One image of 64x48."""
    return {"id": name, "annotations": list(annotations), "attr": {"id": 1}, "image": {"path": path, "size": [48, 64]}}


def shape(kind: str, label: int | None = 0, group: int = 0, **more: Any) -> dict[str, Any]:
    """One annotation as Datumaro 1.13 writes it."""
    return {"id": 1, "type": kind, "attributes": {}, "group": group, "label_id": label, "z_order": 0, **more}


def one(folder: Path, *annotations: Any, **more: Any) -> Path:
    """A set of one image."""
    files = {"images/default/a.jpg": "", "annotations/default.json": document([item(*annotations)], **more)}
    return write_files(folder, files)


def found(labels: LabelSet) -> list[Annotation]:
    """The labels of the only image."""
    (sample,) = labels.samples
    return list(sample.annotations)


BOX = shape("bbox", bbox=[2.0, 3.0, 20.0, 10.5])


def test_boxes_are_corner_and_size_at_pixel_edges(tmp_path: Path) -> None:
    """As it is written; `occluded: false` is no attribute, a crowd is one by its attribute."""
    crowd = shape("bbox", 1, bbox=[1, 1, 5, 5], attributes={"is_crowd": True, "occluded": False, "colour": "red"})
    labels = read_set(DATUMARO, one(tmp_path, BOX, crowd))
    assert [(a.category, a.xyxy, a.iscrowd) for a in found(labels)] == [
        ("cat", (2.0, 3.0, 22.0, 13.5), False),
        ("dog", (1, 1, 6, 6), True),
    ]
    assert found(labels)[1].attributes == {"colour": "red"}


def test_masks_are_cocos_run_lengths(tmp_path: Path) -> None:
    """Datumaro 1.13 reads this text as 246 pixels: rows 10 to 19, columns 5 to 29, without 2x2 of them."""
    counts = "j7:V100HlN4T1LlN4T140000000000000000000000000000000000000000fb1"
    labels = read_set(DATUMARO, one(tmp_path, shape("mask", rle={"counts": counts, "size": [48, 64]})))
    (mask,) = [a.mask for a in found(labels)]
    expected = np.zeros((48, 64), dtype=np.bool_)
    expected[10:20, 5:30] = True
    expected[12:14, 7:9] = False
    assert mask is not None
    np.testing.assert_array_equal(geometry.decode_mask(mask), expected)


def test_ellipses_and_turned_boxes(tmp_path: Path) -> None:
    """An ellipse is given by its box; a turned box by centre, size and degrees."""
    ellipse = shape("ellipse", points=[10.0, 10.0, 30.0, 20.0])
    turned = shape("rotated_bbox", points=[30.0, 25.0, 20.0, 10.0, 30.0])
    labels = read_set(DATUMARO, one(tmp_path, ellipse, turned))
    assert found(labels)[0].xyxy == (10, 10, 30, 20)
    np.testing.assert_allclose(found(labels)[1].xyxy, (18.8397, 15.6699, 41.1603, 34.3301), atol=1e-4)
    assert rules(labels) == {"ellipse read as a polygon"}


def test_shapes_of_one_group_and_label_are_one_object(tmp_path: Path) -> None:
    """Polygons are parts; points belong to the box of their group."""
    parts = [shape("polygon", group=1, points=p) for p in ([1, 1, 9, 1, 9, 9], [20, 20, 30, 20, 30, 30])]
    points = shape("points", 1, group=2, points=[5, 5, 0, 0, 9, 9], visibility=[2, 0, 1])
    box = shape("bbox", 1, group=2, bbox=[1, 1, 20, 20])
    named = {"items": [{"label_id": 1, "labels": ["a", "b", "c"], "joints": [[1, 2], [1, 9]], "positions": []}]}
    labels = read_set(DATUMARO, one(tmp_path, *parts, points, box, points=named))
    assert [(a.category, len(a.polygons), a.xyxy) for a in found(labels)] == [
        ("cat", 2, (1, 1, 30, 30)),
        ("dog", 0, (1, 1, 21, 21)),
    ]
    np.testing.assert_array_equal(found(labels)[1].keypoints, [(5, 5, 2), (0, 0, 0), (9, 9, 1)])
    assert labels.categories[1] == Category("dog", "", ("a", "b", "c"), ((0, 1),))


def test_skeletons_of_cvat_have_keypoints_with_labels_of_their_own(tmp_path: Path) -> None:
    """These labels are no classes; a class whose parent is a class otherwise is one."""
    names = [{"name": n, "parent": p} for n, p in (("person", "person"), ("nose", "person"), ("eye", "person"))]
    names.append({"name": "child", "parent": "person"})
    elements = [
        {"type": "points", "label_id": 2, "points": [20.0, 30.0], "visibility": [1]},
        {"type": "points", "label_id": 1, "points": [10.0, 12.0], "visibility": [2]},
    ]
    labels = read_set(DATUMARO, one(tmp_path, shape("skeleton", elements=elements), labels=names))
    assert [(c.name, c.keypoints) for c in labels.categories] == [("person", ("nose", "eye")), ("child", ())]
    np.testing.assert_array_equal(found(labels)[0].keypoints, [(10, 12, 2), (20, 30, 1)])
    assert found(labels)[0].xyxy == (10, 12, 20, 30)


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        (shape("label"), "kind of label is not read"),
        (shape("caption", caption="a cat"), "kind of label is not read"),
        (shape("cuboid_3d", position=[0, 0, 0]), "kind of label is not read"),
        (shape("polyline", points=[1, 1, 9, 9]), "shape has no area"),
        (shape("polygon", points=[1, 1, 9, 9]), "label cannot be read"),
        (shape("bbox", bbox=[1, 1, None, 9]), "label cannot be read"),
        (shape("bbox", 7, bbox=[1, 1, 9, 9]), "label cannot be read"),
        (shape("bbox", None, bbox=[1, 1, 9, 9]), "label cannot be read"),
        (shape("mask", rle={"counts": "1", "size": [48, 64]}), "label cannot be read"),
        (shape("points", points=[1, 1], visibility=[2, 2]), "label cannot be read"),
        (shape("sphere", points=[1, 1, 9, 9, 3, 4]), "label cannot be read"),
        (None, "label cannot be read"),
    ],
)
def test_what_cannot_be_a_label_is_counted(annotation: Any, reason: str, tmp_path: Path) -> None:
    """One that is lost leaves the others of its image."""
    labels = read_set(DATUMARO, one(tmp_path, annotation, BOX))
    assert reasons(labels) == {reason}
    assert len(found(labels)) == 1


def test_the_files_name_is_the_subset(tmp_path: Path) -> None:
    """Images of one name in two subsets are apart; older versions have no folders for them."""
    files: dict[str, str | bytes] = {f"images/{subset}/a.jpg": "" for subset in ("train", "val")} | {"images/b.jpg": ""}
    for number, subset in enumerate(("train", "val", "test")):
        annotation = shape("bbox", bbox=[number, 0, 20, 20])
        path = "b.jpg" if subset == "test" else "a.jpg"
        files[f"annotations/{subset}.json"] = document([item(annotation, path=path)])
    labels = read_set(DATUMARO, write_files(tmp_path, files))
    assert {(s.source_id, s.split, s.annotations[0].xyxy[0]) for s in labels.samples} == {
        ("images/train/a.jpg", "train", 0.0),
        ("images/val/a.jpg", "validation", 1.0),
        ("images/b.jpg", "test", 2.0),
    }


def test_items_without_annotations_are_empty(tmp_path: Path) -> None:
    """And one with a class of the whole image has no objects either; a file that no item names was never labelled."""
    items = [item(), item(shape("label"), path="b.jpg", name="b")]
    files = {f"images/train/{name}.jpg": "" for name in "abc"} | {"annotations/train.json": document(items)}
    labels = by_name(read_set(DATUMARO, write_files(tmp_path, files)))
    assert {name: sample.labelled for name, sample in labels.items()} == {"a.jpg": True, "b.jpg": True, "c.jpg": False}


@pytest.mark.parametrize("entry", [None, {}, {"id": "a"}, {"id": "a", "point_cloud": {"path": "a.pcd"}}, 5])
def test_items_that_are_no_image_are_counted(entry: Any, tmp_path: Path) -> None:
    """Point clouds and nonsense."""
    write_files(tmp_path, {"images/train/a.jpg": "", "annotations/train.json": document([entry, item(BOX)])})
    labels = read_set(DATUMARO, tmp_path)
    assert reasons(labels) == {"entry has no image or no list of annotations"}
    assert len(found(labels)) == 1


def test_detection_is_by_the_paths_of_the_json(tmp_path: Path) -> None:
    """COCO's categories are a list; a text with the words is no JSON."""
    coco = json.dumps({"items": [], "categories": [{"id": 1, "name": "cat"}]})
    folder = write_files(tmp_path, {"a.json": coco, "b.json": 'dm_format_version "categories" "items"'})
    assert DATUMARO.detect(open_folder(folder)) is None
    with pytest.raises(SourceError, match="list `items`"):
        read_set(DATUMARO, write_files(tmp_path, {"c.json": '{"dm_format_version": "1.0", "categories": {}}'}))


def test_labels_are_classes_of_images_where_there_are_no_shapes(tmp_path: Path) -> None:
    """A set for classification."""
    labels = read_set(DATUMARO, one(tmp_path, shape("label", 1), shape("caption", caption="a dog")))
    assert [sample.labels for sample in labels.samples] == [("dog",)]
    assert reasons(labels) == {"kind of label is not read"}
