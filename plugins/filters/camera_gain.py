"""Camera gain: the grain of a photograph taken in too little light."""

from __future__ import annotations

import functools
from statistics import NormalDist
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from amp_datasets.filtering.base import Draw, PixelFilter, Range, Settings, draw_seed, in_runs, random_bytes, uniform
from amp_datasets.model import Image
from amp_datasets.plugin.registry import Registry

Gain = Annotated[float, Field(ge=5, le=100)]

_SHOT, _READ = 0.24, 0.04
"""At 100 percent: the deviation of white is a fifth of its value, that of black a twenty-fifth of white's."""


class CameraGain(PixelFilter):
    """Add the noise of a sensor whose signal is amplified: `percent` of the most that still shows the image.

    Each channel value v of 0..1 gets a normal error with the variance gain^2 (0.24^2 v + 0.04^2): photons arrive at
    random (Poisson), and reading them out adds its own error. Bright parts get the larger error, dark ones the more
    visible one.
    """

    name: ClassVar[str] = "camera_gain"
    roboflow: ClassVar[str] = "Camera gain"
    caution: ClassVar[str] = "Images that are noisy already, and objects of a few pixels."
    examples: ClassVar[tuple[dict[str, Any], ...]] = ({"percent": 50}, {"percent": (10, 40)})

    class InitSchema(Settings):
        """Settings."""

        percent: Range[Gain]

    def __init__(self, percent: float | tuple[float, float] = (20, 50), p: float = 1.0) -> None:
        super().__init__(p=p)
        self.percent = percent

    def get_params(self) -> Draw:
        """Draw the gain, and the seed of the grain."""
        return {"gain": uniform(self.py_random, self.percent) / 100, "seed": draw_seed(self.py_random)}

    def apply(self, img: Image, *, gain: float, seed: int, **_: Any) -> Image:
        """The noisy image: for each value one random byte chooses among 256 equally likely outcomes."""
        values, dice, outcomes = img.reshape(-1), random_bytes(seed, img.size), _outcomes(gain)
        seen = np.empty(img.size, dtype=np.uint8)
        for run in in_runs(img.size):
            seen[run] = outcomes[np.left_shift(values[run], 8, dtype=np.uint16) | dice[run]]
        return seen.reshape(img.shape)


@functools.lru_cache(maxsize=4)
def _outcomes(gain: float) -> NDArray[np.uint8]:
    """For each value (256) and each random byte (256) the value that is seen, as one row."""
    value = np.arange(256) / 255
    deviation = gain * np.sqrt(_SHOT**2 * value + _READ**2)
    normal = NormalDist()
    errors = np.array([normal.inv_cdf((byte + 0.5) / 256) for byte in range(256)])
    seen = 255 * (value[:, None] + deviation[:, None] * errors)
    return np.asarray(np.clip(np.rint(seen), 0, 255), dtype=np.uint8).ravel()


def register(registry: Registry) -> None:
    """Offer the filter."""
    registry.add_filter(CameraGain)
