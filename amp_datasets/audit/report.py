"""What an audit found, counted: for people, and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from amp_datasets.audit.rules import RULES, SEVERITIES, Finding
from amp_datasets.model import Category, Sample

_SHOWN = 5
_UNSPLIT = "not split"


@dataclass(slots=True)
class AuditReport:
    """What a set holds and what is wrong with it. `formats` says of each source how it was read, and why."""

    path: str
    formats: dict[str, str] = field(default_factory=dict)
    states: dict[str, int] = field(default_factory=dict)
    classes: dict[str, int] = field(default_factory=dict)
    splits: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether there is anything worse than a note."""
        return any(each.severity != "note" for each in self.findings)

    def to_json(self) -> dict[str, Any]:
        """The whole report as one JSON document."""
        return {
            "path": self.path,
            "formats": self.formats,
            "states": self.states,
            "classes": self.classes,
            "splits": self.splits,
            "failed": self.failed,
            "findings": [each.to_json() for each in self.findings],
        }

    def as_text(self, verbose: bool = False) -> list[str]:
        """The lines that a person reads: what is there, findings by rule with the first files of each, and a summary.

        With `verbose` also how each source was recognised, and every file.
        """
        lines = [f"{path}: {reason}" for path, reason in self.formats.items()] if verbose else []
        lines += [
            f"images: {_counts(self.states)}; {_counts(self.splits)}",
            f"labels: {_counts(self.classes)}",
        ]
        groups: dict[tuple[str, str], list[Finding]] = {}
        for each in self.findings:
            groups.setdefault((each.rule, each.severity), []).append(each)
        for (rule, severity), found in groups.items():
            lines.append(f"{severity} {rule}: {len(found)} x {RULES[rule].title}")
            shown = found if verbose else found[:_SHOWN]
            lines += [f"    {each.file}{'' if each.what == RULES[rule].title else f': {each.what}'}" for each in shown]
            if len(found) > len(shown):
                lines.append(f"    ... and {len(found) - len(shown)} more (-v shows all)")
            lines += [f"    fix: {fix}" for fix in dict.fromkeys(each.fix for each in found)]
        return [*lines, _summary(self)]

    def count(self, categories: Iterable[Category], samples: Iterable[Sample]) -> None:
        """Add images by state and split, and labels by class."""
        states, splits = Counter(self.states), Counter(self.splits)
        classes = Counter({category.name: 0 for category in categories})
        for sample in samples:
            states["unlabelled" if not sample.labelled else "labelled" if sample.categories else "empty"] += 1
            splits[sample.split or _UNSPLIT] += 1
            classes.update(annotation.category for annotation in sample.annotations)
            classes.update(sample.labels)
        self.states, self.splits, self.classes = dict(states), dict(splits), dict(classes)


def _summary(report: AuditReport) -> str:
    number = Counter(each.severity for each in report.findings)
    total = sum(report.states.values())
    counted = [f"{number[s]} {s}{'' if number[s] == 1 else 's'}" for s in SEVERITIES if number[s]]
    return f"{total} images, {sum(report.classes.values())} labels: {', '.join(counted) or 'nothing to complain of'}"


def _counts(numbers: dict[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in numbers.items()) or "none"
