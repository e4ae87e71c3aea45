"""Which decoders may be used, and what a file says of itself before one of them runs.

Pillow's `open` asks every plugin that is installed, and one of them starts Ghostscript. Here six of its classes are
called by the file's first bytes and no other, without its limit for the whole process and without its warnings.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import simplejpeg
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)
from PIL import Image as PillowImage

from amp_datasets.errors import AmpError, BuildError, ImageError
from amp_datasets.images.kinds import MAX_PIXELS_VARIABLE, RANGE_KEYWORD, Colour, Header, Limits, Subsampling, values_of
from amp_datasets.model import Size

_ORIENTATION_TAG = 0x0112
_WIDTH, _HEIGHT, _BITS, _SAMPLE_FORMAT = 256, 257, 258, 339
_IEEE_FLOAT = 3
_OUT_OF_MEMORY = ("out of memory", "insufficient memory", "memory error", "memory allocation")

_COLOURS: dict[str, Colour] = {"1": "grey", "L": "grey", "LA": "grey", "La": "grey", "I": "grey", "F": "grey"}
_COLOURS |= {"P": "palette", "PA": "palette", "RGB": "rgb", "RGBA": "rgb", "RGBa": "rgb", "RGBX": "rgb", "CMYK": "cmyk"}
PNG_COLOURS: dict[int, Colour] = {0: "grey", 2: "rgb", 3: "palette", 4: "grey", 6: "rgb"}
"""The colour types of a PNG (11.2.1)."""

_READERS: tuple[tuple[tuple[bytes, ...], str, Callable[[Any], PillowImage.Image]], ...] = (
    ((b"\xff\xd8\xff",), "jpeg", JpegImagePlugin.JpegImageFile),
    ((b"\x89PNG\r\n\x1a\n",), "png", PngImagePlugin.PngImageFile),
    ((b"GIF87a", b"GIF89a"), "gif", GifImagePlugin.GifImageFile),
    ((b"BM",), "bmp", BmpImagePlugin.BmpImageFile),
    ((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), "tiff", TiffImagePlugin.TiffImageFile),
)


def kind_of(data: bytes) -> str:
    """The format that the first bytes name; an ImageError if it is none of ours."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    for magics, kind, _ in _READERS:
        if data.startswith(magics):
            return kind
    raise ImageError("this is no JPEG, PNG, WebP, BMP, TIFF or GIF", fix="replace or remove the file")


def open_image(data: bytes) -> PillowImage.Image:
    """The image, opened by the one class that its first bytes allow; its pixels are not read yet."""
    kind = kind_of(data)
    if kind == "webp":
        return WebPImagePlugin.WebPImageFile(io.BytesIO(data))
    reader = next(reader for _, name, reader in _READERS if name == kind)
    return reader(io.BytesIO(data))


@contextmanager
def careful(where: object) -> Iterator[None]:
    """Whatever a decoder raises on damaged bytes becomes an ImageError with the file's name.

    Memory that runs out says nothing about the image: it is an error to run again (BuildError).
    """
    try:
        yield
    except ImageError as error:
        raise ImageError(error.what, where=error.where or where, fix=error.fix) from error
    except AmpError:
        raise
    except Exception as error:
        if is_memory(error):
            raise memory_error(where) from error
        told = str(error).partition("\n")[0] or type(error).__name__
        fix = "replace or remove the file"
        raise ImageError(f"the image cannot be decoded: {told}", where=where, fix=fix) from error


def is_memory(error: BaseException) -> bool:
    """Whether an exception of Python or of a library says that memory ran out."""
    if isinstance(error, MemoryError) or getattr(error, "code", None) == cv2.Error.StsNoMem:
        return True
    return isinstance(error, OSError | cv2.error) and any(words in str(error).lower() for words in _OUT_OF_MEMORY)


def memory_error(where: object) -> BuildError:
    """Memory ran out, in words."""
    fix = "run it again with fewer workers (-j): finished work is kept"
    return BuildError("memory ran out while an image was made", where=where, fix=fix)


def image_changed(where: object) -> BuildError:
    """An image is not the one whose labels were read: they would lie in other places of it."""
    return BuildError("the image changed while the set was read", where=where, fix="run it again")


def check_size(size: Size, limits: Limits, where: object = None, kind: str = "") -> None:
    """An ImageError if an image has no or too many pixels; `kind` is the format that it is read from or written in."""
    width, height = size
    most = limits.pixels_of(kind)
    if width < 1 or height < 1 or width * height > most:
        of_kind = " of a WebP" if kind == "webp" else ""
        raise ImageError(
            f"the image is {width}x{height}, outside the limit{of_kind} of {most} pixels",
            where=where,
            fix="if this is meant, raise `limits.max_pixels` in the manifest "
            f"(elsewhere: {MAX_PIXELS_VARIABLE}={-(-width * height * limits.max_pixels // most)})",
        )


def check_scans(data: bytes, limits: Limits, where: object = None) -> None:
    """An ImageError if a JPEG has so many scans that decoding takes minutes; cameras and programs write about ten.

    Within coded data a byte 0xFF is followed by 0x00 (ITU-T T.81 B.1.1.5), so each of these markers starts a scan.
    """
    scans = data.count(b"\xff\xda")
    if scans > limits.max_scans:
        what = f"the JPEG has {scans} scans, more than the limit of {limits.max_scans}"
        raise ImageError(what, where=where, fix="save it again as a plain JPEG")


def read_header(data: bytes, limits: Limits, where: object = None) -> Header:
    """Format, size, orientation and colours, without decoding; an ImageError if these bytes are no image of ours."""
    with careful(where):
        kind = kind_of(data)
        if kind == "webp":
            header = _webp(data)
            check_size(header.stored, limits, where, kind)
            return header
        image = open_image(data)
        check_size(image.size, limits, where)  # before anything else: the EXIF of a PNG may stand behind its pixels
        if kind == "jpeg":
            check_scans(data, limits, where)
        return _HEADERS[kind](data, image)


def _jpeg(data: bytes, image: Any) -> Header:
    sampling = _subsampling(data)
    colour = _COLOURS.get(image.mode, "other")
    found = (_orientation(image), sampling, colour)
    more = "mp" in image.info
    return Header("jpeg", image.size, *found, has_more_images=more, has_profile="icc_profile" in image.info)


def _png(data: bytes, image: Any) -> Header:
    depth, colour = data[24], data[25]
    return Header(
        "png",
        image.size,
        _orientation(image),
        colour=PNG_COLOURS.get(colour, "other"),
        depth=16 if depth == 16 else 8,
        has_alpha=colour in (4, 6) or "transparency" in image.info,
        has_more_images=bool(getattr(image, "is_animated", False)),
        has_profile="icc_profile" in image.info,
        values=values_of(image.info.get(RANGE_KEYWORD)) if depth == 16 else None,
    )


def _tiff(_: bytes, image: Any) -> Header:
    tags = image.tag_v2
    depth = max(tags.get(_BITS, (8,)))
    return Header(
        "tiff",
        (int(tags[_WIDTH]), int(tags[_HEIGHT])),  # `image.size` is upright already
        _orientation(image),
        colour="grey" if image.mode.startswith("I") else _COLOURS.get(image.mode, "other"),
        depth=8 if depth <= 8 else int(depth),
        is_float=_IEEE_FLOAT in tags.get(_SAMPLE_FORMAT, ()),
        has_alpha="A" in image.mode or "a" in image.mode,
        has_more_images=bool(tags.next),
        has_profile="icc_profile" in image.info,
    )


def _other(kind: str) -> Callable[[bytes, Any], Header]:
    def header(_: bytes, image: Any) -> Header:
        alpha = "A" in image.mode or "transparency" in image.info
        colour = _COLOURS.get(image.mode, "other")
        more = kind == "gif" and bool(image.is_animated)
        return Header(kind, image.size, colour=colour, has_alpha=alpha, has_more_images=more)

    return header


_HEADERS: dict[str, Callable[[bytes, Any], Header]] = {"jpeg": _jpeg, "png": _png, "tiff": _tiff}
_HEADERS |= {"gif": _other("gif"), "bmp": _other("bmp")}


def _webp(data: bytes) -> Header:
    """From the chunks alone (RFC 9649): libwebp's decoder takes memory for the whole canvas as soon as it is made."""
    size, flags, lossless, alpha, orientation = None, 0, False, False, 1
    for kind, content in _chunks(data, 12):
        if kind == b"VP8X" and len(content) >= 10:
            flags = content[0]
            size = (1 + int.from_bytes(content[4:7], "little"), 1 + int.from_bytes(content[7:10], "little"))
        elif kind == b"EXIF":
            orientation = _exif_orientation(content)
        elif kind in (b"VP8 ", b"VP8L", b"ANMF"):
            frames = [(kind, content)] if kind != b"ANMF" else list(_chunks(content, 16))
            for inner, coded in frames:
                lossless = lossless or inner == b"VP8L"
                alpha = alpha or inner == b"ALPH" or (inner == b"VP8L" and len(coded) > 4 and bool(coded[4] & 0x10))
            size = size or _frame_size(kind, content)
    if size is None:
        raise ImageError("the WebP has no image in it")
    return Header(
        "webp",
        size,
        orientation,
        has_alpha=bool(flags & 0x10) or alpha,
        has_more_images=bool(flags & 0x02),
        has_profile=bool(flags & 0x20),
        is_lossless=lossless,
    )


def _chunks(data: bytes, at: int) -> Iterator[tuple[bytes, bytes]]:
    while at + 8 <= len(data):
        kind, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        yield kind, data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def _frame_size(kind: bytes, content: bytes) -> Size | None:
    """Of a key frame of VP8 (RFC 6386, 9.1), or of a lossless one."""
    if kind == b"VP8 " and len(content) >= 10:
        width, height = struct.unpack_from("<HH", content, 6)
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L" and len(content) >= 5:
        bits = int.from_bytes(content[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return None


def _exif_orientation(content: bytes) -> int:
    exif = PillowImage.Exif()
    exif.load(content)
    return _valid(exif.get(_ORIENTATION_TAG, 1))


def _orientation(image: PillowImage.Image) -> int:
    may_have = image.format in {"TIFF", "PNG"} or "exif" in image.info or "xmp" in image.info
    return _valid(image.getexif().get(_ORIENTATION_TAG, 1)) if may_have else 1


def _valid(orientation: object) -> int:
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1


def _subsampling(data: bytes) -> Subsampling | None:
    """Chroma subsampling of a colour JPEG; None where simplejpeg cannot decode it to RGB (CMYK, YCCK) or is grey."""
    try:
        _, _, colour, subsampling = simplejpeg.decode_jpeg_header(data)
    except ValueError:
        return None
    return subsampling if colour in {"YCbCr", "RGB"} and subsampling in {"444", "422", "420", "440", "411"} else None
