"""YOLO sets with the habits and mistakes of the tools that write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from amp_plugins.formats.yolo.data_yaml import quoted
from builders import by_name, read_set, reasons, rules, write_files, write_image
from hypothesis import given
from hypothesis import strategies as st

from amp_datasets.errors import SourceError
from amp_datasets.formats.kit.yolo_rows import box_text
from amp_datasets.geometry import shapes as geometry
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.storage.folder import open_folder

YOLO = load_registry().source("yolo")
ROW = "0 0.5 0.5 0.25 0.5\n"
BOX = (24.0, 12.0, 40.0, 36.0)
"""ROW in an image of 64x48."""
YAML = "train: images/train\nval: images/val\nnames: [cat, dog]\n"


def one(folder: Path, label: str | bytes, yaml: str = YAML) -> Path:
    """A set of one image with a label file."""
    return write_files(
        folder, {"data.yaml": yaml, "images/train/a.jpg": "", "images/val/v.jpg": "", "labels/train/a.txt": label}
    )


def test_centre_and_size_become_pixel_edges(tmp_path: Path) -> None:
    """A hand-computed box."""
    labels = read_set(YOLO, one(tmp_path, ROW))
    (annotation,) = by_name(labels)["a.jpg"].annotations
    assert (annotation.category, annotation.xyxy) == ("cat", BOX)


@pytest.mark.parametrize("names", ["[no, yes]", "{0: no, 1: yes}", '{"1": yes, "0": no}', "no, yes"])
def test_names_stay_text(names: str, tmp_path: Path) -> None:
    """A class may be called `no`, in each shape that `names` has."""
    labels = read_set(YOLO, one(tmp_path, ROW, f"train: images/train\nval: images/val\nnames: {names}\n"))
    assert [c.name for c in labels.categories] == ["no", "yes"]


@pytest.mark.parametrize(
    ("yaml", "fault"),
    [
        ("names: [a]\nnc: 2\ntrain: x\n", "`nc` is 2"),
        ("names: [a\ntrain: x\n", "not YAML"),
        ("names: {a: b}\ntrain: x\n", "not numbers"),
        ("names: {-1: b}\ntrain: x\n", "not class numbers"),
        ("names: [[a]]\ntrain: x\n", "neither a list"),
        (f"nc: {'9' * 31}\ntrain: x\n", "no number"),
        (f"train: x\nnames: {'[' * 5000}", "not YAML"),
        ("names: [a]\ntrain: x\nkpt_shape: [3, 9]\n", "kpt_shape"),
    ],
)
def test_an_untrustworthy_yaml_refuses_the_set(yaml: str, fault: str, tmp_path: Path) -> None:
    """Where the classes cannot be told, nothing is read."""
    with pytest.raises(SourceError, match=fault):
        read_set(YOLO, one(tmp_path, ROW, yaml))


def test_download_is_never_executed(tmp_path: Path) -> None:
    """The trainer would run it; we do not look at it."""
    bait = tmp_path / "bait"
    yaml = f"{YAML}download: |\n  open({str(bait)!r}, 'w')\n"
    assert read_set(YOLO, one(tmp_path / "set", ROW, yaml)).samples
    assert not bait.exists()


@pytest.mark.parametrize(
    "yaml",
    [
        "train: ../train/images\nval: ../valid/images\nnames: [cat]\n",
        "train: train/images\nvalid: valid/images\nnames: [cat]\n",
        "path: /content/datasets/thing\ntrain: train/images\nvalidation: valid/images\nnames: [cat]\n",
        "path: .\ntrain: ./train/images/\nval: [valid/images]\nnc: 1\n",
        "train: C:\\sets\\thing\\train\\images\nval: C:\\sets\\thing\\valid\\images\nnames: {0: cat}\n",
        "train: /elsewhere/thing/train/images\nval: valid\nnames: [cat]\n",
    ],
)
def test_splits_are_found_beside_the_yaml(yaml: str, tmp_path: Path) -> None:
    """Roboflow's `../`, absolute and Windows paths, lists and missing folders all mean the set's own folders."""
    write_files(tmp_path, {"train/images/decoy.jpg": "", "valid/images/decoy.jpg": ""})
    files = {"train/images/a.jpg": "", "train/labels/a.txt": ROW, "valid/images/v.jpg": "", "valid/labels/v.txt": ROW}
    labels = read_set(YOLO, write_files(tmp_path / "set", {"data.yaml": yaml, **files}))
    assert {s.source_id: s.split for s in labels.samples} == {
        "train/images/a.jpg": "train",
        "valid/images/v.jpg": "validation",
    }


def test_a_folder_above_the_yaml_is_only_meant_if_there_is_none_beside_it(tmp_path: Path) -> None:
    """`../first` is the folder beside the file, not the decoy above it; where there is none, it is the one above."""
    yaml = "train: ../first/images\nval: ../second/images\nnames: [cat]\n"
    files = {
        "first/images/decoy.jpg": "",
        "set/first/images/a.jpg": "",
        "second/images/b.jpg": "",
        "set/data.yaml": yaml,
    }
    labels = read_set(YOLO, write_files(tmp_path, files))
    assert {s.source_id: s.split for s in labels.samples} == {
        "first/images/decoy.jpg": None,
        "second/images/b.jpg": "validation",
        "set/first/images/a.jpg": "train",
    }


def test_folders_named_otherwise_get_the_yaml_split(tmp_path: Path) -> None:
    """The split is what the yaml says, not what a folder is called; a list file works too; a missing one is noted."""
    files = {
        "data.yaml": "train: [first, second]\nval: lists/val.txt\ntest: nowhere\nnames: [cat]\n",
        "first/a.jpg": "",
        "first/a.txt": ROW,
        "second/b.jpg": "",
        "second/b.txt": ROW,
        "train/c.jpg": "",
        "train/c.txt": ROW,
        "lists/val.txt": "./../train/c.jpg\r\n\r\nmissing.jpg\n",
    }
    labels = read_set(YOLO, write_files(tmp_path, files))
    assert {s.source_id: s.split for s in labels.samples} == {
        "first/a.jpg": "train",
        "second/b.jpg": "train",
        "train/c.jpg": "validation",
    }
    assert reasons(labels) == {"image is missing"}
    assert rules(labels) == {"split without a folder ignored"}


def test_one_folder_for_all_splits_is_no_split(tmp_path: Path) -> None:
    """`train` and `val` of the same folder say nothing, and no image is doubled."""
    files = {"data.yaml": "train: images\nval: images\nnames: [cat]\n", "images/a.jpg": "", "labels/a.txt": ROW}
    labels = read_set(YOLO, write_files(tmp_path, files))
    assert [s.split for s in labels.samples] == [None]
    assert rules(labels) == {"all splits are the same folder: read as not split"}


@pytest.mark.parametrize(
    ("files", "names"),
    [
        ({"classes.txt": "cat\r\ndog\r\n"}, ["cat", "dog"]),
        ({"labels/classes.txt": "\ufeffcat\n\u00fcber hund\n"}, ["cat", "über hund"]),
        ({"obj.names": "cat\n"}, ["cat"]),
        ({}, ["class_0", "class_1"]),
    ],
)
def test_bare_folders(files: dict[str, str], names: list[str], tmp_path: Path) -> None:
    """Without a data.yaml the names come from a list of classes, else they are numbers."""
    files = {"images/a.jpg": "", "labels/a.txt": ROW + ("1 .5 .5 .1 .1" if not files else ""), **files}
    labels = read_set(YOLO, write_files(tmp_path, files))
    assert [c.name for c in labels.categories] == names
    assert labels.samples
    detection = YOLO.detect(open_folder(tmp_path))
    assert detection is not None
    assert detection.certainty == 60


@pytest.mark.parametrize(
    ("label", "why"),
    [
        ("7 .5 .5 .1 .1", "class id is out of range"),
        ("-1 .5 .5 .1 .1", "class id is out of range"),
        ("0.5 .5 .5 .1 .1", "class id is out of range"),
        (f"{'9' * 400} .5 .5 .1 .1", "class id is not a number"),
        ("nan .5 .5 .1 .1", "class id is not a number"),
        ("cat .5 .5 .1 .1", "class id is not a number"),
        ("0 nan .5 .1 .1", "row has a value that is not a finite number"),
        ("0 1e999 .5 .1 .1", "row has a value that is not a finite number"),
        ("0 x .5 .1 .1", "row has a value that is not a number"),
        ("0 320 240 64 48", "coordinates are not shares of the image"),
        ("0 .5 .5 .1", "row has a wrong number of values"),
        ("0 .5 .5 .1 .1 .9", "row has a wrong number of values"),
        ("0 .1 .1 .2 .2 .3 .3 .4", "row has a wrong number of values"),
        ("0 .5 .5 0 .1", "box has no area"),
        ("0 .5 .5 -.1 .1", "box has a negative width or height"),
    ],
)
def test_a_bad_row_is_dropped_alone(label: str, why: str, tmp_path: Path) -> None:
    """A row that cannot be used is counted; the rows beside it stay. (The trainer would drop the image.)"""
    labels = read_set(YOLO, one(tmp_path, ROW + label + "\n"))
    assert [a.xyxy for a in by_name(labels)["a.jpg"].annotations] == [BOX]
    assert reasons(labels) == {why}


@pytest.mark.parametrize(
    "label",
    [ROW.encode("utf-16"), b"\xef\xbb\xbf" + ROW.encode(), b"\r\n0.0  .5\t.5 .25 5e-1 \r\n\r\n", b"0 .5 .5 .25 .5"],
)
def test_odd_encodings_and_spaces_are_understood(label: bytes, tmp_path: Path) -> None:
    """Byte order marks, UTF-16, Windows line ends, tabs, blank lines, floats as class numbers."""
    labels = read_set(YOLO, one(tmp_path, label))
    assert [a.xyxy for a in by_name(labels)["a.jpg"].annotations] == [BOX]


def test_repairs_are_counted(tmp_path: Path) -> None:
    """Repeated rows, commas, boxes a little outside."""
    labels = read_set(YOLO, one(tmp_path, f"{ROW}{ROW}1,0.95,0.5,0.2,0.2\n"))
    assert [a.category for a in by_name(labels)["a.jpg"].annotations] == ["cat", "dog"]
    assert by_name(labels)["a.jpg"].annotations[1].xyxy[2] == 64.0
    assert rules(labels) == {
        "duplicate label removed",
        "commas between values read as spaces",
        "box clipped to the image",
        "split without one label file",
    }


def test_mixed_rows_are_read_one_by_one(tmp_path: Path) -> None:
    """A box stays a box beside a polygon, whose repeated closing point goes."""
    labels = read_set(YOLO, one(tmp_path, ROW + "1 .1 .1 .5 .1 .5 .9 .1 .1\n"))
    box, outline = by_name(labels)["a.jpg"].annotations
    assert (box.xyxy, box.polygons) == (BOX, ())
    assert len(outline.polygons[0].exterior) == 3
    assert rules(labels) - {"split without one label file"} == {
        "box and polygon rows in one file",
        "repeated polygon point removed",
    }


def test_empty_is_not_unlabelled(tmp_path: Path) -> None:
    """An empty label file confirms an empty image; a missing one says nothing."""
    labels = read_set(YOLO, one(tmp_path, " \r\n"))
    assert {name: (s.labelled, s.annotations) for name, s in by_name(labels).items()} == {
        "a.jpg": (True, ()),
        "v.jpg": (False, ()),
    }


def test_readme_text_is_no_class_and_no_label(tmp_path: Path) -> None:
    """Lines of a README among the names lose their labels, and no other class moves."""
    lines = [
        "- collaborate with your team on computer vision projects",
        "This dataset was exported via roboflow.com on March 23- 2022 at 5-03 AM GMT",
        "Provided by a Roboflow user",
        "No image augmentation techniques were applied.",
    ]
    yaml = "train: images/train\nval: images/val\nnames:\n" + "".join(f"- '{n}'\n" for n in [*lines, "cat"])
    one(tmp_path, f"{ROW}4 .5 .5 .25 .5\n", yaml)
    write_files(tmp_path, {"README.roboflow.txt": "0 .5 .5 .1 .1", "README.dataset.txt": "https://x", "readme.jpg": ""})
    labels = read_set(YOLO, tmp_path)
    assert [c.name for c in labels.categories] == ["cat"]
    assert [a.category for a in by_name(labels)["a.jpg"].annotations] == ["cat"]
    assert not by_name(labels)["readme.jpg"].labelled
    assert sum(item.reason == "class name is not usable" for item in labels.dropped) == 5


def test_one_name_in_two_folders_and_odd_names(tmp_path: Path) -> None:
    """The same name in two splits, upper-case endings, spaces, brackets, accents in two forms, percent signs."""
    files: dict[str, str | bytes] = {"data.yaml": YAML}
    for split, label in (("train", ROW), ("val", "1 .5 .5 .5 .5\n")):
        for stem in ("same", "a b (1)[2]", "100%25", "it's.v2"):
            files |= {f"images/{split}/{stem}.JPG": "", f"labels/{split}/{stem}.TXT": label}
    files |= {"images/train/é.png": "", "labels/train/é.txt": ROW}
    labels = read_set(YOLO, write_files(tmp_path, files))
    assert not labels.dropped
    found = {s.source_id: [a.category for a in s.annotations] for s in labels.samples}
    assert found["images/train/same.JPG"] == ["cat"]
    assert found["images/val/same.JPG"] == ["dog"]
    assert all(found.values())
    assert len(found) == 9


def test_roboflow_copies_form_a_group(tmp_path: Path) -> None:
    """Copies of one image have one group over all splits; others have none."""
    first, second = "a" * 32, "0123456789abcdef" * 2
    files = {
        "data.yaml": YAML,
        f"images/train/x_jpg.rf.{first}.jpg": "",
        f"images/val/x_jpg.rf.{second}.jpg": "",
        "images/val/x_jpg.rf.short.jpg": "",
    }
    labels = read_set(YOLO, write_files(tmp_path, files))
    assert [s.group for s in labels.samples] == ["x_jpg", "x_jpg", None]


def test_shared_and_orphaned_label_files_are_counted(tmp_path: Path) -> None:
    """Two images of one stem share a label file; a label file without an image is a lost image."""
    write_files(tmp_path, {"images/train/a.png": "", "labels/train/gone.txt": ROW, "labels/train/classes.txt": "x"})
    labels = read_set(YOLO, one(tmp_path, ROW))
    assert "two images share one label file" in rules(labels)
    assert [(item.id, item.reason) for item in labels.dropped] == [("labels/train/gone.txt", "image is missing")]


def test_classes_are_noted_not_renumbered(tmp_path: Path) -> None:
    """Unused, repeated and look-alike classes are listed; every number keeps its name."""
    labels = read_set(
        YOLO, one(tmp_path, "4 .5 .5 .25 .5\n", YAML.replace("cat, dog", "Car, car, unused, Car, 'c ar'"))
    )
    assert [c.name for c in labels.categories] == ["Car", "car", "unused", "c ar"]
    assert by_name(labels)["a.jpg"].annotations[0].category == "c ar"
    noted = {(item.rule, item.detail) for item in labels.repairs}
    assert {
        ("class is listed twice", "Car"),
        ("class without labels kept", "unused"),
        ("class names differ only in case or spaces", "Car / car"),
        ("class names differ only in case or spaces", "Car / c ar"),
    } <= noted


def test_labels_refer_to_the_upright_image(tmp_path: Path) -> None:
    """Shares are of the image as shown: a phone photo's sides are swapped."""
    one(tmp_path, ROW)
    write_image(tmp_path / "images/train/a.jpg", (64, 48), orientation=6)
    sample = by_name(read_set(YOLO, tmp_path))["a.jpg"]
    assert sample.size == (48, 64)
    assert sample.annotations[0].xyxy == (18.0, 16.0, 30.0, 48.0)


def test_pose_rows(tmp_path: Path) -> None:
    """Keypoints with and without visibility, their names, and which ones a mirror swaps."""
    three = "kpt_shape: [2, 3]\nflip_idx: [1, 0]\nkpt_names: {0: [left, right]}\n"
    labels = read_set(YOLO, one(tmp_path, "0 .5 .5 .25 .5 .5 .5 2 0 0 0\n", YAML + three))
    assert labels.categories[0].keypoints == ("left", "right")
    assert labels.categories[0].flip_pairs == ((0, 1),)
    np.testing.assert_array_equal(by_name(labels)["a.jpg"].annotations[0].keypoints, [[32, 24, 2], [0, 0, 0]])
    one(tmp_path, "0 .5 .5 .25 .5 .5 .5 -1 -1\n0 .5 .5 .25 .4\n", YAML + "kpt_shape: [2, 2]\n")
    first, second = by_name(read_set(YOLO, tmp_path))["a.jpg"].annotations
    np.testing.assert_array_equal(first.keypoints, [[32, 24, 2], [0, 0, 0]])
    assert second.keypoints is None


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ("0 .5 .25 .75 .5 .5 .75 .25 .5", "polygons"),  # a lozenge in an image of 64x48
        ("0 .5 .1666666667 .75 .5 .5 .8333333333 .25 .5", "corners"),  # a square on its tip
        ("0 .25 .25 .75 .25 .75 .75 .25 .75", "polygons"),
    ],
)
def test_four_points_are_oriented_boxes_only_if_tilted_rectangles(row: str, kind: str, tmp_path: Path) -> None:
    """Nothing in the file says which; `task` decides where the points do not."""
    (found,) = by_name(read_set(YOLO, one(tmp_path, row)))["a.jpg"].annotations
    assert (found.corners is not None) == (kind == "corners")
    (told,) = by_name(read_set(YOLO, tmp_path, task="obb"))["a.jpg"].annotations
    assert told.corners is not None


def test_each_set_of_a_folder_has_its_own_classes(tmp_path: Path) -> None:
    """Two sets side by side, each with a data.yaml or a list of classes in its own order."""
    one(tmp_path / "a", ROW)
    one(tmp_path / "b", ROW, YAML.replace("cat, dog", "bird, cat"))
    write_files(tmp_path / "c", {"x.jpg": "", "x.txt": ROW, "classes.txt": "fish\ncat\n"})
    labels = read_set(YOLO, tmp_path)
    found = {s.source_id: [a.category for a in s.annotations] for s in labels.samples if s.annotations}
    assert found == {"a/images/train/a.jpg": ["cat"], "b/images/train/a.jpg": ["bird"], "c/x.jpg": ["fish"]}


def test_an_image_without_a_label_file_is_background_beside_others(tmp_path: Path) -> None:
    """As the trainer has it, and counted; a folder without any label file was never labelled."""
    write_files(tmp_path, {"images/train/b.jpg": ""})
    one(tmp_path, ROW)
    labels = read_set(YOLO, tmp_path)
    assert {name: s.labelled for name, s in by_name(labels).items()} == {"a.jpg": True, "b.jpg": True, "v.jpg": False}
    assert "image without a label file taken as background" in rules(labels)
    skipped = by_name(read_set(YOLO, tmp_path, unlabelled="skip"))
    assert {name: s.labelled for name, s in skipped.items()} == {"a.jpg": True, "b.jpg": False, "v.jpg": False}


@pytest.mark.parametrize(
    ("files", "splits"),
    [
        ({"train.txt": "data/obj/a.jpg\n", "valid.txt": "data/obj/b.jpg\n"}, ["train", "validation"]),
        ({"2007_train.txt": "/home/u/obj/a.jpg\n", "2007_test.txt": "/home/u/obj/b.jpg\n"}, ["train", "test"]),
        ({"obj.data": "train = x/one.txt\nvalid=two.txt\n", "one.txt": "obj/a.jpg", "two.txt": "obj/b.jpg"}, None),
        ({"lists/trainval.txt": "obj/a.jpg\nobj/b.jpg\n", "lists/val.txt": "obj/b.jpg\n"}, None),
        ({"train.txt": "C:\\sets\\obj\\a.jpg\r\n", "val.txt": "C:\\sets\\obj\\b.jpg\r\n"}, None),
    ],
)
def test_lists_say_the_split(files: dict[str, str], splits: list[str] | None, tmp_path: Path) -> None:
    """Darknet's, CVAT's and one's own lists, with whatever is written before the folders that are there."""
    images = {"obj/a.jpg": "", "obj/a.txt": ROW, "obj/b.jpg": "", "obj/b.txt": ROW}
    labels = read_set(YOLO, write_files(tmp_path, {**images, "obj.names": "cat\n", **files}))
    assert [s.split for s in labels.samples] == (splits or ["train", "validation"])
    assert not labels.dropped


@given(x=st.tuples(st.floats(0, 1), st.floats(0, 1)), y=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_a_written_box_stays_inside_once_parsed(x: tuple[float, float], y: tuple[float, float]) -> None:
    """Centre -+ half the size of the text lies within 0 and 1, and within 3e-9 of what was meant."""
    box = (*map(min, (x, y)), *map(max, (x, y)))
    cx, cy, w, h = map(float, box_text((box[0], box[1], box[2], box[3]), (1, 1)).split())
    found = geometry.cxcywh_to_xyxy((cx, cy, w, h))
    assert min(found[:2]) >= 0
    assert max(found[2:]) <= 1
    np.testing.assert_allclose(found, box, rtol=0, atol=3e-9)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=12))
def test_quoted_names_load_in_any_yaml_loader(name: str) -> None:
    """A double-quoted scalar is the same text again."""
    import yaml

    assert yaml.safe_load(f"0: {quoted(name)}") == {0: name}


def test_lists_that_say_otherwise_are_said(tmp_path: Path) -> None:
    """The nearest list is used; that data.yaml, or a second one, names other classes is never silent."""
    yaml = "train: images\nval: images\nnames: [{}]\n"
    files = {"images/a.jpg": "", "labels/a.txt": ROW, "data.yaml": yaml.format("cat, dog")}
    other = write_files(tmp_path / "other", {**files, "labels/classes.txt": "dog\ncat\n"})
    second = write_files(tmp_path / "second", {**files, "x.yaml": yaml.format("a, b")})
    same = write_files(tmp_path / "same", {**files, "x.yaml": yaml.format("cat, dog"), "classes.txt": "cat\ndog\n"})
    found = [[r.id for r in read_set(YOLO, folder).repairs if "differs" in r.rule] for folder in (other, second, same)]
    assert found == [["data.yaml"], ["x.yaml"], []]
