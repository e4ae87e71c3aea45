"""Images that vanish or become something else while a command runs: told or counted, never waited for or mixed up."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from small_builds import ledger, write_manifest, write_set

from amp_datasets.cli import run

CHANGES: dict[str, Callable[[Path], Any]] = {
    "deleted": lambda path: None,
    "another image": lambda path: Image.new("RGB", (64, 48), (9, 200, 30)).save(path),
    "another size": lambda path: Image.new("RGB", (240, 480), (9, 20, 230)).save(path),
    "cut": lambda path: path.write_bytes(b"\xff\xd8\xff\xe0"),
    "empty": lambda path: path.touch(),
    "a folder": lambda path: path.mkdir(),
    "a pipe": os.mkfifo,
    "a link to itself": lambda path: path.symlink_to(path.name),
}
COMMANDS = {
    "check": ["check", "{set}"],
    "build": ["build", "{amp}", "-o", "{out}", "-j", "1"],
    "lazy": ["build", "{amp}", "-o", "{out}", "-j", "1", "--lazy"],
    "export": ["export", "{set}", "--to", "yolo", "-o", "{out}", "--copy"],
    "zip": ["export", "{set}", "--to", "coco", "-o", "{out}", "--zip"],
    "merge": ["merge", "{set}", "-o", "{out}"],
    "report": ["report", "{set}", "-o", "{out}.html"],
    "preview": ["preview", "{amp}", "-o", "{out}.html"],
}
_ARMED: dict[str, Any] = {"path": "", "left": 0, "change": None}


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    """Change the file just before it is opened for the n-th time."""
    if event == "open" and _ARMED["path"] and str(arguments[0]) == _ARMED["path"]:
        _ARMED["left"] -= 1
        if _ARMED["left"] == 0:
            path, _ARMED["path"] = Path(_ARMED["path"]), ""
            path.unlink()
            _ARMED["change"](path)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.timeout(120)
def test_an_image_that_changes_is_told_or_counted(
    command: str, change: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """At each time that it is opened: done, with findings, or refused; no labels under an image of another size."""
    if not any(_ARMED.values()):
        sys.addaudithook(_watch)
    for time in range(1, 9):
        home = tmp_path / str(time)
        write_set(home / "set", 3)
        write_manifest(home / "amp.yaml", ["set"], "filters: {flip: }\n", splits="{train: 1}")
        images = sorted((home / "set").rglob("*.jpg"))
        known = {hashlib.sha256(path.read_bytes()).hexdigest() for path in images}
        _ARMED.update(path=str(images[1]), left=time, change=CHANGES[change])
        places = {"set": home / "set", "amp": home / "amp.yaml", "out": home / "out"}
        code = run([word.format(**places) for word in COMMANDS[command]])
        said = capfd.readouterr()
        armed, _ARMED["path"] = _ARMED["path"], ""
        if armed and code == 0:  # it is not opened so often; a worker that changed it says so by its code
            return
        assert code in {0, 1, 2}, said
        assert "should not have happened" not in said.err + said.out, said
        assert code == 0 or not (home / "out").exists(), said
        assert code != 2 or "fix: " in said.err, said
        kept = [path for path in (home / "out").rglob("*.jpg") if "flip" not in path.name and path.is_file()]
        found = {hashlib.sha256(path.read_bytes()).hexdigest() for path in kept}
        same_size = change == "another image"  # as if it had always been there
        if command == "lazy" and kept:  # its files are those that the ledger says, whatever came before
            known |= {row["source_sha256"] for row in ledger(home / "out")}
            same_size = False
        assert found <= known or same_size, said
    raise AssertionError("an image is opened more often than was thought")
