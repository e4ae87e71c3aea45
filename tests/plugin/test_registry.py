"""Names to plugins: one name one plugin, and a wrong name finds the nearest."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from amp_datasets.errors import PluginError, nearest
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.plugin.registry import Family, Registry, find

BUILT_IN = load_registry()
ADDERS = {
    "filter": ("add_filter", BUILT_IN.filters["blur"]),
    "source format": ("add_source", BUILT_IN.sources["coco"]),
    "export format": ("add_exporter", BUILT_IN.exporters["coco"]),
}


@pytest.mark.parametrize("kind", ADDERS)
def test_a_second_plugin_of_a_name_is_an_error_that_names_both_files(kind: str) -> None:
    """Whoever installed it can find it; the first one stays."""
    adder, plugin = ADDERS[kind]
    registry = Registry()
    getattr(registry, adder)(plugin)
    other = type("Other", (plugin,), {"__module__": __name__})
    with pytest.raises(PluginError) as caught:
        getattr(registry, adder)(other)
    assert f"two plugins offer the {kind} `{plugin.name}`" in caught.value.what
    assert inspect.getfile(plugin) in caught.value.what
    assert "test_registry.py" in caught.value.what
    assert plugin in (*registry.filters.values(), *registry.sources.values(), *registry.exporters.values())


def test_a_second_family_of_a_prefix_is_an_error() -> None:
    """As with single filters."""
    registry = Registry()
    family = BUILT_IN.families["albumentations"]
    registry.add_family("other", family)
    with pytest.raises(PluginError, match="two plugins offer the filter family `other`"):
        registry.add_family("other", Family(family.resolve, family.names))


@pytest.mark.parametrize(
    ("lookup", "name", "words"),
    [
        ("filter", "rotatoin", ["`rotatoin` is not a filter", "did you mean `rotate`?", "`amp filters` lists all"]),
        ("filter", "zzzz", ["`zzzz` is not a filter", "`amp filters` lists all"]),
        ("filter", "nolibrary.Blur", ["`nolibrary.Blur` is not a filter"]),
        ("filter", "albumentations.Rotate", ["use `rotate`"]),
        ("source", "yollo", ["is not a source format", "did you mean `yolo`?", "coco"]),
        ("exporter", "coc", ["is not an export format", "did you mean `coco`?", "yolo"]),
        ("exporter", "", ["`` is not an export format"]),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest(lookup: str, name: str, words: list[str]) -> None:
    """And with all there are, or where to see them."""
    with pytest.raises(PluginError) as caught:
        getattr(BUILT_IN, lookup)(name)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_families_are_found_by_their_prefix() -> None:
    """A name with a dot asks the library before it."""
    plugin: Any = BUILT_IN.filter("albumentations.CLAHE")
    assert BUILT_IN.filter("albumentations.CLAHE") is plugin
    assert "CLAHE" in BUILT_IN.families["albumentations"].names()


def test_nearest_does_not_guess_wildly() -> None:
    """A word that is like none has no nearest one."""
    assert nearest("blurr", ["blur", "rotate"]) == "blur"
    assert nearest("qqq", ["blur", "rotate"]) is None
    assert nearest("blur", []) is None
    assert find({"a": 1}, "a", "a thing", "none") == 1
