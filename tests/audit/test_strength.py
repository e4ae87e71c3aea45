"""Variants that a person would call broken are counted and warned of; shipped recipes make none."""

from __future__ import annotations

from pathlib import Path
from statistics import median

import pytest
from small_builds import ledger, write_manifest, write_set

from amp_datasets.audit.rules import RULES
from amp_datasets.audit.strength import LITTLE_LEFT, RULES_OF_STRENGTH, SPECKS
from amp_datasets.building.api import build
from amp_datasets.building.report import BuildReport
from amp_datasets.demo.write import write_demo
from amp_datasets.interface.commands import check
from amp_datasets.plugin.discovery import shipped_manifests
from amp_datasets.rows.schema import load_annotations

REAL = Path(__file__).parents[3] / "shared" / "data"
STRONG = {
    "zoom: {percent: 80}": LITTLE_LEFT,
    "crop: {margin: 0, around: one}": LITTLE_LEFT,
    "static_crop: {x: [0, 30], y: [0, 30]}": LITTLE_LEFT,
    "resize: {size: 24, how: longest}": SPECKS,
    "zoom: {percent: 85, direction: out}": SPECKS,
}


def made(folder: Path, filters: str, more: str = "") -> tuple[BuildReport, list[dict[str, object]]]:
    """A build of eight drawn images of 160 x 120, and its ledger."""
    write_demo(folder / "set", images=8, size=(160, 120), seed=2)
    write_manifest(folder / "amp.yaml", ["set"], more=f"filters: {{{filters}}}\n{more}")
    report = build(folder / "amp.yaml", out=folder / "build", jobs=1)
    return report, [row for row in ledger(folder / "build") if row["status"] == "made"]


@pytest.mark.parametrize("filters", STRONG)
def test_strong_variants_are_counted_and_warned_of(filters: str, tmp_path: Path) -> None:
    """By the build, in the ledger and by `amp check` of the manifest, each with its rule."""
    loose = "labels: {min_visibility: 0.05, drop_below: 0.01, min_side_px: 0}\n"
    report, rows = made(tmp_path, filters, loose)
    reason = STRONG[filters]
    counted = {loss.reason: loss.count for loss in report.too_strong}
    marked = [row for row in rows if reason in str(row["detail"])]
    assert counted[f"{reason} ({RULES_OF_STRENGTH[reason]})"] == len(marked) > 0
    assert any(RULES_OF_STRENGTH[reason] in line for line in report.as_text())
    rules = [each for each in check(tmp_path / "amp.yaml").findings if each.rule == RULES_OF_STRENGTH[reason]]
    assert len(rules) == 1
    assert f"`{filters.partition(':')[0]}`" in rules[0].what


def test_the_measure_is_that_of_the_pixels(tmp_path: Path) -> None:
    """Marked is just what has less than a tenth of the source's pixels, and what has a small median box."""
    _, rows = made(tmp_path, "crop: {margin: [0, 1.0], around: one}, resize: {size: 40, how: longest}")
    wholes = {row["source_id"]: row for row in rows if row["spec"] == "original"}

    def side(row: dict[str, object]) -> float:
        boxes = [annotation.xyxy for annotation in load_annotations(str(row["labels"]))]
        return float(median((box[2] - box[0]) * (box[3] - box[1]) for box in boxes)) ** 0.5

    for row in (row for row in rows if row["spec"] != "original"):
        whole = wholes[row["source_id"]]
        share = (
            int(str(row["width"])) * int(str(row["height"])) / (int(str(whole["width"])) * int(str(whole["height"])))
        )
        assert (LITTLE_LEFT in str(row["detail"])) == (share < 0.1)
        assert (SPECKS in str(row["detail"])) == (side(row) < 12 <= side(whole))


def test_objects_that_are_small_before_are_no_variants_fault(tmp_path: Path) -> None:
    """In images of 48 pixels most objects are specks; a change of colour is not warned of."""
    write_set(tmp_path / "set", 4)
    write_manifest(tmp_path / "amp.yaml", ["set"], more="filters: {hue: {degrees: 40}}\n")
    assert build(tmp_path / "amp.yaml", out=tmp_path / "build", jobs=1).too_strong == []


@pytest.mark.parametrize("name", shipped_manifests())
def test_shipped_recipes_break_nothing(name: str, tmp_path: Path) -> None:
    """No variant of a drawn set leaves too little of an image."""
    write_demo(tmp_path / "set", images=6, size=(320, 240), seed=4)
    report = build(shipped_manifests()[name], sources=[str(tmp_path / "set")], out=tmp_path / "build", jobs=1)
    assert report.variants > 8
    assert report.too_strong == []


@pytest.mark.parametrize("name", shipped_manifests())
@pytest.mark.parametrize("of", ["accordion", "bccd", "raccoon"])
def test_shipped_recipes_break_no_real_set(of: str, name: str) -> None:
    """Blood cells are small and many, raccoons and accordions large: no variant that is tried is warned of."""
    if not (REAL / of).is_dir():
        pytest.skip(f"{of} is not here")
    report = check(shipped_manifests()[name], sources=[str(REAL / of)])
    assert [each for each in report.findings if each.rule in RULES_OF_STRENGTH.values()] == []


def test_rules_of_strength_are_rules() -> None:
    """Each is explained."""
    assert set(RULES_OF_STRENGTH.values()) <= set(RULES)
