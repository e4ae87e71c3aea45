"""Where readers count what they lose and repair."""

from __future__ import annotations

from typing import Protocol


class Report(Protocol):
    """Where losses and repairs are counted."""

    def drop(self, name: str, reason: str, detail: str = "") -> None:
        """Count something that is set aside."""

    def repair(self, name: str, rule: str, detail: str = "") -> None:
        """Count a mistake that was repaired."""
