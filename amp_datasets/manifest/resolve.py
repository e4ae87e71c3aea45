"""A manifest and the categories of a set as the recipe that travels to workers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from amp_datasets.manifest.model import Manifest
from amp_datasets.manifest.preprocess import SELECTIONS
from amp_datasets.model import Category, LabelSet
from amp_datasets.variants.mirror import is_numbered, side_pairs
from amp_datasets.variants.recipe import CategoryRules, Recipe

NEW_SPLITS: Mapping[str, float] = {"train": 0.8, "validation": 0.1, "test": 0.1}
"""Shares of the splits of sets that have none, where the manifest says `auto`."""


def with_splits(manifest: Manifest, sets: Iterable[LabelSet]) -> Manifest:
    """The manifest with `splits: auto` settled: kept where any set has some, else made anew."""
    if manifest.splits != "auto":
        return manifest
    has_some = any(sample.split is not None for labels in sets for sample in labels.samples)
    return manifest.model_copy(update={"splits": "keep" if has_some else dict(NEW_SPLITS)})


def recipe_for(manifest: Manifest, categories: Sequence[Category], plugin_dirs: Sequence[str | Path] = ()) -> Recipe:
    """What decides how variants look, for a set with these categories."""
    names = [category.name for category in categories]
    sides = side_pairs(names)[0]
    if isinstance(manifest.labels.sides, dict):
        sides = {**manifest.labels.sides, **{b: a for a, b in manifest.labels.sides.items()}}
    elif manifest.labels.sides == "off":
        sides = {}
    one_sided = one_sided_among(manifest, names)
    ordered = [c.name for c in categories if c.keypoints and not c.flip_pairs and not is_numbered(c.keypoints)]
    pairs = {c.name: c.flip_pairs for c in categories if c.flip_pairs}
    return Recipe(
        manifest.seed,
        manifest.variants(),
        manifest.label_settings(),
        manifest.encode_settings(),
        CategoryRules(sides, tuple(sorted(one_sided)), pairs, tuple(ordered)),
        manifest.limits.max_pixels,
        manifest.limits.max_bytes,
        tuple(str(Path(folder).resolve()) for folder in plugin_dirs),
        tuple(step for step in manifest.preprocess if step.filter not in SELECTIONS),
    )


def one_sided_among(manifest: Manifest, names: Iterable[str]) -> frozenset[str]:
    """The classes that a mirror image would make wrong, in a set that has these.

    Asked of each source by itself: what another source has must not change the variants of this one.
    """
    if manifest.labels.sides == "off":
        return frozenset()
    single = side_pairs([*dict.fromkeys([*names, *(manifest.classes or ())])])[1]
    if isinstance(manifest.labels.sides, dict):
        single -= {*manifest.labels.sides, *manifest.labels.sides.values()}
    return single
