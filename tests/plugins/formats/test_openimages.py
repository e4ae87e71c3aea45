"""OpenImages tables: shares in an order of their own, codes and their names, flags."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from builders import best_source, read_set, reasons, rules, write_files
from numpy.typing import NDArray
from PIL import Image as PillowImage

from amp_datasets.plugin.discovery import load_registry

REGISTRY = load_registry()
OPENIMAGES = REGISTRY.source("openimages")
HEADER = (
    "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside\n"
)
MASK_HEADER = "MaskPath,ImageID,LabelName,BoxID,BoxXMin,BoxXMax,BoxYMin,BoxYMax,PredictedIoU,Clicks\n"
ROW = "0a1b,xclick,/m/01,1,0.25,0.5,0.125,0.75,1,0,0,-1,0\n"


def png(pixels: NDArray[np.uint8]) -> bytes:
    """An image file of gray pixels."""
    stream = io.BytesIO()
    PillowImage.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.parametrize(
    "names",
    ["class-descriptions-boxable.csv", "oidv6-class-descriptions.csv", "oidv7-class-descriptions-boxable.csv"],
)
def test_rows_are_shares_and_codes_have_names(names: str, tmp_path: Path) -> None:
    """Golden row: XMin, XMax, YMin, YMax of 64x48; the file that names the codes is called in many ways."""
    files = {
        "train/0a1b.jpg": "",
        "oidv6-train-annotations-bbox.csv": HEADER + ROW,
        names: 'LabelName,DisplayName\n/m/02,Pear\n/m/01,"Apple, red"\n',
    }
    found = best_source(REGISTRY, write_files(tmp_path, files))
    assert found is not None
    assert found[0] == "openimages"
    labels = read_set(OPENIMAGES, tmp_path)
    (sample,) = labels.samples
    (annotation,) = sample.annotations
    assert (annotation.category, annotation.xyxy) == ("Apple, red", (16.0, 6.0, 32.0, 36.0))
    assert (annotation.iscrowd, dict(annotation.attributes), sample.split) == (False, {"occluded": 1}, "train")
    assert not labels.dropped


def test_groups_are_crowds_and_codes_without_names_stay(tmp_path: Path) -> None:
    """Nothing is guessed."""
    files = {"0a1b.jpg": "", "validation-annotations-bbox.csv": HEADER + ROW.replace("1,0,0,-1", "0,0,1,-1")}
    (sample,) = read_set(OPENIMAGES, write_files(tmp_path, files)).samples
    assert [(a.category, a.iscrowd) for a in sample.annotations] == [("/m/01", True)]
    assert sample.split == "validation"


@pytest.mark.parametrize(
    "bad", [ROW.replace("0.25", "x"), ROW.replace("0.25", "12"), ROW.replace("/m/01", ""), "0a1b\n"]
)
def test_bad_rows_are_dropped_one_by_one(bad: str, tmp_path: Path) -> None:
    """Text, pixels, no class, a short row: the row beside stays."""
    files = {"0a1b.jpg": "", "train-annotations-bbox.csv": HEADER + ROW + bad}
    labels = read_set(OPENIMAGES, write_files(tmp_path, files))
    assert [len(sample.annotations) for sample in labels.samples] == [1]
    assert reasons(labels) == {"label cannot be read"}


def test_rows_without_an_image_are_counted(tmp_path: Path) -> None:
    """Of a set that was downloaded in part, most images are missing."""
    files = {"0a1b.jpg": "", "train-annotations-bbox.csv": HEADER + ROW + ROW.replace("0a1b", "ffff") + ROW[4:]}
    labels = read_set(OPENIMAGES, write_files(tmp_path, files))
    assert reasons(labels) == {"image is missing", "row names no image"}


def test_masks_are_stretched_over_their_image_and_replace_their_boxes(tmp_path: Path) -> None:
    """A mask has a size of its own; the row of the same box in the other table is the same object."""
    pixels = np.zeros((24, 32), np.uint8)
    pixels[3:18, 8:16] = 255
    files = {
        "train/0a1b.jpg": "",
        "masks/0a1b_m01_77.png": png(pixels),
        "train-annotations-bbox.csv": HEADER + ROW + ROW.replace("0.25,0.5,", "0.5,0.75,"),
        "train-annotations-object-segmentation.csv": MASK_HEADER
        + "0a1b_m01_77.png,0a1b,/m/01,77,0.250000,0.500000,0.125,0.75,0.9,\n",
    }
    labels = read_set(OPENIMAGES, write_files(tmp_path, files))
    assert [(s.source_id, s.labelled) for s in labels.samples] == [("train/0a1b.jpg", True)]
    found = [(a.xyxy, a.mask is not None) for a in labels.samples[0].annotations]
    assert found == [((16.0, 6.0, 32.0, 36.0), True), ((32.0, 6.0, 48.0, 36.0), False)]
    (tmp_path / "masks/0a1b_m01_77.png").unlink()
    bare = read_set(OPENIMAGES, tmp_path)
    assert sorted(a.xyxy for a in bare.samples[0].annotations) == [found[0][0], found[1][0]]
    assert rules(bare) >= {"mask image is missing"}


def test_a_mask_outside_its_box_is_said_and_the_box_stays(tmp_path: Path) -> None:
    """Two tables state the box, and masks were drawn inside it: a mask elsewhere is that of another object."""
    pixels = np.zeros((48, 64), np.uint8)
    pixels[40:48, 50:64] = 255
    files = {
        "train/0a1b.jpg": "",
        "masks/0a1b_m01_77.png": png(pixels),
        "train-annotations-bbox.csv": HEADER + ROW,
        "train-annotations-object-segmentation.csv": MASK_HEADER
        + "0a1b_m01_77.png,0a1b,/m/01,77,0.25,0.5,0.125,0.75,0.9,\n",
    }
    labels = read_set(OPENIMAGES, write_files(tmp_path, files))
    assert [(s.source_id, [(a.xyxy, a.mask) for a in s.annotations]) for s in labels.samples] == [
        ("train/0a1b.jpg", [((16.0, 6.0, 32.0, 36.0), None)])
    ]
    assert rules(labels) >= {"mask is not where its box is"}


def test_labels_of_whole_images_are_read_where_there_is_no_other(tmp_path: Path) -> None:
    """A confidence of 0 says that the class is not there; beside tables of boxes the file is named, and not read."""
    whole = "ImageID,Source,LabelName,Confidence\na,verification,/m/01,1\na,verification,/m/02,0\n"
    files = {"a.jpg": "", "train-annotations-human-imagelabels.csv": whole}
    assert [s.labels for s in read_set(OPENIMAGES, write_files(tmp_path, files)).samples] == [("/m/01",)]
    write_files(tmp_path, {"train-annotations-bbox.csv": HEADER + ROW, "0a1b.jpg": ""})
    labels = read_set(OPENIMAGES, tmp_path)
    assert [(s.source_id, s.labelled) for s in labels.samples] == [("0a1b.jpg", True), ("a.jpg", False)]
    assert reasons(labels) == {"label file of another task not read"}


def test_decimal_commas_are_numbers(tmp_path: Path) -> None:
    """A spreadsheet of many countries writes `"0,25"`: shares of 64x48."""
    row = '0a1b.jpg,,cat,,"0,25","0,5","0,125","0,75",,,,,\n'
    labels = read_set(OPENIMAGES, write_files(tmp_path, {"0a1b.jpg": "", "annotations.csv": HEADER + row}))
    assert [(a.category, a.xyxy) for s in labels.samples for a in s.annotations] == [("cat", (16.0, 6.0, 32.0, 36.0))]
    assert not labels.dropped
