"""The images of the open sets, chosen by class, split, finding and name, for a grid of any length."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from amp_datasets.audit.rules import RULES, SEVERITIES, Finding
from amp_datasets.sources.joining import Item
from amp_datasets.studio.session import Session

_LINES = 200
"""So many findings of one rule are listed."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which images: of a class, of a split, with a finding of a rule, with a text in their names; "" for any."""

    category: str = ""
    split: str = ""
    rule: str = ""
    name: str = ""


class Looking:
    """What the grid asks for; each answer is kept until the images change."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._generation = -1
        self._answers: dict[tuple[Wanted, bool], list[int]] = {}

    def indices(self, wanted: Wanted) -> list[int]:
        """The numbers of the images that are wanted, in the order of the build."""
        if self._generation != self._session.generation:
            self._answers = {}
            self._generation = self._session.generation
        known = self._session.findings is not None
        if (wanted, known) not in self._answers:
            by_file = self.by_file() if wanted.rule else {}
            items = self._session.whole().joined.items
            self._answers[wanted, known] = [n for n, item in enumerate(items) if _fits(item, wanted, by_file)]
        return self._answers[wanted, known]

    def item(self, generation: int, index: int) -> Item | None:
        """An image by its number, unless the numbers mean others by now."""
        items = self._session.whole().joined.items
        return items[index] if generation == self._session.generation and 0 <= index < len(items) else None

    def tile(self, index: int) -> dict[str, Any]:
        """What the grid says of an image."""
        item = self._session.whole().joined.items[index]
        sample = item.sample
        return {
            "index": index,
            "name": sample.source_id,
            "split": sample.split,
            "labels": len(sample.annotations) + len(sample.labels),
        }

    def details(self, index: int) -> dict[str, Any]:
        """An image with its labels and what was found in it."""
        item = self._session.whole().joined.items[index]
        sample = item.sample
        found = self.by_file().get(sample.source_id, [])
        return {
            **self.tile(index),
            "size": list(sample.size),
            "classes": list(sample.labels),
            "objects": [
                {"category": a.category, "xyxy": [round(value, 1) for value in a.xyxy], "crowd": a.iscrowd}
                for a in sample.annotations
            ],
            "findings": [finding.to_json() for finding in found],
        }

    def facets(self) -> dict[str, Any]:
        """What there is to choose from, with the number of images of each."""
        joined = self._session.whole().joined
        classes, splits = Counter[str](), Counter[str]()
        for item in joined.items:
            splits[str(item.sample.split)] += 1
            classes.update(item.sample.categories)
        return {
            "images": len(joined.items),
            "classes": {category.name: classes[category.name] for category in joined.categories},
            "splits": dict(splits),
            "dropped": dict(Counter(dropped.reason for dropped in joined.dropped)),
            "notes": list(joined.notes),
        }

    def findings(self) -> list[dict[str, Any]] | None:
        """All findings by rule, the gravest first; None while they are looked for."""
        found = self._session.findings
        if found is None:
            return None
        groups: dict[str, list[Finding]] = {}
        for finding in found:
            groups.setdefault(finding.rule, []).append(finding)
        ordered = sorted(groups.items(), key=lambda group: (SEVERITIES.index(group[1][0].severity), group[0]))
        return [
            {
                "rule": rule,
                "severity": listed[0].severity,
                "title": RULES[rule].title,
                "fix": listed[0].fix,
                "count": len(listed),
                "files": [{"file": each.file, "what": each.what} for each in listed[:_LINES]],
            }
            for rule, listed in ordered
        ]

    def by_file(self) -> Mapping[str, list[Finding]]:
        """The findings of each image, by its name in the build."""
        found: dict[str, list[Finding]] = {}
        for finding in self._session.findings or ():
            found.setdefault(finding.file.partition("#")[0], []).append(finding)
        return found


def _fits(item: Item, wanted: Wanted, by_file: Mapping[str, list[Finding]]) -> bool:
    sample = item.sample
    if wanted.category and wanted.category not in sample.categories:
        return False
    if wanted.split and wanted.split != str(sample.split):
        return False
    if wanted.name and wanted.name.lower() not in sample.source_id.lower():
        return False
    return not wanted.rule or any(finding.rule == wanted.rule for finding in by_file.get(sample.source_id, ()))
