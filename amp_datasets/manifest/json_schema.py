"""The manifest's JSON Schema, plugins included: editors complete and check by it while one types."""

from __future__ import annotations

from typing import Any

from amp_datasets.filtering.settings import settings_schema
from amp_datasets.manifest.fields import CONDITIONS
from amp_datasets.manifest.model import Manifest
from amp_datasets.manifest.preprocess import SELECTIONS
from amp_datasets.manifest.short_forms import PERCENT, SHARES, SPLIT_WORDS
from amp_datasets.model import SPLITS
from amp_datasets.plugin.registry import Registry

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TEXTS = {"type": "array", "items": {"type": "string"}}
_CLASS_MAP = {"type": "object", "additionalProperties": {"anyOf": [{"type": ["string", "null"]}, _TEXTS]}}
_CLASSES = {"anyOf": [{"type": "array", "items": {"anyOf": [{"type": "string"}, _CLASS_MAP]}}, _CLASS_MAP]}
_ABOUT: dict[str, dict[str, str]] = {
    "": {
        "name": "what the set is called; file names of exports and the card have it",
        "seed": "another number makes other variants; the same one the same, bit for bit",
        "sources": "folders, zips, `hf://datasets/owner/name`, patterns such as `data/*`; from this file's folder",
        "unknown_classes": "a class that `classes` does not name: an error, kept at the end, or left out",
        "unlabelled": "images that nobody labelled: left out, or taken for images without objects",
        "duplicates": "images of the same content: all kept, or one, with the labels of all",
        "splits": "the set's own (keep), shares such as {train: 0.8, validation: 0.2}, or auto: its own if it has some",
        "augment": "the splits whose images get variants",
        "originals": "whether the untouched images are in the build, too",
        "preprocess": "what every image of every split goes through before any filter",
        "filters": "each one alone makes one variant of every image",
        "mixes": "each makes `copies` variants by several filters in a row",
        "balance": "more copies of images that show rare classes",
        "labels": "how labels are judged after a filter",
        "encode": "how images are written",
        "limits": "what one image may cost; larger ones are left out and counted",
        "exports": "the label formats around the images of the build",
        "hub": "where `amp publish` pushes to",
    },
    "Balance": {
        "to": "how many labels (or images) each class is brought to: the median or most of the classes, or a number",
        "by": "what is counted: labels, or images that show the class",
        "limit": "no image gets more variants than this",
    },
    "Encode": {
        "format": "one format for all, or that of each source",
        "quality": "of JPEG and WebP; WebP of quality 100 is lossless",
        "subsampling": "colour resolution of JPEG: 444 is full, 420 a quarter; keep takes the source's",
    },
    "Hub": {
        "repo": "owner/name",
        "private": "whether only you see it",
        "license": "as the hub calls it, such as cc-by-4.0",
    },
    "Labels": {
        "min_visibility": "a variant that leaves less of an object, but more than `drop_below`, is sampled again",
        "drop_below": "an object of which less than this share is left loses its label; the variant is kept",
        "min_side_px": "boxes with a shorter side than this lose their label",
        "attempts": "how often the parameters of a variant are sampled before it is given up and counted",
        "min_difference": "grey levels by which a variant must differ from its source and from its other copies",
    },
    "LimitSettings": {"max_pixels": "width times height", "max_bytes": "of an image file"},
    "Mix": {
        "steps": "filters in their order, by name or with settings",
        "copies": "how many variants of each image",
        "versions": "the same, counted as Roboflow does: with the untouched image",
        "pick": "how many of the steps each copy has, at random; all without it",
        "max_severity": "bound on the sum of the steps' severities (1 natural, 2 distorted, 3 little left)",
    },
    "Only": {"classes": "by name"},
    "SourceSettings": {
        "path": "folder, zip or address",
        "format": "found by itself if it is not said",
        "options": "of the format: see the formats' reference",
    },
}
"""What stands beside a key in editors and in the reference, where the model itself says nothing more special."""


def manifest_schema(registry: Registry) -> dict[str, Any]:
    """JSON Schema (2020-12) of a manifest as people write it: its short forms, and every registered plugin."""
    schema = Manifest.model_json_schema()
    definitions, properties = schema["$defs"], schema["properties"]
    definitions["Filters"] = _filters(registry, definitions)
    definitions["Step"] = _step(definitions["Filters"]["properties"])
    properties["filters"] = {"anyOf": [{"$ref": "#/$defs/Filters"}, {"type": "null"}, *_listed("Step")]}
    properties["preprocess"] = _preprocess(definitions)
    properties["mixes"]["type"] = ["object", "null"]
    properties["mixes"]["additionalProperties"] = {"anyOf": [*_listed("Step"), {"$ref": "#/$defs/Mix"}]}
    steps = definitions["Mix"]["properties"]["steps"]
    definitions["Mix"]["properties"]["steps"] = {"anyOf": _listed("Step"), "title": steps["title"]}
    properties["sources"]["items"] = {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/SourceSettings"}]}
    properties["sources"] = {"anyOf": [{"type": ["string", "null"]}, properties["sources"]]}
    properties["classes"] = {**_CLASSES, "description": "order = id; `name: [alias]` merges names"}
    properties["exports"]["items"] = {"enum": [*_exports(registry), "hf"]}
    properties["augment"]["items"] = {"enum": [*SPLITS, *SPLIT_WORDS]}
    properties["splits"] = _splits(properties["splits"])
    for name in ("augment", "exports", "requires"):
        properties[name] = _or_one(properties[name])
    definitions["SourceSettings"]["properties"]["format"] = {"enum": sorted(registry.sources)}
    for name, texts in _ABOUT.items():
        described = definitions[name]["properties"] if name else properties
        for key, text in texts.items():
            described[key].setdefault("description", text)
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
    return {"anyOf": [steps, {"$ref": "#/$defs/Preprocess"}, {"type": "null"}, {"enum": list(known)}]}


def _settings(plugin: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    """A filter's settings; nothing written means all defaults."""
    schema = settings_schema(plugin)
    definitions |= {**schema.pop("$defs", {}), **CONDITIONS["$defs"]}
    properties = {**_with_percent(schema["properties"]), **CONDITIONS["properties"]}
    return {**schema, "properties": properties, "type": ["object", "null"]}


def _step(names: dict[str, Any]) -> dict[str, Any]:
    """`blur`, or `blur: {sigma: 2}`."""
    with_settings = {"$ref": "#/$defs/Filters", "minProperties": 1, "maxProperties": 1}
    return {"anyOf": [{"enum": list(names)}, with_settings]}


def _listed(item: str) -> list[dict[str, Any]]:
    """One, or a list of some, of a definition."""
    return [{"type": "array", "minItems": 1, "items": {"$ref": f"#/$defs/{item}"}}, {"$ref": f"#/$defs/{item}"}]


def _or_one(schema: dict[str, Any]) -> dict[str, Any]:
    """A list, or its only item."""
    about: dict[str, Any] = {key: schema.pop(key) for key in ("default", "title", "description") if key in schema}
    return {"anyOf": [schema, schema["items"]], **about}


def _splits(schema: dict[str, Any]) -> dict[str, Any]:
    """Also `70/20/10`, percent, whole numbers of a hundred, and `val` for validation."""
    share = {"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"type": "string", "pattern": PERCENT}]}
    names = {"enum": [*SPLITS, *SPLIT_WORDS]}
    of_hundred = {"type": "number", "minimum": 0, "maximum": 100}
    given = [
        {"enum": ["keep", "auto"]},
        {"type": "string", "pattern": SHARES},
        {"type": "object", "propertyNames": names, "additionalProperties": share},
        {"type": "object", "propertyNames": names, "additionalProperties": of_hundred, "minProperties": 2},
    ]
    return {"anyOf": given, "default": schema["default"], "title": schema["title"]}


def _with_percent(schema: Any) -> Any:
    """A schema of settings in which every number may also be written with a percent sign."""
    if isinstance(schema, list):
        return [_with_percent(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") in ("number", "integer"):
        about = {key: schema[key] for key in ("default", "title", "description") if key in schema}
        plain = {key: value for key, value in schema.items() if key not in about}
        return {"anyOf": [plain, {"type": "string", "pattern": PERCENT}], **about}
    return {
        key: inner if key in ("default", "enum", "required") else _with_percent(inner) for key, inner in schema.items()
    }


def _exports(registry: Registry) -> list[str]:
    """The formats that can lie around the images of a build."""
    return sorted(name for name, exporter in registry.exporters.items() if exporter.shares_images)
