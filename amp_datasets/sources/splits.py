"""Splits by source group: every image of a group, and so every variant, is in one split; rare classes are spread."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Group:
    """Images that belong together: how many they are, and how many of them show each category."""

    name: str
    images: int
    categories: Mapping[str, int]


def assign_splits(groups: Sequence[Group], shares: Mapping[Any, float], seed: int) -> dict[str, str]:
    """A split for every group, by iterative stratification: the rarest category is placed first.

    Sechidis, Tsoumakas, Vlahavas: On the Stratification of Multi-Label Data, ECML PKDD 2011, algorithm 1, with one
    change: a split that has nothing of a category yet comes first, as long as its share of the images is not used up.
    Without it a category with three images of a hundred would be in the training split only. Ties go by a hash of the
    group's name, so the result does not depend on the order of the input.
    """
    wanted = _wanted(groups, shares)
    placed: dict[str, Counter[str]] = {split: Counter() for split in wanted}
    waiting = {group.name: group for group in sorted(groups, key=lambda g: _hash(seed, g.name))}
    result: dict[str, str] = {}
    while waiting:
        label = _rarest(waiting.values())
        for group in [g for g in waiting.values() if label == _ALL or label in g.categories]:

            def need(split: str, group: Group = group, label: str = label) -> tuple[bool, float, float, bytes]:
                left = wanted[split][_ALL]
                lacking = not placed[split][label] and left > 0 and group.images <= max(left, 1)
                return lacking, wanted[split][label], left, _hash(seed, split + group.name)

            split = max(wanted, key=need)
            result[group.name] = split
            for category, count in ((_ALL, group.images), *group.categories.items()):
                wanted[split][category] -= count
                placed[split][category] += count
            del waiting[group.name]
    return result


def _wanted(groups: Sequence[Group], shares: Mapping[Any, float]) -> dict[str, dict[str, float]]:
    """How many images of each category, and of all, each split should get."""
    total = Counter({_ALL: sum(group.images for group in groups)})
    for group in groups:
        total.update(group.categories)
    return {split: {label: share * n for label, n in total.items()} for split, share in shares.items() if share > 0}


_ALL = ""
"""The label that every image has."""


def _rarest(groups: Iterable[Group]) -> str:
    counts: Counter[str] = Counter()
    for group in groups:
        counts.update(group.categories)
    return min(counts, key=lambda name: (counts[name], name)) if counts else _ALL


def _hash(seed: int, name: str) -> bytes:
    return hashlib.blake2b(f"{seed}|{name}".encode(), digest_size=8).digest()
