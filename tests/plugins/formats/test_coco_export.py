"""COCO exports: the format's own tools agree with what we write, and it reads back as it was."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from coco_sets import (
    DONUT,
    PERSON,
    SIZE,
    a_set,
    export,
    loaded,
    read,
    self_evaluation,
    write_image,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask
from pycocotools.cocoeval import COCOeval

from amp_datasets.geometry import shapes as geometry
from amp_datasets.model import Annotation, Category, ImageFile, LabelSet, Polygon, Sample


def test_ids_count_from_1_and_every_required_key_is_there(tmp_path: Path) -> None:
    """pycocotools takes annotation id 0 for `no match`; trainers need `area`, `iscrowd` and a supercategory."""
    annotations = [Annotation("cat", (1.5, 2.0, 9.0, 8.0)), Annotation("none", (3.0, 3.0, 30.0, 30.0), iscrowd=True)]
    categories = (Category("unused", "none"), Category("cat", "animal"), Category("none"))
    labels = a_set(tmp_path / "in", *annotations, categories=categories)
    written = json.loads((export(tmp_path / "out", labels) / "annotations/train.json").read_text("utf-8"))
    assert [entry["id"] for entry in written["images"]] == [1, 2]
    assert [entry["id"] for entry in written["annotations"]] == [1, 2]
    assert [(c["id"], c["name"], c["supercategory"]) for c in written["categories"]] == [
        (1, "unused", "unused"),
        (2, "cat", "animal"),
        (3, "none", "object"),
    ]
    assert [entry["file_name"] for entry in written["images"]] == ["a.jpg", "b ü.jpg"]
    assert [entry["iscrowd"] for entry in written["annotations"]] == [0, 1]
    assert written["annotations"][0]["bbox"] == [1.5, 2.0, 7.5, 6.0]
    assert written["annotations"][0]["area"] == 45.0
    assert "segmentation" not in written["annotations"][0]
    assert type(written["info"]["year"]) is int
    assert written["licenses"] == []


@pytest.mark.parametrize(
    ("exporter", "file", "image"),
    [
        ("coco", "annotations/validation.json", "images/validation/a.jpg"),
        ("coco-roboflow", "valid/_annotations.coco.json", "valid/a.jpg"),
    ],
)
def test_each_layout_puts_labels_and_images_where_its_readers_look(
    tmp_path: Path, exporter: str, file: str, image: str
) -> None:
    """RF-DETR wants `valid` and the labels beside the images; nothing else is left in the folder."""
    sample = Sample("a.jpg", ImageFile(write_image(tmp_path / "a.jpg")), SIZE, split="validation")
    unlabelled = Sample("u.jpg", ImageFile(write_image(tmp_path / "u.jpg")), SIZE, labelled=False, split="validation")
    target = export(tmp_path / "out", LabelSet((Category("cat"),), (sample, unlabelled)), exporter)
    assert sorted(p.relative_to(target).as_posix() for p in target.rglob("*") if p.is_file()) == sorted([file, image])
    categories = json.loads((target / file).read_text())["categories"]
    assert all(entry["supercategory"] != "none" for entry in categories)
    (back,) = read(target).samples
    assert (back.split, back.labelled) == ("validation", True)


def _shapes() -> list[Annotation]:
    polygon = Polygon(np.array([(10.25, 10.0), (40.0, 12.5), (30.0, 40.0)]))
    mask = np.zeros(SIZE[::-1], dtype=bool)
    mask[20:40, 30:60] = True
    mask[25:30, 40:50] = False
    points = np.array([(20.0, 20.0, 2.0), (15.0, 18.0, 1.0), (0.0, 0.0, 0.0)])
    return [
        Annotation("person", geometry.bounds([polygon.exterior]), polygons=(polygon,), keypoints=points),
        Annotation("person", (4, 4, 40, 40), polygons=(DONUT,), attributes={"occluded": True}),
        Annotation("cat", (30, 20, 60, 40), mask=geometry.encode_mask(mask)),
    ]


@pytest.mark.parametrize("kind", ["bbox", "segm"])
def test_the_ground_truth_evaluates_to_ap_1_against_itself(tmp_path: Path, kind: str) -> None:
    """With boxes, polygons, holes and masks, by pycocotools and by faster-coco-eval."""
    labels = a_set(tmp_path / "in", *_shapes(), categories=(PERSON, Category("cat")))
    path = export(tmp_path / "out", labels) / "annotations/train.json"
    assert self_evaluation(loaded(path), kind) == pytest.approx(1.0)
    faster = pytest.importorskip("faster_coco_eval", reason="faster-coco-eval is not installed")
    truth = faster.COCO(str(path))
    found = truth.loadRes([{**a, "score": 1.0} for a in truth.loadAnns(truth.getAnnIds())])
    evaluation = faster.COCOeval_faster(truth, found, kind)
    evaluation.evaluate()
    evaluation.accumulate()
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1.0)


def test_keypoints_evaluate_to_ap_1_against_themselves(tmp_path: Path) -> None:
    """A person without labelled points stands beside one with them."""
    with_points, without, _ = _shapes()
    labels = a_set(tmp_path / "in", with_points, without, categories=(PERSON,))
    truth = loaded(export(tmp_path / "out", labels) / "annotations/train.json")
    assert [a["num_keypoints"] for a in truth.dataset["annotations"]] == [2, 0]
    assert truth.dataset["categories"][0]["skeleton"] == [[1, 2], [1, 3]]
    found = [{**a, "score": 1.0} for a in truth.loadAnns(truth.getAnnIds())]
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(truth, truth.loadRes(found), "keypoints")
        evaluation.params.kpt_oks_sigmas = np.full(3, 0.05)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1.0)


def test_area_is_that_of_the_outline_and_of_the_run_lengths(tmp_path: Path) -> None:
    """Exactly for run lengths; polygons to the rounding of their rim to pixels."""
    labels = a_set(tmp_path / "in", *_shapes(), categories=(PERSON, Category("cat")))
    truth = loaded(export(tmp_path / "out", labels) / "annotations/train.json")
    for annotation in truth.dataset["annotations"]:
        pixels = float(coco_mask.area(truth.annToRLE(annotation)))
        if isinstance(annotation["segmentation"], dict):
            assert annotation["area"] == pixels
        else:
            assert annotation["area"] == pytest.approx(pixels, rel=0.03)
            assert annotation["area"] < 0.7 * annotation["bbox"][2] * annotation["bbox"][3]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools 2.0.11 under NumPy 2
def test_a_hole_survives_the_round_trip(tmp_path: Path) -> None:
    """The donut comes back as the very pixels that its two rings enclose."""
    labels = a_set(tmp_path / "in", Annotation("cat", (4, 4, 40, 40), polygons=(DONUT,)))
    sample = next(s for s in read(export(tmp_path / "out", labels)).samples if s.annotations)
    (back,) = sample.annotations
    assert back.mask is not None
    expected = np.zeros(SIZE[::-1], dtype=bool)
    expected[4:40, 4:40] = True
    expected[14:30, 14:30] = False
    np.testing.assert_array_equal(geometry.decode_mask(back.mask), expected)


def test_boxes_can_be_given_as_polygons(tmp_path: Path) -> None:
    """For trainers of masks, which stop at a label without a segmentation."""
    labels = a_set(tmp_path / "in", Annotation("cat", (1.0, 2.0, 9.0, 8.0)))
    target = export(tmp_path / "out", labels, boxes_as_polygons=True)
    truth = loaded(target / "annotations/train.json")
    assert truth.dataset["annotations"][0]["segmentation"] == [[1.0, 2.0, 9.0, 2.0, 9.0, 8.0, 1.0, 8.0]]
    assert self_evaluation(truth, "segm") == pytest.approx(1.0)


def test_a_failed_export_says_why_and_leaves_no_second_file(tmp_path: Path) -> None:
    """The spool of annotations goes away with the error."""
    bad = Annotation("cat", (float("nan"), 2.0, 9.0, 8.0))
    with pytest.raises(ValueError, match="JSON compliant"):
        export(tmp_path / "out", a_set(tmp_path / "in", bad))
    assert not list((tmp_path / "out").rglob("*.part"))


_numbers = st.floats(0, 1, allow_nan=False)


@st.composite
def _annotations(draw: st.DrawFn) -> Annotation:
    x0, x1 = sorted(draw(st.tuples(_numbers, _numbers)))
    y0, y1 = sorted(draw(st.tuples(_numbers, _numbers)))
    box = (x0 * 60, y0 * 44, x1 * 60 + 2, y1 * 44 + 2)
    polygons = ()
    if draw(st.booleans()):
        middle = ((box[0] + box[2]) / 2, box[3])
        polygons = (Polygon(np.array([(box[0], box[1]), (box[2], box[1]), middle])),)
    attributes = draw(st.dictionaries(st.text(min_size=1, max_size=5), st.integers() | st.text(max_size=5), max_size=2))
    return Annotation(draw(st.sampled_from(("cat", "dög"))), box, polygons, attributes=attributes)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_annotations(), max_size=4, unique_by=lambda a: (a.category, a.xyxy, len(a.polygons))))
def test_round_trip_keeps_every_label(tmp_path_factory: pytest.TempPathFactory, annotations: list[Annotation]) -> None:
    """Boxes to 1e-6, polygons exactly, attributes and order as they were; and never beyond the image."""
    root = tmp_path_factory.mktemp("set")
    labels = a_set(root / "in", *annotations, categories=(Category("dög"), Category("cat", "animal")))
    target = export(root / "out", labels)
    back = read(target)
    assert back.categories == labels.categories
    assert not back.dropped
    first = next(iter(back.samples))
    assert [a.category for a in first.annotations] == [a.category for a in annotations]
    for ours, theirs in zip(annotations, first.annotations, strict=True):
        np.testing.assert_allclose(theirs.xyxy, ours.xyxy, rtol=1e-6, atol=1e-6)
        assert theirs.attributes == ours.attributes
        for a, b in zip(ours.polygons, theirs.polygons, strict=True):
            np.testing.assert_array_equal(a.exterior, b.exterior)
    for entry in json.loads((target / "annotations/train.json").read_text("utf-8"))["annotations"]:
        x, y, width, height = entry["bbox"]
        assert x + width <= SIZE[0]
        assert y + height <= SIZE[1]


_TORCHVISION = """
import sys, torch
library = torch.library.Library("torchvision", "DEF")
for name in ("nms", "qnms"):  # the CPU build of torch lacks them, and torchvision stops at import without
    library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
from torchvision.datasets import CocoDetection
print([(image.size, len(found)) for image, found in CocoDetection(*sys.argv[1:])])
"""


def test_torchvision_reads_the_export(tmp_path: Path) -> None:
    """CocoDetection finds every image and its labels."""
    if importlib.util.find_spec("torch") is None or importlib.util.find_spec("torchvision") is None:
        pytest.skip("torch and torchvision are not installed")
    target = export(tmp_path / "out", a_set(tmp_path / "in", Annotation("cat", (1.0, 2.0, 9.0, 8.0))))
    command = [sys.executable, "-c", _TORCHVISION, target / "images/train", target / "annotations/train.json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if "operator torchvision::nms" in done.stderr or "already been registered" in done.stderr:
        pytest.skip(f"torchvision does not load here: {done.stderr.splitlines()[-1]}")
    assert done.stdout.splitlines()[-1] == f"[({SIZE}, 1), ({SIZE}, 0)]", done.stderr
