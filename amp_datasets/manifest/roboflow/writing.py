"""A translation as the text of a manifest, with what has no equal said in comments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from amp_datasets.manifest.roboflow.given import Step, Translation
from amp_datasets.manifest.roboflow.settings import read_settings
from amp_datasets.manifest.roboflow.translation import translate
from amp_datasets.shown import plain

_END = """
labels: {min_visibility: 0.4, drop_below: 0.1}
encode: {format: keep, quality: 95, subsampling: keep}
exports: [yolo, coco, hf]
"""


@dataclass(frozen=True, slots=True)
class WrittenRecipe:
    """The part of a manifest from `preprocess` on, the classes before it, and what people should be told.

    `found` are facts of the export, `said` what of its recipe is another here.
    """

    text: str
    classes: Sequence[Any] = ()
    found: Sequence[str] = ()
    said: Sequence[str] = ()


def written_recipe(path: Path, classes: Sequence[str]) -> WrittenRecipe:
    """What a file of Roboflow's says, for a set with these classes. Raises ManifestError if it says nothing."""
    settings = read_settings(path)
    made = translate(settings, path)
    if made.classes and not classes:
        made.left_out.append("preprocessing.remap (name the set too: `amp init SET --from-roboflow FILE`)")
    entries, some_are_left_out = _classes(classes, made.classes)
    head = "unknown_classes: drop\n" if some_are_left_out else ""
    from_where = settings.provenance.as_text()
    return WrittenRecipe(head + _recipe(made), entries, [from_where] if from_where else [], _said(made))


def _recipe(made: Translation) -> str:
    lines = [f"# {line}" for line in _said(made)]
    if made.preprocess:
        lines += ["", "preprocess:  # what every image of every split goes through first"]
        lines += [f"  - {_line(step)}" for step in made.preprocess]
    if made.steps:
        count = f"versions: {made.versions}  # of each image: itself, and the others" if _many(made) else "copies: 1"
        lines += ["", "mixes:", "  version:", f"    {count}", "    steps:"]
        lines += [f"      - {_line(step)}" for step in made.steps]
    return "\n".join(lines) + "\n" + _END


def _many(made: Translation) -> bool:
    return (made.versions or 1) > 1


def _said(made: Translation) -> list[str]:
    """What is not taken over, and what is good to know."""
    lines = [f"no equal: {line}" for line in made.left_out] + made.notes
    if made.steps and not _many(made):
        lines.append("one version: it takes the image's place there; `originals: false` does that here")
    return [plain(" ".join(line.split()))[:200] for line in lines]


def _classes(names: Sequence[str], renamed: Mapping[str, str | None]) -> tuple[list[Any], bool]:
    """A set's classes after Roboflow's changes, as a manifest lists them; and whether some are left out."""
    merged: dict[str, list[str]] = {}
    for name in names:
        new = renamed.get(name, name)
        if new is not None:
            merged.setdefault(new, []).extend([name] if name != new else [])
    entries: list[Any] = [{new: old} if old else new for new, old in merged.items()]
    return entries, any(renamed.get(name, name) is None for name in names)


def _line(step: Step) -> str:
    """A step on one line."""
    ((name, settings),) = step.items()
    text = yaml.safe_dump(settings, default_flow_style=True, sort_keys=False, width=10_000, allow_unicode=True).strip()
    return f"{name}: {text}" if settings else name
