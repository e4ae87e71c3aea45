"""How `amp build` grows: CPU time a variant, memory of each process, and what the end, `verify` and `load` cost.

    python benchmarks/scale.py [--quick | --full] [--images N]

Without options 1, 10 and 100 times some images; with --full sets of 200 images: 1, 8 and 80 of them, so 4,000, 32,000
and 320,000 variants, of which 1,000 are made again (an hour on two cores). Small images (320x240), so that it ends; a
variant's pixels cost little here, and what grows would be seen the more. The start-up is in no time; the fixed cost of
a build (recipe, lock, card) is, and shows with few images.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import measuring
import sets
import ways

SIZE = (320, 240)
SET_IMAGES = 200
REPLAYED = 1000


def main() -> None:
    """The command line, and the program of the children."""
    parser = argparse.ArgumentParser(description="How time and memory grow with the images.")
    parser.add_argument("--quick", action="store_true", help="1, 2 and 4 images")
    parser.add_argument("--full", action="store_true", help="1, 8 and 80 sets of 200 images, verified and loaded too")
    parser.add_argument("--images", type=int, default=10, metavar="N", help="of the smallest set")
    parser.add_argument("--child", nargs="+", metavar="OUT SET", help=argparse.SUPPRESS)
    parser.add_argument("--verify", metavar="OUT", help=argparse.SUPPRESS)
    parser.add_argument("--load", metavar="OUT", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        child(Path(chosen.child[0]), [Path(each) for each in chosen.child[1:]])
    elif chosen.verify:
        verified(Path(chosen.verify))
    elif chosen.load:
        loaded(Path(chosen.load))
    elif chosen.full:
        measuring.describe_machine()
        for count in (1, 8, 80):
            full(count)
    else:
        measuring.describe_machine()
        growth([1, 2, 4] if chosen.quick else [chosen.images, 10 * chosen.images, 100 * chosen.images])


def growth(counts: list[int]) -> None:
    """The table of one set that grows, in one process."""
    found = {count: measure(count) for count in counts}
    least = found[counts[0]]
    measuring.heading(f"amp build -j 1 with {SIZE[0]}x{SIZE[1]} images, {ways.VARIANTS} variants each")
    measuring.table(
        ["images", "variants", "CPU ms a variant", "wall ms a variant", "peak MB (PSS)", "more than the first"],
        [_row(count, usage, least) for count, usage in found.items()],
    )


def measure(count: int) -> measuring.Usage:
    """A build in a process of its own."""
    folder = sets.drawn(count, SIZE)
    measuring.note(f"{count} images")
    with tempfile.TemporaryDirectory(dir=sets.CACHE) as work:
        out = Path(work) / "out"
        usage = measuring.measure([sys.executable, __file__, "--child", str(out), str(folder)])
        made = len(sets.images(out))
        shutil.rmtree(out)
    if made != ways.VARIANTS * count:
        raise RuntimeError(f"{made} images were made of {count}")
    return usage


def full(count: int) -> None:
    """So many sets: built by two workers, verified with images made again, loaded; each in a process of its own."""
    folders = [sets.drawn(SET_IMAGES, SIZE, first=SET_IMAGES * number) for number in range(count)]
    variants = count * SET_IMAGES * ways.VARIANTS
    measuring.heading(f"{count} sets of {SET_IMAGES} images, {variants} variants")
    with tempfile.TemporaryDirectory(dir=sets.CACHE) as work:
        out = Path(work) / "out"
        for options in (["--child", str(out), *map(str, folders)], ["--verify", str(out)], ["--load", str(out)]):
            usage = measuring.measure([sys.executable, __file__, *options], say=True)
            told = f"{usage.cpu_s:.1f} s of CPU, {usage.wall_s:.1f} s, {1000 * usage.cpu_s / variants:.2f} ms a variant"
            peaks = f"{usage.first_mb:.0f} MB in the first process, {usage.other_mb:.0f} MB in the largest other"
            print(f"{options[0][2:]}: {told}; {peaks}; {usage.peak_mb:.0f} MB in all (PSS)", flush=True)
        print(f"files: {sum(path.is_file() for path in out.rglob('*'))}")


def child(out: Path, folders: list[Path]) -> None:
    """One build: by one worker for a single set, else by two, with what each process needed at its peak."""
    sys.modules.setdefault("albumentations.pytorch", None)  # type: ignore[arg-type] # as the `amp` command does
    from amp_datasets.building.api import build
    from amp_datasets.plugin.discovery import load_registry

    load_registry()
    measuring.mark()
    report = build(ways.MANIFEST, out=out, sources=folders, jobs=1 if len(folders) == 1 else 2)
    if len(folders) > 1:
        lost = sum(loss.count for loss in report.refused_variants)
        print(f"{report.variants} variants, {lost} refused with reasons, {report.labels} labels")


def verified(out: Path) -> None:
    """`amp verify`, with images made again."""
    _timed(lambda verify, _load: verify(out, replay=REPLAYED).as_text()[:2])


def loaded(out: Path) -> None:
    """`amp.load` of a build that was not loaded before."""
    _timed(lambda _verify, load: {split: len(rows) for split, rows in load(out).items()})


def _timed(action: Callable[..., object]) -> None:
    sys.modules.setdefault("albumentations.pytorch", None)  # type: ignore[arg-type] # as the `amp` command does
    from amp_datasets.ledger.verify import verify
    from amp_datasets.loading.load import load

    measuring.mark()
    started = time.process_time()
    told = action(verify, load)
    print(json.dumps(told), f"{time.process_time() - started:.1f} s of CPU; {measuring.own_peak():.0f} MB here")


def _row(count: int, usage: measuring.Usage, least: measuring.Usage) -> list[str]:
    variants = count * ways.VARIANTS
    cpu, wall = usage.cpu_s / variants * 1000, usage.wall_s / variants * 1000
    more = f"{usage.peak_mb - least.peak_mb:+.0f}"
    return [str(count), str(variants), f"{cpu:.2f}", f"{wall:.2f}", f"{usage.peak_mb:.0f}", more]


if __name__ == "__main__":
    main()
