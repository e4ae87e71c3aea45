"""File systems of a few pages, for commands that are to run out of space. Only root may mount them."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

_AMPLE = 2**28
_PAGE = 4096


@contextlib.contextmanager
def disk(place: Path) -> Iterator[None]:
    """A file system of its own at a folder, ample until `resize`."""
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_AMPLE}", "tmpfs", str(place)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def resize(place: Path, size: int = _AMPLE) -> None:
    """Give it so many bytes, which may not be fewer than are used."""
    subprocess.run(["mount", "-o", f"remount,size={size}", str(place)], check=True)


def space(place: Path) -> int:
    """The bytes that a folder with all in it takes there."""
    return sum(-(-path.stat().st_size // _PAGE) * _PAGE for path in (place, *place.rglob("*")))


def can_mount() -> bool:
    """Whether this user may have one."""
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(OSError):
        done = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True, check=False)
        if done.returncode == 0:
            subprocess.run(["umount", folder], check=True)
            return True
    return False
