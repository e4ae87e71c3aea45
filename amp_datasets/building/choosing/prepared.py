"""What a build is made of: its images, and which kinds of variant each of them gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from amp_datasets.manifest.model import Manifest
from amp_datasets.plugin.registry import Registry
from amp_datasets.sources.joining import Consolidated, Item
from amp_datasets.variants.recipe import Recipe, VariantSpec


@dataclass(frozen=True, slots=True)
class Prepared:
    """A manifest with its sources read and joined: all that is needed to make any of its variants."""

    manifest: Manifest
    registry: Registry
    joined: Consolidated
    recipe: Recipe
    formats: Mapping[str, str]
    provenance: Sequence[str] = ()
    """What the files of each source say of their licence and origin."""

    def keeps_original(self, item: Item) -> bool:
        """Whether the build has the image itself."""
        return self.manifest.originals or item.sample.split not in self.manifest.augment

    def kinds_of(self, item: Item) -> list[VariantSpec]:
        """The kinds of variant that are made of an image."""
        if item.sample.split not in self.manifest.augment:
            return []
        return [spec for spec in self.recipe.variants if spec.concerns(item.classes)]

    def images_of(self, item: Item) -> tuple[int, int]:
        """How many there will be of an image if no variant is refused: of itself, and variants of it."""
        return int(self.keeps_original(item)), sum(copies_of(item, spec) for spec in self.kinds_of(item))


def copies_of(item: Item, spec: VariantSpec) -> int:
    """How many copies an image gets of a kind of variant."""
    return item.copies.get(spec.name, spec.copies)
