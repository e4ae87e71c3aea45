"""The comparison of two builds names what changed, and nothing that did not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from small_builds import FILTERS, ledger, small_build, write_manifest, write_set

from amp_datasets.building.api import build
from amp_datasets.errors import BuildError
from amp_datasets.ledger.diff import DiffReport, diff


def two(folder: Path, more: str = FILTERS, images: int = 2, **settings: Any) -> tuple[Path, Path]:
    """A build, and one of the same set and seed with other settings or more images."""
    first = small_build(folder, images=2)
    if images > 2:
        write_set(folder / "more" / "set", images)
        (folder / "set").rename(folder / "old")
        (folder / "more" / "set").rename(folder / "set")
    write_manifest(folder / "other.yaml", ["set"], more, **settings)
    build(folder / "other.yaml", out=folder / "other", jobs=1)
    return first, folder / "other"


def with_boxes(path: Path) -> None:
    """Take the outlines out of a COCO file, so that only boxes are known."""
    document = json.loads(path.read_text())
    for label in document["annotations"]:
        del label["segmentation"]
    path.write_text(json.dumps(document))


def changes(report: DiffReport) -> set[str]:
    """The kinds of things that changed."""
    document = report.to_json()
    return {name for name in document if name not in {"first", "second", "same", "changed"} and document[name]}


def test_a_build_is_like_itself_made_again(tmp_path: Path) -> None:
    """Nothing is different, also not in text."""
    report = diff(*two(tmp_path))
    assert not report.changed
    assert report.same == 12
    assert report.as_text()[-1] == "nothing is different"


def test_another_strength_changes_pixels_of_its_filter_alone(tmp_path: Path) -> None:
    """The setting is named with both values."""
    report = diff(*two(tmp_path, FILTERS.replace("percent: 30", "percent: 40")))
    assert changes(report) == {"pixels", "settings"}
    assert report.settings == {"filters.brightness.percent": (30, 40)}
    assert report.pixels == [f"set/images/train/demo_00{n}.jpg brightness" for n in (1, 2)]
    assert report.same == 10


def test_a_new_filter_adds_and_an_old_one_that_goes_removes(tmp_path: Path) -> None:
    """Its settings and code are new too."""
    more = FILTERS.replace("brightness: {percent: 30}", "sobel:")
    report = diff(*two(tmp_path, more))
    assert {name.split()[1] for name in report.added} == {"sobel"}
    assert {name.split()[1] for name in report.removed} == {"brightness"}
    assert set(report.plugins) == {"brightness", "sobel"}
    assert report.plugins["sobel"][0] is None
    assert "images added: 2" in report.as_text()


def test_a_threshold_of_labels_changes_labels(tmp_path: Path) -> None:
    """Without a word about pixels where those are the same."""
    more = "filters:\n  rotate: {degrees: 15}\n"
    first, second = two(tmp_path, more, labels="{outline: rect}")
    with_boxes(tmp_path / "set" / "annotations" / "train.json")
    for name, folder in (("amp.yaml", first), ("other.yaml", second)):
        write_manifest(tmp_path / name, ["set"], more, **({"labels": "{outline: rect}"} if folder == second else {}))
        build(tmp_path / name, out=folder, jobs=1)
    report = diff(first, second)
    assert report.settings == {"labels.outline": ("auto", "rect")}
    assert report.labels
    assert not report.pixels


def test_a_class_added_and_classes_in_another_order(tmp_path: Path) -> None:
    """Numbers of classes are what trainers see."""
    report = diff(*two(tmp_path, classes="[starfish, fish, leaf, pebble, crab]"))
    assert report.classes["crab"] == (None, 4)
    assert report.classes["starfish"][1] == 0
    assert not report.pixels


def test_a_source_with_more_images_is_named(tmp_path: Path) -> None:
    """What was there before is the same."""
    report = diff(*two(tmp_path, images=3))
    assert changes(report) == {"added", "sources"}
    assert len(report.added) == 6
    assert report.same == 12


def test_another_split_is_a_move(tmp_path: Path) -> None:
    """The pixels are the same."""
    report = diff(*two(tmp_path, splits="{validation: 1.0}", augment="[validation]"))
    assert len(report.moved) == 12
    assert not report.pixels


def test_long_lists_are_cut_in_text_only(tmp_path: Path) -> None:
    """With a count of the rest."""
    report = diff(*two(tmp_path, seed=4))
    lists = [line for line in report.as_text() if line.startswith("    ")]
    assert len(lists) <= 33
    moved = DiffReport("a", "b", moved=[str(n) for n in range(100)])
    assert moved.as_text()[-1] == "    ... and 90 more (--json lists all)"
    assert len(moved.to_json()["moved"]) == 100
    assert json.loads(json.dumps(report.to_json()))["changed"] is True


def test_what_is_no_build_or_damaged_is_refused(tmp_path: Path) -> None:
    """With its name."""
    first, second = two(tmp_path)
    with pytest.raises(BuildError, match="not a build"):
        diff(first, tmp_path / "set")
    assert ledger(second)
    (second / "amp.lock.json").write_text("{}")
    with pytest.raises(BuildError, match="damaged"):
        diff(first, second)
