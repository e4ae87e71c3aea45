"""Work says how far it is: by name, with a total, to whoever listens and to nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_builds import write_manifest, write_set

import amp_datasets as amp
from amp_datasets.progress import tell, told_to

Told = list[tuple[str, int, int]]


@pytest.mark.parametrize(
    ("splits", "expected"),
    [
        ("keep", {"reading the sets", "hashing images", "making variants", "writing labels"}),
        (
            "{train: 0.5, test: 0.5}",
            {"reading the sets", "hashing images", "comparing images", "making variants", "writing labels"},
        ),
    ],
)
def test_a_build_names_what_it_does(tmp_path: Path, splits: str, expected: set[str]) -> None:
    """From reading on; what is done never exceeds the total, and each part comes to its end or to the next one."""
    write_set(tmp_path / "set", 6)
    write_manifest(tmp_path / "amp.yaml", ["set"], "filters: {flip: }\n", splits=splits)
    told: Told = []
    listen = lambda *each: told.append(each)  # noqa: E731
    with told_to(listen):
        amp.build(tmp_path / "amp.yaml", out=tmp_path / "build", jobs=1, progress=listen)
    assert expected <= {what for what, _, _ in told}
    assert all(what and 0 <= done <= total for what, done, total in told)
    assert ("hashing images", 6, 6) in told


def test_an_audit_names_what_it_does(tmp_path: Path) -> None:
    """Reading, labels, and the comparison of images."""
    write_set(tmp_path / "set", 3)
    told: Told = []
    with told_to(lambda *each: told.append(each)):
        amp.check(tmp_path / "set")
    assert {"reading the set", "looking at the labels", "comparing images"} <= {what for what, _, _ in told}


def test_only_who_listens_is_told() -> None:
    """Outside nobody is, and listeners may be inside of one another."""
    outer: Told = []
    inner: Told = []
    tell("before", 0, 1)
    with told_to(lambda *each: outer.append(each)):
        with told_to(lambda *each: inner.append(each)):
            tell("in", 1, 2)
        tell("out", 2, 2)
    tell("after", 1, 1)
    assert (outer, inner) == ([("out", 2, 2)], [("in", 1, 2)])
