"""Preference pairs for vision-language models: a right answer, and one with exactly one known error.

https://huggingface.co/docs/trl/dataset_formats#preference

    images/train/a.jpg
    train.preference.jsonl
                    {"prompt": [user message], "chosen": [assistant message], "rejected": [assistant message],
                     "images": ["images/train/a.jpg"], "error": "moved box", "error_detail": "..."}

The error is a moved box (overlap below 0.5 with where it was), a wrong class or a missed object; an image without
objects has none of them and is left out.
"""

from __future__ import annotations

import json
import random
from contextlib import ExitStack
from dataclasses import replace
from typing import IO, Annotated, ClassVar, Literal

from pydantic import Field

from amp_datasets.formats.base import Exporter, Feature, Options
from amp_datasets.model import LabelSet, Sample, Size

from .conversation import (
    Coordinates,
    Found,
    Order,
    Style,
    askable,
    assistant_message,
    detection_answer,
    detection_question,
    generator,
    objects,
    steps,
    user_message,
)

ErrorKind = Literal["moved box", "wrong class", "missed object"]
Spoilt = tuple[list[Found], str]
"""An answer with an error, and what it is."""

_OVERLAP = 0.5
_ATTEMPTS = 100


class PreferenceOptions(Options):
    """Which errors are made (`errors`), and how boxes are said (`coordinates`, `order`)."""

    errors: Annotated[tuple[ErrorKind, ...], Field(min_length=1)] = ("moved box", "wrong class", "missed object")
    coordinates: Coordinates = "pixels"
    order: Order = "xyxy"


class PreferenceExporter(Exporter[PreferenceOptions]):
    """Writes one pair for every image with objects."""

    name: ClassVar[str] = "preference"
    title: ClassVar[str] = "Preference pairs about images (TRL `prompt`, `chosen`, `rejected` JSONL)"
    options_type: ClassVar[type[Options]] = PreferenceOptions
    holds: ClassVar[frozenset[Feature]] = frozenset({"split"})
    shares_images: ClassVar[bool] = True

    def write(self, labels: LabelSet) -> None:
        """Write images and one JSONL a split."""
        files: dict[str, IO[str]] = {}
        with ExitStack() as stack:
            for sample in labels.samples:
                row = self._row(sample, askable(sample, labels.categories)) if sample.labelled else None
                if row is None:
                    continue
                split = str(sample.split)
                image = self.target / "images" / split / sample.source_id
                self.place(sample, image)
                if split not in files:
                    path = self.target / f"{split}.preference.jsonl"
                    files[split] = stack.enter_context(path.open("w", encoding="utf-8", newline="\n"))
                row["images"] = [image.relative_to(self.target).as_posix()]
                files[split].write(json.dumps(row, ensure_ascii=False) + "\n")

    def _row(self, sample: Sample, names: list[str]) -> dict[str, object] | None:
        style = Style(self.options.coordinates, self.options.order)
        draw = generator(sample.source_id, "preference")
        found = objects(sample, names, style)
        for kind in draw.sample(self.options.errors, len(self.options.errors)):
            spoilt = _spoil(kind, found, names, steps(sample.size, style), draw) if found else None
            if spoilt is not None:
                wrong, detail = spoilt
                return {
                    "prompt": [user_message(detection_question(names, style, draw))],
                    "chosen": [assistant_message(detection_answer(found, style))],
                    "rejected": [assistant_message(detection_answer(wrong, style))],
                    "error": kind,
                    "error_detail": detail,
                }
        return None


def _spoil(kind: ErrorKind, found: list[Found], names: list[str], limits: Size, draw: random.Random) -> Spoilt | None:
    """The answer with one error of this kind at one drawn object; None if this image does not allow it."""
    index = draw.randrange(len(found))
    if kind == "missed object":
        return found[:index] + found[index + 1 :], f"object {index + 1}, {found[index].label}, is left out"
    changed = _moved(found, index, limits, draw) if kind == "moved box" else _renamed(found, index, names, draw)
    if changed is None:
        return None
    one, detail = changed
    return [*found[:index], one, *found[index + 1 :]], f"object {index + 1}, {found[index].label}, {detail}"


def _moved(found: list[Found], index: int, limits: Size, draw: random.Random) -> tuple[Found, str] | None:
    """The object at another place, by up to its own size, where no object of its class is."""
    x0, y0, x1, y1 = found[index].xyxy
    width, height = x1 - x0, y1 - y0
    for _ in range(_ATTEMPTS):
        left = draw.randint(max(0, x0 - width), min(limits[0] - width, x0 + width))
        top = draw.randint(max(0, y0 - height), min(limits[1] - height, y0 + height))
        one = replace(found[index], xyxy=(left, top, left + width, top + height))
        if not _is_there(one, found):
            return one, f"is moved to an overlap (IoU) of {_iou(one, found[index]):.3f}"
    return None


def _renamed(found: list[Found], index: int, names: list[str], draw: random.Random) -> tuple[Found, str] | None:
    """The object as one of another class, none of which is there."""
    others = [replace(found[index], label=name) for name in names if name != found[index].label]
    wrong = [one for one in others if not _is_there(one, found)]
    if not wrong:
        return None
    one = draw.choice(wrong)
    return one, f"is called {one.label}"


def _is_there(one: Found, found: list[Found]) -> bool:
    """Whether an object of that class is where `one` says, so that saying it is no error."""
    return any(other.label == one.label and _iou(one, other) >= _OVERLAP for other in found)


def _iou(one: Found, other: Found) -> float:
    (a, b, c, d), (e, f, g, h) = one.xyxy, other.xyxy
    shared = max(0, min(c, g) - max(a, e)) * max(0, min(d, h) - max(b, f))
    return shared / ((c - a) * (d - b) + (g - e) * (h - f) - shared)
