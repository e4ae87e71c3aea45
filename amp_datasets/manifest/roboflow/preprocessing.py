"""Roboflow's preprocessing as steps of `preprocess`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from amp_datasets.manifest.roboflow.given import BLACK, GREY, WHITE, Given, OddError, Rule, Step, Translation


def _auto_orient(_: Given, made: Translation) -> Iterator[Step]:
    made.notes.append("auto-orient: images are always upright here")
    yield from ()


def _isolate(_: Given, __: Translation) -> Iterator[Step]:
    yield {"isolate_objects": {"classify": True}}


def _static_crop(given: Given, _: Translation) -> Iterator[Step]:
    x, y = ([given.number(f"{axis}_{end}", 0, 100) for end in ("min", "max")] for axis in "xy")
    yield {"static_crop": {"x": x, "y": y}}


def _tile(given: Given, _: Translation) -> Iterator[Step]:
    rows, columns = given.number("rows", 1, 100), given.number("columns", 1, 100)
    if rows * columns > 1:
        yield {"tile": {"rows": rows, "columns": columns}}


def _resize(given: Given, made: Translation) -> Iterator[Step]:
    size = [given.number(side, 1, 32_766) for side in ("width", "height")]
    said = given.text("format")
    how = next((ours for word, ours in _RESIZING if word in said), None)
    if how is None:
        raise OddError(f"`{given.name}.format` is none of Roboflow's (got {said[:60]!r})")
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


def _grayscale_all(_: Given, __: Translation) -> Iterator[Step]:
    yield {"grayscale": {"percent": 100}}


def _contrast(given: Given, _: Translation) -> Iterator[Step]:
    said = given.text("type")
    how = (
        "adaptive" if "adaptive" in said else "equalize" if "equali" in said else "stretch" if "stretch" in said else ""
    )
    if not how:
        raise OddError(f"`{given.name}.type` is none of Roboflow's (got {said[:60]!r})")
    yield {"auto_contrast": {"how": how}}


def _remap(given: Given, made: Translation) -> Iterator[Step]:
    for name, new in given.value.items() if isinstance(given.value, Mapping) else ():
        if isinstance(new, str) and new.strip():
            made.classes[str(name)] = new
        elif new in (None, False, ""):
            made.classes[str(name)] = None
    yield from ()


def _filter_null(given: Given, _: Translation) -> Iterator[Step]:
    yield {"filter_null": {"percent": given.number("percent", 0, 100)}}


def _filter_tag(given: Given, made: Translation) -> Iterator[Step]:
    """Roboflow says a word of each tag; lists of tags by word are read too."""
    found: dict[str, list[str]] = {"require": [], "allow": [], "exclude": []}
    for key, value in given.value.items() if isinstance(given.value, Mapping) else ():
        if key in found and isinstance(value, list):
            found[key] += map(str, value)
        elif str(value).lower() in found:
            found[str(value).lower()].append(str(key))
        else:
            made.left_out.append(f"{given.name}: {key!s:.60} (unknown)")
    if any(found.values()):
        yield {"filter_tag": {word: tags for word, tags in found.items() if tags}}


PREPROCESSING: dict[str, Rule] = {
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
