"""Where readers count what they lose and repair: each one, and no more than a set can have."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Protocol

from amp_datasets.errors import SourceError
from amp_datasets.model import Annotation, Dropped, Repair

UNUSED_CLASS = "class without labels kept"
MAX_LABELS = 10_000
"""Of one image: what compares each of its labels with every other takes the square of them."""

MAX_NOTES = 1_000_000
_MAX_DETAILS = 100_000
"""So many losses and repairs are kept with what was special of each."""


class Report(Protocol):
    """Where losses and repairs are counted."""

    def drop(self, name: str, reason: str, detail: str = "") -> None:
        """Count something that is set aside."""

    def repair(self, name: str, rule: str, detail: str = "") -> None:
        """Count a mistake that was repaired."""


def bounded(image: str, annotations: Iterable[Annotation], report: Report) -> list[Annotation] | None:
    """An image's labels as a list; None, and counted, if they are more than an image has."""
    given = list(annotations)
    if len(given) <= MAX_LABELS:
        return given
    report.drop(image, "image has too many labels", f"{len(given)}, more than {MAX_LABELS}")
    return None


def note_loss(found: list[Dropped], loss: Dropped, where: object) -> None:
    """Add a loss; a SourceError if there are more than a set of labels has."""
    if len(found) >= MAX_NOTES:
        what = f"more than {MAX_NOTES} images or labels of this set cannot be used"
        raise SourceError(what, where=where, fix="look at its label files; split it if they are right")
    found.append(loss if len(found) < _MAX_DETAILS else Dropped(loss.id, loss.reason))


def note_repair(found: list[Repair], repair: Repair) -> None:
    """Add a repair; of a great many the later ones of a rule are one object."""
    found.append(repair if len(found) < _MAX_DETAILS else _one_of_many(repair.rule))


@functools.lru_cache(maxsize=100)
def _one_of_many(rule: str) -> Repair:
    return Repair("more", rule)
