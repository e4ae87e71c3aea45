"""What is in a plain box: learnt from outlines of its class and set, said, or assumed within bounds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import make_sample, write_image
from small_builds import ledger, write_manifest

from amp_datasets.building.api import build
from amp_datasets.building.report import BuildReport
from amp_datasets.geometry import shapes as geometry
from amp_datasets.geometry.learnt import shapes_of, with_shapes
from amp_datasets.model import Annotation, Polygon
from amp_datasets.rows.schema import dump_annotations, load_annotations

TURN = "mixes: {turn: [rotate: {degrees: 30, fill: [0, 0, 0]}]}\n"
SMALL = "mixes: {turn: [rotate: {degrees: 10, fill: [0, 0, 0]}]}\n"
BOX = (60.0, 50.0, 140.0, 90.0)


def outlined(kind: str, how: str = "polygon") -> Annotation:
    """An object of a class, known by its outline."""
    ring = geometry.ellipse(BOX) if kind == "coin" else geometry.rectangle(BOX)
    if how == "corners":
        return Annotation(kind, BOX, corners=ring)
    if how == "mask":
        pixels = np.zeros((120, 200), dtype=bool)
        y, x = np.mgrid[:120, :200] + 0.5
        inside = ((x - 100) / 40) ** 2 + ((y - 70) / 20) ** 2 < 1
        pixels[inside if kind == "coin" else (abs(x - 100) < 40) & (abs(y - 70) < 20)] = True
        return Annotation(kind, BOX, mask=geometry.encode_mask(pixels))
    return Annotation(kind, BOX, polygons=(Polygon(ring),))


@pytest.mark.parametrize("how", ["polygon", "mask"])
def test_outlines_tell_round_things_from_square_ones(how: str) -> None:
    """Three outlines of a class settle what its plain boxes hold; two do not."""
    many = [outlined(kind, how) for kind in ("coin", "card") for _ in range(3)]
    assert shapes_of(many, {"coin", "card", "leaf"}) == {"coin": "ellipse", "card": "rect"}
    assert shapes_of(many[:2], {"coin"}) == {}
    assert shapes_of([outlined("card", "corners")] * 3, {"card"}) == {"card": "rect"}


def test_only_plain_boxes_are_given_a_shape_and_keep_it() -> None:
    """Outlined objects need none; a shape goes through JSON, as everything that a variant depends on."""
    plain = Annotation("card", BOX)
    first, second = with_shapes([make_sample("a", [outlined("card")] * 3), make_sample("b", [plain])])
    assert [a.shape for a in first.annotations] == [None] * 3
    assert [a.shape for a in second.annotations] == ["rect"]
    assert load_annotations(dump_annotations(second.annotations))[0].shape == "rect"


def write_cards(folder: Path, outlines: int, category: str = "card") -> Path:
    """Images of one rectangle each; so many are outlined, one more has a plain box."""
    document: dict[str, Any] = {"images": [], "annotations": [], "categories": [{"id": 1, "name": category}]}
    x0, y0, x1, y1 = BOX
    for number in range(1, outlines + 2):
        write_image(folder / f"{number}.png", (200 + number, 140))
        document["images"].append({"id": number, "file_name": f"{number}.png", "width": 200 + number, "height": 140})
        label = {"id": number, "image_id": number, "category_id": 1, "bbox": [x0, y0, x1 - x0, y1 - y0], "iscrowd": 0}
        if number <= outlines:
            label["segmentation"] = [geometry.rectangle(BOX).ravel().tolist()]
        document["annotations"].append(label)
    (folder / "labels.json").write_text(json.dumps(document))
    return folder


def turned(tmp_path: Path, sources: list[Path], more: str = TURN) -> BuildReport:
    """A build of fixed turns."""
    write_manifest(tmp_path / "amp.yaml", sources, more)
    return build(tmp_path / "amp.yaml", out=tmp_path / "build", jobs=1)


def box_of_the_plain_one(tmp_path: Path) -> list[float]:
    """The turned box of the object that is known by its box only."""
    rows = [row for row in ledger(tmp_path / "build") if row["spec"] == "turn" and row["status"] == "made"]
    found = [json.loads(row["labels"])[0] for row in rows]
    (plain,) = [label["xyxy"] for label in found if "polygons" not in label]
    return list(plain)


def test_a_set_with_outlines_turns_its_boxes_as_those(tmp_path: Path) -> None:
    """The plain box of a rectangle becomes the box of the turned rectangle, at any angle, and counts as an estimate."""
    report = turned(tmp_path, [write_cards(tmp_path / "set", 3)])
    assert report.refused_variants == []
    assert report.estimated_labels == 1
    x0, y0, x1, y1 = box_of_the_plain_one(tmp_path)
    cos, sin = np.cos(np.radians(30)), np.sin(np.radians(30))
    assert (x1 - x0, y1 - y0) == pytest.approx((80 * cos + 40 * sin, 80 * sin + 40 * cos))
    assert any("exact: 7 labels; estimated: 1" in line for line in report.as_text())
    assert "xact: 7 labels; estimated: 1" in (tmp_path / "build" / "README.md").read_text()


def test_an_unknown_shape_is_not_turned_far(tmp_path: Path) -> None:
    """30 degrees are refused, and a note says what to do; 10 are made; a shape that is said lifts the bound."""
    source = write_cards(tmp_path / "set", 0)
    report = turned(tmp_path, [source])
    (loss,) = report.refused_variants
    assert loss.reason == "a box would be turned too far for an object of unknown shape"
    assert any("max_box_rotation" in note for note in report.notes)
    report = turned(tmp_path, [source], SMALL)
    assert (report.refused_variants, report.estimated_labels) == ([], 1)
    assert not any("max_box_rotation" in note for note in report.notes)
    for said in ("{outline: rect}", "{outline: {card: ellipse}}", "{max_box_rotation: 45}"):
        assert turned(tmp_path, [source], f"{TURN}labels: {said}\n").refused_variants == []


def test_quarter_turns_and_flips_estimate_nothing(tmp_path: Path) -> None:
    """Boxes that stay along the axes are exact whatever is in them."""
    steps = "filters:\n  flip: {how: any}\n  rotate90: {degrees: [90, 270]}\n"
    report = turned(tmp_path, [write_cards(tmp_path / "set", 0)], steps)
    assert report.refused_variants == []
    assert report.estimated_labels == 0
    assert any(line.startswith("exact: all 3 labels") for line in report.as_text())


def test_a_set_learns_from_itself_alone(tmp_path: Path) -> None:
    """Adding a set with outlines changes no box of a set without."""
    boxes = write_cards(tmp_path / "boxes", 0)
    turned(tmp_path, [boxes], SMALL)
    alone = box_of_the_plain_one(tmp_path)
    turned(tmp_path, [boxes, write_cards(tmp_path / "outlines", 3)], SMALL)
    rows = {row["source_id"]: row for row in ledger(tmp_path / "build") if row["spec"] == "turn"}
    assert json.loads(rows["boxes/1.png"]["labels"])[0]["xyxy"] == alone
