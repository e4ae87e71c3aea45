"""CreateML sets: the centre of the box, the choices that the file does not state, and the usual mistakes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from builders import by_name, make_sample, make_set, place_image, read_set, reasons, rules, write_files

from amp_datasets.errors import SourceError
from amp_datasets.model import Annotation
from amp_datasets.plugin.discovery import load_registry

CREATEML = load_registry().source("createml")
LABEL: dict[str, Any] = {"label": "cat", "coordinates": {"x": 32, "y": 24, "width": 16, "height": 24}}
BOX = (24.0, 12.0, 40.0, 36.0)


def one(folder: Path, *entries: Any) -> Path:
    """A set of one image of 64x48 and a label file."""
    return write_files(folder, {"train/a.jpg": "", "train/_annotations.createml.json": json.dumps(list(entries))})


def entry(*labels: Any, image: Any = "a.jpg") -> dict[str, Any]:
    """An image with its labels."""
    return {"image": image, "annotations": list(labels)}


def test_coordinates_are_the_centre_in_pixels(tmp_path: Path) -> None:
    """Golden numbers after Apple's documentation: not the corner, which would be half a box off."""
    labels = read_set(CREATEML, one(tmp_path, entry(LABEL)))
    assert by_name(labels)["a.jpg"].annotations[0].xyxy == BOX
    assert by_name(labels)["a.jpg"].split == "train"


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        ({"anchor": "topleft"}, (24, 12, 16, 24)),
        ({"units": "normalized"}, (0.5, 0.5, 0.25, 0.5)),
        ({"origin": "bottomleft"}, (32, 24, 16, 24)),
        ({"origin": "bottomleft", "anchor": "topleft"}, (24, 36, 16, 24)),
    ],
)
def test_what_the_file_does_not_state_can_be_told(
    options: dict[str, str], numbers: tuple[float, ...], tmp_path: Path
) -> None:
    """Apple's choices of units, origin and anchor."""
    coordinates = dict(zip(("x", "y", "width", "height"), numbers, strict=True))
    labels = read_set(CREATEML, one(tmp_path, entry({"label": "cat", "coordinates": coordinates})), **options)
    assert by_name(labels)["a.jpg"].annotations[0].xyxy == BOX


@pytest.mark.parametrize(
    "label",
    [
        None,
        "cat",
        {"label": "cat"},
        {"coordinates": LABEL["coordinates"]},
        {**LABEL, "label": ["cat"]},
        {**LABEL, "label": True},
        {**LABEL, "label": "- Resize to 640x640 (Stretch)"},
        {**LABEL, "coordinates": [1, 2, 3, 4]},
        {**LABEL, "coordinates": {**LABEL["coordinates"], "x": "left"}},
        {**LABEL, "coordinates": {**LABEL["coordinates"], "x": float("nan")}},
        {**LABEL, "coordinates": {**LABEL["coordinates"], "x": 10**400}},
        {**LABEL, "coordinates": {**LABEL["coordinates"], "x": {"deep": [[[]]]}}},
        {**LABEL, "coordinates": {**LABEL["coordinates"], "width": -5}},
    ],
)
def test_bad_labels_are_dropped_one_by_one(label: Any, tmp_path: Path) -> None:
    """Wrong types, huge numbers, NaN, README text: the label beside stays."""
    labels = read_set(CREATEML, one(tmp_path, entry(LABEL, label)))
    assert [a.xyxy for a in by_name(labels)["a.jpg"].annotations] == [BOX]
    assert reasons(labels) == {"label cannot be read"}


def test_numbers_of_thirty_digits_are_counted(tmp_path: Path) -> None:
    """A number that is finite but absurd is no error of the program."""
    far = {**LABEL, "coordinates": {**LABEL["coordinates"], "x": 10**30, "width": 10**20}}
    assert reasons(read_set(CREATEML, one(tmp_path, entry(LABEL, far)))) == {"box is outside the image"}


def test_bad_entries_are_dropped_one_by_one(tmp_path: Path) -> None:
    """Entries of other shapes, missing images, an image listed twice."""
    deep: Any = []
    for _ in range(900):
        deep = [deep]
    bad = [None, 5, {"image": "a.jpg"}, {"image": 5, "annotations": []}, deep, entry(LABEL, image="gone.jpg")]
    labels = read_set(CREATEML, one(tmp_path, entry(LABEL), *bad, entry(LABEL)))
    assert len(labels.samples) == 1
    assert sorted(item.reason for item in labels.dropped) == [
        *["entry has no image or no list of annotations"] * 5,
        "image is missing",
    ]
    assert "image is listed twice" in rules(labels)


def test_other_keys_and_duplicates(tmp_path: Path) -> None:
    """`imagefilename` and `annotation` mean the same; a repeated label is merged."""
    labels = read_set(CREATEML, one(tmp_path, {"imagefilename": "a.jpg", "annotation": [LABEL, LABEL]}))
    assert len(by_name(labels)["a.jpg"].annotations) == 1
    assert rules(labels) == {"duplicate label removed"}


@pytest.mark.parametrize("text", ["{%s", '{"a": [%s]}', "[%s" + "[" * 100_000, "[%s" + "9" * 5000 + "]"])
def test_what_is_no_list_refuses_the_set(text: str, tmp_path: Path) -> None:
    """A file that cannot be read as a whole stops the reading."""
    one(tmp_path)
    words = '"coordinates", "annotations", '
    (tmp_path / "train/_annotations.createml.json").write_text(text.replace("%s", words))
    with pytest.raises(SourceError):
        read_set(CREATEML, tmp_path)


def test_empty_is_not_unlabelled_and_classes_keep_their_order(tmp_path: Path) -> None:
    """An empty list confirms an empty image; classes.txt gives the order, also of classes without labels."""
    box = Annotation("b", (1.0, 2.0, 30.0, 40.0))
    samples = [make_sample("a.jpg", [box]), make_sample("e.jpg"), make_sample("u.jpg", labelled=False)]
    exporter = load_registry().exporter("createml")
    exporter(tmp_path, exporter.options_type(), place_image).write(make_set(samples, ["z", "b"]))
    write_files(tmp_path, {"train/u.jpg": ""})
    labels = read_set(CREATEML, tmp_path)
    assert [(s.labelled, len(s.annotations)) for s in labels.samples] == [(True, 1), (True, 0), (False, 0)]
    assert [c.name for c in labels.categories] == ["z", "b"]


def test_the_accordion_set() -> None:
    """Ten photographs with one box each, all read, nothing dropped."""
    folder = Path(__file__).parents[4] / "shared/data/accordion"
    if not folder.is_dir():
        pytest.skip("the photographs are not here")
    labels = read_set(CREATEML, folder)
    assert (len(labels.samples), sum(len(s.annotations) for s in labels.samples)) == (10, 10)
    assert not labels.dropped


def test_corners_read_as_centres_are_told_by_the_images(tmp_path: Path) -> None:
    """Three boxes that reach out of their image as centres, and in no other reading: read so, and said."""
    corners = [(0, 0, 20, 30), (1, 1, 30, 40), (44, 0, 20, 30), (20, 10, 10, 10)]
    keys = ("x", "y", "width", "height")
    shapes = [{"label": "cat", "coordinates": dict(zip(keys, box, strict=True))} for box in corners]
    labels = read_set(CREATEML, one(tmp_path, entry(*shapes)))
    assert [a.xyxy for a in labels.samples[0].annotations] == [(x, y, x + w, y + h) for x, y, w, h in corners]
    assert "boxes are not what the format says" in rules(labels)
    told = read_set(CREATEML, tmp_path, anchor="center")
    assert told.samples[0].annotations[0].xyxy == (0, 0, 10, 15)
    assert "boxes are not what the format says" not in rules(told)


def test_shares_of_the_image_are_told_by_the_whole_file(tmp_path: Path) -> None:
    """All numbers of all boxes lie between 0 and 1."""
    box = {"label": "cat", "coordinates": {"x": 0.5, "y": 0.5, "width": 0.25, "height": 0.5}}
    labels = read_set(CREATEML, one(tmp_path, entry(box)))
    assert labels.samples[0].annotations[0].xyxy == BOX
    assert "boxes are not what the format says" in rules(labels)
