"""When and where steps apply: by chance, inside boxes, and only where a class is shown; labels go along."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from oracle.adapter import original
from oracle.scenes import KNOWN, Scene, blocks, scene
from oracle.survey import REGISTRY, outcomes, step, wrong
from oracle.verdict import large_ious

from amp_datasets.variants.labels import TURNED_TOO_FAR, LabelPolicy
from amp_datasets.variants.maker import LEFT_OUT, Planned, Refused, VariantMaker, render
from amp_datasets.variants.recipe import LabelSettings, Recipe, Step, VariantSpec
from amp_datasets.variants.steps import Original

WITHIN: dict[str, dict[str, Any]] = {
    "flip": {"how": "any"},
    "rotate90": {"degrees": 180},
    "rotate90 stretched": {"degrees": [90, 270]},
    "zoom": {"percent": [5, 25]},
    "zoom out": {"percent": [5, 40], "direction": "out", "fill": [0, 0, 0]},
    "rotate": {"degrees": [5, 60]},
    "shear": {"degrees": [5, 30], "axis": "any", "fill": "replicate"},
    "perspective": {"percent": [5, 15]},
}
VALUES = {
    "brightness": {"percent": [-40, 40]},
    "exposure": {"percent": 40},
    "blur": {"sigma": 9},
    "noise": {"amount": 0.05},
}


def inside(name: str, *, one: bool = False, **settings: Any) -> Step:
    """A filter that works in the boxes of objects."""
    plain = step(name.split()[0], **settings)
    return Step(plain.filter, plain.settings, within="object" if one else "objects")


def dull(source: Original) -> Original:
    """The same without black and white, which most filters of values leave as they are."""
    return replace(source, image=np.clip(source.image, 60, 200))


def known_scenes(count: int) -> list[Scene]:
    """Scenes whose labels hold the outlines, apart enough for their boxes not to meet."""
    return [scene(seed, kinds=KNOWN) for seed in range(count)]


@pytest.mark.parametrize("one", [False, True], ids=["all", "one"])
@pytest.mark.parametrize("name", WITHIN)
def test_labels_follow_what_moves_inside_boxes(name: str, one: bool) -> None:
    """Nothing is missed, no label is without a thing, and boxes are where the pixels are."""
    chain = [inside(name, one=one, **WITHIN[name])]
    found = list(outcomes(known_scenes(6), [chain], copies=2))
    assert len(found) >= 3
    stretched = "zoom" in name or "perspective" in name
    assert [text for o in found for text in wrong(o, 0.7 if stretched else 0.05)] == []
    verdicts = [v for o in found for v in o.verdicts if v.claims and v.found is not None]
    assert np.median(large_ious(verdicts)) >= 0.985
    assert large_ious(verdicts).min() >= 0.93


@pytest.mark.parametrize("how", ["horizontal", "vertical", "both"])
def test_flips_inside_boxes_are_exact(how: str) -> None:
    """On whole pixels the box stays what it is, and every outline is what is seen."""
    found = list(outcomes(map(blocks, range(12)), [[inside("flip", how=how)]], min_side_px=0))
    assert found
    assert [text for o in found for text in wrong(o, 1e-9)] == []
    assert {v.box_iou for o in found for v in o.verdicts if v.claims} == {1.0}
    assert {v.shape_iou for o in found for v in o.verdicts if v.claims} <= {1.0, None}


@pytest.mark.parametrize("name", [*WITHIN, *VALUES])
def test_the_rest_of_the_image_is_untouched(name: str) -> None:
    """Outside of the boxes of the objects that the ledger names, every pixel is the source's."""
    source = dull(original(scene(3, kinds=KNOWN)))
    spec = VariantSpec("v", (inside(name, **{**WITHIN, **VALUES}[name]),))
    (planned,) = VariantMaker(Recipe(5, (spec,)), REGISTRY).plan_all(source)
    assert isinstance(planned, Planned)
    image = render(source.image, planned)
    (record,) = json.loads(planned.steps_json)
    outside = np.ones(image.shape[:2], bool)
    assert record["within"] == "objects"
    for choice in record["draw"]:
        x0, y0, x1, y1 = source.annotations[choice["object"]].xyxy
        outside[int(y0) : int(np.ceil(y1)), int(x0) : int(np.ceil(x1))] = False
    assert record["draw"]
    np.testing.assert_array_equal(image[outside], source.image[outside])
    assert (image != source.image).any()


def test_values_inside_boxes_leave_labels_alone() -> None:
    """A filter of values keeps the source's labels to the last bit, wherever it works."""
    source = dull(original(scene(1)))
    spec = VariantSpec("v", (inside("brightness", percent=30),))
    (planned,) = VariantMaker(Recipe(0, (spec,)), REGISTRY).plan_all(source)
    assert isinstance(planned, Planned)
    assert planned.judged.annotations is source.annotations


def test_what_turns_inside_and_then_outside_is_labelled_right() -> None:
    """A chain of both: cut once in its box and once at the frame, an object is judged against the whole of it."""
    chain = [inside("rotate", degrees=[10, 40], fill=[0, 0, 0]), step("rotate", degrees=[5, 20], fill=[0, 0, 0])]
    found = list(outcomes(known_scenes(8), [chain], copies=2))
    assert len(found) >= 3
    assert [text for o in found for text in wrong(o, 0.05)] == []
    assert np.median(large_ious([v for o in found for v in o.verdicts if v.claims])) >= 0.985


def plans(source: Any, *steps: Step, copies: int = 1, seed: int = 0) -> list[Planned | Refused]:
    """All copies of a mix."""
    return list(VariantMaker(Recipe(seed, (VariantSpec("m", steps, copies),)), REGISTRY).plan_all(source))


def test_a_step_is_applied_as_often_as_it_says() -> None:
    """Over 300 copies a step of p 0.25 is applied to a quarter; where it is left out, the ledger says so."""
    source = dull(original(scene(2)))
    grain = step("noise", amount=[0.02, 0.1])
    rare = Step("grayscale", step("grayscale").settings, p=0.25)
    made = plans(source, grain, rare, copies=300)
    records = [json.loads(p.steps_json) for p in made if isinstance(p, Planned)]
    assert len(records) > 200
    greys = [next(r for r in each if r["filter"] == "grayscale") for each in records]
    assert {r["p"] for r in greys} == {0.25}
    left_out = [r for r in greys if r.get("applied") is False]
    assert 0.68 < len(left_out) / len(greys) < 0.82
    assert all(("draw" in r) != (r.get("applied") is False) for r in greys)


def test_a_single_filter_by_chance_makes_a_share_of_variants() -> None:
    """And the others are counted with their reason."""
    half = Step("noise", step("noise", amount=0.05).settings, p=0.5)
    made = plans(dull(original(scene(2))), half, copies=200)
    refused = [p.reason for p in made if isinstance(p, Refused)]
    assert 70 < refused.count(LEFT_OUT) < 130


def test_p_of_one_draws_as_if_it_were_not_there() -> None:
    """The stream of draws is that of a step without conditions: existing variants stay."""
    source = dull(original(scene(2)))
    chain = (step("rotate", degrees=[3, 15]), step("brightness", percent=[5, 40]))
    plain, said = plans(source, *chain), plans(source, *(Step(s.filter, s.settings, p=1.0) for s in chain))
    assert [p.steps_json for p in plain if isinstance(p, Planned)] == [
        p.steps_json for p in said if isinstance(p, Planned)
    ]


def test_only_concerns_images_that_show_the_class() -> None:
    """A kind of variant for some classes is made of no other image."""
    specs = (
        VariantSpec("a", (step("flip"),), only=("thing 1",)),
        VariantSpec("b", (step("flip"),), only=("no such thing",)),
    )
    made = list(VariantMaker(Recipe(0, specs), REGISTRY).plan_all(original(scene(0))))
    assert [p.spec.name for p in made] == ["a"]


def test_one_sided_classes_are_not_mirrored_inside_boxes() -> None:
    """Inside a box left and right change places as they do in the whole image."""
    maker = VariantMaker(Recipe(0, (VariantSpec("v", (inside("flip"),)),)), REGISTRY)
    maker.policy = LabelPolicy(one_sided=frozenset({"thing 1"}))
    (refused,) = maker.plan_all(original(scene(0, kinds=KNOWN)))
    assert isinstance(refused, Refused)
    assert "left and right" in refused.reason


@pytest.mark.parametrize(
    ("before", "chain", "made"),
    [
        ([step("resize", size=500, how="longest")], [step("rotate", degrees=12, fill=[0, 0, 0])], True),
        ([step("resize", size=500, how="longest")], [step("rotate", degrees=20, fill=[0, 0, 0])], False),
        ([], [inside("rotate", degrees=12, fill=[0, 0, 0])], True),
        ([], [inside("rotate", degrees=20, fill=[0, 0, 0])], False),
        (
            [],
            [inside("rotate", degrees=9, direction="clockwise"), step("rotate", degrees=9, direction="clockwise")],
            False,
        ),
        ([step("rotate", degrees=9, direction="clockwise")], [step("rotate", degrees=9, direction="clockwise")], False),
    ],
)
def test_boxes_of_unknown_shape_are_turned_no_further(before: list[Step], chain: list[Step], made: bool) -> None:
    """By 15 degrees in all, also after preprocessing and inside boxes; what is turned at all counts as an estimate."""
    found = 0
    for s in [scene(seed, kinds=["ellipse box"]) for seed in range(6)]:
        recipe = Recipe(0, (VariantSpec("v", tuple(chain)),), LabelSettings(assumed=True), preprocess=tuple(before))
        maker = VariantMaker(recipe, REGISTRY)
        source = original(s)
        source = maker.preprocessing.apply(source, "") if before else source
        (planned,) = maker.plan_all(source)
        if isinstance(planned, Planned):
            assert made
            assert planned.judged.estimated == len(planned.judged.annotations) > 0
            found += 1
        else:
            assert made or planned.reason == TURNED_TOO_FAR or "in between" in planned.reason or "cut" in planned.reason
    assert (found > 0) == made
