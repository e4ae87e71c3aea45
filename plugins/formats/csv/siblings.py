"""What the boxes of a doubtful table are, told by other tables that label the same images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from amp_datasets.formats.kit.box_form import UNCLEAR_FORM, BoxForm, Form
from amp_datasets.model import Box, Size

SETTLED = "form of the boxes settled by another file"
CONTRADICTED = "boxes contradict another file in every form"
_FORMS: tuple[Form, ...] = ("xywh", "xyxy", "cxcywh")
_SAME_PX = 0.51

Written = Mapping[tuple[str, str], Sequence[tuple[list[float], Size | None]]]
"""The four numbers of each box as they are written and the size of its image, by image and class."""
Boxes = Mapping[tuple[str, str], Sequence[Box]]
"""Boxes in pixels by image and class."""


def boxes_of(written: Written, form: BoxForm) -> dict[tuple[str, str], list[Box]]:
    """The boxes of a table in one form; what is no box in it is left out."""
    found: dict[tuple[str, str], list[Box]] = {}
    for key, rows in written.items():
        for numbers, size in rows:
            try:
                found.setdefault(key, []).append(form.xyxy(numbers, size))
            except ValueError:
                continue
    return found


def settled(form: BoxForm, written: Written, certain: Boxes) -> BoxForm | None:
    """The form in which all boxes are those of a certain table, of the same images and classes.

    As it was judged where they have nothing in common, or where several forms give these boxes; None where none does.
    """
    shared = {key: rows for key, rows in written.items() if key in certain}
    if not any(shared.values()):
        return form
    plain = replace(form, rule="", detail="")
    fitting = [each for each in _FORMS if _are_those(shared, replace(plain, form=each), certain)]
    if not fitting:
        return None
    if form.form in fitting:
        return form if len(fitting) > 1 else plain
    return replace(plain, form=fitting[0], rule=SETTLED) if len(fitting) == 1 else form


def is_doubtful(form: BoxForm) -> bool:
    """Whether nothing in a table itself tells what its boxes are."""
    return form.rule == UNCLEAR_FORM


def _are_those(written: Written, form: BoxForm, certain: Boxes) -> bool:
    """Whether each box of a table, read in a form, is one of the certain ones."""
    read = boxes_of(written, form)
    if sum(map(len, read.values())) != sum(map(len, written.values())):
        return False
    return all(
        any(max(abs(a - b) for a, b in zip(box, other, strict=True)) <= _SAME_PX for other in certain[key])
        for key, boxes in read.items()
        for box in boxes
    )
