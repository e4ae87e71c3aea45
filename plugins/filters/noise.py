"""Salt and pepper noise."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from amp_datasets.filtering.base import (
    Draw,
    PixelFilter,
    Range,
    Settings,
    Table,
    draw_seed,
    look_up,
    random_bytes,
    uniform,
)
from amp_datasets.model import Image
from amp_datasets.plugin.registry import Registry

Share = Annotated[float, Field(ge=0.001, le=1)]


class Noise(PixelFilter):
    """Set each channel value to 0 with probability amount/2, to 255 with amount/2, each on its own."""

    name: ClassVar[str] = "noise"
    roboflow: ClassVar[str] = "Noise"
    caution: ClassVar[str] = "Objects of a few pixels; amounts above 0.1 leave little of fine texture."
    examples: ClassVar[tuple[dict[str, Any], ...]] = ({"amount": 0.25}, {"amount": (0.02, 0.1)})
    severity: ClassVar[int] = 2

    class InitSchema(Settings):
        """Settings."""

        amount: Range[Share]

    def __init__(self, amount: float | tuple[float, float] = 0.25, p: float = 1.0) -> None:
        super().__init__(p=p)
        self.amount = amount

    def get_params(self) -> Draw:
        """Draw the amount, and the seed of the field."""
        return {"amount": uniform(self.py_random, self.amount), "seed": draw_seed(self.py_random)}

    def apply(self, img: Image, *, amount: float, seed: int, **_: Any) -> Image:
        """The noisy image, from one random byte a value: the lowest are pepper, the highest salt.

        Only where the byte lies just at a threshold that is no multiple of 1/256 a second number decides, so the
        probabilities are exact for any amount.
        """
        count, rest = divmod(amount / 2 * 256, 1)
        whole = int(count)
        dice = random_bytes(seed, img.size).reshape(img.shape)
        noisy: Image = cv2.bitwise_and(img, look_up(dice, _mask(whole, 256)))
        noisy = cv2.bitwise_or(noisy, look_up(dice, _mask(256 - whole, 256)))
        if rest:
            for side, (byte, value) in enumerate(((whole, 0), (255 - whole, 255))):
                at_threshold = np.flatnonzero(dice == byte)
                noisy.ravel()[at_threshold[_chosen(seed + 1 + side, len(at_threshold), rest)]] = value
        return noisy


def _mask(first: int, stop: int) -> Table:
    """255 for the bytes from `first` on and below `stop`, 0 for the others."""
    byte = np.arange(256)
    return np.where((byte >= first) & (byte < stop), 255, 0).astype(np.uint8)


def _chosen(seed: int, count: int, probability: float) -> NDArray[np.bool_]:
    """`count` independent yes or no, to the 53 bits of a float."""
    words = random_bytes(seed, 8 * count).view("<u8") >> np.uint64(11)
    return np.asarray(words < probability * 2.0**53, dtype=np.bool_)


def register(registry: Registry) -> None:
    """Offer the filter."""
    registry.add_filter(Noise)
