"""From an order to images: its sources are read, then joined into one set of which it is settled what is to be made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from amp_datasets.building.choosing.images import balanced, selected
from amp_datasets.building.choosing.prepared import Prepared
from amp_datasets.building.inputs import Order, open_manifest, take_in
from amp_datasets.errors import SourceError
from amp_datasets.formats.base import Detection
from amp_datasets.formats.losses import losses
from amp_datasets.manifest.model import Manifest
from amp_datasets.manifest.resolve import recipe_for, with_splits
from amp_datasets.model import LabelSet
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.plugin.registry import Registry
from amp_datasets.progress import tell
from amp_datasets.sources.consolidate import consolidate
from amp_datasets.sources.joining import Consolidated
from amp_datasets.sources.open import read_source, refuse_unreadable
from amp_datasets.variants.maker import VariantMaker


@dataclass(frozen=True, slots=True)
class Read:
    """An order with its manifest checked and its sources read, in the manifest's order."""

    order: Order
    manifest: Manifest
    registry: Registry
    title: Path
    sets: Sequence[tuple[LabelSet, Detection]]


def prepare(order: Order) -> Prepared:
    """Read an order's manifest and sources and join them; nothing is written."""
    return join(read(order))


def read(order: Order) -> Read:
    """The manifest, checked, and every set that it names. Raises AmpError where one of them cannot be read."""
    registry = load_registry(tuple(Path(folder) for folder in order.plugin_dirs))
    paths, held = take_in(order.sources)
    manifest, name = open_manifest(order.manifest, registry, paths, order.settings)
    title = order.title or name
    if order.options:
        sources = tuple(source.model_copy(update={"options": dict(order.options)}) for source in manifest.sources)
        manifest = manifest.model_copy(update={"sources": sources})
    if not manifest.sources:
        raise SourceError(
            "there is no source", where=title, fix="add `sources:` to the manifest, or give --source PATH"
        )
    if not manifest.variants() and not manifest.originals:
        raise SourceError("there is nothing to make", where=title, fix="add `filters:` or set `originals: true`")
    limits = manifest.limits.as_limits()
    ready = {path: (labels, Detection("given in memory", 100)) for path, labels in held.items()}
    sets = []
    for number, source in enumerate(manifest.sources):
        tell("reading the sets", number, len(manifest.sources))
        sets.append(ready.get(source.path) or read_source(source, registry, limits))
    for labels, _ in sets:
        refuse_unreadable(labels)
    return Read(order, manifest, registry, title, sets)


def join(read: Read) -> Prepared:
    """The sets as one, after the manifest's preprocessing, and the recipe of every variant.

    Raises SourceError if no image is left.
    """
    whole = put_together(read)
    return choose(whole, whole.manifest, read.order.plugin_dirs, read.title)


def put_together(read: Read) -> Prepared:
    """All images of the sets as one set, before anything is chosen or done. Raises SourceError as `join` does."""
    sets = [labels for labels, _ in read.sets]
    manifest = with_splits(read.manifest, sets)
    joined = consolidate(sets, [source.classes for source in manifest.sources], manifest, read.order.first_classes)
    joined = replace(joined, items=joined.items[: read.order.limit])
    if not joined.items:
        named = ", ".join(source.path for source in manifest.sources)
        raise SourceError("no usable image is left", where=named, fix=_why_empty(joined))
    recipe = recipe_for(manifest, joined.categories, read.order.plugin_dirs)
    formats = {s.path: f"{d.reason}" for s, (_, d) in zip(manifest.sources, read.sets, strict=True)}
    said = [labels.provenance for labels in sets]
    return Prepared(manifest, read.registry, joined, recipe, formats, said)


def choose(whole: Prepared, manifest: Manifest, plugin_dirs: Sequence[str | Path], title: Path) -> Prepared:
    """Of images that were put together those that a manifest takes, its recipe, and how many copies each gets.

    The manifest has to read and join as the one of `whole` does, its splits settled. Raises SourceError if no image is
    left.
    """
    recipe = recipe_for(manifest, whole.joined.categories, plugin_dirs)
    joined = selected(whole.joined, manifest, VariantMaker(recipe, whole.registry))
    if not joined.items:
        raise SourceError("preprocessing leaves no image", where=title, fix=_why_empty(joined))
    return balanced(replace(whole, manifest=manifest, recipe=recipe, joined=joined))


def _why_empty(joined: Consolidated) -> str:
    found = losses(joined.dropped)
    return "; ".join(f"{loss.count} x {loss.reason} ({loss.examples[0]})" for loss in found[:3]) or "check the paths"
