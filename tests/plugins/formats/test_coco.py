"""COCO sets as tools leave them: files, images, ids and categories are understood, or counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coco_sets import (
    SIZE,
    document,
    label,
    only,
    read,
    reasons,
    rules,
    write,
    write_image,
)
from PIL import Image as PillowImage
from PIL import ImageOps
from pycocotools import mask as coco_mask

from amp_datasets.errors import SourceError
from amp_datasets.geometry import shapes as geometry
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.storage.folder import Folder


def test_detection_states_the_file_and_a_certainty_of_85(tmp_path: Path) -> None:
    """The reason names the file; a folder without such JSON is not COCO."""
    source = load_registry().source("coco")
    assert source.detect(Folder(write(tmp_path, {"shapes": []}))) is None
    detection = source.detect(Folder(write(tmp_path, document(), "labels/instances.json")))
    assert detection is not None
    assert detection.certainty == 85
    assert "labels/instances.json" in detection.reason


def test_label_lists_in_any_order_are_detected_behind_a_long_first_list(tmp_path: Path) -> None:
    """The keys may stand a megabyte into the file."""
    content = {"info": {"description": "x" * 2**20}, **document()}
    assert load_registry().source("coco").detect(Folder(write(tmp_path, content))) is not None


def test_a_json_that_only_counts_images_is_something_else(tmp_path: Path) -> None:
    """The lock file of a build has such keys; and a folder without a COCO file is not read as an unlabelled set."""
    root = write(tmp_path, {"sources": [{"images": 3}], "categories": [{"name": "cat"}]}, "amp.lock.json")
    assert load_registry().source("coco").detect(Folder(root)) is None
    with pytest.raises(SourceError, match="no COCO file"):
        read(root)


@pytest.mark.parametrize(
    "file",
    ["annotations/instances_val2017.json", "annotations/val.json", "valid/_annotations.coco.json", "val.json"],
)
def test_split_comes_from_the_label_file_in_any_spelling(tmp_path: Path, file: str) -> None:
    """`val2017`, `val` and `valid` are all the validation split."""
    (sample,) = read(write(tmp_path, document(), file)).samples
    assert sample.split == "validation"


def test_one_name_in_two_splits_means_each_split_its_own_image(tmp_path: Path) -> None:
    """`a.jpg` of train.json is the one in images/train, although images/val has one too."""
    for split, width in (("train", 64), ("val", 32)):
        write_image(tmp_path / f"images/{split}/a.jpg", (width, 48))
        entry = {"id": 1, "file_name": "a.jpg", "width": width, "height": 48}
        path = tmp_path / f"annotations/{split}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(document(images=[entry])))
    labels = read(tmp_path)
    assert [(s.source_id, s.split, s.size[0], len(s.annotations)) for s in labels.samples] == [
        ("images/train/a.jpg", "train", 64, 1),
        ("images/val/a.jpg", "validation", 32, 1),
    ]
    assert not labels.dropped


def test_a_image_of_another_split_never_stands_in_for_a_missing_one(tmp_path: Path) -> None:
    """train.json names an image that only val has: it is missing where train has images of its own."""
    write_image(tmp_path / "images/val/a.jpg")
    write_image(tmp_path / "images/train/b.jpg")
    (tmp_path / "train.json").write_text(json.dumps(document()))
    labels = read(tmp_path)
    assert reasons(labels) == {"image is missing"}
    assert not any(sample.annotations for sample in labels.samples)


def test_two_splits_that_name_one_image_leave_it_to_its_own(tmp_path: Path) -> None:
    """Both files name `a.jpg`, which only val has: its labels are those of val.json, in whatever order files come."""
    write_image(tmp_path / "images/val/a.jpg")
    for split, box in (("train", [1, 2, 10, 20]), ("val", [30, 20, 12, 10])):
        (tmp_path / f"{split}.json").write_text(json.dumps(document(annotations=[label(bbox=box)])))
    labels = read(tmp_path)
    assert [a.xyxy for sample in labels.samples for a in sample.annotations] == [(30, 20, 42, 30)]
    assert reasons(labels) == {"image is missing"}


@pytest.mark.parametrize("order", [1, -1])
def test_folders_that_are_not_there_are_never_exchanged(tmp_path: Path, order: int) -> None:
    """Two cameras' images of one name, copied into one folder: the one that is left is nobody's."""
    names = ["cam1/a.jpg", "cam2/a.jpg"][::order]
    images = [{"id": n, "file_name": name, "width": 64, "height": 48} for n, name in enumerate(names, 1)]
    two = [label(image_id=1), label(id=2, image_id=2, bbox=[30, 20, 12, 10])]
    labels = read(write(tmp_path, document(images=images, annotations=two)))
    assert not labels.samples
    assert reasons(labels) == {"image is missing", "image is listed twice with other labels"}


@pytest.mark.parametrize(
    "name", ["a.jpg", "some/folder/a.jpg", r"C:\data\a.jpg", "/root/a.jpg", "../../a.jpg", "a%2Ejpg"]
)
def test_images_are_found_by_whatever_path_and_only_inside_the_set(tmp_path: Path, name: str) -> None:
    """Foreign, absolute and climbing paths mean the image of that name in the set, never one outside."""
    write_image(tmp_path / "a.jpg", (8, 8))
    root = write(tmp_path / "set", document(images=[{"id": 1, "file_name": name, "width": 64, "height": 48}]))
    (sample,) = read(root).samples
    assert sample.source_id == "a.jpg"
    assert sample.size == SIZE
    assert sample.labelled


def test_a_image_outside_the_set_is_missing(tmp_path: Path) -> None:
    """`..` does not escape."""
    write_image(tmp_path / "secret.jpg")
    root = write(tmp_path / "set", document(images=[{"id": 1, "file_name": "../secret.jpg"}]))
    assert reasons(read(root)) == {"image is missing"}


def test_the_three_states_of_a_image_are_told_apart(tmp_path: Path) -> None:
    """Labelled, confirmed empty (an entry without annotations), and unlabelled (no entry at all)."""
    for name in ("b.jpg", "c.jpg"):
        write_image(tmp_path / name)
    images = [*document()["images"], {"id": 2, "file_name": "b.jpg", "width": 64, "height": 48}]
    states = {
        s.source_id: (s.labelled, len(s.annotations)) for s in read(write(tmp_path, document(images=images))).samples
    }
    assert states == {"a.jpg": (True, 1), "b.jpg": (True, 0), "c.jpg": (False, 0)}


def test_a_file_without_annotations_key_leaves_its_images_unlabelled(tmp_path: Path) -> None:
    """COCO's `image_info_test` files say nothing about what is in an image."""
    content = document()
    del content["annotations"]
    (sample,) = read(write(tmp_path, content)).samples
    assert not sample.labelled


@pytest.mark.parametrize("one", [0, 1, 1.0, "1", "x7", 20_000_000_000])
def test_ids_may_be_zero_sparse_huge_or_text(tmp_path: Path, one: Any) -> None:
    """An id only has to be the same at both ends."""
    content = document(
        images=[{"id": one, "file_name": "a.jpg"}],
        categories=[{"id": one, "name": "cat"}, {"id": 90, "name": "dog"}],
        annotations=[label(id=one, image_id=one, category_id=one)],
    )
    labels = read(write(tmp_path, content))
    assert only(labels).category == "cat"
    assert [category.name for category in labels.categories] == ["cat", "dog"]
    assert not labels.dropped


def test_integer_and_text_ids_of_one_number_agree(tmp_path: Path) -> None:
    """Some tools write ids as text in one list only."""
    assert only(read(write(tmp_path, document(annotations=[label(image_id="1", category_id="1")])))).category == "cat"


def test_dummy_root_category_is_removed(tmp_path: Path) -> None:
    """Roboflow's category 0 owns nothing and only groups the others."""
    root = [{"id": 0, "name": "project", "supercategory": "none"}]
    real = [{"id": n, "name": name, "supercategory": "project"} for n, name in ((1, "cat"), (2, "dog"))]
    labels = read(write(tmp_path, document(categories=root + real)))
    assert [category.name for category in labels.categories] == ["cat", "dog"]
    assert "dummy root category removed" in rules(labels)


@pytest.mark.parametrize("used_in", ["train.json", "test.json"])
def test_an_annotated_parent_category_is_kept(tmp_path: Path, used_in: str) -> None:
    """Whichever file annotates it."""
    categories = [{"id": 0, "name": "cat", "supercategory": "none"}, {"id": 1, "name": "lynx", "supercategory": "cat"}]
    for file in ("train.json", "test.json"):
        write_image(tmp_path / file.removesuffix(".json") / "a.jpg")
        own = [label(category_id=0 if file == used_in else 1)]
        (tmp_path / file).write_text(json.dumps(document(categories=categories, annotations=own)))
    labels = read(tmp_path)
    assert [category.name for category in labels.categories] == ["cat", "lynx"]
    assert not rules(labels)


def test_a_category_without_instances_keeps_its_place(tmp_path: Path) -> None:
    """Category 0 that groups nothing is a class like any other."""
    content = document(categories=[{"id": 0, "name": "zebra", "supercategory": "none"}, {"id": 1, "name": "cat"}])
    assert [category.name for category in read(write(tmp_path, content)).categories] == ["zebra", "cat"]


def test_category_order_is_the_files_not_the_alphabets(tmp_path: Path) -> None:
    """Nor that of the ids; accents and other scripts survive."""
    entries = [{"id": 9, "name": "кот"}, {"id": 1, "name": "cat"}, {"id": 5, "name": "Ärger"}]
    assert [c.name for c in read(write(tmp_path, document(categories=entries))).categories] == ["кот", "cat", "Ärger"]


def test_one_category_id_with_two_names_is_refused(tmp_path: Path) -> None:
    """No label could be trusted."""
    with pytest.raises(SourceError, match="both `cat` and `dog`"):
        read(write(tmp_path, document(categories=[{"id": 1, "name": "cat"}, {"id": 1, "name": "dog"}])))


def test_two_images_under_one_id_are_set_aside(tmp_path: Path) -> None:
    """Whose the labels are cannot be told; neither image becomes background."""
    write_image(tmp_path / "b.jpg")
    images = [{"id": 1, "file_name": name} for name in ("a.jpg", "b.jpg")]
    labels = read(write(tmp_path, document(images=images)))
    assert not labels.samples
    assert sorted((d.id, d.reason) for d in labels.dropped) == [
        ("a.jpg", "image id is used twice"),
        ("b.jpg", "image id is used twice"),
    ]


def test_repeated_ids_and_entries_are_mended(tmp_path: Path) -> None:
    """The same entry twice is one image; two labels of one id are two labels."""
    content = document(
        images=document()["images"] * 2, annotations=[label(), label(bbox=[0, 0, 5, 5]), label(bbox=[0, 0, 5, 5])]
    )
    labels = read(write(tmp_path, content))
    (sample,) = labels.samples
    assert len(sample.annotations) == 2
    assert rules(labels) == {
        "repeated image entry removed",
        "repeated annotation id removed",
        "duplicate label removed",
    }


def painted(path: Path, box: list[int], orientation: int) -> tuple[int, int, int, int]:
    """An image with a white box at a place of the stored file; where it is found in the upright one, by its pixels."""
    image = PillowImage.new("RGB", SIZE)
    image.paste("white", (box[0], box[1], box[0] + box[2], box[1] + box[3]))
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(path, "JPEG", quality=100, subsampling=0, exif=exif)
    with PillowImage.open(path) as stored:
        found = ImageOps.exif_transpose(stored).convert("L").point(lambda value: value > 127).getbbox()
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("orientation", "declared"), [*((n, "shown") for n in range(1, 9)), *((n, "stored") for n in (5, 6, 7, 8))]
)
def test_labels_sit_on_the_object_for_every_exif_orientation(tmp_path: Path, orientation: int, declared: str) -> None:
    """Width and height in the file tell whether its labels are for the image as stored or as shown."""
    stored = [8, 16, 32, 8]
    x0, y0, x1, y1 = painted(tmp_path / "a.jpg", stored, orientation)
    shown = [x0, y0, x1 - x0, y1 - y0]
    size = SIZE[::-1] if orientation >= 5 and declared == "shown" else SIZE
    x, y, w, h = bbox = shown if declared == "shown" else stored
    mask = np.zeros(size[::-1], dtype=np.uint8, order="F")
    mask[y : y + h, x : x + w] = 1
    packed = coco_mask.encode(mask)
    rle = {"size": packed["size"], "counts": packed["counts"].decode()}
    polygon = [[x, y, x + w, y, x + w, y + h, x, y + h]]
    labels = [label(bbox=bbox), label(id=2, bbox=bbox, segmentation=polygon), label(id=3, bbox=bbox, segmentation=rle)]
    entry = {"id": 1, "file_name": "a.jpg", "width": size[0], "height": size[1]}
    (tmp_path / "labels.json").write_text(json.dumps(document(images=[entry], annotations=labels)))
    back = read(tmp_path)
    assert not back.dropped
    (sample,) = back.samples
    assert sample.size == (SIZE[::-1] if orientation >= 5 else SIZE)
    plain, outlined, masked = sample.annotations
    assert plain.xyxy == outlined.xyxy == (x0, y0, x1, y1)
    assert geometry.bounds([outlined.polygons[0].exterior]) == (x0, y0, x1, y1)
    assert masked.mask is not None
    assert geometry.mask_box(masked.mask) == (x0, y0, x1, y1)


def test_another_size_than_the_images_is_a_contradiction(tmp_path: Path) -> None:
    """The labels are for another version of the image."""
    labels = read(write(tmp_path, document(images=[{"id": 1, "file_name": "a.jpg", "width": 640, "height": 480}])))
    assert reasons(labels) == {"label file contradicts the image's size"}


@pytest.mark.parametrize("width", ["64", 64.0, None])
def test_sizes_as_text_or_absent_are_understood(tmp_path: Path, width: Any) -> None:
    """Only a size that contradicts matters."""
    labels = read(write(tmp_path, document(images=[{"id": 1, "file_name": "a.jpg", "width": width, "height": 48}])))
    assert only(labels).xyxy == (10, 10, 30, 25)


def test_a_byte_order_mark_is_understood(tmp_path: Path) -> None:
    """pycocotools refuses it; Windows writes it."""
    write(tmp_path, document())
    path = tmp_path / "annotations.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert only(read(tmp_path)).category == "cat"


def test_of_cocos_own_files_the_instances_are_read(tmp_path: Path) -> None:
    """Captions and keypoints of the same images are named as not read, and can be chosen."""
    write(tmp_path, document(), "annotations/instances_train2017.json")
    person = document(categories=[{"id": 1, "name": "person"}])
    write(tmp_path, person, "annotations/person_keypoints_train2017.json")
    labels = read(tmp_path)
    assert only(labels).category == "cat"
    assert reasons(labels) == {"label file of another task not read"}
    assert only(read(tmp_path, files="person_keypoints_*")).category == "person"
