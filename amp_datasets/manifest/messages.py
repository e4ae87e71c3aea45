"""A manifest's validation errors as sentences for people, each with its place in the file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from amp_datasets.errors import AmpError, nearest
from amp_datasets.filtering.settings import SettingsError, union_message
from amp_datasets.manifest.image_settings import Encode, LimitSettings
from amp_datasets.manifest.model import Hub, Labels, Manifest, Mix, SourceSettings
from amp_datasets.storage.yaml import KeyPath, YamlFile

_SECTIONS: dict[str, type[BaseModel]] = {
    "labels": Labels, "encode": Encode, "hub": Hub, "limits": LimitSettings, "mixes": Mix, "sources": SourceSettings
}  # fmt: skip


def complaints(error: ValidationError, document: YamlFile, root: type[BaseModel] = Manifest) -> list[AmpError]:
    """One error for each wrong value, in the order of the file; `root` is the model of the whole document."""
    by_place: dict[KeyPath, list[Any]] = {}
    for item in error.errors():
        by_place.setdefault(_place(item, document), []).append(item)
    places = [place for place in by_place if not _is_other_form(place, by_place)]
    found = [e for place in places for e in _errors(place, by_place[place], document, root)]
    return sorted(found, key=lambda e: _line(e.where))


def _place(item: Any, document: YamlFile) -> KeyPath:
    """The parts of a pydantic location that are in the file: not branches of unions, nor `steps` of a short form."""
    place: KeyPath = ()
    value: Any = document.value
    for key in item["loc"]:
        if (isinstance(value, dict) and key in value) or (
            isinstance(value, list) and isinstance(key, int) and key < len(value)
        ):
            value = value[key]
            place = (*place, key)
    return place


def _is_other_form(place: KeyPath, by_place: Mapping[KeyPath, list[Any]]) -> bool:
    """Whether the complaints say only that a map is not one of some words, while others go into the map."""
    deeper = any(len(other) > len(place) and other[: len(place)] == place for other in by_place)
    return deeper and all(item["type"].endswith(("literal_error", "_type", "too_short")) for item in by_place[place])


def _errors(place: KeyPath, items: list[Any], document: YamlFile, root: type[BaseModel]) -> Iterator[AmpError]:
    causes = [item.get("ctx", {}).get("error") for item in items]
    settings = next((cause for cause in causes if isinstance(cause, SettingsError)), None)
    where = document.where(place)
    if settings is not None:
        for problem in settings.problems:
            inner = _inside(place, problem.name, document)
            what = problem.what if problem.name is None else f"`{'.'.join(map(str, inner))}`: {problem.what}"
            yield AmpError(what, where=document.where(inner), fix=problem.fix)
        return
    if items[0]["type"] == "extra_forbidden":
        name = items[0]["loc"][-1]  # which the document lacks if it was given by `-s`
        near = nearest(str(name), _known(items[0]["loc"], root))
        fix = f"did you mean `{near}`?" if near else "`amp schema` lists all settings"
        yield AmpError(f"`{name}` is not a setting here", where=where, fix=fix)
        return
    if items[0]["type"] == "missing":
        yield AmpError(f"`{items[0]['loc'][-1]}` is missing", where=where)
        return
    text = union_message(items)
    yield AmpError(
        f"`{'.'.join(map(str, place))}`: {text}" if place else text,
        where=where,
        fix=_nearest_word(items) or _hint(place),
    )


def _hint(place: KeyPath) -> str | None:
    """What to write in places that are often misunderstood."""
    if place[:1] == ("splits",):
        return "write shares that add up to 1, like {train: 0.7, validation: 0.3}, or `70/20/10`, or `keep`"
    return None


def _nearest_word(items: list[Any]) -> str | None:
    """The word that was probably meant where one of a few is expected."""
    words = [word for item in items for word in re.findall(r"'([^']*)'", str(item.get("ctx", {}).get("expected", "")))]
    given = str(items[0]["input"])
    near = nearest(given, words) or next((word for word in words if given and word.startswith(given)), None)
    if near is not None and near == given and not isinstance(items[0]["input"], str):
        return f"write it as a word: '{near}'"
    return f"did you mean `{near}`?" if near is not None else None


def _inside(place: KeyPath, name: str | None, document: YamlFile) -> KeyPath:
    """Where a filter's setting stands, in the map form and in a step's `name: {settings}`."""
    if name is None:
        return place
    direct = (*place, name)
    if direct in document.marks:
        return direct
    return next((p for p in document.marks if p[: len(place)] == place and p[-1:] == (name,)), direct)


def _known(place: KeyPath, root: type[BaseModel]) -> list[str]:
    model = _SECTIONS.get(str(place[0]), root) if len(place) > 1 else root
    return list(model.model_fields)


def _line(where: str | None) -> tuple[int, int]:
    parts = (where or "").rsplit(":", 2)
    return (int(parts[1]), int(parts[2])) if len(parts) == 3 and parts[1].isdigit() and parts[2].isdigit() else (0, 0)
