"""What lies around the images of a build: every label format, the ledger, the manifest as run, the card, the lock."""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from amp_datasets.building.cards.card import SHEET, card_text
from amp_datasets.building.cards.sheet import IMAGES, write_sheet
from amp_datasets.building.choosing.prepared import Prepared
from amp_datasets.building.choosing.task import Task
from amp_datasets.building.engines.labels import Facts, LabelJob, LabelParts
from amp_datasets.building.report import BuildReport
from amp_datasets.errors import BuildError
from amp_datasets.images.opening import image_changed
from amp_datasets.ledger.lock import lock_document, seal
from amp_datasets.ledger.samples import ShardSamples
from amp_datasets.ledger.schema import LEDGER_FILE, MANIFEST_FILE, write_ledger
from amp_datasets.manifest.dump import manifest_document, manifest_text
from amp_datasets.model import LabelSet
from amp_datasets.progress import Progress, silent
from amp_datasets.rows.schema import dump_annotations
from amp_datasets.storage.folder import read_image_file
from amp_datasets.variants.recipe import digest

SOURCES = "sources"
"""The folder of a lazy set that holds the untouched sources."""


@dataclass(frozen=True, slots=True)
class Laid:
    """What was laid around the images: facts about the labels, and the digests of files that are known already."""

    facts: Facts
    digests: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Layout:
    """A build whose images are made, in the folder `tree`: what is laid around them, and the lock that seals it."""

    prepared: Prepared
    shards: Sequence[Path]
    """Where the rows are, as Arrow files in order."""
    tree: Path
    report: BuildReport
    jobs: int

    def lay_out(self, progress: Progress = silent) -> Laid:
        """Write every label format around the images, and the ledger."""
        self._refuse_nothing()
        parts = self._label_parts(self.prepared.manifest.exports)
        exports = [name for name in self.prepared.manifest.exports if self._holds(name, parts.facts)]
        samples = ShardSamples(self.shards, self.tree / "images")
        whole = LabelSet(self.prepared.joined.categories, samples, name=self.prepared.manifest.name)
        with tempfile.TemporaryDirectory(dir=self.tree.parent, prefix="pieces-") as pieces:
            say = functools.partial(progress, "writing labels")
            written = parts.write(exports, whole, Path(pieces), say)
        self.report.lost_in_exports |= {name: dict(lost) for name, lost in written.losses.items() if lost}
        for split in (self.tree / "images").iterdir():
            if not any(split.iterdir()):
                split.rmdir()
        write_ledger(self.tree / LEDGER_FILE, self.shards)
        return Laid(parts.facts, written.digests)

    def lay_out_lazy(self, todo: Sequence[Task]) -> Laid:
        """Write the sources in place of images, and the ledger with their places."""
        self._refuse_nothing()
        shutil.rmtree(self.tree / "images")
        (self.tree / SOURCES).mkdir()
        places: dict[str, str] = {}
        for task in todo:
            name = f"{SOURCES}/{task.stem}{task.suffix}"
            data = read_image_file(task.file, self.prepared.recipe.max_bytes)
            if hashlib.sha256(data).hexdigest() != task.sha256:
                raise image_changed(task.file)
            (self.tree / name).write_bytes(data)
            places[task.source_id] = json.dumps([name, None])
        write_ledger(self.tree / LEDGER_FILE, self.shards, places)
        return Laid(self._label_parts(()).facts)

    def seal(self, laid: Laid, *, lazy: bool) -> None:
        """Write the manifest as run, the card, and last the lock, which seals every file."""
        manifest = self.prepared.manifest
        document = manifest_document(manifest, self.tree.parent.parent / Path(self.report.out).name)
        (self.tree / MANIFEST_FILE).write_text(manifest_text(document), encoding="utf-8")
        lock = lock_of(self.prepared, document, lazy=lazy)
        categories = self.prepared.joined.categories
        if not lazy:
            samples = ShardSamples(self.shards, self.tree / "images").spread(IMAGES)
            write_sheet(LabelSet(categories, samples, name=manifest.name), self.tree / SHEET)
        there = {path.name for path in self.tree.iterdir()} | {SHEET for _ in self.tree.glob(SHEET)}
        text = card_text(categories, laid.facts, manifest, self.report, lock, there)
        (self.tree / "README.md").write_text(text, encoding="utf-8")
        seal(self.tree, lock, laid.digests)

    def _label_parts(self, exports: Sequence[str]) -> LabelParts:
        prepared = self.prepared
        job = LabelJob(
            prepared.manifest.name, tuple(prepared.joined.categories), self.tree, tuple(prepared.recipe.plugin_dirs)
        )
        return LabelParts(job, exports, self.shards, self.jobs)

    def _holds(self, name: str, facts: Facts) -> bool:
        """Whether a format can hold labels such as these; if not, the report says so."""
        if not facts.classifies or "image label" in self.prepared.registry.exporter(name).holds:
            return True
        self.report.notes.append(f"{name} is left out: it holds labels of objects, and these are of whole images")
        return False

    def _refuse_nothing(self) -> None:
        """A build without an image is an error; there is nothing in the tree that another run could use."""
        report = self.report
        if report.originals + report.variants == 0:
            shutil.rmtree(self.tree)
            lost = (*report.refused_variants, *report.dropped)
            reasons = [f"{loss.count} x {loss.reason} ({loss.examples[0]})" for loss in lost]
            raise BuildError("not one image could be made", where=report.out, fix=f"see why: {'; '.join(reasons)}")


def lock_of(prepared: Prepared, document: Mapping[str, Any], *, lazy: bool) -> dict[str, Any]:
    """What a set was made with and what was lost on reading; `document` is the manifest as run."""
    lock = lock_document(prepared.recipe, prepared.registry, document, _locked_sources(prepared, document))
    lock["categories"] = [asdict(category) for category in prepared.joined.categories]
    lock["lazy"] = lazy
    lock["lost_on_reading"] = [asdict(item) for item in prepared.joined.dropped]
    return lock


def _locked_sources(prepared: Prepared, document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each set with a digest over its images and labels; also one of which no image is left."""
    by_set: dict[str, list[str]] = {name: [] for name in prepared.joined.set_names}
    for item in prepared.joined.items:
        entry = f"{item.sample.source_id} {item.sha256} {dump_annotations(item.sample.annotations, item.sample.labels)}"
        if entry not in by_set[item.set_name][-1:]:  # the pieces of an image follow each other
            by_set[item.set_name].append(entry)
    said = [{"provenance": text} if text else {} for text in prepared.provenance]
    return [
        {"name": name, "images": len(entries), "digest": digest(sorted(entries)), "source": source, **more}
        for (name, entries), source, more in zip(by_set.items(), document["sources"], said, strict=True)
    ]
