"""What a mirror image does to names and keypoints, and when it must not be made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from builders import write_image
from small_builds import ledger, write_manifest

from amp_datasets.building.api import build
from amp_datasets.building.report import BuildReport
from amp_datasets.errors import AmpError
from amp_datasets.variants.maker import UNKNOWN_PAIRS
from amp_datasets.variants.mirror import is_numbered, keypoint_pairs

FLIP = "filters:\n  flip: {how: horizontal}\n"


def write_pose(folder: Path, more: str = "", count: int = 3) -> Path:
    """A YOLO pose set of one image; `more` are further lines of its data.yaml."""
    write_image(folder / "images" / "a.png", (100, 80))
    points = " ".join(f"{0.2 + 0.1 * i} {0.3 + 0.1 * i} 2" for i in range(count))
    (folder / "labels").mkdir()
    (folder / "labels" / "a.txt").write_text(f"0 0.4 0.5 0.6 0.6 {points}\n")
    (folder / "data.yaml").write_text(f"train: images\nnames: [person]\nkpt_shape: [{count}, 3]\n{more}")
    return folder


def built(tmp_path: Path, source: Path, **settings: Any) -> BuildReport:
    """A build of flips, for the pose trainer."""
    write_manifest(tmp_path / "amp.yaml", [source], FLIP, exports="[yolo-pose, coco]", **settings)
    return build(tmp_path / "amp.yaml", out=tmp_path / "build", jobs=1)


def data_yaml(tmp_path: Path) -> dict[str, Any]:
    """What the build tells the trainer."""
    loaded: dict[str, Any] = yaml.safe_load((tmp_path / "build" / "data.yaml").read_text())
    return loaded


def test_a_pose_without_known_pairs_is_not_mirrored(tmp_path: Path) -> None:
    """Nobody said which points change places: the flip is refused, and the trainer is not told to flip either."""
    report = built(tmp_path, write_pose(tmp_path / "set"))
    assert [loss.reason for loss in report.refused_variants] == [UNKNOWN_PAIRS]
    assert "flip_idx" not in data_yaml(tmp_path)
    assert data_yaml(tmp_path)["kpt_shape"] == [3, 3]


@pytest.mark.parametrize(("order", "expected"), [([0, 2, 1], [0, 2, 1]), ([0, 1, 2], [0, 1, 2])])
def test_pairs_that_are_said_are_used_and_said_again(tmp_path: Path, order: list[int], expected: list[int]) -> None:
    """`flip_idx` exchanges points, and one that exchanges none is a statement as well."""
    report = built(tmp_path, write_pose(tmp_path / "set", f"flip_idx: {order}\n"))
    assert report.refused_variants == []
    assert data_yaml(tmp_path)["flip_idx"] == expected
    (row,) = [row for row in ledger(tmp_path / "build") if row["spec"] == "flip"]
    found = json.loads(row["labels"])[0]["keypoints"]
    before = json.loads(row["source_labels"])[0]["keypoints"]
    assert [point[1] for point in found] == [before[i][1] for i in expected]
    np.testing.assert_allclose([point[0] for point in found], [100 - before[i][0] for i in expected])


@pytest.mark.parametrize(
    ("names", "flip_idx"),
    [
        (["nose", "left ear", "right ear"], [0, 2, 1]),
        (["TL", "TR", "knob"], [1, 0, 2]),
        (["tip", "middle", "end"], None),
    ],
)
def test_names_tell_the_pairs(tmp_path: Path, names: list[str], flip_idx: list[int] | None) -> None:
    """Left and right by words or by the initials of corners; names without a side keep their order, and it is said."""
    report = built(tmp_path, write_pose(tmp_path / "set", f"kpt_names: {{0: {json.dumps(names)}}}\n"))
    assert report.refused_variants == []
    assert data_yaml(tmp_path).get("flip_idx") == flip_idx
    assert any("keep their order" in note for note in report.notes) == (flip_idx is None)


def test_a_single_point_is_its_own_mirror_image(tmp_path: Path) -> None:
    """There is nothing to exchange."""
    assert built(tmp_path, write_pose(tmp_path / "set", count=1)).refused_variants == []
    assert data_yaml(tmp_path)["flip_idx"] == [0]


def test_keypoints_without_names_reach_the_trainer(tmp_path: Path) -> None:
    """A COCO category that names no keypoints loses none of them in YOLO's rows."""
    write_image(tmp_path / "set" / "a.png", (100, 80))
    label = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 10, 50, 50], "iscrowd": 0}
    label["keypoints"] = [20, 20, 2, 30, 30, 2, 40, 40, 1]
    image = {"id": 1, "file_name": "a.png", "width": 100, "height": 80}
    document = {"images": [image], "categories": [{"id": 1, "name": "a"}], "annotations": [label]}
    (tmp_path / "set" / "labels.json").write_text(json.dumps(document))
    built(tmp_path, tmp_path / "set")
    assert data_yaml(tmp_path)["kpt_shape"] == [3, 3]
    (row,) = (tmp_path / "build" / "labels" / "train").glob("a.txt")
    assert [float(v) for v in row.read_text().split()[5:]] == pytest.approx([0.2, 0.25, 2, 0.3, 0.375, 2, 0.4, 0.5, 1])


def write_hands(folder: Path, names: list[str], colour: int) -> Path:
    """A set with one image of each of some classes."""
    write_image(folder / "images" / "a.png", (60 + colour, 50))
    (folder / "labels").mkdir()
    (folder / "labels" / "a.txt").write_text("".join(f"{i} 0.4 0.5 0.{3 + i} 0.4\n" for i in range(len(names))))
    (folder / "data.yaml").write_text(f"train: images\nnames: [{', '.join(names)}]\n")
    return folder


def test_another_source_does_not_lift_a_refusal(tmp_path: Path) -> None:
    """A set of left hands alone is not mirrored, whatever else is built with it; the set with both sides is."""
    alone = write_hands(tmp_path / "left", ["left_hand"], 0)
    both = write_hands(tmp_path / "both", ["left_hand", "right_hand"], 4)
    write_manifest(tmp_path / "amp.yaml", [alone, both], FLIP)
    report = build(tmp_path / "amp.yaml", out=tmp_path / "build", jobs=1)
    assert [loss.count for loss in report.refused_variants] == [1]
    made = [row["source_id"] for row in ledger(tmp_path / "build") if row["spec"] == "flip" and row["status"] == "made"]
    assert [source.partition("/")[0] for source in made] == ["both"]
    write_manifest(tmp_path / "amp.yaml", [alone, both], FLIP, classes="[left_hand, right_hand]")
    assert build(tmp_path / "amp.yaml", out=tmp_path / "build", jobs=1).refused_variants == []


@pytest.mark.parametrize(
    ("mixes", "named"),
    [
        ("{a: {copies: 2, steps: [blur]}, a-1: [hue]}", "a-1"),
        ("{Original: [blur]}", "Original"),
        ("{b: [blur], B: [hue]}", "B"),
        ("{flip: [blur]}", "flip"),
    ],
)
def test_no_two_variants_have_one_file(mixes: str, named: str, tmp_path: Path) -> None:
    """Names of filters, mixes, copies and the untouched image are told apart before anything is made."""
    source = write_hands(tmp_path / "set", ["a"], 0)
    write_manifest(tmp_path / "amp.yaml", [source], f"{FLIP}mixes: {mixes}\n")
    with pytest.raises(AmpError, match=named):
        build(tmp_path / "amp.yaml", out=tmp_path / "build", jobs=1)
    assert not (tmp_path / "build").exists()


def test_numbers_are_no_names() -> None:
    """What stands in for a name says nothing of sides."""
    assert is_numbered(["keypoint_0", "keypoint_1"])
    assert is_numbered(["1", "2"])
    assert not is_numbered(["nose", "keypoint_1"])
    assert keypoint_pairs(["top_left", "top_right", "br", "bl"]) == ((0, 1), (2, 3))
