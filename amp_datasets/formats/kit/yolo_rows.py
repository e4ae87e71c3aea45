"""Rows of YOLO label files, to and from labels in pixels.

https://docs.ultralytics.com/datasets: a class number, then shares of the image's width and height.

    detect   class cx cy w h
    segment  class x1 y1 x2 y2 x3 y3 ...
    oriented class x1 y1 x2 y2 x3 y3 x4 y4
    pose     class cx cy w h  then x y, or x y visibility, of each keypoint
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from amp_datasets.geometry import shapes as geometry
from amp_datasets.model import Annotation, Box, FloatArray, Polygon, Size

Task = Literal["detect", "segment", "pose", "obb"]

_STEP = 1e-9
_EDGE = 1e-8
"""Sides that are further inside the image than this share stay inside, however a row is rounded."""
_FAR = 0.5
"""A coordinate this far outside the image, as a share of it, is no share but pixels or nonsense."""


class RowError(ValueError):
    """A row that cannot be used. `reason` is constant, the message says what was special."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class RowReader:
    """Reads rows of one set: `names` by class number (empty: refused), keypoints as (number, values each).

    With `confidences` rows of an odd number of values end with one; it becomes an attribute of the label.
    """

    names: Sequence[str]
    task: Task | None = None
    keypoints: tuple[int, int] | None = None
    confidences: bool = False

    def read(self, parts: Sequence[str], size: Size) -> Annotation:
        """One label; a RowError if there is none in it."""
        category = self._category(parts[0])
        try:
            values = list(map(float, parts[1:]))
        except ValueError as error:
            raise RowError("row has a value that is not a number", str(error)[:60]) from error
        if self.confidences and len(values) % 2 and len(values) != self._pose_values() and 0 <= values[-1] <= 1:
            plain = self.read(parts[:-1], size)
            return replace(plain, attributes={"confidence": values[-1]})
        if len(parts) == 5:
            return Annotation(category, _box(values, size))
        if len(values) == self._pose_values():
            return self._pose(category, values, size)
        if len(values) < 6 or len(values) % 2 or self.task == "pose":
            raise RowError("row has a wrong number of values", f"{len(parts)} values")
        return self._outline(category, values, size)

    def _pose_values(self) -> int | None:
        """How many values a row of a pose has behind its class."""
        return None if self.keypoints is None else 4 + self.keypoints[0] * self.keypoints[1]

    def _category(self, text: str) -> str:
        try:
            number = float(text)
            index = int(number)
        except (ValueError, OverflowError) as error:
            raise RowError("class id is not a number", text[:40]) from error
        if index != number or not 0 <= index < len(self.names):
            raise RowError("class id is out of range", f"{text[:40]}, there are {len(self.names)} classes")
        if not self.names[index]:
            raise RowError("class name is not usable", f"class {index}")
        return self.names[index]

    def _pose(self, category: str, values: Sequence[float], size: Size) -> Annotation:
        rows = np.array(values[4:], dtype=np.float64).reshape(self.keypoints)
        if not np.isfinite(rows).all():
            raise RowError("row has a value that is not a finite number", "keypoints")
        if rows.shape[1] == 2:
            absent = (rows < 0).any(axis=1) | (rows == 0).all(axis=1)
            rows = np.column_stack([rows, np.where(absent, 0.0, 2.0)])
        elif not np.isin(rows[:, 2], (0, 1, 2)).all():
            raise RowError("keypoint visibility is not 0, 1 or 2", str(rows[:, 2].tolist())[:60])
        rows[rows[:, 2] == 0] = 0.0
        keypoints = rows * (size[0], size[1], 1.0) if rows[:, 2].any() else None
        return Annotation(category, _box(values[:4], size), keypoints=keypoints)

    def _outline(self, category: str, values: Sequence[float], size: Size) -> Annotation:
        _check_shares(values)
        ring = np.array(values, dtype=np.float64).reshape(-1, 2) * size
        if self.task == "obb" and len(ring) == 4:
            return Annotation(category, geometry.bounds([ring]), corners=ring)
        return Annotation(category, geometry.bounds([ring]), polygons=(Polygon(ring),))


def _box(cxcywh: Sequence[float], size: Size) -> Box:
    cx, cy, w, h = cxcywh
    width, height = size
    if not (0.0 <= w <= 1.0 and 0.0 <= h <= 1.0 and 0.0 <= cx <= 1.0 and 0.0 <= cy <= 1.0):
        _check_shares(cxcywh)
    return ((cx - w / 2) * width, (cy - h / 2) * height, (cx + w / 2) * width, (cy + h / 2) * height)


def _check_shares(values: Iterable[float]) -> None:
    for value in values:
        if not math.isfinite(value):
            raise RowError("row has a value that is not a finite number", str(value))
        if not -_FAR <= value <= 1 + _FAR:
            raise RowError("coordinates are not shares of the image", f"{value} is not within 0 and 1")


def looks_oriented(rows: Iterable[tuple[FloatArray, Size]]) -> bool:
    """Whether all of some 4-point rings are rectangles, and not all upright: oriented boxes rather than outlines."""
    tilted = False
    for ring, size in rows:
        edges = np.roll(ring * size, -1, axis=0) - ring * size
        lengths = np.linalg.norm(edges, axis=1)
        longest = float(lengths.max(initial=0.0))
        if longest == 0:
            continue
        opposite = np.abs(edges[:2] + edges[2:]).max()
        square = abs(float(edges[0] @ edges[1])) / longest
        if opposite > 0.01 * longest + 0.5 or square > 0.01 * longest + 0.5:
            return False
        tilted = tilted or float(np.abs(edges).min(axis=1).max()) > 0.01 * longest
    return tilted


def box_text(xyxy: Box, size: Size) -> str:
    """Centre and size as shares; read back, no side of the box lies outside the image."""
    width, height = size
    x0, y0, x1, y1 = xyxy[0] / width, xyxy[1] / height, xyxy[2] / width, xyxy[3] / height
    if _EDGE < x0 <= x1 < 1 - _EDGE and _EDGE < y0 <= y1 < 1 - _EDGE:
        return f"{(x0 + x1) / 2:.9f} {(y0 + y1) / 2:.9f} {x1 - x0:.9f} {y1 - y0:.9f}"
    (cx, w), (cy, h) = _span(x0, x1), _span(y0, y1)
    return f"{cx} {cy} {w} {h}"


def points_text(points: FloatArray, size: Size) -> str:
    """Points as shares, none outside the image."""
    return " ".join(_text(min(max(value, 0.0), 1.0)) for value in (points / size).ravel().tolist())


def keypoints_text(keypoints: FloatArray | None, count: int, size: Size) -> str:
    """Exactly `count` keypoints as shares with their visibility; unlabelled ones, and those that are missing, are 0."""
    known = [] if keypoints is None else keypoints.tolist()[:count]
    texts = [
        f"{points_text(np.array([x, y]), size)} {int(visibility)}" if visibility else "0 0 0"
        for x, y, visibility in known
    ]
    return " ".join(texts + ["0 0 0"] * (count - len(texts)))


def _span(low: float, high: float) -> tuple[str, str]:
    """Centre and extent of one axis as text, such that centre -+ extent / 2, once parsed, stays within 0 and 1."""
    low, high = min(max(low, 0.0), 1.0), min(max(high, 0.0), 1.0)
    centre, extent = _text((low + high) / 2), _text(high - low)
    middle, length = float(centre), float(extent)
    while middle - length / 2 < 0 or middle + length / 2 > 1:
        length = min(length, 2 * min(middle, 1 - middle)) - _STEP
        extent = _text(max(length, 0.0))
        length = float(extent)
    return centre, extent


def _text(value: float) -> str:
    """Nine decimals: a millionth of a pixel at 1000 pixels."""
    return f"{value:.9f}"
