"""Names of files: every written image has its own, and one that came from outside never leads elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amp_datasets.errors import BuildError
from amp_datasets.storage.names import FreeStems, inside, is_plain_name, is_relative_name


def test_the_first_free_wish_is_taken_then_numbers() -> None:
    """In letters of any case, for some file systems know no other."""
    stems = FreeStems()
    assert [stems.take("a"), stems.take("A", "set-A"), stems.take("a"), stems.take("a")] == ["a", "set-A", "a-2", "a-3"]
    assert stems.take("A-3") == "A-3-2"


@given(wishes=st.lists(st.lists(st.text("aAb2-", min_size=1, max_size=4), min_size=1, max_size=2)))
def test_no_two_are_alike(wishes: list[list[str]]) -> None:
    """Whatever is wished for."""
    stems = FreeStems()
    taken = [stems.take(*wish).casefold() for wish in wishes]
    assert len(set(taken)) == len(taken)


BAD_NAMES = [
    *("", ".", "..", "../x", "a/../b", "/etc/passwd", "a//b", "a/", "./a", "C:/x", "C:x", "a\\b", "\\\\host\\x"),
    *("a\x00b", "a\nb", "\x1b[2J", "\ud800", "x" * 256, "/".join(["x" * 250] * 20)),
]


@pytest.mark.parametrize("name", [*BAD_NAMES, None, 3, b"x"], ids=repr)
def test_a_name_that_leads_elsewhere_becomes_no_path(tmp_path: Path, name: object) -> None:
    """By its words: roots, drives, ways up, control characters; whatever it is made of."""
    assert not is_relative_name(name)
    with pytest.raises(BuildError, match="no name of a file"):
        inside(tmp_path, name)


def test_a_name_that_stays_becomes_a_path(tmp_path: Path) -> None:
    """Spaces, dots and letters of any alphabet are fine."""
    for name in ("a.jpg", "sub/été 1.jpg", "..a/b..", "日本/.hidden"):
        assert inside(tmp_path, name) == tmp_path / name
    assert is_plain_name("a b.jpg")
    assert not is_plain_name("a/b.jpg")
    assert not is_plain_name(".htaccess")


def test_a_link_on_the_way_leads_nowhere(tmp_path: Path) -> None:
    """Neither the file itself nor a folder above it may be one, unless it may be followed."""
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "out").symlink_to(tmp_path)
    for name in ("out", "out/file"):
        with pytest.raises(BuildError, match="a link leads away"):
            inside(tmp_path / "root", name)
    assert inside(tmp_path / "root", "out/file", follow=True) == tmp_path / "root" / "out" / "file"
