"""One setting of Roboflow's, looked at with care, and what all of them together become."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Step = dict[str, dict[str, Any]]
"""A filter's name and its settings, as a manifest has them."""
BLACK, WHITE, GREY = [0, 0, 0], [255, 255, 255], [114, 114, 114]


@dataclass
class Translation:
    """The parts of a manifest, what was not taken over and why, and what is good to know of the rest.

    `classes` maps names to their new ones; None leaves a class out.
    """

    preprocess: list[Step] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    versions: int | None = None
    classes: dict[str, str | None] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Given:
    """One setting of Roboflow's, looked at with care: `name` is for messages."""

    def __init__(self, name: str, value: Any, notes: list[str]) -> None:
        self.name = name
        self.value = value
        self._notes = notes

    def number(self, key: str, low: float, high: float, default: float | None = None) -> float:
        """A number, brought into the range that the filter has (which is said)."""
        value = self.value.get(key, default) if isinstance(self.value, Mapping) else self.value
        try:
            number = float(value) if not isinstance(value, bool) else math.nan
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise OddError(f"`{self.name}.{key}` is no number (got {str(value)[:60]!r})")
        if not low <= number <= high:
            self._notes.append(f"{self.name}.{key}: {number:g} is brought into {low:g} .. {high:g}")
        return _plain(min(max(number, low), high))

    def flag(self, key: str) -> bool:
        """Whether something is ticked."""
        return isinstance(self.value, Mapping) and self.value.get(key) in (True, "true", 1)

    def text(self, key: str) -> str:
        """A word, in lower case."""
        return str(self.value.get(key, "") if isinstance(self.value, Mapping) else self.value).lower()


class OddError(ValueError):
    """A value that Roboflow would not give."""


Rule = Callable[[Given, Translation], Iterator[Step]]
"""What a control becomes: steps, or notes."""


def _plain(number: float) -> float:
    """A whole number without its point."""
    return int(number) if number == int(number) else number
