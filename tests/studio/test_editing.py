"""Changes of a manifest's text: they say what was asked for, and touch nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amp_datasets.errors import ManifestError
from amp_datasets.plugin.discovery import shipped_manifests
from amp_datasets.storage.yaml import parse_yaml
from amp_datasets.studio.editing import with_value, without, written

NAMES = st.sampled_from(["blur", "flip", "rotate", "hue", "no", "a b", "12", "'", "ü", "- x", "{", "#1", "true"])
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-1000, 1000), st.floats(-1e6, 1e6).filter(lambda x: abs(x) > 1e-3 or x == 0),
    st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=20),
    st.sampled_from(["1e5", "0o7", "1:30", "2020-01-01", "=", "<<", "null", "~", "yes", "\u2028", "\u202e"]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=4
)
TEXT = """\
# At the top.
name: drums   # what it is called
sources: [a, "b c"]      # two

filters:      # these
  # a word on blur
  blur: {sigma: 2.5}   # softly
  flip:

  rotate:
    degrees: [5, 15]   # both ways
    fill: crop
mixes:
  both: [flip, rotate: {degrees: 5}]
# the end
"""


def read(text: str) -> Any:
    """The text as data."""
    return parse_yaml(text.encode(), Path("manifest")).value or {}


@given(VALUES)
def test_a_value_in_one_line_means_that_value(value: Any) -> None:
    """Whatever is written is read as the same, steps without settings as their names."""
    found = read(f"x: {written(value)}\n")["x"]
    assert bare(found) == bare(value)


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.sampled_from(["filters", "mixes", "hub", "splits"]), NAMES, VALUES), max_size=4), st.data()
)
def test_any_changes_say_what_was_asked_for(changes: list[tuple[str, str, Any]], data: st.DataObject) -> None:
    """One after the other, taking away included; the document is as if a map had been changed."""
    text, expected = TEXT, read(TEXT)
    for top, name, value in changes:
        there = expected.get(top) or {}
        if there and data.draw(st.booleans()):
            gone = data.draw(st.sampled_from(sorted(there)))
            text = without(text, (top, gone))
            expected[top] = {key: inner for key, inner in there.items() if key != gone}
        else:
            text = with_value(text, (top, name), value)
            expected[top] = {**there, name: value}
        assert bare(read(text)) == bare(expected)
    for line in ("# At the top.", "name: drums   # what it is called", "# the end"):
        assert line in text.splitlines()


@pytest.mark.parametrize("name", sorted(shipped_manifests()))
def test_every_other_line_of_a_shipped_manifest_stays(name: str) -> None:
    """Comments, alignment, empty lines: only what was asked for differs."""
    text = shipped_manifests()[name].read_text(encoding="utf-8")
    changed = with_value(with_value(text, ("filters", "blur"), {"sigma": [1, 3]}), ("seed",), 12)
    before, after = text.splitlines(), changed.splitlines()
    assert [line for line in before if line not in after and "seed:" not in line and "blur:" not in line] == []
    assert len([line for line in after if line not in before]) <= 3


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        (("filters", "blur", "sigma"), [1, 3], "  blur: {sigma: [1, 3]}   # softly"),
        (("filters", "flip"), {"how": "any"}, "  flip: {how: any}"),
        (("filters", "rotate", "fill"), [0, 0, 0], "    fill: [0, 0, 0]"),
        (("filters", "rotate"), {"degrees": [5, 15], "fill": "reflect"}, "    degrees: [5, 15]   # both ways"),
        (("sources",), ["a"], "sources: [a]             # two"),
        (("filters", "hue"), None, "  hue:"),
        (("seed",), 3, "seed: 3"),
    ],
)
def test_a_change_reads_as_people_write(path: tuple[str, ...], value: Any, line: str) -> None:
    """Short, in its own place, the comment beside it where it was."""
    assert line in with_value(TEXT, path, value).splitlines()


def test_what_has_no_place_is_refused() -> None:
    """Nothing is overwritten that is no map, nothing taken away that is not there."""
    with pytest.raises(ManifestError, match="no place"):
        with_value("filters: [flip, hue]\n", ("filters", "blur"), None)
    with pytest.raises(ManifestError, match="take away"):
        without(TEXT, ("filters", "hue"))
    with pytest.raises(ManifestError):
        with_value("a: &b [*b]\n", ("c",), 1)


def bare(value: Any) -> Any:
    """A document without what says nothing: a step without settings is its name, a whole float an integer."""
    if isinstance(value, dict):
        return {str(key): bare(inner) for key, inner in value.items()}
    if isinstance(value, list):
        items = [bare(inner) for inner in value]
        single = [
            isinstance(item, dict) and len(item) == 1 and next(iter(item.values())) in (None, {}) for item in items
        ]
        return [next(iter(item)) if one else item for item, one in zip(items, single, strict=True)]
    return value
