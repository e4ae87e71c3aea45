"""What is open in the studio: the manifest, its sets as they were read, and what a build would make of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from amp_datasets.audit.api import audit
from amp_datasets.audit.rules import Finding
from amp_datasets.building.choosing.prepared import Prepared
from amp_datasets.building.forecast import expect, forecast
from amp_datasets.building.inputs import Order
from amp_datasets.building.prepare import Read, choose, put_together
from amp_datasets.building.report import BuildReport
from amp_datasets.errors import AmpError, SourceError, said
from amp_datasets.formats.base import Detection
from amp_datasets.manifest.load import validate
from amp_datasets.manifest.model import Manifest, SourceSettings
from amp_datasets.manifest.resolve import recipe_for
from amp_datasets.model import LabelSet
from amp_datasets.plugin.registry import Registry
from amp_datasets.progress import told_to
from amp_datasets.sources.open import read_source
from amp_datasets.storage.yaml import YamlFile
from amp_datasets.studio.document import Document, problems_of

_JOINED_BY = {
    "sources", "classes", "unknown_classes", "unlabelled", "duplicates", "near_duplicates", "group_by", "splits",
    "seed", "labels", "limits",
}  # fmt: skip
"""What of a manifest decides how its sets are read and joined; the rest decides what is made of them."""


class NotReady(AmpError):  # noqa: N818 - no error: the sets are still being read
    """Nothing can be shown yet."""


@dataclass(frozen=True, slots=True)
class ReadSet:
    """A source as it was read: its labels, and as what and why."""

    labels: LabelSet
    detection: Detection


@dataclass(slots=True)
class Reading:
    """How far the sets of the manifest are: empty, reading, ready or problem."""

    state: str = "empty"
    what: str = ""
    done: int = 0
    total: int = 0
    problems: list[dict[str, Any]] = field(default_factory=list)


class Session:
    """One manifest and all that belongs to it. Sets are read beside, the newest wish first; everything else waits.

    `generation` changes whenever the images do, so that an address with it never shows another image.
    """

    def __init__(self, document: Document, registry: Registry, plugin_dirs: Sequence[Path] = ()) -> None:
        self.document = document
        self.registry = registry
        self.plugin_dirs = tuple(plugin_dirs)
        self.reading = Reading()
        self.generation = 0
        self.findings: list[Finding] | None = None
        self._sets: dict[str, ReadSet] = {}
        self._found: dict[str, list[Finding]] = {}
        self._whole: Prepared | None = None
        self._chosen: tuple[str, Prepared] | None = None
        self._key = ""
        self._wake = threading.Condition()
        self._wanted: Manifest | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._read_on, name="amp studio reader", daemon=True)
        self._thread.start()
        self.changed()

    def close(self) -> None:
        """Stop reading."""
        with self._wake:
            self._closed = True
            self._wake.notify_all()

    def changed(self) -> None:
        """The manifest is another: read what it names, if that is another too."""
        try:
            manifest = self.document.manifest
        except AmpError as error:
            self.reading = Reading("problem", problems=problems_of(error))
            return
        with self._wake:
            if _joined_by(manifest) != self._key or self.reading.state == "problem":
                self._key = _joined_by(manifest)
                self._wanted = manifest
                self._whole, self._chosen, self.findings = None, None, None
                self.generation += 1
                self.reading = Reading("reading" if manifest.sources else "empty")
                self._wake.notify_all()

    def wait(self, seconds: float = 600) -> None:
        """Until nothing is being read any more, findings included; for tests and scripts."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            done = self.reading.state != "reading" and self._wanted is None
            if done and (self.reading.state != "ready" or self.findings is not None):
                return
            time.sleep(0.02)
        raise TimeoutError

    def whole(self) -> Prepared:
        """All images of the sets, joined, before the manifest's preprocessing. Raises NotReady."""
        if self._whole is None:
            raise NotReady("the sets are not read yet", fix="wait, or look at the sources")
        return self._whole

    def chosen(self) -> Prepared:
        """What the manifest makes, as a build has it before it begins. Raises AmpError."""
        text, whole = self.document.text, self.whole()
        if self._chosen is None or self._chosen[0] != text:
            self._chosen = (text, self._of(whole, self.document.manifest))
        return self._chosen[1]

    def trial(self, kind: str, name: str, value: Any) -> Prepared:
        """As `chosen`, with one filter or mix as it may not be in the manifest yet. Raises ManifestError."""
        document = dict(self.document.value)
        document[kind] = {**self.document.named(kind), name: value}
        manifest = validate(document, self.registry, YamlFile(Path(name), document, {}))
        chosen = self.chosen()
        manifest = manifest.model_copy(update={"splits": chosen.manifest.splits, "sources": chosen.manifest.sources})
        recipe = recipe_for(manifest, chosen.joined.categories, self.plugin_dirs)
        return replace(chosen, manifest=manifest, recipe=recipe)

    def counts(self) -> BuildReport:
        """What a build would make, counted. Raises AmpError."""
        prepared = self.chosen()
        if not prepared.manifest.variants() and not prepared.manifest.originals:
            raise SourceError("there is nothing to make", fix="choose filters, or keep the originals")
        return expect(forecast(prepared, Path("build")), prepared)

    def sources(self) -> list[dict[str, Any]]:
        """Each source of the manifest as it was read, as far as it was."""
        try:
            named = self.document.manifest.sources
        except AmpError:
            return []
        return [_described(source, self._sets.get(_name(source))) for source in named]

    def _of(self, whole: Prepared, manifest: Manifest) -> Prepared:
        settled = manifest.model_copy(update={"splits": whole.manifest.splits})
        return choose(whole, settled, self.plugin_dirs, self.document.path)

    def _read_on(self) -> None:
        while True:
            with self._wake:
                while self._wanted is None and not self._closed:
                    self._wake.wait()
                if self._closed:
                    return
                manifest, self._wanted = self._wanted, None
            if manifest is None:
                continue
            try:
                self._read(manifest)
            except AmpError as error:
                self._fail(manifest, problems_of(error))
            except Exception as error:  # the page shows it; the reader must live on
                self._fail(manifest, [{"what": said(error), "where": None, "fix": None}])

    def _fail(self, manifest: Manifest, problems: list[dict[str, Any]]) -> None:
        if self._is_wanted(manifest):
            self.reading = Reading("problem", problems=problems)

    def _is_wanted(self, manifest: Manifest) -> bool:
        return not self._closed and _joined_by(manifest) == self._key

    def _read(self, manifest: Manifest) -> None:
        if not manifest.sources:
            return
        limits = manifest.limits.as_limits()
        for number, source in enumerate(manifest.sources):
            self._say(manifest, "reading the sets", number, len(manifest.sources))
            if _name(source) not in self._sets:
                labels, detection = read_source(source, self.registry, limits)
                self._sets[_name(source)] = ReadSet(labels, detection)
        total = sum(len(self._sets[_name(source)].labels.samples) for source in manifest.sources)
        self._say(manifest, "looking at every image", 0, total)
        read = [self._sets[_name(source)] for source in manifest.sources]
        order = Order(manifest, plugin_dirs=self.plugin_dirs)
        sets = [(each.labels, each.detection) for each in read]
        with told_to(lambda what, done, total: self._say(manifest, what, done, total)):
            whole = put_together(Read(order, manifest, self.registry, self.document.path, sets))
        if not self._is_wanted(manifest):
            return
        self._whole = whole
        self.reading = Reading("ready")
        found = [finding for source, name in zip(manifest.sources, whole.joined.set_names, strict=True)
                 for finding in self._findings_of(source, name)]  # fmt: skip
        if self._is_wanted(manifest):
            self.findings = found

    def _findings_of(self, source: SourceSettings, set_name: str) -> list[Finding]:
        name = _name(source)
        if name not in self._found:
            self._found[name] = audit(self._sets[name].labels)
        return [replace(finding, file=f"{set_name}/{finding.file}") for finding in self._found[name]]

    def _say(self, manifest: Manifest, what: str, done: int, total: int) -> None:
        if self._is_wanted(manifest):
            self.reading = Reading("reading", what, done, total)


def _joined_by(manifest: Manifest) -> str:
    return manifest.model_dump_json(include=_JOINED_BY)


def _name(source: SourceSettings) -> str:
    return source.model_dump_json(exclude={"classes"})


def _described(source: SourceSettings, read: ReadSet | None) -> dict[str, Any]:
    told: dict[str, Any] = {"path": source.path}
    if read is None:
        return told
    samples = read.labels.samples
    return {
        **told,
        "reason": str(read.detection.reason),
        "images": len(samples),
        "labels": sum(len(sample.annotations) + len(sample.labels) for sample in samples),
        "classes": [category.name for category in read.labels.categories],
        "dropped": len(read.labels.dropped),
    }
