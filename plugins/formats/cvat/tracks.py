"""Where the object of a track is on each frame: what is between two keyframes, as CVAT itself fills it in.

Boxes and ellipses move in straight lines and turn the shorter way; the points of two polygons are matched by their
share of the outline's length; masks stay on the frames that list them. An object that is `outside` is on no frame until
its next keyframe. After the last keyframe it stays where it is.

https://docs.cvat.ai/docs/annotation/manual-annotation/modes/track-mode-basics/
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from amp_datasets.model import FloatArray

from .shapes import Shape


@dataclass(frozen=True)
class Place:
    """A track's shape on a frame that the file lists; None as a shape where it could not be read.

    Where the object is outside there is a shape too: until then it is seen moving there.
    """

    frame: int
    outside: bool
    shape: Shape | None


def on_frames(places: Sequence[Place], frames: Sequence[int], last: int | None) -> Iterator[tuple[int, Shape | None]]:
    """The shape of a track on each of some frames, in order, where it is inside; `last` if it stays there that long.

    None stands for a shape on a frame that is not listed, where one of its keyframes could not be read: the object is
    there, and nobody knows where. `places` are in the order of their frames, and so are `frames`.
    """
    number = 0
    for frame in frames:
        while number + 1 < len(places) and places[number + 1].frame <= frame:
            number += 1
        here = places[number] if places else None
        if here is None or here.frame > frame or here.outside:
            continue
        after = places[number + 1] if number + 1 < len(places) else None
        if here.frame == frame:
            if here.shape is not None:
                yield frame, here.shape
        elif here.shape is not None and here.shape.kind == "mask":
            continue
        elif after is None:
            if last is not None and frame <= last:
                yield frame, here.shape
        elif here.shape is None or after.shape is None or after.shape.kind != here.shape.kind:
            yield frame, None
        else:
            yield frame, between(here.shape, after.shape, (frame - here.frame) / (after.frame - here.frame))


def between(left: Shape, right: Shape, share: float) -> Shape:
    """The shape between two of one kind, `share` (0 to 1) of the way from the left to the right one."""
    if left.kind == "skeleton":
        return replace(left, parts={name: _between_points(left, right, name, share) for name in left.parts})
    if left.kind == "polygon":
        rings = left.numbers.reshape(-1, 2), right.numbers.reshape(-1, 2)
        return replace(left, numbers=_between_rings(*rings, share).ravel())
    turn = (right.rotation - left.rotation + 180) % 360 - 180
    numbers = left.numbers + (right.numbers - left.numbers) * share
    return replace(left, numbers=numbers, rotation=(left.rotation + turn * share) % 360)


def _between_points(left: Shape, right: Shape, name: str, share: float) -> tuple[float, float, float]:
    """A keypoint between two frames; its visibility is that on the left one."""
    x, y, visibility = left.parts[name]
    x1, y1, _ = right.parts.get(name, left.parts[name])
    return x + (x1 - x) * share, y + (y1 - y) * share, visibility


def _between_rings(left: FloatArray, right: FloatArray, share: float) -> FloatArray:
    """A ring between two rings of any numbers of points."""
    left, right = np.vstack([left, left[:1]]), np.vstack([right, right[:1]])
    matches = _matches(_shares_of_length(left), _shares_of_length(right))
    moved = [[left[i] + (right[j] - left[i]) * share for j in partners] for i, partners in enumerate(matches)]
    ring: list[FloatArray] = []
    first = 0
    for i, partners in enumerate(matches):
        if len(partners) > 1:  # one point becomes several
            ring += _thinned(moved[i], right[partners[0] : partners[-1] + 1])
            first = i + 1
        elif i + 1 == len(matches) or matches[i + 1] != partners:  # several points become one
            ring += _thinned([points[0] for points in moved[first : i + 1]], left[first : i + 1])
            first = i + 1
    return np.array(ring[:-1] if len(ring) > 1 else ring, dtype=np.float64)


def _shares_of_length(curve: FloatArray) -> FloatArray:
    """How far along a curve each of its points is, from 0 to 1."""
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])
    return along / along[-1] if along[-1] > 0 else along


def _matches(left: FloatArray, right: FloatArray) -> list[list[int]]:
    """The points of the right curve that each point of the left one goes to, every one of them at least once."""
    matches = [[int(np.abs(right - share).argmin())] for share in left]
    taken = {j for partners in matches for j in partners}
    for j in set(range(len(right))) - taken:
        matches[int(np.abs(left - right[j]).argmin())].append(j)
    return [sorted(partners) for partners in matches]


def _thinned(points: Sequence[FloatArray], spread: FloatArray) -> list[FloatArray]:
    """Points that run together, without those nearer than half the mean gap of where they come from or go to."""
    if len(points) == 1:
        return list(points)
    gap = float(np.linalg.norm(np.diff(spread, axis=0), axis=1).sum()) / (2 * len(spread))
    kept = [points[0]]
    for point in points[1:-1]:
        if np.linalg.norm(point - kept[-1]) >= gap:
            kept.append(point)
    kept.append(points[-1])
    if len(kept) == 2 and np.linalg.norm(kept[1] - kept[0]) < gap:
        return [(kept[0] + kept[1]) / 2]
    return kept
