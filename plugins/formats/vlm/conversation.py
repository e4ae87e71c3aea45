"""Questions about a labelled image and the answers that its labels give, as vision-language trainers read them.

The wording is drawn from short lists by a generator that depends on the image alone, so that an export is the same
bytes every time and adding an image changes no other line.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from amp_datasets.geometry.shapes import clip_box
from amp_datasets.model import Box, Category, Sample, Size

Coordinates = Literal["pixels", "thousand", "loc"]
Order = Literal["xyxy", "yxyx"]

NOTHING = "none"
"""The answer where there is nothing to find or count."""

_DETECT = (
    "Find every {classes} in the image.",
    "Detect all objects of these classes: {classes}.",
    "Where are the objects of the classes {classes}?",
    "Locate each {classes} that you can see.",
)
_COUNT = (
    "How many objects of the class {name} are in the image?",
    "Count the objects of the class {name}.",
    "What is the number of {name} objects here?",
)
_UNITS = {"pixels": "pixels", "thousand": "thousandths of the image's width and height (0 to 1000)"}
_CORNERS = {"xyxy": "x_min, y_min, x_max, y_max", "yxyx": "y_min, x_min, y_max, x_max"}


@dataclass(frozen=True, slots=True)
class Style:
    """How boxes are said: `loc` is PaliGemma's `<locYYYY><locXXXX><locYYYY><locXXXX> name` with 1024 steps."""

    coordinates: Coordinates = "pixels"
    order: Order = "xyxy"


@dataclass(frozen=True, slots=True)
class Found:
    """One object of an answer: its class, and its box in the whole numbers that are said."""

    label: str
    xyxy: tuple[int, int, int, int]


def generator(source_id: str, use: str) -> random.Random:
    """A generator that depends on the image and on what it is used for, and on nothing else."""
    digest = hashlib.blake2b(f"{use}|{source_id}".encode(), digest_size=16).digest()
    return random.Random(int.from_bytes(digest, "little"))


def askable(sample: Sample, categories: Iterable[Category]) -> list[str]:
    """The classes that can be asked for: not those of which the image has a crowd, whose members nobody labelled."""
    crowds = {annotation.category for annotation in sample.annotations if annotation.iscrowd}
    return [category.name for category in categories if category.name not in crowds]


def objects(sample: Sample, names: Iterable[str], style: Style) -> list[Found]:
    """The objects of some classes in reading order: from top to bottom, then from left to right."""
    wanted = frozenset(names)
    found = [Found(a.category, _said(a.xyxy, sample.size, style)) for a in sample.annotations if a.category in wanted]
    return sorted(found, key=lambda one: (one.xyxy[1], one.xyxy[0], one.xyxy[2:], one.label))


def detection_question(names: Sequence[str], style: Style, draw: random.Random) -> str:
    """Asks for all objects of some classes and says in which form; for `loc`, PaliGemma's own fixed prompt."""
    if style.coordinates == "loc":
        return f"detect {' ; '.join(names)}"
    asked = draw.choice(_DETECT).format(classes=", ".join(names))
    form = f'a JSON list of {{"bbox_2d": [{_CORNERS[style.order]}], "label": class}}'
    return f'{asked} Answer with {form}, in {_UNITS[style.coordinates]}, or "{NOTHING}".'


def detection_answer(found: Sequence[Found], style: Style) -> str:
    """The objects as the question asked for them."""
    if not found:
        return NOTHING
    if style.coordinates == "loc":
        return " ; ".join(f"{_locations(one)} {one.label}" for one in found)
    return json.dumps(
        [{"bbox_2d": _ordered(one, style.order), "label": one.label} for one in found], ensure_ascii=False
    )


def counting(sample: Sample, names: Sequence[str], draw: random.Random) -> tuple[str, str]:
    """A question for the number of objects of one class, mostly one that is there, and its answer."""
    present = [name for name in names if any(a.category == name for a in sample.annotations)]
    name = draw.choice(present) if present and draw.random() < 0.75 else draw.choice(list(names))
    count = sum(annotation.category == name for annotation in sample.annotations)
    question = f'{draw.choice(_COUNT).format(name=name)} Answer with a number, or "{NOTHING}".'
    return question, str(count) if count else NOTHING


def steps(size: Size, style: Style) -> Size:
    """The largest numbers that the style says in x and in y."""
    return {"pixels": size, "thousand": (1000, 1000), "loc": (1023, 1023)}[style.coordinates]


def user_message(question: str) -> dict[str, Any]:
    """What the user shows and asks."""
    return {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]}


def assistant_message(answer: str) -> dict[str, Any]:
    """What the assistant says."""
    return {"role": "assistant", "content": [{"type": "text", "text": answer}]}


def _said(xyxy: Box, size: Size, style: Style) -> tuple[int, int, int, int]:
    """A box in whole numbers of the style's unit, inside the image and never without width or height."""
    x0, y0, x1, y1 = clip_box(xyxy, size)
    in_x, in_y = steps(size, style)
    left, right = _span(x0 / size[0], x1 / size[0], in_x)
    top, bottom = _span(y0 / size[1], y1 / size[1], in_y)
    return left, top, right, bottom


def _span(low: float, high: float, end: int) -> tuple[int, int]:
    first, last = round(low * end), round(high * end)
    if last > first:
        return first, last
    return (first, first + 1) if first < end else (first - 1, first)


def _ordered(one: Found, order: Order) -> list[int]:
    x0, y0, x1, y1 = one.xyxy
    return [x0, y0, x1, y1] if order == "xyxy" else [y0, x0, y1, x1]


def _locations(one: Found) -> str:
    """https://github.com/google-research/big_vision/blob/main/big_vision/configs/proj/paligemma/README.md."""
    return "".join(f"<loc{value:04d}>" for value in _ordered(one, "yxyx"))
