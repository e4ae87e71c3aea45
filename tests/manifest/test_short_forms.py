"""What people write is accepted where it is clear, and answered with what to write instead where it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from amp_datasets.errors import ManifestError
from amp_datasets.manifest.load import load_manifest
from amp_datasets.manifest.model import Manifest
from amp_datasets.plugin.discovery import load_registry


def load(folder: Path, text: str) -> Manifest:
    """A manifest with a source, unless the text names one."""
    path = folder / "amp.yaml"
    path.write_text(("" if "sources" in text else "sources: [set]\n") + text + "\n", encoding="utf-8")
    return load_manifest(path, load_registry())


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("filters: [blur, flip]", "filters: {blur: , flip: }"),
        ("filters: blur", "filters: {blur: }"),
        ("filters: [blur: {sigma: 2}, flip]", "filters: {blur: {sigma: 2}, flip: }"),
        ("filters: {brightness: {percent: 15%}}", "filters: {brightness: {percent: 15}}"),
        ("filters: {brightness: {percent: [10%, 25 %]}}", "filters: {brightness: {percent: [10, 25]}}"),
        ("splits: 70/20/10", "splits: {train: 0.7, validation: 0.2, test: 0.1}"),
        ("splits: {train: 70%, val: 30%}", "splits: {train: 0.7, validation: 0.3}"),
        ("splits: {train: 70, valid: 20, test: 10}", "splits: {train: 0.7, validation: 0.2, test: 0.1}"),
        ("augment: train", "augment: [train]"),
        ("augment: [train, val]", "augment: [train, validation]"),
        ("exports: yolo", "exports: [yolo]"),
        ("mixes: {a: blur}", "mixes: {a: [blur]}"),
        ("mixes: {a: {copies: 3, steps: blur}}", "mixes: {a: {copies: 3, steps: [blur]}}"),
    ],
)
def test_short_forms_are_the_full_ones(tmp_path: Path, short: str, full: str) -> None:
    """To the last setting."""
    assert load(tmp_path, short).model_dump() == load(tmp_path, full).model_dump()


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("filters: {rotate: {degrees: [15, 5]}}", "[5, 15]"),
        ("filters: {rotate: {degrees: [1, 5, 15]}}", "two ends"),
        ("filters: {rotate: {degrees: 5-15}}", "[5, 15]"),
        ("filters: {rotate: {degrees: 5..15}}", "[5, 15]"),
        ("filters: {rotate: {degrees: 5 to 15}}", "[5, 15]"),
        ("filters: {rotate: {fill: black}}", "[0, 0, 0]"),
        ("filters: {rotate: {fill: '#ff8000'}}", "[255, 128, 0]"),
        ("filters: {flip: horizontal}", "flip: {how: horizontal}"),
        ("filters: {blur: 2.5}", "blur: {sigma: 2.5}"),
        ("filters: {blur: {sigma:2}}", "`sigma: 2`"),
        ("splits: {train: 70}", "add up to 1"),
        ("filters:\n\tblur: {sigma: 2}", "spaces, not tabs"),
        ('sources: "C:\\Users\\me"', "single quotes"),
        ("encode: {format: jpg}", "did you mean `jpeg`?"),
    ],
)
def test_what_is_not_clear_says_what_to_write(tmp_path: Path, text: str, fix: str) -> None:
    """In a form that can be copied."""
    with pytest.raises(ManifestError) as caught:
        load(tmp_path, text)
    assert fix in str(caught.value.fix)


@pytest.mark.parametrize("text", ["filters: [blur, blur]", 'sources: ["C:\\new\\temp"]'])
def test_mistakes_that_yaml_hides_are_seen(tmp_path: Path, text: str) -> None:
    """A filter twice, and a path in which YAML put a line break."""
    with pytest.raises(ManifestError, match=r"twice|single quotes"):
        load(tmp_path, text)


@pytest.mark.parametrize(
    ("setting", "what", "fix"),
    [
        ("sede=3", "`sede` is not a setting", "`seed`"),
        ("labels.min_visiblity=0.3", "`min_visiblity` is not a setting", "`min_visibility`"),
        ("encode.qualty=1", "`qualty` is not a setting", "`quality`"),
    ],
)
def test_a_mistake_on_the_command_line_is_named_too(tmp_path: Path, setting: str, what: str, fix: str) -> None:
    """The file lacks the key, and so has no line for it."""
    (tmp_path / "amp.yaml").write_text("sources: [set]\n", encoding="utf-8")
    with pytest.raises(ManifestError, match=what) as caught:
        load_manifest(tmp_path / "amp.yaml", load_registry(), settings=[setting])
    assert fix in str(caught.value.fix)
