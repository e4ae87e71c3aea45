"""Roboflow's settings of a version as steps of ours, and what has no equal here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from amp_datasets.errors import ManifestError
from amp_datasets.manifest.roboflow.augmentation import AUGMENTATION
from amp_datasets.manifest.roboflow.given import Given, OddError, Rule, Step, Translation
from amp_datasets.manifest.roboflow.preprocessing import PREPROCESSING
from amp_datasets.manifest.roboflow.settings import RoboflowSettings

CONTROLS = {"preprocessing": tuple(PREPROCESSING), "augmentation": tuple(AUGMENTATION)}
"""The keys of Roboflow's API that have an equal here."""
MAX_BOX_ROTATION = 15.0
"""The default of `labels.max_box_rotation`."""


def translate(settings: RoboflowSettings, where: object) -> Translation:
    """All settings as steps, in the order in which they follow each other. Raises ManifestError on odd values."""
    made = Translation()
    try:
        _take(settings.preprocessing, PREPROCESSING, "preprocessing", made, made.preprocess)
        _take(settings.augmentation, AUGMENTATION, "augmentation", made, made.steps)
    except OddError as error:
        fix = "save what Roboflow's API says as it is"
        raise ManifestError(f"Roboflow's settings cannot be read: {error}", where=where, fix=fix) from error
    _tell_of_turns(made)
    made.left_out += [f"{line} (not understood)" for line in settings.unread]
    if settings.applied:
        made.notes.append(
            "the images of this export have been through it already: take an export without augmentation as the source"
        )
    return made


def _take(
    given: Mapping[str, Any], table: Mapping[str, Rule], section: str, made: Translation, steps: list[Step]
) -> None:
    known = {_bare(key): key for key in given}
    for name, rule in table.items():
        if _bare(name) in known:
            key = known.pop(_bare(name))
            if given[key] not in (None, False, {}):
                steps += rule(Given(f"{section}.{key}", given[key], made.notes), made)
    made.left_out += [f"{section}.{key} (unknown)" for key in given if key in known.values() and given[key]]


def _tell_of_turns(made: Translation) -> None:
    """Say where plain boxes bear less than Roboflow gives them, which makes turned ones too large."""
    turns = sum(max(map(abs, step["rotate"]["degrees"])) for step in made.steps if "rotate" in step)
    if turns > MAX_BOX_ROTATION:
        made.notes.append(
            f"rotate: plain boxes are turned by at most {MAX_BOX_ROTATION:g} degrees in all, these turns come to "
            f"{turns:g}: `labels: {{outline: rect}}` (or ellipse) lets them, or max_box_rotation"
        )


def _bare(key: str) -> str:
    return re.sub(r"[^a-z0-9]", "", key.lower())
