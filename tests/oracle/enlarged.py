"""By how much a recorded draw enlarges each thing of a scene, from OpenCV's matrices and the draw's own numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .scenes import Thing

Matrix = NDArray[np.float64]
Size = tuple[int, int]


def enlargement(filter_name: str, draw: Mapping[str, Any], fill: object, size: Size, thing: Thing) -> float:
    """The area that a thing has after a filter, per pixel before; 1 for filters that keep areas."""
    matrix = _matrix(filter_name, draw, fill, size)
    if matrix is None:
        return 1.0
    y, x = np.nonzero(thing.pixels)
    depth = np.stack([x + 0.5, y + 0.5, np.ones(len(x))], axis=1) @ matrix[2]
    return float((abs(np.linalg.det(matrix)) / np.abs(depth) ** 3).mean())


def _matrix(filter_name: str, draw: Mapping[str, Any], fill: object, size: Size) -> Matrix | None:
    if filter_name == "zoom":
        return np.diag([draw["scale"], draw["scale"], 1.0])
    if filter_name == "perspective":
        (a, b), (c, d), (e, f), (g, h) = draw["moves"]
        whole = np.array([(0, 0), (1, 0), (1, 1), (0, 1)]) * size
        part = np.array([(a, b), (1 - c, d), (1 - e, 1 - f), (g, 1 - h)]) * size
        ends = (part, whole) if fill == "crop" else (whole, part)
        return cv2.getPerspectiveTransform(*(end.astype(np.float32) for end in ends))
    linear, shift = _linear(filter_name, draw), np.array(draw.get("move", (0, 0))) * size
    if linear is None:
        return None
    matrix = np.eye(3)
    matrix[:2, :2] = linear * (_zoom(linear, shift, size) if fill == "crop" else 1)
    return matrix


def _linear(filter_name: str, draw: Mapping[str, Any]) -> Matrix | None:
    if filter_name == "shear":
        slope = np.tan(np.radians(draw["angle_deg"]))
        return np.array([(1, slope), (0, 1)] if draw["axis"] == "horizontal" else [(1, 0), (slope, 1)])
    if filter_name == "affine":
        turn = cv2.getRotationMatrix2D((0, 0), -draw["angle_deg"], draw["scale"])[:, :2]
        return turn @ np.array([(1, np.tan(np.radians(draw["shear_deg"]))), (0, 1)])
    if filter_name == "rotate":
        return cv2.getRotationMatrix2D((0, 0), -draw["angle_deg"], 1)[:, :2]
    return None


def _zoom(linear: Matrix, shift: Matrix, size: Size) -> float:
    """Found by halving: the smallest zoom at which every corner of the frame shows a place inside the image."""
    half = np.array(size) / 2
    corners = half * [(1, 1), (1, -1), (-1, 1), (-1, -1)] - shift
    low, high = 1.0, 64.0
    for _ in range(60):
        middle = (low + high) / 2
        places = np.linalg.solve(linear * middle, corners.T).T
        low, high = (low, middle) if (np.abs(places) <= half).all() else (middle, high)
    return high
