"""What is written as COCO panoptic, WIDER FACE and OpenImages comes back, up to what these formats cannot say."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from builders import by_name, make_sample, make_set, place_image, read_set
from PIL import Image as PillowImage

from amp_datasets.geometry import shapes as geometry
from amp_datasets.model import Annotation, Category, LabelSet
from amp_datasets.plugin.discovery import load_registry

REGISTRY = load_registry()
CAT, DOG = (4.0, 6.0, 20.0, 30.0), (30.0, 10.0, 50.0, 40.0)


def written(name: str, labels: LabelSet, folder: Path) -> LabelSet:
    """A set written by an exporter, and read again."""
    exporter = REGISTRY.exporter(name)
    exporter(folder, exporter.options_type(), place_image).write(labels)
    return read_set(REGISTRY.source(name), folder)


def several() -> LabelSet:
    """Three images in two splits, one of them empty; a crowd."""
    samples = [
        make_sample("a.jpg", [Annotation("cat", CAT), Annotation("dog", DOG, iscrowd=True)]),
        make_sample("b.png", [Annotation("dog", DOG)], split="validation"),
        make_sample("c.jpg"),
    ]
    return make_set(samples, ["cat", "dog"])


@pytest.mark.parametrize("name", ["coco_panoptic", "widerface", "openimages"])
def test_boxes_that_are_apart_come_back_exactly(name: str, tmp_path: Path) -> None:
    """Classes, boxes, crowds and splits; an empty image where the format can say that it is empty."""
    labels = several()
    found = by_name(written(name, labels, tmp_path))
    empty = "empty" in REGISTRY.exporter(name).holds
    assert set(found) == {"a.jpg", "b.png", *(["c.jpg"] if empty else [])}
    for sample in labels.samples:
        if sample.source_id in found:
            again = found[sample.source_id]
            assert [(a.category, a.xyxy, a.iscrowd) for a in again.annotations] == [
                (a.category, a.xyxy, a.iscrowd) for a in sample.annotations
            ]
            assert (again.split, again.labelled) == (sample.split, True)


def test_panoptic_segments_are_their_own_pixels(tmp_path: Path) -> None:
    """Numbers are colours R + 256 G + 65536 B; the smaller object lies over the larger one, which is counted."""
    large, small = (10.0, 10.0, 50.0, 40.0), (20.0, 20.0, 30.0, 30.0)
    labels = make_set([make_sample("a.jpg", [Annotation("cat", small), Annotation("dog", large)])], ["cat", "dog"])
    exporter = REGISTRY.exporter("coco_panoptic")
    writer = exporter(tmp_path, exporter.options_type(), place_image)
    writer.write(labels)
    document = json.loads((tmp_path / "annotations" / "panoptic_train.json").read_text())
    (entry,) = document["annotations"]
    colours = np.asarray(PillowImage.open(tmp_path / "annotations" / "panoptic_train" / entry["file_name"]), dtype=int)
    numbers = colours @ (1, 256, 65536)
    by_class = {item["id"]: item["name"] for item in document["categories"]}
    areas = {by_class[s["category_id"]]: (int((numbers == s["id"]).sum()), s["area"]) for s in entry["segments_info"]}
    assert areas == {"cat": (100, 100), "dog": (1100, 1100)}
    assert writer.losses(labels.samples)["object covered by others"] == 1


def test_panoptic_keeps_more_segments_than_a_byte_counts(tmp_path: Path) -> None:
    """Three hundred objects of one image have three hundred numbers."""
    boxes = [(2.0 * (n % 30), 4.0 * (n // 30), 2.0 * (n % 30) + 1, 4.0 * (n // 30) + 2) for n in range(300)]
    labels = make_set([make_sample("a.jpg", [Annotation("cat", box) for box in boxes])])
    (sample,) = written("coco_panoptic", labels, tmp_path).samples
    assert [a.xyxy for a in sample.annotations] == boxes


def test_panoptic_keeps_what_is_no_object(tmp_path: Path) -> None:
    """A class that was read as stuff is written as stuff."""
    sky = Annotation("sky", DOG, mask=geometry.encode_mask(np.pad(np.ones((30, 20), bool), ((10, 8), (30, 14)))))
    labels = make_set([make_sample("a.jpg", [Annotation("sky", DOG, mask=sky.mask, attributes={"isthing": 0})])])
    (again,) = written("coco_panoptic", labels, tmp_path).samples[0].annotations
    assert (dict(again.attributes), again.mask == sky.mask) == ({"isthing": 0}, True)


def test_wider_face_writes_whole_pixels_and_says_so(tmp_path: Path) -> None:
    """Its readers take nothing else; attributes of faces are kept, a class other than `face` ends the row."""
    face = Annotation("face", (1.4, 2.6, 9.0, 12.0), attributes={"blur": 2, "pose": 1, "mood": "good"})
    labels = make_set([make_sample("a.jpg", [face, Annotation("my cat", CAT)])])
    exporter = REGISTRY.exporter("widerface")
    writer = exporter(tmp_path, exporter.options_type(), place_image)
    writer.write(labels)
    text = (tmp_path / "wider_face_split" / "wider_face_train_bbx_gt.txt").read_text()
    assert text == "0--All/a.jpg\n2\n1 3 8 9 2 0 0 0 0 1\n4 6 16 24 0 0 0 0 0 0 my_cat\n"
    assert writer.losses(labels.samples) == {"box not in whole pixels": 1, "attributes": 1}


def test_openimages_tables_have_all_columns(tmp_path: Path) -> None:
    """Shares are exact decimals, flags are 0 or 1, codes have names, images are named without their suffix."""
    box = Annotation("Apple, red", (16.0, 6.0, 32.0, 36.0), iscrowd=True, attributes={"occluded": 1, "ripe": 1})
    labels = make_set([make_sample("a b.jpg", [box])])
    exporter = REGISTRY.exporter("openimages")
    writer = exporter(tmp_path, exporter.options_type(), place_image)
    writer.write(labels)
    with (tmp_path / "annotations" / "oidv6-train-annotations-bbox.csv").open(newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert [row[key] for key in ("ImageID", "XMin", "XMax", "YMin", "YMax")] == ["a b", "0.25", "0.5", "0.125", "0.75"]
    assert [row[f"Is{flag}"] for flag in ("Occluded", "Truncated", "GroupOf", "Depiction", "Inside")] == list("10100")
    assert writer.losses(labels.samples) == {"attributes": 1}
    (again,) = read_set(REGISTRY.source("openimages"), tmp_path).samples[0].annotations
    assert (again.category, again.iscrowd, dict(again.attributes)) == ("Apple, red", True, {"occluded": 1})


def test_classes_keep_their_order(tmp_path: Path) -> None:
    """OpenImages' descriptions are in the order of the set's classes, whichever image comes first."""
    samples = [make_sample("a.jpg", [Annotation("z", CAT)]), make_sample("b.jpg", [Annotation("a", CAT)])]
    labels = LabelSet((Category("a"), Category("z")), tuple(samples))
    assert [c.name for c in written("openimages", labels, tmp_path).categories] == ["a", "z"]
