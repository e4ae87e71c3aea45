"""What can be said of an image without its pixels, and how one is to be written."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from typing import Literal, get_args

import numpy as np

from amp_datasets.errors import ImageError
from amp_datasets.model import FloatArray, Size
from amp_datasets.storage.folder import MAX_LABEL_BYTES

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".jfif")
"""Endings under which images are looked for; what a file really is, its content says."""

UNDECODED_SUFFIXES = (".heic", ".heif", ".avif", ".jxl", ".jp2", ".dng", ".cr2", ".nef", ".arw", ".psd")
"""Endings of images that are none of these: they are named, with how to convert them, and not decoded."""

ImageFormat = Literal["jpeg", "png", "webp", "bmp", "tiff"]
Subsampling = Literal["444", "422", "420", "440", "411"]
Colour = Literal["grey", "rgb", "palette", "cmyk", "other"]
ValueRange = tuple[float, float]
"""The stored values that are black and white in images deeper than 8 bits."""

WRITABLE: dict[str, ImageFormat] = {name: name for name in get_args(ImageFormat)}
"""The formats that an image keeps; others become PNG."""

RANGE_KEYWORD = "amp-values"
"""Keyword of a PNG's text chunk with the values that are black and white in a 16-bit image."""

DEEP, FLAT, INKS, FRAMES, PROFILE = (
    "more than 8 bits a channel become 8",
    "transparency is laid over white",
    "CMYK or another colour space becomes RGB",
    "only the first of several images in the file is used",
    "colour profile is not kept in variants",
)
"""What can be lost of an image; each is counted in the build's report."""

_SUFFIX: dict[str, str] = {"jpeg": ".jpg", "png": ".png", "webp": ".webp", "bmp": ".bmp", "tiff": ".tif"}
_LONGEST_SIDE: dict[str, int] = {"jpeg": 65_500, "webp": 16_383}
"""libjpeg's JPEG_MAX_DIMENSION, and the 14 bits of a WebP frame's width (RFC 9649, 2.5)."""
_DEEP_FORMATS = ("png", "tiff")
_ALPHA_FORMATS = ("png", "webp")


MAX_PIXELS = 50_000_000
"""With it no image takes more than 1.5 GB, the program included: `tests/test_limits.py` measures it."""

MAX_PIXELS_VARIABLE = "AMP_MAX_PIXELS"


def most_pixels() -> int:
    """How many pixels an image may have where no manifest says it: the environment's word, else `MAX_PIXELS`."""
    said = os.environ.get(MAX_PIXELS_VARIABLE, "")
    if said and not (said.isascii() and said.isdigit() and int(said) > 0):
        raise ImageError(f"{MAX_PIXELS_VARIABLE} is no number of pixels: {said[:40]!r}", fix="write it in digits")
    return int(said or MAX_PIXELS)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a single file may cost: bytes of an image, pixels once decoded, passes over them; bytes of a label file.

    Decoding takes at most 12 bytes of memory a pixel (18 for deep ones), writing up to 9 more. libwebp takes 62 to
    write one without loss, so that a pixel of a WebP counts as four.
    """

    max_bytes: int = 256 * 2**20
    max_pixels: int = field(default_factory=most_pixels)
    max_scans: int = 100
    max_label_bytes: int = MAX_LABEL_BYTES

    def pixels_of(self, file_format: str) -> int:
        """How many pixels an image of a format may have."""
        return self.max_pixels // 4 if file_format == "webp" else self.max_pixels


@dataclass(frozen=True, slots=True)
class Header:
    """What an image's first bytes say. `stored` is its size before the EXIF orientation (1 to 8) is applied.

    `depth` is the bits of one sample; `is_lossless` says that a WebP was coded without loss (VP8L), `values` are
    black and white as the file itself states them.
    """

    format: str
    stored: Size
    orientation: int = 1
    subsampling: Subsampling | None = None
    colour: Colour = "rgb"
    depth: int = 8
    is_float: bool = False
    has_alpha: bool = False
    has_more_images: bool = False
    has_profile: bool = False
    is_lossless: bool = False
    values: ValueRange | None = None

    @property
    def size(self) -> Size:
        """The size of the upright image."""
        width, height = self.stored
        return (height, width) if self.orientation >= 5 else (width, height)


@dataclass(frozen=True, slots=True)
class Encoding:
    """How an image is written. `values` says what is black and white in a 16-bit one."""

    format: ImageFormat
    quality: int = 95
    subsampling: Subsampling = "444"
    lossless: bool = False
    depth: int = 8
    alpha: bool = False
    values: ValueRange | None = None

    @property
    def suffix(self) -> str:
        """The file ending, with dot."""
        return _SUFFIX[self.format]

    def dump(self) -> str:
        """As JSON, for the ledger."""
        return json.dumps(asdict(self), sort_keys=True)

    def holds(self, size: Size) -> bool:
        """Whether the format can hold an image of this size."""
        return max(size) <= _LONGEST_SIDE.get(self.format, 2**31 - 1)


@dataclass(frozen=True, slots=True)
class EncodeSettings:
    """The manifest's `encode`: `keep` takes what the source has."""

    format: Literal["keep", "jpeg", "png", "webp", "bmp", "tiff"] = "keep"
    quality: int = 95
    subsampling: Literal["keep", "444", "422", "420"] = "keep"
    depth: Literal[8, 16] = 8
    alpha: Literal["flatten", "keep"] = "flatten"


def encoding_for(header: Header, settings: EncodeSettings, values: ValueRange | None = None) -> Encoding:
    """How a variant of a source is written: as the manifest says, else as its source is; odd formats become PNG.

    16 bits are kept for grey and RGB of whole numbers, `values` with them; alpha by PNG and WebP, in 8 bits.
    """
    chosen = settings.format if settings.format != "keep" else WRITABLE.get(header.format, "png")
    own = header.subsampling or "444"
    alpha = settings.alpha == "keep" and header.has_alpha and chosen in _ALPHA_FORMATS
    deep = settings.depth == 16 and keeps_depth(header) and chosen in _DEEP_FORMATS and not header.has_alpha
    return Encoding(
        chosen,
        settings.quality,
        own if settings.subsampling == "keep" else settings.subsampling,
        lossless=chosen == "webp" and settings.format == "keep" and header.is_lossless,
        depth=16 if deep else 8,
        alpha=alpha,
        values=values if deep else None,
    )


def load_encoding(text: str) -> Encoding:
    """The encoding that `Encoding.dump` wrote."""
    raw = json.loads(text)
    if not isinstance(raw, dict):
        raise ValueError(f"{text[:40]!r} is no encoding")
    values = raw.pop("values", None)
    return Encoding(**raw, values=None if values is None else (float(values[0]), float(values[1])))


def values_of(text: object) -> ValueRange | None:
    """What a file says under `RANGE_KEYWORD`; None if that is no range."""
    try:
        low, high = (float(word) for word in str(text).split())
    except ValueError:
        return None
    return (low, high) if np.isfinite([low, high]).all() and low < high else None


def keeps_depth(header: Header) -> bool:
    """Whether an image's values are whole numbers of 16 bits, grey or RGB."""
    return header.depth == 16 and not header.is_float and header.colour in ("grey", "rgb")


def changes(header: Header, encoding: Encoding) -> list[str]:
    """What an original loses because readers would not agree about it: it is written anew, 8-bit RGB on white.

    An image of which nothing is in this list looks the same through Pillow, OpenCV and `decode`, to the last bit.
    """
    found = {
        DEEP: header.depth > 8 and encoding.depth == 8,
        FLAT: header.has_alpha and not encoding.alpha,
        INKS: header.colour in ("cmyk", "other"),
        FRAMES: header.has_more_images and header.format == "tiff",  # Ultralytics stacks the pages of a TIFF
    }
    return [what for what, is_so in found.items() if is_so]


def lost(header: Header, encoding: Encoding) -> list[str]:
    """Everything that a build does not carry over from an image."""
    more = [FRAMES] if header.has_more_images else []
    return list(dict.fromkeys([*changes(header, encoding), *more, *([PROFILE] if header.has_profile else [])]))


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


def as_word(value: object) -> object:
    """What YAML takes for a number where a word is meant: `subsampling: 420`."""
    return str(value) if type(value) is int else value
