"""A filter's settings as controls of the page: sliders with their ends and units, choices, switches, colours."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from amp_datasets.building.forecast import rotation_notes
from amp_datasets.errors import AmpError
from amp_datasets.filtering.base import Filter, GeometricFilter, JoiningFilter, PixelFilter
from amp_datasets.filtering.class_hints import meanings
from amp_datasets.filtering.settings import settings_schema
from amp_datasets.plugin.catalogue import kind_of
from amp_datasets.plugin.registry import Registry
from amp_datasets.variants.recipe import Recipe, Step, VariantSpec

_UNITS = {
    "degrees": "°", "slant": "°", "shear": "°", "percent": "%", "translate": "%", "sigma": "px", "length": "px",
    "size": "px", "x": "%", "y": "%",
}  # fmt: skip
_WIDER = 3.0
"""A slider reaches so many times as far as the examples go, where the setting's own end is much farther."""
_NUMBERS = {"number", "integer"}
_MOST_NAMES = 5


def filter_list(registry: Registry) -> list[dict[str, Any]]:
    """Every filter with what it is about, its controls and an example."""
    return [described(name, plugin) for name, plugin in sorted(registry.filters.items())]


def described(name: str, plugin: type[Filter]) -> dict[str, Any]:
    """One filter for the page."""
    about = inspect.getdoc(plugin) or ""
    return {
        "name": name,
        "kind": kind_of(plugin),
        "about": " ".join(about.split("\n\n")[0].split()),
        "more": " ".join(about.split()),
        "roboflow": plugin.roboflow,
        "caution": plugin.caution,
        "preprocess": issubclass(plugin, PixelFilter | GeometricFilter),
        "controls": [*controls(plugin)],
        "example": _plain(dict(plugin.examples[0])),
    }


def controls(plugin: type[Filter]) -> Iterator[dict[str, Any]]:
    """A filter's settings in their order."""
    for name, schema in settings_schema(plugin)["properties"].items():
        seen = [example[name] for example in plugin.examples if name in example]
        yield {
            "name": name,
            "unit": _UNITS.get(name, ""),
            "default": _plain(schema["default"]),
            **_control(schema, [schema["default"], *seen]),
        }


def _control(schema: Mapping[str, Any], seen: list[Any]) -> dict[str, Any]:
    branches = [*_branches(schema)]
    singles = [branch for branch in branches if branch.get("type") in _NUMBERS and "enum" not in branch]
    pairs = [branch for branch in branches if _is_pair(branch)]
    words = [word for branch in branches for word in branch.get("enum", ())]
    if schema.get("type") == "boolean":
        return {"kind": "switch"}
    if words and any(_is_colour(branch) for branch in branches):
        return {"kind": "colour", "choices": words}
    if any(_is_colour(branch) for branch in branches) and not words:
        return {"kind": "colour", "choices": []}
    if words:
        several = any(branch.get("type") == "array" for branch in branches)
        listed = [*dict.fromkeys([*words, *(w for b in branches for w in b.get("items", {}).get("enum", ()))])]
        return {"kind": "several" if several else "choice", "choices": listed}
    if singles or pairs:
        return {"kind": "number" if singles else "pair", **_ends([*singles, *pairs], seen), "range": bool(pairs)}
    return {"kind": "text"}


def _ends(branches: list[Mapping[str, Any]], seen: list[Any]) -> dict[str, Any]:
    """Least and most, as far as they are allowed (`min`, `max`) and as far as a slider goes."""
    numbers = [end for branch in branches for end in (branch.get("prefixItems") or [branch])]
    plain = [branch for branch in branches if branch.get("type") in _NUMBERS] or numbers
    low = min(end.get("minimum", end.get("exclusiveMinimum", 0)) for end in numbers)
    high = max(end.get("maximum", end.get("exclusiveMaximum", 1e6)) for end in numbers)
    least = min(end.get("minimum", end.get("exclusiveMinimum", 0)) for end in plain)
    whole = all(end.get("type") == "integer" for end in numbers)
    farthest = max((abs(value) for value in _flat(seen)), default=1.0) or 1.0
    reach = min(high, _WIDER * farthest) if high > 2 * _WIDER * farthest else high
    step = 1 if whole else _step(reach - least)
    return {"min": low, "max": high, "least": least, "reach": reach, "step": step, "whole": whole}


def _step(width: float) -> float:
    for step in (1.0, 0.5, 0.1, 0.05, 0.01, 0.005):
        if width / step >= 80:
            return step
    return 0.001


def _branches(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if "anyOf" in schema:
        for branch in schema["anyOf"]:
            yield from _branches(branch)
    else:
        yield schema


def _is_pair(branch: Mapping[str, Any]) -> bool:
    ends = branch.get("prefixItems", ())
    return len(ends) == 2 and all(end.get("type") in _NUMBERS for end in ends)


def _is_colour(branch: Mapping[str, Any]) -> bool:
    ends = branch.get("prefixItems", ())
    return len(ends) == 3 and all(end.get("type") == "integer" for end in ends)


def _flat(values: Iterable[Any]) -> Iterator[float]:
    for value in values:
        if isinstance(value, list | tuple):
            yield from _flat(value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield float(value)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def harms(registry: Registry, recipe: Recipe, samples: list[Any], names: Iterable[str]) -> dict[str, list[list[str]]]:
    """For each filter what of these sets' labels suffers from it: a kind of harm, and the classes that it concerns."""
    listed = list(names)
    spoken = {name: meanings(name) for name in listed}
    one_sided = [name for name in recipe.categories.one_sided if name in listed]
    outlined = any(a.polygons or a.mask for sample in samples for a in sample.annotations)
    found: dict[str, list[list[str]]] = {}
    for name, plugin in registry.filters.items():
        for meaning in sorted(plugin.spoils):
            hit = [category for category, said in spoken.items() if meaning in said]
            if hit:
                found.setdefault(name, []).append([meaning, ", ".join(hit[:_MOST_NAMES])])
        if name in {"flip", "rotate90"} and one_sided and "direction" in plugin.spoils:
            found.setdefault(name, []).append(["sides", ", ".join(one_sided[:_MOST_NAMES])])
        for note in _turned(name, plugin, registry, recipe, samples):
            found.setdefault(name, []).append(["turned", note])
        if not outlined and issubclass(plugin, JoiningFilter) and plugin().wants_outlines:
            found.setdefault(name, []).append(["outlines", ""])
    return found


def _turned(name: str, plugin: type[Filter], registry: Registry, recipe: Recipe, samples: list[Any]) -> Iterator[str]:
    """Boxes whose objects have no known outline are turned by a few degrees only."""
    degrees = [c for c in controls(plugin) if c["name"] == "degrees" and c["kind"] == "number"]
    if not degrees or not issubclass(plugin, GeometricFilter):
        return
    turning = VariantSpec(name, (Step(name, {"degrees": [0, 45]}),))
    try:
        if rotation_notes(_only(recipe, turning), registry, samples):
            yield f"{recipe.labels.max_box_rotation:g}°"
    except AmpError:
        return


def _only(recipe: Recipe, spec: VariantSpec) -> Recipe:
    return Recipe(recipe.seed, (spec,), recipe.labels, recipe.encode, recipe.categories)
