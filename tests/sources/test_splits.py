"""Splits keep groups together, meet their shares, and give every split something of every class where they can."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amp_datasets.sources.splits import Group, assign_splits

SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}
GROUPS = st.lists(
    st.tuples(st.integers(1, 5), st.sets(st.sampled_from("abcd"), max_size=3)), min_size=1, max_size=40
).map(lambda rows: [group(f"g{i}", categories, images) for i, (images, categories) in enumerate(rows)])


def group(name: str, categories: set[str] | str, images: int = 1) -> Group:
    """Images that all show these categories."""
    return Group(name, images, dict.fromkeys(sorted(categories), images))


def per_split(groups: list[Group], splits: dict[str, str], category: str) -> Counter[str]:
    """How many images of a category each split has."""
    counts: Counter[str] = Counter()
    for each in groups:
        counts[splits[each.name]] += each.categories.get(category, 0)
    return +counts


@given(GROUPS, st.integers(0, 2**40))
def test_every_group_has_one_split_whatever_the_order(groups: list[Group], seed: int) -> None:
    """The result is a function of the groups and the seed, not of their order."""
    splits = assign_splits(groups, SHARES, seed)
    assert set(splits) == {each.name for each in groups}
    assert set(splits.values()) <= set(SHARES)
    shuffled = list(groups)
    random.Random(seed).shuffle(shuffled)
    assert assign_splits(shuffled, SHARES, seed) == splits


@pytest.mark.parametrize("seed", range(5))
def test_rare_class_is_in_every_split(seed: int) -> None:
    """A class with 3 images of 100 and three splits gives one to each; the shares of all stay."""
    groups = [group(f"rare{i}", "ab") for i in range(3)] + [group(f"g{i}", "a") for i in range(97)]
    splits = assign_splits(groups, SHARES, seed)
    assert per_split(groups, splits, "b") == {"train": 1, "validation": 1, "test": 1}
    assert Counter(splits.values()) == {"train": 80, "validation": 10, "test": 10}


@pytest.mark.parametrize("images", [1, 2])
def test_class_of_too_few_images_is_in_train_first(images: int) -> None:
    """What cannot be everywhere is where it is learnt."""
    groups = [group(f"rare{i}", "b") for i in range(images)] + [group(f"g{i}", "a") for i in range(50)]
    counts = per_split(groups, assign_splits(groups, SHARES, 0), "b")
    assert counts["train"] == 1
    assert counts.total() == images


@pytest.mark.parametrize("seed", range(3))
def test_many_rare_classes_do_not_empty_train(seed: int) -> None:
    """One of each class to every split ends where the split's share of all images is used up."""
    groups = [group(f"{name}{i}", {name}) for name in (f"c{n}" for n in range(40)) for i in range(3)]
    counts = Counter(assign_splits(groups, SHARES, seed).values())
    assert counts["train"] == pytest.approx(96, abs=3)


@given(st.integers(20, 200), st.integers(0, 1000))
def test_shares_are_met(images: int, seed: int) -> None:
    """Single images of one class are split to within one image of the shares."""
    groups = [group(f"g{i}", "a") for i in range(images)]
    counts = Counter(assign_splits(groups, SHARES, seed).values())
    assert all(abs(counts[split] - share * images) <= 1 for split, share in SHARES.items())


def test_large_group_does_not_go_to_a_small_split() -> None:
    """Twice 42 copies of one image are no validation set, even if that has nothing else of their class."""
    groups = [group("more", "b", 42), group("copies", "b", 42), *(group(f"g{i}", "a") for i in range(100))]
    for seed in range(10):
        splits = assign_splits(groups, SHARES, seed)
        assert (splits["copies"], splits["more"]) == ("train", "train")


def test_split_without_share_gets_nothing() -> None:
    """A share of 0 is as if it were not there; one split takes all."""
    groups = [group(f"g{i}", "a") for i in range(10)]
    assert set(assign_splits(groups, {"train": 1.0, "test": 0.0}, 0).values()) == {"train"}


def test_seed_changes_the_choice() -> None:
    """Another seed draws other images."""
    groups = [group(f"g{i}", "a") for i in range(30)]
    assert assign_splits(groups, SHARES, 1) != assign_splits(groups, SHARES, 2)


def test_images_without_labels_are_split_too() -> None:
    """Confirmed empty images count to the shares."""
    groups = [group(f"g{i}", "") for i in range(10)]
    assert Counter(assign_splits(groups, SHARES, 0).values()) == {"train": 8, "validation": 1, "test": 1}
