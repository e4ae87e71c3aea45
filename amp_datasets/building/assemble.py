"""What lies around the images of a build: every label format, the ledger, the manifest as run, the card, the lock."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from datasets import Dataset

from amp_datasets.building.card import card_text
from amp_datasets.building.plan import Prepared
from amp_datasets.building.report import BuildReport
from amp_datasets.building.worker import Task
from amp_datasets.errors import BuildError
from amp_datasets.ledger.lock import lock_document, seal
from amp_datasets.ledger.samples import built_samples
from amp_datasets.ledger.schema import LEDGER_FILE, MANIFEST_FILE
from amp_datasets.manifest.dump import manifest_document, manifest_text
from amp_datasets.model import LabelSet, classifies
from amp_datasets.plugin.registry import Registry
from amp_datasets.progress import Progress
from amp_datasets.rows.schema import dump_annotations
from amp_datasets.storage.folder import read_image_file
from amp_datasets.variants.recipe import digest

SOURCES = "sources"
"""The folder of a lazy set that holds the untouched sources."""


def finish(prepared: Prepared, rows: Dataset, tree: Path, report: BuildReport, progress: Progress) -> None:
    """Write every label format around the images in `tree`, then all that describes them."""
    manifest = prepared.manifest
    _refuse_nothing(tree, report)
    samples = built_samples(rows, tree / "images")
    labels = LabelSet(prepared.joined.categories, samples, name=manifest.name)
    for number, name in enumerate(manifest.exports):
        progress("writing labels", number, len(manifest.exports))
        _export(name, labels, tree, prepared.registry, report)
    for split in (tree / "images").iterdir():
        if not any(split.iterdir()):
            split.rmdir()
    rows.to_parquet(str(tree / LEDGER_FILE))
    _describe(prepared, labels, tree, report, lazy=False)


def finish_lazy(prepared: Prepared, todo: Sequence[Task], rows: Dataset, tree: Path, report: BuildReport) -> None:
    """Write the sources and the ledger without pixels, and all that describes them."""
    _refuse_nothing(tree, report)
    shutil.rmtree(tree / "images")
    (tree / SOURCES).mkdir()
    places: dict[str, str] = {}
    for task in todo:
        name = f"{SOURCES}/{task.stem}{task.suffix}"
        (tree / name).write_bytes(read_image_file(task.file, prepared.recipe.max_bytes))
        places[task.source_id] = json.dumps([name, None])
    located = rows.add_column("source_file", [places[source_id] for source_id in rows["source_id"]])
    located.to_parquet(str(tree / LEDGER_FILE))
    labels = LabelSet(prepared.joined.categories, built_samples(rows, tree / "images"), name=prepared.manifest.name)
    _describe(prepared, labels, tree, report, lazy=True)


def _refuse_nothing(tree: Path, report: BuildReport) -> None:
    """A build without an image is an error; there is nothing in the tree that another run could use."""
    if report.originals + report.variants == 0:
        shutil.rmtree(tree)
        reasons = [
            f"{loss.count} x {loss.reason} ({loss.examples[0]})" for loss in (*report.refused_variants, *report.dropped)
        ]
        raise BuildError("not one image could be made", where=report.out, fix=f"see why: {'; '.join(reasons)}")


def _describe(prepared: Prepared, labels: LabelSet, tree: Path, report: BuildReport, *, lazy: bool) -> None:
    """Write the manifest as run, the card, and last the lock, which seals every file."""
    manifest = prepared.manifest
    document = manifest_document(manifest, tree.parent.parent / Path(report.out).name)
    (tree / MANIFEST_FILE).write_text(manifest_text(document), encoding="utf-8")
    lock = lock_of(prepared, document, lazy=lazy)
    (tree / "README.md").write_text(card_text(labels, manifest, report, lock), encoding="utf-8")
    seal(tree, lock)


def lock_of(prepared: Prepared, document: Mapping[str, Any], *, lazy: bool) -> dict[str, Any]:
    """What a set was made with and what was lost on reading; `document` is the manifest as run."""
    lock = lock_document(prepared.recipe, prepared.registry, document, _locked_sources(prepared, document))
    lock["categories"] = [asdict(category) for category in prepared.joined.categories]
    lock["lazy"] = lazy
    lock["lost_on_reading"] = [asdict(item) for item in prepared.joined.dropped]
    return lock


def _export(name: str, labels: LabelSet, tree: Path, registry: Registry, report: BuildReport) -> None:
    plugin = registry.exporter(name)
    if "image label" not in plugin.holds and classifies(labels.samples):
        report.notes.append(f"{name} is left out: it holds labels of objects, and these are of whole images")
        return
    exporter = plugin(tree, plugin.options_type(), lambda _sample, _target: None)
    exporter.write(labels)
    lost = exporter.losses(labels.samples)
    if lost:
        report.lost_in_exports[name] = dict(lost)


def _locked_sources(prepared: Prepared, document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each set with a digest over its images and labels; also one of which no image is left."""
    by_set: dict[str, list[str]] = {name: [] for name in prepared.set_names}
    for item in prepared.joined.items:
        entry = f"{item.sample.source_id} {item.sha256} {dump_annotations(item.sample.annotations, item.sample.labels)}"
        if entry not in by_set[item.set_name][-1:]:  # the pieces of an image follow each other
            by_set[item.set_name].append(entry)
    return [
        {"name": name, "images": len(entries), "digest": digest(sorted(entries)), "source": source}
        for (name, entries), source in zip(by_set.items(), document["sources"], strict=True)
    ]
