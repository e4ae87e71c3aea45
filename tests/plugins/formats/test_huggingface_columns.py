"""Rows as well-known sets of the hub have them: other columns, other boxes, the same label."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from datasets import ClassLabel, Dataset, Features, Image, List, Value
from hf_sets import jpeg, read, write_image

from amp_datasets.audit.rules import of_reading
from amp_datasets.model import LabelSet

XYWH, XYXY = [20.0, 10.0, 30.0, 25.0], [20.0, 10.0, 50.0, 35.0]
"""One box in an image of 64x48, in both forms."""
FAR = [40.0, 30.0, 60.0, 44.0]
"""Corners that as sizes would reach out of the image."""
BOX = List(Value("float32"), length=4)


def warned(labels: LabelSet) -> set[str]:
    """The rules of `amp check` that fail the set."""
    return {each.rule for each in of_reading([*labels.dropped, *labels.repairs]) if each.severity != "note"}


def parquet(root: Path, features: dict[str, Any], *rows: dict[str, Any]) -> LabelSet:
    """A set of rows with their images inside, as it is read."""
    (root / "data").mkdir(parents=True)
    types = Features({"image": Image(), **features})
    images = [{"image": {"bytes": jpeg(10 * n), "path": None}, **row} for n, row in enumerate(rows)]
    Dataset.from_list(images, features=types).to_parquet(root / "data/train-00000-of-00001.parquet")
    return read(root)


def found(labels: LabelSet) -> list[list[tuple[str, list[float]]]]:
    """Class and corners of each label of each image."""
    return [[(a.category, list(a.xyxy)) for a in sample.annotations] for sample in labels.samples]


def test_wider_face_has_faces_without_a_class(tmp_path: Path) -> None:
    """The column says what they are."""
    faces = {"bbox": List(BOX), "blur": List(ClassLabel(names=["clear", "heavy"])), "invalid": List(Value("bool"))}
    labels = parquet(tmp_path, {"faces": faces}, {"faces": {"bbox": [XYWH], "blur": [0], "invalid": [False]}})
    assert found(labels) == [[("face", XYXY)]]
    assert not warned(labels)


def test_visual_genome_has_names_and_four_numbers(tmp_path: Path) -> None:
    """x, y, w, h as keys of their own; the first of several names."""
    kind = List(
        {
            "x": Value("int32"),
            "y": Value("int32"),
            "w": Value("int32"),
            "h": Value("int32"),
            "names": List(Value("string")),
            "synsets": List(Value("string")),
            "object_id": Value("int32"),
        }
    )
    entry = {"x": 20, "y": 10, "w": 30, "h": 25, "names": ["tree", "plant"], "synsets": ["tree.n.01"], "object_id": 7}
    labels = parquet(
        tmp_path,
        {"objects": kind, "width": Value("int32"), "height": Value("int32")},
        {"objects": [entry], "width": 64, "height": 48},
    )
    assert found(labels) == [[("tree", XYXY)]]
    assert not warned(labels)


def test_fashionpedia_has_corners(tmp_path: Path) -> None:
    """Told by where the boxes lie, for its areas are those of outlines; said, and settled by the option."""
    kind = {
        "bbox_id": List(Value("int64")),
        "category": List(ClassLabel(names=["shirt", "shoe"])),
        "bbox": List(BOX),
        "area": List(Value("int64")),
    }
    rows = [{"objects": {"bbox_id": [1, 2], "category": [0, 1], "bbox": [XYXY, FAR], "area": [500, 200]}}] * 3
    labels = parquet(tmp_path, {"objects": kind}, *rows)
    assert found(labels) == [[("shirt", XYXY), ("shoe", FAR)]] * 3
    assert warned(labels) == {"AMP520"}
    assert not warned(read(tmp_path, boxes="xyxy"))


def test_doclaynet_has_a_list_of_objects(tmp_path: Path) -> None:
    """Each with its segmentation, whose extent is the box, and with `category_id` as type of its names."""
    kind = List(
        {
            "category_id": ClassLabel(names=["Caption", "Table"]),
            "bbox": BOX,
            "area": Value("int64"),
            "segmentation": List(List(Value("float32"))),
            "iscrowd": Value("bool"),
            "precedence": Value("int32"),
        }
    )
    ring = [20, 10, 50, 10, 50, 35, 20, 35]
    entry = {"category_id": 1, "bbox": XYWH, "area": 750, "segmentation": [ring], "iscrowd": False, "precedence": 0}
    labels = parquet(tmp_path, {"objects": kind, "page_no": Value("int32")}, {"objects": [entry], "page_no": 3})
    assert found(labels) == [[("Table", XYXY)]]
    assert not warned(labels)


def test_doclaynet_may_have_columns_of_boxes(tmp_path: Path) -> None:
    """`bboxes` and `category_id` beside each other."""
    types = {
        "bboxes": List(BOX),
        "category_id": List(ClassLabel(names=["Caption", "Table"])),
        "area": List(Value("float32")),
    }
    labels = parquet(tmp_path, types, {"bboxes": [XYWH, [1, 2, 10, 10]], "category_id": [1, 0], "area": [750, 100]})
    assert found(labels) == [[("Table", XYXY), ("Caption", [1, 2, 11, 12])]]
    assert not warned(labels)


def test_cppe_5_is_the_hubs_own_example(tmp_path: Path) -> None:
    """Read without a word."""
    kind = {
        "id": List(Value("int64")),
        "area": List(Value("int64")),
        "bbox": List(BOX),
        "category": List(ClassLabel(names=["Coverall", "Mask"])),
    }
    row = {"objects": {"id": [1, 2], "area": [750, 100], "bbox": [XYWH, [1, 2, 10, 10]], "category": [0, 1]}}
    labels = parquet(tmp_path, {"objects": kind, "image_id": Value("int64")}, {**row, "image_id": 5})
    assert found(labels) == [[("Coverall", XYXY), ("Mask", [1, 2, 11, 12])]]
    assert not warned(labels)


def metadata(root: Path, *rows: dict[str, Any]) -> Path:
    """An image folder with metadata."""
    for row in rows:
        write_image(root / row["file_name"])
    (root / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return root


def test_shares_by_their_centre(tmp_path: Path) -> None:
    """As YOLO rows are copied into metadata; boxes at the border tell which reading it is."""
    centres = [[0.5, 0.5, 0.25, 0.5], [0.05, 0.05, 0.1, 0.1], [0.95, 0.95, 0.1, 0.1]]
    rows = [{"file_name": f"{n}.jpg", "objects": {"bbox": [box], "category": ["cat"]}} for n, box in enumerate(centres)]
    labels = read(metadata(tmp_path, *rows))
    boxes = [box for sample in found(labels) for _, box in sample]
    assert boxes[0] == pytest.approx([24, 12, 40, 36])
    assert boxes[2] == pytest.approx([57.6, 43.2, 64, 48])
    assert warned(labels) == {"AMP520"}
    assert not warned(read(tmp_path, boxes="cxcywh"))


@pytest.mark.parametrize("area", [True, False])
def test_corners_in_metadata_are_found_or_doubted(area: bool, tmp_path: Path) -> None:
    """An area proves them; without one, boxes that could be both are a warning."""
    corners = [[10, 10, 24, 22], [12, 9, 20, 18]] * 3
    areas = [(c - a) * (d - b) for a, b, c, d in corners]
    rows = [
        {
            "file_name": f"{n}.jpg",
            "objects": {"bbox": [box], "category": ["cat"], **({"area": [areas[n]]} if area else {})},
        }
        for n, box in enumerate(corners)
    ]
    labels = read(metadata(tmp_path, *rows))
    assert warned(labels) == {"AMP520" if area else "AMP521"}
    assert (found(labels)[0][0][1] == corners[0]) is area
    assert found(read(tmp_path, boxes="xyxy"))[0][0][1] == corners[0]


def test_a_name_wins_over_a_number(tmp_path: Path) -> None:
    """Where an object has both; numbers alone are a warning, which `names` settles."""
    row = {"file_name": "a.jpg", "objects": [{"bbox": XYWH, "category_id": 3, "label": "bolt"}]}
    assert found(read(metadata(tmp_path / "both", row))) == [[("bolt", XYXY)]]
    folder = metadata(tmp_path / "one", {"file_name": "a.jpg", "objects": [{"bbox": XYWH, "category_id": 1}]})
    assert warned(read(folder)) == {"AMP208"}
    assert found(read(folder, names=["nut", "bolt"])) == [[("bolt", XYXY)]]


@pytest.mark.parametrize(
    "row",
    [
        {"bbox": [XYWH], "labels": ["bolt"]},
        {"bboxes": [XYWH], "category": ["bolt"]},
        {"bbox": XYWH, "label": "bolt"},
        {"objects": json.dumps([{"bbox": XYWH, "label": "bolt"}])},
        {"objects": {"bbox": [{"x": 20, "y": 10, "width": 30, "height": 25}], "category": ["bolt"]}},
        {"annotations": [{"xmin": 20, "ymin": 10, "xmax": 50, "ymax": 35, "class": "bolt"}]},
    ],
)
def test_one_label_in_many_shapes(row: dict[str, Any], tmp_path: Path) -> None:
    """Columns of their own, a map of lists, a list of maps, text of JSON, numbers under keys of their own."""
    labels = read(metadata(tmp_path, {"file_name": "a.jpg", **row}))
    assert found(labels) == [[("bolt", XYXY)]]
    assert not warned(labels)
