"""What several label files say of one image."""

from __future__ import annotations

import pytest

from amp_datasets.formats.kit.meaning.agreement import joined
from amp_datasets.geometry import shapes as geometry
from amp_datasets.model import Annotation, Box, Polygon

A: Box = (10.0, 10.0, 30.0, 30.0)
NEAR_A: Box = (10.4, 10.4, 30.4, 30.4)
SHIFTED_A: Box = (14.0, 10.0, 34.0, 30.0)
B: Box = (50.0, 50.0, 70.0, 70.0)


@pytest.mark.parametrize(
    ("some", "others", "together"),
    [
        ([("cat", A)], [("dog", B)], ["cat", "dog"]),
        ([("cat", A)], [("dog", A)], ["cat", "dog"]),
        ([("cat", A)], [("cat", A)], ["cat"]),
        ([("cat", A)], [("cat", NEAR_A)], ["cat"]),
        ([("cat", A)], [("cat", A), ("cat", B)], ["cat", "cat"]),
        ([("cat", A), ("cat", B)], [("cat", A)], ["cat", "cat"]),
        ([("cat", A)], [], ["cat"]),
        ([("cat", A)], [("cat", SHIFTED_A)], None),
        ([("cat", A), ("dog", B)], [("dog", A), ("cat", B)], None),
        ([("class_0", A)], [("cat", A)], ["cat"]),
        ([("cat", A)], [("class_0", A)], ["cat"]),
    ],
)
def test_labels_are_joined_once_or_refused(
    some: list[tuple[str, Box]], others: list[tuple[str, Box]], together: list[str] | None
) -> None:
    """The union where two files complement each other, once where they agree, nothing where they contradict."""
    found = joined([Annotation(*label) for label in some], [Annotation(*label) for label in others])
    assert (None if found is None else [label.category for label in found]) == together


def test_a_class_that_only_one_file_knows_is_no_contradiction() -> None:
    """A person with a helmet in a box of the same size is a contradiction only for files that know both classes."""
    person, helmet = [Annotation("person", A)], [Annotation("helmet", A)]
    assert joined(person, helmet, {"person"}, {"helmet"}) is not None
    assert joined(person, helmet, {"person", "helmet"}, {"person", "helmet"}) is None


def test_the_finer_outline_is_kept() -> None:
    """A box and its own polygon are one object: the polygon stays."""
    outlined = Annotation("cat", A, polygons=(Polygon(geometry.rectangle(A)),))
    for pair in ([Annotation("cat", NEAR_A)], [outlined]), ([outlined], [Annotation("cat", NEAR_A)]):
        (found,) = joined(*pair) or ()
        assert found.polygons
