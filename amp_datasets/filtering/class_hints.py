"""What a class's name says of filters that would make it wrong: text must not be mirrored, `red` not turned green."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

Meaning = Literal["direction", "colour"]
"""What a filter can spoil: which way things point or read, and their colour."""

_DIRECTION = re.compile(
    r"\b(arrows?|chars?|characters?|digits?|letters?|numbers?|texts?|words?|numerals?|clockwise|up|down)\b"
    r"|^[0-9]{1,2}$|^[A-Za-z]$|[\u2190-\u21ff]"
)
_COLOUR = re.compile(
    r"\b(red|green|blue|yellow|orange|purple|violet|pink|brown|black|white|gr[ae]y|cyan|magenta|colou?r(ed)?)\b"
)


def meanings(name: str) -> frozenset[Meaning]:
    """What a class's name speaks of, as far as words tell."""
    words = re.sub(r"([a-z])([A-Z])", r"\1 \2", name).replace("_", " ").replace("-", " ").lower()
    found: dict[Meaning, re.Pattern[str]] = {"direction": _DIRECTION, "colour": _COLOUR}
    return frozenset(meaning for meaning, pattern in found.items() if pattern.search(words))


def warnings(names: Iterable[str], filters: Iterable[tuple[str, frozenset[Meaning]]]) -> list[str]:
    """One line for each filter (name, what it spoils) that changes what some of the classes mean."""
    spoken = {name: meanings(name) for name in names}
    lines = []
    for filter_name, spoils in filters:
        hit = [name for name, said in spoken.items() if said & spoils]
        if hit:
            listed = ", ".join(hit[:5]) + (" ..." if len(hit) > 5 else "")
            lines.append(f"`{filter_name}` may change what these classes mean: {listed}")
    return lines
