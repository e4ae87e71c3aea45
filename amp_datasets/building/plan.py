"""From a manifest to tasks: sources are read and joined, and for every image it is settled what is to be made."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from amp_datasets.building.choosing.balance import class_counts
from amp_datasets.building.choosing.images import balanced, copies_of, keeps_original, kinds_of, selected
from amp_datasets.building.choosing.partners import Partners, as_json, key_of
from amp_datasets.building.inputs import GivenManifest, GivenSource, open_manifest, take_in
from amp_datasets.building.report import BuildReport, is_label
from amp_datasets.building.worker import Task
from amp_datasets.errors import SourceError
from amp_datasets.filtering.class_hints import warnings
from amp_datasets.formats.base import Detection
from amp_datasets.formats.losses import losses
from amp_datasets.images.codec import Limits, encoding_for
from amp_datasets.images.kinds import DEEP, lost
from amp_datasets.ledger.keys import VariantKeys
from amp_datasets.manifest.model import Manifest
from amp_datasets.manifest.notes import pose_notes, rotation_notes
from amp_datasets.manifest.resolve import recipe_for, with_splits
from amp_datasets.model import SPLITS, LabelSet, Repair
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.plugin.registry import Registry
from amp_datasets.rows.schema import dump_annotations
from amp_datasets.sources.consolidate import consolidate, unique_names
from amp_datasets.sources.joining import Consolidated, Item
from amp_datasets.sources.open import read_source, refuse_unreadable
from amp_datasets.variants.maker import VariantMaker
from amp_datasets.variants.recipe import ORIGINAL, Recipe, VariantSpec


@dataclass(frozen=True, slots=True)
class Prepared:
    """A manifest with its sources read and joined: all that is needed to make any of its variants."""

    manifest: Manifest
    registry: Registry
    joined: Consolidated
    recipe: Recipe
    formats: Mapping[str, str]
    set_names: Sequence[str] = ()
    """What the set of each source is called in this build."""


def prepare(
    manifest: GivenManifest,
    *,
    sources: Sequence[GivenSource] = (),
    settings: Sequence[str] = (),
    limit: int | None = None,
    plugin_dirs: Sequence[str | Path] = (),
) -> Prepared:
    """Read a manifest and its sources; nothing is written."""
    registry = load_registry(tuple(Path(folder) for folder in plugin_dirs))
    paths, held = take_in(sources)
    loaded, where = open_manifest(manifest, registry, paths, settings)
    return prepare_manifest(loaded, registry, where, limit, plugin_dirs, held=held)


def prepare_manifest(
    manifest: Manifest,
    registry: Registry,
    where: Path,
    limit: int | None = None,
    plugin_dirs: Sequence[str | Path] = (),
    order: Sequence[str] = (),
    held: Mapping[str, LabelSet] | None = None,
) -> Prepared:
    """Read the sources of a manifest that is loaded already; `order` are classes that keep their ids.

    `held` has the sets that are in memory, by the paths under which the manifest names them.
    """
    if not manifest.sources:
        raise SourceError(
            "there is no source", where=where, fix="add `sources:` to the manifest, or give --source PATH"
        )
    if not manifest.variants() and not manifest.originals:
        raise SourceError("there is nothing to make", where=where, fix="add `filters:` or set `originals: true`")
    limits = Limits(manifest.limits.max_bytes, manifest.limits.max_pixels)
    ready = {path: (labels, Detection("given in memory", 100)) for path, labels in (held or {}).items()}
    read = [ready.get(source.path) or read_source(source, registry, limits) for source in manifest.sources]
    sets = [labels for labels, _ in read]
    for labels in sets:
        refuse_unreadable(labels)
    manifest = with_splits(manifest, sets)
    joined = consolidate(sets, [source.classes for source in manifest.sources], manifest, order)
    if limit is not None:
        joined = replace(joined, items=joined.items[:limit])
    if not joined.items:
        raise SourceError(
            "no usable image is left", where=", ".join(s.path for s in manifest.sources), fix=_why_empty(joined)
        )
    recipe = recipe_for(manifest, joined.categories, plugin_dirs)
    joined = balanced(selected(joined, manifest, VariantMaker(recipe, registry)), manifest, recipe)
    if not joined.items:
        raise SourceError("preprocessing leaves no image", where=where, fix=_why_empty(joined))
    formats = {s.path: f"{d.reason}" for s, (_, d) in zip(manifest.sources, read, strict=True)}
    set_names = unique_names([labels.name for labels in sets])
    return Prepared(manifest, registry, joined, recipe, formats, set_names)


def tasks(prepared: Prepared, ready: Mapping[str, list[dict[str, Any]]]) -> list[Task]:
    """One task for every source image, with the rows that need not be made again."""
    keys = VariantKeys(prepared.recipe, prepared.registry)
    partners = Partners(prepared.joined.items, prepared.manifest, prepared.recipe, prepared.registry)
    return [_task(item, prepared, keys, partners, ready) for item in prepared.joined.items]


def _task(
    item: Item, prepared: Prepared, keys: VariantKeys, partners: Partners, ready: Mapping[str, list[dict[str, Any]]]
) -> Task:
    sample, manifest = item.sample, prepared.manifest
    labels = dump_annotations(sample.annotations, sample.labels)
    values = "" if item.values is None else json.dumps(item.values)
    wanted: dict[str, str] = {}
    beside: dict[str, Any] = {}
    counts: dict[str, int] = {}
    piece = [f"piece {item.piece}"] if item.piece else []
    if keeps_original(item, manifest):
        wanted[ORIGINAL] = keys.original_key(item.sha256, labels, values, piece)
    for spec in kinds_of(item, manifest, prepared.recipe):
        copies = copies_of(item, spec)
        if not copies:
            continue
        more = [*piece, *_count_key(copies, spec)]
        if copies != spec.copies:
            counts[spec.name] = copies
        groups = partners.of(item, spec, copies)
        if groups:
            beside[spec.name] = as_json(groups)
            more += key_of(groups)
        wanted[spec.name] = keys.key(item.sha256, labels, spec, item.one_sided, values, more)
    reused = {name: ready[key] for name, key in wanted.items() if key in ready}
    split, group = str(sample.split), str(sample.group)
    known = (item.sha256, labels, split, item.stem, wanted, reused, group, item.one_sided, values, item.piece)
    return Task(sample.source_id, sample.image, *known, beside, counts)


def _count_key(copies: int, spec: VariantSpec) -> list[str]:
    """What belongs to the key of rows that are not as many as the kind of variant says."""
    return [f"copies {copies}"] if copies != spec.copies else []


def new_report(prepared: Prepared, out: Path) -> BuildReport:
    """A report that has what is known before anything is made."""
    joined = prepared.joined
    said = pose_notes(prepared.recipe)
    said += rotation_notes(prepared.recipe, prepared.registry, (item.sample for item in joined.items))
    return BuildReport(
        str(out),
        sources=len({item.sample.source_id for item in joined.items}),
        dropped=losses(item for item in joined.dropped if not is_label(item)),
        unusable_labels=losses(item for item in joined.dropped if is_label(item)),
        repairs=losses(joined.repairs),
        converted=losses(_converted(prepared)),
        notes=[*joined.notes, *_meaning_warnings(prepared), *said],
        formats=dict(prepared.formats),
    )


def _converted(prepared: Prepared) -> Iterator[Repair]:
    """What is not carried over from each source image, its colours and frames."""
    settings = prepared.recipe.encode
    for item in prepared.joined.items:
        if item.header is not None:
            for what in lost(item.header, encoding_for(item.header, settings, item.values)):
                detail = (
                    f"black is {item.values[0]:g}, white {item.values[1]:g}" if what == DEEP and item.values else ""
                )
                yield Repair(item.sample.source_id, what, detail)


def _meaning_warnings(prepared: Prepared) -> list[str]:
    used = dict.fromkeys(step.filter for step in prepared.recipe.steps)
    spoils = [(name, prepared.registry.filter(name).spoils) for name in used]
    return warnings((category.name for category in prepared.joined.categories), spoils)


def expect(report: BuildReport, prepared: Prepared) -> None:
    """What a build would make if no variant is refused, and how many of each class."""
    times = [
        keeps_original(item, prepared.manifest)
        + sum(copies_of(item, spec) for spec in kinds_of(item, prepared.manifest, prepared.recipe))
        for item in prepared.joined.items
    ]
    for split in SPLITS:
        found = [(i, n) for i, n in zip(prepared.joined.items, times, strict=True) if i.sample.split == split]
        names = [[*(a.category for a in item.seen), *item.sample.labels] for item, _ in found]
        counts = [n for _, n in found]
        labels, images = (class_counts(names, counts, by) for by in ("labels", "images"))
        if found:
            report.classes[split] = {name: {"labels": n, "images": images[name]} for name, n in sorted(labels.items())}
    for item in prepared.joined.items:
        original = int(keeps_original(item, prepared.manifest))
        variants = sum(copies_of(item, spec) for spec in kinds_of(item, prepared.manifest, prepared.recipe))
        report.originals += original
        report.variants += variants
        split = str(item.sample.split)
        report.splits[split] = report.splits.get(split, 0) + variants + original
        report.labels += (len(item.seen) + len(item.sample.labels)) * (variants + original)


def _why_empty(joined: Consolidated) -> str:
    found = losses(joined.dropped)
    return "; ".join(f"{loss.count} x {loss.reason} ({loss.examples[0]})" for loss in found[:3]) or "check the paths"
