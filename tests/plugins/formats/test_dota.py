"""DOTA sets: corners in pixels, the lines at the head, the flag at the end, and files that are something else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from builders import best_source, by_name, make_sample, make_set, place_image, read_set, reasons, write_files

from amp_datasets.geometry import shapes as geometry
from amp_datasets.model import Annotation, Polygon
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.storage.folder import open_folder

REGISTRY = load_registry()
DOTA = REGISTRY.source("dota")
ROW = "10 20 30 20 30 40 10 40"
CORNERS = np.array([(10, 20), (30, 20), (30, 40), (10, 40)], dtype=np.float64)


def one(folder: Path, text: str) -> Path:
    """A set of one image of 64x48 and a label file."""
    return write_files(folder, {"train/images/P0.png": "", "train/labelTxt/P0.txt": text})


@pytest.mark.parametrize(
    "text",
    [
        f"imagesource:GoogleEarth\ngsd:0.146\n{ROW} plane 0\n",
        f"imagesource:GoogleEarth\ngsd:null\n{ROW} plane\n",
        f"{ROW} plane 0",
        f"{ROW.replace('10', '10.0')} plane\r\n",
    ],
)
def test_rows_are_corners_and_a_class(text: str, tmp_path: Path) -> None:
    """Golden numbers after DOTA's description, with and without the head and the flag."""
    found = best_source(REGISTRY, one(tmp_path, text))
    assert found is not None
    assert found[0] == "dota"
    sample = by_name(read_set(DOTA, tmp_path))["P0.png"]
    (annotation,) = sample.annotations
    assert (annotation.category, annotation.xyxy, sample.split) == ("plane", (10.0, 20.0, 30.0, 40.0), "train")
    assert annotation.corners is not None
    np.testing.assert_array_equal(annotation.corners, CORNERS)


def test_flags_words_and_empty_files(tmp_path: Path) -> None:
    """`difficult` is an attribute where it is set, a class may have two words, and a head alone is an empty image."""
    one(tmp_path, f"{ROW} storage tank 1\n{ROW.replace('20 30', '20 31')} small-vehicle 0\n")
    write_files(tmp_path, {"train/images/P1.png": "", "train/labelTxt/P1.txt": "imagesource:x\ngsd:1\n"})
    samples = by_name(read_set(DOTA, tmp_path))
    found = [(a.category, dict(a.attributes)) for a in samples["P0.png"].annotations]
    assert found == [("storage tank", {"difficult": 1}), ("small-vehicle", {})]
    assert (samples["P1.png"].labelled, samples["P1.png"].annotations) == (True, ())


@pytest.mark.parametrize("row", ["1 2 3 4 5 6 7 plane", "1 2 3 4 5 6 7 x plane 0", "nan 2 3 4 5 6 7 8 plane 0"])
def test_bad_rows_are_dropped_one_by_one(row: str, tmp_path: Path) -> None:
    """The row beside stays."""
    labels = read_set(DOTA, one(tmp_path, f"{ROW} plane 0\n{row}\n"))
    assert len(by_name(labels)["P0.png"].annotations) == 1
    assert reasons(labels) == {"label cannot be read"}


@pytest.mark.parametrize(
    "text",
    ["0 0.1 0.1 0.2 0.1 0.2 0.2 0.1 0.2\n", "0 0.5 0.5 0.1 0.1\n", "plane\nship\n", "train/images/P0.png\n", ""],
)
def test_rows_of_other_formats_are_not_claimed(text: str, tmp_path: Path) -> None:
    """YOLO's rows, oriented ones too, lists of classes and of images."""
    assert DOTA.detect(open_folder(one(tmp_path, text))) is None


def test_what_is_written_has_dotas_form(tmp_path: Path) -> None:
    """A head of two lines; ten values a row; the smallest rectangle around an outline; one word a class."""
    triangle = np.array([(10.0, 10.0), (30.0, 10.0), (10.0, 20.0)])
    labels = [
        Annotation("big plane", (10.0, 20.0, 30.0, 40.0), corners=CORNERS, attributes={"difficult": 1}),
        Annotation("roof", geometry.bounds([triangle]), polygons=(Polygon(triangle),)),
        Annotation("roof", (1.0, 2.0, 3.0, 5.0)),
    ]
    exporter = REGISTRY.exporter("dota")
    exporter(tmp_path, exporter.options_type(), place_image).write(make_set([make_sample("a.png", labels)]))
    head, gsd, *rows = (tmp_path / "train/labelTxt/a.txt").read_text().splitlines()
    assert (head, gsd) == ("imagesource:", "gsd:")
    assert [row.split()[8:] for row in rows] == [["big_plane", "1"], ["roof", "0"], ["roof", "0"]]
    assert rows[2].startswith("1.0 2.0 3.0 2.0 3.0 5.0 1.0 5.0 ")
    assert by_name(read_set(DOTA, tmp_path))["a.png"].annotations[0].category == "big plane"
