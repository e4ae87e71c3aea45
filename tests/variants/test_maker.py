"""A variant depends on its source, its kind, its copy and the seed, and on nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle.adapter import original
from oracle.scenes import Scene, discs, paint, scenes
from oracle.survey import REGISTRY, outcomes, plans, random_chains, step

from amp_datasets.model import Annotation
from amp_datasets.rows.schema import dump_annotations
from amp_datasets.variants.maker import Original, Planned, Refused, VariantMaker, render
from amp_datasets.variants.mirror import keypoint_pairs, side_pairs
from amp_datasets.variants.recipe import CategoryRules, LabelSettings, Recipe, Step, VariantSpec, load_recipe

TURN, DOWN = step("rotate", degrees=[3, 40]), step("flip", how="vertical")
SPECS = (
    VariantSpec("turn", (TURN,), copies=3),
    VariantSpec("wave", (step("elastic", alpha=[20, 40], sigma=[5, 8]),), copies=2),
    VariantSpec("hide", (step("cutout"), step("noise"))),
    VariantSpec("any", (TURN, step("flip", how="any"), step("blur", sigma=[1, 3])), copies=3, pick=2),
)


def told(planned: Planned | Refused) -> Any:
    """All that a plan says, as comparable values."""
    if isinstance(planned, Refused):
        return (planned.spec.name, planned.copy, planned.reason)
    labels = dump_annotations(planned.judged.annotations)
    return (planned.spec.name, planned.copy, planned.attempt, planned.steps_json, labels)


def plan(recipe: Recipe, source: Original) -> list[Any]:
    """What a fresh maker plans, in words."""
    return [told(planned) for planned in VariantMaker(recipe, REGISTRY).plan_all(source)]


@given(order=st.permutations(range(len(SPECS))), seed=st.integers(0, 5), others=st.integers(0, 3))
@settings(max_examples=15)
def test_order_company_and_history_do_not_matter(order: list[int], seed: int, others: int) -> None:
    """Alone, among others in any order, after other sources, after JSON: the same plan to the last digit."""
    source = original(discs(seed))
    expected = [entry for spec in SPECS for entry in plan(Recipe(7, (spec,)), source)]
    together = Recipe(7, tuple(SPECS[i] for i in order))
    maker = VariantMaker(load_recipe(together.dump()), REGISTRY)
    for other in range(others):
        list(maker.plan_all(original(discs(100 + other))))
    assert sorted(map(told, maker.plan_all(source))) == sorted(expected)


def test_images_are_pure_as_well() -> None:
    """Two makers render the same bytes."""
    source = original(discs(1))
    images = []
    for _ in range(2):
        planned = VariantMaker(Recipe(7, SPECS), REGISTRY).plan_all(source)
        images.append([render(source.image, p).tobytes() for p in planned if isinstance(p, Planned)])
    assert images[0] == images[1]
    assert len(set(images[0])) == len(images[0]) > 5


def test_seed_source_and_copy_each_change_the_draw() -> None:
    """What is in the key decides."""
    source = original(discs(1))
    drawn = [
        plan(Recipe(7, SPECS[:1]), source),
        plan(Recipe(8, SPECS[:1]), source),
        plan(Recipe(7, SPECS[:1]), replace(source, sha256="0" * 64)),
        plan(Recipe(7, (replace(SPECS[0], name="other"),)), source),
    ]
    steps = [entry[3] for plans_ in drawn for entry in plans_]
    assert len(set(steps)) == len(steps) == 12


def test_changing_one_kind_changes_no_other() -> None:
    """Settings are not in the key either: a stronger turn is drawn at the same place of its range."""
    source = original(discs(1))
    before = plan(Recipe(7, SPECS), source)
    stronger = replace(SPECS[0], steps=(step("rotate", degrees=[6, 80]),))
    after = plan(Recipe(7, (stronger, *SPECS[1:])), source)
    assert before[3:] == after[3:]
    assert before[:3] != after[:3]


def test_copies_differ_from_the_source_and_each_other() -> None:
    """Three flips are all there are; a fourth copy is refused, not repeated."""
    (image,) = scenes(1)
    found = list(plans(image, [VariantSpec("flip", (step("flip", how="any"),), copies=4)], attempts=60))
    made = [p for p in found if isinstance(p, Planned)]
    assert len({render(image.image, p).tobytes() for p in made} | {image.image.tobytes()}) == 4
    assert [p.reason for p in found if isinstance(p, Refused)] == ["the image would equal another copy"]


@given(seed=st.integers(0, 30))
@settings(max_examples=10)
def test_pixel_filters_leave_labels_byte_for_byte(seed: int) -> None:
    """Labels of images whose places do not change are the very objects of the source."""
    noise = np.random.default_rng(seed).integers(60, 200, (90, 120, 3), dtype=np.uint8)
    source = replace(original(discs(seed)), image=noise)
    chain = (step("blur"), step("brightness"), step("noise"), step("albumentations.CLAHE"))
    for spec in (VariantSpec("all", chain), *(VariantSpec(link.filter, (link,)) for link in chain)):
        (planned,) = VariantMaker(Recipe(1, (spec,)), REGISTRY).plan_all(source)
        assert isinstance(planned, Planned)
        assert planned.judged.annotations is source.annotations


def still(size: tuple[int, int] = (300, 220)) -> Scene:
    """Two polygons so near the middle that no chain below moves them out."""
    triangle = np.array([(130.0, 100), (160, 95), (150, 120)])
    return paint("still", size, [("convex", (triangle,)), ("concave", (triangle[:, ::-1] + np.array([40, -35]),))])


@given(seed=st.integers(0, 10_000))
@settings(max_examples=25)
def test_a_chain_gives_the_labels_of_its_steps(seed: int) -> None:
    """Composed, and one filter after the other with the same draws: same boxes, polygons and keypoints to 0.02 px."""
    chain = (
        step("rotate", degrees=[3, 20]),
        step("flip", how="any"),
        step("elastic", alpha=[60, 150], sigma=[10, 20]),
        step("rotate90"),
    )
    source = original(still())
    (planned,) = VariantMaker(Recipe(seed, (VariantSpec("chain", chain),)), REGISTRY).plan_all(source)
    assert isinstance(planned, Planned)
    points = source.annotations[0].polygons[0].exterior
    marks = source.annotations[0].keypoints
    assert marks is not None
    size = source.size
    for applied in planned.steps:
        warp = applied.transform.warp(size, **applied.draw)
        points, marks, size = warp(points), np.column_stack([warp(marks[:, :2]), marks[:, 2]]), warp.size
    label = planned.judged.annotations[0]
    assert label.keypoints is not None
    np.testing.assert_allclose(label.keypoints, marks, atol=1e-6)
    bent = label.polygons[0].exterior
    assert max(np.abs(bent - corner).sum(axis=1).min() for corner in points) < 1e-6


def labelled(names: Sequence[str], keypoints: np.ndarray | None = None) -> Original:
    """An image with one box for each category."""
    boxes = [
        Annotation(name, (10.0 + 40 * i, 20, 40.0 + 40 * i, 70), keypoints=keypoints) for i, name in enumerate(names)
    ]
    return Original(still().image, "f" * 64, tuple(boxes))


def mirrored(source: Original, rules: CategoryRules, steps: Sequence[Step] = (step("flip"),)) -> Planned | Refused:
    """The one variant of these steps."""
    recipe = Recipe(1, (VariantSpec("mirror", tuple(steps)),), LabelSettings(), categories=rules)
    (planned,) = VariantMaker(recipe, REGISTRY).plan_all(source)
    return planned


def test_left_and_right_change_their_names_in_a_mirror() -> None:
    """Categories with a counterpart are exchanged; a half turn, which mirrors nothing, leaves them."""
    names = ["left_shoe", "right_shoe", "hat"]
    sides, single = side_pairs(names)
    rules = CategoryRules(sides, tuple(single))
    planned = mirrored(labelled(names), rules)
    assert isinstance(planned, Planned)
    assert [a.category for a in planned.judged.annotations] == ["right_shoe", "left_shoe", "hat"]
    for half_turn in (
        [step("flip", how="both")],
        [step("rotate90", degrees=180)],
        [step("flip"), DOWN],
    ):
        planned = mirrored(labelled(names), rules, half_turn)
        assert isinstance(planned, Planned)
        assert [a.category for a in planned.judged.annotations] == names


def test_a_side_without_counterpart_refuses_the_mirror() -> None:
    """It would become a wrong label; where the filter can also turn without mirroring, it does that."""
    sides, single = side_pairs(["left_turn", "hat"])
    rules = CategoryRules(sides, tuple(single))
    refused = mirrored(labelled(["left_turn", "hat"]), rules)
    assert isinstance(refused, Refused)
    assert "left and right" in refused.reason
    assert isinstance(mirrored(labelled(["hat"]), rules), Planned)
    planned = mirrored(labelled(["left_turn"]), rules, [step("flip", how="any")])
    assert isinstance(planned, Planned)
    assert '"both"' in planned.steps_json


def test_keypoint_pairs_are_swapped_in_a_mirror() -> None:
    """The left eye stays the one at the left of the person, hidden ones stay hidden; twice is the identity."""
    points = np.array([(100.0, 50, 2), (80, 40, 1), (120, 42, 2), (0, 0, 0)])
    names = ("nose", "left eye", "right eye", "tail")
    source = labelled(["person"], points)
    rules = CategoryRules(flip_pairs={"person": keypoint_pairs(names)})
    planned = mirrored(source, rules)
    assert isinstance(planned, Planned)
    found = planned.judged.annotations[0].keypoints
    width = source.size[0]
    assert found is not None
    assert found.tolist() == [[width - 100, 50, 2], [width - 120, 42, 2], [width - 80, 40, 1], [0, 0, 0]]
    again = mirrored(replace(source, annotations=planned.judged.annotations), rules)
    assert isinstance(again, Planned)
    np.testing.assert_array_equal(again.judged.annotations[0].keypoints, points)


@pytest.mark.parametrize("degrees", [5, 17, 45, 80])
def test_oriented_boxes_keep_their_angle(degrees: int) -> None:
    """A turn adds its angle to the box's, also where the border cuts it, and corners stay clockwise in a mirror."""
    chain = [step("rotate", degrees=degrees, direction="clockwise")]
    upright = np.array([(0.0, 0), (60, 0), (60, 20), (0, 20)])
    places = [np.array([70, 65]), np.array([3, 5])]
    image = paint("oriented", (200, 150), [("oriented box", (upright + place,)) for place in places])
    for outcome in outcomes([image], [chain, [*chain, step("flip")]], min_visibility=0.1):
        for label in outcome.planned.judged.annotations:
            assert label.corners is not None
            across, down = label.corners[1] - label.corners[0], label.corners[3] - label.corners[0]
            assert abs(across @ down) < 1e-6
            assert across[0] * down[1] - across[1] * down[0] > 0
            angles = np.degrees(np.arctan2([across[1], down[1]], [across[0], down[0]])) % 90
            assert (
                np.abs((angles - (-degrees if outcome.planned.warp.mirrors else degrees) + 45) % 90 - 45).max() < 1e-6
            )


def test_a_repeated_draw_does_not_end_the_search() -> None:
    """Of two possible turns the second copy gets the one that the first did not, however often the other is drawn."""
    turn = VariantSpec("turn", (step("rotate", degrees=10),), copies=2)
    for seed in range(10):
        found = list(plans(discs(seed), [turn], seed, attempts=40))
        assert all(isinstance(p, Planned) for p in found)
        assert len({p.steps_json for p in found if isinstance(p, Planned)}) == 2


def test_a_known_attempt_gives_the_plan_again() -> None:
    """What a ledger notes is enough: also of variants that were drawn several times."""
    retried = 0
    recipe = Recipe(3, (VariantSpec("turn", (TURN,), 4), VariantSpec("all", random_chains(1, 1)[0])))
    for source in map(original, scenes(4)):
        for planned in VariantMaker(recipe, REGISTRY).plan_all(source):
            if isinstance(planned, Planned):
                again = VariantMaker(recipe, REGISTRY).plan_attempt(source, planned.spec, planned.copy, planned.attempt)
                assert told(again) == told(planned)
                retried += planned.attempt > 0
    assert retried > 0
