"""The filters as transforms for Python code: `from amp_datasets.filters import Rotate`."""

from __future__ import annotations

from typing import Any

from amp_datasets.discovery import load_registry


def __getattr__(name: str) -> Any:
    """A filter's class by its name, shipped or of a plugin."""
    classes = {plugin.__name__: plugin for plugin in load_registry().filters.values()}
    if name not in classes:
        raise AttributeError(f"there is no filter {name!r}; there are: {', '.join(sorted(classes))}")
    return classes[name]


def __dir__() -> list[str]:
    """The names of all filters."""
    return sorted(plugin.__name__ for plugin in load_registry().filters.values())
