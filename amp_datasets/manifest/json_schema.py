"""The manifest's JSON Schema, plugins included: editors complete and check by it while one types."""

from __future__ import annotations

from typing import Any

from amp_datasets.filtering.settings import settings_schema
from amp_datasets.manifest.fields import CONDITIONS
from amp_datasets.manifest.model import Manifest
from amp_datasets.manifest.preprocess import SELECTIONS
from amp_datasets.plugin.registry import Registry

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TEXTS = {"type": "array", "items": {"type": "string"}}
_CLASS_MAP = {"type": "object", "additionalProperties": {"anyOf": [{"type": ["string", "null"]}, _TEXTS]}}
_CLASSES = {"anyOf": [{"type": "array", "items": {"anyOf": [{"type": "string"}, _CLASS_MAP]}}, _CLASS_MAP]}


def manifest_schema(registry: Registry) -> dict[str, Any]:
    """JSON Schema (2020-12) of a manifest as people write it: its short forms, and every registered plugin."""
    schema = Manifest.model_json_schema()
    definitions, properties = schema["$defs"], schema["properties"]
    definitions["Filters"] = _filters(registry, definitions)
    definitions["Step"] = _step(definitions["Filters"]["properties"])
    properties["filters"] = {"anyOf": [{"$ref": "#/$defs/Filters"}, {"type": "null"}]}
    properties["preprocess"] = _preprocess(definitions)
    properties["mixes"]["type"] = ["object", "null"]
    properties["mixes"]["additionalProperties"] = _or_list({"$ref": "#/$defs/Mix"}, "Step")
    properties["sources"]["items"] = {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/SourceSettings"}]}
    properties["sources"] = {"anyOf": [{"type": ["string", "null"]}, properties["sources"]]}
    properties["classes"] = {**_CLASSES, "description": "order = id; `name: [alias]` merges names"}
    properties["exports"]["items"] = {"enum": [*_exports(registry), "hf"]}
    definitions["SourceSettings"]["properties"]["format"] = {"enum": sorted(registry.sources)}
    return {"$schema": _DIALECT, **schema, "title": "amp manifest"}


def _filters(registry: Registry, definitions: dict[str, Any]) -> dict[str, Any]:
    """A closed map of every filter to its settings; those of a family are listed, their settings are not."""
    known = {name: _settings(plugin, definitions) for name, plugin in sorted(registry.filters.items())}
    of_families = [f"{prefix}.{name}" for prefix, family in registry.families.items() for name in family.names()]
    known |= {name: {"type": ["object", "null"]} for name in of_families}
    return {"type": "object", "properties": known, "additionalProperties": False}


def _preprocess(definitions: dict[str, Any]) -> dict[str, Any]:
    """A list of steps, or a map in their order; those that leave images out are named here alone."""
    chosen = {name: {**model.model_json_schema(), "type": ["object", "null"]} for name, model in SELECTIONS.items()}
    known = {**definitions["Filters"]["properties"], **chosen}
    definitions["Preprocess"] = {"type": "object", "properties": known, "additionalProperties": False}
    one = {"$ref": "#/$defs/Preprocess", "minProperties": 1, "maxProperties": 1}
    steps = {"type": "array", "items": {"anyOf": [{"enum": list(known)}, one]}}
    return {"anyOf": [steps, {"$ref": "#/$defs/Preprocess"}, {"type": "null"}]}


def _settings(plugin: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    """A filter's settings; nothing written means all defaults."""
    schema = settings_schema(plugin)
    definitions |= {**schema.pop("$defs", {}), **CONDITIONS["$defs"]}
    properties = {**schema["properties"], **CONDITIONS["properties"]}
    return {**schema, "properties": properties, "type": ["object", "null"]}


def _step(names: dict[str, Any]) -> dict[str, Any]:
    """`blur`, or `blur: {sigma: 2}`."""
    with_settings = {"$ref": "#/$defs/Filters", "minProperties": 1, "maxProperties": 1}
    return {"anyOf": [{"enum": list(names)}, with_settings]}


def _or_list(schema: dict[str, Any], item: str) -> dict[str, Any]:
    return {"anyOf": [{"type": "array", "minItems": 1, "items": {"$ref": f"#/$defs/{item}"}}, schema]}


def _exports(registry: Registry) -> list[str]:
    """The formats that can lie around the images of a build."""
    return sorted(name for name, exporter in registry.exporters.items() if exporter.shares_images)
