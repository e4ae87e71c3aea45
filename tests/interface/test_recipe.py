"""Recipes in Python: one model with the manifest, both ways without loss, and wrong arguments raise at once."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest

import amp_datasets as amp
from amp_datasets.errors import ArgumentError, ManifestError
from amp_datasets.manifest.load import load_manifest
from amp_datasets.plugin.discovery import load_registry, shipped_manifests

REGISTRY = load_registry()


def recipe() -> amp.Recipe:
    """One with filters, a mix and label settings."""
    return amp.Recipe(
        filters=[amp.Flip(), amp.Rotate(degrees=(5, 15)), amp.Blur(sigma=2.5)],
        mixes={"version": amp.Mix([amp.Flip(), amp.Brightness(percent=(10, 25))], copies=3, pick=1)},
        labels=amp.Labels(min_visibility=0.5),
        seed=7,
    )


def test_a_recipe_is_the_manifest_that_it_writes(tmp_path: Path) -> None:
    """Python to YAML to Python: equal, and the variants of both are the same."""
    path = tmp_path / "amp.yaml"
    recipe().to_yaml(path)
    manifest = load_manifest(path, REGISTRY)
    assert manifest.variants() == recipe().variants()
    assert amp.Recipe.from_yaml(path) == recipe()


@pytest.mark.parametrize("name", sorted(shipped_manifests()))
def test_shipped_manifests_survive_the_way_through_python(name: str, tmp_path: Path) -> None:
    """YAML to Python to YAML loses no setting."""
    first = amp.Recipe.from_yaml(name)
    first.to_yaml(tmp_path / "amp.yaml")
    assert amp.Recipe.from_yaml(tmp_path / "amp.yaml").model_dump() == first.model_dump()


@pytest.mark.parametrize("plugin", REGISTRY.filters.values(), ids=lambda plugin: plugin.__name__)
def test_a_filter_object_is_what_its_settings_say(plugin: Any) -> None:
    """An object, its name and its settings as a map give one and the same step."""
    for example in plugin.examples:
        (step,) = amp.Recipe([plugin(**example)]).filters.values()
        assert step == amp.Recipe({plugin.name: example}).filters[plugin.name]
    assert amp.Recipe([plugin()]) == amp.Recipe([plugin.name])


@pytest.mark.parametrize(
    ("make", "what", "fix"),
    [
        (
            lambda: amp.Labels(min_visiblity=0.3),
            "`min_visiblity` is not a setting here",
            "did you mean `min_visibility`?",
        ),
        (lambda: amp.Labels(min_visibility=3), "`min_visibility`: must be at most 1 (got 3)", None),
        (lambda: amp.Recipe(["rotatoin"]), "`rotatoin` is not a filter", "did you mean `rotate`?"),
        (lambda: amp.Recipe(sede=3), "`sede` is not a setting here", "did you mean `seed`?"),
        (lambda: amp.Mix(["flip"], pick=3), "pick is 3, but there are only 1 steps", None),
        (lambda: amp.Recipe([amp.Flip(), amp.Flip()]), "the filter `flip` is given twice", "name one"),
        (lambda: amp.Recipe(mixes={"a": [{"rotate": {"degres": 3}}]}), "`mixes.a.0.degres`", "did you mean `degrees`?"),
    ],
)
def test_wrong_settings_raise_at_once(make: Any, what: str, fix: str | None) -> None:
    """As for a file, with the nearest name."""
    with pytest.raises(ManifestError) as caught:
        make()
    assert what in caught.value.what
    assert (fix or "") in (caught.value.fix or "")


def test_a_wrong_argument_of_a_filter_is_an_error() -> None:
    """Albumentations would warn, and turn by another angle than was asked for."""
    with pytest.raises(ArgumentError, match=r"`degres`: `rotate` has no such setting") as caught:
        amp.Rotate(degres=15)
    assert "did you mean `degrees`?" in str(caught.value.fix)
    with pytest.raises(ArgumentError, match="must be at most 180"):
        amp.Rotate(degrees=900)


def test_editors_see_the_settings_of_a_filter() -> None:
    """`help(amp.Rotate)` shows its own arguments, not those of a metaclass."""
    assert list(inspect.signature(amp.Rotate).parameters)[:3] == ["degrees", "direction", "fill"]
