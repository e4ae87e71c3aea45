"""The steps of one variant as they are drawn, one after the other, and what has come of the source by then."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from amp_datasets.filtering.base import (
    Filter,
    GeometricFilter,
    HidingFilter,
    JoiningFilter,
    PixelFilter,
    draw,
    looks_at_data,
)
from amp_datasets.geometry.warp import Warp, identity
from amp_datasets.model import FloatArray
from amp_datasets.variants.composing.join import join
from amp_datasets.variants.composing.within import apply_within
from amp_datasets.variants.labels import NO_HOLES, Holes, LabelPolicy, visible_boxes
from amp_datasets.variants.recipe import Step
from amp_datasets.variants.steps import Applied, Original, record_of

Record = dict[str, Any]
"""A step as the ledger holds it."""

_NO_BOXES: FloatArray = np.zeros((0, 4))


class Drawn:
    """A variant in the making: steps are added, in the order of their stages; nothing is taken back.

    `base` is the image that `steps`, `warp` and `holes` are about: the source, until a step makes another one of it.
    """

    def __init__(self, original: Original, policy: LabelPolicy, scalars: random.Random) -> None:
        self.base = original
        self.warp: Warp = identity(original.size)
        self.holes: Holes = NO_HOLES
        self.steps: tuple[Applied, ...] = ()
        self.records: tuple[Record, ...] = original.before
        self.dropped: Counter[str] = Counter(original.lost)
        self._mirrors = False
        self._policy = policy
        self._scalars = scalars

    @property
    def mirrors(self) -> bool:
        """Whether left and right are exchanged, in the image or in a part of it."""
        return self._mirrors or self.warp.mirrors

    def leave_out(self, step: Step) -> None:
        """A step that chance leaves out."""
        self.records = (*self.records, record_of(step, None))

    def add(self, step: Step, transform: Filter, others: Sequence[Original] = ()) -> None:
        """Draw a step, one that joins images with `others`. Raises CannotApply if there is nothing to draw."""
        if step.within:
            self._add_within(step, transform)
            return
        if isinstance(transform, JoiningFilter):
            self._add_joined(step, transform, others)
            return
        values = isinstance(transform, PixelFilter)
        image = self.base.image if values else np.broadcast_to(np.uint8(0), (self.warp.size[1], self.warp.size[0], 3))
        boxes = _NO_BOXES
        if not values and looks_at_data(transform):
            boxes = visible_boxes(self.base.annotations, self.warp, self._policy, self.base.known)
        choice = draw(transform, image, boxes)
        if isinstance(transform, GeometricFilter):
            self.warp = self.warp.then(transform.warp(self.warp.size, **choice))
        elif isinstance(transform, HidingFilter):
            self.holes = np.concatenate([self.holes, transform.holes(self.warp.size, **choice)])
        applied = Applied(step, transform, choice)
        self.steps = (*self.steps, applied)
        self.records = (*self.records, applied.record())

    def _add_within(self, step: Step, transform: Filter) -> None:
        inside = apply_within(
            self.base,
            transform,
            all_objects=step.within == "objects",
            scalars=self._scalars,
            policy=self._policy,
        )
        self.base = inside.original
        self.dropped.update(inside.judged.dropped)
        self._mirrors = self._mirrors or inside.mirrors
        self.records = (*self.records, {**record_of(step, {}), "draw": inside.record()})

    def _add_joined(self, step: Step, transform: JoiningFilter, others: Sequence[Original]) -> None:
        joined = join(self.base, others, transform, self._policy)
        self.base = joined.original
        self.dropped.update(joined.judged.dropped)
        self.records = (*self.records, record_of(step, joined.draw, partners=joined.record()))


def stage_of(pair: tuple[Step, Filter]) -> int:
    """When a step's turn is: 0 makes another image, 1 changes values, 2 places, 3 hides."""
    step, transform = pair
    if step.within or isinstance(transform, JoiningFilter):
        return 0
    return 1 if isinstance(transform, PixelFilter) else 2 if isinstance(transform, GeometricFilter) else 3
