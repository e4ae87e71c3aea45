"""The life of an image on one page: read the sources, join them, make the variants, lay the formats around them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from datasets import Dataset, concatenate_datasets

from amp_datasets import ledger as ledgers
from amp_datasets.built import built_samples
from amp_datasets.card import card_text
from amp_datasets.consolidate import Consolidated, Item, consolidate
from amp_datasets.discovery import load_registry
from amp_datasets.engines import local
from amp_datasets.errors import BuildError, SourceError
from amp_datasets.image import Limits
from amp_datasets.labels import side_pairs
from amp_datasets.making import Task
from amp_datasets.manifest import Manifest
from amp_datasets.manifest_reading import load_manifest
from amp_datasets.manifest_writing import manifest_document, manifest_text
from amp_datasets.model import LabelSet
from amp_datasets.recipe import ORIGINAL, CategoryRules, Recipe, digest
from amp_datasets.registry import Registry
from amp_datasets.report import BuildReport, losses
from amp_datasets.sources import read_source
from amp_datasets.table import dump_annotations
from amp_datasets.workspace import Workspace

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


def _silent(_what: str, _done: int, _total: int) -> None:
    return


@dataclass(frozen=True, slots=True)
class Prepared:
    """A manifest with its sources read and joined: all that is needed to make any of its variants."""

    manifest: Manifest
    registry: Registry
    joined: Consolidated
    recipe: Recipe
    formats: Mapping[str, str]


def build(
    manifest: str | Path,
    *,
    out: str | Path = "build",
    sources: Sequence[str | Path] = (),
    settings: Sequence[str] = (),
    jobs: int | None = None,
    limit: int | None = None,
    dry_run: bool = False,
    lazy: bool = False,
    plugin_dirs: Sequence[str | Path] = (),
    progress: Progress = _silent,
) -> BuildReport:
    """Build what a manifest says into the folder `out`, and say what was made and what was lost.

    `sources` replaces the manifest's own, `settings` ("filters.blur.sigma=3") are laid over it, `limit` takes only the
    first source images, and `lazy` keeps sources and ledger instead of pixels. Any number of `jobs` (worker processes; all cores by default) gives the same bytes. `out`
    appears, or changes, in one moment at the end. Raises AmpError on bad input and on a machine that is full or broken.
    """
    prepared = prepare(manifest, sources=sources, settings=settings, limit=limit, plugin_dirs=plugin_dirs)
    if dry_run:
        report = new_report(prepared, Path(out))
        _expect(report, prepared)
        return report
    return build_prepared(prepared, Path(out), jobs=jobs, lazy=lazy, progress=progress)


def build_prepared(
    prepared: Prepared, out: Path, *, jobs: int | None = None, lazy: bool = False, progress: Progress = _silent
) -> BuildReport:
    """Build what `prepare` has read, as `build` does."""
    started = time.monotonic()
    report = new_report(prepared, out)
    _refuse_overlap(prepared.manifest, out)
    with Workspace(out) as workspace:
        ready = workspace.reusable()
        workspace.start()
        todo = tasks(prepared, ready)
        report.reused = sum(len(rows) for task in todo for rows in task.ready.values())
        images = None if lazy else workspace.tree / "images"
        _run(prepared, todo, workspace, images, jobs or os.cpu_count() or 1, progress)
        rows = ledger_of(workspace.shards)
        report.count_rows(rows)
        if lazy:
            store_lazy(prepared, todo, rows, workspace.tree, report)
        else:
            _finish(prepared, rows, workspace, report, progress)
        workspace.publish()
    report.seconds = time.monotonic() - started
    return report


def prepare(
    manifest: str | Path,
    *,
    sources: Sequence[str | Path] = (),
    settings: Sequence[str] = (),
    limit: int | None = None,
    plugin_dirs: Sequence[str | Path] = (),
) -> Prepared:
    """Read a manifest and its sources; nothing is written."""
    registry = load_registry(tuple(Path(folder) for folder in plugin_dirs))
    loaded = load_manifest(Path(manifest), registry, sources=[str(s) for s in sources], settings=settings)
    return prepare_manifest(loaded, registry, Path(manifest), limit, plugin_dirs)


def prepare_manifest(
    manifest: Manifest,
    registry: Registry,
    where: Path,
    limit: int | None = None,
    plugin_dirs: Sequence[str | Path] = (),
) -> Prepared:
    """Read the sources of a manifest that is loaded already."""
    if not manifest.sources:
        raise SourceError(
            "there is no source", where=where, fix="add `sources:` to the manifest, or give --source PATH"
        )
    if not manifest.variants() and not manifest.originals:
        raise SourceError("there is nothing to make", where=where, fix="add `filters:` or set `originals: true`")
    limits = Limits(manifest.limits.max_bytes, manifest.limits.max_pixels)
    read = [read_source(source, registry, limits) for source in manifest.sources]
    sets = [labels for labels, _ in read]
    joined = consolidate(sets, [source.classes for source in manifest.sources], manifest)
    if limit is not None:
        joined = replace(joined, items=joined.items[:limit])
    if not joined.items:
        raise SourceError(
            "no usable image is left", where=", ".join(s.path for s in manifest.sources), fix=_why_empty(joined)
        )
    formats = {s.path: f"{d.reason}" for s, (_, d) in zip(manifest.sources, read, strict=True)}
    return Prepared(manifest, registry, joined, _recipe(manifest, joined, plugin_dirs), formats)


def tasks(prepared: Prepared, ready: Mapping[str, list[dict[str, Any]]]) -> list[Task]:
    """One task for every source image, with the rows that need not be made again."""
    keys = ledgers.VariantKeys(prepared.recipe, prepared.registry)
    return [_task(item, prepared, keys, ready) for item in prepared.joined.items]


def _task(item: Item, prepared: Prepared, keys: ledgers.VariantKeys, ready: Mapping[str, list[dict[str, Any]]]) -> Task:
    sample, manifest = item.sample, prepared.manifest
    labels = dump_annotations(sample.annotations)
    wanted: dict[str, str] = {}
    augmented = sample.split in manifest.augment
    if manifest.originals or not augmented:
        wanted[ORIGINAL] = keys.original_key(item.sha256, labels)
    if augmented:
        wanted |= {spec.name: keys.key(item.sha256, labels, spec) for spec in prepared.recipe.variants}
    reused = {name: ready[key] for name, key in wanted.items() if key in ready}
    split, group = str(sample.split), str(sample.group)
    return Task(sample.source_id, sample.image, item.sha256, labels, split, item.stem, wanted, reused, group)


def _recipe(manifest: Manifest, joined: Consolidated, plugin_dirs: Sequence[str | Path]) -> Recipe:
    names = [category.name for category in joined.categories]
    sides, one_sided = side_pairs(names)
    if isinstance(manifest.labels.sides, dict):
        sides = {**manifest.labels.sides, **{b: a for a, b in manifest.labels.sides.items()}}
        one_sided = one_sided - set(sides)
    elif manifest.labels.sides == "off":
        sides, one_sided = {}, frozenset()
    pairs = {c.name: c.flip_pairs for c in joined.categories if c.flip_pairs}
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


def _run(prepared: Prepared, todo: Sequence[Task], workspace: Workspace, jobs: int, progress: Progress) -> None:
    done = 0

    def advance(sources: int) -> None:
        nonlocal done
        done += sources
        progress("making variants", done, len(todo))

    progress("making variants", 0, len(todo))
    local.run(prepared.recipe, todo, workspace.shards, workspace.tree / "images", jobs, advance)


def _ledger(workspace: Workspace) -> Dataset:
    """All rows of all shards, in the order of the sources, without loading them."""
    shards = [Dataset.from_file(str(file)) for file in local.shard_files(workspace.shards)]
    return concatenate_datasets(shards)


def _finish(prepared: Prepared, rows: Dataset, workspace: Workspace, report: BuildReport, progress: Progress) -> None:
    """Write every label format, the ledger, the lock, the manifest as run, and the card."""
    tree, manifest = workspace.tree, prepared.manifest
    samples = built_samples(rows, tree / "images")
    if not samples:
        raise BuildError("not one image could be made", fix="; ".join(loss.reason for loss in report.refused_variants))
    labels = LabelSet(prepared.joined.categories, samples, name=manifest.name)
    for number, name in enumerate(manifest.exports):
        progress("writing labels", number, len(manifest.exports))
        _export(name, labels, tree, prepared.registry, report)
    for split in (tree / "images").iterdir():
        if not any(split.iterdir()):
            split.rmdir()
    rows.to_parquet(str(tree / ledgers.LEDGER_FILE))
    document = manifest_document(manifest, tree.parent.parent / Path(report.out).name)
    (tree / ledgers.MANIFEST_FILE).write_text(manifest_text(document), encoding="utf-8")
    lock = ledgers.lock_document(prepared.recipe, prepared.registry, document, _locked_sources(prepared, document))
    lock["categories"] = [_category(c) for c in prepared.joined.categories]
    lock["lost_on_reading"] = [
        {"id": item.id, "reason": item.reason, "detail": item.detail} for item in prepared.joined.dropped
    ]
    (tree / "README.md").write_text(card_text(labels, manifest, report, lock), encoding="utf-8")
    ledgers.seal(tree, lock)


def _export(name: str, labels: LabelSet, tree: Path, registry: Registry, report: BuildReport) -> None:
    plugin = registry.exporter(name)
    exporter = plugin(tree, plugin.options_type(), lambda _sample, _target: None)
    exporter.write(labels)
    lost = exporter.losses(labels.samples)
    if lost:
        report.lost_in_exports[name] = dict(lost)


def _locked_sources(prepared: Prepared, document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each set with a digest over its images and labels."""
    by_set: dict[str, list[str]] = {}
    for item in prepared.joined.items:
        entry = f"{item.sample.source_id} {item.sha256} {dump_annotations(item.sample.annotations)}"
        by_set.setdefault(item.set_name, []).append(entry)
    settings = document["sources"]
    return [
        {"name": name, "images": len(entries), "digest": digest(sorted(entries)), "source": source}
        for (name, entries), source in zip(by_set.items(), settings, strict=False)
    ]


def _category(category: Any) -> dict[str, Any]:
    return {name: getattr(category, name) for name in ("name", "supercategory", "keypoints", "skeleton", "flip_pairs")}


def _new_report(prepared: Prepared, out: Path) -> BuildReport:
    joined = prepared.joined
    return BuildReport(
        str(out),
        sources=len(joined.items),
        dropped=losses(joined.dropped),
        repairs=losses(joined.repairs),
        notes=list(joined.notes),
        formats=dict(prepared.formats),
    )


def _expect(report: BuildReport, prepared: Prepared) -> None:
    """What a build would make if no variant is refused."""
    copies = sum(spec.copies for spec in prepared.recipe.variants)
    for item in prepared.joined.items:
        augmented = item.sample.split in prepared.manifest.augment
        report.originals += int(prepared.manifest.originals or not augmented)
        report.variants += copies * augmented
        split = str(item.sample.split)
        report.splits[split] = (
            report.splits.get(split, 0)
            + copies * augmented
            + (1 if prepared.manifest.originals or not augmented else 0)
        )
        report.labels += len(item.sample.annotations) * (copies * augmented + 1)


def _refuse_overlap(manifest: Manifest, out: Path) -> None:
    target = out.resolve()
    for source in manifest.sources:
        path = Path(source.path).resolve()
        if target == path or target in path.parents or path in target.parents:
            raise BuildError(
                "the target lies in a source, or a source in it", where=f"{target} and {path}", fix="choose another -o"
            )


def _why_empty(joined: Consolidated) -> str:
    found = losses(joined.dropped)
    return "; ".join(f"{loss.count} x {loss.reason} ({loss.examples[0]})" for loss in found[:3]) or "check the paths"
