"""The label formats of a build, written in parts by all processes: looked at first, then written, then joined."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from amp_datasets.building.engines.spread import spread
from amp_datasets.errors import blaming
from amp_datasets.formats.base import Exporter, Part, PartedExporter
from amp_datasets.ledger.samples import ShardSamples
from amp_datasets.ledger.schema import shard_batches
from amp_datasets.model import Category, LabelSet, Sample
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.plugin.registry import Registry
from amp_datasets.sources.gc_pause import collector_paused

_PART_ROWS = 2000


@dataclass(frozen=True, slots=True)
class LabelJob:
    """What every part of a build's labels has in common: plain data that goes to any process."""

    name: str
    categories: tuple[Category, ...]
    tree: Path
    plugin_dirs: tuple[str, ...] = ()

    def labels(self, samples: Sequence[Sample] = ()) -> LabelSet:
        """Some samples of the build, as a set."""
        return LabelSet(self.categories, samples, name=self.name)

    def exporter(self, name: str) -> Exporter[Any]:
        """An exporter that writes around the images."""
        plugin = _registry(self.plugin_dirs).exporter(name)
        with blaming("exporter", plugin):
            made: Exporter[Any] = plugin(self.tree, plugin.options_type(), lambda _sample, _target: None)
        return made


@dataclass(slots=True)
class Facts:
    """What the labels of a build are: counted by split, and by class and split; and what exporters want to know."""

    images: Counter[str] = field(default_factory=Counter)
    annotations: Counter[str] = field(default_factory=Counter)
    classes: Counter[tuple[str, str]] = field(default_factory=Counter)
    whole: int = 0
    """Images with labels of their own."""
    outlined: int = 0
    pointed: int = 0
    """Objects with polygons or a mask, and with keypoints."""
    surveys: dict[str, Any] = field(default_factory=dict)

    @property
    def classifies(self) -> bool:
        """Whether it is a set for classification: images are labelled as wholes, and there is no object."""
        return bool(self.whole) and not self.annotations.total()

    def add(self, other: Facts) -> None:
        """Count those of another part too."""
        self.images += other.images
        self.annotations += other.annotations
        self.classes += other.classes
        self.whole += other.whole
        self.outlined += other.outlined
        self.pointed += other.pointed


@dataclass(slots=True)
class Written:
    """What was written: digests of whole files by name, and by exporter what it could not hold."""

    digests: dict[str, str] = field(default_factory=dict)
    losses: dict[str, Counter[str]] = field(default_factory=dict)


class LabelParts:
    """The labels of a build in runs of shards; `facts` are known at once, `write` may then be called."""

    def __init__(self, job: LabelJob, exports: Sequence[str], shards: Sequence[Path], jobs: int) -> None:
        registry = _registry(job.plugin_dirs)
        self._job, self._jobs = job, jobs
        self._parted = [name for name in exports if issubclass(registry.exporter(name), PartedExporter)]
        self._runs = list(_runs(shards))
        look = functools.partial(_look, job, self._parted)
        found: dict[int, Facts] = dict(spread(look, self._runs, jobs))
        self._found = [found[number] for number in range(len(self._runs))]
        self.facts = Facts()
        for facts in self._found:
            self.facts.add(facts)

    def write(
        self, exports: Sequence[str], whole: LabelSet, pieces: Path, progress: Callable[[int, int], None]
    ) -> Written:
        """Write some of the exports; those that know no parts take the `whole` set, in this process.

        `pieces` is a new folder, which is not needed any more afterwards.
        """
        parted = [name for name in exports if name in self._parted]
        written = Written(losses={name: Counter() for name in exports})
        parts = self._parts(parted, pieces)
        steps = len(self._runs) + len(exports)
        items = [(run, {name: parts[name][number] for name in parted}) for number, run in enumerate(self._runs)]
        done = 0
        for _, part in spread(functools.partial(_write, self._job), items, self._jobs if parted else 1):
            written.digests |= part.digests
            for name, lost in part.losses.items():
                written.losses[name] += lost
            progress(done := done + 1, steps)
        for name in exports:
            exporter = self._job.exporter(name)
            with blaming("exporter", type(exporter)):
                if isinstance(exporter, PartedExporter):
                    exporter.join_parts(self._job.labels(), parts[name])
                else:
                    exporter.write(whole)
                    written.losses[name] = exporter.losses(whole.samples)
            progress(done := done + 1, steps)
        return written

    def _parts(self, names: Sequence[str], pieces: Path) -> dict[str, list[Part]]:
        """Every exporter's parts, each with a folder of its own and with what comes before it."""
        parts: dict[str, list[Part]] = {name: [] for name in names}
        surveys = {name: tuple({each.surveys[name] for each in self._found}) for name in names}
        images, annotations = Counter[str](), Counter[str]()
        for number, facts in enumerate(self._found):
            for name in names:
                folder = pieces / name / f"{number:06d}"
                folder.mkdir(parents=True)
                known = (Counter(images), Counter(annotations), surveys[name])
                parts[name].append(Part(folder, tuple(facts.images), *known))
            images += facts.images
            annotations += facts.annotations
        return parts


def _runs(shards: Sequence[Path]) -> Iterator[list[Path]]:
    """The shards in runs of about as many rows, in order."""
    run, rows = list[Path](), 0
    for shard in shards:
        run.append(shard)
        rows += sum(batch.num_rows for batch in shard_batches([shard]))
        if rows >= _PART_ROWS:
            yield run
            run, rows = [], 0
    if run:
        yield run


@collector_paused()
def _look(job: LabelJob, exports: Sequence[str], shards: Sequence[Path]) -> Facts:
    facts, samples = Facts(), list(ShardSamples(shards, job.tree / "images"))
    for sample in samples:
        split = str(sample.split)
        facts.images[split] += 1
        facts.annotations[split] += len(sample.annotations)
        facts.classes.update((a.category, split) for a in sample.annotations)
        facts.classes.update((name, split) for name in sample.labels)
        facts.whole += bool(sample.labels)
        facts.outlined += sum(bool(a.polygons) or a.mask is not None for a in sample.annotations)
        facts.pointed += sum(a.keypoints is not None for a in sample.annotations)
    for name in exports:
        exporter = job.exporter(name)
        with blaming("exporter", type(exporter)):
            facts.surveys[name] = exporter.survey(samples) if isinstance(exporter, PartedExporter) else None
    return facts


@collector_paused()
def _write(job: LabelJob, item: tuple[Sequence[Path], Mapping[str, Part]]) -> Written:
    shards, parts = item
    written = Written()
    labels = job.labels(list(ShardSamples(shards, job.tree / "images")) if parts else ())
    for name, part in parts.items():
        exporter = job.exporter(name)
        if isinstance(exporter, PartedExporter):
            with blaming("exporter", type(exporter)):
                written.digests |= exporter.write_part(labels, part)
                written.losses[name] = exporter.losses(labels.samples)
    return written


@functools.lru_cache(maxsize=1)
def _registry(plugin_dirs: tuple[str, ...]) -> Registry:
    return load_registry(tuple(map(Path, plugin_dirs)))
