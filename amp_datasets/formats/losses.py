"""What was set aside or repaired, counted by reason with the first few examples."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from amp_datasets.model import Dropped, Repair

_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Loss:
    """Things lost for one reason: how many, and the first few of them."""

    reason: str
    count: int
    examples: tuple[str, ...]


def losses(items: Iterable[Dropped | Repair]) -> list[Loss]:
    """Things grouped by reason, the most frequent first."""
    groups: dict[str, list[str]] = {}
    for item in items:
        reason = item.reason if isinstance(item, Dropped) else item.rule
        groups.setdefault(reason, []).append(f"{item.id}: {item.detail}" if item.detail else item.id)
    ordered = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
    return [Loss(reason, len(ids), tuple(ids[:_EXAMPLES])) for reason, ids in ordered]
