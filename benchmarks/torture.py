"""Commands killed, interrupted and left without space at their file operations: is anything lost or left half done?

    python benchmarks/torture.py                                        every command, every way
    python benchmarks/torture.py --commands build,export --ways kill --points 1000

A command runs in a child that counts its file operations below its folder (by an audit hook). Before a chosen one

    kill       it is killed (SIGKILL)
    interrupt  it gets Ctrl-C (SIGINT)
    terminate  it gets SIGTERM
    full       nothing more can be made: each new file, folder and link fails with ENOSPC from there on

and without counting operations

    large      no file can grow beyond so many bytes (RLIMIT_FSIZE)
    disk       it works on a file system of its own that is too small (tmpfs; where one may be mounted)

Then the target must be what it was before or the whole new one (of a few files, each whole or not there), the command
must have been refused clearly if it was not killed, and the same command once more must give the bytes that it gives
undisturbed, with nothing left beside it. Only a draft of a single file stays if a kill cut it off, and an empty work
folder in a cache. `kills.py` does the same with several processes at random moments.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import importlib
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import cv2
from measuring import describe_machine, note, table
from small_builds import tree
from small_disks import can_mount, disk, resize, space
from torture_commands import COMMANDS, Command, prepare

from amp_datasets.errors import AmpError

COUNTED = ("kill", "interrupt", "terminate", "full")
WAYS = (*COUNTED, "large", "disk")
SIGNALS = {"kill": signal.SIGKILL, "interrupt": signal.SIGINT, "terminate": signal.SIGTERM}
CHANGES = {"os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.chmod"}
GROWTH = {"open", "os.mkdir", "os.link", "os.symlink"}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
DRAFT, WORK = ".amp-part", ".amp-work"
REFUSED, INTERRUPTED, ACCIDENT = 2, 130, 3
PATIENCE_S = 120
_ROOM = 2**18
"""For work folders and caches beside the result."""


@dataclass(frozen=True)
class Blow:
    """What happens to a command: the way, and where (an operation's number, or bytes)."""

    way: str
    at: int


class Watcher:
    """Counts the file operations below a folder, and does something before one of them."""

    def __init__(self, root: Path, blow: Blow | None) -> None:
        self.root, self.blow, self.count = str(root), blow, 0

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """The audit hook."""
        if not self._is_counted(event, arguments):
            return
        self.count += 1
        if self.blow is None or self.count < self.blow.at:
            return
        if self.blow.way == "full" and event in GROWTH:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(arguments[0]))
        if self.blow.way in SIGNALS and self.count == self.blow.at:
            os.kill(os.getpid(), SIGNALS[self.blow.way])

    def _is_counted(self, event: str, arguments: tuple[Any, ...]) -> bool:
        if event == "open":
            mode, flags = arguments[1], arguments[2] or 0
            if not (set(mode) & set("wax+") if isinstance(mode, str) else flags & WRITES):
                return False
        elif event not in CHANGES:
            return False
        name = arguments[0]
        if not isinstance(name, str | bytes | os.PathLike):
            return False
        path = os.fsdecode(name)
        return path.startswith(self.root) or not Path(path).is_absolute()


def in_child(home: Path, command: Command, blow: Blow | None = None) -> tuple[int, int]:
    """How a command ended in a child (exit code, or minus the signal), and how many operations it took.

    What it imports undisturbed is imported here, too, so that the next child need not.
    """
    cv2.setNumThreads(1)  # before the fork: a child must not be the first to do this
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        code = ACCIDENT
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.alarm(PATIENCE_S)
            code = _ended(home, command, watcher := Watcher(home, blow))
            with os.fdopen(writer, "w") as stream:
                json.dump([watcher.count, [] if blow else sorted(sys.modules)], stream)
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader) as stream:
        count, modules = json.loads(stream.read() or "[0, []]")
    for name in modules:
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), count


def _ended(home: Path, command: Command, watcher: Watcher) -> int:
    if watcher.blow is not None and watcher.blow.way == "large":
        resource.setrlimit(resource.RLIMIT_FSIZE, (watcher.blow.at, resource.RLIM_INFINITY))
    sys.addaudithook(watcher)
    try:
        command.run(home)
    except AmpError as error:
        return REFUSED if str(error) else ACCIDENT
    except KeyboardInterrupt:
        return INTERRUPTED
    except BaseException as error:
        sys.stderr.write(f"    {watcher.blow}: {type(error).__name__}: {error}\n")
        return ACCIDENT
    return 0


class Torture:
    """One command in a folder of its own, with what stands there before it and after it when nothing happens."""

    def __init__(self, name: str, root: Path) -> None:
        self.command, self.root, self.home = COMMANDS[name], root, root / "home"
        done, _ = in_child(root / "template", Command(lambda home: prepare(home, self.command)))
        self._fresh()
        code, self.count = in_child(self.home, self.command)
        assert (done, code) == (0, 0), f"{name}: undisturbed it ends with {code}"
        self.before, self.after = standing(root / "template" / "out"), standing(self.home / "out")
        self.beside = self._beside()
        self.most = max(path.stat().st_size for path in self.home.rglob("*") if path.is_file())
        self.first, grown = space(root / "template"), space(self.home / "out")
        self.last = self.first + grown + _ROOM

    def blows(self, way: str, points: int) -> list[Blow]:
        """At most so many places, spread evenly over all that there are."""
        first, last = {"large": (0, self.most), "disk": (self.first, self.last)}.get(way, (1, self.count))
        steps = max(1, min(points, last - first + 1) - 1)
        return [Blow(way, first + step * (last - first) // steps) for step in range(steps + 1)]

    def strike(self, blow: Blow) -> tuple[str, list[str]]:
        """What stood at the target after it, and what is not as it should be."""
        with disk(self.home) if blow.way == "disk" else contextlib.nullcontext():
            self._fresh()
            if blow.way == "disk":
                resize(self.home, blow.at)
            code, _ = in_child(self.home, self.command, blow)
            if blow.way == "disk":
                resize(self.home)
            stands = self._stands(standing(self.home / "out"))
            problems = ["neither the old nor the new one stands there"] if stands == "neither" else []
            expected = {"kill": {-9}, "interrupt": {INTERRUPTED}, "terminate": {-15}}.get(blow.way, {REFUSED})
            expected |= {0} if stands == "new" else set()
            expected |= {REFUSED} if self.command.has_workers else set()
            problems += [] if code in expected else [f"it ended with {code}"]
            problems += ["refused, and half of it is there"] if code == REFUSED and stands == "some files" else []
            said = "refused" if code == REFUSED else "done" if code == 0 else "ended"
            return f"{stands}, {said}", problems + self._again(stands)

    def _stands(self, found: dict[str, str]) -> str:
        if found in (self.after, self.before):
            return "new" if found == self.after else "old"
        whole = found.items() <= {**self.before, **self.after}.items()
        return "some files" if self.command.single and whole else "neither"

    def _again(self, stands: str) -> list[str]:
        """What is not as it should be once the same command has run undisturbed."""
        code, _ = in_child(self.home, self.command)
        wanted = REFUSED if stands == "new" and self.command.wants_empty else 0
        left = [] if self.command.in_cache else sorted(self._beside() - self.beside)
        problems = [] if code == wanted else [f"run again it ends with {code}"]
        problems += [] if standing(self.home / "out") == self.after else ["run again it gives something else"]
        return problems + ([f"left behind: {', '.join(left)}"] if left else [])

    def _beside(self) -> set[str]:
        """Everything in the folder but the result, caches, and drafts of single files."""
        works = {path.relative_to(self.home).as_posix() for path in (self.home / "out").rglob(f"*{WORK}")}
        return works | {path.name for path in self.home.iterdir()}

    def _fresh(self) -> None:
        self.home.mkdir(exist_ok=True)
        for path in self.home.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.copytree(self.root / "template", self.home, dirs_exist_ok=True)


def standing(place: Path) -> dict[str, str]:
    """The files of a result with their digests, without what is still being made."""
    return {name: digest for name, digest in tree(place).items() if not any(mark in name for mark in (DRAFT, WORK))}


def torture(name: str, ways: Sequence[str], points: int) -> tuple[dict[str, Counter[str]], list[str]]:
    """One command, in every way, at so many places: how often what stood there, and what went wrong."""
    seen: dict[str, Counter[str]] = {}
    wrong: list[str] = []
    with tempfile.TemporaryDirectory(prefix="amp-torture-") as folder:
        subject = Torture(name, Path(folder).resolve())
        for way in ways:
            seen[way] = Counter()
            for blow in subject.blows(way, points):
                stands, problems = subject.strike(blow)
                seen[way][stands] += 1
                wrong += [f"{name}, {way} at {blow.at} of {subject.count}: {problem}" for problem in problems]
    return seen, wrong


def main() -> int:
    """The command line; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--commands", default=",".join(COMMANDS))
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--points", type=int, default=12, help="at most so many places of each, spread evenly")
    parser.add_argument("--quick", action="store_true", help="three places of each kill and each full disk")
    chosen = parser.parse_args()
    describe_machine()
    asked = ("kill", "full") if chosen.quick else chosen.ways.split(",")
    ways = [way for way in asked if way != "disk" or can_mount()]
    rows, wrong = [], list[str]()
    for name in chosen.commands.split(","):
        begun = time.monotonic()
        seen, problems = torture(name, ways, 3 if chosen.quick else chosen.points)
        wrong += problems
        rows += [(name, way, str(found.total()), _counted(found)) for way, found in seen.items()]
        note(f"{name}: {sum(found.total() for found in seen.values())} in {time.monotonic() - begun:.0f} s")
        for problem in problems[:20]:
            note(f"WRONG: {problem}")
    print("### Commands disturbed and run again\n")
    table(("command", "way", "times", "what stood at the target, and how the command ended"), rows)
    print(f"\n{len(wrong)} went wrong")
    return int(bool(wrong))


def _counted(found: Counter[str]) -> str:
    return "; ".join(f"{what}: {count}" for what, count in sorted(found.items()))


if __name__ == "__main__":
    sys.exit(main())
