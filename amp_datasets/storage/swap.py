"""Puts a finished folder in the place of another: in one step where the system can, and on the disk before that."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2  # linux/fs.h


def exchange(one: Path, other: Path) -> bool:
    """Let two folders of one file system change places in one step; False where the system cannot (renameat2)."""
    if sys.platform != "linux":
        return False
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:  # a C library older than glibc 2.28
        return False
    sys.audit("os.rename", str(one), str(other), -1, -1)  # as every other rename can be seen
    return bool(renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0)


def flush_tree(folder: Path) -> None:
    """Have everything that was written below a folder on its disk, so that a power cut cannot leave empty files.

    One call for the whole file system (syncfs) costs a fraction of one fsync a file.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        if sys.platform == "linux":
            ctypes.CDLL(None).syncfs(handle)
        else:
            os.fsync(handle)
    finally:
        os.close(handle)


def flush_folder(folder: Path) -> None:
    """Have the names in a folder on its disk, where the system lets a folder be flushed."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def has_no_neighbour(target: Path) -> bool:
    """Whether nothing can grow beside a folder and be renamed to it: a mount point, or a parent that is read-only."""
    if not target.is_dir() or target.is_symlink():
        return False
    return os.path.ismount(target) or not os.access(target.parent, os.W_OK)


def must_stay(target: Path) -> bool:
    """Whether a folder has to keep its place, so that only what is in it can be exchanged.

    Beside those without neighbours these are the current folder and those around it: the shell that stands there would
    be left in a folder that is gone.
    """
    if not target.is_dir() or target.is_symlink():
        return False
    here, own = Path.cwd().resolve(), target.resolve()
    return has_no_neighbour(target) or own == here or own in here.parents
