"""YAML as manifests may use it: every value has its place, and nothing in it is dangerous or a surprise."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from amp_datasets.errors import ManifestError
from amp_datasets.storage.yaml import MAX_BYTES, parse_yaml, read_yaml

FILE = Path("amp.yaml")
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)


def value(text: str) -> Any:
    """What a document says."""
    return parse_yaml(text.encode(), FILE).value


@given(st.dictionaries(WORDS, VALUES, max_size=4))
def test_reads_what_yaml_writes(content: dict[str, Any]) -> None:
    """Documents of the usual writer come back as they were, whatever their words look like."""

    class Plain(yaml.SafeDumper):
        def ignore_aliases(self, data: object) -> bool:
            return True

    text = yaml.dump(content, Dumper=Plain, allow_unicode=True)
    if not any(mark in text for mark in ("!!", "\N{BYTE ORDER MARK}", "\x85", "\u2028", "\u2029")):
        assert value(text) == content


@pytest.mark.parametrize("word", ["no", "yes", "on", "off", "NO", "y", "n", "2024-01-01", "2001-12-14T21:59:43Z"])
def test_ordinary_words_stay_words(word: str) -> None:
    """A class may be called `no`, a set after a day."""
    assert value(f"a: {word}\n{word}: 1") == {"a": word, word: 1}


@pytest.mark.parametrize(("text", "wanted"), [("true", True), ("False", False), ("~", None), ("", None), ("3", 3)])
def test_other_plain_values_are_read(text: str, wanted: object) -> None:
    """Truth values, nothing, and numbers are what they look like."""
    assert value(f"a: {text}") == {"a": wanted}


def test_places_are_lines_and_columns() -> None:
    """A key stands where it is written, a list's item where it begins, the unknown where its parent is."""
    document = parse_yaml(b"a:\n  b: [1, {c: 2}]\n  d: 3\n", FILE)
    wanted = {
        ("a",): "1:1",
        ("a", "b"): "2:3",
        ("a", "b", 0): "2:7",
        ("a", "b", 1, "c"): "2:11",
        ("a", "d"): "3:3",
        ("a", "x", 4): "1:1",
    }
    assert {path: document.where(path) for path in wanted} == {path: f"amp.yaml:{at}" for path, at in wanted.items()}


@pytest.mark.parametrize(
    ("text", "what", "where"),
    [
        ("a: 1\nb: 2\na: 3\n", "`a` is given twice", "3:1"),
        ("x:\n  - {k: 1, k: 2}\n", "`k` is given twice", "2:12"),
        ("a: &x 1\n", "anchors", "1:4"),
        ("a: 1\nb: *x\n", "aliases", "2:4"),
        ("a: !!python/object/apply:os.system [ls]\n", "tags", "1:4"),
        ("a: !x 1\n", "tags", "1:4"),
        ("a:\n\tb: 1\n", "not YAML", "2:1"),
        ("a: [1, 2\n", "not YAML", "2:1"),
        ("a: 'open\n", "not YAML", "2:1"),
        ("a: b: c\n", "not YAML", "1:5"),
        ("? [1]\n: 2\n", "a key must be a plain word", "1:3"),
        ("---\na: 1\n---\nb: 2\n", "not YAML", "3:1"),
    ],
)
def test_problem_is_pointed_at(text: str, what: str, where: str) -> None:
    """What is no plain document is refused at its line and column."""
    with pytest.raises(ManifestError) as caught:
        value(text)
    assert what in caught.value.what
    assert caught.value.where == f"amp.yaml:{where}"


@pytest.mark.parametrize("data", [b"a: \xff\n", b"a: \x00\n", b"a: 1" + b"0" * 5000, b"[" * 100_000])
def test_bytes_that_are_no_yaml_are_refused(data: bytes) -> None:
    """Whatever the bytes are, only our error comes out."""
    with pytest.raises(ManifestError, match="YAML"):
        parse_yaml(data, FILE)


def test_large_file_is_refused() -> None:
    """It is no manifest."""
    with pytest.raises(ManifestError, match="more than"):
        parse_yaml(b"a" * (MAX_BYTES + 1), FILE)


def test_byte_order_mark_is_no_text() -> None:
    """Windows editors write one."""
    assert parse_yaml(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n", FILE).value == {"a": 1, "b": 2}


def test_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    """The error names the file, and the command that writes one; a folder is an error too."""
    with pytest.raises(ManifestError) as caught:
        read_yaml(tmp_path / "amp.yaml")
    assert caught.value.where == str(tmp_path / "amp.yaml")
    assert "amp init" in str(caught.value.fix)
    with pytest.raises(ManifestError, match="cannot be read"):
        read_yaml(tmp_path)


def test_numbers_to_the_base_60_are_text(tmp_path: Path) -> None:
    """A megabyte of them would take a minute; times and ratios stay what they look like."""
    started = time.monotonic()
    document = parse_yaml(
        b"seed: 1" + b":59" * 300_000 + b"\nratio: 16:9\nn: [1, -2, 0x10, 1.5, .5, 1e3, 1_000, .inf]\n", tmp_path
    )
    assert time.monotonic() - started < 10
    assert isinstance(document.value["seed"], str)
    assert document.value["ratio"] == "16:9"
    assert document.value["n"] == [1, -2, 16, 1.5, 0.5, 1000.0, 1000, float("inf")]


@pytest.mark.parametrize("text", [b"a: " + b"[" * 60_000, b"a: " + b"[b, " * 60_000, b"{a: " * 60_000])
def test_brackets_without_end_are_refused_at_once(tmp_path: Path, text: bytes) -> None:
    """The scanner's time grows with the square of their number."""
    started = time.monotonic()
    with pytest.raises(ManifestError, match="nested too deeply"):
        parse_yaml(text, tmp_path)
    assert time.monotonic() - started < 5
