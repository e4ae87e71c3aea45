"""Which attribute of a region is its class: VIA knows no classes, only attributes that people name as they like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from amp_datasets.errors import SourceError
from amp_datasets.formats.kit.reading import Reading, brief, category_name

_USUAL = ("class", "class_name", "classname", "label", "category", "type", "name", "object", "species")


@dataclass(frozen=True)
class Classes:
    """Tells the class of a region by its attributes: `of` raises ValueError for one that has none."""

    of: Callable[[Any], str]
    attribute: str | None = None


def find_classes(
    regions: Iterable[Any], choices: Iterable[str], asked: str | None, fixed: str | None, reading: Reading, where: str
) -> Classes:
    """How to tell the class of a set's regions; a SourceError where that is not clear, or where nothing tells it.

    `choices` are the attributes for which the files list choices, `asked` is the one that the user names, `fixed` the
    class of all regions that have none.
    """
    listed = frozenset(choices)
    attributes = [a for a in regions if isinstance(a, Mapping)]
    used = Counter(key for values in attributes for key, value in values.items() if value not in ("", None, {}))
    chosen = asked or _chosen(used, listed, reading, where)
    if chosen is None and fixed is None:
        bare = {tuple(values) for values in attributes}
        if attributes and all(len(keys) == 1 and keys[0].casefold() not in _USUAL for keys in bare):
            reading.repair(
                "classes", "class taken from the attribute's name", ", ".join(sorted(k[0] for k in bare))[:80]
            )
            return Classes(_key)
        if attributes:
            raise SourceError(
                "no region here has an attribute that could be its class",
                where=where,
                fix="give the class of all of them by the option `class_name`",
            )
    return Classes(lambda values: _value(values, chosen, fixed), chosen)


def _chosen(used: Mapping[str, int], listed: frozenset[str], reading: Reading, where: str) -> str | None:
    """The only attribute; of several the only one with a list of choices, or that is usually called so; None if none.

    Without any region it is the only one that has choices.
    """
    if len(used) <= 1:
        return next(iter(used or (listed if len(listed) == 1 else ())), None)
    for fitting in ([key for key in used if key in listed], [key for key in used if key.casefold() in _USUAL]):
        if len(fitting) == 1:
            others = ", ".join(sorted(key for key in used if key != fitting[0]))
            detail = f"`{fitting[0]}`, not {others}"[:120]
            reading.repair("classes", "class taken from one of several attributes", detail)
            return fitting[0]
    raise SourceError(
        f"the regions have several attributes, any of which may be the class: {', '.join(sorted(used))[:200]}",
        where=where,
        fix="name it by the option `attribute`",
    )


def _key(values: Any) -> str:
    if not isinstance(values, Mapping) or len(values) != 1:
        raise ValueError("the region has no attribute that is its class")
    return category_name(next(iter(values)))


def _value(values: Any, chosen: str | None, fixed: str | None) -> str:
    value = values.get(chosen) if isinstance(values, Mapping) and chosen is not None else None
    if isinstance(value, Mapping):  # of checkboxes: those that are ticked
        ticked = [key for key, state in value.items() if state]
        if len(ticked) > 1:
            raise ValueError(f"it has several classes: {brief(ticked)}")
        value = ticked[0] if ticked else None
    if value is None or value == "":
        if fixed is None:
            raise ValueError(f"it has no `{chosen}`, which is its class")
        value = fixed
    return category_name(value)
