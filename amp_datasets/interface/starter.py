"""Writes a first manifest beside a set: what was found in it, and a recipe to change, explained by comments."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amp_datasets.errors import ManifestError
from amp_datasets.images.codec import Limits
from amp_datasets.manifest.dump import name_after
from amp_datasets.manifest.json_schema import manifest_schema
from amp_datasets.manifest.load import validate
from amp_datasets.manifest.model import SourceSettings, is_address
from amp_datasets.manifest.resolve import NEW_SPLITS
from amp_datasets.manifest.roboflow.writing import WrittenRecipe, written_recipe
from amp_datasets.model import LabelSet
from amp_datasets.plugin.discovery import load_registry, shipped_manifests
from amp_datasets.sources.open import read_source
from amp_datasets.storage.files import write_file
from amp_datasets.storage.yaml import parse_yaml

_TEMPLATE = """\
# yaml-language-server: $schema=./amp.schema.json
name: {name}
seed: 7
sources: {sources}{found}
{classes}  # order = id; `drum: [Drum, snare]` merges names
splits: {splits}  # by source image; variants follow. `keep` takes those of the set
augment: [train]  # which splits get variants
originals: true   # the untouched images too

"""


@dataclass(frozen=True, slots=True)
class Started:
    """What `init` wrote, and what it found in the sets."""

    manifest: Path
    schema: Path
    found: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {"manifest": str(self.manifest), "schema": str(self.schema), "found": list(self.found)}

    def as_text(self) -> str:
        """What the command line shows."""
        return "\n".join([*self.found, f"wrote {self.manifest} and {self.schema}"])


def init(
    sources: str | Path | Iterable[str | Path] = (),
    out: str | Path | None = None,
    *,
    name: str | None = None,
    from_roboflow: str | Path | None = None,
) -> Started:
    """Write a manifest for some sets, and its schema for editors; an existing manifest is an error.

        started = amp.init("photos", from_roboflow="export/README.roboflow.txt")
        amp.build(started.manifest, out="build")

    It goes to `out`, by default to `amp.yaml` in the current folder, or beside the set if that is its own folder:
    nothing is ever written among the images. Its recipe is the default one, or what Roboflow's settings in a file say
    (`docs/roboflow.md`); what has no equal here stands in comments and in `found`. Raises AmpError.
    """
    named = [str(source) for source in ([sources] if isinstance(sources, str | Path) else sources)]
    settings = None if from_roboflow is None else Path(from_roboflow)
    return _write(named, _beside(named) if out is None else Path(out), name, settings)


def _write(sources: Sequence[str], path: Path, name: str | None, from_roboflow: Path | None) -> Started:
    _check_place(path, sources)
    registry = load_registry()
    read = [read_source(SourceSettings(path=source), registry, Limits()) for source in sources]
    sets = [labels for labels, _ in read]
    found = [f"{_reason(reason.reason)}; {_counted(labels)}" for labels, reason in read]
    classes = list(dict.fromkeys(category.name for labels in sets for category in labels.categories))
    recipe = WrittenRecipe(_recipe(), classes) if from_roboflow is None else written_recipe(from_roboflow, classes)
    found += recipe.found
    relative = [_relative(source, path.parent) for source in sources] or ["path/to/your/set"]
    has_splits = any(sample.split is not None for labels in sets for sample in labels.samples)
    shares = "{" + ", ".join(f"{split}: {share}" for split, share in NEW_SPLITS.items()) + "}"
    head = _TEMPLATE.format(
        name=json.dumps(name or name_after(_named_after(sources, path)), ensure_ascii=False),
        sources=json.dumps(relative, ensure_ascii=False),
        found="".join(f"\n# {line}" for line in found),
        classes=f"classes: {json.dumps(recipe.classes, ensure_ascii=False)}"
        if recipe.classes
        else "# classes: [drum, horn]",
        splits="keep" if has_splits else shares,
    )
    text = head + recipe.text
    document = parse_yaml(text.encode(), path)
    validate(document.value, registry, document)
    schema = path.with_name("amp.schema.json")
    write_file(path, text.encode())
    write_file(schema, (json.dumps(manifest_schema(registry), indent=2) + "\n").encode())
    return Started(path, schema, (*found, *recipe.said))


def _recipe() -> str:
    """What the default recipe makes: its text from the filters on."""
    text = shipped_manifests()["default"].read_text(encoding="utf-8")
    return text[text.index("mixes:") :]


def _beside(sources: Sequence[str]) -> Path:
    here = Path.cwd()
    for source in sources:
        folder = Path(source).resolve()
        if not is_address(source) and folder.is_dir() and (here == folder or folder in here.parents):
            return folder.parent / "amp.yaml"
    return Path("amp.yaml")


def _check_place(path: Path, sources: Sequence[str]) -> None:
    if path.exists():
        raise ManifestError("there is a manifest already", where=path, fix="edit it, or write another: -o NAME.yaml")
    for source in sources:
        folder = Path(source).resolve()
        if not is_address(source) and folder in path.resolve().parents:
            raise ManifestError("this would lie among the images", where=path, fix="give -o outside of the set")


def _named_after(sources: Sequence[str], path: Path) -> Path:
    return Path(sources[0].removesuffix(".zip")) if len(sources) == 1 else path.parent


def _reason(text: str) -> str:
    return " ".join(text.split())


def _counted(labels: LabelSet) -> str:
    count = sum(len(sample.annotations) for sample in labels.samples)
    return f"{len(labels.samples)} images, {count} labels of {len(labels.categories)} classes"


def _relative(source: str, folder: Path) -> str:
    return source if is_address(source) else Path(os.path.relpath(source, folder)).as_posix()
