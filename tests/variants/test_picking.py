"""The copies of an image get other steps each, until all combinations were used."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from oracle.adapter import original
from oracle.scenes import discs
from oracle.survey import REGISTRY, step

from amp_datasets.manifest.load import load_manifest
from amp_datasets.manifest.resolve import recipe_for
from amp_datasets.model import Category
from amp_datasets.plugin.discovery import shipped_manifests
from amp_datasets.variants.composing.picking import Combinations, shuffled
from amp_datasets.variants.maker import Planned, VariantMaker
from amp_datasets.variants.recipe import CategoryRules, Recipe, VariantSpec

STEPS = (
    step("brightness", percent=[20, 50]),
    step("rotate", degrees=[3, 15]),
    step("flip"),
    step("blur", sigma=[1, 3]),
    step("hue", degrees=[40, 90]),
)


@given(severities=st.lists(st.integers(1, 3), min_size=1, max_size=9), pick=st.integers(1, 6), most=st.integers(1, 12))
def test_numbers_are_the_combinations_in_lexicographic_order(severities: list[int], pick: int, most: int) -> None:
    """The same list as trying all of them gives."""
    numbered = Combinations(severities, pick, most)
    tried = itertools.combinations(range(len(severities)), pick)
    expected = [list(c) for c in tried if sum(severities[i] for i in c) <= most]
    assert [numbered[number] for number in range(len(numbered))] == expected


@given(count=st.integers(1, 400), key=st.binary(min_size=1, max_size=32))
def test_the_order_is_a_permutation(count: int, key: bytes) -> None:
    """Every number has one place, and none is left out."""
    assert sorted(shuffled(number, count, key) for number in range(count)) == list(range(count))


def test_orders_of_different_keys_are_not_alike() -> None:
    """Each of 45 combinations is the first for some of 2,000 images, about as often as the others."""
    first = Counter(shuffled(0, 45, b"%d" % image) for image in range(2000))
    assert len(first) == 45
    assert max(first.values()) < 3 * 2000 / 45


def test_many_combinations_cost_nothing() -> None:
    """15 of 60 steps are 5 * 10**13 ways; none of them is listed."""
    ways = Combinations([1] * 60, 15, 15)
    picked = {tuple(ways.of(b"key", copy, 0)) for copy in range(500)}
    assert len(picked) == 500


@given(seed=st.integers(0, 50), copies=st.integers(1, 25))
@settings(max_examples=15)
def test_no_combination_comes_twice_before_all_were_used(seed: int, copies: int) -> None:
    """Where no draw is refused, all ten pairs are used equally often, or once more."""
    made = _made(Recipe(seed, (VariantSpec("any", STEPS, copies, 2, 9),)), seed)
    assume(len(made) == copies and not any(planned.attempt for planned in made))
    used = Counter(map(_names, made))
    assert set(used.values()) <= {copies // 10, copies // 10 + 1}
    assert len(used) == min(copies, 10)


@given(seed=st.integers(0, 200))
@settings(max_examples=25)
def test_a_refused_combination_counts_as_used(seed: int) -> None:
    """Where mirrors are forbidden, four of the ten pairs are refused; up to the tenth draw none is drawn twice."""
    rules = CategoryRules(one_sided=("thing 1",))
    made = _made(Recipe(seed, (VariantSpec("any", STEPS, 6, 2, 9),), categories=rules), seed)
    assert not any("flip" in _names(planned) for planned in made)
    assert len(made) == 6
    if max(planned.attempt for planned in made) <= 4:  # at most six first draws and four further ones
        assert len(set(map(_names, made))) == 6


def test_more_copies_change_none_before() -> None:
    """The first five of twenty are those of five, drawn and refused alike."""
    few = _made(Recipe(3, (VariantSpec("any", STEPS, 5, 2, 9),)), 3)
    many = _made(Recipe(3, (VariantSpec("any", STEPS, 20, 2, 9),)), 3)
    assert [p.steps_json for p in many][: len(few)] == [p.steps_json for p in few]


@pytest.mark.parametrize("number", range(4))
def test_the_default_recipe_makes_twenty_variants_with_twenty_pairs(number: int) -> None:
    """What README says: 20 variants of each image, no two with the same filters."""
    manifest = load_manifest(shipped_manifests()["default"], REGISTRY, sources=["."])
    made = _made(recipe_for(manifest, [Category("thing 1")]), number)
    assert len(made) == 20
    assert len({_names(planned) for planned in made}) == 20


def _made(recipe: Recipe, image: int) -> list[Planned]:
    plans = VariantMaker(recipe, REGISTRY).plan_all(original(discs(image)))
    return [planned for planned in plans if isinstance(planned, Planned)]


def _names(planned: Planned) -> frozenset[str]:
    return frozenset(record["filter"] for record in planned.records)
