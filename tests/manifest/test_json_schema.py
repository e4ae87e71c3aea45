"""The schema that editors get accepts what the program accepts, and refuses what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from amp_datasets.errors import ManifestError
from amp_datasets.manifest.json_schema import manifest_schema
from amp_datasets.manifest.load import load_manifest
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.storage.yaml import parse_yaml, read_yaml

REGISTRY = load_registry()
SCHEMA = manifest_schema(REGISTRY)
CHECK = jsonschema.Draft202012Validator(SCHEMA)
MANIFESTS = sorted((Path(__file__).parents[2] / "manifests").glob("*.yaml"))


def valid(text: str) -> bool:
    """Whether an editor would be content."""
    return bool(CHECK.is_valid(parse_yaml(text.encode(), Path("amp.yaml")).value))


def test_schema_is_a_schema() -> None:
    """It is valid itself, and every reference in it leads somewhere."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    names = {f"#/$defs/{name}" for name in SCHEMA["$defs"]}
    assert set(references(SCHEMA)) <= names


def references(value: Any) -> list[str]:
    """All `$ref` of a schema."""
    if isinstance(value, list):
        return [ref for item in value for ref in references(item)]
    if isinstance(value, dict):
        return [ref for key, item in value.items() for ref in ([item] if key == "$ref" else references(item))]
    return []


@pytest.mark.parametrize("file", MANIFESTS, ids=lambda file: file.stem)
def test_shipped_manifests_are_valid(file: Path) -> None:
    """Whoever opens one in an editor sees no mistake."""
    assert [error.message for error in CHECK.iter_errors(read_yaml(file).value)] == []


def test_every_filter_is_offered_with_its_settings() -> None:
    """Completion knows all names, and under each its settings with their defaults."""
    filters = SCHEMA["$defs"]["Filters"]["properties"]
    assert set(REGISTRY.filters) <= set(filters)
    assert filters["blur"]["properties"]["sigma"]["default"] == 2.5
    assert filters["blur"]["description"]
    assert "albumentations.CLAHE" in filters
    assert "albumentations.Rotate" not in filters


@pytest.mark.parametrize(
    "text",
    [
        "sources: a",
        "sources: [a, {path: b, format: yolo, options: {x: 1}, classes: {a: b}}]",
        "sources:\nfilters:\nmixes:\n",
        "classes: [a, {b: [c]}, {d: e}]",
        "classes: {a: , b: [c], d: e}",
        "filters: {blur: , rotate: {degrees: [3, 9]}, albumentations.CLAHE: {clip_limit: 3}}",
        "mixes: {m: [blur, {blur: {sigma: 3}}], n: {steps: [flip], copies: 3, pick: 1}}",
        "splits: {train: 0.5, validation: 0.5}",
        "splits: keep",
        "exports: [hf, coco]",
        "labels: {outline: {default: rect, cat: ellipse}, sides: {a: b}}",
        "filters: {rotate: {degrees: [-15, 15]}, brightness: {percent: [-25, 25]}}",
        "filters: {hue: {degrees: 15%}, brightness: {percent: [10%, 25 %]}}",
        "filters: [blur, {rotate: {degrees: 15}}]",
        "filters: blur",
        "mixes: {a: blur, b: {steps: blur, copies: 2}, c: [blur, flip: {how: vertical}]}",
        "splits: 70/20/10",
        "splits: 80 / 20",
        "splits: auto",
        "splits: {train: 70%, val: 30%}",
        "splits: {train: 70, valid: 20, test: 10}",
        "augment: train",
        "augment: [train, val]",
        "exports: yolo",
        "exports: [yolo-detect, hf]",
        "preprocess: [grayscale, resize: {size: [64, 64]}]",
        "preprocess: {grayscale: , resize: {size: [64, 64]}}",
        "preprocess: grayscale",
        "requires: blur",
        "sources: [set]",
        "filters: {blur: {p: 0.5}}",
        "filters: {flip: {only: {classes: [a]}}}",
        "mixes: {a: blur}\nbalance: {to: max}",
        "encode: {format: jpeg, quality: 90}",
    ],
)
def test_what_the_program_accepts_is_valid(text: str, tmp_path: Path) -> None:
    """Short forms included; the program does accept it."""
    assert valid(text)
    path = tmp_path / "amp.yaml"
    path.write_text(text if "sources" in text else f"sources: [set]\n{text}", encoding="utf-8")
    load_manifest(path, REGISTRY, sources=["set"] if "options" in text or "sources:\n" in text else [])


@pytest.mark.parametrize(
    "text",
    [
        "nam: a",
        "seed: -1",
        "name: 3",
        "sources: 5",
        "sources: [{format: yolo}]",
        "sources: [{path: a, format: yollo}]",
        "classes: [1]",
        "filters: {blurr: }",
        "filters: {blur: {sgma: 3}}",
        "filters: {blur: {sigma: -3}}",
        "filters: {blur: 3}",
        "filters: {albumentations.Rotate: }",
        "mixes: {m: []}",
        "mixes: {m: [blurr]}",
        "mixes: {m: [{blur: , flip: }]}",
        "mixes: {m: {steps: [blur], copys: 2}}",
        "splits: {train: 2}",
        "augment: [vall]",
        "splits: {vali: 1}",
        "splits: 70-20-10",
        "splits: {train: 170, val: 20}",
        "filters: {rotate: {degrees: [1, 5, 15]}}",
        "filters: {rotate: {degrees: 5-15}}",
        "filters: {rotate: {fill: black}}",
        "filters: {flip: horizontal}",
        "filters: [blurr]",
        "mixes: {a: blurr}",
        "exports: [voc]",
        "exports: [cocoo]",
        "labels: {drop_below: 2}",
        "encode: {format: gif}",
        "hub: {repo: nope}",
    ],
)
def test_what_the_program_refuses_is_not_valid(text: str, tmp_path: Path) -> None:
    """So that a mistake is seen while it is typed."""
    assert not valid(text)
    path = tmp_path / "amp.yaml"
    path.write_text(text if "sources" in text else f"sources: [set]\n{text}", encoding="utf-8")
    if "yollo" not in text:  # which formats there are is looked at when the set is read
        with pytest.raises(ManifestError):
            load_manifest(path, REGISTRY)


def test_every_key_says_what_it_is() -> None:
    """Editors show it while one types, and the reference is written from it."""
    told = {name: part for name, part in SCHEMA["$defs"].items() if name not in {"Filters", "Preprocess"}}
    places = {"": SCHEMA, **{name: part for name, part in told.items() if "properties" in part}}
    keys = {f"{name}.{key}": s for name, part in places.items() for key, s in part["properties"].items()}
    assert [key for key, schema in keys.items() if not schema.get("description")] == []
