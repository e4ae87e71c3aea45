"""Elastic distortion: the image as if seen through wavy glass (Simard et al. 2003, section 2)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from amp_datasets.filtering.base import (
    CannotApply,
    Draw,
    GeometricFilter,
    Range,
    Settings,
    draw_seed,
    random_bytes,
    size_of,
    uniform,
)
from amp_datasets.geometry.warp import Displacement, Warp
from amp_datasets.model import Size
from amp_datasets.plugin.registry import Registry

FloatField = NDArray[np.float32]
Alpha = Annotated[float, Field(gt=0, le=1e6)]
Sigma = Annotated[float, Field(ge=1, le=1000)]

_NODES_PER_SIGMA = 4
"""At this spacing linear interpolation between nodes loses half a percent of the displacement."""
_STEEPEST = 0.85
"""A slope of 1 folds the image, and the nearer to it, the more steps it takes to find a point's new place."""


class Elastic(GeometricFilter):
    """Move every point by noise, uniform in -1..1, that a Gaussian of `sigma` pixels smooths, times `alpha`.

    Typical moves are 0.16 alpha / sigma pixels. `alpha` is limited to 1.73 sigma^2, above which the image would fold
    over itself: a point would have several new places, and a label none.

    Unlike the usual form, no point leaves the frame and nothing from beyond it comes in: the move across an edge fades
    to nothing over 2 sigma before it. Otherwise the border would show the mirror image of an object, without its label.
    """

    name: ClassVar[str] = "elastic"
    caution: ClassVar[str] = "Rigid things with straight edges (documents, buildings)."
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"alpha": 100, "sigma": 10},
        {"alpha": (20, 40), "sigma": (6, 9)},
    )
    severity: ClassVar[int] = 2

    class InitSchema(Settings):
        """Settings."""

        alpha: Range[Alpha]
        sigma: Range[Sigma]

        @model_validator(mode="after")
        def _does_not_fold(self) -> Elastic.InitSchema:
            alpha = self.alpha[1] if isinstance(self.alpha, tuple) else self.alpha
            sigma = self.sigma[0] if isinstance(self.sigma, tuple) else self.sigma
            if 5 * _slope(alpha, sigma) >= 1:
                most = alpha / (5 * _slope(alpha, sigma))
                raise ValueError(
                    f"alpha {alpha:g} would fold the image at sigma {sigma:g}: "
                    f"take an alpha below {most:.3g} or a larger sigma"
                )
            return self

    def __init__(
        self, alpha: float | tuple[float, float] = 100, sigma: float | tuple[float, float] = 10, p: float = 1.0
    ) -> None:
        super().__init__(p=p)
        self.alpha = alpha
        self.sigma = sigma

    def get_params_dependent_on_data(self, params: Mapping[str, Any], data: Mapping[str, Any]) -> Draw:  # noqa: ARG002
        """Draw the strength, the width of the waves, and the seed of the noise."""
        alpha, sigma = uniform(self.py_random, self.alpha), uniform(self.py_random, self.sigma)
        if min(size_of(params)) < 2 * sigma:
            raise CannotApply(
                "the image is smaller than the waves of the distortion",
                fix=f"take a `sigma` below {min(size_of(params)) / 2:g}, or larger images",
            )
        return {"alpha": alpha, "sigma": sigma, "seed": draw_seed(self.py_random)}

    def warp(self, size: Size, *, alpha: float, sigma: float, seed: int, **_: Any) -> Warp:
        """The displacement, made on a grid of sigma/4: smoother than it can be sampled, and 6 times as fast."""
        columns, rows = (max(1, round(side / max(1.0, sigma / _NODES_PER_SIGMA))) for side in size)
        sigmas = (sigma * columns / size[0], sigma * rows / size[1])
        field = _smooth_noise(seed, (rows, columns), sigmas) * np.float32(_deviation(alpha, sigma))
        field[0] *= _fading(columns, 2 * sigmas[0])
        field[1] *= _fading(rows, 2 * sigmas[1])[:, None]
        steepest = _steepest(field, (size[0] / columns, size[1] / rows))
        if steepest > _STEEPEST:
            field *= np.float32(_STEEPEST / steepest)  # rare, and only near the limit of alpha
        return Warp((Displacement(field, size),), size, size)


def _deviation(alpha: float, sigma: float) -> float:
    """Standard deviation in pixels: uniform noise has 1/sqrt(3), the Gaussian's squared weights sum to 1/(4 pi s^2)."""
    return alpha / math.sqrt(3) / (2 * sigma * math.sqrt(math.pi))


def _slope(alpha: float, sigma: float) -> float:
    """Standard deviation of each derivative of the displacement."""
    return _deviation(alpha, sigma) / (sigma * math.sqrt(2))


def _smooth_noise(seed: int, shape: tuple[int, int], sigmas: tuple[float, float]) -> FloatField:
    """Two planes (2, rows, columns) of smoothed uniform noise with a standard deviation of 1, up to the very edge."""
    reach_x, reach_y = (math.ceil(3 * sigma) for sigma in sigmas)
    rows, columns = shape[0] + 2 * reach_y, shape[1] + 2 * reach_x
    words = random_bytes(seed, 4 * rows * columns).view("<u2")
    white = words.astype(np.float32).reshape(2, rows, columns)
    white *= np.float32(2 / 65535)
    white -= np.float32(1)
    across = cv2.getGaussianKernel(2 * reach_x + 1, sigmas[0], cv2.CV_32F)
    down = cv2.getGaussianKernel(2 * reach_y + 1, sigmas[1], cv2.CV_32F)
    gain = math.sqrt(3 / float((across**2).sum() * (down**2).sum()))
    smooth = [cv2.sepFilter2D(plane, -1, across * gain, down) for plane in white]
    return np.stack([plane[reach_y : rows - reach_y, reach_x : columns - reach_x] for plane in smooth])


def _fading(nodes: int, reach: float) -> FloatField:
    """0 at the first and the last node, growing to 1 at `reach` nodes from both."""
    node = np.arange(nodes)
    return np.asarray(np.minimum(1, np.minimum(node, node[::-1]) / reach), dtype=np.float32)


def _steepest(field: FloatField, spacing: tuple[float, float]) -> float:
    """The largest change of the displacement per pixel in any direction, anywhere.

    Within a cell of the grid the derivatives lie between those along its sides, so its four corners have the largest.
    """
    across, down = np.diff(field, axis=2) / np.float32(spacing[0]), np.diff(field, axis=1) / np.float32(spacing[1])
    bound = math.hypot(_longest(across), _longest(down))
    if bound <= _STEEPEST:
        return bound  # as nearly always
    sides = ((across[:, :-1], across[:, 1:]), (down[:, :, :-1], down[:, :, 1:]))
    return max((_largest_singular_value(x, y) for x in sides[0] for y in sides[1]), default=0.0)


def _longest(vectors: FloatField) -> float:
    return math.sqrt(float((vectors[0] ** 2 + vectors[1] ** 2).max(initial=0.0)))


def _largest_singular_value(x: FloatField, y: FloatField) -> float:
    """Of the 2x2 matrices with the columns x and y."""
    squares = (x**2 + y**2).sum(axis=0)
    determinant = x[0] * y[1] - x[1] * y[0]
    gap = np.sqrt(np.maximum(squares**2 - 4 * determinant**2, 0))
    return math.sqrt(float((squares + gap).max(initial=0.0)) / 2)


def register(registry: Registry) -> None:
    """Offer the filter."""
    registry.add_filter(Elastic)
