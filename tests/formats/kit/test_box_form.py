"""What the four numbers of a box are: the reading that the evidence proves, and never another one in silence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amp_datasets.formats.kit.box_form import OTHER_FORM, UNCLEAR_FORM, BoxEvidence, BoxForm, Form, are_shares
from amp_datasets.model import Box, Size

SIZE: Size = (160, 120)
FORMS: tuple[Form, ...] = ("xywh", "xyxy", "cxcywh")


def written(xyxy: Box, form: Form, size: Size = (1, 1)) -> list[float]:
    """A box as four numbers of a form, in shares of `size`; written without our own conversions."""
    x0, y0, x1, y1 = xyxy
    numbers = {
        "xywh": [x0, y0, x1 - x0, y1 - y0],
        "xyxy": [x0, y0, x1, y1],
        "cxcywh": [(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0],
    }[form]
    return [number / side for number, side in zip(numbers, (*size, *size), strict=True)]


@st.composite
def boxes(draw: st.DrawFn, fewest: int = 1) -> list[Box]:
    """Boxes of at least 4 pixels inside an image."""
    found = []
    for _ in range(draw(st.integers(fewest, 12))):
        x0, y0 = draw(st.integers(0, SIZE[0] - 4)), draw(st.integers(0, SIZE[1] - 4))
        x1, y1 = draw(st.integers(x0 + 4, SIZE[0])), draw(st.integers(y0 + 4, SIZE[1]))
        found.append((float(x0), float(y0), float(x1), float(y1)))
    return found


def judged(found: list[Box], form: Form, *, area: bool = False, extent: bool = False) -> BoxForm:
    """What the evidence makes of boxes that are written in a form."""
    evidence = BoxEvidence()
    for box in found:
        size = (box[2] - box[0]) * (box[3] - box[1]) if area else None
        evidence.see(written(box, form), SIZE, size, box if extent else None)
    return evidence.judge()


@given(boxes(), st.booleans())
def test_the_formats_own_form_is_never_left_where_it_is_true(found: list[Box], area: bool) -> None:
    """COCO boxes are read as such whatever they are; where areas say so too, without a doubt."""
    verdict = judged(found, "xywh", area=area)
    assert verdict.form == "xywh"
    assert verdict.rule in (("",) if area else ("", UNCLEAR_FORM))
    assert [verdict.xyxy(written(box, "xywh"), SIZE) for box in found] == [pytest.approx(box) for box in found]


@given(boxes())
def test_corners_are_found_by_area(found: list[Box]) -> None:
    """Where areas are those of corners and of nothing else, boxes are read so, and it is said."""
    verdict = judged(found, "xyxy", area=True)
    if any(abs(b[2] * b[3] - (b[2] - b[0]) * (b[3] - b[1])) > 0.02 * b[2] * b[3] for b in found):
        assert (verdict.form, verdict.rule) == ("xyxy", OTHER_FORM)
    else:
        assert verdict.form in ("xywh", "xyxy")


@given(boxes(fewest=2), st.sampled_from(FORMS))
def test_outlines_tell_every_form(found: list[Box], form: Form) -> None:
    """What is read is what was drawn, within the two pixels in which readings do not differ, or a doubt is said."""
    verdict = judged(found, form, extent=True)
    read = [verdict.xyxy(written(box, form), SIZE) for box in found]
    assert verdict.rule == UNCLEAR_FORM or read == [pytest.approx(box, abs=2.1) for box in found]


def test_corners_are_found_by_place_alone() -> None:
    """Thirty boxes all over their images, without an area: as sizes many would reach out."""
    random = np.random.default_rng(3)
    low = random.uniform(0, 100, (30, 2))
    high = low + random.uniform(4, 20, (30, 2))
    found = [(float(a), float(b), float(c), float(d)) for (a, b), (c, d) in zip(low, high, strict=True)]
    verdict = judged(found, "xyxy")
    assert (verdict.form, verdict.rule) == ("xyxy", OTHER_FORM)
    assert judged(found, "xywh") == BoxForm()


def test_sizes_that_look_like_corners_throughout_are_a_doubt() -> None:
    """The boxes of a public set on the hub: nothing reaches out, and all could be corners."""
    evidence = BoxEvidence()
    for box in ([20, 20, 60, 50], [60, 40, 75, 58]) * 3:
        evidence.see(box, SIZE)
    assert (evidence.judge().form, evidence.judge().rule) == ("xywh", UNCLEAR_FORM)
    assert evidence.judge("xyxy") == BoxForm("xyxy")
    assert evidence.judge("xywh") == BoxForm("xywh")


def test_one_slip_of_the_hand_changes_no_form() -> None:
    """A box that reaches out among many that do not is its own mistake, where some could not be corners."""
    found: list[Box] = [(90, 70, 110, 90)] * 5
    evidence = BoxEvidence()
    for box in found:
        evidence.see(written(box, "xywh"), SIZE)
    evidence.see([100, 60, 130, 100], SIZE)
    assert evidence.judge() == BoxForm()


def test_large_objects_are_no_doubt() -> None:
    """An object that fills its image begins near the corner: that its size exceeds its place says nothing."""
    evidence = BoxEvidence()
    for number in range(50):
        evidence.see([10 + number % 3, 5, 140, 110], SIZE)
    assert evidence.judge() == BoxForm()


@given(boxes(fewest=6), st.sampled_from(FORMS))
def test_shares_are_never_taken_for_pixels(found: list[Box], form: Form) -> None:
    """Numbers within 0 and 1 are shares, in whichever form; which one is said, and true unless it is called unclear."""
    evidence = BoxEvidence()
    for box in found:
        evidence.see(written(box, form, SIZE), SIZE)
    verdict = evidence.judge()
    assert verdict.shares
    assert verdict.rule == UNCLEAR_FORM or (verdict.rule, verdict.form) == (OTHER_FORM, form)
    told = evidence.judge(form)
    assert [told.xyxy(written(b, form, SIZE), SIZE) for b in found] == [pytest.approx(b) for b in found]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.1, 0.5, 0.2, 0.9], True),
        ([0.1, 0.5, 1.000001, 0.9], True),
        ([0.0, 0.0, 1.0, 1.0], True),
        ([10, 20, 30, 40], False),
        ([0.5, 20, 30, 40], False),
        ([], False),
    ],
)
def test_the_unit_is_judged_over_a_whole_file(values: list[float], expected: bool) -> None:
    """A share just above 1 is rounding."""
    assert are_shares(values) is expected


@pytest.mark.parametrize("value", [None, [1, 2, 3], "1 2 3 4", [1, 2, 3, float("nan")], [1, 2, 3, True]])
def test_what_is_no_box_is_an_error(value: object) -> None:
    """Neither judged nor read."""
    evidence = BoxEvidence()
    evidence.see(value, SIZE)
    assert evidence.judge() == BoxForm()
    with pytest.raises(ValueError, match=r"missing|four numbers|number"):
        BoxForm().xyxy(value, SIZE)
    with pytest.raises(ValueError, match="size is not known"):
        BoxForm(shares=True).xyxy([0, 0, 1, 1], None)
