"""YOLO exports as the real trainer reads them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import KEYPOINTS, make_sample, place_image, read_set, write_files
from hypothesis import given
from hypothesis import strategies as st

from amp_datasets.formats.kit.yolo_rows import box_text
from amp_datasets.geometry import shapes as geometry
from amp_datasets.model import Annotation, Category, LabelSet, Polygon
from amp_datasets.plugin.discovery import load_registry

REGISTRY = load_registry()
TRIANGLE = Polygon(np.array([(2.0, 3.0), (40.0, 5.0), (12.0, 44.0)]))
TILTED = np.array([(10.0, 5.0), (40.0, 15.0), (37.0, 24.0), (7.0, 14.0)])
POINTS = np.array([(5.0, 6.0, 2.0), (9.0, 7.0, 1.0), (0.0, 0.0, 0.0)])
JUDGE = """
import json, sys, logging
from pathlib import Path
from ultralytics.data.utils import check_det_dataset, img2label_paths, verify_image_label
data = check_det_dataset(sys.argv[1], autodownload=False)
count, ndim = data.get("kpt_shape", (0, 0))
result = {"names": list(data["names"].values()), "images": {}}
for split in ("train", "val", "test"):
    if not data.get(split):
        continue
    for file in sorted(Path(data[split]).iterdir()):
        (label,) = img2label_paths([str(file)])
        keypoint = data.get("kpt_shape") is not None
        out = verify_image_label((str(file), label, "", keypoint, data["nc"], count, ndim, False))
        result["images"][file.name] = {
            "missing": out[5], "found": out[6], "empty": out[7], "corrupt": out[8], "message": out[9],
            "rows": None if out[1] is None else out[1].tolist(), "segments": [s.tolist() for s in out[3] or []],
            "keypoints": None if out[4] is None else out[4].tolist(),
        }
print(json.dumps(result))
"""


def sample_set() -> LabelSet:
    """Every kind of label, an empty image, all splits, names that YAML would misread."""
    names = ("no", 'quo"te: #', "ünused", "12")
    categories = tuple(Category(name, keypoints=KEYPOINTS, flip_pairs=((0, 1),)) for name in names)
    box = Annotation("no", (0.0, 0.0, 64.0, 48.0))
    outline = Annotation("12", geometry.bounds([TRIANGLE.exterior]), polygons=(TRIANGLE,))
    tilted = Annotation('quo"te: #', geometry.bounds([TILTED]), corners=TILTED)
    pose = Annotation("no", (1.0 / 3, 2.0 / 3, 63.9, 47.9), keypoints=POINTS)
    hollow = Polygon(geometry.rectangle((1, 1, 21, 21)), (geometry.rectangle((5, 5, 15, 15)),))
    parts = Annotation("12", (1, 1, 45, 40), polygons=(hollow, Polygon(geometry.rectangle((30, 30, 45, 40)))))
    samples = (
        make_sample("a b (é).jpg", [box, outline, tilted]),
        make_sample("empty.png"),
        make_sample("v.x.jpg", [pose, parts], split="validation"),
        make_sample("t.jpg", [tilted], split="test"),
        make_sample("unlabelled.jpg", labelled=False),
    )
    return LabelSet(categories, samples)


def export(name: str, folder: Path, labels: LabelSet | None = None) -> Path:
    """A set written in a format."""
    folder.mkdir(parents=True)
    exporter = REGISTRY.exporter(name)
    exporter(folder, exporter.options_type(), place_image).write(labels or sample_set())
    return folder


def judged(folder: Path, cwd: Path) -> dict[str, Any]:
    """What Ultralytics' own dataset check and label verification find, run from some other folder."""
    pytest.importorskip("ultralytics", reason="the trainer is not installed", exc_type=ImportError)
    settings = cwd / "settings"
    settings.mkdir(exist_ok=True)
    env = {**os.environ, "YOLO_OFFLINE": "1", "YOLO_CONFIG_DIR": str(settings), "YOLO_VERBOSE": "false"}
    command = [sys.executable, "-c", JUDGE, str(folder / "data.yaml")]
    done = subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("name", ["yolo", "yolo-segment", "yolo-pose", "yolo-obb"])
def test_the_trainer_takes_every_image(name: str, tmp_path: Path) -> None:
    """No image corrupt, none ignored, no message, names unchanged; also after the folder has moved."""
    export(name, tmp_path / "first").rename(tmp_path / "moved")
    found = judged(tmp_path / "moved", tmp_path)
    assert found["names"] == [c.name for c in sample_set().categories]
    assert set(found["images"]) == {"a b (é).jpg", "empty.png", "v.x.jpg", "t.jpg"}
    for image, result in found["images"].items():
        assert (result["corrupt"], result["missing"], result["message"]) == (0, 0, ""), (image, result)
        assert result["empty"] == (image == "empty.png")


def test_the_trainer_reads_the_same_boxes(tmp_path: Path) -> None:
    """Boxes equal to float32, in the same order."""
    images = judged(export("yolo-detect", tmp_path / "set"), tmp_path)["images"]
    for sample in sample_set().samples:
        if sample.labelled and sample.annotations:
            rows = np.array(images[sample.source_id]["rows"])
            boxes = [geometry.cxcywh_to_xyxy(row * (64, 48, 64, 48)) for row in rows[:, 1:]]
            np.testing.assert_allclose(boxes, [a.xyxy for a in sample.annotations], atol=64e-7)


def test_the_trainer_reads_the_same_outlines_and_keypoints(tmp_path: Path) -> None:
    """Polygon points and keypoints equal to float32; boxes without an outline become their four corners."""
    segments = judged(export("yolo-segment", tmp_path / "segment"), tmp_path)["images"]["a b (é).jpg"]["segments"]
    expected = [geometry.rectangle((0, 0, 64, 48)), TRIANGLE.exterior, TILTED]
    for found, ring in zip(segments, expected, strict=True):
        np.testing.assert_allclose(np.array(found) * (64, 48), ring, atol=64e-7)
    poses = judged(export("yolo-pose", tmp_path / "pose"), tmp_path)["images"]["v.x.jpg"]["keypoints"]
    np.testing.assert_allclose(np.array(poses[0]) * (64, 48, 1), POINTS, atol=64e-7)
    assert not np.any(poses[1])


@given(
    sides=st.tuples(*[st.floats(0, 1) | st.floats(0, 3e-8) | st.floats(1 - 3e-8, 1)] * 4),
    size=st.tuples(*[st.integers(1, 20000)] * 2),
)
def test_no_box_leaves_the_image_when_it_is_read_back(sides: tuple[float, ...], size: tuple[int, int]) -> None:
    """Also one that lies on the border, or a hair from it; and no side moves by more than the digits that are cut."""
    (x0, x1), (y0, y1) = sorted(sides[:2]), sorted(sides[2:])
    text = box_text((x0 * size[0], y0 * size[1], x1 * size[0], y1 * size[1]), size)
    cx, cy, w, h = map(float, text.split())
    back = (cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2)
    assert min(back) >= 0
    assert max(back) <= 1
    assert max(abs(a - b) for a, b in zip(back, (x0, y0, x1, y1), strict=True)) < 4e-9


def test_a_row_of_nonsense_stays_in_the_image() -> None:
    """Readers refuse such boxes, and a plugin's may come all the same."""
    for box in ((5.0, 5.0, -100.0, 3.0), (float("inf"), 1.0, 2.0, 3.0)):
        cx, cy, _, _ = map(float, box_text(box, (10, 10)).split())
        assert 0 <= cx <= 1
        assert 0 <= cy <= 1


def test_every_row_of_an_export_has_one_form(tmp_path: Path) -> None:
    """Five values in detect, eight coordinates in oriented, whatever labels the set has."""
    for name, counts in (("yolo-detect", {5}), ("yolo-obb", {9}), ("yolo-pose", {14})):
        texts = [file.read_text() for file in export(name, tmp_path / name).rglob("labels/**/*.txt")]
        assert {len(row.split()) for text in texts for row in text.splitlines()} == counts
    texts = [file.read_text() for file in export("yolo-segment", tmp_path / "s").rglob("labels/**/*.txt")]
    assert all(len(row.split()) >= 7 and len(row.split()) % 2 for text in texts for row in text.splitlines())


def test_parts_and_holes_are_joined_without_changing_the_area(tmp_path: Path) -> None:
    """The bridges between rings have no width."""
    folder = export("yolo-segment", tmp_path / "set")
    row = (folder / "labels/validation/v.x.txt").read_text().splitlines()[1]
    ring = np.array(list(map(float, row.split()[1:]))).reshape(-1, 2) * (64, 48)
    outer, hole, part = 400.0, 100.0, 150.0
    assert geometry.to_shapely([Polygon(ring)]).area == pytest.approx(outer - hole + part, rel=1e-6)


def test_data_yaml_has_no_path_and_only_splits_that_exist(tmp_path: Path) -> None:
    """`train` and `val` must be there for the trainer, `test` need not."""
    labels = LabelSet((Category("no"),), (make_sample("a.jpg"),))
    text = (export("yolo-detect", tmp_path / "set", labels) / "data.yaml").read_text()
    assert "path:" not in text.replace("`path:`", "")
    assert "train: images/train\nval:\n" in text
    assert "test" not in text.replace("detect", "")
    assert '0: "no"' in text


def test_what_the_trainer_would_skip_is_a_loss() -> None:
    """A GIF, an image of 8 pixels, and a box that is there twice."""
    twin = Annotation("a", (1, 1, 9, 9)), Annotation("a", (1, 1, 9, 9 + 1e-9))
    samples = [make_sample("a.gif"), make_sample("b.jpg", size=(8, 100)), make_sample("c.jpg", twin)]
    exporter = REGISTRY.exporter("yolo")
    assert exporter(Path("unused"), exporter.options_type(), place_image).losses(samples) == {
        "image format that the trainer skips": 1,
        "image too small for the trainer": 1,
        "repeated row": 1,
    }


def test_an_added_class_moves_no_other(tmp_path: Path) -> None:
    """Numbers are places in the list of classes, with labels or without."""
    folder = export("yolo-detect", tmp_path / "set")
    rows = (folder / "labels/train/a b (é).txt").read_text().splitlines()
    assert {row.split()[0] for row in rows} == {"0", "1", "3"}
    assert [c.name for c in read_set(REGISTRY.source("yolo"), folder).categories] == ["no", 'quo"te: #', "ünused", "12"]


def test_the_judge_sees_a_broken_row(tmp_path: Path) -> None:
    """The check above can fail: mixed rows are corrupt for the trainer."""
    folder = export("yolo-detect", tmp_path / "set")
    write_files(folder, {"labels/test/t.txt": "0 .5 .5 .1 .1\n0 .1 .1 .2 .2 .3 .3\n"})
    assert judged(folder, tmp_path)["images"]["t.jpg"]["corrupt"] == 1


OUTLINED = Annotation("12", geometry.bounds([TRIANGLE.exterior]), polygons=(TRIANGLE,))
FOUR_BY_FOUR = np.pad(np.ones((4, 4), np.bool_), ((2, 42), (2, 58)))
MASKED = Annotation("12", (2, 2, 6, 6), mask=geometry.encode_mask(FOUR_BY_FOUR))
TURNED = Annotation("no", geometry.bounds([TILTED]), corners=TILTED)
POSED = Annotation("no", (1, 1, 60, 40), keypoints=POINTS)
PLAIN = Annotation("no", (1, 1, 60, 40))


@pytest.mark.parametrize(
    ("labels", "task"),
    [
        ([], "detect"),
        ([PLAIN], "detect"),
        ([OUTLINED, MASKED], "segment"),
        ([OUTLINED, PLAIN], "detect"),
        ([TURNED, PLAIN], "obb"),
        ([OUTLINED, TURNED], "detect"),
        ([POSED, PLAIN, OUTLINED], "pose"),
    ],
)
def test_the_form_follows_the_labels(tmp_path: Path, labels: list[Annotation], task: str) -> None:
    """Keypoints make poses, tilted boxes oriented rows, outlines of all objects rings; corners of a box are no mask."""
    names = tuple(Category(name, keypoints=KEYPOINTS) for name in ("no", "12"))
    found = LabelSet(names, (make_sample("a.jpg", labels), make_sample("b.jpg")))
    assert f"task: {task}\n" in (export("yolo", tmp_path / "auto", found) / "data.yaml").read_text()
    for file in (tmp_path / "auto").rglob("*.txt"):
        same = export(f"yolo-{task}", tmp_path / "said" / file.stem, found) / file.relative_to(tmp_path / "auto")
        assert file.read_bytes() == same.read_bytes()


def test_another_form_can_be_asked_for(tmp_path: Path) -> None:
    """By the option `task`, as by the name of the format."""
    (tmp_path / "set").mkdir()
    plugin = REGISTRY.exporter("yolo")
    plugin(tmp_path / "set", plugin.options_type(task="detect"), place_image).write(sample_set())
    text = export("yolo-detect", tmp_path / "named") / "labels/train/a b (é).txt"
    assert (tmp_path / "set/labels/train/a b (é).txt").read_bytes() == text.read_bytes()


def test_a_plain_label_loses_nothing() -> None:
    """Boxes with a class, and images without one, are all that YOLO needs: nothing is reported."""
    samples = [make_sample("a.jpg", [PLAIN]), make_sample("b.jpg")]
    for name in ("yolo", "yolo-detect", "coco", "voc", "createml", "csv", "huggingface"):
        plugin = REGISTRY.exporter(name)
        lost = plugin(Path("unused"), plugin.options_type(), place_image).losses(samples)
        assert not {reason: n for reason, n in lost.items() if reason != "empty"}, name
    plugin = REGISTRY.exporter("yolo")
    outlined = [make_sample("a.jpg", [OUTLINED])]
    assert not plugin(Path("unused"), plugin.options_type(), place_image).losses(outlined)
