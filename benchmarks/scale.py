"""1, 10 and 100 times the images: CPU time a variant and memory at the peak of `amp build`.

    python benchmarks/scale.py [--quick] [--images N]

Small images (320x240), so that it ends; a variant's pixels cost little here, and what grows would be seen the more.
The start-up is in no time; the fixed cost of a build (recipe, lock, card) is, and shows with few images.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import measuring
import sets
import ways

SIZE = (320, 240)


def main() -> None:
    """The command line, and the program of the children."""
    parser = argparse.ArgumentParser(description="How time and memory grow with the images.")
    parser.add_argument("--quick", action="store_true", help="1, 2 and 4 images")
    parser.add_argument("--images", type=int, default=10, metavar="N", help="of the smallest set")
    parser.add_argument("--child", nargs=2, metavar=("SET", "OUT"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        ways.amp(Path(chosen.child[0]), Path(chosen.child[1]), jobs=1)
        return
    measuring.describe_machine()
    counts = [1, 2, 4] if chosen.quick else [chosen.images, 10 * chosen.images, 100 * chosen.images]
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
        usage = measuring.measure([sys.executable, __file__, "--child", str(folder), str(out)])
        made = len(sets.images(out))
        shutil.rmtree(out)
    if made != ways.VARIANTS * count:
        raise RuntimeError(f"{made} images were made of {count}")
    return usage


def _row(count: int, usage: measuring.Usage, least: measuring.Usage) -> list[str]:
    variants = count * ways.VARIANTS
    cpu, wall = usage.cpu_s / variants * 1000, usage.wall_s / variants * 1000
    more = f"{usage.peak_mb - least.peak_mb:+.0f}"
    return [str(count), str(variants), f"{cpu:.2f}", f"{wall:.2f}", f"{usage.peak_mb:.0f}", more]


if __name__ == "__main__":
    main()
