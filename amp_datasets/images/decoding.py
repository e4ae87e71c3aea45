"""Image files to arrays: one decoder for originals, variants, previews and training code.

Whatever a file holds becomes 8-bit RGB: values deeper than 8 bits are scaled linearly between the black and the white
of their set, transparency is laid over white, CMYK and palettes are converted, colour profiles are not applied. Of
several images in a file the first is read. JPEG goes through libjpeg-turbo (simplejpeg: the fastest decoder measured,
same pixels as Pillow), WebP and deep values through OpenCV, everything else through Pillow.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image as PillowImage

from amp_datasets.images.kinds import RANGE_KEYWORD, Encoding, Header, ValueRange, values_of
from amp_datasets.images.opening import careful, open_image
from amp_datasets.model import Image

WHITE = 255
"""What transparent images are laid over, in originals, variants and training code."""

DeepImage = NDArray[np.uint16]

_PNG_PIXELS = (b"IHDR", b"PLTE", b"IDAT")
_STRIP_ROWS = 256
_MAX_INTEGER = 2**31 - 1


@dataclass(frozen=True, slots=True, eq=False)
class Layers:
    """An upright image as far as a build keeps it.

    `image` (h, w, 3) uint8 RGB is what filters see. If 16 bits are kept, `deep` has the values as stored, (h, w) or
    (h, w, 3); if transparency is kept, `alpha` (h, w) uint8 has it, and `image` is white where nothing can be seen.
    """

    image: Image
    deep: DeepImage | None = None
    alpha: NDArray[np.uint8] | None = None


def decode(data: bytes, header: Header, where: object = None, values: ValueRange | None = None) -> Image:
    """The upright image as a contiguous (height, width, 3) RGB array; an ImageError if it is damaged.

    `values` are black and white of an image deeper than 8 bits; without them what the file says, or else the range of
    its type.
    """
    with careful(where):
        if header.format == "jpeg" and header.subsampling is not None:
            decoded = simplejpeg.decode_jpeg(data, colorspace="RGB", fastdct=False, fastupsample=False)
            return _upright(np.asarray(decoded), header)
        if header.depth > 8:
            stored, alpha = _stored(data, header)
            return _flat(_as_rgb(to_8_bits(stored, values or header.values or full_range(stored))), alpha)
        if header.format == "webp":
            return _flat(*_parted(_upright(_opencv(data), header)))
        return _by_pillow(data, header)


def decode_layers(
    data: bytes, header: Header, encoding: Encoding, where: object = None, values: ValueRange | None = None
) -> Layers:
    """The image as `decode` gives it, with what an encoding keeps of its depth or transparency."""
    if encoding.depth == 16:
        with careful(where):
            stored, _ = _stored(data, header)
            deep = np.ascontiguousarray(stored, dtype=np.uint16)
            scaled = to_8_bits(stored, values or header.values or full_range(stored))
            return Layers(_as_rgb(scaled), deep=deep)
    if not encoding.alpha:
        return Layers(decode(data, header, where, values))
    with careful(where):
        colours, alpha = _with_alpha(data, header, values)
        colours[alpha == 0] = WHITE
        return Layers(colours, alpha=alpha)


def rgb_of(image: PillowImage.Image) -> Image:
    """An image that a library has opened, as `decode` gives it; it is upright already."""
    if image.mode.startswith("I") or image.mode == "F":
        stored = np.asarray(image)
        return _as_rgb(to_8_bits(stored, values_of(image.info.get(RANGE_KEYWORD)) or full_range(stored)))
    return _by_strips(image, "A" in image.mode or "a" in image.mode or "transparency" in image.info)


def extremes(data: bytes, header: Header, where: object = None) -> ValueRange:
    """The smallest and the largest finite value of an image deeper than 8 bits."""
    with careful(where):
        stored, _ = _stored(data, header)
        if not header.is_float:
            return float(stored.min()), float(stored.max())
        finite = stored[np.isfinite(stored)]
        return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)


def range_of(found: Iterable[ValueRange], *, is_float: bool) -> ValueRange:
    """Black and white of all deep images of a set, from the extremes of each.

    Whole numbers: zero and the largest number of as many bits as the largest value needs (12-bit data: 4095), so that
    one image more or less changes nothing. Fractions: 0 and 1, or 0 and 255, if they fit. With negative values: from
    the smallest to the largest.
    """
    lows, highs = zip(*found, strict=True)
    low, high = min(lows), max(highs)
    if low < 0:
        return low, max(high, low + 1)
    if is_float and high <= 255:
        return 0.0, 1.0 if high <= 1 else 255.0
    bits = max(8, int(min(high, _MAX_INTEGER)).bit_length())
    return 0.0, max(float(2**bits - 1), high)


def full_range(stored: NDArray[Any]) -> ValueRange:
    """Black and white where nobody said or measured any: the whole of an unsigned type, else what the image holds."""
    if stored.dtype == np.uint16:
        return 0.0, 65535.0
    finite = stored[np.isfinite(stored)]
    limits = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    return range_of([limits], is_float=stored.dtype.kind == "f")


def to_8_bits(stored: NDArray[Any], values: ValueRange) -> NDArray[np.uint8]:
    """Values scaled linearly, black to 0 and white to 255, rounded to nearest; what is no finite number is black."""
    low, high = values
    factor = 255 / (high - low)
    if stored.dtype == np.uint16:
        table = np.clip(np.rint((np.arange(65536) - low) * factor), 0, 255).astype(np.uint8)
        return np.asarray(table[stored])
    scaled = np.empty(stored.shape, dtype=np.uint8)
    for top in range(0, len(stored), _STRIP_ROWS):
        strip = np.nan_to_num(stored[top : top + _STRIP_ROWS].astype(np.float64), nan=low, posinf=low, neginf=low)
        scaled[top : top + _STRIP_ROWS] = np.clip(np.rint((strip - low) * factor), 0, 255)
    return scaled


def _stored(data: bytes, header: Header) -> tuple[NDArray[Any], NDArray[np.uint8] | None]:
    """The upright values as stored, (h, w) or (h, w, 3) RGB, and alpha in 8 bits."""
    if header.format == "png":
        check_png(data)
        whole = _upright(_opencv(data), header)
        if header.has_alpha and whole.ndim == 2:  # one transparent value, which OpenCV does not read
            return whole, _pillow_alpha(data, header)
    elif header.colour == "grey" and not header.has_alpha:
        image = open_image(data)
        image.load()  # turned upright by Pillow
        return np.asarray(image), None
    else:
        whole = _opencv(data)  # a TIFF is turned upright by OpenCV
    if whole.ndim == 2:
        return whole, None
    colours = np.ascontiguousarray(whole[..., 2::-1])
    if header.colour == "grey":
        colours = np.ascontiguousarray(colours[..., 0])
    return colours, to_8_bits(whole[..., 3], full_range(whole)) if whole.shape[2] == 4 else None


def _opencv(data: bytes) -> NDArray[Any]:
    """As stored: grey, BGR or BGRA. Only for bytes whose format is known: OpenCV looks at them for itself."""
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None:
        raise ValueError("the data is damaged")
    return np.asarray(decoded)


def _by_pillow(data: bytes, header: Header) -> Image:
    if header.format == "png":
        check_png(data)
    image = open_image(data)
    image.load()
    return _upright(_by_strips(image, header.has_alpha), header)


def _by_strips(image: PillowImage.Image, has_alpha: bool) -> Image:
    """Pillow's image as RGB on white: by strips, for its copies and those of NumPy take 16 bytes a pixel, not 7."""
    width, height = image.size
    whole = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, _STRIP_ROWS):
        strip = image.crop((0, top, width, min(height, top + _STRIP_ROWS)))
        if has_alpha:
            whole[top : top + _STRIP_ROWS] = _flat(*_split(np.asarray(strip.convert("RGBA"))))
        else:
            whole[top : top + _STRIP_ROWS] = np.asarray(strip if strip.mode == "RGB" else strip.convert("RGB"))
    return whole


def _with_alpha(data: bytes, header: Header, values: ValueRange | None) -> tuple[Image, NDArray[np.uint8]]:
    """Colours that are not yet laid over anything, and alpha; both upright, the colours free to be written to."""
    if header.depth > 8:
        stored, alpha = _stored(data, header)
        colours = _as_rgb(to_8_bits(stored, values or header.values or full_range(stored)))
    elif header.format == "webp":
        colours, alpha = _parted(_upright(_opencv(data), header))
    else:
        if header.format == "png":
            check_png(data)
        image = open_image(data)
        image.load()
        colours, alpha = _split(_upright(np.asarray(image.convert("RGBA")), header))
    return colours, np.full(colours.shape[:2], 255, np.uint8) if alpha is None else np.ascontiguousarray(alpha)


def _pillow_alpha(data: bytes, header: Header) -> NDArray[np.uint8]:
    image = open_image(data)
    image.load()
    key = image.info.get("transparency")
    hidden = np.asarray(image) == key if isinstance(key, int) else np.zeros(image.size[::-1], bool)
    return _upright(np.where(hidden, 0, 255).astype(np.uint8), header)


def _split(rgba: NDArray[np.uint8]) -> tuple[Image, NDArray[np.uint8]]:
    return np.ascontiguousarray(rgba[..., :3]), rgba[..., 3]


def _parted(bgr: NDArray[Any]) -> tuple[Image, NDArray[np.uint8] | None]:
    """OpenCV's order as RGB, and alpha if there is any."""
    return np.ascontiguousarray(bgr[..., 2::-1]), bgr[..., 3] if bgr.shape[2] == 4 else None


def _flat(colours: Image, alpha: NDArray[np.uint8] | None) -> Image:
    """Laid over white, strip by strip; the same values as Pillow's `alpha_composite`."""
    if alpha is None:
        return colours
    flat = np.empty_like(colours)
    for top in range(0, len(colours), _STRIP_ROWS):
        rows = slice(top, top + _STRIP_ROWS)
        whole = PillowImage.fromarray(np.dstack([colours[rows], alpha[rows]]))
        paper = PillowImage.new("RGBA", whole.size, (WHITE, WHITE, WHITE, 255))
        flat[rows] = np.asarray(PillowImage.alpha_composite(paper, whole))[..., :3]
    return flat


def _as_rgb(values: NDArray[np.uint8]) -> Image:
    return np.ascontiguousarray(values if values.ndim == 3 else np.broadcast_to(values[..., None], (*values.shape, 3)))


def _upright(stored: NDArray[Any], header: Header) -> NDArray[Any]:
    """Turned as EXIF says (2.3, tag 274); a TIFF is upright as it comes out of its decoder."""
    turned = stored
    if header.format != "tiff":
        if header.orientation in (5, 6, 7, 8):
            turned = np.swapaxes(turned, 0, 1)
        if header.orientation in (2, 3, 6, 7):
            turned = turned[:, ::-1]
        if header.orientation in (3, 4, 7, 8):
            turned = turned[::-1]
    return np.ascontiguousarray(turned)


def check_png(data: bytes) -> None:
    """Compare the checksums of the pixels' chunks (PNG 5.3), which Pillow does not; ValueError if one is wrong."""
    at = 8
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        kind = data[at + 4 : at + 8]
        if kind in _PNG_PIXELS and zlib.crc32(data[at + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            raise ValueError(f"the checksum of a {kind.decode()} chunk is wrong")
        at = end + 4
