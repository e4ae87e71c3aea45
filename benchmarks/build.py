"""`amp build` with the 20 filters of manifests/seed20.yaml against other ways of making the same number of images.

    python benchmarks/build.py [--quick] [--rounds N] [--slow-rounds N] [WAY ...]

Two sets: ten photographs (where they are at hand) and 200 drawn images of 1000x750. Each way runs in a process of its
own, and they take turns. "Work" is what comes after the imports. The slow ways get a part of the images.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import measuring
import sets
import ways

PART = {"original's way": 20, "Albumentations loop": 40, "torchvision v2 loop": 10, "datasets.map with PIL": 2}
"""So many images at most; the others get all."""
NEEDS = {"torchvision v2 loop": "torchvision"}


def main() -> None:
    """The command line, and the program of the children."""
    parser = argparse.ArgumentParser(description="amp build against other ways.")
    parser.add_argument("ways", nargs="*", metavar="WAY", help=f"of: {', '.join(ways.WAYS)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="two small images, one round")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--child", nargs=3, metavar=("WAY", "SET", "OUT"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        way, folder, out = chosen.child
        ways.WAYS[way](Path(folder), Path(out))
        return
    measuring.describe_machine()
    names = [name for name in chosen.ways or ways.WAYS if _is_there(name)]
    if chosen.quick:
        compare("2 drawn images of 160x120", sets.drawn(2, (160, 120)), names, 1)
        return
    if sets.ACCORDION.is_dir():
        compare("10 photographs", sets.ACCORDION, names, chosen.rounds)
    else:
        print(f"skipped: the photographs are not at {sets.ACCORDION}\n")
    compare("200 drawn images of 1000x750", sets.drawn(200, (1000, 750)), names, chosen.rounds)


def compare(title: str, folder: Path, names: Sequence[str], rounds: int) -> None:
    """Print the table of one set."""
    count = len(sets.images(folder))
    with tempfile.TemporaryDirectory(dir=sets.CACHE) as work:
        parts = {name: _part(folder, min(count, PART.get(name, count)), Path(work)) for name in names}

        def run(name: str) -> measuring.Usage:
            out = Path(work) / "out"
            shutil.rmtree(out, ignore_errors=True)
            command = [sys.executable, __file__, "--child", name, str(parts[name]), str(out)]
            usage = measuring.measure(command)
            made = len(sets.images(out))
            if made != ways.VARIANTS * len(sets.images(parts[name])):
                raise RuntimeError(f"{name} wrote {made} images")
            return usage

        found = measuring.interleaved(names, rounds, run)
        made = {name: ways.VARIANTS * len(sets.images(parts[name])) for name in names}
    measuring.heading(f"Build: {title} ({sets.megapixels(sets.images(folder)):.2f} megapixels), medians of {rounds}")
    measuring.table(
        ["way", "variants", "CPU ms a variant", "of the floor", "of amp -j 1", "wall ms a variant", "start-up CPU s",
         "peak MB (PSS)", "of it anonymous"],
        [_row(name, found, made) for name in names],
    )  # fmt: skip


def _row(name: str, found: dict[str, measuring.Usage], made: dict[str, int]) -> list[str]:
    usage = found[name]
    cpu = {way: other.cpu_s / made[way] * 1000 for way, other in found.items()}
    against = [f"{cpu[name] / cpu[way]:.2f}" if way in cpu else "" for way in ("floor", "amp -j 1")]
    wall = usage.wall_s / made[name] * 1000
    memory = [f"{usage.peak_mb:.0f}", f"{usage.anonymous_mb:.0f}"]
    return [name, str(made[name]), f"{cpu[name]:.2f}", *against, f"{wall:.2f}", f"{usage.start_cpu_s:.1f}", *memory]


def _part(folder: Path, count: int, work: Path) -> Path:
    """The set itself, or links to its first images; labels of others do no harm to those who read a part."""
    if count == len(sets.images(folder)):
        return folder
    part = work / f"part-{count}"
    if not part.exists():
        part.mkdir()
        for file in [*sets.images(folder)[:count], *folder.rglob("*.json")]:
            (part / file.name).symlink_to(file)
    return part


def _is_there(name: str) -> bool:
    module = NEEDS.get(name)
    if (
        module is None
        or subprocess.run([sys.executable, "-c", f"import {module}"], capture_output=True).returncode == 0
    ):
        return True
    print(f"skipped: {name}, for {module} cannot be imported\n")
    return False


if __name__ == "__main__":
    main()
