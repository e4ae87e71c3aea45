"""The order in which images are seen, the same for every trainer and way."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler


class Passes(Sampler[int]):
    """All images in a random order, then in another, cut into epochs of one length; numbers count on over passes."""

    def __init__(self, images: int, per_epoch: int, seed: int, *, numbered: bool) -> None:
        self.images, self.per_epoch, self.numbered = images, per_epoch, numbered
        self.chance = np.random.default_rng(seed)
        self.order: list[int] = []
        self.passed = -1

    def __len__(self) -> int:
        return self.per_epoch

    def __iter__(self) -> Iterator[int]:
        for _ in range(self.per_epoch):
            if not self.order:
                self.order = self.chance.permutation(self.images).tolist()
                self.passed += 1
            yield self.order.pop() + (self.passed * self.images if self.numbered else 0)
