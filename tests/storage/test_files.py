"""Files come whole or not at all, and never through a link."""

from __future__ import annotations

import itertools
import os
import socket
import threading
from pathlib import Path

import pytest

from amp_datasets.errors import BuildError
from amp_datasets.storage.files import file_sha256, hidden_fault, read_file, refuse_taken, write_file, write_new_files


def test_a_result_is_a_new_file(tmp_path: Path) -> None:
    """What a link leads to, and the other names of the old file, stay as they are."""
    (tmp_path / "kept").write_text("kept")
    (tmp_path / "link").symlink_to("kept")
    os.link(tmp_path / "kept", tmp_path / "hard")
    for name in ("link", "hard", "new"):
        write_file(tmp_path / name, b"result")
        assert (tmp_path / name).read_bytes() == b"result"
        assert not (tmp_path / name).is_symlink()
    assert (tmp_path / "kept").read_text() == "kept"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hard", "kept", "link", "new"]


def test_a_result_that_cannot_be_flushed_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk shows at the flush at the latest: no cut file, and no success."""
    write_file(tmp_path / "file", b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BuildError, match="No space left on device"):
        write_file(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    """It is an error of ours."""
    (tmp_path / "place").mkdir()
    with pytest.raises(BuildError, match="folder"):
        write_file(tmp_path / "place", b"x")


def test_a_new_file_takes_nobodys_place(tmp_path: Path) -> None:
    """Not even that of a link to nowhere; the same content once more is fine."""
    (tmp_path / "a").write_text("mine")
    (tmp_path / "b").symlink_to("nowhere")
    for name in ("a", "b"):
        with pytest.raises(BuildError, match="a file already"):
            refuse_taken(tmp_path / name, b"x")
    refuse_taken(tmp_path / "a", b"mine")
    refuse_taken(tmp_path / "new", b"x")


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    """A pipe, a socket and a device are errors at once; a link is one unless it may be followed."""
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
    (tmp_path / "file").write_text("text")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "zero").symlink_to("/dev/zero")
    done = threading.Event()

    def look() -> None:
        for name in ("pipe", "socket", "zero", "link"):
            with pytest.raises(OSError, match=r".+"):
                read_file(tmp_path / name, 10)
            with pytest.raises(OSError, match=r".+"):
                file_sha256(tmp_path / name)
        with pytest.raises(OSError, match="no regular file"):
            file_sha256(tmp_path / "zero", follow=True)
        done.set()

    threading.Thread(target=look, daemon=True).start()
    assert done.wait(10)
    assert read_file(tmp_path / "link", 10, follow=True) == b"text"
    with pytest.raises(OSError, match="more than 3 bytes"):
        read_file(tmp_path / "file", 3)


@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=["full", "ctrl-c"])
def test_results_that_belong_together_come_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: BaseException
) -> None:
    """A disk that is full at the last of three, or Ctrl-C: what was there stays, nothing new does."""
    (tmp_path / "a.txt").write_bytes(b"same")
    files = {tmp_path / name: b"same" for name in ("a.txt", "b.txt", "c.jpg")}
    fsync, count = os.fsync, itertools.count()

    def flush(handle: int) -> None:
        if next(count) == 4:
            raise fault
        fsync(handle)

    monkeypatch.setattr(os, "fsync", flush)
    with pytest.raises((BuildError, KeyboardInterrupt)):
        write_new_files(files)
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    write_new_files(files)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == files


def test_a_fault_of_the_disk_is_found_behind_a_librarys() -> None:
    """A full disk is told as one, although the clean-up failed, too; another error stays what it is."""
    full = OSError(28, "No space left on device")

    def fail() -> None:
        try:
            raise full
        finally:
            raise ValueError("I/O operation on closed file")

    with pytest.raises(ValueError, match="closed file") as found:
        fail()
    assert hidden_fault(found.value) is full
    with pytest.raises(ValueError, match="other"):
        hidden_fault(ValueError("other"))
