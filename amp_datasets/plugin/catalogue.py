"""What there is to choose from: filters with their settings."""

from __future__ import annotations

import inspect
from dataclasses import asdict, dataclass
from typing import Any

from amp_datasets.filtering.base import Filter, GeometricFilter, HidingFilter, JoiningFilter
from amp_datasets.filtering.settings import settings_schema
from amp_datasets.plugin.registry import Registry


@dataclass(frozen=True, slots=True)
class FilterLine:
    """One filter in one line."""

    name: str
    kind: str
    about: str


@dataclass(frozen=True, slots=True)
class FilterList:
    """All filters, and how many more can be named of other libraries."""

    filters: tuple[FilterLine, ...]
    families: dict[str, list[str]]

    def to_json(self) -> dict[str, Any]:
        """As one JSON document."""
        return asdict(self)

    def as_text(self) -> list[str]:
        """A table."""
        lines = [f"{f.name:<16} {f.kind:<9} {f.about}" for f in self.filters]
        more = [
            f"{prefix}.NAME: {len(names)} of {prefix}'s own, e.g. {names[0]}" for prefix, names in self.families.items()
        ]
        return lines + more


@dataclass(frozen=True, slots=True)
class FilterDescription:
    """One filter with its settings."""

    name: str
    kind: str
    about: str
    settings: dict[str, Any]
    example: dict[str, Any]
    roboflow: str = ""
    caution: str = ""

    def to_json(self) -> dict[str, Any]:
        """As one JSON document."""
        return asdict(self)

    def as_text(self) -> list[str]:
        """What `amp filters NAME` prints."""
        lines = [f"{self.name} ({self.kind})", "", *self.about.splitlines(), "", "settings:"]
        lines += [f"  {name} = {s.get('default')!r}  {type_text(s)}" for name, s in self.settings.items()]
        more = [f"Roboflow calls it: {self.roboflow}"] if self.roboflow else []
        more += [f"not for: {self.caution}"] if self.caution else []
        lines += ["", *more] if more else []
        inner = ", ".join(f"{k}: {list(v) if isinstance(v, tuple) else v}" for k, v in self.example.items())
        return [*lines, "", "example:", "  filters:", f"    {self.name}: {{{inner}}}"]


@dataclass(frozen=True, slots=True)
class FilterFamily:
    """The filters of another library that can be named."""

    prefix: str
    names: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """As one JSON document."""
        return asdict(self)

    def as_text(self) -> list[str]:
        """What `amp filters PREFIX` prints."""
        return [f"{self.prefix}.{name}" for name in self.names]


def list_filters(registry: Registry) -> FilterList:
    """Every filter in one line."""
    lines = [FilterLine(name, kind_of(p), _first_line(p)) for name, p in sorted(registry.filters.items())]
    return FilterList(tuple(lines), {prefix: sorted(f.names()) for prefix, f in registry.families.items()})


def describe_filter(registry: Registry, name: str) -> FilterDescription | FilterFamily:
    """One filter with its settings, defaults and an example; or a family of filters by its prefix."""
    if name in registry.families:
        return FilterFamily(name, tuple(sorted(registry.families[name].names())))
    plugin = registry.filter(name)
    settings = settings_schema(plugin)["properties"]
    about, example = inspect.getdoc(plugin) or "", dict(plugin.examples[0])
    return FilterDescription(name, kind_of(plugin), about, settings, example, plugin.roboflow, plugin.caution)


def kind_of(plugin: type[Filter]) -> str:
    """What a filter does to labels."""
    if issubclass(plugin, GeometricFilter):
        return "geometry"
    if issubclass(plugin, JoiningFilter):
        return "joins"
    return "hides" if issubclass(plugin, HidingFilter) else "pixels"


def _first_line(plugin: type[Filter]) -> str:
    return (inspect.getdoc(plugin) or "").splitlines()[0]


def type_text(schema: dict[str, Any]) -> str:
    """A setting's type in a few words."""
    if "anyOf" in schema:
        return " or ".join(type_text(option) for option in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    if schema.get("type") == "array":
        inner = schema.get("prefixItems")
        return f"[{', '.join(type_text(item) for item in inner)}]" if inner else "list"
    bounds = {"exclusiveMinimum": ">", "minimum": ">=", "exclusiveMaximum": "<", "maximum": "<="}
    limits = " and ".join(f"{sign} {schema[key]:g}" for key, sign in bounds.items() if key in schema)
    return f"{schema.get('type', 'any')} {limits}".strip()
