"""What the rows of a whole YOLO set say where no file says it, each told and settled by an option."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from amp_plugins.formats.yolo.evidence import RowsOfASet
from builders import by_name, read_set, write_files
from hypothesis import given
from hypothesis import strategies as st

from amp_datasets.audit.rules import of_reading
from amp_datasets.model import LabelSet
from amp_datasets.plugin.discovery import load_registry

YOLO = load_registry().source("yolo")
BOX = (24.0, 12.0, 40.0, 36.0)
"""`0.5 0.5 0.25 0.5` in an image of 64x48."""
THREE = "0 0.5 0.5 0.25 0.5  0.4 0.4 2 0.6 0.4 1 0 0 0\n"
TWO = "0 0.5 0.5 0.25 0.5  0.4 0.4 0.6 0.6 0.45 0.7\n"


def flat(folder: Path, *labels: str, **files: str) -> Path:
    """A set without data.yaml: an image a label file, and other files beside (`classes` for classes.txt ...)."""
    content = {f"images/{n}.jpg": "" for n in range(len(labels))}
    content |= {f"labels/{n}.txt": text for n, text in enumerate(labels)}
    endings = {"notes": ".json", "data": ".yaml"}
    return write_files(folder, content | {f"{name}{endings.get(name, '.txt')}": text for name, text in files.items()})


def warned(labels: LabelSet) -> set[str]:
    """The rules of `amp check` that fail the set."""
    return {each.rule for each in of_reading([*labels.dropped, *labels.repairs]) if each.severity != "note"}


def labels_of(labels: LabelSet, name: str = "0.jpg") -> list[tuple[str, Any]]:
    """Class and box of each label of an image."""
    return [(a.category, a.xyxy) for a in by_name(labels)[name].annotations]


@pytest.mark.parametrize(("row", "shape"), [(THREE, [3, 3]), (TWO, [3, 2])])
def test_poses_are_told_by_their_rows(row: str, shape: list[int], tmp_path: Path) -> None:
    """Without kpt_shape: by visibilities, or by points inside boxes that as outline would cross themselves."""
    labels = read_set(YOLO, flat(tmp_path, row, row, classes="fish\n"))
    (annotation,) = by_name(labels)["0.jpg"].annotations
    assert annotation.xyxy == BOX
    assert annotation.keypoints is not None
    assert annotation.keypoints[0].tolist() == pytest.approx([25.6, 19.2, 2])
    assert warned(labels) == {"AMP525"}
    assert labels.categories[0].keypoints == ("keypoint_0", "keypoint_1", "keypoint_2")
    told = read_set(YOLO, tmp_path, kpt_shape=shape)
    assert not warned(told)
    assert np.array_equal(by_name(told)["0.jpg"].annotations[0].keypoints, annotation.keypoints)  # type: ignore[arg-type]


def test_label_studio_names_keypoints_in_its_notes(tmp_path: Path) -> None:
    """In notes.json, the list of as many names as there are points."""
    notes = '{"categories": [{"id": 0, "name": "fish", "keypoints": ["head", "fin", "tail"]}]}'
    labels = read_set(YOLO, flat(tmp_path, THREE, classes="fish\n", notes=notes))
    assert labels.categories[0].keypoints == ("head", "fin", "tail")


def test_outlines_are_no_poses(tmp_path: Path) -> None:
    """Quadrangles and triangles, all of one number of points, stay outlines; `task` and `kpt_shape` settle it."""
    quad = "0 0.6 0.6 0.8 0.6 0.8 0.75 0.6 0.75\n"
    labels = read_set(YOLO, flat(tmp_path, quad, quad, classes="fish\n"))
    assert all(len(a.polygons) == 1 or a.corners is not None for s in labels.samples for a in s.annotations)
    assert not warned(labels)
    flat(tmp_path / "b", TWO, TWO, classes="fish\n")
    outlines = read_set(YOLO, tmp_path / "b", task="segment")
    assert by_name(outlines)["0.jpg"].annotations[0].polygons


@given(st.integers(0, 2**32 - 1), st.integers(3, 12))
def test_no_outline_is_ever_taken_for_a_pose(seed: int, corners: int) -> None:
    """Whatever the shape of some simple polygons: an outline that does not cross itself is none."""
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(8):
        angles = np.sort(random.uniform(0, 2 * np.pi, corners))
        centre, radius = random.uniform(0.3, 0.7, 2), random.uniform(0.05, 0.3)
        ring = centre + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        rows.append((0.0, *ring.ravel().tolist()))
    assert RowsOfASet(tuple(rows)).keypoints() is None


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ("0 0.5 0.5 0.25 0.5 0.57\n", "box"),
        ("0 0.375 0.25 0.625 0.25 0.625 0.75 0.375 0.75 0.57\n", "outline"),
    ],
)
def test_rows_with_confidence_are_predictions(row: str, kind: str, tmp_path: Path) -> None:
    """As Ultralytics saves them with `save_conf`: read, and a warning until it is told how sure a label must be."""
    labels = read_set(YOLO, flat(tmp_path, row, row, classes="bolt\n"))
    (annotation,) = by_name(labels)["0.jpg"].annotations
    assert annotation.xyxy == pytest.approx(BOX)
    assert bool(annotation.polygons) is (kind == "outline")
    assert annotation.attributes == {"confidence": 0.57}
    assert warned(labels) == {"AMP524"}
    assert not warned(read_set(YOLO, tmp_path, min_confidence=0.5))
    assert not read_set(YOLO, tmp_path, min_confidence=0.9).samples[0].annotations  # type: ignore[index]


def test_a_row_of_six_values_among_others_is_a_slip(tmp_path: Path) -> None:
    """Nor is a sixth value above 1 a confidence."""
    for number, rows in enumerate(["0 .5 .5 .25 .5\n0 .5 .5 .1 .1 .9\n", "0 .5 .5 .25 .5\n0 .1 .1 .1 .1 45\n"]):
        labels = read_set(YOLO, flat(tmp_path / str(number), rows, classes="bolt\n"))
        assert labels_of(labels) == [("bolt", BOX)]
        assert {d.reason for d in labels.dropped} == {"row has a wrong number of values"}


def yaml(names: str, more: str = "") -> str:
    """A data.yaml of images in one folder."""
    return f"train: images\nnames: {names}\n{more}"


@pytest.mark.parametrize(
    ("names", "numbers", "expected", "rule"),
    [
        ("{1: cat, 2: dog}\nnc: 2", (1, 2), ("cat", "dog"), ""),
        ("{1: cat, 2: dog}\nnc: 2", (0, 1), ("cat", "dog"), "AMP526"),
        ("{1: cat, 2: dog, 3: bird}\nnc: 3", (1, 2), ("cat", "dog"), "AMP526"),
        ("{0: cat, 1: dog}\nnc: 2", (0, 1), ("cat", "dog"), ""),
        ("[cat, dog]", (1, 2), ("cat", "dog"), "AMP526"),
        ("[cat, dog, bird]", (1, 2), ("dog", "bird"), ""),
    ],
)
def test_names_and_labels_may_count_from_1(
    names: str, numbers: tuple[int, int], expected: tuple[str, str], rule: str, tmp_path: Path
) -> None:
    """What is written stands unless labels contradict it; then all are moved by one, and it is said."""
    rows = [f"{number} 0.5 0.5 0.25 0.5\n" for number in numbers]
    labels = read_set(YOLO, flat(tmp_path, *rows, data=yaml(names)))
    assert tuple(labels_of(labels, f"{n}.jpg")[0][0] for n in range(2)) == expected
    assert warned(labels) == ({rule} if rule else set())
    if rule:
        assert not warned(read_set(YOLO, tmp_path, first_class=min(numbers)))


def test_classes_without_names_are_a_warning(tmp_path: Path) -> None:
    """`class_0` is nobody's word for a thing."""
    assert warned(read_set(YOLO, flat(tmp_path, "0 0.5 0.5 0.25 0.5\n"))) == {"AMP208"}
