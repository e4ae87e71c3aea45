"""At the edge of the image: nothing without label shows in a filled border, and no label covers what was filled."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import shapely
from oracle.scenes import Scene, paint
from oracle.survey import REGISTRY, outcomes, plans, step, wrong

from amp_datasets.geometry import shapes as geometry
from amp_datasets.geometry.warp import Affine, Warp
from amp_datasets.model import Annotation, Polygon
from amp_datasets.variants.borders import SMEARED
from amp_datasets.variants.labels import UNFIT, LabelPolicy, judge
from amp_datasets.variants.maker import Planned, Refused, VariantMaker, render
from amp_datasets.variants.recipe import Recipe, VariantSpec
from amp_datasets.variants.steps import Original
from amp_datasets.variants.visibility import NO_HOLES

SIZE = (200, 150)


def at_the_edge(seed: int) -> Scene:
    """A triangle or block that touches a side or lies in a corner, and one in the middle."""
    draw = random.Random(seed)
    width, height = draw.uniform(20, 60), draw.uniform(20, 50)
    shape = np.array([(0, 0), (width, 0), (width, height), (0, height)])
    if draw.random() < 0.4:
        shape = shape[:3]
    x, y = draw.choice([0.0, SIZE[0] - width, draw.uniform(0, 140)]), draw.choice([0.0, SIZE[1] - height])
    kind = draw.choice(["convex", "mask", "convex" if len(shape) == 3 else "rectangle box"])
    middle = geometry.rectangle((90.0, 60.0, 120.0, 90.0))
    return paint(f"edge {seed}", SIZE, [(kind, (shape + np.array([x, y]),)), ("convex", (middle,))])


@pytest.mark.parametrize(
    "chain",
    [
        [step("rotate", degrees=[1, 60])],
        [step("rotate", degrees=[1, 60]), step("flip", how="any")],
        [step("elastic", alpha=[60, 150], sigma=[10, 20])],
        [step("translate", percent=[5, 30], fill="replicate")],
    ],
    ids=["turn", "turn and flip", "elastic", "translate"],
)
def test_no_streak_of_an_object_has_no_label(chain: list[Any]) -> None:
    """In a replicated border nearly all of a thing's colour is inside its label, at any angle."""
    found = list(outcomes((at_the_edge(seed) for seed in range(60)), [chain], copies=3, min_difference=0))
    assert len(found) > 40
    assert [text for outcome in found for text in wrong(outcome, 0.15)] == []
    known = [v for o in found for v in o.verdicts if v.is_large and v.box_iou is not None and v.kind != "rectangle box"]
    assert known
    assert min(v.shape_iou for v in known if v.shape_iou is not None) > 0.93


def test_a_turn_that_would_smear_is_refused_and_one_that_zooms_is_made() -> None:
    """Fixed settings leave no other draw: the reason says what to set, and `crop` and a colour are fine."""
    block = geometry.rectangle((0.0, 40.0, 60.0, 100.0))
    scene = paint("block", SIZE, [("convex", (block,)), ("convex", (geometry.rectangle((120.0, 50.0, 150.0, 90.0)),))])
    for fill, made in (("replicate", False), ("crop", True), ((114, 114, 114), True)):
        (planned,) = plans(scene, [VariantSpec("turn", (step("rotate", degrees=30, fill=fill),))])
        assert isinstance(planned, Planned) == made
        if isinstance(planned, Refused):
            assert planned.reason == SMEARED
            assert "crop" in planned.detail


def test_a_box_that_only_comes_near_the_edge_is_not_smeared() -> None:
    """A pixel between an object and the edge is enough."""
    block = geometry.rectangle((1.0, 40.0, 60.0, 100.0))
    scene = paint("near", SIZE, [("convex", (block,))])
    (planned,) = plans(scene, [VariantSpec("turn", (step("rotate", degrees=10),))])
    assert isinstance(planned, Planned)


def beyond(seed: int) -> np.ndarray:
    """The corners of an oriented box that reaches out of the frame, clockwise."""
    draw = random.Random(seed)
    angle = draw.uniform(0, np.pi)
    along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    a, b = draw.uniform(20, 60), draw.uniform(10, 25)
    centre = np.array([draw.choice([draw.uniform(-10, 15), 185 + draw.uniform(0, 20)]), draw.uniform(10, 140)])
    return centre + np.array([(-a, -b), (a, -b), (a, b), (-a, b)]) @ np.stack([along, across])


def turned(degrees: float) -> Warp:
    """A turn about the centre that keeps the size, over black."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    x, y = np.array(SIZE) / 2
    rows = [(cos, -sin, x - cos * x + sin * y), (sin, cos, y - sin * x - cos * y), (0, 0, 1)]
    return Warp((Affine(np.array(rows)),), SIZE, SIZE, (0, 0, 0))


FLIP = Warp((Affine(np.array([(-1.0, 0, SIZE[0]), (0, 1, 0), (0, 0, 1)])),), SIZE, SIZE)


@pytest.mark.parametrize("warp", [FLIP, turned(0), turned(20), turned(45), turned(90), turned(180)])
def test_corners_and_polygon_get_one_verdict(warp: Warp) -> None:
    """An object that reaches out of the frame is as visible given by its corners as given by its outline."""
    kept = 0
    for seed in range(60):
        corners = beyond(seed)
        inside = geometry.from_shapely(shapely.Polygon(corners).intersection(shapely.box(0, 0, *SIZE)))
        box = geometry.bounds([inside[0].exterior])
        oriented = judge([Annotation("a", box, corners=corners)], warp, NO_HOLES, LabelPolicy())
        outlined = judge([Annotation("a", box, polygons=inside)], warp, NO_HOLES, LabelPolicy())
        assert (oriented.dropped, oriented.partial) == (outlined.dropped, outlined.partial)
        unfit = oriented.unclear is not None and UNFIT in oriented.unclear  # a polygon has no such limits
        assert unfit or oriented.unclear == outlined.unclear
        for a, b in zip(oriented.annotations, outlined.annotations, strict=True):
            assert a.xyxy == pytest.approx(b.xyxy)
            kept += 1
    assert kept > 30


@pytest.mark.parametrize("degrees", [5, 20, 45, 90, 160])
def test_an_oriented_box_covers_no_fill_and_most_of_what_is_visible(degrees: float) -> None:
    """After a turn it lies along the object's own axes, in the rectangle around what is left of it, and in no wedge.

    Where that leaves out more than a quarter of what is visible, the draw is unclear; where nothing had to be cut, it
    is the whole rectangle.
    """
    whole = cut = 0
    for seed in range(150):
        corners, warp = beyond(seed), turned(degrees)
        inside = geometry.from_shapely(shapely.Polygon(corners).intersection(shapely.box(0, 0, *SIZE)))
        label = Annotation("a", geometry.bounds([inside[0].exterior]), corners=corners)
        judged = judge([label], warp, NO_HOLES, LabelPolicy())
        for kept in judged.annotations:
            assert kept.corners is not None
            old = shapely.Polygon(warp(geometry.rectangle((0.0, 0.0, *map(float, SIZE)))))
            fill = shapely.box(0, 0, *SIZE).difference(old)
            seen = shapely.Polygon(warp(inside[0].exterior)).intersection(shapely.box(0, 0, *SIZE))
            axes = np.stack([corners[1] - corners[0], corners[3] - corners[0]]) @ warp.maps[0].matrix[:2, :2].T  # type: ignore[union-attr]
            axes /= np.linalg.norm(axes, axis=1, keepdims=True)
            around = geometry.rectangle(geometry.bounds([shapely.get_coordinates(seen) @ axes.T])) @ axes
            box = shapely.Polygon(kept.corners)
            assert box.intersection(fill).area < 0.01
            assert box.difference(shapely.Polygon(around).buffer(1e-6)).area < 0.01
            missing = 1 - box.intersection(seen).area / seen.area
            assert missing < 0.25 + 1e-6 or (judged.unclear is not None)
            if shapely.Polygon(around).intersection(fill).area < 1e-6:
                np.testing.assert_allclose(box.symmetric_difference(shapely.Polygon(around)).area, 0, atol=1e-3)
                whole += 1
            cut += missing > 0.01
    assert whole > 5
    assert cut > 5


@pytest.mark.parametrize("degrees", [7, 12, 15])
def test_no_pixel_in_an_oriented_box_was_filled(degrees: float) -> None:
    """A turned image has magenta beyond its old edge; a label's box, less a blurred pixel, has none of it."""
    labels = 0
    for seed in range(25):
        corners = beyond(seed)
        inside = shapely.Polygon(corners).intersection(shapely.box(0, 0, *SIZE))
        label = Annotation("a", geometry.bounds([shapely.get_coordinates(inside)]), corners=corners)
        chain = VariantSpec("turn", (step("rotate", degrees=degrees, fill=(255, 0, 255)),))
        original = Original(np.full((SIZE[1], SIZE[0], 3), 90, np.uint8), f"{seed:064x}", (label,))
        made = VariantMaker(Recipe(1, (chain,)), REGISTRY).plan_one(original, chain, 0)
        if isinstance(made, Refused):
            assert UNFIT in made.detail or made.reason == "no object would stay visible", made
            continue
        image = render(original.image, made)
        y, x = np.nonzero((image == (255, 0, 255)).all(axis=2))
        for kept in made.judged.annotations:
            labels += 1
            box = shapely.Polygon(kept.corners).buffer(-1)
            assert not shapely.contains_xy(box, x + 0.5, y + 0.5).any()
    assert labels > 8


def test_a_flip_keeps_what_is_beyond_the_frame_and_the_first_edge() -> None:
    """Nothing that was filled comes in, so the box keeps its size; its first edge is the same edge of the object."""
    corners = np.array([(-20.0, 30), (40, 30), (40, 60), (-20, 60)])
    (kept,) = judge([Annotation("a", (0, 30, 40, 60), corners=corners)], FLIP, NO_HOLES, LabelPolicy()).annotations
    assert kept.corners is not None
    assert kept.corners.tolist() == [[160, 30], [220, 30], [220, 60], [160, 60]]
    assert kept.xyxy == (160, 30, 200, 60)
    assert not geometry.runs_counterclockwise(kept.corners)


def test_the_area_of_a_polygon_that_crosses_itself_is_that_of_its_pixels() -> None:
    """As pycocotools counts them, not one half less the other."""
    ring = np.array([(10.0, 10), (50, 50), (50, 10), (10, 40)])
    label = Annotation("a", (10, 10, 50, 50), polygons=(Polygon(ring),))
    fine = shapely.make_valid(shapely.Polygon(ring)).area
    assert geometry.area(label) == pytest.approx(fine)
    from pycocotools import mask as coco

    counted = int(coco.area(coco.merge(coco.frPyObjects([ring.ravel().tolist()], 80, 80))))
    assert geometry.area(label) == pytest.approx(counted, rel=0.08)
