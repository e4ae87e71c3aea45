"""Labels held against pixels: this package and Albumentations' own transforms, on the same images, in one table.

Things are painted in colours of their own, transformed, and found again by their pixels (tests/oracle). Both sides draw
their own random choices with the same settings. Albumentations gets boxes and keypoints through `A.Compose`, ours the
labels in the set: outlines for most things, a plain box for ellipses.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import albumentations as A  # noqa: N812 - after the package, which keeps it from calling home
from oracle.adapter import rectangles
from oracle.scenes import Scene, discs, paint, scene
from oracle.survey import DROP_BELOW, MIN_VISIBILITY, outcomes, step
from oracle.verdict import Claim, Verdict, examine, is_ghost, is_missed

from amp_datasets.variants.recipe import Step

LIMIT = (MIN_VISIBILITY + DROP_BELOW) / 2
"""Theirs knows one threshold; the middle of our two gives it the same distance to missed things and to ghosts."""
TOLERANCE = 0.03
COLUMNS = ("labels", "median", "least", "sticks out px", "ghosts", "missed", "box bias", "point bias")


@dataclass(frozen=True)
class Row:
    """A transform of theirs, and the same with ours."""

    name: str
    theirs: Callable[[], A.BasicTransform]
    ours: Step
    tolerance: float = TOLERANCE


def rows() -> tuple[Row, ...]:
    """What is compared; elastic waves of 1.6 and of 8 pixels are typical of their documentation."""
    return (
        Row("Rotate", lambda: A.Rotate((-40, 40), fill=0, p=1), step("rotate", degrees=[1, 40], fill=(0, 0, 0))),
        Row(
            "Rotate, ellipse method",
            lambda: A.Rotate((-40, 40), rotate_method="ellipse", fill=0, p=1),
            step("rotate", degrees=[1, 40], fill=(0, 0, 0)),
        ),
        Row("ElasticTransform", lambda: A.ElasticTransform(100, 10, p=1), step("elastic", alpha=100, sigma=10), 0.1),
        Row(
            "CoarseDropout",
            lambda: A.CoarseDropout((3, 8), (60, 100), (60, 100), fill=0, p=1),
            step("cutout", count=[3, 8], percent=[13, 22]),
        ),
        Row(
            "RandomCrop",
            lambda: A.RandomCrop(300, 500, p=1),
            step("albumentations.RandomCrop", height=300, width=500),
        ),
    )


def theirs(row: Row, images: list[Scene]) -> Iterator[Verdict]:
    """Verdicts on what `A.Compose` returns."""
    composed = A.Compose(
        [row.theirs()],
        bbox_params=A.BboxParams(
            "pascal_voc", label_fields=["codes"], min_visibility=LIMIT, clip=True, filter_invalid_bboxes=True
        ),
        keypoint_params=A.KeypointParams("xy", label_fields=["owners"], remove_invisible=True),
    )
    composed.set_random_state(np.random.default_rng(1), random.Random(1))
    for image in images:
        codes = [thing.code for thing in image.things]
        done = composed(
            image=image.image,
            bboxes=np.array([thing.box for thing in image.things]),
            codes=codes,
            keypoints=np.array([thing.centre - 0.5 for thing in image.things]),  # theirs count from pixel centres
            owners=codes,
        )
        points = {int(owner): point + 0.5 for point, owner in zip(done["keypoints"], done["owners"], strict=True)}
        claims = [
            Claim(int(code), tuple(box), point=points.get(int(code)))
            for box, code in zip(done["bboxes"], done["codes"], strict=True)
        ]
        yield from examine(done["image"], image, claims, {})


def ours(row: Row, images: list[Scene]) -> Iterator[Verdict]:
    """Verdicts on what the package makes."""
    for outcome in outcomes(images, [[row.ours]]):
        yield from outcome.verdicts


def line(verdicts: list[Verdict], on_discs: list[Verdict], tolerance: float) -> tuple[Any, ...]:
    """The numbers of one side: those on shapes, and from discs the bias of boxes and keypoints.

    A thing sticks out of its box by what is beyond one pixel, which painting and resampling blur.
    """
    judged = [v for v in verdicts if v.claims and v.found is not None]
    ious = [v.box_iou for v in judged if v.is_large]
    whole = [v for v in on_discs if v.claims and v.found is not None and not v.touches_edge and v.share > 0.9]
    biases = []
    for field in ("centre_off", "point_off"):
        values = [getattr(v, field) for v in whole if getattr(v, field) is not None]
        biases.append(float(np.hypot(*np.mean(values, axis=0))))
    return (
        len(judged),
        float(np.median(ious)),
        min(ious),
        max(0.0, max(v.outside_px - 1 for v in judged if v.kind != "ellipse box")),
        sum(is_ghost(v, DROP_BELOW, tolerance) for v in verdicts),
        sum(is_missed(v, MIN_VISIBILITY, tolerance) for v in verdicts),
        *biases,
    )


def table(objects: int) -> list[str]:
    """The whole table as Markdown."""
    shapes = [scene(seed) for seed in range(-(-objects // 7))]
    circles = [discs(seed, (520, 320), 14, 7) for seed in range(min(200, len(shapes) * 2))]
    lines = [f"| transform | side | {' | '.join(COLUMNS)} |", f"|---|---|{'---:|' * len(COLUMNS)}"]
    for row in rows():
        for side, run in (("Albumentations", theirs), ("ours", ours)):
            count, median, least, out, ghosts, missed, box, point = line(
                list(run(row, shapes)), list(run(row, circles)), row.tolerance
            )
            numbers = (
                f"{count} | {median:.3f} | {least:.3f} | {out:.1f} | {ghosts} | {missed} | {box:.2f} | {point:.2f}"
            )
            lines.append(f"| {row.name} | {side} | {numbers} |")
    return lines


POLYGONS = {"disc": 120, "hexagon": 6, "diamond": 4, "rectangle": 4}
"""What is known by its box only, by its number of corners."""


def boxed(kind: str, seed: int) -> Scene:
    """Seven things of one kind, up to three times as wide or as high, of which a label knows the box."""
    draw = random.Random(seed)
    angles = np.arange(POLYGONS[kind]) * 2 * np.pi / POLYGONS[kind] + (np.pi / 4 if kind == "rectangle" else 0)
    shape = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    shape /= np.abs(shape).max(axis=0)
    outlines = []
    for cell in draw.sample(range(8), 7):
        longer, aspect = draw.uniform(60, 85), draw.uniform(1, 3)
        half = np.array([longer, longer / aspect] if draw.random() < 0.5 else [longer / aspect, longer])
        centre = np.array([(cell % 4 + 0.5) * 225, (cell // 4 + 0.5) * 240])
        outlines.append(("rectangle box", (shape * half + centre,)))
    return paint(f"{kind} {seed}", (900, 480), outlines)


def box_table(objects: int, degrees: float = 15) -> list[str]:
    """Things known by their box only, turned by up to `degrees`: as Markdown, a line for each kind and side."""
    columns = ("labels", "median", "mean", "least", "sticks out px")
    lines = [f"| known by a box | side | {' | '.join(columns)} |", f"|---|---|{'---:|' * len(columns)}"]
    turn = step("rotate", degrees=[1, degrees], fill=(0, 0, 0))
    for kind in POLYGONS:
        images = [boxed(kind, seed) for seed in range(-(-objects // 7))]
        sides: dict[str, list[Verdict]] = {}
        for method in ("largest_box", "ellipse"):
            limits = (-degrees, degrees)
            row = Row("", partial(A.Rotate, limits, rotate_method=method, fill=0, p=1), turn)
            sides[f"Albumentations, {method}"] = list(theirs(row, images))
        said: dict[str, dict[str, str]] = {"ours, shape unknown": {}}
        if kind == "rectangle":
            said["ours, `outline: rect` said or learnt"] = rectangles(images[0])
        for name, outlines in said.items():
            made = outcomes(images, [[turn]], outlines=outlines)
            sides[name] = [verdict for outcome in made for verdict in outcome.verdicts]
        for side, verdicts in sides.items():
            ious = np.array([v.box_iou for v in verdicts if v.is_large and v.box_iou is not None])
            out = max(0.0, max(v.outside_px - 1 for v in verdicts if v.outside_px is not None))
            numbers = f"{len(ious)} | {np.median(ious):.3f} | {ious.mean():.3f} | {ious.min():.3f} | {out:.1f}"
            lines.append(f"| {kind} | {side} | {numbers} |")
    return lines


def superellipse(exponent: float) -> np.ndarray:
    """The curve |x|^e + |y|^e = 1 as 360 points: an ellipse at 2, on its way to a rectangle above."""
    angles = np.arange(360) * np.pi / 180
    cos, sin = np.cos(angles), np.sin(angles)
    power = 2 / exponent
    return np.stack([np.sign(cos) * np.abs(cos) ** power, np.sign(sin) * np.abs(sin) ** power], axis=1)


def regular(corners: int, start: float = 0.0) -> np.ndarray:
    """A polygon with corners at equal angles, stretched to the box from -1 to 1."""
    angles = np.arange(corners) * 2 * np.pi / corners + start
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    low, high = points.min(axis=0), points.max(axis=0)
    return (points - (low + high) / 2) / ((high - low) / 2)


def assumption_table(degrees: float = 15) -> list[str]:
    """Which one shape would foretell turned boxes best, if nothing is known: mean IoU with the boxes of real shapes."""
    kinds = {"disc": regular(120), "hexagon": regular(6), "octagon": regular(8, np.pi / 8), "diamond": regular(4)}
    kinds |= {"triangle": regular(3, -np.pi / 2), "rectangle": regular(4, np.pi / 4)}
    assumed = {"ellipse": superellipse(2), "superellipse 2.5": superellipse(2.5), "superellipse 3": superellipse(3)}
    assumed |= {"superellipse 4": superellipse(4), "rectangle": kinds["rectangle"]}
    draw = np.random.default_rng(0)
    longer = draw.uniform(1, 3, 1500)
    wide, high = np.stack([longer, longer**0], axis=1), np.stack([longer**0, longer], axis=1)
    halves = np.where(draw.random(1500)[:, None] < 0.5, wide, high)
    angles = np.radians(draw.uniform(1, degrees, 1500)) * draw.choice([-1, 1], 1500)

    def sizes(shape: np.ndarray) -> np.ndarray:
        x, y = (shape[None] * halves[:, None]).transpose(2, 0, 1)
        cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
        turned = np.stack([x * cos - y * sin, x * sin + y * cos], axis=2)
        return np.concatenate([turned.min(axis=1), turned.max(axis=1)], axis=1)

    lines = [f"| assumed | {' | '.join(kinds)} | mean | worst |", f"|---|{'---:|' * (len(kinds) + 2)}"]
    for name, guess in assumed.items():
        ious = [float(_ious(sizes(shape), sizes(guess)).mean()) for shape in kinds.values()]
        numbers = [*ious, float(np.mean(ious)), min(ious)]
        lines.append(f"| {name} | {' | '.join(f'{number:.3f}' for number in numbers)} |")
    return lines


def _ious(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    low, high = np.maximum(one[:, :2], other[:, :2]), np.minimum(one[:, 2:], other[:, 2:])
    shared = (high - low).prod(axis=1)
    return shared / ((one[:, 2:] - one[:, :2]).prod(axis=1) + (other[:, 2:] - other[:, :2]).prod(axis=1) - shared)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objects", type=int, default=700, help="painted things for each line (default: 700)")
    objects = parser.parse_args().objects
    print("\n".join([*table(objects), "", *box_table(objects), "", *assumption_table()]))


if __name__ == "__main__":
    main()
