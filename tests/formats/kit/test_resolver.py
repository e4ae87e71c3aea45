"""Which image a label file means: the order of evidence as a table, and that no label ever lands on another image."""

from __future__ import annotations

import pytest

from amp_datasets.formats.kit.meaning.resolver import (
    BY_BARE_NAME,
    BY_DECODING,
    BY_ENDING,
    BY_MIRROR,
    BY_NAME,
    BY_STEM,
    MISSING,
    SEVERAL,
    Resolver,
)

TWO_CAMERAS = ["images/cam1/0001.jpg", "images/cam2/0001.jpg"]
TWO_TASKS = ["task_1/images/f.png", "task_2/images/f.png", "task_2/images/g.png"]
WITH_MASKS = ["JPEGImages/a.jpg", "SegmentationClass/a.png", "SegmentationObject/a.png"]
SPLITS = ["images/train/cam1/a.jpg", "images/val/cam1/a.jpg", "images/val/only.jpg"]

VISTAS = [
    f"train/{folder}" for folder in ("images/2.jpg", "v1/instances/2.png", "v1/labels/2.png", "v1/panoptic/2.png")
]

TABLE = [
    # folders of masks that are called as images make no set of their own
    (VISTAS, "2.jpg", "train/v1/panoptic/panoptic.json", "train/images/2.jpg", BY_NAME),
    (["a/instances/1.png", "b/images/1.jpg"], "1.png", "a/labels.json", "a/instances/1.png", BY_NAME),
    (["a/labels/1.png", "a/labels/2.png", "b/images/1.jpg"], "1.jpg", "a/all.json", "a/labels/1.png", BY_STEM),
    # the stated path
    (["a.jpg", "x/a.jpg"], "a.jpg", "labels.json", "a.jpg", ""),
    (["a.jpg", "x/a.jpg"], "a.jpg", "x/labels.json", "x/a.jpg", ""),
    (["a.jpg", "x/a.jpg"], "x/a.jpg", "annotations/labels.json", "x/a.jpg", ""),
    (["x/a.jpg"], "../x/a.jpg", "annotations/labels.json", "x/a.jpg", ""),
    (["x/a.jpg"], "./x/./a.jpg", "labels.json", "x/a.jpg", ""),
    (["x/A.JPG"], "x/a.jpg", "labels.json", "x/A.JPG", BY_ENDING),
    # two sets in one tree: each means its own
    (TWO_TASKS, "f.png", "task_1/annotations/instances.json", "task_1/images/f.png", BY_MIRROR),
    (TWO_TASKS, "images/f.png", "task_2/instances.json", "task_2/images/f.png", ""),
    (TWO_TASKS, "g.png", "task_1/annotations/instances.json", None, MISSING),
    (["images/g.png", "task_1/images/f.png"], "images/g.png", "task_1/labels.json", None, MISSING),
    (["train/a.jpg", "valid/b.jpg"], "b.jpg", "train/_annotations.coco.json", None, MISSING),
    # the longest end of a path
    (TWO_CAMERAS, "cam1/0001.jpg", "annotations/all.json", "images/cam1/0001.jpg", BY_ENDING),
    (TWO_CAMERAS, "C:\\sets\\cam2\\0001.jpg", "all.csv", "images/cam2/0001.jpg", BY_ENDING),
    (TWO_CAMERAS, "/content/data/images/cam2/0001.jpg", "train.txt", "images/cam2/0001.jpg", BY_ENDING),
    (TWO_CAMERAS, "0001.jpg", "annotations/all.json", None, SEVERAL),
    (TWO_CAMERAS, "cam3/0001.jpg", "annotations/all.json", None, MISSING),
    # a stated folder that contradicts the only candidate
    (["images/cam2/0001.jpg"], "cam1/0001.jpg", "annotations/all.json", None, MISSING),
    (["images/cam2/0001.jpg"], "/data/cam1/0001.jpg", "annotations/all.json", None, MISSING),
    (["images/0001.jpg"], "cam1/0001.jpg", "annotations/all.json", "images/0001.jpg", BY_BARE_NAME),
    (["images/val/0001.jpg"], "train/0001.jpg", "annotations/all.json", None, MISSING),
    (["images/0001.jpg"], "/home/me/stuff/0001.jpg", "all.json", "images/0001.jpg", BY_ENDING),
    (["images/0001.jpg"], "C:\\Users\\me\\0001.jpg", "all.json", "images/0001.jpg", BY_ENDING),
    (["obj_train_data/0001.jpg"], "data/obj_train_data/0001.jpg", "train.txt", "obj_train_data/0001.jpg", BY_ENDING),
    (["mine/images/a.jpg"], "images/a.jpg", "labels.json", "mine/images/a.jpg", BY_ENDING),
    # splits: that of the label file, where it has images
    (SPLITS, "cam1/a.jpg", "annotations/instances_val.json", "images/val/cam1/a.jpg", BY_ENDING),
    (SPLITS, "only.jpg", "annotations/instances_train.json", None, MISSING),
    (["train/a.jpg", "train/b.jpg"], "b.jpg", "instances_val.json", "train/b.jpg", BY_NAME),
    # masks and previews come last
    (WITH_MASKS, "a", "Annotations/list.json", "JPEGImages/a.jpg", BY_MIRROR),
    (["a.png", "masks/a.png"], "a.png", "x/list.json", "a.png", ""),
    (["masks/a.png"], "a.png", "list.json", "masks/a.png", BY_NAME),
    # spelling
    (["images/a b.jpg"], "a%20b.jpg", "list.json", "images/a b.jpg", BY_DECODING),
    (["images/100%25.jpg"], "100%25.jpg", "list.json", "images/100%25.jpg", BY_MIRROR),
    (["images/p.jpg"], "https://bucket.s3.aws.com/set/p.jpg?X=1&Y=2", "list.json", "images/p.jpg", BY_DECODING),
    (["images/p.jpg"], "/data/local-files/?d=p.jpg", "list.json", "images/p.jpg", BY_DECODING),
    (["images/p.jpg"], "/data/local-files/?d=set%2Fp.jpg", "list.json", "images/p.jpg", BY_DECODING),
    (["images/p.png"], "p.jpg", "list.json", "images/p.png", BY_STEM),
    (["images/p.png", "images/p.jpg"], "p.tif", "list.json", None, SEVERAL),
    (["images/p.png", "images/p.jpg"], "p.jpg", "list.json", "images/p.jpg", BY_MIRROR),
    (["images/a.JPG", "images/A.jpg"], "a.jpg", "list.json", None, SEVERAL),
    (["images/a.JPG", "images/A.jpg"], "A.jpg", "list.json", "images/A.jpg", BY_MIRROR),
    (["images/1a2b-p.jpg"], "p.jpg", "list.json", None, MISSING),
    (["a.jpg"], "", "list.json", None, MISSING),
]


@pytest.mark.parametrize(("names", "reference", "label_file", "image", "reason"), TABLE)
def test_a_list_of_images_means_this_one(
    names: list[str], reference: str, label_file: str, image: str | None, reason: str
) -> None:
    """Each line is one law about files that label many images."""
    split = "validation" if "val" in label_file else "train" if "instances_train" in label_file else None
    found = Resolver(names).resolve(reference, label_file, split=split)
    assert (found.image, found.reason) == (image, reason)


OWN = [
    (["images/apple/0.jpg", "images/pear/0.jpg"], "0.jpg", "annotations/pear/0.xml", "images/pear/0.jpg"),
    (
        ["JPEGImages/cam1/1.jpg", "JPEGImages/cam2/1.jpg"],
        "cam1/1.jpg",
        "Annotations/cam1/1.xml",
        "JPEGImages/cam1/1.jpg",
    ),
    (["images/cam2/1.jpg"], "1.jpg", "labels/cam1/1.xml", None),
    (["images/val/1.jpg"], "1", "labels/train/1.txt", None),
    (["images/cam2/1.jpg"], "1.jpg", "labels/1.xml", "images/cam2/1.jpg"),
    (["images/1.jpg"], "1.jpg", "annotations/alice/1.xml", "images/1.jpg"),
    (["apple/0.jpg", "pear/0.jpg"], "0.jpg", "apple/0.xml", "apple/0.jpg"),
    (WITH_MASKS, "a", "Annotations/a.xml", "JPEGImages/a.jpg"),
]


@pytest.mark.parametrize(("names", "reference", "label_file", "image"), OWN)
def test_a_label_file_of_one_image_means_this_one(
    names: list[str], reference: str, label_file: str, image: str | None
) -> None:
    """Its own folder is evidence too: labels of one camera never land on the images of another."""
    assert Resolver(names).resolve(reference, label_file, own=True).image == image
