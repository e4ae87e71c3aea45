"""Runs the package over scenes and holds every label that it makes against the pixels that it makes."""

from __future__ import annotations

import functools
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amp_datasets.filtering.settings import complete_settings
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.variants.maker import Planned, Refused, VariantMaker, render
from amp_datasets.variants.recipe import LabelSettings, Recipe, Step, VariantSpec

from .adapter import claims, original, rectangles
from .enlarged import enlargement
from .scenes import Scene
from .verdict import Verdict, examine, is_ghost, is_missed

MIN_VISIBILITY, DROP_BELOW = 0.4, 0.1
"""The defaults, stated again."""
REGISTRY = load_registry()


@dataclass(frozen=True, eq=False)
class Outcome:
    """A variant that was made of a scene, and what its pixels say of its labels."""

    scene: Scene
    planned: Planned
    image: NDArray[np.uint8]
    verdicts: tuple[Verdict, ...]


def step(name: str, **settings: Any) -> Step:
    """A filter with all its settings."""
    return Step(name, complete_settings(REGISTRY.filter(name), settings))


def plans(scene: Scene, specs: Sequence[VariantSpec], seed: int = 1, **settings: Any) -> Iterator[Planned | Refused]:
    """What a fresh maker plans for a scene."""
    labels = LabelSettings(**{"outlines": rectangles(scene), **settings})
    return VariantMaker(Recipe(seed, tuple(specs), labels), REGISTRY).plan_all(original(scene))


def outcomes(
    scenes: Iterable[Scene], chains: Iterable[Sequence[Step]], copies: int = 1, seed: int = 1, **settings: Any
) -> Iterator[Outcome]:
    """Every chain on every scene, as far as it is not refused."""
    specs = [VariantSpec(f"chain {number}", tuple(steps), copies) for number, steps in enumerate(chains)]
    for scene in scenes:
        image = original(scene).image
        for planned in plans(scene, specs, seed, **settings):
            if isinstance(planned, Planned):
                yield _outcome(scene, planned, render(image, planned))


def wrong(outcome: Outcome, tolerance: float) -> list[str]:
    """The things that are seen without a label, and the labels without a thing.

    A thing between the two thresholds may have a label only in a variant that says that it is partial.
    """
    least = DROP_BELOW if outcome.planned.judged.partial else MIN_VISIBILITY
    where = f"{outcome.scene.name}, {outcome.planned.steps_json}"
    missed = [v for v in outcome.verdicts if is_missed(v, DROP_BELOW, tolerance)]
    ghosts = [v for v in outcome.verdicts if is_ghost(v, least, tolerance)]
    return [
        f"{kind} {v.kind} ({v.share:.2f}) in {where}"
        for kind, vs in (("missed", missed), ("ghost", ghosts))
        for v in vs
    ]


@functools.cache
def random_chains(seed: int, count: int) -> tuple[tuple[Step, ...], ...]:
    """Chains of two to four steps that move, cut and hide."""
    draw = random.Random(seed)
    return tuple(tuple(draw.choices(_links(), k=draw.randint(2, 4))) for _ in range(count))


@functools.cache
def _links() -> tuple[Step, ...]:
    return (
        step("flip", how="any"),
        step("rotate90"),
        step("rotate", degrees=[3, 40]),
        step("rotate", degrees=[3, 40], fill=(0, 0, 0)),
        step("elastic", alpha=[60, 150], sigma=[10, 20]),
        step("crop", margin=[0.1, 0.5], around="one"),
        step("cutout", count=3, percent=15),
        step("albumentations.RandomCrop", height=300, width=400),
        step("albumentations.D4"),
        step("albumentations.Pad", padding=[10, 20, 30, 5]),
    )


def _outcome(scene: Scene, planned: Planned, image: NDArray[np.uint8]) -> Outcome:
    found = examine(image, scene, claims(planned.judged.annotations), _areas(planned, scene))
    return Outcome(scene, planned, image, tuple(found))


def _areas(planned: Planned, scene: Scene) -> dict[int, float]:
    """By how much the first step enlarges each thing; the chains that are looked at enlarge nothing later."""
    if not planned.steps:
        return {}
    first, size = planned.steps[0], scene.image.shape[1::-1]
    fill = first.step.settings.get("fill")
    return {thing.code: enlargement(first.step.filter, first.draw, fill, size, thing) for thing in scene.things}
