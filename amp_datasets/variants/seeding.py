"""Random generators that depend on what is made, never on when or where.

One pair of generators serves a worker for its whole life and is reseeded in place before every attempt (about 9
microseconds), because building fresh ones costs more than most filters.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, field
from typing import Any

import numpy as np

_INCREMENT = 0xDA3E39CB94B95BDB_5851F42D4C957F2D | 1


@dataclass(frozen=True, slots=True)
class Key:
    """What a random stream belongs to. Settings are left out, so that tuning a strength keeps the layout."""

    seed: int
    source_sha256: str
    variant: str
    copy: int = 0
    attempt: int = 0

    def digest(self) -> bytes:
        """32 bytes that differ wherever two keys differ."""
        text = f"{self.seed}|{self.source_sha256}|{self.variant}|{self.copy}|{self.attempt}"
        return hashlib.blake2b(text.encode(), digest_size=32).digest()


@dataclass(frozen=True, slots=True)
class Generators:
    """A NumPy generator and a `random.Random`, shared by all transforms of a worker.

    Draw scalars from `scalars`: its stream is stable across Python versions, NumPy's is not promised (NEP 19).
    """

    arrays: np.random.Generator = field(default_factory=lambda: np.random.Generator(np.random.PCG64(0)))
    scalars: random.Random = field(default_factory=lambda: random.Random(0))

    def reseed(self, key: Key) -> None:
        """Put both generators at the start of the stream of `key`."""
        digest = key.digest()
        state: dict[str, Any] = {"state": int.from_bytes(digest[:16], "little"), "inc": _INCREMENT}
        self.arrays.bit_generator.state = {"bit_generator": "PCG64", "state": state, "has_uint32": 0, "uinteger": 0}
        self.scalars.seed(int.from_bytes(digest[16:], "little"))
