"""Roboflow's augmentation as steps of a mix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from amp_datasets.manifest.roboflow.given import BLACK, Given, Rule, Step, Translation


def _around(limit: float) -> list[float]:
    return [-limit, limit]


def _versions(given: Given, made: Translation) -> Iterator[Step]:
    made.versions = int(given.number("versions", 1, 1000))
    yield from ()


def _flip(given: Given, _: Translation) -> Iterator[Step]:
    yield from ({"flip": {"how": axis, "p": 0.5}} for axis in ("horizontal", "vertical") if given.flag(axis))


def _ninety(given: Given, _: Translation) -> Iterator[Step]:
    turns = {"clockwise": 90, "upside-down": 180, "counter-clockwise": 270}
    chosen = [degrees for word, degrees in turns.items() if given.flag(word)]
    if chosen:  # not turned is as likely as each turn
        yield {"rotate90": {"degrees": chosen, "p": round(len(chosen) / (len(chosen) + 1), 4)}}


def _crop(given: Given, _: Translation) -> Iterator[Step]:
    low, high = given.number("min", 0, 95, 0), given.number("max", 0, 95)
    if high >= 1:
        yield {"zoom": {"percent": [max(1, low), max(1, low, high)]}}


def _rotate(given: Given, _: Translation) -> Iterator[Step]:
    degrees = given.number("degrees", 0, 180)
    if degrees >= 0.1:
        yield {"rotate": {"degrees": _around(degrees), "fill": BLACK}}


def _shear(given: Given, _: Translation) -> Iterator[Step]:
    for axis in ("horizontal", "vertical"):
        degrees = given.number(axis, 0, 60, 0)
        if degrees >= 0.1:
            yield {"shear": {"degrees": _around(degrees), "axis": axis, "fill": BLACK}}


def _some_grey(given: Given, _: Translation) -> Iterator[Step]:
    share = given.number("percent", 0, 100) / 100
    if share:
        yield {"grayscale": {"percent": 100, "p": round(share, 4)}}


def _hue(given: Given, _: Translation) -> Iterator[Step]:
    degrees = given.number("degrees", 0, 180)
    if degrees >= 1:
        yield {"hue": {"degrees": _around(degrees)}}


def _percent_around(name: str, most: float) -> Rule:
    def rule(given: Given, _: Translation) -> Iterator[Step]:
        percent = given.number("percent", 0, most)
        if percent >= 1:
            yield {name: {"percent": _around(percent)}}

    return rule


def _brightness(given: Given, _: Translation) -> Iterator[Step]:
    percent = given.number("percent", 0, 95)
    up, down = given.flag("brighten"), given.flag("darken")
    if percent >= 1 and up != down:
        yield {"brightness": {"percent": [1, percent], "mode": "positive" if up else "negative"}}
    elif percent >= 1:
        yield {"brightness": {"percent": _around(percent)}}


def _blur(given: Given, made: Translation) -> Iterator[Step]:
    pixels = given.number("pixels", 0, 100)
    if pixels < 0.5:
        made.left_out.append(f"{given.name}: up to {pixels:g} px changes nothing that can be seen")
        return
    yield {"blur": {"sigma": [0.5, pixels]}}


def _noise(given: Given, _: Translation) -> Iterator[Step]:
    share = given.number("percent", 0, 100) / 100
    if share:
        yield {"noise": {"amount": [0.001, max(0.001, round(share, 6))]}}


def _cutout(given: Given, _: Translation) -> Iterator[Step]:
    yield {"cutout": {"count": given.number("count", 1, 1000), "percent": given.number("percent", 1, 100)}}


def _mosaic(_: Given, __: Translation) -> Iterator[Step]:
    yield {"mosaic": {}}


def _motion_blur(given: Given, made: Translation) -> Iterator[Step]:
    length, angle = given.number("length", 0, 200), given.number("angle", -360, 360, 0) % 180
    if given.value.get("frames") if isinstance(given.value, Mapping) else None:
        made.left_out.append(f"{given.name}.frames: the blur is that of a shutter open all along, not of single frames")
    if length >= 3:
        yield {"motion_blur": {"length": [3, length], "degrees": angle if angle else [0, 180]}}


def _camera_gain(given: Given, _: Translation) -> Iterator[Step]:
    gain = given.number("gain", 0, 100)
    if gain >= 5:
        yield {"camera_gain": {"percent": [5, gain]}}


def _inside(rule: Rule) -> Rule:
    """The same in the boxes of all objects."""

    def within(given: Given, made: Translation) -> Iterator[Step]:
        for step in rule(given, made):
            for name, settings in step.items():
                yield {name: {**settings, "within": "objects"}}

    return within


_OF_IMAGES: dict[str, Rule] = {
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
AUGMENTATION: dict[str, Rule] = {
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
