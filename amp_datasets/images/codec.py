"""Images to arrays and back: header, EXIF orientation, colour modes, limits, and the encoders.

JPEG goes through libjpeg-turbo (simplejpeg: the fastest decoder measured, same pixels as Pillow); everything that is
odd (CMYK, 16 bit, palette, alpha, other formats) takes Pillow's careful way.
"""

from __future__ import annotations

import io
import warnings
import zlib
from dataclasses import dataclass
from typing import Any, Literal, get_args

import cv2
import numpy as np
import simplejpeg
from PIL import Image as PillowImage
from PIL import ImageOps, UnidentifiedImageError

from amp_datasets.errors import ImageError
from amp_datasets.model import FloatArray, Image, ImageFile, Size
from amp_datasets.storage.folder import read_image_file

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".jfif")
"""Endings under which images are looked for; what a file really is, its content says."""

ImageFormat = Literal["jpeg", "png", "webp", "bmp", "tiff"]
Subsampling = Literal["444", "422", "420", "440", "411"]

WRITABLE: dict[str, ImageFormat] = {name: name for name in get_args(ImageFormat)}
"""The formats that a image keeps; others become PNG."""

_SUFFIX: dict[str, str] = {"jpeg": ".jpg", "png": ".png", "webp": ".webp", "bmp": ".bmp", "tiff": ".tif"}
_PILLOW_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
"""What Pillow may open; its JPEG reader opens MPO too, and knows no format of that name."""
_ORIENTATION_TAG = 0x0112
_PNG_PIXELS = (b"IHDR", b"PLTE", b"IDAT")

PillowImage.MAX_IMAGE_PIXELS = None  # our own limits are settable and raise an error of ours


@dataclass(frozen=True, slots=True)
class Limits:
    """What a single image may cost: bytes of its file, pixels once decoded."""

    max_bytes: int = 256 * 2**20
    max_pixels: int = 200_000_000


@dataclass(frozen=True, slots=True)
class Header:
    """What a image's first bytes say. `stored` is its size before the EXIF orientation (1 to 8) is applied."""

    format: str
    stored: Size
    orientation: int = 1
    subsampling: Subsampling | None = None

    @property
    def size(self) -> Size:
        """The size of the upright image."""
        width, height = self.stored
        return (height, width) if self.orientation >= 5 else (width, height)


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a image is written."""

    format: ImageFormat
    quality: int = 95
    subsampling: Subsampling = "444"

    @property
    def suffix(self) -> str:
        """The file ending, with dot."""
        return _SUFFIX[self.format]


@dataclass(frozen=True, slots=True)
class EncodeSettings:
    """The manifest's `encode`: `keep` takes what the source has."""

    format: Literal["keep", "jpeg", "png", "webp", "bmp", "tiff"] = "keep"
    quality: int = 95
    subsampling: Literal["keep", "444", "422", "420"] = "keep"


def encoding_for(header: Header, settings: EncodeSettings) -> Encoding:
    """How a variant of a source is written: as the manifest says, else as its source is; odd formats become PNG."""
    chosen = settings.format if settings.format != "keep" else WRITABLE.get(header.format, "png")
    own = header.subsampling or "444"
    return Encoding(chosen, settings.quality, own if settings.subsampling == "keep" else settings.subsampling)


def read_bytes(file: ImageFile, limits: Limits) -> bytes:
    """A image's file in memory; a SourceError if it is gone or larger than the limit."""
    return read_image_file(file, limits.max_bytes)


def read_header(data: bytes, limits: Limits, where: object = None) -> Header:
    """Format, size and orientation, without decoding; an ImageError if these bytes are no image of ours."""
    with _careful(where):
        image = PillowImage.open(io.BytesIO(data), formats=_PILLOW_FORMATS)
        _check_size(image.size, limits, where)
        orientation = image.getexif().get(_ORIENTATION_TAG, 1) if _may_have_exif(image) else 1
        kind = {"MPO": "jpeg"}.get(str(image.format), str(image.format).lower())
    if orientation not in range(1, 9):
        orientation = 1
    return Header(kind, image.size, int(orientation), _subsampling(data) if kind == "jpeg" else None)


def decode(data: bytes, header: Header, where: object = None) -> Image:
    """The upright image as a contiguous (height, width, 3) RGB array; an ImageError if it is damaged."""
    with _careful(where):
        if header.format == "jpeg" and header.subsampling is not None and header.orientation == 1:
            return np.asarray(simplejpeg.decode_jpeg(data, colorspace="RGB", fastdct=False, fastupsample=False))
        if header.format == "png":
            _check_png(data)
        image = PillowImage.open(io.BytesIO(data), formats=_PILLOW_FORMATS)
        image.load()
        return np.ascontiguousarray(np.asarray(_rgb(ImageOps.exif_transpose(image))))


def orientation_matrix(header: Header) -> FloatArray:
    """The (3, 3) map from edge coordinates of the stored image to those of the upright one (EXIF 2.3, tag 274)."""
    width, height = header.stored
    rows = {
        1: ((1, 0, 0), (0, 1, 0)),
        2: ((-1, 0, width), (0, 1, 0)),
        3: ((-1, 0, width), (0, -1, height)),
        4: ((1, 0, 0), (0, -1, height)),
        5: ((0, 1, 0), (1, 0, 0)),
        6: ((0, -1, height), (1, 0, 0)),
        7: ((0, -1, height), (-1, 0, width)),
        8: ((0, 1, 0), (-1, 0, width)),
    }[header.orientation]
    return np.array([*rows, (0, 0, 1)], dtype=np.float64)


def encode(image: Image, encoding: Encoding) -> bytes:
    """An RGB image as a file's bytes, without metadata; the same bytes for the same pixels."""
    if encoding.format == "jpeg":
        data: bytes = simplejpeg.encode_jpeg(
            image, quality=encoding.quality, colorspace="RGB", colorsubsampling=encoding.subsampling, fastdct=False
        )
        return data
    if encoding.format == "png":
        done, buffer = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 3])
        if not done:
            raise ImageError("the image cannot be encoded as PNG")
        return bytes(buffer)
    stream = io.BytesIO()
    options: dict[str, dict[str, Any]] = {
        "webp": {"quality": encoding.quality},
        "tiff": {"compression": "tiff_deflate"},
        "bmp": {},
    }
    PillowImage.fromarray(image).save(stream, encoding.format.upper(), **options[encoding.format])
    return stream.getvalue()


def _rgb(image: PillowImage.Image) -> PillowImage.Image:
    """Three 8-bit channels: 16-bit values scaled, alpha laid over white, palettes and CMYK converted."""
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image, dtype=np.float64)
        top = 65535.0 if image.mode.startswith("I") else max(float(values.max(initial=0)), 1.0)
        return PillowImage.fromarray(np.clip(np.rint(values * (255 / top)), 0, 255).astype(np.uint8)).convert("RGB")
    if "A" in image.mode or "transparency" in image.info:
        whole = image.convert("RGBA")
        return PillowImage.alpha_composite(PillowImage.new("RGBA", whole.size, "white"), whole).convert("RGB")
    return image.convert("RGB")


def _may_have_exif(image: PillowImage.Image) -> bool:
    return image.format in {"TIFF", "MPO", "WEBP", "PNG"} or "exif" in image.info or "xmp" in image.info


def _subsampling(data: bytes) -> Subsampling | None:
    """Chroma subsampling of a colour JPEG; None where simplejpeg cannot decode it to RGB (CMYK, YCCK) or is grey."""
    try:
        _, _, colour, subsampling = simplejpeg.decode_jpeg_header(data)
    except ValueError:
        return None
    return subsampling if colour in {"YCbCr", "RGB"} and subsampling in {"444", "422", "420", "440", "411"} else None


def _check_png(data: bytes) -> None:
    """Compare the checksums of the pixels' chunks (PNG 5.3), which Pillow does not; ValueError if one is wrong."""
    at = 8
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        kind = data[at + 4 : at + 8]
        if kind in _PNG_PIXELS and zlib.crc32(data[at + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            raise ValueError(f"the checksum of a {kind.decode()} chunk is wrong")
        at = end + 4


def _check_size(size: Size, limits: Limits, where: object) -> None:
    width, height = size
    if width < 1 or height < 1 or width * height > limits.max_pixels:
        raise ImageError(
            f"the image is {width}x{height}, outside the limit of {limits.max_pixels} pixels",
            where=where,
            fix="raise `limits.max_pixels` in the manifest if this is meant",
        )


class _careful:  # noqa: N801 - used as a statement
    """Turns whatever a decoder raises on damaged bytes into an ImageError with the file's name."""

    def __init__(self, where: object) -> None:
        self.where = where
        self.quiet = warnings.catch_warnings()

    def __enter__(self) -> None:
        self.quiet.__enter__()
        warnings.simplefilter("ignore")  # Pillow warns of what we check ourselves

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.quiet.__exit__(None, None, None)
        if isinstance(error, Exception) and not isinstance(error, ImageError):
            told = str(error).partition("\n")[0] or type(error).__name__
            if isinstance(error, UnidentifiedImageError):  # its text has an address in memory, another in each run
                told = "this is no JPEG, PNG, WebP, BMP, TIFF or GIF"
            raise ImageError(
                f"the image cannot be decoded: {told}",
                where=self.where,
                fix="replace or remove the file",
            ) from error
