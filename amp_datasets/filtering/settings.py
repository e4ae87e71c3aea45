"""A filter's settings: completed by its defaults, checked by its own schema, described for editors."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from amp_datasets.errors import ArgumentError, PluginError, blaming, nearest

if TYPE_CHECKING:
    from amp_datasets.filtering.base import Filter

_ALBUMENTATIONS_OWN = ("p", "strict")
"""Arguments of every Albumentations transform that a manifest has no say in: a named filter is always applied."""


class Problem(NamedTuple):
    """What is wrong with a filter's setting, or with all of them (`name` is None)."""

    name: str | None
    what: str
    fix: str | None = None


class SettingsError(ValueError):
    """A filter's name or settings are wrong; every wrong one is listed."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{p.name}: {p.what}" if p.name else p.what for p in problems))
        self.problems = problems


def complete_settings(plugin: type[Filter], given: Any) -> dict[str, Any]:
    """All settings of a filter as JSON values, defaults filled in; a SettingsError names every wrong one."""
    if given is None:
        given = {}
    defaults = _defaults(plugin)
    if not isinstance(given, dict):
        shown = f"{{{next(iter(defaults))}: {given if not isinstance(given, bool) else '...'}}}" if defaults else "{}"
        raise SettingsError(
            [Problem(None, f"settings of `{plugin.name}` are a map (got {given!r})", f"write `{plugin.name}: {shown}`")]
        )
    unknown = [name for name in given if name not in defaults]
    if unknown:
        raise SettingsError([_unknown(str(name), plugin, defaults) for name in unknown])
    merged = {**defaults, **{name: _without_sign(value) for name, value in given.items()}}
    try:
        checked = plugin.InitSchema.model_validate({**merged, "p": 1.0, "strict": True})
    except ValidationError as error:
        raise SettingsError(problems_of(error)) from error
    return {name: _plain(getattr(checked, name)) for name in merged}


def create(plugin: type[Filter], settings: dict[str, Any]) -> Filter:
    """A filter with settings that were completed before (JSON lists become tuples again)."""
    with blaming("filter", plugin):
        checked = plugin.InitSchema.model_validate({**settings, "p": 1.0, "strict": True})
        return plugin(**{key: getattr(checked, key) for key in settings}, p=1.0)


def check_arguments(plugin: type[Filter], args: tuple[Any, ...], settings: Mapping[str, Any]) -> ArgumentError | None:
    """What is wrong with the arguments of a filter's constructor, or None."""
    try:
        given = inspect.signature(plugin).bind_partial(*args).arguments
    except TypeError as error:
        return ArgumentError(f"`{plugin.__name__}`: {error}")
    named = {name: value for name, value in {**given, **settings}.items() if name not in _ALBUMENTATIONS_OWN}
    try:
        complete_settings(plugin, named)
    except SettingsError as error:
        first = error.problems[0]
        what = first.what if first.name is None else f"`{first.name}`: {first.what}"
        return ArgumentError(what, where=f"{plugin.__name__}(...)", fix=first.fix)
    return None


def is_filter(value: Any) -> bool:
    """Whether a value is a filter with its settings: ours, or one of another library that was made usable."""
    return hasattr(type(value), "InitSchema") and isinstance(getattr(value, "name", None), str)


def given_settings(transform: Filter) -> dict[str, Any]:
    """The settings that a filter was made with, as its constructor takes them."""
    return {name: getattr(transform, name) for name in _defaults(type(transform))}


def settings_schema(plugin: type[Filter]) -> dict[str, Any]:
    """JSON Schema of a filter's settings, with their defaults."""
    schema = plugin.InitSchema.model_json_schema()
    defaults = _defaults(plugin)
    properties = {
        name: {**_any_of(entry), "default": _plain(defaults[name])}
        for name, entry in schema.get("properties", {}).items()
        if name in defaults
    }
    about = inspect.getdoc(plugin) or ""
    result = {"type": "object", "description": about, "properties": properties, "additionalProperties": False}
    if "$defs" in schema:
        result["$defs"] = schema["$defs"]
    return result


def _any_of(schema: dict[str, Any]) -> dict[str, Any]:
    """Forms of a setting may overlap, as [5, 15] and [-5, 15] do in their types: any one will do."""
    return {"anyOf" if key == "oneOf" else key: value for key, value in schema.items()}


def _defaults(plugin: type[Filter]) -> dict[str, Any]:
    signature = inspect.signature(plugin)
    wanted = [p for p in signature.parameters.values() if p.name not in _ALBUMENTATIONS_OWN]
    without = [p.name for p in wanted if p.default is inspect.Parameter.empty]
    if without:
        raise PluginError(f"the setting `{without[0]}` of `{plugin.name}` has no default", fix="give it one")
    return {p.name: p.default for p in wanted}


_PERCENT = re.compile(r"\s*([+-]?\d+(?:\.\d+)?)\s*%\s*")
_COLOURS = {"black": [0, 0, 0], "white": [255, 255, 255], "grey": [114, 114, 114], "gray": [114, 114, 114]}


def _without_sign(value: Any) -> Any:
    """`15%` as the number that it is."""
    if isinstance(value, list):
        return [_without_sign(item) for item in value]
    found = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    return value if found is None else float(found.group(1))


def _fix(name: str | None, given: Any) -> str | None:
    """What to write instead of what is clear to a person and not to YAML."""
    if isinstance(given, str):
        ends = re.fullmatch(r"\s*([+-]?[\d.]*\d)\s*(?:-|\.\.|–|to|:|,|\s)\s*([+-]?\d[\d.]*)\s*", given)
        if ends is not None:
            return f"write a range as [{ends.group(1)}, {ends.group(2)}]"
        if name == "fill":
            return f"write a colour as red, green, blue: {_colour(given)}"
    if isinstance(given, list) and len(given) == 2 and all(isinstance(end, int | float) for end in given):
        return f"write the lower end first: [{given[1]:g}, {given[0]:g}]" if given[0] > given[1] else None
    if isinstance(given, list) and len(given) > 2:
        return "write a range by its two ends, like [5, 15]"
    return None


def _colour(given: str) -> list[int]:
    """A colour's name or hexadecimal code as numbers; black for what is neither."""
    code = re.fullmatch(r"#?([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})", given.strip())
    return [int(part, 16) for part in code.groups()] if code else _COLOURS.get(given.lower(), [0, 0, 0])


def _unknown(name: str, plugin: type[Filter], known: dict[str, Any]) -> Problem:
    near = nearest(name, known)
    listed = f"its settings are: {', '.join(known)}" if known else "it has no settings"
    fix = f"did you mean `{near}`?  {listed}" if near else listed
    if ":" in name and name.partition(":")[0] in known:
        fix = f"put a space after the colon: `{name.replace(':', ': ', 1)}`"
    return Problem(name, f"`{plugin.name}` has no such setting", fix)


def problems_of(error: ValidationError) -> list[Problem]:
    """One message for each setting: of a union's branches the one that understood the value's type."""
    by_name: dict[str | None, list[Any]] = {}
    for item in error.errors():
        by_name.setdefault(str(item["loc"][0]) if item["loc"] else None, []).append(item)
    return [Problem(name, union_message(items), _fix(name, items[0]["input"])) for name, items in by_name.items()]


def union_message(items: list[Any]) -> str:
    """What is wrong, in one phrase, from the complaints of all branches of a type."""
    understood = [item for item in items if not item["type"].endswith(("_type", "_parsing", "too_short"))] or items
    text = ", or ".join(dict.fromkeys(_phrase(item) for item in understood))
    given = understood[0]["input"]
    speaks_for_itself = understood[0]["type"] == "value_error" and isinstance(given, dict | list)
    return text if speaks_for_itself else f"{text} (got {given!r})"


_PHRASES: Mapping[str, str] = {
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "dict_type": "must be a map",
    "finite_number": "must be a finite number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "greater_than": "must be above {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "less_than": "must be below {lt:g}",
    "less_than_equal": "must be at most {le:g}",
    "list_type": "must be a list",
    "literal_error": "must be {expected}",
    "model_type": "must be a map",
    "string_pattern_mismatch": "must match pattern '{pattern}'",
    "string_type": "must be text",
    "tuple_type": "must be a list",
}
"""Pydantic's kinds of error in words for people who have never heard of Python; `{...}` is of the error's context."""


def _phrase(item: Any) -> str:
    kind, context = item["type"], item.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "too_short":
        most = context["actual_length"]
        return f"needs at least {_items(context['min_length'])}" + (f", not {most}" if most else "")
    if kind == "too_long":
        ends = "a range has two ends" if context["max_length"] == 2 else f"has at most {_items(context['max_length'])}"
        return f"{ends}, not {context['actual_length']}"
    if kind in _PHRASES:
        return _PHRASES[kind].format(**context)
    return str(item["msg"])[:1].lower() + str(item["msg"])[1:]


def _items(count: int) -> str:
    return f"{count} item" if count == 1 else f"{count} items"


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value
