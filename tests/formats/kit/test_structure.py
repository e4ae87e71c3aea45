"""What a file is by its structure: the paths of a JSON and the elements of an XML, also of one that is cut off."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from builders import write_files
from hypothesis import given
from hypothesis import strategies as st

from amp_datasets.formats.kit.structure import json_paths, paths_of, xml_elements
from amp_datasets.storage.folder import open_folder

KEYS = st.sampled_from(["a", "b", "regions", "x y", "[", "{", "é"])
VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5))
DOCUMENTS = st.recursive(
    VALUES,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=25,
)


def walked(value: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every path of a document, by walking it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*above, key)
            yield from walked(inner, (*above, key))
    elif isinstance(value, list):
        yield (*above, "[]")
        for inner in value:
            yield from walked(inner, (*above, "[]"))


@given(document=DOCUMENTS, indent=st.sampled_from([None, 1]))
def test_paths_are_those_of_the_parsed_document(document: Any, indent: int | None) -> None:
    """As a parser finds them, six deep, whatever stands in keys and texts."""
    text = json.dumps(document, indent=indent, ensure_ascii=False)
    assert paths_of(text) == {path for path in walked(document) if len(path) <= 6}


@given(document=DOCUMENTS, share=st.floats(0, 1))
def test_a_beginning_has_no_path_that_the_whole_has_not(document: Any, share: float) -> None:
    """A file is judged by its beginning, which may end in the middle of anything."""
    text = json.dumps(document)
    assert paths_of(text[: int(len(text) * share)]) <= paths_of(text)


@given(text=st.text(alphabet='{}[]:,"\\ab1 ', max_size=60))
def test_any_text_has_paths_or_none(text: str) -> None:
    """Odd brackets raise nothing."""
    paths_of(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '<?xml version="1.0"?>\n<annotations><meta/><image><box/></image></annotations>',
            ("annotations", {"meta", "image"}),
        ),
        ("<a><b>cut off", ("a", {"b"})),
        ("<a><b></c><d/></a>", ("a", {"b"})),
        ('<!DOCTYPE a [<!ENTITY x "&y;">]><a><b/></a>', ("a", {"b"})),
        ("no XML", ("", set())),
        ("", ("", set())),
    ],
)
def test_elements_of_an_xml(text: str, expected: tuple[str, set[str]], tmp_path: Path) -> None:
    """The root and what is right below it, as far as the text is sound."""
    folder = open_folder(write_files(tmp_path, {"a.xml": text.encode(), "b.xml": text.encode("utf-16")}))
    assert xml_elements(folder, "a.xml") == xml_elements(folder, "b.xml") == expected


def test_only_json_files_have_paths(tmp_path: Path) -> None:
    """A text that only contains the words is none, and a missing word spares the rest."""
    folder = open_folder(write_files(tmp_path, {"a.json": 'about {"items": 1}', "b.json": '\ufeff {"items": [1]}'}))
    assert json_paths(folder, "a.json") == frozenset()
    assert json_paths(folder, "b.json") == {("items",), ("items", "[]")}
    assert json_paths(folder, "b.json", (b"categories",)) == frozenset()
    assert json_paths(folder, "missing.json") == frozenset()
