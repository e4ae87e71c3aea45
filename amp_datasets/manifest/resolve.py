"""A manifest and the categories of a set as the recipe that travels to workers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from amp_datasets.manifest.model import Manifest
from amp_datasets.model import Category
from amp_datasets.variants.mirror import is_numbered, side_pairs
from amp_datasets.variants.recipe import CategoryRules, Recipe


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
