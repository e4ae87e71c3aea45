"""The contract of a filter, held against every registered one over its own examples."""

from __future__ import annotations

import sys
from pathlib import Path

import albumentations as A  # noqa: N812
import pytest

from amp_datasets.filtering.base import Filter
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.testing import Law, filter_laws

FILTERS = [plugin for _, plugin in sorted(load_registry().filters.items())]


@pytest.mark.parametrize("law", [law for plugin in FILTERS for law in filter_laws(plugin)], ids=str)
def test_filter_keeps_the_contract(law: Law) -> None:
    """What `amp_datasets.testing` gives to everybody holds for our own, over each example."""
    law()


@pytest.mark.parametrize("plugin", FILTERS)
def test_filter_is_named_after_its_file(plugin: type[Filter]) -> None:
    """A reader finds one from the other, and anybody's `A.from_dict` finds the class."""
    assert Path(str(sys.modules[plugin.__module__].__file__)).stem == plugin.name
    assert A.to_dict(plugin())["transform"]["__class_fullname__"] == f"amp_datasets.{plugin.__name__}"
