"""What came from outside is shown, and does nothing else: on a terminal, in HTML, Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from html.parser import HTMLParser
from pathlib import Path

import pytest
from builders import write_files
from datasets import ClassLabel, Dataset, Features, Image, List, Value
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PillowImage
from small_builds import write_manifest, write_set

from amp_datasets.cli.console import emit, emit_json, say, show_error
from amp_datasets.errors import AmpError
from amp_datasets.exchange.conversion import export
from amp_datasets.images.codec import Limits
from amp_datasets.manifest.load import load_manifest
from amp_datasets.manifest.model import SourceSettings
from amp_datasets.plugin.discovery import load_formats, load_registry
from amp_datasets.shown import as_cell, as_html, as_json, as_markdown, from_cell, is_shown_as_it_is, plain
from amp_datasets.sources.open import read_source

ODD = [
    *("\x1b[2J\x1b]0;owned\x07", "a\u202eb", "a\nerror: feigned", "\x9b31m", "a\u2028b", "\ud800", "a\x00"),
    "\u2066x\u2069",
]
TEXTS = st.text(st.characters() | st.sampled_from("\x1b\u202e\n\r\t=+-@'<|&\"\u2028\ud800\x85"))


def is_tame(text: str) -> bool:
    """Whether a terminal shows a text and does nothing else."""
    return not any(unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} or c in "\u202e\u202d\u2066\u2067" for c in text)


@given(TEXTS)
def test_any_text_is_tame_once_shown(text: str) -> None:
    """And what was tame is shown as it is."""
    assert is_tame(plain(text))
    assert is_tame(as_markdown(text))
    assert is_shown_as_it_is(plain(text))
    assert plain(plain(text)) == plain(text)


@given(TEXTS)
def test_html_holds_text_only(text: str) -> None:
    """In an attribute and between tags: a parser finds the text again, and no tag more."""
    found: list[object] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.append((tag, attrs))

        def handle_data(self, data: str) -> None:
            found.append(data)

    reader = Reader(convert_charrefs=True)
    reader.feed(f"<b title='{as_html(text)}'>{as_html(text)}</b>")
    reader.close()
    assert found[0] == ("b", [("title", plain(text))])
    assert "".join(map(str, found[1:])) == plain(text)


@given(TEXTS)
def test_a_cell_is_no_formula_and_nothing_is_lost(text: str) -> None:
    """No spreadsheet runs it; our reader has the text again, apostrophes of its own included."""
    assert as_cell(text)[:1] not in tuple("=+-@\t\r")
    assert from_cell(as_cell(text)) == text


@given(st.dictionaries(TEXTS.filter(lambda text: "\ud800" not in text), TEXTS))
def test_json_keeps_its_values(document: dict[str, str]) -> None:
    """Odd characters come as their numbers, the values are the same."""
    text = as_json(document)
    assert is_tame(text.replace("\n", ""))
    assert json.loads(text) == document


@pytest.mark.parametrize("odd", ODD, ids=ascii)
def test_nothing_reaches_a_terminal_raw(capsys: pytest.CaptureFixture[str], odd: str) -> None:
    """Messages, results, errors and JSON; an error's own lines stay lines."""
    say(f"a {odd}")
    emit([f"b {odd}"])
    show_error(AmpError(f"c {odd}", where=odd, fix=odd), in_json=False)
    emit_json({"d": odd})
    said = capsys.readouterr()
    assert is_tame((said.out + said.err).replace("\n", ""))
    assert len([line for line in said.err.splitlines() if line.startswith(("error:", "  -->", "  fix:"))]) == 3


@pytest.mark.parametrize("name", ["a\\nb", "a\\u202eb", "\\e[2J", "\\u2028"])
def test_a_class_name_in_a_manifest_is_one_line(tmp_path: Path, name: str) -> None:
    """As a class, and as another name for one."""
    for classes in (f'["{name}"]', f'[{{cat: ["{name}"]}}]'):
        write_manifest(tmp_path / "amp.yaml", ["set"], "", classes=classes)
        with pytest.raises(AmpError, match="one line of letters that show"):
            load_manifest(tmp_path / "amp.yaml", load_registry())


@pytest.mark.parametrize("name", ["a\nb", "\x1b[2J", "a\u202eb", " "])
def test_a_class_name_in_parquet_is_one_line(tmp_path: Path, name: str) -> None:
    """The names of a ClassLabel are no label file, and checked all the same."""
    stream = io.BytesIO()
    PillowImage.new("RGB", (32, 24), "red").save(stream, "PNG")
    objects = {"bbox": List(List(Value("float32"))), "category": List(ClassLabel(names=["cat", name]))}
    rows = {
        "image": [{"bytes": stream.getvalue(), "path": None}],
        "objects": [{"bbox": [[1, 1, 9, 9]], "category": [1]}],
    }
    Dataset.from_dict(rows, Features({"image": Image(), "objects": objects})).to_parquet(str(tmp_path / "a.parquet"))
    with pytest.raises(AmpError):
        read_source(SourceSettings(path=str(tmp_path)), load_registry(), Limits())


def test_a_table_holds_no_formula_unless_asked(tmp_path: Path) -> None:
    """A class called like a formula goes out with an apostrophe, and comes in without it."""
    write_set(tmp_path / "set", 1)
    for file in (tmp_path / "set").rglob("*.json"):
        file.write_text(file.read_text().replace('"fish"', '"=cmd()"').replace('"leaf"', '"\'=x"'))
    export(tmp_path / "set", "csv", tmp_path / "out", load_formats())
    text = next((tmp_path / "out").rglob("*.csv")).read_text(encoding="utf-8")
    classes = {row["class"] for row in csv.DictReader(io.StringIO(text))}
    assert not [name for name in classes if name[:1] in tuple("=+-@")]
    labels, _ = read_source(SourceSettings(path=str(tmp_path / "out")), load_registry(), Limits())
    assert {"=cmd()", "'=x"} & {category.name for category in labels.categories}
    assert classes != {category.name for category in labels.categories}
    export(tmp_path / "set", "csv", tmp_path / "raw", load_formats(), options={"formulas": True})
    assert "=cmd()" in next((tmp_path / "raw").rglob("*.csv")).read_text()


def test_a_pattern_cannot_run_away(tmp_path: Path) -> None:
    """`group_by` is matched without backtracking; what needs it is refused with the reason."""
    write_files(tmp_path, {"unused": b""})
    write_manifest(tmp_path / "amp.yaml", ["set"], "", group_by="'((a+)+)!'")
    assert load_manifest(tmp_path / "amp.yaml", load_registry()).group_by == "((a+)+)!"
    import re2

    assert re2.compile("((a+)+)!").search("a" * 100_000) is None
    write_manifest(tmp_path / "amp.yaml", ["set"], "", group_by=r"'(a)(?=b)'")
    with pytest.raises(AmpError, match="without look-around"):
        load_manifest(tmp_path / "amp.yaml", load_registry())
