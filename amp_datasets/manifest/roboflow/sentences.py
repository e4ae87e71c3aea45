"""The sentences of README.roboflow.txt, and the lines of its web page, as the settings that they describe.

Two styles are read: sentences ("* Random rotation of between -15 and +15 degrees"), and what the page shows and people
copy ("Rotation: Between -15° and +15°", with "Bounding Box: " before what works inside boxes).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

_NUMBER = r"([-+±]?\d+(?:\.\d+)?)"
_PERCENT = rf"{_NUMBER} ?(?:%|percent)?"
_DEGREES = rf"{_NUMBER} ?(?:°|degrees)?"
_PIXELS = rf"{_NUMBER} ?(?:px|pixels?)"
Found = tuple[str, Any]
"""A key of Roboflow's API and its value."""


@dataclass
class Sentences:
    """What a text says. `applied` means that the images beside it have been through it."""

    preprocessing: dict[str, Any] = field(default_factory=dict)
    augmentation: dict[str, Any] = field(default_factory=dict)
    unread: tuple[str, ...] = ()
    said_anything: bool = False
    applied: bool = False


def read_sentences(texts: Iterable[str]) -> Sentences:
    """All that some texts say of preprocessing and augmentation, in any order of their sections."""
    found = Sentences()
    for text in texts:
        section = ""
        for line in (raw.strip().lstrip("*-• ").strip() for raw in text.splitlines()):
            heading = next((name for name, pattern in _HEADINGS if pattern.match(line)), None)
            section = heading or section
            found.said_anything |= heading is not None
            _count(line, found)
            if section and line and heading is None:
                _take(line, section, found)
    found.applied = bool(found.preprocessing.keys() - {"auto-orient"} or found.augmentation)
    return found


def _take(line: str, section: str, found: Sentences) -> None:
    inside = _INSIDE.match(line)
    if inside:
        section, line = "boxes", line[inside.end() :].strip()
    key, value = _understood(line, _PREPROCESSING if section == "preprocessing" else _AUGMENTATION)
    if not key:
        found.unread += () if _NOTHING.match(line) else (line,)
    elif section == "preprocessing":
        found.preprocessing[key] = value
    else:
        _add(found.augmentation, f"bb{key}" if section == "boxes" else key, value)


def _count(line: str, found: Sentences) -> None:
    """How many versions there are of each image."""
    counted = re.search(r"to create (\d+) versions? of each|outputs per training example:? (\d+)", line, re.IGNORECASE)
    if counted:
        found.said_anything = True
        found.augmentation["image"] = {"versions": int(counted.group(1) or counted.group(2))}


def _understood(line: str, patterns: Mapping[re.Pattern[str], Callable[..., Found]]) -> Found:
    for pattern, read in patterns.items():
        match = pattern.fullmatch(line.rstrip("."))
        if match:
            return read(*match.groups())
    return "", None


def _add(section: dict[str, Any], key: str, value: Any) -> None:
    """Two flips are two sentences of one setting."""
    if isinstance(section.get(key), dict) and isinstance(value, dict):
        value = {**section[key], **{name: inner for name, inner in value.items() if inner}}
    section[key] = value


def _far(low: str, high: str) -> float:
    """The larger of two limits, without its sign."""
    return max(abs(_value(low)), abs(_value(high)))


def _value(text: str) -> float:
    return float(text.lstrip("±"))


def _brightness(low: str, high: str) -> Found:
    return "brightness", {"brighten": _value(high) > 0, "darken": _value(low) < 0, "percent": _far(low, high)}


def _flips(words: str) -> Found:
    said = words.lower()
    return "flip", {"horizontal": "horizontal" in said, "vertical": "vertical" in said}


def _ninety(words: str) -> Found:
    said = words.lower()
    counter = "counter-clockwise" in said
    clockwise = "clockwise" in said.replace("counter-clockwise", "")
    return "ninety", {"clockwise": clockwise, "counter-clockwise": counter, "upside-down": "upside" in said}


def _static_crop(*ends: str) -> Found:
    left, right, top, bottom = (abs(float(end)) for end in ends)
    return "static-crop", {"x_min": left, "x_max": right, "y_min": top, "y_max": bottom}


def _patterns(*rows: tuple[str, Callable[..., Found]]) -> dict[re.Pattern[str], Callable[..., Found]]:
    return {re.compile(pattern, re.IGNORECASE): read for pattern, read in rows}


_HEADINGS = [
    ("preprocessing", re.compile(r"the following pre-?processing was applied|pre-?processing:?$", re.IGNORECASE)),
    ("boxes", re.compile(r"the following transformations were applied to the bounding boxes", re.IGNORECASE)),
    (
        "augmentation",
        re.compile(
            r"the following augmentation was applied|no image augmentation|augmentations?:?$|outputs per", re.IGNORECASE
        ),
    ),
]
_INSIDE = re.compile(r"bounding box:", re.IGNORECASE)
_NOTHING = re.compile(r"no (image )?(pre-?processing|augmentation)|https?://|=+$", re.IGNORECASE)
_PREPROCESSING = _patterns(
    (r"auto-orient.*", lambda: ("auto-orient", True)),
    (
        r"resize (?:to|:) ?(\d+) ?x ?(\d+) ?\((.+)\)",
        lambda w, h, how: ("resize", {"width": int(w), "height": int(h), "format": how}),
    ),
    (
        r"resize: (.+?) (?:to |in |within )?(\d+) ?x ?(\d+)",
        lambda how, w, h: ("resize", {"width": int(w), "height": int(h), "format": how}),
    ),
    (r"gr[ae]yscale.*", lambda: ("grayscale", True)),
    (r"auto-(?:adjust )?contrast(?: via|: using) (.+)", lambda how: ("contrast", {"type": how})),
    (r"isolate objects?.*", lambda: ("isolate", True)),
    (
        rf"(?:static )?crop:? {_PERCENT} ?(?:-|to) ?{_PERCENT} horizontal(?: region)?,? "
        rf"{_PERCENT} ?(?:-|to) ?{_PERCENT} vertical(?: region)?",
        _static_crop,
    ),
    (r"tile:? (\d+) rows? x (\d+) columns?", lambda r, c: ("tile", {"rows": int(r), "columns": int(c)})),
    (rf"filter null: require at least {_PERCENT} of .*", lambda p: ("filter-null", {"percent": float(p)})),
)  # fmt: skip
_AUGMENTATION = _patterns(
    (r"50% probability of (horizontal|vertical) flip", _flips),
    (r"flip: (.+)", _flips),
    (r"equal probability of one of the following 90-degree rotations: (.+)", _ninety),
    (r"90 ?[°º] rotate: (.+)", _ninety),
    (
        rf"randomly crop between {_NUMBER} and {_NUMBER} percent of the (?:image|bounding box)",
        lambda low, high: ("crop", {"min": float(low), "max": float(high)}),
    ),
    (
        rf"crop: {_PERCENT} minimum zoom, {_PERCENT} maximum zoom",
        lambda low, high: ("crop", {"min": float(low), "max": float(high)}),
    ),
    (
        rf"(?:random rotation of|rotation:) between {_DEGREES} and {_DEGREES}",
        lambda low, high: ("rotate", {"degrees": _far(low, high)}),
    ),
    (
        rf"random shear of between {_DEGREES} to {_DEGREES} horizontally and {_DEGREES} to {_DEGREES} vertically",
        lambda a, b, c, d: ("shear", {"horizontal": _far(a, b), "vertical": _far(c, d)}),
    ),
    (
        rf"shear: {_DEGREES} horizontal, {_DEGREES} vertical",
        lambda h, v: ("shear", {"horizontal": _value(h), "vertical": _value(v)}),
    ),
    (
        rf"(?:gr[ae]yscale:? (?:apply|applied) to|gr[ae]yscale applied to) {_PERCENT} of (?:images|all images)",
        lambda p: ("rgrayscale", {"percent": float(p)}),
    ),
    (
        rf"(?:random hue adjustment of|hue:) between {_DEGREES} and {_DEGREES}",
        lambda low, high: ("hue", {"degrees": _far(low, high)}),
    ),
    (
        rf"(?:random saturation adjustment of|saturation:) between {_PERCENT} and {_PERCENT}",
        lambda low, high: ("saturation", {"percent": _far(low, high)}),
    ),
    (
        rf"(?:random bri(?:gth|ght)ness adjustment of|brightness:) between {_PERCENT} and {_PERCENT}",
        _brightness,
    ),
    (
        rf"(?:random exposure adjustment of|exposure:) between {_PERCENT} and {_PERCENT}",
        lambda low, high: ("exposure", {"percent": _far(low, high)}),
    ),
    (rf"random gaussian blur of between 0 and {_PIXELS}", lambda p: ("blur", {"pixels": float(p)})),
    (rf"blur: up to {_PIXELS}", lambda p: ("blur", {"pixels": float(p)})),
    (rf"salt and pepper noise was applied to {_PERCENT} of pixels", lambda p: ("noise", {"percent": float(p)})),
    (rf"noise: up to {_PERCENT} of pixels", lambda p: ("noise", {"percent": float(p)})),
    (
        rf"cutout: (\d+) boxe?s? with {_PERCENT} size each",
        lambda n, p: ("cutout", {"count": int(n), "percent": float(p)}),
    ),
    (r"mosaic:? applied", lambda: ("mosaic", True)),
    (
        rf"motion blur: length: ?{_PIXELS}?,? angle: ?{_DEGREES},? frames: ?(\d+)",
        lambda p, a, n: ("motion-blur", {"length": float(p), "angle": float(a), "frames": int(n)}),
    ),
    (rf"camera gain:? up to {_NUMBER}.*", lambda p: ("camera-gain", {"gain": float(p)})),
)
