"""Labels held against the pixels of the image they came with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .raster import Ring, fill
from .scenes import Scene

Box = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Claim:
    """What a label says of the thing of one colour."""

    code: int
    box: Box
    rings: tuple[Ring, ...] | None = None
    mask: NDArray[np.bool_] | None = None
    point: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class Verdict:
    """One thing of an image: what is seen of it, and how far its label is off (None where there is none)."""

    kind: str
    code: int
    share: float
    touches_edge: bool
    found: Box | None
    claims: int
    box_iou: float | None = None
    shape_iou: float | None = None
    outside_px: float | None = None
    centre_off: NDArray[np.float64] | None = None
    point_off: NDArray[np.float64] | None = None

    @property
    def is_large(self) -> bool:
        """Whether what is seen has sides of at least 40 pixels, below which whole pixels decide the numbers."""
        x0, y0, x1, y1 = self.found or (0, 0, 0, 0)
        return min(x1 - x0, y1 - y0) >= 40


def decode(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The colour code of every pixel: the nearest corner of the RGB cube."""
    high = image > 127
    return high[..., 0] | high[..., 1] * np.uint8(2) | high[..., 2] * np.uint8(4)


def examine(
    image: NDArray[np.uint8], scene: Scene, claims: Sequence[Claim], areas: Mapping[int, float]
) -> list[Verdict]:
    """A verdict for every thing of the scene; `areas` says by how much each was enlarged."""
    codes = decode(image)
    size = (image.shape[1], image.shape[0])
    seen = {thing.code: codes == thing.code for thing in scene.things}
    counts = {code: int(np.count_nonzero(pixels)) for code, pixels in seen.items()}
    edges = {code: _touches_edge(pixels) for code, pixels in seen.items()}
    verdicts = []
    for thing in scene.things:
        mine = [claim for claim in claims if claim.code == thing.code]
        share = counts[thing.code] / (thing.pixels.sum() * areas.get(thing.code, 1.0))
        off = _compare(seen[thing.code], mine[0], size) if mine and counts[thing.code] else {}
        box = _found_box(seen[thing.code]) if counts[thing.code] else None
        verdicts.append(Verdict(thing.kind, thing.code, share, edges[thing.code], box, len(mine), **off))
    return verdicts


def iou(first: Box, second: Box) -> float:
    """Intersection over union of two boxes."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    shared = max(0.0, width) * max(0.0, height)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (first, second))
    return float(shared / (areas - shared))


def is_missed(verdict: Verdict, drop_below: float, tolerance: float) -> bool:
    """Whether something is to be seen and has no label."""
    return verdict.claims == 0 and verdict.share > drop_below + tolerance


def is_ghost(verdict: Verdict, min_visibility: float, tolerance: float) -> bool:
    """Whether a label stands where too little is to be seen, or a thing has two."""
    return verdict.claims > 1 or (verdict.claims == 1 and not verdict.share >= min_visibility - tolerance)


def large_ious(verdicts: Iterable[Verdict], kinds: Iterable[str] | None = None) -> NDArray[np.float64]:
    """The box IoU of everything that is large enough to be measured."""
    wanted = None if kinds is None else set(kinds)
    chosen = [v for v in verdicts if v.is_large and v.box_iou is not None and (wanted is None or v.kind in wanted)]
    return np.array([v.box_iou for v in chosen])


def _touches_edge(pixels: NDArray[np.bool_]) -> bool:
    return bool(pixels[0].any() or pixels[-1].any() or pixels[:, 0].any() or pixels[:, -1].any())


def _found_box(pixels: NDArray[np.bool_]) -> Box:
    columns, rows = np.flatnonzero(pixels.any(axis=0)), np.flatnonzero(pixels.any(axis=1))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def _compare(pixels: NDArray[np.bool_], claim: Claim, size: tuple[int, int]) -> dict[str, object]:
    found = _found_box(pixels)
    x0, y0, x1, y1 = map(int, found)
    y, x = np.nonzero(pixels[y0:y1, x0:x1])
    centroid = np.array([x.mean() + x0 + 0.5, y.mean() + y0 + 0.5])
    box = claim.box
    outside = max(box[0] - found[0], box[1] - found[1], found[2] - box[2], found[3] - box[3])
    return {
        "box_iou": iou(found, box),
        "shape_iou": _shape_iou(pixels, claim, size),
        "outside_px": max(0.0, outside),
        "centre_off": np.array([found[0] + found[2] - box[0] - box[2], found[1] + found[3] - box[1] - box[3]]) / 2,
        "point_off": None if claim.point is None else centroid - claim.point,
    }


def _shape_iou(pixels: NDArray[np.bool_], claim: Claim, size: tuple[int, int]) -> float | None:
    if claim.mask is not None:
        return float((claim.mask & pixels).sum() / (claim.mask | pixels).sum())
    if claim.rings is None:
        return None
    # All that either side covers: the pixels found, and the rings, as far as they are inside the image.
    points = np.concatenate(claim.rings)
    found = _found_box(pixels)
    low = np.floor(np.minimum(points.min(axis=0), found[:2])).astype(int)
    high = np.ceil(np.maximum(points.max(axis=0), found[2:])).astype(int)
    (x0, y0), (x1, y1) = np.maximum(low, 0).tolist(), np.minimum(high, size).tolist()
    filled, seen = fill(claim.rings, (x0, y0, x1, y1)), pixels[y0:y1, x0:x1]
    return float((filled & seen).sum() / (filled | seen).sum())
