"""What lies around the images of a build: every label format, the ledger, the manifest as run, the card, the lock."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset

from amp_datasets.building.card import card_text
from amp_datasets.building.choosing.prepared import Prepared
from amp_datasets.building.choosing.task import Task
from amp_datasets.building.report import BuildReport
from amp_datasets.errors import BuildError
from amp_datasets.ledger.lock import lock_document, seal
from amp_datasets.ledger.samples import built_samples
from amp_datasets.ledger.schema import LEDGER_FILE, MANIFEST_FILE
from amp_datasets.manifest.dump import manifest_document, manifest_text
from amp_datasets.model import LabelSet, classifies
from amp_datasets.progress import Progress
from amp_datasets.rows.schema import dump_annotations
from amp_datasets.storage.folder import read_image_file
from amp_datasets.variants.recipe import digest

SOURCES = "sources"
"""The folder of a lazy set that holds the untouched sources."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A build whose images are made, in the folder `tree`: what is laid around them, and the lock that seals it."""

    prepared: Prepared
    rows: Dataset
    tree: Path
    report: BuildReport

    def lay_out(self, progress: Progress) -> LabelSet:
        """Write every label format around the images, and the ledger; the labels are returned."""
        self._refuse_nothing()
        labels = self._labels()
        exports = self.prepared.manifest.exports
        for number, name in enumerate(exports):
            progress("writing labels", number, len(exports))
            self._export(name, labels)
        for split in (self.tree / "images").iterdir():
            if not any(split.iterdir()):
                split.rmdir()
        self.rows.to_parquet(str(self.tree / LEDGER_FILE))
        return labels

    def lay_out_lazy(self, todo: Sequence[Task]) -> LabelSet:
        """Write the sources in place of images, and the ledger with their places; the labels are returned."""
        self._refuse_nothing()
        shutil.rmtree(self.tree / "images")
        (self.tree / SOURCES).mkdir()
        places: dict[str, str] = {}
        for task in todo:
            name = f"{SOURCES}/{task.stem}{task.suffix}"
            (self.tree / name).write_bytes(read_image_file(task.file, self.prepared.recipe.max_bytes))
            places[task.source_id] = json.dumps([name, None])
        located = self.rows.add_column("source_file", [places[source_id] for source_id in self.rows["source_id"]])
        located.to_parquet(str(self.tree / LEDGER_FILE))
        return self._labels()

    def seal(self, labels: LabelSet, *, lazy: bool) -> None:
        """Write the manifest as run, the card, and last the lock, which seals every file."""
        manifest = self.prepared.manifest
        document = manifest_document(manifest, self.tree.parent.parent / Path(self.report.out).name)
        (self.tree / MANIFEST_FILE).write_text(manifest_text(document), encoding="utf-8")
        lock = lock_of(self.prepared, document, lazy=lazy)
        (self.tree / "README.md").write_text(card_text(labels, manifest, self.report, lock), encoding="utf-8")
        seal(self.tree, lock)

    def _labels(self) -> LabelSet:
        samples = built_samples(self.rows, self.tree / "images")
        return LabelSet(self.prepared.joined.categories, samples, name=self.prepared.manifest.name)

    def _refuse_nothing(self) -> None:
        """A build without an image is an error; there is nothing in the tree that another run could use."""
        report = self.report
        if report.originals + report.variants == 0:
            shutil.rmtree(self.tree)
            lost = (*report.refused_variants, *report.dropped)
            reasons = [f"{loss.count} x {loss.reason} ({loss.examples[0]})" for loss in lost]
            raise BuildError("not one image could be made", where=report.out, fix=f"see why: {'; '.join(reasons)}")

    def _export(self, name: str, labels: LabelSet) -> None:
        plugin = self.prepared.registry.exporter(name)
        if "image label" not in plugin.holds and classifies(labels.samples):
            self.report.notes.append(f"{name} is left out: it holds labels of objects, and these are of whole images")
            return
        exporter = plugin(self.tree, plugin.options_type(), lambda _sample, _target: None)
        exporter.write(labels)
        lost = exporter.losses(labels.samples)
        if lost:
            self.report.lost_in_exports[name] = dict(lost)


def lock_of(prepared: Prepared, document: Mapping[str, Any], *, lazy: bool) -> dict[str, Any]:
    """What a set was made with and what was lost on reading; `document` is the manifest as run."""
    lock = lock_document(prepared.recipe, prepared.registry, document, _locked_sources(prepared, document))
    lock["categories"] = [asdict(category) for category in prepared.joined.categories]
    lock["lazy"] = lazy
    lock["lost_on_reading"] = [asdict(item) for item in prepared.joined.dropped]
    return lock


def _locked_sources(prepared: Prepared, document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each set with a digest over its images and labels; also one of which no image is left."""
    by_set: dict[str, list[str]] = {name: [] for name in prepared.set_names}
    for item in prepared.joined.items:
        entry = f"{item.sample.source_id} {item.sha256} {dump_annotations(item.sample.annotations, item.sample.labels)}"
        if entry not in by_set[item.set_name][-1:]:  # the pieces of an image follow each other
            by_set[item.set_name].append(entry)
    said = [{"provenance": text} if text else {} for text in prepared.provenance]
    return [
        {"name": name, "images": len(entries), "digest": digest(sorted(entries)), "source": source, **more}
        for (name, entries), source, more in zip(by_set.items(), document["sources"], said, strict=True)
    ]
