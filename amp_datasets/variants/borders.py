"""What a filled border shows that has no label: objects seen twice in a mirror, or drawn out into streaks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import shapely

from amp_datasets.geometry import shapes as geometry
from amp_datasets.geometry.warp import Warp, frame_edge, reflected_images
from amp_datasets.model import Annotation, Box, FloatArray, Size

SEEN_TWICE = "an object would be seen twice in the reflected border"
SMEARED = "the border would draw an object at the edge out into streaks"

_TOUCHES_PX = 0.5
"""What comes this near to the edge colours the last row of pixels, which a replicated border repeats."""
_SPACING_PX = 8.0
_SLACK_PX = 1e-6
_LEAST_SHARE = 0.03
_LEAST_PX2 = 4.0
"""Streaks below this share of their object, or of a few pixels, leave its box an IoU of 0.97."""


def border_problem(annotations: Sequence[Annotation], warp: Warp) -> str | None:
    """Why the filled border of a variant must not be shown; None where it shows nothing of an object."""
    if not warp.maps or isinstance(warp.fill, tuple) or _reach(warp) < _SLACK_PX:
        return None
    if warp.fill == "reflect":
        return SEEN_TWICE if any(_is_reflected(annotation, warp) for annotation in annotations) else None
    return SMEARED if any(_is_smeared(annotation, warp) for annotation in annotations) else None


def _reach(warp: Warp) -> float:
    """How far beyond the source image the frame reaches, in pixels."""
    edge = frame_edge(warp)
    return float(max(-edge.min(), (edge - warp.size_in).max(), 0.0))


def _is_reflected(annotation: Annotation, warp: Warp) -> bool:
    frame = shapely.box(0, 0, *warp.size)
    images = reflected_images(geometry.rectangle(annotation.xyxy), warp)
    return any(shapely.Polygon(image).intersection(frame).area > 1e-6 for image in images)


def _is_smeared(annotation: Annotation, warp: Warp) -> bool:
    """Whether streaks of an object that touches the edge are more than a trifle."""
    frame = shapely.box(0, 0, *warp.size)
    outside = _streaks(annotation, warp.size_in, _reach(warp) + 1)
    streaks = [shapely.make_valid(shapely.Polygon(_moved(strip, warp))) for strip in outside]
    if not streaks:
        return False
    affine = warp.affine
    scale = 1.0 if affine is None else abs(float(np.linalg.det(affine.matrix[:2, :2])))
    seen = float(shapely.union_all(streaks).intersection(frame).area)
    return seen > max(_LEAST_PX2, _LEAST_SHARE * scale * geometry.area(annotation))


def _moved(box: Box, warp: Warp) -> FloatArray:
    ring = geometry.rectangle(box)
    return warp(ring if warp.affine is not None else geometry.densify(ring, _SPACING_PX))


def _streaks(annotation: Annotation, size: Size, far: float) -> Iterator[Box]:
    """The strips outside the source image that have the colour of the object, so far to each side."""
    width, height = float(size[0]), float(size[1])
    x0, y0, x1, y1 = annotation.xyxy
    near = (x0 <= _TOUCHES_PX, y0 <= _TOUCHES_PX, x1 >= width - _TOUCHES_PX, y1 >= height - _TOUCHES_PX)
    if not any(near):
        return
    bands = (
        (0.0, 0.0, _TOUCHES_PX, height),
        (0.0, 0.0, width, _TOUCHES_PX),
        (width - _TOUCHES_PX, 0.0, width, height),
        (0.0, height - _TOUCHES_PX, width, height),
    )
    for side in (0, 2):  # left and right, with the quadrants that a pixel in the corner fills
        span = _contact(annotation, bands[side], 1) if near[side] else None
        if span is not None:
            low = -far if span[0] <= _TOUCHES_PX else span[0]
            high = height + far if span[1] >= height - _TOUCHES_PX else span[1]
            yield (-far, low, 0.0, high) if side == 0 else (width, low, width + far, high)
    for side in (1, 3):
        span = _contact(annotation, bands[side], 0) if near[side] else None
        if span is not None:
            yield (span[0], -far, span[1], 0.0) if side == 1 else (span[0], height, span[1], height + far)


def _contact(annotation: Annotation, band: Box, axis: int) -> tuple[float, float] | None:
    """From where to where along an edge an object touches it; of a plain box it may be the whole side."""
    if annotation.mask is not None:
        pixels = geometry.decode_mask(annotation.mask)
        edge = {0: pixels[0 if band[1] == 0 else -1], 1: pixels[:, 0 if band[0] == 0 else -1]}[axis]
        found = np.flatnonzero(edge)
        return (float(found[0]), float(found[-1]) + 1) if len(found) else None
    part = geometry.to_shapely(geometry.outline(annotation, "rect")).intersection(shapely.box(*band))
    if part.is_empty:
        return None
    return float(part.bounds[axis]), float(part.bounds[axis + 2])
