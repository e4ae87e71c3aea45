"""Builds of classification sets: labels of whole images travel with every variant, and detection does not change."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from builders import write_files
from datasets import ClassLabel
from PIL import Image as PillowImage
from small_builds import write_manifest

import amp_datasets as amp
from amp_datasets.audit.api import audit_path
from amp_datasets.building.api import build
from amp_datasets.errors import SourceError
from amp_datasets.exchange.conversion import export
from amp_datasets.ledger.schema import read_ledger
from amp_datasets.ledger.verify import verify
from amp_datasets.loading.training import id2label
from amp_datasets.model import Annotation
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.rows.schema import count_labels, dump_annotations, load_annotations, load_image_labels
from amp_datasets.view.preview import preview

FILTERS = """
filters:
  brightness: {percent: 30}
  flip: {how: horizontal}
  rotate: {degrees: [5, 15]}
  cutout: {count: 2, percent: 10}
"""


def write_classes(folder: Path, names: tuple[str, ...] = ("cat", "dog"), each: int = 2) -> Path:
    """Class folders in two splits, each image another."""
    for turn, split in enumerate(("train", "val")):
        for number, name in enumerate(names):
            for copy in range(each):
                path = folder / split / name / f"{name}{copy}{split}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                angle = 37 * copy + 90 * number + 11 * turn
                bands = [PillowImage.linear_gradient("L").rotate(angle + tilt) for tilt in (0, 70, 140)]
                PillowImage.merge("RGB", bands).resize((160, 120)).save(path)
    return folder


def test_labels_of_images_travel_through_every_filter(tmp_path: Path) -> None:
    """Each variant has the label of its source: in the ledger, in the rows, loaded and verified."""
    write_classes(tmp_path / "set")
    write_manifest(tmp_path / "amp.yaml", ["set"], FILTERS)
    report = build(tmp_path / "amp.yaml", out=tmp_path / "build", jobs=1)
    rows = list(read_ledger(tmp_path / "build"))
    assert {row["status"] for row in rows} == {"made"}
    assert report.labels == report.originals + report.variants == len(rows) == 4 * 5 + 4
    for row in rows:
        assert load_image_labels(row["labels"]) == load_image_labels(row["source_labels"])
        assert load_image_labels(row["labels"])[0] in row["source_id"]
        assert (row["labels_in"], row["labels_out"]) == (1, 1)
    assert any("yolo is left out" in note for note in report.notes)
    assert not (tmp_path / "build/data.yaml").exists()
    assert not verify(tmp_path / "build", replay="all").findings
    train = amp.load(tmp_path / "build")["train"]
    assert train.features["label"] == ClassLabel(names=["cat", "dog"])
    assert all(train.features["label"].int2str(row["label"]) in row["source_id"] for row in train)
    assert id2label(train) == {0: "cat", 1: "dog"}
    lazy = amp.load(tmp_path / "amp.yaml")["train"]
    assert (lazy.features, lazy["label"]) == (train.features, train["label"])


def test_every_filter_makes_variants_of_whole_images(tmp_path: Path) -> None:
    """All shipped filters, but those that look for an object: these say that there is none."""
    write_classes(tmp_path / "set", each=1)
    names = sorted(load_registry().filters)
    write_manifest(tmp_path / "amp.yaml", ["set"], "filters:\n" + "".join(f"  {name}:\n" for name in names))
    report = build(tmp_path / "amp.yaml", out=tmp_path / "build", jobs=1)
    refused = {(row["spec"], row["reason"]) for row in read_ledger(tmp_path / "build") if row["status"] != "made"}
    no_object = {"there is no object to crop around", "there is no object to cut out"}
    no_object |= {f"`{name}` joins objects, not classes of whole images" for name in ("mosaic", "copy_paste")}
    assert {reason for _, reason in refused} <= {*no_object, "the image would not change"}
    assert report.variants >= 2 * (len(names) - 6)


def test_a_build_is_read_and_exported_again(tmp_path: Path) -> None:
    """Class folders in, class folders out; the audit counts the classes."""
    write_classes(tmp_path / "set")
    write_manifest(tmp_path / "amp.yaml", ["set"], FILTERS)
    build(tmp_path / "amp.yaml", out=tmp_path / "build", jobs=1)
    found = audit_path(tmp_path / "build", load_registry())
    assert (found.classes, found.states) == ({"cat": 12, "dog": 12}, {"labelled": 24})
    report = export(tmp_path / "build", "yolo-classify", tmp_path / "out", load_registry())
    assert (report.images, report.lost) == (24, {})
    assert len(list((tmp_path / "out/train/cat").iterdir())) == 10
    assert len(list((tmp_path / "out/val/dog").iterdir())) == 2


def test_a_mirror_image_exchanges_left_and_right(tmp_path: Path) -> None:
    """The class of a whole image is mirrored like that of an object."""
    write_classes(tmp_path / "set", ("left_hand", "right_hand"))
    write_manifest(tmp_path / "amp.yaml", ["set"], "filters: {flip: {how: horizontal}}\n", originals="false")
    build(tmp_path / "amp.yaml", out=tmp_path / "build", jobs=1)
    flipped = [row for row in read_ledger(tmp_path / "build") if row["spec"] == "flip"]
    other = {"left_hand": "right_hand", "right_hand": "left_hand"}
    assert len(flipped) == 4
    for row in flipped:
        assert load_image_labels(row["labels"]) == (other[load_image_labels(row["source_labels"])[0]],)


def test_a_side_without_counterpart_is_not_mirrored(tmp_path: Path) -> None:
    """There is no name for what it would become."""
    write_classes(tmp_path / "set", ("left_hand", "foot"))
    write_manifest(tmp_path / "amp.yaml", ["set"], "filters: {flip: {how: horizontal}}\n")
    report = build(tmp_path / "amp.yaml", out=tmp_path / "build", jobs=1)
    assert [loss.count for loss in report.refused_variants] == [2]


def test_another_label_is_another_key(tmp_path: Path) -> None:
    """A source that got another class is made again; the class decides, not the folder's name."""
    names = {"a.jpg": "", "b.jpg": ""}
    for number, table in enumerate(
        ("filename,label\na.jpg,cat\nb.jpg,dog\n", "filename,label\na.jpg,dog\nb.jpg,dog\n")
    ):
        write_files(tmp_path / f"set{number}", {**names, "labels.csv": table})
        write_manifest(tmp_path / f"{number}.yaml", [f"set{number}"], FILTERS)
        build(tmp_path / f"{number}.yaml", out=tmp_path / f"build{number}", jobs=1)
    keys = [{row["key"] for row in read_ledger(tmp_path / f"build{n}") if "/a.jpg" in row["source_id"]} for n in (0, 1)]
    assert not keys[0] & keys[1]


def test_detection_and_classification_do_not_mix(tmp_path: Path, demo_folder: Path) -> None:
    """In one build the images of either would be empty ones for the other."""
    write_classes(tmp_path / "set")
    write_manifest(tmp_path / "amp.yaml", ["set", demo_folder], FILTERS)
    with pytest.raises(SourceError, match="classification"):
        build(tmp_path / "amp.yaml", out=tmp_path / "build", jobs=1)


def test_classes_are_renamed_and_dropped_like_those_of_objects(tmp_path: Path) -> None:
    """`classes` and `unknown_classes` hold for whole images too, and what is dropped is counted."""
    write_classes(tmp_path / "set", ("cat", "dog", "fish"))
    classes = "{pet: [cat, dog]}"
    write_manifest(tmp_path / "amp.yaml", ["set"], "", classes=classes, unknown_classes="drop")
    report = build(tmp_path / "amp.yaml", out=tmp_path / "build", jobs=1)
    assert {load_image_labels(row["labels"]) for row in read_ledger(tmp_path / "build")} == {("pet",)}
    assert {loss.reason: loss.count for loss in report.dropped} == {
        "no usable label": 4,
        "class is not in `classes`": 4,
    }


def test_previews_say_the_class(tmp_path: Path) -> None:
    """A contact sheet of a classification set can be drawn."""
    write_classes(tmp_path / "set")
    write_manifest(tmp_path / "amp.yaml", ["set"], FILTERS)
    tiles = preview(tmp_path / "amp.yaml").tiles
    assert len(tiles) == 5
    assert all(tile.title.endswith(")") for tile in tiles if tile.image is not None)


def test_texts_of_detection_sets_are_what_they_were() -> None:
    """Without labels of whole images the canonical text is a plain list, so keys and digests stay."""
    box = Annotation("cat", (1.0, 2.0, 3.0, 4.0))
    assert dump_annotations([box]) == '[{"category":"cat","xyxy":[1.0,2.0,3.0,4.0]}]'
    both = dump_annotations([box], ["x"])
    assert json.loads(both) == {"annotations": json.loads(dump_annotations([box])), "labels": ["x"]}
    assert [annotation.xyxy for annotation in load_annotations(both)] == [box.xyxy]
    assert (load_image_labels(both), count_labels(both)) == (("x",), 2)
