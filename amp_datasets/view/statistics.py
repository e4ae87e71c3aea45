"""What a set is like, as numbers and shapes for a page: classes, boxes, sizes. Draws nothing and reads no image."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from amp_datasets.images.drawing.labels import Colour, colour_of
from amp_datasets.model import SPLITS, LabelSet, Sample

_HEAT_CELLS = 24
_MOST_DOTS = 600
_MOST_SIZES = 8
_WIDTH, _HEIGHT = 240.0, 100.0


@dataclass(frozen=True, slots=True)
class ClassLine:
    """A class with its labels by split; `share` is its bar, in percent of the commonest class."""

    name: str
    colour: Colour
    by_split: tuple[int, ...]
    labels: int
    images: int
    share: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a histogram, in the units of its drawing."""

    x: float
    y: float
    width: float
    height: float
    label: str
    count: int
    shown: bool


@dataclass(frozen=True, slots=True)
class Histogram:
    """A titled row of bars."""

    title: str
    bars: tuple[Bar, ...]


def splits_of(labels: LabelSet) -> list[str]:
    """The splits of a set in their usual order; one without a name for images in none."""
    found = {sample.split or "no split" for sample in labels.samples}
    return [*(split for split in SPLITS if split in found), *sorted(found - set(SPLITS))]


def class_lines(labels: LabelSet) -> list[ClassLine]:
    """Every class, the commonest first, also those without a label."""
    splits = splits_of(labels)
    counts: Counter[tuple[str, str]] = Counter()
    images: Counter[str] = Counter()
    for sample in labels.samples:
        names = [*(annotation.category for annotation in sample.annotations), *sample.labels]
        counts.update((name, sample.split or "no split") for name in names)
        images.update(set(names))
    totals = {c.name: sum(counts[c.name, split] for split in splits) for c in labels.categories}
    most = max(totals.values(), default=0) or 1
    lines = [
        ClassLine(
            category.name,
            colour_of(number),
            tuple(counts[category.name, split] for split in splits),
            totals[category.name],
            images[category.name],
            round(100 * totals[category.name] / most, 1),
        )
        for number, category in enumerate(labels.categories)
    ]
    return sorted(lines, key=lambda line: -line.labels)


def imbalance(lines: Sequence[ClassLine]) -> str:
    """How far the commonest class is ahead of the rarest, where that matters."""
    used = [line for line in lines if line.labels]
    if len(used) < 2:
        return ""
    ratio = used[0].labels / used[-1].labels
    if ratio < 4:
        return ""
    return (
        f"{used[0].name} has {ratio:.0f} times as many labels as {used[-1].name}; `balance` in a manifest evens that."
    )


def histograms(labels: LabelSet) -> list[Histogram]:
    """Objects an image, sizes of boxes, aspect ratios, labels a split."""
    samples = [sample for sample in labels.samples if sample.labelled]
    objects = [len(sample.annotations) for sample in samples]
    boxes = _boxes(samples)
    sides = np.sqrt(np.maximum(boxes[:, 2] * boxes[:, 3], 0)) if len(boxes) else np.zeros(0)
    ratios = boxes[:, 2] / np.maximum(boxes[:, 3], 1e-9) if len(boxes) else np.zeros(0)
    by_count = Counter(min(count, 10) for count in objects)
    counted = [(f"{n}" if n < 10 else "10+", by_count[n]) for n in range(11)]
    edges = [0, 8, 16, 32, 64, 128, 256, 512, 1024, math.inf]
    sized = _binned(sides.tolist(), edges, ["<8", "8", "16", "32", "64", "128", "256", "512", "1k+"])
    shapes = _binned(ratios.tolist(), [0, 0.2, 0.33, 0.5, 0.8, 1.25, 2, 3, 5, math.inf],
                     ["<1:5", "1:5", "1:3", "1:2", "1:1", "5:4", "2:1", "3:1", "5:1+"])  # fmt: skip
    return [
        _histogram("Objects an image", counted),
        _histogram("Side of a box (root of its area, px)", sized),
        _histogram("Width to height of a box", shapes),
    ]


def heat(labels: LabelSet) -> list[dict[str, Any]]:
    """How often each of 24 x 24 cells of the image lies in a box, as a share of the most."""
    grid = np.zeros((_HEAT_CELLS, _HEAT_CELLS))
    for sample in labels.samples:
        scale = np.array([*sample.size, *sample.size]) / _HEAT_CELLS
        for annotation in sample.annotations:
            x0, y0, x1, y1 = np.array(annotation.xyxy) / scale
            grid[int(max(y0, 0)) : math.ceil(y1), int(max(x0, 0)) : math.ceil(x1)] += 1
    most = grid.max() or 1
    return [{"x": int(x), "y": int(y), "share": round(float(grid[y, x] / most), 2)} for y, x in np.argwhere(grid > 0)]


def dots(labels: LabelSet) -> list[dict[str, Any]]:
    """Width and height of boxes as percent of their image, at most 600 of them, evenly taken."""
    index = {category.name: number for number, category in enumerate(labels.categories)}
    found = [(sample, annotation) for sample in labels.samples for annotation in sample.annotations]
    step = max(1, len(found) // _MOST_DOTS)
    return [
        {
            "x": round(100 * (a.xyxy[2] - a.xyxy[0]) / sample.size[0], 1),
            "y": round(100 - 100 * (a.xyxy[3] - a.xyxy[1]) / sample.size[1], 1),
            "colour": colour_of(index.get(a.category, 0)),
        }
        for sample, a in found[::step]
    ]


def image_sizes(labels: LabelSet) -> list[dict[str, Any]]:
    """The commonest sizes, and how many others there are."""
    counts = Counter(sample.size for sample in labels.samples).most_common()
    shown = [(f"{w} x {h}", n) for (w, h), n in counts[:_MOST_SIZES]]
    if len(counts) > _MOST_SIZES:
        shown.append((f"{len(counts) - _MOST_SIZES} other sizes", sum(n for _, n in counts[_MOST_SIZES:])))
    most = max((n for _, n in shown), default=1)
    return [{"name": name, "count": n, "share": round(100 * n / most, 1)} for name, n in shown]


def _boxes(samples: Sequence[Sample]) -> np.ndarray[Any, Any]:
    corners = np.array([a.xyxy for sample in samples for a in sample.annotations], dtype=np.float64).reshape(-1, 4)
    return np.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2]])


def _binned(values: Sequence[float], edges: Sequence[float], names: Sequence[str]) -> list[tuple[str, int]]:
    counts, _ = np.histogram(values, bins=np.array(edges))
    return [(name, int(count)) for name, count in zip(names, counts, strict=True)]


def _histogram(title: str, counted: Sequence[tuple[str, int]]) -> Histogram:
    most = max((count for _, count in counted), default=0) or 1
    step = _WIDTH / len(counted)
    bars = []
    for number, (label, count) in enumerate(counted):
        height = round(_HEIGHT * count / most, 1)
        bars.append(Bar(round(number * step + 1, 1), round(_HEIGHT + 5 - height, 1), round(step - 2, 1), height, label,
                        count, shown=True))  # fmt: skip
    return Histogram(title, tuple(bars))
