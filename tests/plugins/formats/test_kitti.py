"""KITTI sets: fifteen values a row, flags as attributes, regions that nobody labelled."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import best_source, by_name, make_sample, make_set, place_image, read_set, reasons, write_files

from amp_datasets.model import Annotation
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.storage.folder import open_folder

REGISTRY = load_registry()
KITTI = REGISTRY.source("kitti")
CAR = "Car 0.00 0 1.85 10.5 20 30 40.25 1.67 1.87 3.69 -16.53 2.39 58.49 1.57"
VAN = "Van 0.50 2 -1.57 1 2 30 40 2.00 1.90 4.00 0.00 1.60 12.00 -1.57 0.9"
DONT_CARE = "DontCare -1 -1 -10 50 17 59 19 -1 -1 -1 -1000 -1000 -1000 -10"


def test_rows_are_classes_boxes_and_flags(tmp_path: Path) -> None:
    """Golden rows of the readme; a score at the end changes nothing, and a region of DontCare is no object."""
    text = f"{CAR}\n{VAN}\n{DONT_CARE}\n"
    write_files(tmp_path, {"training/image_2/000001.png": "", "training/label_2/000001.txt": text})
    found = best_source(REGISTRY, tmp_path)
    assert found is not None
    assert found[0] == "kitti"
    labels = read_set(KITTI, tmp_path)
    sample = by_name(labels)["000001.png"]
    car, van = sample.annotations
    assert (car.category, car.xyxy, dict(car.attributes)) == ("Car", (10.5, 20.0, 30.0, 40.25), {})
    assert (van.category, dict(van.attributes)) == ("Van", {"truncated": 0.5, "occluded": 2})
    assert (sample.split, reasons(labels)) == ("train", {"region that nobody labelled"})


def test_an_image_of_nothing_but_regions_is_empty(tmp_path: Path) -> None:
    """As one with an empty label file is; one without any is unlabelled."""
    files = {"image_2/a.png": "", "label_2/a.txt": DONT_CARE, "image_2/b.png": "", "label_2/b.txt": "\n"}
    write_files(tmp_path, {**files, "image_2/c.png": ""})
    states = {name: (s.labelled, len(s.annotations)) for name, s in by_name(read_set(KITTI, tmp_path)).items()}
    assert states == {"a.png": (True, 0), "b.png": (True, 0), "c.png": (False, 0)}


def test_the_other_camera_is_not_meant(tmp_path: Path) -> None:
    """`label_2` is for `image_2`, though `image_3` has files of the same names."""
    files = {"training/image_2/0.png": "", "training/image_3/0.png": "", "training/label_2/0.txt": CAR}
    files["training/calib/0.txt"] = "P0: 7.07e+02 0.0 6.04e+02\nP1: 7.07e+02 0.0 6.04e+02\n"
    labels = read_set(KITTI, write_files(tmp_path, files))
    assert [(s.source_id, len(s.annotations)) for s in labels.samples] == [
        ("training/image_2/0.png", 1),
        ("training/image_3/0.png", 0),
    ]


@pytest.mark.parametrize("row", [CAR[:30], CAR.replace("10.5", "left"), f"Car {CAR}", CAR.replace("10.5", "1e999")])
def test_bad_rows_are_dropped_one_by_one(row: str, tmp_path: Path) -> None:
    """The row beside stays; a class of two words is one."""
    write_files(tmp_path, {"images/a.png": "", "labels/a.txt": f"{VAN}\n{row}\n"})
    labels = read_set(KITTI, tmp_path)
    if row.startswith("Car Car"):
        assert [a.category for a in by_name(labels)["a.png"].annotations] == ["Van", "Car Car"]
    else:
        assert [a.category for a in by_name(labels)["a.png"].annotations] == ["Van"]
        assert reasons(labels) == {"label cannot be read"}


@pytest.mark.parametrize(
    "text", ["0 " + "0.5 " * 14, "0 0.5 0.5 0.1 0.1\n", "Car\nVan\n", "a b c d e f g h i j k l m n o"]
)
def test_rows_of_other_formats_are_not_claimed(text: str, tmp_path: Path) -> None:
    """An outline of seven points in YOLO's rows has fifteen values too."""
    assert KITTI.detect(open_folder(write_files(tmp_path, {"a.png": "", "a.txt": text}))) is None


def test_what_is_written_has_fifteen_values(tmp_path: Path) -> None:
    """The place in space is what KITTI itself writes where it is unknown."""
    exporter = REGISTRY.exporter("kitti")
    labels = [Annotation("big car", (1.5, 2.0, 30.0, 40.0))]
    exporter(tmp_path, exporter.options_type(), place_image).write(make_set([make_sample("a.png", labels)]))
    row = (tmp_path / "train/label_2/a.txt").read_text()
    assert row == "big_car 0.0 0 -10 1.5 2.0 30.0 40.0 -1 -1 -1 -1000 -1000 -1000 -10\n"
