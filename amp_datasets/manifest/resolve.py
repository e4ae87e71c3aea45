"""A manifest and the categories of a set as the recipe that travels to workers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from amp_datasets.manifest.model import Manifest
from amp_datasets.model import Category
from amp_datasets.variants.mirror import side_pairs
from amp_datasets.variants.recipe import CategoryRules, Recipe


def recipe_for(manifest: Manifest, categories: Sequence[Category], plugin_dirs: Sequence[str | Path] = ()) -> Recipe:
    """What decides how variants look, for a set with these categories."""
    names = [category.name for category in categories]
    sides, one_sided = side_pairs(names)
    if isinstance(manifest.labels.sides, dict):
        sides = {**manifest.labels.sides, **{b: a for a, b in manifest.labels.sides.items()}}
        one_sided = one_sided - set(sides)
    elif manifest.labels.sides == "off":
        sides, one_sided = {}, frozenset()
    pairs = {c.name: c.flip_pairs for c in categories if c.flip_pairs}
    return Recipe(
        manifest.seed,
        manifest.variants(),
        manifest.label_settings(),
        manifest.encode_settings(),
        CategoryRules(sides, tuple(sorted(one_sided)), pairs),
        manifest.limits.max_pixels,
        manifest.limits.max_bytes,
        tuple(str(Path(folder).resolve()) for folder in plugin_dirs),
    )
