"""Labels against pixels: every geometric filter and random chains, judged by an oracle that paints and looks."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from oracle.scenes import KNOWN, Scene, blocks, discs, paint, scenes
from oracle.survey import Outcome, outcomes, plans, random_chains, step, wrong
from oracle.verdict import decode, large_ious

from amp_datasets.geometry.warp import identity
from amp_datasets.model import Annotation, Polygon
from amp_datasets.variants.labels import LabelPolicy, judge
from amp_datasets.variants.maker import Planned, Refused
from amp_datasets.variants.recipe import Step, VariantSpec

OBJECTS = int(os.environ.get("AMP_ORACLE_OBJECTS", "2500"))
"""How many painted things are looked at in all. Before a release: AMP_ORACLE_OBJECTS=10000, which takes minutes."""

TURN, WAVES = step("rotate", degrees=[3, 40]), step("elastic", alpha=[60, 150], sigma=[10, 20])
CASES: dict[str, tuple[Sequence[Sequence[Step]], float]] = {
    "flip": ([[step("flip", how=how)] for how in ("horizontal", "vertical", "both")], 0.01),
    "rotate90": ([[step("rotate90", degrees=degrees)] for degrees in (90, 180, 270)], 0.01),
    "crop around one": ([[step("crop", margin=[0, 0.5], around="one")]] * 4, 0.01),
    "random crop": ([[step("albumentations.RandomCrop", height=300, width=500)]] * 4, 0.01),
    "rotate": ([[TURN]] * 4, 0.03),
    "rotate anywhere": ([[step("rotate", degrees=[3, 180], fill=(0, 0, 0))]] * 4, 0.03),
    "rotate and zoom": ([[step("rotate", degrees=[3, 20], fill="crop")]] * 4, 0.03),
    "elastic": ([[step("elastic")]] * 4, 0.1),
    "elastic long waves": ([[step("elastic", alpha=[400, 900], sigma=[25, 40])]] * 4, 0.3),
    "elastic short waves": ([[step("elastic", alpha=[20, 40], sigma=[5, 8])]] * 4, 0.1),
    "cutout": ([[step("cutout", count=[3, 9], percent=[5, 30])]] * 4, 0.01),
    "zoom": ([[step("zoom", percent=[-40, 60])]] * 4, 0.03),
    "shear": ([[step("shear", degrees=[3, 40], axis="any", fill=fill)] for fill in ("replicate", (0, 0, 0))] * 2, 0.03),
    "shear and zoom": ([[step("shear", degrees=[-30, 30], axis="any", fill="crop")]] * 4, 0.03),
    "translate": ([[step("translate", percent=[5, 40])]] * 4, 0.01),
    "affine": ([[step("affine", degrees=[0, 180], scale=[0.6, 1.5], shear=[0, 25], translate=[0, 20])]] * 4, 0.03),
    "affine and zoom": ([[step("affine", degrees=[-15, 15], translate=[0, 10], fill="crop")]] * 4, 0.03),
    "perspective": ([[step("perspective", percent=[5, 30])]] * 4, 0.03),
    "perspective in a frame": ([[step("perspective", percent=[5, 30], fill=(0, 0, 0))]] * 4, 0.03),
    "rotate and expand": ([[step("rotate", degrees=[-90, 90], expand=True)]] * 4, 0.03),
    "perspective of waves": ([[WAVES, step("perspective")], [step("perspective"), WAVES, TURN]] * 2, 0.1),
    "turn and wave": ([[TURN, WAVES], [WAVES, TURN]] * 2, 0.1),
    "turn and crop": ([[TURN, step("crop", margin=0.2, around="one")]] * 4, 0.03),
    "turn and hide": ([[TURN, step("cutout", count=4, percent=15)]] * 4, 0.03),
    **{f"random chains {i}": (random_chains(i, 4), 0.15) for i in range(6)},
}
"""Chains to run, and how well the visible share of a thing can be told from its pixels."""

EXACT = {
    "flip": [step("flip", how="any")],
    "rotate90": [step("rotate90")],
    "crop": [step("crop", margin=[0, 0.4], around="one")],
    "HorizontalFlip": [step("albumentations.HorizontalFlip")],
    "VerticalFlip": [step("albumentations.VerticalFlip")],
    "Transpose": [step("albumentations.Transpose")],
    "RandomRotate90": [step("albumentations.RandomRotate90")],
    "D4": [step("albumentations.D4")],
    "SquareSymmetry": [step("albumentations.SquareSymmetry")],
    "Crop": [step("albumentations.Crop", x_min=11, y_min=7, x_max=133, y_max=81)],
    "CenterCrop": [step("albumentations.CenterCrop", height=61, width=101)],
    "RandomCrop": [step("albumentations.RandomCrop", height=61, width=101)],
    "AtLeastOneBBoxRandomCrop": [step("albumentations.AtLeastOneBBoxRandomCrop", height=61, width=101)],
    "RandomCropFromBorders": [step("albumentations.RandomCropFromBorders")],
    "BBoxSafeRandomCrop": [step("albumentations.BBoxSafeRandomCrop")],
    "Pad": [step("albumentations.Pad", padding=[3, 5, 7, 11])],
    "PadIfNeeded": [step("albumentations.PadIfNeeded", min_height=97, min_width=203)],
    "cutout": [step("cutout", count=[2, 6], percent=[10, 40])],
    "translate": [step("translate", percent=[3, 40], fill=(0, 0, 0))],
    "quarter turn on a larger canvas": [step("rotate", degrees=90, expand=True)],
    "chain": [step("flip", how="any"), step("crop", margin=[0, 0.4], around="one"), step("rotate90"), step("cutout")],
}


def visible(found: Sequence[Outcome]) -> list[Any]:
    """All verdicts on things that are seen and labelled."""
    return [v for outcome in found for v in outcome.verdicts if v.claims and v.found is not None]


def hides(chains: Sequence[Sequence[Step]]) -> bool:
    """Whether something is painted over: what then sticks out thinner than a pixel has a label and no pixels."""
    return any(step.filter == "cutout" for chain in chains for step in chain)


@pytest.mark.parametrize("name", CASES)
def test_labels_follow_the_pixels(name: str) -> None:
    """No thing is missed, no label is without a thing, and boxes and outlines are where the pixels are."""
    chains, tolerance = CASES[name]
    found: list[Outcome] = []
    for seed in range(0, 10**6, 5):
        found += outcomes(scenes(5, seed), chains)
        if sum(len(outcome.verdicts) for outcome in found) >= OBJECTS / len(CASES):
            break
    assert [text for outcome in found for text in wrong(outcome, tolerance)] == []
    verdicts = visible(found)
    known, ellipses = large_ious(verdicts, (*KNOWN, "rectangle box")), large_ious(verdicts, ["ellipse box"])
    assert np.median(known) >= 0.985
    assert known.min() >= (0.9 if hides(chains) else 0.95)
    assert np.median(ellipses) >= 0.97
    whole = [v for v in verdicts if v.is_large and v.kind in KNOWN and v.kind != "thin"]
    assert np.median([v.shape_iou for v in whole]) >= 0.985
    assert min(v.shape_iou for v in whole) >= 0.95
    assert max(v.outside_px for v in verdicts if v.kind == "rectangle box") <= 1


@pytest.mark.parametrize("name", EXACT)
def test_whole_pixels_give_exact_labels(name: str) -> None:
    """Where no value is interpolated and corners lie on pixels, every box and outline is exactly what is seen."""
    found = list(outcomes(map(blocks, range(25)), [EXACT[name]], copies=2, min_side_px=0))
    verdicts = visible(found)
    assert len(verdicts) > 50
    assert [text for outcome in found for text in wrong(outcome, 1e-9)] == []
    assert max(np.abs(np.subtract(v.found, c.xyxy)).max() for v, c in paired(found)) < 1e-9
    assert {v.shape_iou for v in verdicts} <= {1.0, None}


def paired(found: Sequence[Outcome]) -> list[tuple[Any, Any]]:
    """Each verdict with its label."""
    pairs = []
    for outcome in found:
        labels = {label.category: label for label in outcome.planned.judged.annotations}
        pairs += [(v, labels[f"thing {v.code}"]) for v in outcome.verdicts if v.claims]
    return pairs


BIASED = {
    "flip": [step("flip", how="any")],
    "rotate90": [step("rotate90")],
    "crop": [step("crop", margin=[0.2, 3], around="one")],
    "RandomCrop": [step("albumentations.RandomCrop", height=60, width=80)],
    "rotate": [step("rotate", degrees=[1, 40])],
    "rotate and zoom": [step("rotate", degrees=[1, 10], fill="crop")],
    "elastic": [step("elastic", alpha=[100, 200], sigma=[14, 20])],
    "zoom": [step("zoom", percent=[-50, 30])],
    "shear": [step("shear", degrees=[-30, 30], axis="any")],
    "affine": [step("affine", degrees=[0, 180], scale=[0.7, 1.3], shear=[0, 20], translate=[0, 10])],
    "perspective": [step("perspective", percent=[3, 15])],
    "rotate and expand": [step("rotate", degrees=[1, 80], expand=True)],
    "turn and wave": [step("rotate", degrees=[1, 20]), step("elastic", alpha=[100, 200], sigma=[14, 20])],
}


@pytest.mark.parametrize("name", BIASED)
def test_boxes_and_keypoints_have_no_bias(name: str) -> None:
    """Over 400 draws, discs lie on average where their boxes and keypoints say, to a twentieth of a pixel."""
    found = draws(BIASED[name], 400)
    whole = [v for outcome in found for v in outcome.verdicts if v.claims and v.found and not v.touches_edge]
    assert len(whole) >= 400
    assert np.abs(np.mean([v.centre_off for v in whole], axis=0)).max() < 0.05
    assert np.abs(np.mean([v.point_off for v in whole], axis=0)).max() < 0.05


def draws(chain: Sequence[Step], count: int) -> list[Outcome]:
    """That many variants of images of discs."""
    found: list[Outcome] = []
    for seed in range(count):
        found += outcomes([discs(seed)], [chain], copies=4)
        if len(found) >= count:
            return found[:count]
    return found


def at(ring: np.ndarray, x: float, y: float) -> np.ndarray:
    """The ring at another place."""
    return ring + np.array([x, y])


def near_the_border(seed: int, size: tuple[int, int]) -> Scene:
    """A thing near a side, and one anywhere."""
    draw = random.Random(seed)
    square = np.array([(0.2, 0.3), (13.6, 0.3), (13.6, 7.8), (0.2, 7.8)])
    width, height = size[0] - 14, size[1] - 8
    gap = draw.choice((0, 1, 3, 6, 10))
    x, y = draw.uniform(0, width), draw.uniform(0, height)
    side = draw.choice(((x, gap), (x, height - gap), (gap, y), (width - gap, y)))
    places = [side, (draw.uniform(0, width), draw.uniform(0, height))]
    return paint(f"border {size} {seed}", size, [("convex", (square + place,)) for place in places])


@pytest.mark.parametrize("size", [(200, 120), (300, 50)], ids=str)
def test_no_reflection_shows_an_object_without_label(size: tuple[int, int]) -> None:
    """With `fill: reflect` every pixel of a thing's colour is inside its one label, at any angle and distance."""
    chain = [step("rotate", degrees=[1, 180], fill="reflect")]
    found = list(outcomes((near_the_border(seed, size) for seed in range(60)), [chain], copies=4))
    assert len(found) > 50
    assert [text for outcome in found for text in wrong(outcome, 0.15)] == []
    assert max(v.outside_px for v in visible(found)) < 1.5


def test_a_partly_visible_object_does_not_excuse_a_reflected_one() -> None:
    """Fixed settings, under which one thing is cut and another is seen twice, make no variant."""
    corners = np.array([(0.0, 0), (30, 0), (30, 20), (0, 20)])
    image = paint("cut and twice", (200, 120), [("convex", (at(corners, 170, 0),)), ("convex", (at(corners, 40, 2),))])
    turn = step("rotate", degrees=30, direction="clockwise", fill="reflect")
    (planned,) = plans(image, [VariantSpec("turn", (turn,))])
    assert isinstance(planned, Refused)
    assert "reflected" in planned.reason


def test_what_a_hole_hides_is_what_keypoints_say() -> None:
    """A keypoint on a black pixel is hidden (1), one on the thing's colour visible (2), and its place is kept."""
    seen = {1: 0, 2: 0}
    chain = [step("cutout", count=[3, 8], percent=[10, 40])]
    for outcome in outcomes(map(discs, range(40)), [chain], copies=3):
        codes = decode(outcome.image)
        for label in outcome.planned.judged.annotations:
            assert label.keypoints is not None
            x, y, visibility = label.keypoints[0]
            code = codes[int(y), int(x)]
            assert visibility == (2 if code else 1)
            thing = outcome.scene.things[int(label.category.split()[-1]) - 1]
            np.testing.assert_allclose((x, y), thing.centre)
            seen[int(visibility)] += 1
    assert min(seen.values()) > 20


@pytest.mark.parametrize(
    ("cut", "expected"), [(35, "kept"), (41, "kept"), (59, "kept"), (61, "refused"), (89, "refused")]
)
def test_visibility_counts_from_the_whole_object(cut: int, expected: str) -> None:
    """A square of 100 px, cut so that exactly a share stays: kept at 40 %, neither kept nor dropped between."""
    square = np.array([(0.0, 0), (100, 0), (100, 100), (0, 100)])
    image = paint(f"cut {cut}", (300, 120), [("convex", (at(square, 10, 10),)), ("convex", (at(square, 180, 10),))])
    window = {"x_min": 10 + cut, "x_max": 300, "y_min": 0, "y_max": 120}
    # Two draws, so that the rule for settings that leave nothing to draw does not come in.
    chain = (step("albumentations.Crop", **window), step("rotate", degrees=[0.1, 0.11]))
    (planned,) = plans(image, [VariantSpec("cut", chain)])
    if expected == "refused":
        assert isinstance(planned, Refused)
        return
    assert isinstance(planned, Planned)
    assert [a.category for a in planned.judged.annotations] == ["thing 1", "thing 2"]


@pytest.mark.parametrize(("cut", "labels", "partial"), [(60, 2, 0), (61, 2, 1), (89, 2, 1), (90, 1, 0), (99, 1, 0)])
def test_fixed_settings_keep_a_partly_visible_object(cut: int, labels: int, partial: int) -> None:
    """Where nothing is drawn, what is between the thresholds keeps its label and is counted."""
    square = np.array([(0.0, 0), (100, 0), (100, 100), (0, 100)])
    image = paint(f"cut {cut}", (300, 120), [("convex", (at(square, 10, 10),)), ("convex", (at(square, 180, 10),))])
    window = step("albumentations.Crop", x_min=10 + cut, x_max=300, y_min=0, y_max=120)
    (planned,) = plans(image, [VariantSpec("cut", (window,))])
    assert isinstance(planned, Planned)
    assert (len(planned.judged.annotations), planned.judged.partial) == (labels, partial)


def test_a_horseshoe_cut_by_the_border_becomes_two_parts() -> None:
    """A real clipper: two parts, no repeated point, no edge along the border between them."""
    shape = np.array([(20.0, 10), (80, 10), (80, 70), (60, 70), (60, 30), (40, 30), (40, 70), (20, 70)])
    image = paint("horseshoe", (100, 80), [("convex", (shape,))])
    lower = step("albumentations.Crop", x_min=0, x_max=100, y_min=35, y_max=80)
    (planned,) = plans(image, [VariantSpec("cut", (lower,))])
    assert isinstance(planned, Planned)
    (label,) = planned.judged.annotations
    assert len(label.polygons) == 2
    for part in label.polygons:
        assert len(np.unique(part.exterior, axis=0)) == len(part.exterior) == 4
    assert label.xyxy == (20, 0, 80, 35)


def test_a_hair_beside_a_hole_does_not_enlarge_the_box() -> None:
    """A strip of 0.3 px, in which no pixel's centre lies, is not seen: the box ends where the hole begins."""
    shape = np.array([(10.7, 10), (40, 10), (40, 40), (10.7, 40)])
    label = Annotation("a", (10.7, 10, 40, 40), polygons=(Polygon(shape),))
    (kept,) = judge([label], identity((100, 100)), np.array([[11, 25, 100, 100]]), LabelPolicy()).annotations
    assert kept.xyxy == pytest.approx((10.7, 10, 40, 25))
