"""Filters that work inside the boxes of objects: the rest of the image stays as it is, labels go with what moves."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from amp_datasets.errors import CannotApply
from amp_datasets.filtering.base import Draw, Filter, GeometricFilter, PixelFilter, draw
from amp_datasets.geometry.maps import Affine
from amp_datasets.geometry.warp import Warp, resample_image
from amp_datasets.model import Annotation, Box, FloatArray, Image, Size
from amp_datasets.variants.composing.compose import Layer, Window, compose, known_of, moved, whole
from amp_datasets.variants.labels import Judged, LabelPolicy
from amp_datasets.variants.steps import Original, plain_draw

_LEAST_SIDE = 2
"""Pixels; in a smaller box there is nothing to turn."""


@dataclass(frozen=True, slots=True, eq=False)
class Inside:
    """What became of a source in whose boxes a filter worked, and the draw for each of them, by number of the label."""

    original: Original
    judged: Judged
    draws: tuple[tuple[int, Draw], ...]
    mirrors: bool

    def record(self) -> list[dict[str, Any]]:
        """The draws for the ledger."""
        return [{"object": number, "draw": plain_draw(choice)} for number, choice in self.draws]


def apply_within(
    original: Original, transform: Filter, *, all_objects: bool, scalars: random.Random, policy: LabelPolicy
) -> Inside:
    """A filter in the boxes of all objects, or of one drawn at random.

    A filter that moves points leaves objects alone whose boxes meet: what moves in one would move a part of the other,
    and no label could say so. Raises CannotApply if there is no object left.
    """
    windows = [_window(a.xyxy, original.size) for a in original.annotations]
    moves = isinstance(transform, GeometricFilter)
    able = [n for n, a in enumerate(original.annotations) if _is_able(n, a, windows, alone=moves)]
    if not able:
        why = "whose box meets no other" if moves else "with a box"
        raise CannotApply(f"there is no object {why}", fix="leave `within` out, or leave out the image")
    chosen = able if all_objects else [scalars.choice(able)]
    if isinstance(transform, PixelFilter):
        return _values(original, transform, [(n, windows[n]) for n in chosen])
    if isinstance(transform, GeometricFilter):
        return _places(original, transform, [(n, windows[n]) for n in chosen], policy)
    raise CannotApply(f"`{transform.name}` does not work inside boxes")


def _values(original: Original, transform: PixelFilter, places: Sequence[tuple[int, Window]]) -> Inside:
    image, draws = original.image.copy(), []
    for number, (x0, y0, x1, y1) in places:
        part = np.ascontiguousarray(image[y0:y1, x0:x1])
        choice = draw(transform, part, _NO_BOXES)
        image[y0:y1, x0:x1] = transform.apply(part, **choice, shape=part.shape)
        draws.append((number, choice))
    judged = Judged(original.annotations, known=original.known)
    return Inside(replace(original, image=image), judged, tuple(draws), mirrors=False)


def _places(
    original: Original, transform: GeometricFilter, places: Sequence[tuple[int, Window]], policy: LabelPolicy
) -> Inside:
    known, bottom = known_of(original), whole(original)
    chosen = {number for number, _ in places}
    rest = [n for n in range(len(original.annotations)) if n not in chosen]
    layers = [
        replace(
            bottom,
            annotations=tuple(original.annotations[n] for n in rest),
            known=tuple(known[n] for n in rest),
        )
    ]
    draws, mirrors = [], False
    for number, window in places:
        x0, y0, x1, y1 = window
        size = (x1 - x0, y1 - y0)
        choice = draw(transform, np.broadcast_to(np.uint8(0), (size[1], size[0], 3)), _NO_BOXES)
        inner = _same_size(transform.warp(size, **choice))
        part = np.ascontiguousarray(original.image[y0:y1, x0:x1])
        if isinstance(inner.fill, str):  # the object touches its box: copies of the edge would smear it
            inner = replace(inner, fill=_edge_colour(part))
        part = resample_image(part, inner)
        there = (
            Warp((moved(-x0, -y0),), original.size, size).then(inner).then(Warp((moved(x0, y0),), size, original.size))
        )
        layers.append(Layer(part, (original.annotations[number],), (known[number],), there, window, painted=True))
        draws.append((number, choice))
        mirrors = mirrors or there.mirrors
    result, judged = compose(original, original.size, layers, policy)
    return Inside(result, judged, tuple(draws), mirrors)


def _same_size(warp: Warp) -> Warp:
    """A warp whose result is stretched back into the box that it was cut from."""
    if warp.size == warp.size_in:
        return warp
    scale = np.diag([warp.size_in[0] / warp.size[0], warp.size_in[1] / warp.size[1], 1.0])
    return warp.then(Warp((Affine(scale),), warp.size, warp.size_in, warp.fill))


def _edge_colour(image: Image) -> tuple[int, int, int]:
    """What lies around an object in its box: the median of the values along the box's edge."""
    edge = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    red, green, blue = np.median(edge, axis=0).astype(int).tolist()
    return red, green, blue


def _is_able(number: int, annotation: Annotation, windows: Sequence[Window], *, alone: bool) -> bool:
    x0, y0, x1, y1 = windows[number]
    if annotation.iscrowd or x1 - x0 < _LEAST_SIDE or y1 - y0 < _LEAST_SIDE:
        return False
    others = (other for n, other in enumerate(windows) if n != number)
    return not alone or all(o[0] >= x1 or o[2] <= x0 or o[1] >= y1 or o[3] <= y0 for o in others)


def _window(box: Box, size: Size) -> Window:
    """The pixels that a box touches."""
    x0, y0, x1, y1 = box
    left, top = max(0, math.floor(x0 + _TOLERANCE_PX)), max(0, math.floor(y0 + _TOLERANCE_PX))
    return left, top, min(size[0], math.ceil(x1 - _TOLERANCE_PX)), min(size[1], math.ceil(y1 - _TOLERANCE_PX))


_TOLERANCE_PX = 1e-4
_NO_BOXES: FloatArray = np.zeros((0, 4))
