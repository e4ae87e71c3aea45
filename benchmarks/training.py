"""Does training get better? Detectors trained on small samples of real sets, with each way of augmentation.

    python benchmarks/training.py --quick      about an hour on an idle core or two
    python benchmarks/training.py --full       for a GPU
    python benchmarks/training.py              the table and curves of the runs so far

Each run is appended to --results as it ends and never repeated, so a study may be stopped at any moment and gone on
with. Seeds come first: whenever it is stopped, what is there is a whole study of fewer seeds.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("YOLO_VERBOSE", "false")

from measuring import describe_machine, note
from study import results
from study.plan import NEED_NO_RECIPE, WAYS, YOLO_ONLY, Effort, Point, Run
from study.samples import DATA, Wanted, available

RESULTS = Path(__file__).parent / "study" / "results.jsonl"
CURVES = Path(__file__).parents[1] / "docs" / "training.webp"
QUICK = {"yolo11n": Effort(1600, 160, 8), "rt-detr": Effort(1600, 160, 8)}
FULL = {
    "yolo11n": Effort(20_000, 640, 16, points=20, workers=8),
    "rt-detr": Effort(40_000, 320, 16, points=20, workers=8),
}
NEEDS = {"yolo11n": ("ultralytics",), "rt-detr": ("transformers", "faster_coco_eval")}


def trainer(name: str) -> Callable[[Run, Effort, Path], list[Point]]:
    """The function that trains; its libraries are imported now."""
    if name == "yolo11n":
        from study.yolo import train
    else:
        from study.detr import train
    return train


def runs(args: argparse.Namespace) -> Iterator[Run]:
    """All runs of the study, seed by seed."""
    for seed in range(args.seeds):
        for name in args.trainers:
            for of_set in args.sets:
                for images in args.images:
                    for way, recipe in _kinds(args):
                        if name == "yolo11n" or way not in YOLO_ONLY:
                            yield Run(Wanted(of_set, images, seed), way, recipe, name)


def _kinds(args: argparse.Namespace) -> Iterator[tuple[str, str]]:
    for way in args.ways:
        yield from [(way, "")] if way in NEED_NO_RECIPE else [(way, recipe) for recipe in args.recipes]


def go_on(args: argparse.Namespace) -> None:
    """Do every run that is not among the results yet."""
    done = {results.key(result) for result in results.read(args.results)}
    todo = [run for run in runs(args) if run.key not in done]
    ends = time.monotonic() + args.minutes * 60 if args.minutes else float("inf")
    for number, run in enumerate(todo, 1):
        if time.monotonic() > ends:
            note(f"stopped after {args.minutes} minutes: {len(todo) - number + 1} runs are left")
            return
        effort = _effort(args, run.trainer)
        note(f"run {number} of {len(todo)}: {results.described(run)}")
        run.folder(args.work)  # made before the clock starts
        wall, cpu = time.monotonic(), time.process_time()
        points = trainer(run.trainer)(run, effort, args.work)
        results.add(args.results, run, effort, points, time.process_time() - cpu, time.monotonic() - wall)


def _effort(args: argparse.Namespace, name: str) -> Effort:
    effort = (FULL if args.full else QUICK)[name]
    weights = args.weights if name == "yolo11n" else None
    return replace(effort, weights=weights, passes=args.passes or effort.passes, size=args.size or effort.size)


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--quick", action="store_true", help="small images, few passes: about an hour on a CPU")
    how.add_argument("--full", action="store_true", help="640 px and 20,000 passes: for a GPU")
    parser.add_argument("--sets", nargs="+", default=available(), help="folders of the data (default: all)")
    parser.add_argument("--images", nargs="+", type=int, default=[10, 30, 100], help="sizes of the samples")
    parser.add_argument("--seeds", type=int, default=0, help="how many (default: 1 quick, 5 full)")
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=WAYS, metavar="WAY", help=", ".join(WAYS))
    parser.add_argument("--recipes", nargs="+", default=["default"], help="names of our manifests")
    parser.add_argument("--trainers", nargs="+", default=["yolo11n"], choices=list(NEEDS))
    parser.add_argument("--weights", help="pretrained weights of the YOLO (default: random ones)")
    parser.add_argument("--passes", type=int, help="image passes of a run, instead of those of --quick or --full")
    parser.add_argument("--size", type=int, help="side of the images in pixels")
    parser.add_argument("--minutes", type=float, help="begin no run after so many minutes")
    parser.add_argument("--threads", type=int, help="threads of torch")
    parser.add_argument("--results", type=Path, default=RESULTS, help="lines of JSON (default: %(default)s)")
    parser.add_argument("--curves", type=Path, help="where to draw the learning curves, e.g. docs/training.webp")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / f"amp-training-{os.getuid()}")
    args = parser.parse_args(given)
    args.seeds = args.seeds or (5 if args.full else 1)
    return args


def missing(args: argparse.Namespace) -> str | None:
    """Why nothing can be trained here."""
    lacking = [lib for name in args.trainers for lib in ("torch", *NEEDS[name]) if not importlib.util.find_spec(lib)]
    if lacking:
        return f"needs {', '.join(lacking)}: pip install 'amp-datasets[judges]'"
    return None if args.sets else f"needs real sets in {DATA}, which are not here"


def main() -> None:
    """Train what is asked for, then print the table."""
    args = arguments()
    if args.quick or args.full:
        why = missing(args)
        if why:
            note(f"skipped: training {why}")
            return
        if args.threads:
            import torch

            torch.set_num_threads(args.threads)
        describe_machine("torch", *[name for name in ("ultralytics", "transformers") if importlib.util.find_spec(name)])
        go_on(args)
    found = results.read(args.results)
    print("\n".join(results.table(found)))
    if args.curves and found:
        results.curves(found, args.curves)


if __name__ == "__main__":
    sys.exit(main())
