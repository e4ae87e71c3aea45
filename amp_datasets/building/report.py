"""What a build or export did, counted: for people, and as JSON."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amp_datasets.audit.strength import RULES_OF_STRENGTH
from amp_datasets.formats.losses import Loss, losses
from amp_datasets.ledger.schema import MADE, shard_batches
from amp_datasets.model import SPLITS, Dropped
from amp_datasets.shown import amount, as_html, html_table
from amp_datasets.variants.recipe import ORIGINAL

if TYPE_CHECKING:
    from amp_datasets.building.choosing.task import Task

_COUNTED_COLUMNS = (
    "status", "source_id", "variant", "reason", "detail", "split", "spec", "labels_out", "labels_partial",
    "labels_estimated", "labels_dropped",
)  # fmt: skip


@dataclass(slots=True)
class BuildReport:
    """Numbers of a build. `sources` counts images that went in, `dropped` those that did not come out, with reasons.

    `too_strong` counts variants that a person would call broken, by the rule of `amp check` (AMP601, AMP602).
    `unusable_labels` are single labels that were set aside on reading, `dropped_labels` those that filters took away,
    `estimated_labels` turned boxes of objects whose outline is not known. `converted` counts what of images is not
    carried over: depth, transparency, colour spaces, profiles, frames.
    """

    out: str
    sources: int = 0
    originals: int = 0
    variants: int = 0
    labels: int = 0
    partial_labels: int = 0
    estimated_labels: int = 0
    reused: int = 0
    seconds: float = 0.0
    splits: dict[str, int] = field(default_factory=dict)
    dropped: list[Loss] = field(default_factory=list)
    unusable_labels: list[Loss] = field(default_factory=list)
    repairs: list[Loss] = field(default_factory=list)
    converted: list[Loss] = field(default_factory=list)
    refused_variants: list[Loss] = field(default_factory=list)
    too_strong: list[Loss] = field(default_factory=list)
    dropped_labels: dict[str, int] = field(default_factory=dict)
    lost_in_exports: dict[str, dict[str, int]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    formats: dict[str, str] = field(default_factory=dict)
    classes: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict)
    """Of a build that was only planned: split -> class -> how many labels, and images that show it."""

    def to_json(self) -> dict[str, Any]:
        """All numbers as one JSON document."""
        return asdict(self)

    def as_text(self) -> list[str]:
        """The lines that a person reads after a build."""
        split_text = ", ".join(f"{n} {split}" for split, n in self.splits.items())
        rate = f", {self.variants / self.seconds:.0f} variants a second" if self.seconds > 0 else ""
        lines = [
            f"{amount(self.originals + self.variants, 'image')} ({split_text}), {amount(self.labels, 'label')}"
            f" from {amount(self.sources, 'source image')} in {self.seconds:.1f} s{rate}",
        ]
        for split, counts in self.classes.items():
            listed = ", ".join(f"{name} {n['labels']} ({amount(n['images'], 'image')})" for name, n in counts.items())
            lines.append(f"labels in {split}: {listed}")
        if self.reused:
            lines.append(f"reused, as there already: {amount(self.reused, 'image')}")
        lines += _section("images set aside", self.dropped)
        lines += _section("labels set aside", self.unusable_labels)
        lines += _section("variants not made", self.refused_variants)
        lines += _section("warning, variants are made but too strong", self.too_strong)
        lines += _section("repaired on reading", self.repairs)
        lines += _section("not carried over", self.converted)
        if self.dropped_labels:
            counted = ", ".join(f"{n} {reason}" for reason, n in self.dropped_labels.items())
            lines.append(f"labels that filters took away: {counted}")
        lines.append(self.certainty())
        if self.partial_labels:
            lines.append(self.cut())
        for name, lost in self.lost_in_exports.items():
            lines.append(f"{name} cannot hold: {', '.join(f'{n} x {feature}' for feature, n in lost.items())}")
        return lines + [f"note: {note}" for note in self.notes]

    def _repr_html_(self) -> str:
        """What a notebook shows: images by split, labels by class where they were counted, and all that was lost."""
        first, *more = self.as_text()
        table = html_table(["split", "images"], self.splits.items(), first)
        lines = "".join(f"<li>{as_html(line.strip())}</li>" for line in more)
        return f"{table}<ul>{lines}</ul>"

    def certainty(self) -> str:
        """How many labels are exact, as far as those that went in are."""
        exact = self.labels - self.estimated_labels
        if not self.estimated_labels:
            return f"exact: {'all ' if exact != 1 else ''}{amount(exact, 'label')}, moved with outlines, or not turned"
        return (
            f"exact: {amount(exact, 'label')}; estimated: {self.estimated_labels},"
            " turned boxes of objects whose outline is not known"
        )

    def cut(self) -> str:
        """How many of the labels are of objects of which the frame leaves less than `min_visibility`."""
        return (
            f"of them on cut objects, in a crowd or by a fixed setting: {amount(self.partial_labels, 'label')}, each"
            " around what is left"
        )

    def count(self, todo: Iterable[Task], shards: Iterable[Path]) -> None:
        """Count what was reused, and a ledger's rows; one without a variant is of a source that is no image."""
        self.reused = sum(len(rows) for task in todo for rows in task.ready.values())
        rows = (row for batch in shard_batches(shards, _COUNTED_COLUMNS) for row in batch.to_pylist())
        refused: list[Dropped] = []
        strong: list[Dropped] = []
        broken: list[Dropped] = []
        labels: Counter[str] = Counter()
        splits: Counter[str] = Counter()
        for row in rows:
            if row["status"] != MADE:
                lost = Dropped(f"{row['source_id']} {row['variant']}".strip(), row["reason"], row["detail"])
                (refused if row["variant"] else broken).append(lost)
                continue
            strong += _too_strong(row)
            splits[row["split"]] += 1
            self.originals += row["spec"] == ORIGINAL
            self.variants += row["spec"] != ORIGINAL
            self.labels += row["labels_out"]
            self.partial_labels += row["labels_partial"]
            self.estimated_labels += row["labels_estimated"]
            labels.update(json.loads(row["labels_dropped"] or "{}"))
        self.splits = {split: splits[split] for split in SPLITS if splits[split]}
        self.dropped_labels, self.refused_variants = dict(labels), losses(refused)
        self.too_strong = losses(strong)
        self.sources -= len(broken)
        self.dropped += losses(broken)


def _too_strong(row: Mapping[str, Any]) -> Iterator[Dropped]:
    """What a variant's row says of its strength, by rule."""
    if row["spec"] != ORIGINAL and row["detail"]:
        for reason, rule in RULES_OF_STRENGTH.items():
            if reason in row["detail"]:
                yield Dropped(f"{row['source_id']} {row['variant']}", f"{reason} ({rule})", row["detail"])


def is_label(item: Dropped) -> bool:
    """Whether a single label was lost: its id is that of its image or file and a number."""
    return re.search(r"#\d+$", item.id) is not None


def _section(title: str, found: list[Loss]) -> list[str]:
    lines = []
    for loss in found:
        lines.append(f"{title}: {loss.count} x {loss.reason}")
        lines += [f"    {example}" for example in loss.examples]
        if loss.count > len(loss.examples):
            lines.append(f"    ... and {loss.count - len(loss.examples)} more (see the ledger)")
    return lines
