"""No input reaches `this should not have happened`: each way that was found is an error with its place and remedy."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from amp_datasets.cli import run
from amp_datasets.demo.write import write_demo

WAYS = {
    "no name to write to": (["schema", "-o", ""], "it is a folder"),
    "the root to write to": (["schema", "-o", "/"], "it is a folder"),
    "a path of thousands of folders": (["schema", "-o", "x/" * 2040 + "y"], ""),
    "a preview below thousands of folders": (["preview", "set", "-o", "x/" * 2040 + "y.jpg"], ""),
    "a build below thousands of folders": (["build", "set", "-j", "1", "-o", "x/" * 2040 + "y"], ""),
    "a line break in a path": (["check", "a\nb"], "a path has no line break"),
    "a link to itself to begin with": (["init", "loop"], "a link leads to itself"),
    "a link to itself to write to": (["merge", "set", "-o", "loop"], "a link leads to itself"),
    "a zero byte in a path": (["build", "zero.yaml"], "a zero byte"),
    "the home of nobody": (["build", "nobody.yaml"], "~nobody-here/x"),
    "a list of steps by a setting": (["build", "amp.yaml", "-s", "preprocess=[{tile: {rows: 1e9}}]"], "rows"),
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a set, a manifest, and things that are not what their names say."""
    write_demo(tmp_path / "set", images=1, size=(64, 48))
    (tmp_path / "amp.yaml").write_text("sources: [set]\nfilters: {flip: }\n")
    (tmp_path / "zero.yaml").write_text('sources: ["a\\0b"]\nfilters: {flip: }\n')
    (tmp_path / "nobody.yaml").write_text("sources: [~nobody-here/x]\nfilters: {flip: }\n")
    (tmp_path / "labels.json").mkdir()
    (tmp_path / "empty").mkdir()
    (tmp_path / "zero.zip").write_bytes(b"")
    (tmp_path / "zero.parquet").write_bytes(b"")
    (tmp_path / "binary.yaml").write_bytes(bytes(range(256)))
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ImportError("liba.so: failed to map segment from shared object"), "a library cannot be loaded"),
        (MemoryError(), "memory ran out"),
        (RecursionError(), "too many levels"),
        (OSError(24, "Too many open files"), "Too many open files"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_machine_lacks_is_told(
    error: Exception, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Memory, descriptors, depth, wherever it runs out."""

    def failing(*_args: object, **_more: object) -> None:
        raise error

    monkeypatch.setattr("amp_datasets.audit.api.audit_path", failing)
    monkeypatch.setattr("amp_datasets.interface.commands.check", failing)
    assert run(["check", "nowhere"]) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("way", WAYS)
def test_each_way_that_was_found_is_an_error_of_ours(place: Path, way: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What, where, how to repair it; exit code 2."""
    arguments, told = WAYS[way]
    assert run(arguments) == 2
    said = capsys.readouterr().err
    assert "error: " in said
    assert told in said
    assert "should not have" not in said


@pytest.mark.parametrize("command", [["schema"], ["preview", "set"], ["report", "set"]])
def test_a_pipe_or_device_is_not_replaced_by_a_file(place: Path, command: list[str]) -> None:
    """`-o /dev/null` by somebody who may do everything would leave the system without one."""
    (place / "pipe").rename(place / "pipe.jpg")
    assert run([*command, "-o", "pipe.jpg"]) == 2
    assert (place / "pipe.jpg").is_fifo()


THINGS = ("", "empty", "labels.json", "zero.zip", "zero.parquet", "binary.yaml", "loop", "dangling", "pipe",
          "/dev/null", "x" * 300, "x/" * 2040, "a\nb", "\udcff", "set/labels.csv", "hf://", "-")  # fmt: skip
COMMANDS = (["check"], ["build", "-o", "out"], ["export", "--to", "yolo", "-o", "out"], ["merge", "-o", "out"],
            ["preview", "-o", "out.jpg"], ["report", "-o", "out.html"], ["verify"], ["diff", "set"], ["replay", "set"],
            ["publish", "--repo", "a/b", "--dry-run"])  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_no_thing_in_place_of_another_is_an_accident(
    place: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Files for folders and the reverse, links, pipes, devices, long and odd names, nothing at all."""
    for thing in THINGS:
        assert run([*command, thing]) in (0, 1, 2), thing
        said = capsys.readouterr()
        assert "should not have" not in said.err + said.out, thing


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("arguments", [["check", "set"], ["check", "set", "--json"], ["check", "nowhere", "--json"]])
@pytest.mark.parametrize("streams", [">/dev/full", "2>/dev/full", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_an_output_that_takes_nothing_is_no_accident(place: Path, streams: str, arguments: list[str]) -> None:
    """A full disk behind a stream, or none: no traceback; a closed one changes nothing about what is done."""
    command = f'"$@" {streams}'
    done = subprocess.run(
        ["bash", "-c", command, "-", sys.executable, "-W", "ignore", "-m", "amp_datasets", *arguments],
        capture_output=True,
        text=True,
    )
    expected = {2} if streams == ">/dev/full" or "nowhere" in arguments else {0}
    assert done.returncode in (expected | {2} if streams == "2>/dev/full" else expected)
    assert "Traceback" not in done.stderr + done.stdout
