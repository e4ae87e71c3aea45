"""What the four numbers of a box are: told by all boxes of a file together, never by one of them.

A format says what its boxes are, and files say otherwise: COCO files with corners in place of sizes, rows with shares
of the image. Three things tell, the surest first: an `area` or an outline that fits one reading alone,
boxes that would reach out of their images, and corners that would be a strange chance if they were sizes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from amp_datasets.formats.kit.parsing import finite
from amp_datasets.geometry.shapes import cxcywh_to_xyxy
from amp_datasets.model import Box, FloatArray, Size

Form = Literal["xywh", "xyxy", "cxcywh"]
GivenForm = Literal["auto", "xywh", "xyxy", "cxcywh"]

OTHER_FORM = "boxes are not what the format says"
UNCLEAR_FORM = "form of the boxes is not clear"
_Flags = NDArray[np.bool_]
_WORDS: Mapping[Form, str] = {
    "xywh": "a corner and a size (xywh)",
    "xyxy": "two corners (xyxy)",
    "cxcywh": "a centre and a size (cxcywh)",
}
_MAX_SEEN = 5000
"""More boxes than this prove nothing new."""
_SLACK = 0.01
"""How far a box may reach out of its image, as a share of the side, before its reading is in doubt; and one pixel."""
_SAME_AREA = 0.01
_SAME_PX = 2.0
_FEW = 3
"""Fewer boxes than this that reach out of their images are slips of the hand."""
_CHANCE = 0.5
"""Sizes that look like corners by a smaller chance than this are in doubt."""
_NEARLY_ALL = 0.99
_DOUBTFUL = 0.05
"""A share of contrary proofs that is no accident."""
_NEARLY_ALL_SHARES = 0.9
_ABOVE_ONE = 0.05
"""What rounding may add to a share."""


@dataclass(frozen=True, slots=True)
class BoxForm:
    """How to read four numbers: `form`, in shares of the image or in pixels.

    `rule` is what to report of it (empty if the format's own form stands unquestioned), `detail` says why.
    """

    form: Form = "xywh"
    shares: bool = False
    rule: str = ""
    detail: str = ""

    def xyxy(self, value: object, size: Size | None) -> Box:
        """The box that a list of four numbers means, in pixels; ValueError if it is none."""
        if not isinstance(value, list | tuple) or len(value) != 4:
            raise ValueError("missing" if value is None else f"{str(value)[:40]} is not four numbers")
        x, y, third, fourth = value
        plain = type(x) is float and type(y) is float and type(third) is float and type(fourth) is float
        if not (plain and isfinite(x + y + third + fourth)):  # hardly ever: look at each by itself
            x, y, third, fourth = map(finite, value)
        if self.form == "xywh":  # nearly always
            box: Box = (x, y, x + third, y + fourth)
        else:
            box = (x, y, third, fourth) if self.form == "xyxy" else cxcywh_to_xyxy((x, y, third, fourth))
        if not self.shares:
            return box
        if size is None:
            raise ValueError("shares of an image whose size is not known")
        return (box[0] * size[0], box[1] * size[1], box[2] * size[0], box[3] * size[1])


AS_STATED = BoxForm()
"""COCO's own form, without doubt."""


@dataclass
class BoxEvidence:
    """Collects boxes as they are written, with what is known beside them, and judges what they are."""

    _rows: list[tuple[float, ...]] = field(default_factory=list)

    @property
    def is_enough(self) -> bool:
        """Whether more boxes would tell nothing new."""
        return len(self._rows) >= _MAX_SEEN

    def see(self, box: object, size: Size | None, area: object = None, extent: Box | None = None) -> None:
        """Take in one box, the size of its image, its `area` if that is the box's own, and its outline's extent."""
        if not isinstance(box, list | tuple) or len(box) != 4 or self.is_enough:
            return
        try:
            numbers = [finite(number) for number in box]
            known = np.nan if area is None else finite(area)
        except ValueError:
            return
        self._rows.append((*numbers, *(size or (np.nan, np.nan)), known, *(extent or (np.nan,) * 4)))

    def judge(self, given: GivenForm = "auto", stated: Form = "xywh", *, named: bool = False) -> BoxForm:
        """What the boxes are: as `given`, else as the format has `stated` it unless the evidence is against it.

        `named`: each number has a name that tells its part, and its unit is free, so that fewer doubts are left.
        """
        if not self._rows:
            return BoxForm(stated if given == "auto" else given)
        table = np.array(self._rows, dtype=np.float64)
        boxes, sizes = table[:, :4], table[:, 4:6]
        shares = _are_shares(boxes)
        if given != "auto":
            return BoxForm(given, shares)
        if shares:
            return _judge_shares(boxes, stated, named)
        return _judge_pixels(_Evidence.of(boxes, sizes, table[:, 6], table[:, 7:]), stated, named)


def are_shares(values: Sequence[float]) -> bool:
    """Whether coordinates of a whole file are shares of the image: nearly all lie within 0 and 1."""
    numbers = np.asarray(values, dtype=np.float64)
    if not len(numbers):
        return False
    within = (numbers >= -_ABOVE_ONE) & (numbers <= 1 + _ABOVE_ONE)
    return bool(within.mean() > _NEARLY_ALL_SHARES)


def _are_shares(boxes: FloatArray) -> bool:
    return are_shares(boxes.ravel().tolist())


def _corners(boxes: FloatArray) -> dict[Form, FloatArray]:
    """The corners (n, 4) that each reading gives."""
    a, half = boxes[:, :2], boxes[:, 2:] / 2
    return {
        "xywh": np.hstack([a, a + boxes[:, 2:]]),
        "xyxy": boxes,
        "cxcywh": np.hstack([a - half, a + half]),
    }


@dataclass(frozen=True)
class _Evidence:
    """For each reading: which boxes lie in their images (n,), and for how many it alone fits an area or outline."""

    fits: dict[Form, _Flags]
    proven: dict[Form, int]
    boxes: FloatArray
    sizes: FloatArray

    @classmethod
    def of(cls, boxes: FloatArray, sizes: FloatArray, areas: FloatArray, extents: FloatArray) -> _Evidence:
        corners = _corners(boxes)
        sizes_alone: tuple[Form, ...] = ("xywh", "xyxy")  # a centre in place of a corner changes no area
        by_area = {form: _has_area(corners[form], areas) for form in sizes_alone}
        by_extent = {form: np.abs(found - extents).max(axis=1) <= _SAME_PX for form, found in corners.items()}
        proven = {form: _alone(by_extent, form) for form in corners}
        for form in by_area:
            proven[form] = proven[form] | _alone(by_area, form)
        fits = {form: _fits(found, sizes) for form, found in corners.items()}
        return cls(fits, {form: int(found.sum()) for form, found in proven.items()}, boxes, sizes)

    def mostly_fits(self, form: Form) -> bool:
        return bool(self.fits[form].mean() > _NEARLY_ALL)


def _alone(votes: Mapping[Form, _Flags], form: Form) -> _Flags:
    """Where one reading fits and no other does."""
    others = np.any([found for other, found in votes.items() if other != form], axis=0)
    return np.asarray(votes[form] & ~others)


def _fits(corners: FloatArray, sizes: FloatArray, slack_px: float = 1.0) -> _Flags:
    """Which boxes have an area and lie in their image, as far as its size (n, 2) is known."""
    slack = slack_px + _SLACK * np.nan_to_num(sizes)
    inside = (corners[:, :2] >= -slack) & ~(corners[:, 2:] > sizes + slack)
    return np.asarray((inside & (corners[:, 2:] > corners[:, :2])).all(axis=1))


def _has_area(corners: FloatArray, areas: FloatArray) -> _Flags:
    found = np.prod(corners[:, 2:] - corners[:, :2], axis=1)
    return np.asarray(np.abs(found - areas) <= np.maximum(_SAME_AREA * np.abs(areas), 0.5))


def _judge_pixels(evidence: _Evidence, stated: Form, named: bool) -> BoxForm:
    total, proven = len(evidence.boxes), evidence.proven
    others: list[Form] = [form for form in _WORDS if form != stated]
    other = max(others, key=lambda form: proven[form])
    detail = f"{proven[other]} of {total} have the area or outline of {_WORDS[other]}"
    if proven[other] and not proven[stated] and evidence.mostly_fits(other):
        return BoxForm(other, False, OTHER_FORM, f"{detail}, none that of {_WORDS[stated]}: read so")
    if proven[other] > max(proven[stated], _FEW - 1, _DOUBTFUL * total):
        return BoxForm(stated, False, UNCLEAR_FORM, f"{detail}, {proven[stated]} that of {_WORDS[stated]}")
    return BoxForm(stated) if proven[stated] else _judge_by_place(evidence, stated, others, named)


def _judge_by_place(evidence: _Evidence, stated: Form, others: list[Form], named: bool) -> BoxForm:
    """Nothing but the boxes themselves is known: do they lie in their images?"""
    total, outside = len(evidence.boxes), int((~evidence.fits[stated]).sum())
    known = not np.isnan(evidence.sizes).any()
    fitting = [form for form in others if known and evidence.mostly_fits(form)]
    if outside >= (_FEW if named else 1) and fitting:
        detail = f"{outside} of {total} reach out of their images as {_WORDS[stated]}, none as {_WORDS[fitting[0]]}"
        if outside >= _FEW and len(fitting) == 1:
            return BoxForm(fitting[0], False, OTHER_FORM, f"{detail}: read so")
        return BoxForm(stated, False, UNCLEAR_FORM, detail)
    if stated == "xywh" and not named and total > 1 and "xyxy" in fitting and _chance_of_corners(evidence) < _CHANCE:
        return BoxForm(stated, False, UNCLEAR_FORM, f"all {total} could be {_WORDS['xyxy']} as well, and no area tells")
    return BoxForm(stated)


def _chance_of_corners(evidence: _Evidence) -> float:
    """How likely all boxes look like corners if they are sizes at random places: each side longer than its margin."""
    sides, room = evidence.boxes[:, 2:], evidence.sizes - evidence.boxes[:, 2:]
    shares = np.where(room > 0, sides / np.where(room > 0, room, 1), 1.0)
    return float(np.prod(np.clip(shares, 0, 1)))


def _judge_shares(boxes: FloatArray, stated: Form, named: bool) -> BoxForm:
    corners, ones = _corners(boxes), np.ones((len(boxes), 2))
    fitting = [form for form in corners if _fits(corners[form], ones, slack_px=0.0).mean() > _NEARLY_ALL]
    if not fitting:
        return BoxForm(stated, True, UNCLEAR_FORM, "all are shares of the image, but reach out of it in every reading")
    if named and stated in fitting and (stated != "xywh" or "cxcywh" not in fitting):
        return BoxForm(stated, True)
    if named and stated in fitting:
        return BoxForm(stated, True, UNCLEAR_FORM, f"all are shares, of {_WORDS[stated]} or of {_WORDS['cxcywh']}")
    form: Form = next((each for each in ("cxcywh", stated, "xyxy") if each in fitting), fitting[0])
    if len(fitting) == 1:
        return BoxForm(form, True, OTHER_FORM, f"all are shares of the image, and fit as {_WORDS[form]} alone: read so")
    choice = " or ".join(_WORDS[each] for each in fitting)
    return BoxForm(form, True, UNCLEAR_FORM, f"all are shares of the image, {choice}: read as the first")
