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
    from amp_datasets.building import build as build
    from amp_datasets.errors import AmpError as AmpError
    from amp_datasets.loading import load as load

__version__ = "0.1.0"
__all__ = ["AmpError", "__version__", "build", "load"]

_HOMES = {"build": "building", "load": "loading", "AmpError": "errors"}


def __getattr__(name: str) -> Any:
    """Public names on first use: the libraries behind them take seconds to import."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
