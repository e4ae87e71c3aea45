"""Keeps what we did not make: files in a folder that is to be replaced go over to the one that replaces it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator, Sequence, Set
from pathlib import Path

from amp_datasets.errors import BuildError

_SHOWN = 10


def foreign_files(folder: Path, made: Collection[str], skip: str = "") -> Iterator[str]:
    """The relative names of everything below a folder that is neither in `made` nor a folder on the way to it.

    Links are entries like files and never followed; a folder is listed, with a slash at its end, if it is empty.
    """
    known = made if isinstance(made, Set) else frozenset(made)
    pending = [""]
    while pending:
        below = pending.pop()
        is_empty, found = True, list[str]()
        with os.scandir(folder / below) as entries:
            for entry in entries:
                is_empty = False
                name = below + entry.name
                if entry.is_dir(follow_symlinks=False):
                    if name != skip:
                        pending.append(f"{name}/")
                elif name not in known:
                    found.append(name)
        yield from [below] if below and is_empty else sorted(found)


def link_foreign(old: Path, new: Path, made: Collection[str], skip: str, tops: Collection[str] | None = None) -> None:
    """Give what is not ours in `old` its place in `new` too, so that it is never away, not even for a moment.

    With `tops` only what lies below these entries of `old` is looked at. Raises BuildError, before anything is changed,
    where the new folder has something else in such a place. In a file system without links this does nothing: then
    `dismantle` moves the files.
    """
    if not old.is_dir():
        return
    found = [name for name in foreign_files(old, made, skip) if tops is None or name.split("/")[0] in tops]
    clashes = [name for name in found if not name.endswith("/") and _clashes(new, name)]
    refuse_clashes(clashes, old)
    for name in found:
        target = new / name
        if name.endswith("/"):
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError, OSError, NotImplementedError):
            os.link(old / name, target, follow_symlinks=False)


def refuse_clashes(clashes: Sequence[str], where: object) -> None:
    """A BuildError if there are files that no build made in the places of new ones."""
    if clashes:
        listed = ", ".join(clashes[:_SHOWN]) + (f" and {len(clashes) - _SHOWN} more" if len(clashes) > _SHOWN else "")
        what = f"files that no build made are where new ones are to be written: {listed}"
        raise BuildError(what, where=where, fix="move them away, or choose another -o")


def dismantle(old: Path, new: Path, made: Collection[str]) -> None:
    """Remove a folder that was replaced: our files go, everything else moves over to the folder that replaced it."""
    known = frozenset(made)
    for name in list(foreign_files(old, known)):
        if name.endswith("/"):
            if not _clashes(new, name.rstrip("/")):
                (new / name).mkdir(parents=True, exist_ok=True)
        elif not _is_same(old / name, new / name):
            target = _free(new, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            (old / name).rename(target)
    for folder, folders, files in os.walk(old, topdown=False):
        for path in (Path(folder, name) for name in (*files, *folders)):
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            elif (name := path.relative_to(old).as_posix()) in known or _is_same(path, new / name):
                path.unlink()
    old.rmdir()  # an error if something came in just now: then it is looked at again by the next run


def _clashes(new: Path, name: str) -> bool:
    """Whether a name is taken in a folder, or one of the folders that it lies in is there a file or link."""
    return os.path.lexists(new / name) or _blocked(new, name) is not None


def _blocked(new: Path, name: str) -> str | None:
    """The first of the folders above a name that is there, and is a file or a link."""
    parts = name.split("/")
    above = ("/".join(parts[:count]) for count in range(1, len(parts)))
    return next((each for each in above if os.path.lexists(new / each) and not _is_folder(new / each)), None)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _is_same(one: Path, other: Path) -> bool:
    try:
        first, second = one.lstat(), other.lstat()
    except OSError:
        return False
    return (first.st_ino, first.st_dev) == (second.st_ino, second.st_dev)


def _free(new: Path, name: str) -> Path:
    """The place of a name in a folder; where it is taken, the first one with a number."""
    wished, number = name, 0
    while _clashes(new, name):
        number += 1
        blocking = _blocked(new, wished)
        taken = wished if blocking is None else blocking
        name = wished.replace(taken, f"{taken}.kept-{number}", 1)
    return new / name
