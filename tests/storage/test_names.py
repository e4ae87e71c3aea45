"""Names of written files: every image its own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from amp_datasets.storage.names import FreeStems


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
