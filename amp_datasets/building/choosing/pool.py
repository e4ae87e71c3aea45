"""Which other images a variant takes parts of: drawn so that a new image in the set changes only variants that name it.

By rendezvous hashing (Thaler and Ravishankar 1998): every image of the split has a score that depends on it, on the
variant's source and name, and on nothing else; the highest are taken. A new image takes a place only where its own
score is among the highest, and one that leaves gives its place up only where it had one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Names = NDArray[np.uint64]
_MASK = 2**64 - 1


class Pool:
    """The images of a split, by names that depend on their bytes and labels alone; two of one name are one."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(dict.fromkeys(names))
        self._hashes: Names = np.array([_hash(name) for name in self.names], dtype=np.uint64)

    def choose(self, key: str, count: int, without: str) -> list[str]:
        """The `count` names with the highest scores under a key, or all that there are, without one."""
        scores = _mixed(self._hashes ^ np.uint64(_hash(key)))
        order = np.argsort(scores, kind="stable")[::-1]
        others = (self.names[i] for i in order.tolist() if self.names[i] != without)
        return [name for _, name in zip(range(count), others, strict=False)]


def _hash(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big")


def _mixed(values: Names) -> Names:
    """Each number as another that tells nothing of it (SplitMix64's finish, Steele et al. 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9 & _MASK)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB & _MASK)
    return np.asarray(values ^ (values >> np.uint64(31)), dtype=np.uint64)
