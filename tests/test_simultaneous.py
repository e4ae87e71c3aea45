"""Commands that start at the same moment for one target: one whole tree, and refusals that say why."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest
from small_builds import write_set

from amp_datasets.building.merge import merge
from amp_datasets.errors import AmpError
from amp_datasets.exchange.conversion import export
from amp_datasets.ledger.verify import verify
from amp_datasets.plugin.discovery import load_formats
from amp_datasets.storage.target import GrowingFolder

AT_ONCE = 10


def fetch(folder: Path) -> None:
    """What fetching from the hub does with a target, without a hub."""
    with GrowingFolder(folder / "out") as work:
        tree = work.begin()
        for number in range(20):
            (tree / str(number)).write_text(str(number))
        work.publish()


ACTIONS: dict[str, Callable[[Path], object]] = {
    "export": lambda folder: export(folder / "set", "coco", folder / "out", load_formats()),
    "merge": lambda folder: merge([folder / "set"], folder / "out"),
    "fetch": fetch,
}


def start_all(kind: str, folder: Path, count: int) -> Counter[str]:
    """Let so many processes begin at one moment; what they said, without numbers."""
    cv2.setNumThreads(1)  # a child must not be the first to do this
    load_formats()
    gate, opener = os.pipe()
    told, teller = os.pipe()
    children = []
    for _ in range(count):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            os.close(opener)
            os.read(gate, 1)  # it ends when the parent closes the other side: for all at once
            _tell(teller, ACTIONS[kind], folder)
        children.append(child)
    for handle in (gate, teller, opener):
        os.close(handle)
    with os.fdopen(told) as stream:
        lines = stream.read().splitlines()
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * count, lines
    return Counter(line.split(" (")[0].strip() for line in lines)


def _tell(teller: int, action: Callable[[Path], object], folder: Path) -> None:
    """Say how it went, in one write, and end the process."""
    code = 1
    try:
        try:
            action(folder)
            said = "done"
        except AmpError as error:
            said = f"refused: {error.what}"
        os.write(teller, f"{said}\n".encode())
        code = 0
    finally:
        os._exit(code)


def check(kind: str, folder: Path, said: Counter[str], alone: set[Path]) -> None:
    """One was done, all others were told why not; the tree is whole and nothing lies beside it."""
    reasons = {"another command is writing here", "the target is there already and not empty"}
    rebuilt = said["done"] if kind == "merge" else 1  # a merge that comes after another builds anew over it
    assert said["done"] == rebuilt >= 1, said
    assert {word.removeprefix("refused: ") for word in said if word != "done"} <= reasons
    assert sorted(path.name for path in folder.iterdir()) == ["out", "set"]
    if kind == "merge":
        assert verify(folder / "out").findings == []
    elif kind == "export":
        assert {path.relative_to(folder / "out") for path in (folder / "out").rglob("*")} == alone
    else:
        found = {path.name: path.read_text() for path in (folder / "out").iterdir()}
        assert found == {str(number): str(number) for number in range(20)}


def rounds(kind: str, folder: Path, count: int) -> Counter[str]:
    """So many rounds of ten starts, each round with a target of its own; what all of them said."""
    write_set(folder / "set", 3)
    export(folder / "set", "coco", folder / "alone", load_formats())
    alone = {path.relative_to(folder / "alone") for path in (folder / "alone").rglob("*")}
    total: Counter[str] = Counter()
    for number in range(count):
        home = folder / str(number) / "home"
        home.mkdir(parents=True)
        (home / "set").symlink_to(folder / "set")
        said = start_all(kind, home, AT_ONCE)
        check(kind, home, said, alone)
        total += said
    return total


@pytest.mark.parametrize("kind", ["export", "fetch"])
def test_many_starts_give_one_whole_tree_and_clear_refusals(tmp_path: Path, kind: str) -> None:
    """Ten at once."""
    assert rounds(kind, tmp_path, 1).total() == AT_ONCE


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["export", "merge", "fetch"])
def test_a_hundred_starts_give_one_whole_tree(tmp_path: Path, kind: str) -> None:
    """Ten rounds: in each one is done and the others are told, or come later and find the target taken."""
    said = rounds(kind, tmp_path, 10)
    print(said)
    assert said.total() == 100


def test_an_export_that_was_killed_stops_no_later_one(tmp_path: Path) -> None:
    """What it left in the work folder is removed by the next one, which writes everything anew."""
    write_set(tmp_path / "set", 3)
    export(tmp_path / "set", "coco", tmp_path / "alone", load_formats())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        with GrowingFolder(tmp_path / "out") as work:
            (work.begin() / "half").write_text("written")
            os._exit(0)
    os.waitpid(child, 0)
    assert {path.name for path in tmp_path.iterdir()} == {"set", "alone", ".out.amp-work"}
    export(tmp_path / "set", "coco", tmp_path / "out", load_formats())
    trees = [{path.relative_to(root) for path in root.rglob("*")} for root in (tmp_path / "out", tmp_path / "alone")]
    assert trees[0] == trees[1]
    assert {path.name for path in tmp_path.iterdir()} == {"set", "alone", "out"}
