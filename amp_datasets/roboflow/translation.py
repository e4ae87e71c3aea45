"""Roboflow's settings of a version as steps of ours, and what has no equal here."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from amp_datasets.errors import ManifestError
from amp_datasets.roboflow.settings import RoboflowSettings

Step = dict[str, dict[str, Any]]
"""A filter's name and its settings, as a manifest has them."""
BLACK, WHITE, GREY = [0, 0, 0], [255, 255, 255], [114, 114, 114]


@dataclass
class Translation:
    """The parts of a manifest, what was not taken over and why, and what is good to know of the rest.

    `classes` maps names to their new ones; None leaves a class out.
    """

    preprocess: list[Step] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    versions: int | None = None
    classes: dict[str, str | None] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class _Given:
    """One setting of Roboflow's, looked at with care: `name` is for messages."""

    def __init__(self, name: str, value: Any, notes: list[str]) -> None:
        self.name = name
        self._value = value
        self._notes = notes

    def number(self, key: str, low: float, high: float, default: float | None = None) -> float:
        """A number, brought into the range that the filter has (which is said)."""
        value = self._value.get(key, default) if isinstance(self._value, Mapping) else self._value
        try:
            number = float(value) if not isinstance(value, bool) else math.nan
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise _OddError(f"`{self.name}.{key}` is no number (got {str(value)[:60]!r})")
        if not low <= number <= high:
            self._notes.append(f"{self.name}.{key}: {number:g} is brought into {low:g} .. {high:g}")
        return _plain(min(max(number, low), high))

    def flag(self, key: str) -> bool:
        """Whether something is ticked."""
        return isinstance(self._value, Mapping) and self._value.get(key) in (True, "true", 1)

    def text(self, key: str) -> str:
        """A word, in lower case."""
        return str(self._value.get(key, "") if isinstance(self._value, Mapping) else self._value).lower()


class _OddError(ValueError):
    """A value that Roboflow would not give."""


def translate(settings: RoboflowSettings, where: object) -> Translation:
    """All settings as steps, in the order in which they follow each other. Raises ManifestError on odd values."""
    made = Translation()
    try:
        _take(settings.preprocessing, _PREPROCESSING, "preprocessing", made, made.preprocess)
        _take(settings.augmentation, _AUGMENTATION, "augmentation", made, made.steps)
    except _OddError as error:
        fix = "save what Roboflow's API says as it is"
        raise ManifestError(f"Roboflow's settings cannot be read: {error}", where=where, fix=fix) from error
    made.left_out += [f"{line} (not understood)" for line in settings.unread]
    if settings.applied:
        made.notes.append(
            "the images of this export have been through it already: take an export without augmentation as the source"
        )
    return made


def _take(
    given: Mapping[str, Any], table: Mapping[str, _Rule], section: str, made: Translation, steps: list[Step]
) -> None:
    known = {_bare(key): key for key in given}
    for name, rule in table.items():
        if _bare(name) in known:
            key = known.pop(_bare(name))
            if given[key] not in (None, False, {}):
                steps += rule(_Given(f"{section}.{key}", given[key], made.notes), made)
    made.left_out += [f"{section}.{key} (unknown)" for key in given if key in known.values() and given[key]]


def _bare(key: str) -> str:
    return re.sub(r"[^a-z0-9]", "", key.lower())


def _plain(number: float) -> float:
    """A whole number without its point."""
    return int(number) if number == int(number) else number


def _around(limit: float) -> list[float]:
    return [-limit, limit]


_Rule = Callable[[_Given, Translation], Iterator[Step]]


def _auto_orient(_: _Given, made: Translation) -> Iterator[Step]:
    made.notes.append("auto-orient: images are always upright here")
    yield from ()


def _isolate(_: _Given, __: Translation) -> Iterator[Step]:
    yield {"isolate_objects": {}}


def _static_crop(given: _Given, _: Translation) -> Iterator[Step]:
    x, y = ([given.number(f"{axis}_{end}", 0, 100) for end in ("min", "max")] for axis in "xy")
    yield {"static_crop": {"x": x, "y": y}}


def _tile(given: _Given, _: Translation) -> Iterator[Step]:
    rows, columns = given.number("rows", 1, 100), given.number("columns", 1, 100)
    if rows * columns > 1:
        yield {"tile": {"rows": rows, "columns": columns}}


def _resize(given: _Given, made: Translation) -> Iterator[Step]:
    size = [given.number(side, 1, 32_766) for side in ("width", "height")]
    said = given.text("format")
    how = next((ours for word, ours in _RESIZING if word in said), None)
    if how is None:
        raise _OddError(f"`{given.name}.format` is none of Roboflow's (got {said[:60]!r})")
    made.notes.append("resize: smaller images are not enlarged; `enlarge: true` does it")
    yield {"resize": {"size": size, **how}}


_RESIZING: tuple[tuple[str, dict[str, Any]], ...] = (
    ("stretch", {"how": "stretch"}),
    ("fill", {"how": "fill"}),
    ("within", {"how": "fit"}),
    ("black", {"how": "letterbox", "fill": BLACK}),
    ("white", {"how": "letterbox", "fill": WHITE}),
    ("reflect", {"how": "letterbox", "fill": "reflect"}),
    ("grey", {"how": "letterbox", "fill": GREY}),
    ("gray", {"how": "letterbox", "fill": GREY}),
)


def _grayscale_all(_: _Given, __: Translation) -> Iterator[Step]:
    yield {"grayscale": {"percent": 100}}


def _contrast(given: _Given, _: Translation) -> Iterator[Step]:
    said = given.text("type")
    how = (
        "adaptive" if "adaptive" in said else "equalize" if "equali" in said else "stretch" if "stretch" in said else ""
    )
    if not how:
        raise _OddError(f"`{given.name}.type` is none of Roboflow's (got {said[:60]!r})")
    yield {"auto_contrast": {"how": how}}


def _remap(given: _Given, made: Translation) -> Iterator[Step]:
    for name, new in given._value.items() if isinstance(given._value, Mapping) else ():
        if isinstance(new, str) and new.strip():
            made.classes[str(name)] = new
        elif new in (None, False, ""):
            made.classes[str(name)] = None
    yield from ()


def _filter_null(given: _Given, _: Translation) -> Iterator[Step]:
    yield {"filter_null": {"percent": given.number("percent", 0, 100)}}


def _filter_tag(given: _Given, made: Translation) -> Iterator[Step]:
    """Roboflow says a word of each tag; lists of tags by word are read too."""
    found: dict[str, list[str]] = {"require": [], "allow": [], "exclude": []}
    for key, value in given._value.items() if isinstance(given._value, Mapping) else ():
        if key in found and isinstance(value, list):
            found[key] += map(str, value)
        elif str(value).lower() in found:
            found[str(value).lower()].append(str(key))
        else:
            made.left_out.append(f"{given.name}: {key!s:.60} (unknown)")
    if any(found.values()):
        yield {"filter_tag": {word: tags for word, tags in found.items() if tags}}


_PREPROCESSING: dict[str, _Rule] = {
    "tag": _filter_tag,
    "filter-tag": _filter_tag,
    "auto-orient": _auto_orient,
    "isolate": _isolate,
    "static-crop": _static_crop,
    "tile": _tile,
    "resize": _resize,
    "grayscale": _grayscale_all,
    "contrast": _contrast,
    "remap": _remap,
    "filter-null": _filter_null,
}
"""In the order in which the steps are to follow each other: what cuts, then what resizes, then values, then choices."""


def _versions(given: _Given, made: Translation) -> Iterator[Step]:
    made.versions = int(given.number("versions", 1, 1000))
    yield from ()


def _flip(given: _Given, _: Translation) -> Iterator[Step]:
    yield from ({"flip": {"how": axis, "p": 0.5}} for axis in ("horizontal", "vertical") if given.flag(axis))


def _ninety(given: _Given, _: Translation) -> Iterator[Step]:
    turns = {"clockwise": 90, "upside-down": 180, "counter-clockwise": 270}
    chosen = [degrees for word, degrees in turns.items() if given.flag(word)]
    if chosen:  # not turned is as likely as each turn
        yield {"rotate90": {"degrees": chosen, "p": round(len(chosen) / (len(chosen) + 1), 4)}}


def _crop(given: _Given, _: Translation) -> Iterator[Step]:
    low, high = given.number("min", 0, 95, 0), given.number("max", 0, 95)
    if high >= 1:
        yield {"zoom": {"percent": [max(1, low), max(1, low, high)]}}


def _rotate(given: _Given, _: Translation) -> Iterator[Step]:
    degrees = given.number("degrees", 0, 180)
    if degrees >= 0.1:
        yield {"rotate": {"degrees": _around(degrees), "fill": BLACK}}


def _shear(given: _Given, _: Translation) -> Iterator[Step]:
    for axis in ("horizontal", "vertical"):
        degrees = given.number(axis, 0, 60, 0)
        if degrees >= 0.1:
            yield {"shear": {"degrees": _around(degrees), "axis": axis, "fill": BLACK}}


def _some_grey(given: _Given, _: Translation) -> Iterator[Step]:
    share = given.number("percent", 0, 100) / 100
    if share:
        yield {"grayscale": {"percent": 100, "p": round(share, 4)}}


def _hue(given: _Given, _: Translation) -> Iterator[Step]:
    degrees = given.number("degrees", 0, 180)
    if degrees >= 1:
        yield {"hue": {"degrees": _around(degrees)}}


def _percent_around(name: str, most: float) -> _Rule:
    def rule(given: _Given, _: Translation) -> Iterator[Step]:
        percent = given.number("percent", 0, most)
        if percent >= 1:
            yield {name: {"percent": _around(percent)}}

    return rule


def _brightness(given: _Given, _: Translation) -> Iterator[Step]:
    percent = given.number("percent", 0, 95)
    up, down = given.flag("brighten"), given.flag("darken")
    if percent >= 1 and up != down:
        yield {"brightness": {"percent": [1, percent], "mode": "positive" if up else "negative"}}
    elif percent >= 1:
        yield {"brightness": {"percent": _around(percent)}}


def _blur(given: _Given, made: Translation) -> Iterator[Step]:
    pixels = given.number("pixels", 0, 100)
    if pixels < 0.5:
        made.left_out.append(f"{given.name}: up to {pixels:g} px changes nothing that can be seen")
        return
    yield {"blur": {"sigma": [0.5, pixels]}}


def _noise(given: _Given, _: Translation) -> Iterator[Step]:
    share = given.number("percent", 0, 100) / 100
    if share:
        yield {"noise": {"amount": [0.001, max(0.001, round(share, 6))]}}


def _cutout(given: _Given, _: Translation) -> Iterator[Step]:
    yield {"cutout": {"count": given.number("count", 1, 1000), "percent": given.number("percent", 1, 100)}}


def _mosaic(_: _Given, __: Translation) -> Iterator[Step]:
    yield {"mosaic": {}}


def _motion_blur(given: _Given, made: Translation) -> Iterator[Step]:
    length, angle = given.number("length", 0, 200), given.number("angle", -360, 360, 0) % 180
    if given._value.get("frames") if isinstance(given._value, Mapping) else None:
        made.left_out.append(f"{given.name}.frames: the blur is that of a shutter open all along, not of single frames")
    if length >= 3:
        yield {"motion_blur": {"length": [3, length], "degrees": angle if angle else [0, 180]}}


def _camera_gain(given: _Given, _: Translation) -> Iterator[Step]:
    gain = given.number("gain", 0, 100)
    if gain >= 5:
        yield {"camera_gain": {"percent": [5, gain]}}


def _inside(rule: _Rule) -> _Rule:
    """The same in the boxes of all objects."""

    def within(given: _Given, made: Translation) -> Iterator[Step]:
        for step in rule(given, made):
            for name, settings in step.items():
                yield {name: {**settings, "within": "objects"}}

    return within


_OF_IMAGES: dict[str, _Rule] = {
    "flip": _flip,
    "ninety": _ninety,
    "crop": _crop,
    "rotate": _rotate,
    "shear": _shear,
    "brightness": _brightness,
    "exposure": _percent_around("exposure", 100),
    "blur": _blur,
    "noise": _noise,
}
"""What Roboflow offers for whole images and for the inside of boxes."""
_AUGMENTATION: dict[str, _Rule] = {
    "image": _versions,
    "mosaic": _mosaic,
    **{f"bb{name}": _inside(rule) for name, rule in _OF_IMAGES.items()},
    **{name: _OF_IMAGES[name] for name in ("flip", "ninety", "crop", "rotate", "shear")},
    "rgrayscale": _some_grey,
    "grayscale": _some_grey,
    "hue": _hue,
    "saturation": _percent_around("saturation", 100),
    **{name: _OF_IMAGES[name] for name in ("brightness", "exposure", "blur")},
    "motion-blur": _motion_blur,
    "camera-gain": _camera_gain,
    "noise": _noise,
    "cutout": _cutout,
}
CONTROLS = {"preprocessing": tuple(_PREPROCESSING), "augmentation": tuple(_AUGMENTATION)}
"""The keys of Roboflow's API that have an equal here."""
