"""Classes whose names say what a filter would spoil."""

from __future__ import annotations

from pathlib import Path

import pytest

import amp_datasets as amp
from amp_datasets.filtering.class_hints import meanings, warnings


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("arrow_up", {"direction"}),
        ("7", {"direction"}),
        ("licencePlateText", {"direction"}),
        ("\u2192", {"direction"}),
        ("red_light", {"colour"}),
        ("greenArrow", {"direction", "colour"}),
        ("redwood", set()),
        ("cupboard", set()),
    ],
)
def test_words_are_understood_whole(name: str, said: set[str]) -> None:
    """In snake, kebab and camel case; never as a part of another word."""
    assert meanings(name) == said


def test_a_filter_is_named_with_the_classes_that_it_spoils() -> None:
    """And only with those."""
    filters = [("flip", frozenset({"direction"})), ("hue", frozenset({"colour"})), ("blur", frozenset())]
    assert warnings(["red_cup", "arrow"], filters) == [  # type: ignore[arg-type]
        "`flip` may change what these classes mean: arrow",
        "`hue` may change what these classes mean: red_cup",
    ]


def test_a_build_warns(tmp_path: Path, demo_folder: Path) -> None:
    """The note names filter and class; without such a filter there is none."""
    manifest = tmp_path / "amp.yaml"
    text = "sources: []\nsplits: {train: 1.0}\nclasses: {red_fish: [fish], leaf: , pebble: , starfish: }\nfilters: "
    manifest.write_text(text + "{hue: , blur: }\n")
    report = amp.build(manifest, sources=[demo_folder], out=tmp_path / "out", dry_run=True)
    assert "`hue` may change what these classes mean: red_fish" in report.notes
    manifest.write_text(text + "{flip: , blur: }\n")
    report = amp.build(manifest, sources=[demo_folder], out=tmp_path / "out", dry_run=True)
    assert not any("may change" in note for note in report.notes)
