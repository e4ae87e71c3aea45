"""What is trained: ways of augmentation, and one run of a trainer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from study import samples
from study.samples import Wanted

SOURCES, ONLINE, VARIANTS, BOTH, EPOCHS, LEFT = (
    "sources",
    "sources + online",
    "variants",
    "variants + online",
    "new variants every epoch",
    "labels left in place",
)
WAYS = (SOURCES, ONLINE, VARIANTS, BOTH, EPOCHS, LEFT)
NEED_NO_RECIPE = (SOURCES, ONLINE)
YOLO_ONLY = (ONLINE, BOTH, LEFT)
"""Ways with the trainer's own online augmentation, and the one whose labels are changed in YOLO's files alone."""


@dataclass(frozen=True)
class Effort:
    """How long and how large: image passes, side of the square that images are fitted into, images in a batch.

    `points` is how often a model is tested on its way; the learning rate falls in as many steps, for every way alike.
    """

    passes: int
    size: int
    batch: int
    points: int = 8
    workers: int = 0
    weights: str | None = None


@dataclass(frozen=True)
class Run:
    """One training."""

    wanted: Wanted
    way: str
    recipe: str
    trainer: str

    @property
    def key(self) -> tuple[str, ...]:
        """What tells runs apart; `recipe` is empty where none takes part."""
        return (self.trainer, self.wanted.set, str(self.wanted.images), str(self.wanted.seed), self.way, self.recipe)

    def folder(self, work: Path) -> Path:
        """The folder that it trains on, made if it is not there."""
        if self.way in (SOURCES, ONLINE, EPOCHS):
            return samples.sources(self.wanted, work)
        if self.way == LEFT:
            return samples.left_in_place(self.wanted, self.recipe, work)
        return samples.variants(self.wanted, self.recipe, work)


@dataclass(frozen=True)
class Point:
    """A model on its way: how many images it has seen, and how well it does on the test images."""

    passes: int
    map50_95: float
    map50: float
