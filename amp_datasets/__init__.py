"""Small labelled image sets made large, with labels that stay exact.

import amp_datasets as amp

amp.build("amp.yaml", out="build")
train = amp.load("build")["train"]
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it asks the package index at every import otherwise

if TYPE_CHECKING:
    from amp_datasets.building.api import build as build
    from amp_datasets.errors import AmpError as AmpError
    from amp_datasets.loading.load import load as load

__version__ = "0.1.0"
__all__ = ["AmpError", "__version__", "build", "load"]

_HOMES = {"build": "building.api", "load": "loading.load", "AmpError": "errors"}


def __getattr__(name: str) -> Any:
    """Public names on first use, filters by their class names: the libraries behind them take seconds to import."""
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    if name[:1].isupper():
        from amp_datasets.plugin.discovery import load_registry

        filters = {plugin.__name__: plugin for plugin in load_registry().filters.values()}
        if name in filters:
            return filters[name]
        raise AttributeError(f"there is no filter {name!r}; there are: {', '.join(sorted(filters))}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """What users call."""
    return __all__
