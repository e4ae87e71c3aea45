"""What an audit found, counted: for people, and as JSON."""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from amp_datasets.audit.rules import RULES, SEVERITIES, Finding
from amp_datasets.model import SPLITS, Category, Sample
from amp_datasets.shown import amount, html_table, plain, shortened

_SHOWN = 5
_IN_A_LINE = 5
"""So many classes are told in one line; more of them are a table."""
_BAR, _LONGEST = 30, 32
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
    by_split: dict[str, dict[str, int]] = field(default_factory=dict)
    """Split -> class -> how many labels."""

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
            "classes_by_split": self.by_split,
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
            *self._labels(),
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

    def _repr_html_(self) -> str:
        """What a notebook shows: labels by class and split, then the findings."""
        splits = self._split_names()
        rows = [[name, *numbers] for name, numbers in self._class_rows()]
        counted = html_table(["class", *splits, "labels"], rows, _summary(self))
        found = Counter((each.severity, each.rule, RULES[each.rule].title, each.fix) for each in self.findings)
        problems = [[severity, rule, number, title, fix] for (severity, rule, title, fix), number in found.items()]
        return counted + (html_table(["", "rule", "times", "what", "to do"], problems) if problems else "")

    def _labels(self) -> list[str]:
        """The labels of a few classes in one line; of more as a table, the commonest first, with bars."""
        if len(self.classes) <= _IN_A_LINE:
            return [f"labels: {_counts(self.classes)}"]
        rows = self._class_rows()
        head = ["class", *self._split_names(), "labels"]
        widths = [max(len(head[n]), *(len(str(numbers[n - 1])) for _, numbers in rows)) for n in range(1, len(head))]
        named = [(shortened(plain(name), _LONGEST), numbers) for name, numbers in rows]
        first = max(len("class"), *(_width(name) for name, _ in named))
        most = max(1, max(self.classes.values()))
        lines = [_line("class", head[1:], first, widths)]
        for name, numbers in named:
            bar = "#" * math.ceil(_BAR * numbers[-1] / most)
            lines.append(f"{_line(name, [str(number) for number in numbers], first, widths)}  {bar}".rstrip())
        return [*lines, f"labels: {sum(self.classes.values())} of {len(self.classes)} classes"]

    def _split_names(self) -> list[str]:
        """The splits in their usual order; none where there is only one."""
        found = [split for split in (*SPLITS, _UNSPLIT) if split in self.splits]
        return found if len(found) > 1 else []

    def _class_rows(self) -> list[tuple[str, list[int]]]:
        """Every class with its labels by split and in all, the commonest first."""
        splits = self._split_names()
        rows = [
            (name, [*(self.by_split.get(split, {}).get(name, 0) for split in splits), number])
            for name, number in self.classes.items()
        ]
        return sorted(rows, key=lambda row: -row[1][-1])

    def count(self, categories: Iterable[Category], samples: Iterable[Sample]) -> None:
        """Add images by state and split, and labels by class."""
        states, splits = Counter(self.states), Counter(self.splits)
        classes = Counter({category.name: 0 for category in categories})
        for sample in samples:
            states["unlabelled" if not sample.labelled else "labelled" if sample.categories else "empty"] += 1
            splits[sample.split or _UNSPLIT] += 1
            names = [*(annotation.category for annotation in sample.annotations), *sample.labels]
            classes.update(names)
            own = self.by_split.setdefault(sample.split or _UNSPLIT, {})
            for name in names:
                own[name] = own.get(name, 0) + 1
        self.states, self.splits, self.classes = dict(states), dict(splits), dict(classes)


def _summary(report: AuditReport) -> str:
    number = Counter(each.severity for each in report.findings)
    total = sum(report.states.values())
    counted = [f"{number[s]} {s}{'' if number[s] == 1 else 's'}" for s in SEVERITIES if number[s]]
    seen = f"{amount(total, 'image')}, {amount(sum(report.classes.values()), 'label')}"
    return f"{seen}: {', '.join(counted) or 'nothing to complain of'}"


def _line(name: str, numbers: Sequence[str], first: int, widths: Sequence[int]) -> str:
    padded = name + " " * (first - _width(name))
    return "  ".join([padded, *(number.rjust(width) for number, width in zip(numbers, widths, strict=True))])


def _width(text: str) -> int:
    """How many columns of a terminal a text takes: letters of East Asian scripts take two, marks none."""
    wide = sum(unicodedata.east_asian_width(letter) in {"W", "F"} for letter in text)
    return len(text) + wide - sum(unicodedata.combining(letter) > 0 for letter in text)


def _counts(numbers: dict[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in numbers.items()) or "none"
