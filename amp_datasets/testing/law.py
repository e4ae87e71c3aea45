"""A law of the contract, bound to one plugin, and what is raised where it does not hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np


class BrokenLawError(AssertionError):
    """A plugin does not keep a law of its contract; the message says which, with what settings, and what was seen."""


@dataclass(frozen=True)
class Law:
    """One law over one example of a plugin; call it to check it. `str` is a name for test reports."""

    plugin: str
    name: str
    example: str
    check: Callable[[], None]
    text: str = ""

    def __call__(self) -> None:
        """Raises BrokenLawError if the law does not hold."""
        try:
            self.check()
        except BrokenLawError as error:
            given = f" with {self.example}" if self.example else ""
            raise BrokenLawError(f"`{self.plugin}`{given}: {error} ({self.text})") from error

    def __str__(self) -> str:
        return "-".join(part for part in (self.plugin, self.name, self.example) if part)


def run_all(laws: Iterable[Law]) -> int:
    """Check laws one after the other, and return how many there are. Raises BrokenLawError at the first that fails."""
    count = 0
    for law in laws:
        law()
        count += 1
    return count


def must(condition: object, problem: str) -> None:
    """Raise a BrokenLawError with the problem unless the condition holds."""
    if not condition:
        raise BrokenLawError(problem)


def must_equal(one: Any, other: Any, problem: str) -> None:
    """Raise a BrokenLawError unless two arrays are the same to the last bit."""
    must(np.array_equal(np.asarray(one), np.asarray(other)), problem)
