"""Feeds damaged files to what reads them; only errors of ours may come out.

    python benchmarks/fuzz/fuzz.py TARGET [--inputs 100000] [--seconds S] [--seed 0]
    python benchmarks/fuzz/fuzz.py all --inputs 100000 --seconds 3600

TARGET is a source format, `manifest`, `image`, `zip`, `ledger` and `lock` (their values), `parquet-ledger` and `rows`
(their bytes), `labels`, `names`, or `all`. With atheris installed, `--atheris` lets coverage guide the damage (it runs
until it is stopped); without it the damage is drawn at random from a seed. Findings are printed with their input as
hexadecimal digits, and make the exit code 1; one that was repaired goes into `corpus/TARGET/`.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType

from datasets import config
from mutate import mutated
from targets import Read, names, target

from amp_datasets.errors import AmpError

SLOW_S = 2.0
"""Of the processor: an input that takes longer is told, each time that one is slower than all before."""

TOLD_EVERY = 10_000


def run(name: str, inputs: int, seconds: float, seed: int) -> int:
    """Feed one target; the number of different findings."""
    rng, found, started, done = random.Random(f"{seed}{name}"), set[str](), time.monotonic(), 0
    slowest = 0.0
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        config.HF_DATASETS_CACHE = Path(folder) / "cache"  # not the user's
        os.environ["HF_DATASETS_CACHE"] = str(config.HF_DATASETS_CACHE)
        seeds, read = target(name, Path(folder))
        while done < inputs and time.monotonic() - started < seconds:
            data = seeds[done] if done < len(seeds) else mutated(rng.choice(seeds), seeds, rng)
            done += 1
            begun = time.process_time()
            problem = problem_of(read, data)
            took = time.process_time() - begun
            if took > max(SLOW_S, slowest):
                slowest = took
                print(f"{name}: one input took {took:.1f} s: {data[:4000].hex()}", flush=True)
            if done % TOLD_EVERY == 0:
                print(f"{name}: {done} inputs so far, {len(found)} findings", flush=True)
            if problem is not None and problem not in found:
                found.add(problem)
                print(f"{name}: {problem}\n    input: {data.hex()}", flush=True)
    print(f"{name}: {done} inputs in {time.monotonic() - started:.0f} s, {len(found)} findings", flush=True)
    return len(found)


def problem_of(read: Read, data: bytes) -> str | None:
    """What came out that must not, and where; None if all was well."""
    try:
        read(data)
    except AmpError:
        return None
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if "amp_datasets" in frame.filename or "plugins" in frame.filename]
        place = (ours or frames)[-1]
        return f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}: {str(error)[:120]}"
    return None


def guided(name: str) -> None:
    """Let atheris choose the inputs; it never returns."""
    import atheris  # type: ignore[import-not-found, unused-ignore]

    folder = Path(tempfile.mkdtemp())
    (folder / "target").mkdir()
    seeds, read = target(name, folder / "target")
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, data in enumerate(seeds):
        (corpus / str(number)).write_bytes(data)

    def one(data: bytes) -> None:
        try:
            read(data)
        except AmpError:
            return

    for function in own_functions():
        atheris.instrument_func(function)
    atheris.Setup([sys.argv[0], str(corpus)], one)
    atheris.Fuzz()


def own_functions() -> Iterator[FunctionType]:
    """The functions and methods of the package and its plugins; the libraries behind them are not ours to cover."""
    for name, module in sorted(sys.modules.items()):
        if name.partition(".")[0] in {"amp_datasets", "amp_plugins"}:
            classes = [value for value in vars(module).values() if isinstance(value, type)]
            for value in (value for owner in (module, *classes) for value in vars(owner).values()):
                if isinstance(value, FunctionType) and value.__module__ == name:
                    yield value


def main() -> int:
    """The command line; returns its exit status."""
    parser = argparse.ArgumentParser(description="Fuzz amp_datasets.")
    parser.add_argument("target", help="a source format, manifest, image, zip, ledger, lock, ..., or all")
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--atheris", action="store_true", help="coverage-guided, until stopped")
    chosen = parser.parse_args()
    if chosen.atheris:
        guided(chosen.target)
    every = names() if chosen.target == "all" else [chosen.target]
    return int(sum([run(name, chosen.inputs, chosen.seconds / len(every), chosen.seed) for name in every]) > 0)


if __name__ == "__main__":
    sys.exit(main())
