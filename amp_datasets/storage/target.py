"""A folder that grows beside its place and takes it at once, while nobody else writes there.

.NAME.amp-work/   beside the target; inside it, as .amp-work, where nothing can be beside it (`has_no_neighbour`)
lock              held while a run writes
owner, mark       who it is, and the proof that this user's run made the folder
tree/             what is to stand at the target
replaced/         what stood there before, from the exchange until its files are removed
publishing        there from shortly before the exchange until all is settled; says what was to happen

What a run of ours did not make in the target is never lost: it is linked into the new tree before the exchange, and
whatever appeared since is moved there afterwards.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import secrets
import shutil
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from amp_datasets.errors import BuildError
from amp_datasets.storage.carry import dismantle, link_foreign
from amp_datasets.storage.claim import Claim, claim_name
from amp_datasets.storage.files import read_file, write_file
from amp_datasets.storage.swap import exchange, flush_folder, flush_tree, has_no_neighbour, must_stay

WORK_INSIDE = ".amp-work"
"""The work folder of a target that has to have it inside."""

_MAX_MARKER_BYTES = 2**20

MadeFiles = Callable[[Path, Path], Collection[str]]
"""The relative names of what our runs made in a folder (first), where another (second) is to stand."""


def check_empty(target: Path) -> None:
    """Refuse a target that holds anything at all."""
    if target.is_symlink() or (target.exists() and (not target.is_dir() or any(_entries(target)))):
        raise BuildError("the target is there already and not empty", where=target, fix="choose another -o")


def work_folder(target: Path) -> Path:
    """Where the work on a target is done, if there is any: beside it, or inside where nothing can be beside it."""
    target = Path(os.path.abspath(target))  # noqa: PTH100 - resolve() would follow a link that is the target
    if not target.name or has_no_neighbour(target):
        return target / WORK_INSIDE
    return target.with_name(claim_name(target.name))


class GrowingFolder:
    """The work on one target. Use it as a context: it is locked inside, and gone after `publish` or `discard`.

    `check` refuses a target that must not be replaced, `made` lists what of an old one is ours, and `seal` names the
    file that makes a tree whole: the last one to come, the first one to go.
    """

    def __init__(
        self,
        target: Path,
        *,
        check: Callable[[Path], None] = check_empty,
        made: MadeFiles = lambda _old, _new: (),
        seal: str = "",
    ) -> None:
        self.target = Path(os.path.abspath(target))  # noqa: PTH100 - resolve() would follow a link that is the target
        self.root = work_folder(self.target)
        self.tree, self._old, self._marker = (self.root / name for name in ("tree", "replaced", "publishing"))
        self._check, self._made, self._seal = check, made, seal
        self._claim = Claim(self.root)

    def __enter__(self) -> Self:
        try:
            if not os.path.lexists(self.root):
                self._check(self.target)
            self._claim.take(self.target)
            self._settle()
            if not self._claim.ours:
                self.discard()
            self._check(self.target)  # once more: only now nobody else can put something there
            self._claim.sign(f"process {os.getpid()} on {platform.node()}\n")
        except OSError as error:
            self._leave()
            raise BuildError(
                f"the target cannot be written: {error.strerror or error}",
                where=self.root.parent,
                fix="free some space or choose another -o",
            ) from error
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def begin(self) -> Path:
        """The new tree, empty: what a run that was cut off left of one is removed. OSError if it cannot be made."""
        if os.path.lexists(self.tree):
            _remove(self.tree)
        self.tree.mkdir()
        return self.tree

    def publish(self) -> None:
        """Put the finished tree in the target's place; what of ours stood there goes away last.

        Raises BuildError if that cannot be done, or if a file of the user's is in the way: then all is as before.
        """
        try:
            names = self._made(self.target, self.tree) if self.target.is_dir() else ()
            if must_stay(self.target):
                tops = {name.split("/")[0] for name in names} | _entries(self.tree)
                link_foreign(self.target, self.tree, names, self.root.name, tops)
                self._flush({"entries": sorted(tops & _entries(self.target))})
                self._swap_entries()
            else:
                link_foreign(self.target, self.tree, names, self.root.name)
                self._flush({"inode": self.tree.stat().st_ino})
                self._swap()
            flush_folder(self.target.parent)
        except OSError as error:
            with contextlib.suppress(OSError):
                self._settle()
            what = f"the build cannot be put in place: {error.strerror or error}"
            raise BuildError(what, where=self.target, fix="choose another -o; what is finished is kept") from error
        with contextlib.suppress(OSError):  # the new tree stands; what is left to clear away, the next run clears away
            self._settle()
            self.discard()

    def discard(self) -> None:
        """Remove all of the work, but never what still has to be put back."""
        if self._claim.held:
            for entry in list(os.scandir(self.root)):
                if entry.name not in {"lock", self._old.name, self._marker.name}:
                    _remove(Path(entry.path))

    def is_kept(self) -> bool:
        """Whether the work folder holds something that a later run can use."""
        return self._old.exists() or self._marker.exists()

    def _leave(self) -> None:
        with contextlib.suppress(OSError):
            if self._claim.held and not self.is_kept():
                self.discard()
                self._claim.remove()
        self._claim.release()

    def _flush(self, plan: Mapping[str, Any]) -> None:
        """Have the tree on the disk, and then what is to happen to it."""
        flush_tree(self.tree)
        write_file(self._marker, json.dumps(plan).encode())

    def _swap(self) -> None:
        if not self.target.exists():
            self.tree.rename(self.target)
        elif not exchange(self.tree, self.target):
            # For a moment there is no target; whoever comes next puts the old one back first.
            self.target.rename(self._old)
            self.tree.rename(self.target)

    def _swap_entries(self) -> None:
        """Exchange what is in the target, entry by entry; begun once, it is always finished."""
        self._old.mkdir(exist_ok=True)
        for name in sorted(self._plan().get("entries", ()), key=lambda name: name != self._seal):
            if os.path.lexists(self.target / name) and not os.path.lexists(self._old / name):
                (self.target / name).rename(self._old / name)
        for name in sorted(_entries(self.tree), key=lambda name: name == self._seal):
            (self.tree / name).rename(self.target / name)
        self.tree.rmdir()

    def _settle(self) -> None:
        """Bring an exchange that was cut off to its end, or the old folder back, before anything else is done."""
        plan = self._plan() if self._claim.ours else {}
        if "entries" in plan and self.tree.exists():
            self._swap_entries()
        elif "inode" in plan and self._stands(plan["inode"]) and self.tree.exists():  # the old folder, exchanged
            dismantle(self.tree, self.target, self._made(self.tree, self.target))
        if self._old.exists():
            if _is_nothing(self.target) and self.root.parent != self.target:
                with contextlib.suppress(FileNotFoundError):
                    self.target.rmdir()
                self._old.rename(self.target)
            else:  # where no whole folder stands, nothing of the old one goes
                whole = os.path.lexists(self.target / self._seal)
                dismantle(self._old, self.target, self._made(self._old, self.target) if whole else ())
        self._marker.unlink(missing_ok=True)

    def _plan(self) -> dict[str, Any]:
        """What the run that was cut off was about to do."""
        try:
            plan = json.loads(read_file(self._marker, _MAX_MARKER_BYTES))
        except (OSError, ValueError, RecursionError):
            return {}
        return plan if isinstance(plan, dict) else {}

    def _stands(self, inode: object) -> bool:
        """Whether the tree that was to be published is at the target."""
        return self.target.is_dir() and self.target.stat().st_ino == inode


def _is_nothing(target: Path) -> bool:
    """Whether there is no folder, or one without anything in it."""
    return not os.path.lexists(target) or (target.is_dir() and not target.is_symlink() and not any(_entries(target)))


def _entries(folder: Path) -> set[str]:
    return {entry.name for entry in os.scandir(folder) if entry.name != WORK_INSIDE}


def _remove(path: Path) -> None:
    """Remove a file or folder; links in it are removed and never followed."""
    if path.is_dir() and not path.is_symlink():
        doomed = path.with_name(f".{secrets.token_hex(8)}.amp-gone")  # half removed, it is taken for nothing
        path.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
