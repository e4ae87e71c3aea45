"""Which steps of a mix each copy of an image gets: no combination twice before all were used.

Combinations are numbered, and a permutation that belongs to seed, source and mix puts the numbers in order. Copy 0
takes the first, copy 1 the next; copies that have to draw again take from the end. So copy and attempt alone tell the
steps of a variant, and more copies change none of those before.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from amp_datasets.variants.recipe import VariantSpec
from amp_datasets.variants.steps import Signature

_ROUNDS = 4


class Combinations:
    """The ways to pick some of a mix's steps that are not too severe together, numbered without listing them."""

    def __init__(self, severities: Sequence[int], pick: int, max_severity: int) -> None:
        self._severities = tuple(severities)
        self._pick = pick
        self._max_severity = max_severity
        self._count = functools.cache(self._count_from)

    def __len__(self) -> int:
        """How many there are."""
        return self._count(0, self._pick, self._max_severity)

    def __getitem__(self, number: int) -> list[int]:
        """The indices of the steps of one combination, ascending; combinations are in lexicographic order."""
        if not 0 <= number < len(self):
            raise IndexError(number)
        indices: list[int] = []
        left, allowed = self._pick, self._max_severity
        for index, severity in enumerate(self._severities):
            if not left:
                break
            taken = self._count(index + 1, left - 1, allowed - severity)
            if number < taken:
                indices.append(index)
                left, allowed = left - 1, allowed - severity
            else:
                number -= taken
        return indices

    def of(self, key: bytes, copy: int, attempt: int) -> list[int]:
        """The steps of a copy at its first attempt (0), or at one of the further attempts of all copies (1, 2, ...).

        `key` names the order. Raises IndexError if there is no combination.
        """
        count = len(self)
        if not count:
            raise IndexError(copy)
        return self[shuffled(copy % count if attempt == 0 else -attempt % count, count, key)]

    def _count_from(self, start: int, left: int, allowed: int) -> int:
        """How many ways there are to pick `left` more steps from `start` on."""
        if allowed < 0 or left > len(self._severities) - start:
            return 0
        if left == 0:
            return 1
        taken = self._count(start + 1, left - 1, allowed - self._severities[start])
        return taken + self._count(start + 1, left, allowed)


@dataclass(slots=True)
class Before:
    """What the next copy of a kind of variant needs to know of those before it, and of the source."""

    signatures: list[Signature]
    again: int = 0
    """How often they were drawn again, which are the combinations of steps that a mix has used up."""

    def attempts(self, spec: VariantSpec, number: int) -> Iterator[int]:
        """The numbers of so many attempts; those after the first are counted on through all copies of a mix."""
        yield 0
        for attempt in range(1, number):
            self.again += 1
            yield self.again if spec.pick is not None else attempt


def shuffled(number: int, count: int, key: bytes) -> int:
    """Where a number below `count` goes in the permutation that belongs to a key.

    A Feistel network over the next power of four, walked until the result is below `count` (Black and Rogaway 2002,
    "Ciphers with arbitrary finite domains", section 4).
    """
    bits = max(1, ((count - 1).bit_length() + 1) // 2)
    low = (1 << bits) - 1
    while True:
        left, right = number >> bits, number & low
        for turn in range(_ROUNDS):
            told = hashlib.blake2b(b"%d|%d" % (turn, right), digest_size=8, key=key).digest()
            left, right = right, left ^ (int.from_bytes(told, "little") & low)
        number = left << bits | right
        if number < count:
            return number
