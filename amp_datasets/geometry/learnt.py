"""What objects look like inside their boxes, learnt from those of their class and set that have an outline."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Literal

import numpy as np

from amp_datasets.geometry import shapes as geometry
from amp_datasets.geometry.warp import Affine
from amp_datasets.model import Annotation, Box, FloatArray, Sample

Shape = Literal["ellipse", "rect"]

_ENOUGH, _AT_MOST = 3, 50
"""So few outlines say something of their class; so many say it all."""
_ANGLES_DEG = (-30, -20, -10, 10, 20, 30)


def with_shapes(samples: Collection[Sample]) -> list[Sample]:
    """The samples of one set; a plain box is given the shape that outlined objects of its class have, if there are any.

    A set learns from itself alone, so that adding another changes nothing in it.
    """
    plain = {a.category for sample in samples for a in sample.annotations if _is_plain(a)}
    shapes = shapes_of((a for sample in samples for a in sample.annotations), plain)
    if not shapes:
        return list(samples)
    return [replace(s, annotations=tuple(_shaped(a, shapes) for a in s.annotations)) for s in samples]


def shapes_of(annotations: Iterable[Annotation], categories: Iterable[str]) -> dict[str, Shape]:
    """For each of these classes whether an ellipse or a rectangle foretells better the turned boxes of its outlines."""
    wanted = set(categories)
    votes: dict[str, list[float]] = {}
    for annotation in annotations:
        found = votes.setdefault(annotation.category, []) if annotation.category in wanted else None
        if found is not None and len(found) < _AT_MOST and not _is_plain(annotation):
            found.append(_advantage_of_ellipse(annotation))
    return {n: "ellipse" if np.mean(v) >= 0 else "rect" for n, v in votes.items() if len(v) >= _ENOUGH}


def _is_plain(annotation: Annotation) -> bool:
    return not annotation.polygons and annotation.mask is None and annotation.corners is None


def _shaped(annotation: Annotation, shapes: Mapping[str, Shape]) -> Annotation:
    shape = shapes.get(annotation.category) if _is_plain(annotation) else None
    return annotation if shape is None else replace(annotation, shape=shape)


def _advantage_of_ellipse(annotation: Annotation) -> float:
    """By how much the IoU of turned boxes is better with an ellipse than with a rectangle, on average."""
    points = _outline_points(annotation)
    box = geometry.bounds([points])
    guesses = (geometry.ellipse(box), geometry.rectangle(box))
    by_guess = [list(_ious(points, guess)) for guess in guesses]
    return float(np.mean(by_guess[0]) - np.mean(by_guess[1]))


def _outline_points(annotation: Annotation) -> FloatArray:
    if annotation.mask is not None:
        rows, columns = np.nonzero(geometry.decode_mask(annotation.mask))
        corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], dtype=np.float64)
        return (np.column_stack([columns, rows])[:, None] + corners).reshape(-1, 2)
    return np.concatenate([polygon.exterior for polygon in geometry.outline(annotation, "rect")])


def _ious(points: FloatArray, guess: FloatArray) -> Iterator[float]:
    for degrees in _ANGLES_DEG:
        cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        turn = Affine(np.array([(cos, -sin, 0), (sin, cos, 0), (0, 0, 1)]))
        yield _iou(geometry.bounds([turn(points)]), geometry.bounds([turn(guess)]))


def _iou(one: Box, other: Box) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(0.0, width) * max(0.0, height)
    return shared / (geometry.box_area(one) + geometry.box_area(other) - shared)
