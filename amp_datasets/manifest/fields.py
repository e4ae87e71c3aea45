"""Types of single values in a manifest: names, steps, classes, export formats, and what is wrong with each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializeAsAny,
    ValidationError,
    ValidationInfo,
)

from amp_datasets.errors import PluginError
from amp_datasets.filtering.settings import (
    Problem,
    SettingsError,
    complete_settings,
    given_settings,
    is_filter,
    problems_of,
)
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.plugin.registry import Registry
from amp_datasets.shown import is_shown_as_it_is
from amp_datasets.variants.recipe import Step

if TYPE_CHECKING:
    from amp_datasets.filtering.base import Filter

_NAME = re.compile(r"[\w][\w. -]{0,63}", re.UNICODE)


def _check_name(name: str) -> str:
    if not _NAME.fullmatch(name) or "__" in name:
        raise ValueError("a name has letters, digits, spaces, dots, dashes and single underscores, at most 64")
    return name


Name = Annotated[str, AfterValidator(_check_name)]
Share = Annotated[float, Field(ge=0, le=1)]
OutlineName = Literal["ellipse", "rect"]


def registry_of(info: ValidationInfo) -> Registry:
    """The plugins that a manifest may name: those that its reader loaded, else all that are installed."""
    context: dict[str, Registry] = info.context or {}
    return context.get("registry") or load_registry()


def read_step(value: Any, info: ValidationInfo) -> Step:
    """`blur`, or `blur: {sigma: 2}`, as a filter with all settings filled in."""
    if isinstance(value, Step):
        return value
    if is_filter(value):
        return Step(value.name, complete_settings(type(value), given_settings(value)), value.p)
    if isinstance(value, str):
        return _completed(value, {}, info)
    if isinstance(value, dict) and len(value) == 1:
        name, settings = next(iter(value.items()))
        return _completed(name, settings, info)
    raise ValueError("a step is a filter's name, or `name: {settings}`")


def _completed(name: str, settings: Any, info: ValidationInfo) -> Step:
    try:
        plugin = registry_of(info).filter(name)
    except PluginError as error:
        raise SettingsError([Problem(None, error.what, error.fix)]) from error
    if not isinstance(settings, dict):
        return Step(name, complete_settings(plugin, settings))
    conditions = {key: settings[key] for key in _Conditions.model_fields if key in settings}
    own = {key: value for key, value in settings.items() if key not in conditions}
    try:
        checked = _Conditions.model_validate(conditions)
    except ValidationError as error:
        raise SettingsError(problems_of(error)) from error
    if checked.within:
        _refuse_within(plugin)
    only = checked.only.classes if checked.only else ()
    return Step(name, complete_settings(plugin, own), checked.p, checked.within, only)


def _refuse_within(plugin: type[Filter]) -> None:
    """Inside a box works what changes values or moves points, and needs to know of no box in it."""
    from amp_datasets.filtering.base import GeometricFilter, PixelFilter, looks_at_data

    if not issubclass(plugin, PixelFilter | GeometricFilter):
        raise SettingsError([Problem("within", f"`{plugin.name}` does not work inside boxes")])
    if issubclass(plugin, GeometricFilter) and looks_at_data(plugin):
        what = f"`{plugin.name}` looks for objects, and inside a box there is nothing else"
        raise SettingsError([Problem("within", what, "`zoom` takes a closer look at each object within its box")])


class Only(BaseModel):
    """What an image must show to be taken."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    classes: Annotated[tuple[str, ...], Field(min_length=1)]


class _Conditions(BaseModel):
    """When and where a filter is applied: settings that every one has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    p: Annotated[float, Field(gt=0, le=1)] = 1.0
    within: Literal["", "objects", "object"] = ""
    only: Only | None = None


CONDITIONS: dict[str, Any] = _Conditions.model_json_schema()
"""JSON Schema of what every filter can be told beside its own settings."""

StepSetting = Annotated[SerializeAsAny[Step], BeforeValidator(read_step)]


def _classes(value: Any) -> Any:
    """`[a, b]`, `[a, {b: [c, d]}]` or `{a: , b: [c, d]}` as name -> other names for it."""
    entries = value if isinstance(value, list) else [value]
    merged: dict[str, Any] = {}
    for entry in entries:
        pairs = entry.items() if isinstance(entry, dict) else [(entry, [])]
        for name, aliases in pairs:
            if not isinstance(name, str):
                raise ValueError(f"a class name is text; put {name!r} in quotes")
            if not all(
                is_shown_as_it_is(each)
                for each in (name, *(aliases if isinstance(aliases, list) else ()))
                if isinstance(each, str)
            ):
                raise ValueError(f"a class name is one line of letters that show (got {name!r})")
            if name in merged:
                raise ValueError(f"the class `{name}` is given twice")
            merged[name] = [aliases] if isinstance(aliases, str) else aliases or []
    _check_aliases(merged)
    return merged


def _check_aliases(classes: dict[str, Any]) -> None:
    """A name that means two classes would go to either by chance."""
    owners: dict[Any, str] = {name: name for name in classes}
    for name, aliases in classes.items():
        for alias in aliases if isinstance(aliases, list) else ():
            if isinstance(alias, str) and owners.setdefault(alias, name) != name:
                raise ValueError(f"`{alias}` cannot be both `{owners[alias]}` and `{name}`")


def _export(name: str, info: ValidationInfo) -> str:
    """An export format that lies around the build's own images."""
    registry = registry_of(info)
    name = {"hf": "huggingface"}.get(name, name)
    try:
        plugin = registry.exporter(name)
    except PluginError as error:
        raise SettingsError([Problem(None, error.what, error.fix)]) from error
    if not plugin.shares_images:
        what = f"`{name}` has a layout of its own, it cannot lie in the build's folder"
        fix = f"leave it out of `exports`, and run `amp export BUILD --to {name} -o DIR` afterwards"
        raise SettingsError([Problem(None, what, fix)])
    return name


def _required(name: str, info: ValidationInfo) -> str:
    registry = registry_of(info)
    if not any(name in plugins for plugins in (registry.filters, registry.sources, registry.exporters)):
        fix = "install it, or name its folder with --plugins-dir"
        raise SettingsError([Problem(None, f"the plugin `{name}` is required and not there", fix)])
    return name


Classes = Annotated[dict[str, tuple[str, ...]], BeforeValidator(_classes)]
"""A class's name -> its other names."""
ExportName = Annotated[str, AfterValidator(_export)]
RequiredPlugin = Annotated[str, AfterValidator(_required)]
