"""A work folder that one run holds at a time, and that is known to be this user's."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import sys
from pathlib import Path

from amp_datasets.errors import BuildError
from amp_datasets.storage.files import read_file, write_file
from amp_datasets.storage.trust import is_marked, mark_of

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_TRIES = 50
_MAX_STEM_BYTES = 150
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)


def claim_name(target: str) -> str:
    """What the work folder of a target is called; names of any length have one that a file system takes."""
    if len(os.fsencode(target)) <= _MAX_STEM_BYTES:
        return f".{target}.amp-work"
    return f".{hashlib.sha256(os.fsencode(target)).hexdigest()[:32]}.amp-work"


class Claim:
    """The hold on a work folder. `ours` says that what lies in it was put there by this user's runs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ours = False
        self._handle: int | None = None

    @property
    def held(self) -> bool:
        """Whether the folder is locked by this object."""
        return self._handle is not None

    def take(self, target: Path) -> None:
        """Make the folder, or enter the one that is there, and lock it.

        Raises BuildError if another run has it, or if it is none of ours: a link, another user's, or one with links
        in it, through which a run would write elsewhere. OSError if it cannot be made.
        """
        for _ in range(_TRIES):
            with contextlib.suppress(FileExistsError):
                self.root.parent.mkdir(parents=True, exist_ok=True)
                self.root.mkdir(mode=0o700)
            try:
                self._refuse_planted()
                handle = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | _NO_FOLLOW, 0o600)
            except FileNotFoundError:  # whoever had it has just removed it
                continue
            if not _lock(handle):
                os.close(handle)
                said = f"another command is writing here ({self._owner()})"
                raise BuildError(said, where=target, fix="wait for it, or stop it")
            if self._is_current(handle):
                self._handle = handle
                self.ours = self._is_signed()
                return
            os.close(handle)
        raise BuildError("other commands begin and end here all the time", where=target, fix="run it again")

    def sign(self, owner: str) -> None:
        """Say who holds the folder, and mark it as this user's."""
        write_file(self.root / "owner", owner.encode())
        write_file(self.root / "mark", mark_of(self._identity()).encode())
        self.ours = True

    def remove(self) -> None:
        """Remove the folder, which must hold nothing but the lock."""
        (self.root / "lock").unlink(missing_ok=True)
        self.root.rmdir()

    def release(self) -> None:
        """Let others in."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _refuse_planted(self) -> None:
        found = self.root.lstat()
        strange = not stat.S_ISDIR(found.st_mode) or found.st_uid != _user(found.st_uid)
        if strange or list(filter(_is_strange, os.scandir(self.root))):
            what = "the place where this folder is to grow is not ours: a link, another user's, or one with links in it"
            raise BuildError(what, where=self.root, fix="look what it is, and remove it or move it away")

    def _is_current(self, handle: int) -> bool:
        """Whether the lock is that of the folder that stands there now, and not of one that was removed meanwhile."""
        try:
            there, held = (self.root / "lock").lstat(), os.fstat(handle)
        except FileNotFoundError:
            return False
        return (there.st_ino, there.st_dev) == (held.st_ino, held.st_dev)

    def _identity(self) -> str:
        """What no copy of the folder has; a folder that was moved keeps it."""
        return f"work folder {self.root.stat().st_ino}"

    def _is_signed(self) -> bool:
        try:
            return is_marked(self._identity(), read_file(self.root / "mark", 1000).decode("ascii"))
        except (OSError, ValueError):
            return {entry.name for entry in os.scandir(self.root)} <= {"lock"}  # just made, or emptied

    def _owner(self) -> str:
        with contextlib.suppress(OSError, ValueError):
            return read_file(self.root / "owner", 1000).decode("utf-8").strip()
        return "its owner is not known"


def _is_strange(entry: os.DirEntry[str]) -> bool:
    """Whether an entry leads elsewhere: a link, another name of some file, or neither file nor folder."""
    if entry.is_symlink():
        return True
    if entry.is_dir(follow_symlinks=False):
        return False
    try:
        return not entry.is_file(follow_symlinks=False) or Path(entry.path).lstat().st_nlink > 1
    except FileNotFoundError:
        return False


def _user(otherwise: int) -> int:
    return os.geteuid() if hasattr(os, "geteuid") else otherwise


def _lock(handle: int) -> bool:
    """Take the lock without waiting; it ends with the process that holds it, however that ends."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
