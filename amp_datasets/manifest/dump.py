"""A manifest as a document again: all defaults filled in, loadable, with paths that survive moving the build along."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import yaml

from amp_datasets.manifest.model import Manifest, is_address
from amp_datasets.storage.upload import is_staged
from amp_datasets.variants.recipe import Step


def manifest_document(manifest: Manifest, base: Path) -> dict[str, Any]:
    """The manifest as plain data that `load_manifest` reads; source paths are relative to the folder `base`."""
    document = manifest.model_dump(
        mode="json", exclude={"preprocess", "filters", "mixes", "sources"}, exclude_none=True
    )
    document["sources"] = [
        {**source.model_dump(mode="json", exclude_defaults=True), "path": _relative(source.path, base)}
        for source in manifest.sources
    ]
    document["preprocess"] = [_step(step) for step in manifest.preprocess]
    document["filters"] = {name: _settings(step) for name, step in manifest.filters.items()}
    document["mixes"] = {
        name: {
            **mix.model_dump(mode="json", exclude={"steps"}, exclude_none=True),
            "steps": [_step(s) for s in mix.steps],
        }
        for name, mix in manifest.mixes.items()
    }
    return document


def manifest_text(document: dict[str, Any]) -> str:
    """The document as YAML."""
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110)


def name_after(folder: Path) -> str:
    """A dataset's name made from a folder's."""
    return re.sub(r"[^\w-]+|_{2,}", "-", folder.resolve().name)[:64].strip("-_") or "dataset"


def _step(step: Step) -> dict[str, Any]:
    return {step.filter: _settings(step)}


def _settings(step: Step) -> dict[str, Any]:
    return {**step.settings, **step.conditions()}


def _relative(path: str, base: Path) -> str:
    if is_address(path) or is_staged(base):
        return path
    return Path(os.path.relpath(path, base.resolve())).as_posix()
