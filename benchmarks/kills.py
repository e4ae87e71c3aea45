"""Builds killed at random moments and run again: does the folder end as if nothing had happened?

    python benchmarks/kills.py               100 kills
    python benchmarks/kills.py --kills 500 --seed 7

A build with one or two worker processes is killed (SIGKILL, the whole group of processes at once) at a moment drawn
evenly from the time that it takes; every third one is killed again while it goes on. One in two replaces an older build
with other settings. After the kill the target is absent, the older build or the new one, never anything between; after
the next run it is the undisturbed build byte for byte, and nothing lies beside it.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import cv2
from measuring import describe_machine, note, table
from small_builds import FILTERS, rebuild, tree, write_manifest, write_set

IMAGES = 6
OTHER = FILTERS.replace("percent: 30", "percent: 40")


class Trial:
    """A folder in which one build is killed and run again."""

    def __init__(self, folder: Path, jobs: int) -> None:
        self.folder, self.jobs = folder, jobs
        write_set(folder / "set", IMAGES)
        write_manifest(folder / "amp.yaml", ["set"], OTHER)
        self.seconds = time_of(self.build)
        self.older = folder / "older"
        (folder / "build").rename(self.older)
        write_manifest(folder / "amp.yaml", ["set"])
        self.seconds = (self.seconds + time_of(self.build)) / 2
        self.whole, self.before = tree(folder / "build"), tree(self.older)
        self.beside = sorted([path.name for path in folder.iterdir()])

    def build(self) -> None:
        """The build, in a process of its own."""
        rebuild(self.folder, jobs=self.jobs)

    def run(self, chance: random.Random) -> str:
        """Kill, look, go on, look; what was found after the kill. Raises AssertionError on anything else."""
        target = self.folder / "build"
        shutil.rmtree(target, ignore_errors=True)
        replaces = chance.random() < 0.5
        if replaces:
            shutil.copytree(self.older, target)
        found = ""
        for _ in range(2 if chance.random() < 1 / 3 else 1):
            ended = killed(self.build, chance.uniform(0, self.seconds * 1.1))
            found = self._state(target, replaces=replaces, ended=ended)
        finish(self.build)
        assert tree(target) == self.whole, "the build that went on differs from the undisturbed one"
        beside = sorted(path.name for path in self.folder.iterdir())
        assert beside == self.beside, f"left beside the build: {set(beside) ^ set(self.beside)}"
        return f"{'replacing, ' if replaces else ''}{found}"

    def _state(self, target: Path, *, replaces: bool, ended: bool) -> str:
        if ended:
            assert tree(target) == self.whole
            return "had ended"
        if not target.exists():
            return "absent"
        now = tree(target)
        assert now == self.whole or (replaces and now == self.before), "the target is half a build"
        return "new build there" if now == self.whole else "older build there"


def started(action: Callable[[], object]) -> int:
    """A process, and the leader of a group, that does something and ends."""
    cv2.setNumThreads(1)  # before the fork: a child must not be the first to do this
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.setpgid(0, 0)
            action()
            code = 0
        finally:
            os._exit(code)
    return pid


def finish(action: Callable[[], object]) -> None:
    """Do something in a process of its own and wait for it."""
    _, status = os.waitpid(started(action), 0)
    assert os.waitstatus_to_exitcode(status) == 0, "the run after the kill failed"


def killed(action: Callable[[], object], after_s: float) -> bool:
    """Kill it with all its processes after some time; whether it had ended by itself."""
    pid = started(action)
    time.sleep(after_s)
    over, status = os.waitpid(pid, os.WNOHANG)
    if over:
        assert os.waitstatus_to_exitcode(status) == 0, "the build failed before it was killed"
        return True
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return False


def time_of(action: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.monotonic()
    finish(action)
    return time.monotonic() - start


def main() -> None:
    """Kill, and count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100, help="rounds (default: 100)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="six rounds")
    args = parser.parse_args()
    describe_machine()
    chance, found = random.Random(args.seed), Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        trials = [Trial(Path(folder) / f"jobs-{jobs}", jobs) for jobs in (1, 2)]
        note(f"an undisturbed build takes {', '.join(f'{trial.seconds:.2f} s' for trial in trials)}")
        rounds = 6 if args.quick else args.kills
        for number in range(rounds):
            found[trials[number % 2].run(chance)] += 1
            if (number + 1) % 10 == 0:
                note(f"{number + 1} of {rounds}")
    print("### Builds killed and run again: all ended as the undisturbed one\n")
    table(("found after the kill", "builds"), [(state, str(count)) for state, count in sorted(found.items())])


if __name__ == "__main__":
    main()
