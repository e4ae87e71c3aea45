"""What came out: a line of JSON for each run as it ends, a table of means, and learning curves as an image."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from study.plan import WAYS, Effort, Point, Run

Result = dict[str, Any]
Group = tuple[str, str, int]
"""Trainer, set, and number of training images."""


def read(place: Path) -> list[Result]:
    """All runs so far; a last line that was cut off is none."""
    lines = place.read_text(encoding="utf-8").splitlines() if place.exists() else []
    return [json.loads(line) for line in lines if line.endswith("}")]


def add(place: Path, run: Run, effort: Effort, points: Sequence[Point], cpu_s: float, wall_s: float) -> None:
    """Append a run."""
    line = {
        "trainer": run.trainer,
        "set": run.wanted.set,
        "images": run.wanted.images,
        "seed": run.wanted.seed,
        "way": run.way,
        "recipe": run.recipe,
        "passes": effort.passes,
        "size": effort.size,
        "batch": effort.batch,
        "curve": [[p.passes, round(p.map50_95, 5), round(p.map50, 5)] for p in points],
        "cpu_s": round(cpu_s, 1),
        "wall_s": round(wall_s, 1),
    }
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")


def key(result: Result) -> tuple[str, ...]:
    """As `Run.key`."""
    return tuple(str(result[name]) for name in ("trainer", "set", "images", "seed", "way", "recipe"))


def described(run: Run) -> str:
    """A run for a message."""
    told = asdict(run.wanted)
    return f"{run.trainer}, {told['set']} {told['images']}, seed {told['seed']}: {run.way} {run.recipe}".rstrip()


def grouped(results: Iterable[Result]) -> dict[Group, dict[tuple[str, str], list[Result]]]:
    """Runs by trainer, set and sample size, in it by way and recipe in the order of the plan."""
    found: dict[Group, dict[tuple[str, str], list[Result]]] = defaultdict(lambda: defaultdict(list))
    order = {way: index for index, way in enumerate(WAYS)}
    for result in sorted(results, key=lambda r: (r["trainer"], r["set"], r["images"], order[r["way"]], r["recipe"])):
        group = result["trainer"], result["set"], result["images"]
        found[group][result["way"], result["recipe"]].append(result)
    return found


def table(results: Iterable[Result]) -> list[str]:
    """Mean, spread (standard deviation over seeds) and number of runs of each way, as Markdown."""
    lines = ["| trainer, set, images | way | mAP50-95 | spread | mAP50 | n |", "|---|---|---:|---:|---:|---:|"]
    for (trainer, name, images), ways in grouped(results).items():
        for (way, recipe), runs in ways.items():
            strict, loose = ([run["curve"][-1][column] for run in runs] for column in (1, 2))
            spread = f"{statistics.stdev(strict):.3f}" if len(runs) > 1 else "-"
            label = f"{way}, `{recipe}`" if recipe else way
            numbers = f"{statistics.mean(strict):.3f} | {spread} | {statistics.mean(loose):.3f} | {len(runs)}"
            lines.append(f"| {trainer}, {name}, {images} | {label} | {numbers} |")
    return lines


def curves(results: Iterable[Result], place: Path) -> None:
    """Draw mAP50-95 over image passes: a panel for each sample size of each set, a line and band for each way."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    groups = grouped(results)
    columns = min(3, len(groups))
    rows = -(-len(groups) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(4.2 * columns, 3.4 * rows), squeeze=False, sharey=False)
    colours: dict[tuple[str, str], Any] = {}
    for panel, ((trainer, name, images), ways) in zip(axes.flat, groups.items(), strict=False):
        for kind, runs in ways.items():
            colour = colours.setdefault(kind, f"C{len(colours)}")
            _line(panel, runs, " ".join(kind).rstrip(), colour)
        panel.set_title(f"{name}, {images} images ({trainer})", fontsize=9)
        panel.set_xlabel("image passes", fontsize=8)
        panel.set_ylabel("mAP50-95", fontsize=8)
        panel.tick_params(labelsize=7)
        panel.grid(alpha=0.3)
    for panel in axes.flat[len(groups) :]:
        panel.set_visible(False)
    legends = [zip(*panel.get_legend_handles_labels(), strict=True) for panel in axes.flat]
    handles = {label: line for legend in legends for line, label in legend}
    figure.legend(handles.values(), handles.keys(), loc="lower center", ncols=3, fontsize=8)
    figure.tight_layout(rect=(0, 0.04 + 0.12 / rows, 1, 1))
    figure.savefig(place, dpi=110)
    plt.close(figure)


def _line(panel: Any, runs: Sequence[Result], label: str, colour: Any) -> None:
    points = list(zip(*(run["curve"] for run in runs), strict=False))
    passes = [of_runs[0][0] for of_runs in points]
    means = [statistics.mean(point[1] for point in of_runs) for of_runs in points]
    panel.plot(passes, means, label=label, color=colour, linewidth=1.5)
    if len(runs) > 1:
        low, high = ([end(p[1] for p in of_runs) for of_runs in points] for end in (min, max))
        panel.fill_between(passes, low, high, color=colour, alpha=0.12, linewidth=0)
