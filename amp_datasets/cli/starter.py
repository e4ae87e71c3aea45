"""Writes a first manifest that can be built at once and teaches by its comments."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from amp_datasets.errors import ManifestError
from amp_datasets.images.codec import Limits
from amp_datasets.manifest.dump import name_after
from amp_datasets.manifest.json_schema import manifest_schema
from amp_datasets.manifest.load import validate
from amp_datasets.manifest.model import SourceSettings, is_address
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.sources.open import read_source
from amp_datasets.storage.yaml import parse_yaml

_TEMPLATE = """\
# yaml-language-server: $schema=./amp.schema.json
name: {name}
seed: 7
sources: {sources}
{classes}  # order = id; `drum: [Drum, snare]` merges names
splits: {{train: 0.8, validation: 0.1, test: 0.1}}  # by source image; variants follow; or keep
originals: true  # the untouched images too

filters:  # one variant each; `amp filters` lists all
  blur: {{sigma: 2.5}}
  brightness: {{percent: [20, 50], mode: both}}
  flip: {{how: horizontal}}  # leave it out if left and right mean something
  rotate: {{degrees: [5, 15]}}
  cutout: {{count: 5, percent: 15}}

mixes:  # several filters in a row; with `pick`, that many are drawn for each copy
  random:
    copies: 5
    pick: 2
    steps: [flip, rotate: {{degrees: [3, 15]}}, brightness: {{percent: [10, 40], mode: both}}, saturation]
"""


def write_starter(folder: Path, sources: Sequence[str], name: str | None) -> Path:
    """Write amp.yaml and amp.schema.json into a folder; an existing manifest is an error."""
    path = folder / "amp.yaml"
    if path.exists():
        raise ManifestError("there is a manifest already", where=path, fix="edit it, or choose another folder")
    registry = load_registry()
    classes: dict[str, None] = {}
    for source in sources:
        labels, _ = read_source(SourceSettings(path=source), registry, Limits())
        classes.update(dict.fromkeys(category.name for category in labels.categories))
    relative = [_relative(source, folder) for source in sources] or ["path/to/your/set"]
    text = _TEMPLATE.format(
        name=json.dumps(name or name_after(folder), ensure_ascii=False),
        sources=json.dumps(relative, ensure_ascii=False),
        classes=f"classes: {json.dumps(list(classes), ensure_ascii=False)}" if classes else "# classes: [drum, horn]",
    )
    document = parse_yaml(text.encode(), path)
    validate(document.value, registry, document)
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    schema = json.dumps(manifest_schema(registry), indent=2) + "\n"
    path.with_name("amp.schema.json").write_text(schema, encoding="utf-8")
    return path


def _relative(source: str, folder: Path) -> str:
    return source if is_address(source) else Path(os.path.relpath(source, folder)).as_posix()
