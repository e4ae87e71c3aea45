"""JPEG artefacts: blocks and rings of a file that was compressed too much."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import simplejpeg
from pydantic import BeforeValidator, Field, WithJsonSchema

from amp_datasets.filtering.base import CannotApply, Draw, PixelFilter, Range, Settings, uniform
from amp_datasets.images.kinds import as_word
from amp_datasets.model import Image
from amp_datasets.plugin.registry import Registry

Quality = Annotated[int, Field(ge=1, le=90)]
Colours = Annotated[Literal["420", "444"], BeforeValidator(as_word), WithJsonSchema({"enum": ["420", "444", 420, 444]})]

_LONGEST_SIDE = 65_500
"""What the format can hold."""


class Jpeg(PixelFilter):
    """Compress as JPEG of `quality` 1 (worst) to 90, with colours at half the resolution (420) or at the full one.

    The file that a build writes is compressed on its own, by `encode`; this is for what came before.
    """

    name: ClassVar[str] = "jpeg"
    caution: ClassVar[str] = "Images that will never be compressed in use, and fine texture that is the information."
    examples: ClassVar[tuple[dict[str, Any], ...]] = ({"quality": 15}, {"quality": (10, 40), "subsampling": "444"})

    class InitSchema(Settings):
        """Settings."""

        quality: Range[Quality]
        subsampling: Colours

    def __init__(
        self, quality: int | tuple[int, int] = (15, 40), subsampling: Literal["420", "444"] = "420", p: float = 1.0
    ) -> None:
        super().__init__(p=p)
        self.quality = quality
        self.subsampling = subsampling

    def get_params(self) -> Draw:
        """Draw the quality."""
        return {"quality": round(uniform(self.py_random, self.quality))}

    def apply(self, img: Image, *, quality: int, **_: Any) -> Image:
        """The image after encoding and decoding."""
        if max(img.shape[:2]) > _LONGEST_SIDE:
            raise CannotApply("the image is too large for JPEG", fix="leave this filter out")
        data = simplejpeg.encode_jpeg(np.ascontiguousarray(img), quality=quality, colorsubsampling=self.subsampling)
        return np.asarray(simplejpeg.decode_jpeg(data, colorspace="RGB"), dtype=np.uint8)


def register(registry: Registry) -> None:
    """Offer the filter."""
    registry.add_filter(Jpeg)
