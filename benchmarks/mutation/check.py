"""Would the tests notice? Puts small faults into the core, one at a time, and names those that no test sees.

    python benchmarks/mutation/check.py                 the faults that once survived: every one must be seen
    python benchmarks/mutation/check.py --draw 5        also five random faults in each module of the core
    python benchmarks/mutation/check.py --only labels   only in modules whose path has this in it

It works in a copy of the checkout. Digests (tests/golden) would see nearly every fault; they are left out, because they
say that something changed, not that it is wrong. A fault that changes nothing (an equivalent mutant) cannot be seen.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mutants import Mutant, drawn, replaced

ROOT = Path(__file__).parents[2]
LABELS, WARP, SHAPES = "variants/labels.py", "geometry/warp.py", "geometry/shapes.py"
VISIBILITY = "variants/visibility.py"
MAKER, MIRROR, CLEANING = "variants/maker.py", "variants/mirror.py", "formats/kit/cleaning.py"
TESTS: dict[str, tuple[str, ...]] = {
    SHAPES: ("tests/geometry/test_shapes.py", "tests/variants"),
    WARP: ("tests/geometry/test_warp.py", "tests/variants"),
    LABELS: ("tests/variants",),
    VISIBILITY: ("tests/variants",),
    MAKER: ("tests/variants", "tests/building/test_build.py"),
    MIRROR: ("tests/variants",),
    "variants/steps.py": ("tests/variants", "tests/contracts/test_filters.py"),
    "variants/seeding.py": ("tests/variants",),
    CLEANING: ("tests/variants/test_boundaries.py", "tests/formats/kit", "tests/plugins/formats/test_coco.py"),
}
"""The core, and the tests that are asked about each module, those that are likely to see most first."""

SURVIVED = (
    (LABELS, "policy.min_visibility and not annotation.iscrowd", "policy.min_visibility"),
    (VISIBILITY, "np.less(points[:, None], self.holes", "np.less_equal(points[:, None], self.holes"),
    (VISIBILITY, "np.greater_equal(points[:, None], self.holes", "np.greater(points[:, None], self.holes"),
    (LABELS, "< policy.min_side_px <=", "<= policy.min_side_px <="),
    (WARP, "sum(step.mirrors for step in self.maps) % 2 == 1", "any(step.mirrors for step in self.maps)"),
    (SHAPES, "np.abs(inner - outer) > 2", "np.abs(inner - outer) > 6"),
    (SHAPES, "_HAIR_PX = 0.5", "_HAIR_PX = 0.8"),
    (MAKER, "sorted(chosen, key=stage_of)", "chosen"),
    (CLEANING, "_TOLERANCE = 1e-6", "_TOLERANCE = 1e-3"),
)
"""Faults that a review put in and no test saw; each has a test now."""


def mutants(count: int, only: str, seed: int) -> Iterator[Mutant]:
    """The faults to try, module by module."""
    draw = random.Random(seed)
    for file in TESTS:
        if only not in file:
            continue
        source = (ROOT / "amp_datasets" / file).read_text(encoding="utf-8")
        yield from (replaced(file, source, old, new) for where, old, new in SURVIVED if where == file)
        yield from drawn(file, source, count, draw)


def copy_of_checkout(target: Path) -> Path:
    """The tracked and new files, so laid out that the copy's own packages are imported."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    )
    for name in listed.stdout.decode().splitlines():
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target / name)
    (target / "amp_plugins").symlink_to("plugins")
    (target / "plugins" / "manifests").symlink_to("../manifests")
    return target


def is_seen(mutant: Mutant | None, copy: Path, tests: tuple[str, ...], timeout_s: float) -> bool:
    """Whether a test fails, or hangs, with the fault; without one, whether they fail anyway."""
    environment = {**os.environ, "PYTHONPATH": str(copy), "AMP_ORACLE_OBJECTS": "500", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    if mutant is not None:
        (copy / "amp_datasets" / mutant.file).write_text(mutant.text, encoding="utf-8")
    try:
        done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, timeout=timeout_s, check=False)
        return done.returncode != 0
    except subprocess.TimeoutExpired:
        return True
    finally:
        if mutant is not None:
            shutil.copyfile(ROOT / "amp_datasets" / mutant.file, copy / "amp_datasets" / mutant.file)


def main() -> int:
    """Try the faults; 1 if one was not seen."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draw", type=int, default=0, metavar="N", help="random faults in each module (default: 0)")
    parser.add_argument("--only", default="", metavar="TEXT", help="only modules whose path has this in it")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other random faults")
    parser.add_argument("--timeout", type=float, default=300, metavar="S", help="longer counts as seen (default: 300)")
    chosen = parser.parse_args()
    survivors = tried = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = copy_of_checkout(Path(folder))
        asked = tuple(dict.fromkeys(test for file, tests in TESTS.items() if chosen.only in file for test in tests))
        if is_seen(None, copy, asked, 3 * chosen.timeout):
            limit = f"{3 * chosen.timeout:.0f} s (--timeout)"
            raise SystemExit(f"without a fault the tests fail already, or take more than {limit}")
        for mutant in mutants(chosen.draw, chosen.only, chosen.seed):
            seen = is_seen(mutant, copy, TESTS[mutant.file], chosen.timeout)
            tried, survivors = tried + 1, survivors + (not seen)
            print(f"{'seen    ' if seen else 'SURVIVED'} {mutant.file} {mutant.name}", flush=True)
    print(f"{tried - survivors} of {tried} faults were seen")
    return int(survivors > 0)


if __name__ == "__main__":
    sys.exit(main())
