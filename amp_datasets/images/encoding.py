"""Arrays to image files, without metadata; the same bytes for the same pixels."""

from __future__ import annotations

import io
import zlib
from typing import Any

import cv2
import simplejpeg
from numpy.typing import NDArray
from PIL import Image as PillowImage

from amp_datasets.errors import ImageError
from amp_datasets.images.kinds import RANGE_KEYWORD, Encoding, ValueRange

_HEADER_END = 33
"""Signature and IHDR of a PNG; other chunks may follow."""


def encode(image: NDArray[Any], encoding: Encoding) -> bytes:
    """An image as a file's bytes: (h, w, 3) uint8 RGB, (h, w, 4) with alpha, or uint16 where the encoding keeps it.

    Raises ImageError if the format cannot hold an image of this size.
    """
    height, width = image.shape[:2]
    if not encoding.holds((width, height)):
        raise ImageError(f"{encoding.format.upper()} cannot hold an image of {width}x{height}", fix="write it as PNG")
    if encoding.format == "jpeg":
        data: bytes = simplejpeg.encode_jpeg(
            image, quality=encoding.quality, colorspace="RGB", colorsubsampling=encoding.subsampling, fastdct=False
        )
        return data
    if encoding.format == "png":
        data = _opencv(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 3])
        return data if encoding.values is None else _with_range(data, encoding.values)
    if encoding.depth == 16:
        return _opencv(".tiff", image, [cv2.IMWRITE_TIFF_COMPRESSION, cv2.IMWRITE_TIFF_COMPRESSION_ADOBE_DEFLATE])
    stream = io.BytesIO()
    PillowImage.fromarray(image).save(stream, encoding.format.upper(), **_options(encoding))
    return stream.getvalue()


def _options(encoding: Encoding) -> dict[str, Any]:
    if encoding.format == "webp":
        return {"lossless": True, "exact": True} if encoding.lossless else {"quality": encoding.quality}
    return {"compression": "tiff_deflate"} if encoding.format == "tiff" else {}


def _opencv(suffix: str, image: NDArray[Any], options: list[int]) -> bytes:
    """OpenCV's encoder takes blue first."""
    order = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}
    # The turned image has no name: it is gone before the bytes are copied.
    done, buffer = cv2.imencode(
        suffix, image if image.ndim == 2 else cv2.cvtColor(image, order[image.shape[2]]), options
    )
    if not done:
        raise ImageError(f"the image cannot be encoded as {suffix[1:].upper()}")
    return bytes(buffer)


def _with_range(png: bytes, values: ValueRange) -> bytes:
    """A PNG with a text chunk (PNG 11.3.4.3) that says what is black and white."""
    text = f"{RANGE_KEYWORD}\0{values[0]:g} {values[1]:g}".encode("latin-1")
    chunk = b"tEXt" + text
    whole = len(text).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big")
    return png[:_HEADER_END] + whole + png[_HEADER_END:]
