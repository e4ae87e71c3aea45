"""Images whose pixels are labels: the numbers of classes, objects or colours, as they are stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from amp_datasets.images.codec import Limits, read_bytes, read_header
from amp_datasets.images.opening import careful, open_image
from amp_datasets.model import ImageFile, Size


@dataclass(frozen=True, slots=True, eq=False)
class LabelImage:
    """The numbers (h, w) uint32 of an image's pixels: gray values, places in its palette, or colours.

    A colour is 65536 R + 256 G + B. `palette` says which colour each number stands for, if there is one.
    """

    values: NDArray[np.uint32]
    is_colour: bool = False
    palette: Mapping[int, int] = field(default_factory=dict)

    @property
    def size(self) -> Size:
        """(width, height)."""
        return (self.values.shape[1], self.values.shape[0])


def read_label_image(file: ImageFile, limits: Limits) -> LabelImage:
    """The pixels of a label image as numbers; an ImageError if there are none to be had.

    A colour image that is gray everywhere is one of gray values. Transparency is left out.
    """
    data = read_bytes(file, limits)
    read_header(data, limits, file)
    with careful(file), open_image(data) as image:
        image.load()
        return _numbers(image)


def packed(red: int, green: int, blue: int) -> int:
    """A colour as one number."""
    return red << 16 | green << 8 | blue


def _numbers(image: PillowImage.Image) -> LabelImage:
    if image.mode in ("P", "PA"):
        colours = image.convert("P").getpalette("RGB") or []
        palette = {n: packed(*colours[3 * n : 3 * n + 3]) for n in range(len(colours) // 3)}
        return LabelImage(np.asarray(image.convert("P"), dtype=np.uint32), palette=palette)
    if image.mode in ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L"):
        gray = image.convert("L") if image.mode in ("LA", "La") else image
        values = np.asarray(gray)
        if values.min(initial=0) < 0:
            raise ValueError("a pixel is negative")
        return LabelImage(values.astype(np.uint32))
    if image.mode not in ("RGB", "RGBA", "RGBX"):
        raise ValueError(f"pixels of mode {image.mode} are no labels")
    rgb = np.asarray(image.convert("RGB"), dtype=np.uint32)
    if (rgb[..., 0] == rgb[..., 1]).all() and (rgb[..., 0] == rgb[..., 2]).all():
        return LabelImage(rgb[..., 0].copy())
    pixels = np.asarray(rgb[..., 0] << 16 | rgb[..., 1] << 8 | rgb[..., 2], dtype=np.uint32)
    return LabelImage(pixels, is_colour=True)
