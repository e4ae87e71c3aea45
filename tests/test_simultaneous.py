"""Commands that start at the same moment for one target: one whole tree, and refusals that say why."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from small_builds import write_set

from amp_datasets.exchange.conversion import export
from amp_datasets.ledger.verify import verify
from amp_datasets.plugin.discovery import load_formats

START = """
import sys, time
from pathlib import Path
from typing import Any
kind, folder, at = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])
from amp_datasets.errors import AmpError
from amp_datasets.plugin.discovery import load_formats
from amp_datasets.exchange.conversion import export
from amp_datasets.storage.target import GrowingFolder
if kind == "merge":
    from amp_datasets.building.merge import merge
formats = load_formats()

def fetch():
    with GrowingFolder(folder / "out") as work:
        work.tree.mkdir()
        for number in range(20):
            (work.tree / str(number)).write_text(str(number))
        work.publish()

actions = {
    "export": lambda: export(folder / "set", "coco", folder / "out", formats),
    "merge": lambda: merge([folder / "set"], folder / "out"),
    "fetch": fetch,
}
time.sleep(max(0.0, at - time.time()))
try:
    actions[kind]()
    print("done")
except AmpError as error:
    print("refused:", error.what)
"""


def start_all(kind: str, folder: Path, count: int) -> Counter[str]:
    """Start so many at one moment; what they said, without numbers."""
    at = str(time.time() + 3 + count / 3)
    command = [sys.executable, "-W", "ignore", "-c", START, kind, str(folder), at]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(count)
    ]
    said: Counter[str] = Counter()
    for process in running:
        out, error = process.communicate(timeout=500)
        assert process.returncode == 0, error
        said[out.split(" (")[0].strip()] += 1
    return said


def check(kind: str, folder: Path, said: Counter[str]) -> None:
    """One was done, all others were told why not; the tree is whole and nothing lies beside it."""
    reasons = {"another command is writing here", "the target is there already and not empty"}
    rebuilt = said["done"] if kind == "merge" else 1  # a merge that comes after another builds anew over it
    assert said["done"] == rebuilt >= 1
    assert {word.removeprefix("refused: ") for word in said if word != "done"} <= reasons
    assert sorted(path.name for path in folder.iterdir()) == ["out", "set"]
    if kind == "merge":
        assert verify(folder / "out").findings == []
    elif kind == "export":
        export(folder / "set", "coco", folder.parent / "alone", load_formats())
        names = [{p.relative_to(root) for p in root.rglob("*")} for root in (folder / "out", folder.parent / "alone")]
        assert names[0] == names[1]
    else:
        assert {path.name: path.read_text() for path in (folder / "out").iterdir()} == {
            str(n): str(n) for n in range(20)
        }


@pytest.mark.parametrize("kind", ["export", "fetch"])
def test_many_starts_give_one_whole_tree_and_clear_refusals(tmp_path: Path, kind: str) -> None:
    """A few at once."""
    (tmp_path / "home").mkdir()
    write_set(tmp_path / "home" / "set", 3)
    check(kind, tmp_path / "home", start_all(kind, tmp_path / "home", 4))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["export", "merge", "fetch"])
def test_a_hundred_starts_give_one_whole_tree(tmp_path: Path, kind: str) -> None:
    """In rounds of ten, each into a target of its own."""
    write_set(tmp_path / "set", 3)
    for number in range(10):
        home = tmp_path / str(number) / "home"
        home.mkdir(parents=True)
        (home / "set").symlink_to(tmp_path / "set")
        check(kind, home, start_all(kind, home, 10))
