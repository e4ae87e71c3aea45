"""Several tables of one set: a form that is certain settles what is doubtful, and never two boxes for one object."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import by_name, read_set, reasons, rules, write_files
from hypothesis import given, settings
from hypothesis import strategies as st

from amp_datasets.audit.reasons import RULE_OF
from amp_datasets.model import Box, LabelSet
from amp_datasets.plugin.discovery import load_registry

CSV = load_registry().source("csv")
BOXES: dict[tuple[str, str], list[Box]] = {
    ("a.jpg", "cat"): [(2, 3, 12, 23), (30, 20, 60, 44)],
    ("b.jpg", "dog"): [(5, 6, 25, 40)],
}
WAYS = {
    "xyxy": lambda x0, y0, x1, y1: (x0, y0, x1, y1),
    "xywh": lambda x0, y0, x1, y1: (x0, y0, x1 - x0, y1 - y0),
    "cxcywh": lambda x0, y0, x1, y1: ((x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0),
}
NAMED = {"xyxy": "xmin,ymin,xmax,ymax", "xywh": "x,y,w,h", "cxcywh": "xc,yc,w,h"}


def named(boxes: dict[tuple[str, str], list[Box]], form: str, *, shares: bool = False) -> str:
    """A table whose headers say what the numbers are."""
    lines = [f"filename,class,{NAMED[form]}"]
    for (image, name), several in boxes.items():
        for box in several:
            scale = (1 / 64, 1 / 48, 1 / 64, 1 / 48) if shares else (1, 1, 1, 1)
            lines.append(",".join([image, name, *(str(v * s) for v, s in zip(WAYS[form](*box), scale, strict=True))]))
    return "\n".join(lines) + "\n"


def unnamed(boxes: dict[tuple[str, str], list[Box]], form: str) -> str:
    """A table with a list of four numbers, of which nothing says what they are."""
    rows = [f'{image},{name},"{list(WAYS[form](*box))}"' for (image, name), each in boxes.items() for box in each]
    return "\n".join(["filename,class,bbox", *rows]) + "\n"


def read(folder: Path, tables: dict[str, str]) -> LabelSet:
    """Two images of 64x48, and tables."""
    return read_set(CSV, write_files(folder, {"a.jpg": "", "b.jpg": "", **tables}))


def boxes_in(labels: LabelSet) -> dict[tuple[str, str], list[Box]]:
    """What was read, as `BOXES`."""
    found: dict[tuple[str, str], list[Box]] = {}
    for image, sample in by_name(labels).items():
        for label in sample.annotations:
            found.setdefault((image, label.category), []).append(label.xyxy)
    return {key: sorted(each) for key, each in found.items()}


@pytest.mark.parametrize("form", list(WAYS))
@pytest.mark.parametrize(("sure", "shares"), [("xyxy", False), ("xywh", False), ("xyxy", True)])
def test_a_certain_sibling_settles_a_doubtful_table(form: str, sure: str, shares: bool, tmp_path: Path) -> None:
    """The same boxes in two or three forms are one set of boxes, whichever table comes first."""
    tables = {"1.csv": unnamed(BOXES, form), "2.csv": named(BOXES, sure, shares=shares), "3.csv": named(BOXES, "xyxy")}
    labels = read(tmp_path, tables)
    assert boxes_in(labels) == {key: sorted(each) for key, each in BOXES.items()}
    assert not labels.dropped
    assert "form of the boxes is not clear" not in rules(labels)


def test_a_doubtful_table_that_fits_no_form_is_refused_by_name(tmp_path: Path) -> None:
    """Its boxes lie nowhere; images that it alone lists are left to be labelled, and the file is an error."""
    other = {
        ("a.jpg", "cat"): [(1.0, 1.0, 50.0, 40.0), (7.0, 7.0, 30.0, 31.0)],
        ("b.jpg", "dog"): [(1.0, 2.0, 9.0, 9.0)],
    }
    sure = {("a.jpg", "cat"): BOXES["a.jpg", "cat"]}
    labels = read(tmp_path, {"doubtful.csv": unnamed(other, "xyxy"), "sure.csv": named(sure, "xyxy")})
    assert boxes_in(labels) == {("a.jpg", "cat"): sorted(BOXES["a.jpg", "cat"])}
    assert reasons(labels) == {"boxes contradict another file in every form"}
    assert labels.dropped[0].id == "doubtful.csv"
    assert "sure.csv" in labels.dropped[0].detail
    assert RULE_OF[labels.dropped[0].reason] == "AMP320"


def test_tables_that_share_no_class_settle_nothing(tmp_path: Path) -> None:
    """One table a class: the doubtful one is read as its format has it, and said to be doubtful."""
    cats, dogs = ({key: each for key, each in BOXES.items() if key[1] == name} for name in ("cat", "dog"))
    labels = read(
        tmp_path,
        {"dogs.csv": unnamed({("b.jpg", "dog"): [*dogs["b.jpg", "dog"]] * 2}, "xyxy"), "c.csv": named(cats, "xyxy")},
    )
    assert rules(labels) & {"form of the boxes is not clear"}
    assert not labels.dropped


_side = st.integers(1, 30)
_box = st.builds(
    lambda x, y, w, h: (float(x), float(y), float(x + w), float(y + h)), _side, st.integers(1, 17), _side, _side
)


@settings(max_examples=60, deadline=None)
@given(st.lists(_box, min_size=1, max_size=6, unique=True), st.sampled_from(list(WAYS)))
def test_never_two_boxes_for_one_object(tmp_path_factory: pytest.TempPathFactory, boxes: list[Box], form: str) -> None:
    """Whatever the numbers, boxes are those of the certain table, or the other file is named."""
    truth = {("a.jpg", "cat"): boxes}
    labels = read(tmp_path_factory.mktemp("set"), {"1.csv": unnamed(truth, form), "2.csv": named(truth, "xyxy")})
    said = {"boxes are not what the format says", "form of the boxes is not clear", "label files contradict each other"}
    assert boxes_in(labels) == {("a.jpg", "cat"): sorted(boxes)} or said & (rules(labels) | reasons(labels))
