"""Bad, odd and hostile input: it is used, or dropped and counted, or refused with an error of ours. Never more."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage

from amp_datasets.errors import ImageError
from amp_datasets.image import Limits, decode, read_header

SIZE = (24, 16)
LIMITS = Limits()

RGB = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
ODD = {
    "grey JPEG": ("L", "JPEG"),
    "CMYK JPEG": ("CMYK", "JPEG"),
    "CMYK TIFF": ("CMYK", "TIFF"),
    "grey PNG": ("L", "PNG"),
    "1-bit PNG": ("1", "PNG"),
    "16-bit PNG": ("I;16", "PNG"),
    "16-bit TIFF": ("I;16", "TIFF"),
    "32-bit TIFF": ("I", "TIFF"),
    "float TIFF": ("F", "TIFF"),
    "palette PNG": ("P", "PNG"),
    "palette GIF": ("P", "GIF"),
    "palette BMP": ("P", "BMP"),
    "alpha PNG": ("RGBA", "PNG"),
    "grey alpha PNG": ("LA", "PNG"),
    "alpha WebP": ("RGBA", "WEBP"),
    "1-bit TIFF": ("1", "TIFF"),
}


def saved(picture: PillowImage.Image, kind: str, **options: Any) -> bytes:
    """A picture's file."""
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def left_and_right(mode: str = "RGB") -> PillowImage.Image:
    """Dark on the left, bright on the right, in any mode."""
    grey = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    grey[:, SIZE[0] // 2 :] = 255
    picture = PillowImage.fromarray(grey)
    if mode == "I;16":
        return PillowImage.fromarray(grey.astype(np.uint16) * 257)
    if mode == "I":
        return PillowImage.fromarray(grey.astype(np.int32) * 257)
    if mode == "F":
        return PillowImage.fromarray(grey.astype(np.float32) / 255)
    return picture.convert("RGB").convert(mode)


def is_left_and_right(data: bytes) -> bool:
    """Whether a file decodes to three channels, dark on the left and bright on the right."""
    image = decode(data, read_header(data, LIMITS))
    half = SIZE[0] // 2
    sides = image[:, : half - 4], image[:, half + 4 :]
    return image.shape == (SIZE[1], SIZE[0], 3) and sides[0].max() < 40 and sides[1].min() > 215


@pytest.mark.parametrize("kind", RGB)
def test_every_format_is_read(kind: str) -> None:
    """The usual case, by the careful reader."""
    data = saved(left_and_right(), kind)
    assert read_header(data, LIMITS).stored == SIZE
    assert is_left_and_right(data)


@pytest.mark.parametrize("name", ODD)
def test_odd_modes_become_rgb(name: str) -> None:
    """CMYK, 16 bit, floats, palettes, alpha and grey show what a viewer shows."""
    mode, kind = ODD[name]
    assert is_left_and_right(saved(left_and_right(mode), kind))


def test_what_is_transparent_is_white() -> None:
    """As on a page: a cut-out object stands on white, not on the colour that is hidden below."""
    picture = PillowImage.new("RGBA", SIZE, (255, 0, 0, 0))
    data = saved(picture, "PNG")
    assert (decode(data, read_header(data, LIMITS)) == 255).all()


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF", "PNG"])
def test_of_an_animation_the_first_frame_is_used(kind: str) -> None:
    """Labels are drawn on what a labelling tool shows."""
    other = PillowImage.new("RGB", SIZE, (0, 255, 0))
    options: dict[str, Any] = {"lossless": True} if kind == "WEBP" else {}
    data = saved(left_and_right(), kind, save_all=True, append_images=[other, other], **options)
    assert is_left_and_right(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a picture at all",
        b"\xff\xd8\xff",
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a",
        b"RIFF\x00\x00\x00\x00WEBP",
        b"BM",
        b"II*\x00",
        b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(64),
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        b"P6 2 2 255\n" + bytes(12),
        b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
    ],
    ids=["empty", "text", "jpeg", "png", "gif", "webp", "bmp", "tiff", "heic", "postscript", "ppm", "svg"],
)
def test_what_is_no_picture_of_ours_is_refused(data: bytes) -> None:
    """Whatever its name says; formats that run programs (PostScript) are not even tried."""
    with pytest.raises(ImageError):
        read_header(data, LIMITS)
