"""Reads what Roboflow says of a version: the JSON of its API, or the text that comes with an export."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from amp_datasets.errors import ManifestError
from amp_datasets.manifest.roboflow.provenance import LICENCE_FILES, Provenance, provenance_in
from amp_datasets.manifest.roboflow.sentences import read_sentences
from amp_datasets.storage.files import read_file

MAX_BYTES = 4 * 2**20
_SECTIONS = ("preprocessing", "augmentation")


@dataclass(frozen=True, slots=True)
class RoboflowSettings:
    """A version's settings by the names of Roboflow's API, and where its images come from.

    `unread` are lines of a text that say something unknown; `applied` says that the images beside it have been through
    all this already.
    """

    preprocessing: Mapping[str, Any]
    augmentation: Mapping[str, Any]
    provenance: Provenance = field(default_factory=Provenance)
    unread: tuple[str, ...] = ()
    applied: bool = False


def read_settings(path: Path) -> RoboflowSettings:
    """The settings in a JSON file (as the API gives and takes it), or in README.roboflow.txt or README.dataset.txt.

    Of the two texts either may be named, or the folder of the export: what the other says is read too. Raises
    ManifestError if there is nothing of the kind in the file.
    """
    path = path / LICENCE_FILES[0] if path.is_dir() else path
    text = _text(path)
    if text.lstrip().startswith(("{", "[")):
        return _from_json(text, path)
    texts = [text]
    if path.name in LICENCE_FILES:
        others = (path.with_name(name) for name in LICENCE_FILES if name != path.name)
        texts += [_text(other) for other in others if other.is_file()]
    found = read_sentences(texts)
    if not found.said_anything:
        raise ManifestError(
            "this says nothing of a version's preprocessing or augmentation",
            where=path,
            fix="give the JSON of Roboflow's API (preprocessing, augmentation) or an export's README.roboflow.txt",
        )
    return RoboflowSettings(
        found.preprocessing, found.augmentation, provenance_in(texts), found.unread, applied=found.applied
    )


def _text(path: Path) -> str:
    try:
        return read_file(path, MAX_BYTES, follow=True).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ManifestError(f"Roboflow's settings cannot be read: {why}", where=path, fix="check the path") from error


def _from_json(text: str, path: Path) -> RoboflowSettings:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"this is not JSON: {error}", where=path, fix="save the API's answer as it is") from error
    places = [document, *(document.values() if isinstance(document, dict) else ())]
    found = [place for place in places if isinstance(place, dict) and any(name in place for name in _SECTIONS)]
    if not found:
        raise ManifestError(
            "neither `preprocessing` nor `augmentation` is in this JSON",
            where=path,
            fix="give what the API says of one version, or what it takes to generate one",
        )
    sections = [found[0].get(name) or {} for name in _SECTIONS]
    for name, section in zip(_SECTIONS, sections, strict=True):
        if not isinstance(section, dict):
            raise ManifestError(f"`{name}` is no map of settings", where=path, fix="save the API's answer as it is")
    licences = [str(place["license"]) for place in places if isinstance(place, dict) and place.get("license")]
    return RoboflowSettings(sections[0], sections[1], Provenance(licence=licences[0] if licences else ""))
