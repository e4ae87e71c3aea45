"""What all benchmarks share: child processes with their CPU time and memory, interleaved rounds, tables.

Wall time says little on a machine that others use too, so CPU time is measured beside it, and competitors take turns.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

_MARK = "AMP_BENCHMARK_MARK"
_SAMPLE_SECONDS = 0.1
_SAMPLE_RARITY = 25

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process and all its children took: seconds after the start-up, seconds of it, and memory at the peak.

    Memory is the sum of the proportional set sizes (PSS): a page that processes share counts once. `anonymous_mb` is
    the part of it that no file backs. `first_mb` is the peak of the process itself and `other_mb` that of the largest
    of its children, mapped files included, as the kernel notes it for the process alone (VmHWM): what `getrusage` tells
    begins at the peak of the program that started it.
    """

    cpu_s: float
    wall_s: float
    start_cpu_s: float
    start_wall_s: float
    peak_mb: float
    anonymous_mb: float
    first_mb: float
    other_mb: float


def mark() -> None:
    """Called by a child when its imports are done: what comes now is the work."""
    place = os.environ.get(_MARK)
    if place:
        Path(place).write_text(json.dumps([time.process_time(), time.monotonic()]), encoding="ascii")


def measure(command: Sequence[str], *, say: bool = False) -> Usage:
    """Run a command to its end. Raises CalledProcessError, after its messages, if it fails; `say`: prints them."""
    with tempfile.TemporaryDirectory() as folder:
        place, messages = Path(folder) / "mark", Path(folder) / "messages"
        started = time.monotonic()
        with messages.open("wb") as stream:
            child = subprocess.Popen(
                command, stdout=stream, stderr=subprocess.STDOUT, env={**os.environ, _MARK: str(place)}
            )
            with Watch(child.pid) as watch:
                _, status, used = os.wait4(child.pid, 0)
        ended = time.monotonic()
        child.returncode = os.waitstatus_to_exitcode(status)
        if say:
            print(messages.read_text(encoding="utf-8", errors="replace").rstrip(), flush=True)
        if child.returncode:
            sys.stderr.write(messages.read_text(encoding="utf-8", errors="replace"))
            raise subprocess.CalledProcessError(child.returncode, command)
        start_cpu, marked = json.loads(place.read_text(encoding="ascii")) if place.exists() else (0.0, started)
    cpu = used.ru_utime + used.ru_stime
    memory = (watch.peak_mb, watch.anonymous_mb, *watch.largest())
    return Usage(cpu - start_cpu, ended - marked, start_cpu, marked - started, *memory)


class Watch(threading.Thread):
    """Reads the memory of a process tree, ten times a second at most.

    The kernel walks all pages for it. With two cores and two workers at work that would slow what is measured, so no
    more than a twenty-fifth of the time is spent here.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid = pid
        self.peak_mb = self.anonymous_mb = 0.0
        self._peaks: dict[int, float] = {}
        self._over = threading.Event()

    def __enter__(self) -> Watch:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()

    def largest(self) -> tuple[float, float]:
        """The peak of the process itself, and that of the largest of all others."""
        return self._peaks.get(self.pid, 0.0), max(
            (mb for pid, mb in self._peaks.items() if pid != self.pid), default=0.0
        )

    def run(self) -> None:
        """Look until the context ends."""
        pause = _SAMPLE_SECONDS
        while not self._over.wait(pause):
            started = time.thread_time()
            tree = list(_tree(self.pid))
            sizes = [_memory(pid) for pid in tree]
            for pid in tree:
                self._peaks[pid] = max(self._peaks.get(pid, 0.0), own_peak(pid))
            pause = max(_SAMPLE_SECONDS, _SAMPLE_RARITY * (time.thread_time() - started))
            self.peak_mb = max(self.peak_mb, sum(size for size, _ in sizes))
            self.anonymous_mb = max(self.anonymous_mb, sum(size for _, size in sizes))


def own_peak(pid: int | str = "self") -> float:
    """The most memory that a process has had since it runs its program, in megabytes; 0 where that is not told."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def _tree(pid: int) -> Iterable[int]:
    yield pid
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text(encoding="ascii").split():
                yield from _tree(int(child))


def _memory(pid: int) -> tuple[float, float]:
    """PSS and its anonymous part in megabytes; nothing where the process has ended or the system is no Linux."""
    found = {"Pss": 0.0, "Pss_Anon": 0.0}
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            name, _, rest = line.partition(":")
            if name in found:
                found[name] = int(rest.split()[0]) * 1024 / 1e6
    return found["Pss"], found["Pss_Anon"]


def interleaved(ways: Sequence[T], rounds: int, run: Callable[[T], Usage]) -> dict[T, Usage]:
    """The medians of each way's numbers over rounds in which the ways take turns."""
    found: dict[T, list[Usage]] = {way: [] for way in ways}
    for number in range(rounds):
        for way in ways if number % 2 == 0 else reversed(ways):
            note(f"round {number + 1} of {rounds}: {way}")
            found[way].append(run(way))
    return {way: _median(usages) for way, usages in found.items()}


def _median(usages: Sequence[Usage]) -> Usage:
    return Usage(*(statistics.median(getattr(usage, name) for usage in usages) for name in Usage.__slots__))


def milliseconds(functions: Sequence[Callable[[], object]], rounds: int) -> list[list[float]]:
    """CPU milliseconds of a call of each function in each round; in a round they take turns.

    Each runs before, to be warm; what is over soon is called as often in a turn as fills two milliseconds.
    """
    calls = [max(1, min(100, int(2 / _turn(function, 3)))) for function in functions]
    found: list[list[float]] = [[] for _ in functions]
    for number in range(rounds):
        order = range(len(functions)) if number % 2 == 0 else reversed(range(len(functions)))
        for i in order:
            found[i].append(_turn(functions[i], calls[i]))
    return found


def _turn(function: Callable[[], object], calls: int) -> float:
    """CPU milliseconds of one of some calls."""
    before = time.thread_time_ns()
    for _ in range(calls):
        function()
    return (time.thread_time_ns() - before) / 1e6 / calls


def ratio(numbers: Sequence[float], others: Sequence[float]) -> float:
    """The median of the ratios of numbers that were measured side by side."""
    return statistics.median(a / b for a, b in zip(numbers, others, strict=True))


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table that is readable as text and as Markdown: the first column to the left, numbers to the right."""
    lines = [tuple(header), *map(tuple, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    rule = tuple("-" * width if i == 0 else "-" * (width - 1) + ":" for i, width in enumerate(widths))
    for line in (lines[0], rule, *lines[1:]):
        cells = [
            text.ljust(width) if i == 0 else text.rjust(width)
            for i, (text, width) in enumerate(zip(line, widths, strict=True))
        ]
        print(f"| {' | '.join(cells)} |")
    print(flush=True)


def heading(title: str) -> None:
    """Print a table's title."""
    print(f"### {title}\n")


def note(text: str) -> None:
    """Say on stderr what is going on."""
    print(text, file=sys.stderr, flush=True)


def describe_machine(*libraries: str) -> None:
    """Print what the numbers below were measured on."""
    processor = platform.processor() or platform.machine()
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        processor = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    known = ("opencv-python-headless", "simplejpeg", "albumentations", "datasets", *libraries)
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in known)
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{os.cpu_count()} cores ({processor}), Python {platform.python_version()}, {versions}; load {load}\n")
