"""Images whose pixels are labels: every mode gives the numbers that are stored."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from amp_datasets.errors import ImageError
from amp_datasets.images.codec import Limits
from amp_datasets.images.label_image import LabelImage, packed, read_label_image
from amp_datasets.model import ImageFile


def read(image: PillowImage.Image) -> LabelImage:
    """An image, saved as PNG and read as labels."""
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return read_label_image(ImageFile(Path("mask.png"), data=stream.getvalue()), Limits())


def test_gray_values_of_any_depth() -> None:
    """8 and 16 bits, one bit, and colours that are gray: the number is the value."""
    values = np.array([[0, 1], [200, 255]], np.uint8)
    for image in (PillowImage.fromarray(values), PillowImage.fromarray(np.dstack([values] * 3))):
        found = read(image)
        np.testing.assert_array_equal(found.values, values)
        assert (found.size, found.is_colour, found.palette) == ((2, 2), False, {})
    deep = values.astype(np.uint16) * 257
    np.testing.assert_array_equal(read(PillowImage.fromarray(deep)).values, deep)
    np.testing.assert_array_equal(read(PillowImage.fromarray(values > 0)).values, values > 0)


def test_palettes_keep_places_and_say_colours() -> None:
    """The number is the place in the palette, as Pascal VOC means it."""
    image = PillowImage.new("P", (2, 1))
    image.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    image.putdata([0, 2])
    found = read(image)
    assert found.values.tolist() == [[0, 2]]
    assert (found.palette[1], found.palette[2]) == (packed(128, 0, 0), packed(0, 128, 0))


def test_colours_are_one_number() -> None:
    """R, G and B, without transparency."""
    image = PillowImage.new("RGBA", (1, 1), (1, 2, 3, 0))
    found = read(image)
    assert (found.values.tolist(), found.is_colour) == ([[65536 + 512 + 3]], True)


@pytest.mark.parametrize("data", [b"", b"no image", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_image_is_an_error_of_ours(data: bytes) -> None:
    """Whatever Pillow raises."""
    with pytest.raises(ImageError):
        read_label_image(ImageFile(Path("mask.png"), data=data), Limits())
