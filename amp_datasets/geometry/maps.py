"""The kinds of point map: affine, projective, and a smooth displacement. All in float64 over pixel-edge coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from amp_datasets.model import FloatArray, Size


@dataclass(frozen=True, slots=True, eq=False)
class Affine:
    """A map x -> A x + b, as a (3, 3) matrix over edge coordinates."""

    matrix: FloatArray

    def __call__(self, points: FloatArray) -> FloatArray:
        """Where (n, 2) points go."""
        return np.asarray(points @ self.matrix[:2, :2].T + self.matrix[:2, 2], dtype=np.float64)

    def back(self, points: FloatArray) -> FloatArray:
        """Where (n, 2) points of the new image come from."""
        inverse: FloatArray = np.linalg.inv(self.matrix).astype(np.float64)
        return Affine(inverse)(points)

    def then(self, other: Affine) -> Affine:
        """This map followed by another."""
        return Affine(other.matrix @ self.matrix)

    @property
    def mirrors(self) -> bool:
        """Whether left and right are exchanged."""
        return bool(np.linalg.det(self.matrix[:2, :2]) < 0)


@dataclass(frozen=True, slots=True, eq=False)
class Displacement:
    """A smooth map of an image onto itself: the new pixel at p shows what was at p + d(p).

    `field` (2, rows, columns) float32 holds d in pixels of an image of `size`, at the centres of a coarse grid of equal
    cells; between them it is interpolated linearly, outside it is constant, both for pixels and for points.
    """

    field: NDArray[np.float32]
    size: Size

    def __call__(self, points: FloatArray) -> FloatArray:
        """Where (n, 2) points go: p with p + d(p) = point, by fixed-point iteration (d contracts)."""
        moved = points
        for _ in range(200):
            nearer = points - self._at(moved)
            if np.abs(nearer - moved).max(initial=0.0) < 1e-6:
                return nearer
            moved = nearer
        return moved

    def back(self, points: FloatArray) -> FloatArray:
        """Where (n, 2) points of the new image come from."""
        return np.asarray(points + self._at(points), dtype=np.float64)

    def full(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The displacement in x and in y, each (height, width), at every pixel centre."""
        x, y = (cv2.resize(plane, self.size, interpolation=cv2.INTER_LINEAR) for plane in self.field)
        return x, y

    def _at(self, points: FloatArray) -> FloatArray:
        rows, columns = self.field.shape[1:]
        x = np.clip(points[:, 0] * (columns / self.size[0]) - 0.5, 0, columns - 1)
        y = np.clip(points[:, 1] * (rows / self.size[1]) - 0.5, 0, rows - 1)
        left, top = np.floor(x).astype(int), np.floor(y).astype(int)
        right, bottom = np.minimum(left + 1, columns - 1), np.minimum(top + 1, rows - 1)
        u, v = x - left, y - top
        upper = self.field[:, top, left] * (1 - u) + self.field[:, top, right] * u
        lower = self.field[:, bottom, left] * (1 - u) + self.field[:, bottom, right] * u
        return np.asarray((upper * (1 - v) + lower * v).T, dtype=np.float64)

    @property
    def mirrors(self) -> bool:
        """Never: a smooth map of an image onto itself keeps its orientation."""
        return False


@dataclass(frozen=True, slots=True, eq=False)
class Projective:
    """A map of one plane onto another, as a (3, 3) matrix over edge coordinates: lines stay lines.

    Every point that is mapped must lie on the near side of the horizon, as all points of an image do whose four corners
    go to a convex quadrilateral.
    """

    matrix: FloatArray

    def __call__(self, points: FloatArray) -> FloatArray:
        """Where (n, 2) points go."""
        moved = points @ self.matrix[:, :2].T + self.matrix[:, 2]
        return np.asarray(moved[:, :2] / moved[:, 2:], dtype=np.float64)

    def back(self, points: FloatArray) -> FloatArray:
        """Where (n, 2) points of the new image come from."""
        inverse: FloatArray = np.linalg.inv(self.matrix).astype(np.float64)
        return Projective(inverse)(points)

    @property
    def mirrors(self) -> bool:
        """Whether left and right are exchanged."""
        return bool(np.linalg.det(self.matrix) * self.matrix[2, 2] < 0)


PointMap = Affine | Displacement | Projective


def about_centre(linear: FloatArray, size: Size, new: Size | None = None) -> Affine:
    """A linear map (2, 2) about the centre of an image of `size`, which becomes the centre of one of size `new`."""
    matrix = np.eye(3)
    matrix[:2, :2] = linear
    centre, target = np.array(size) / 2, np.array(new or size) / 2
    matrix[:2, 2] = target - linear @ centre
    return Affine(matrix)


def covering_zoom(linear: FloatArray, size: Size, shift: ArrayLike = (0, 0)) -> float:
    """The smallest zoom, at least 1, at which an image covers its own frame.

    It goes through a linear map (2, 2) about its centre, then this zoom, and then a `shift` in pixels.
    """
    half = np.array(size) / 2
    corners = half * [(1, 1), (1, -1), (-1, -1), (-1, 1)] - np.asarray(shift)
    return max(1.0, float((np.abs(corners @ np.linalg.inv(linear).T) / half).max()))


def projective(source: FloatArray, target: FloatArray) -> Projective:
    """The map that takes four points (4, 2) to four others."""
    rows = []
    for (x, y), (u, v) in zip(source.tolist(), target.tolist(), strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    solved = np.linalg.solve(np.array(rows, dtype=np.float64), target.astype(np.float64).ravel())
    return Projective(np.append(solved, 1.0).reshape(3, 3))
