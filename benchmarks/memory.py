"""What it gains that freed memory is kept (`building.engines.process.keep_freed_memory`): `amp build` with and without.

    python benchmarks/memory.py [--quick] [--images N]

Both builds run in processes of their own, with one worker. System time and page faults are the kernel's count.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import measuring
import sets
import ways

from amp_datasets.building.engines.process import keep_freed_memory


def main() -> None:
    """The command line, and the program of the children."""
    parser = argparse.ArgumentParser(description="Freed memory kept, and given back.")
    parser.add_argument("--quick", action="store_true", help="two small images")
    parser.add_argument("--images", type=int, default=40, metavar="N")
    parser.add_argument("--child", nargs=3, metavar=("KEEP", "SET", "OUT"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        _build(chosen.child[0] == "kept", Path(chosen.child[1]), Path(chosen.child[2]))
        return
    measuring.describe_machine()
    count, size = (2, (160, 120)) if chosen.quick else (chosen.images, (1000, 750))
    measuring.heading(f"amp build -j 1, {count} images of {size[0]}x{size[1]}, {ways.VARIANTS} variants each")
    rows = [_row(how, sets.drawn(count, size)) for how in ("given back", "kept")]
    measuring.table(["freed memory is", "system s", "CPU s", "page faults"], rows)


def _row(how: str, folder: Path) -> list[str]:
    with tempfile.TemporaryDirectory(dir=sets.CACHE) as work:
        command = [sys.executable, __file__, "--child", how, str(folder), f"{work}/out"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    system, cpu, faults = json.loads(done.stdout.splitlines()[-1])
    return [how, f"{system:.2f}", f"{cpu:.2f}", str(faults)]


def _build(keep: bool, folder: Path, out: Path) -> None:
    """One build, and what it took without the imports, as JSON."""
    from amp_datasets.building.api import build
    from amp_datasets.plugin.discovery import load_registry

    load_registry()
    if keep:
        keep_freed_memory()
    before = resource.getrusage(resource.RUSAGE_SELF)
    build(ways.MANIFEST, out=out, sources=[folder], jobs=1)
    after = resource.getrusage(resource.RUSAGE_SELF)
    system = after.ru_stime - before.ru_stime
    print(json.dumps([system, system + after.ru_utime - before.ru_utime, after.ru_minflt - before.ru_minflt]))


if __name__ == "__main__":
    main()
