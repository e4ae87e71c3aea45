"""How many copies each image gets, so that rare classes come up to the others: pure arithmetic over counts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.float64]

_ROUNDS = 100_000


@dataclass(frozen=True, slots=True)
class Candidate:
    """An image that may be multiplied: what each copy of it adds to each class, and how many images there are of it.

    `base` are those that there will be anyway, variants and the image itself; `room` is how many may be added.
    """

    name: str
    adds: Mapping[str, int]
    base: int
    room: int


def extra_copies(candidates: Sequence[Candidate], to: Literal["median", "max"] | int, seed: int) -> list[int]:
    """How many copies to add of each image, so that every class gets as near to the target as the room allows.

    The class that is farthest from its target comes first. Of the images that show it, those whose copies add most of
    what is lacking and least of what is not are taken first, each as seldom as the others allow; ties go by a hash of
    the name, so nothing depends on the order of the input.
    """
    classes = sorted({name for candidate in candidates for name in candidate.adds})
    if not classes:
        return [0] * len(candidates)
    adds = np.array([[candidate.adds.get(name, 0) for name in classes] for candidate in candidates], dtype=np.float64)
    base = np.array([candidate.base for candidate in candidates], dtype=np.float64)
    room = np.array([candidate.room for candidate in candidates])
    order = np.argsort([_hash(seed, candidate.name) for candidate in candidates], kind="stable")
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order] = np.arange(len(order))
    counts = base @ adds
    target = target_of(dict(zip(classes, counts.tolist(), strict=True)), to)
    copies = np.zeros(len(candidates), dtype=np.int64)
    blocked = np.zeros(len(classes), dtype=np.bool_)
    for _ in range(_ROUNDS):
        lacking = np.where(blocked, 0, np.clip(target - counts, 0, None))
        if lacking.max() <= 0:
            break
        number = int(np.argmax(lacking))
        able = np.flatnonzero((adds[:, number] > 0) & (copies < room))
        if not len(able):
            blocked[number] = True
            continue
        useful = adds[able] @ (lacking > 0)
        share = useful / adds[able].sum(axis=1)
        chosen = able[np.lexsort((ranks[able], -share, copies[able]))][: _batch(lacking[number], adds[able, number])]
        copies[chosen] += 1
        counts = counts + adds[chosen].sum(axis=0)
    return copies.tolist()


def target_of(counts: Mapping[str, float], to: Literal["median", "max"] | int) -> float:
    """The number of labels or images that each class should have."""
    if isinstance(to, int):
        return float(to)
    return float((median if to == "median" else max)(counts.values()))


def class_counts(
    seen: Sequence[Sequence[str]], times: Sequence[int], by: Literal["labels", "images"]
) -> dict[str, int]:
    """How many labels, or images, of each class there are, if each image is there so many times."""
    total: dict[str, int] = {}
    for names, count in zip(seen, times, strict=True):
        for name in names if by == "labels" else dict.fromkeys(names):
            total[name] = total.get(name, 0) + count
    return total


def _batch(lacking: float, adds: Counts) -> int:
    """So many images at once that the class comes close to its target and not far beyond."""
    return max(1, int(lacking / max(1.0, float(adds.max())) / 2))


def _hash(seed: int, name: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{seed}|balance|{name}".encode(), digest_size=7).digest(), "big")
