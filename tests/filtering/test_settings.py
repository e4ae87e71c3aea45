"""Filters' settings: defaults filled in, every mistake told in plain words, and the same rules for editors."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from amp_datasets.filtering.settings import SettingsError, complete_settings, create, settings_schema
from amp_datasets.plugin.discovery import load_registry

REGISTRY = load_registry()
FILTERS = sorted(REGISTRY.filters)


def problems(name: str, given: Any) -> list[tuple[str | None, str, str | None]]:
    """What is wrong with a filter's settings."""
    with pytest.raises(SettingsError) as caught:
        complete_settings(REGISTRY.filter(name), given)
    return [tuple(problem) for problem in caught.value.problems]


@pytest.mark.parametrize("name", FILTERS)
def test_completed_settings_are_complete(name: str) -> None:
    """Nothing given means the defaults, they are valid themselves, and completing twice changes nothing."""
    plugin = REGISTRY.filter(name)
    complete = complete_settings(plugin, None)
    assert complete == complete_settings(plugin, {})
    assert complete == complete_settings(plugin, complete)
    assert set(complete) == set(settings_schema(plugin)["properties"])
    assert create(REGISTRY.filter(name), complete).name == name


@pytest.mark.parametrize("name", FILTERS)
def test_schema_agrees_with_the_filter(name: str) -> None:
    """What a filter accepts its schema accepts too, and what is not a setting neither does."""
    plugin = REGISTRY.filter(name)
    schema = settings_schema(plugin)
    check = jsonschema.Draft202012Validator(schema)
    jsonschema.Draft202012Validator.check_schema(schema)
    for example in plugin.examples:
        assert check.is_valid(complete_settings(plugin, example))
    assert not check.is_valid({"no_such_setting": 1})
    assert problems(name, {"no_such_setting": 1})[0][0] == "no_such_setting"


def test_every_wrong_setting_is_told() -> None:
    """Names and values, in plain words."""
    assert problems("blur", {"sigma": -3}) == [("sigma", "must be at least 0.5 (got -3)", None)]
    assert [found[0] for found in problems("rotate", {"degrees": "much", "fill": "pink?", "direction": 3})] == [
        "degrees", "direction", "fill",
    ]  # fmt: skip
    assert "must be 'horizontal', 'vertical'" in problems("flip", {"how": "sideways"})[0][1]


def test_mistyped_setting_suggests_the_nearest() -> None:
    """And lists those that there are."""
    ((name, what, fix),) = problems("rotate", {"degres": 5})
    assert (name, what) == ("degres", "`rotate` has no such setting")
    assert fix == "did you mean `degrees`?  its settings are: degrees, direction, fill, expand"
    assert problems("sobel", {"x": 1})[0][2] == "it has no settings"


@pytest.mark.parametrize("given", [3, "strong", [1, 2], True])
def test_settings_are_a_map(given: object) -> None:
    """Anything else is refused with an example of how it is written."""
    ((name, what, fix),) = problems("blur", given)
    assert name is None
    assert "are a map" in what
    assert "write `blur: {sigma: " in str(fix)


@pytest.mark.parametrize("own", ["p", "strict"])
def test_probability_is_not_a_setting(own: str) -> None:
    """A named filter is always applied, so Albumentations' `p` has no place in a manifest."""
    assert problems("blur", {own: 1})[0][0] == own


def test_range_reaches_the_filter_as_a_pair() -> None:
    """JSON has lists only; the filter gets the tuple it asks for."""
    complete = complete_settings(REGISTRY.filter("blur"), {"sigma": [1, 4]})
    assert complete == {"sigma": [1.0, 4.0]}
    assert create(REGISTRY.filter("blur"), complete).sigma == (1.0, 4.0)
