"""An image's header from its first bytes, ten times faster than opening it with an imaging library.

Only plain JPEG and PNG files are judged here; whatever is unusual is left to the careful reader in `opening`, so that
both always give the same answer.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator

from amp_datasets.errors import ImageError, SourceError
from amp_datasets.images.kinds import Colour, Header, Limits, Subsampling
from amp_datasets.images.opening import PNG_COLOURS, check_scans, check_size, read_header
from amp_datasets.model import ImageFile
from amp_datasets.storage.files import open_regular
from amp_datasets.storage.folder import read_image_file, unreadable
from amp_datasets.storage.remote import present

HEAD_BYTES = 65536
_END_OF_JPEG = b"\xff\xd9"
_SUBSAMPLING: dict[bytes, Subsampling] = {
    b"\x11\x11\x11": "444",
    b"\x21\x11\x11": "422",
    b"\x22\x11\x11": "420",
    b"\x12\x11\x11": "440",
    b"\x41\x11\x11": "411",
}
_FRAMES = frozenset({0xC0, 0xC1, 0xC2})  # baseline, extended and progressive DCT: what every decoder reads
_METADATA_CHUNKS = frozenset({b"eXIf", b"iTXt", b"tEXt", b"zTXt", b"tRNS", b"iCCP", b"acTL"})
"""Of files with one of these the careful reader judges orientation, transparency, profile and frames."""


def probe(file: ImageFile, limits: Limits) -> Header:
    """The same as `read_header` of the whole file; an ImageError or SourceError if it is none of ours or cut off."""
    if file.data is None and file.member is None:
        head, tail, complete = _read_ends(file, limits)
    else:
        head, tail, complete = read_image_file(file, limits.max_bytes), b"", True
    header = _jpeg(head) if head.startswith(b"\xff\xd8\xff") else None
    if header is not None and tail == _END_OF_JPEG:
        check_size(header.stored, limits, file)
        return header
    data = head if complete else read_image_file(file, limits.max_bytes)
    header = header_of(data, limits, file)
    check_end(header, data, file)
    return header


def check_end(header: Header, data: bytes, where: object = None) -> None:
    """An ImageError if a JPEG or PNG stops before its end: nothing is decoded, its markers tell.

    Within coded data of a JPEG a byte 0xFF is followed by 0x00 (ITU-T T.81 B.1.1.5), so that an end marker behind the
    start of its first scan is one. A PNG ends with IEND (PNG 11.2.5).
    """
    if header.format == "jpeg":
        scan = _first_scan(data)
        whole = scan is None or data.find(_END_OF_JPEG, scan) >= 0
    else:
        whole = header.format != "png" or b"IEND" in data
    if not whole:
        raise ImageError("the file stops before the end of its image", where=where, fix="copy or download it again")


def _first_scan(data: bytes) -> int | None:
    """Where the coded data of a JPEG begin, behind all its metadata; None where its segments are unusual."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # a byte that fills
            at += 1
            continue
        if marker == 0xDA:
            return at
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return len(data) if at >= len(data) else None


def header_of(data: bytes, limits: Limits, where: object = None) -> Header:
    """The same as `read_header`, of a whole file in memory."""
    if data.startswith(b"\xff\xd8\xff"):
        header = _jpeg(data)
        check_scans(data, limits, where)
    else:
        header = _png(data) if data.startswith(b"\x89PNG\r\n\x1a\n") else None
    if header is None:
        return read_header(data, limits, where)
    check_size(header.stored, limits, where)
    return header


def _read_ends(file: ImageFile, limits: Limits) -> tuple[bytes, bytes, bool]:
    """The beginning of a file, its last two bytes, and whether the beginning is all of it."""
    try:
        descriptor = open_regular(present(file.path), follow=True)
        try:
            size = os.fstat(descriptor).st_size
            head = os.read(descriptor, HEAD_BYTES)
            tail = head[-2:] if len(head) == size else os.pread(descriptor, 2, size - 2)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise unreadable(error, file) from error
    if size > limits.max_bytes:
        raise SourceError(f"the file has {size} bytes, more than the limit of {limits.max_bytes}", where=file)
    return head, tail, len(head) == size


def _jpeg(head: bytes) -> Header | None:
    """A JPEG's header (ITU-T T.81 B.2); None where metadata or coding is unusual."""
    orientation, has_profile = 1, False
    for marker, segment in _segments(head):
        if marker in _FRAMES:
            return _frame(segment, orientation, has_profile)
        if marker == 0xE1:
            found = _exif_orientation(segment)
            if found is None or orientation != 1:
                return None
            orientation = found
        elif marker == 0xE2:
            if not segment.startswith(b"ICC_PROFILE\0"):
                return None
            has_profile = True
        elif 0xC3 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            return None
    return None


def _segments(head: bytes) -> Iterator[tuple[int, bytes]]:
    at, end = 2, len(head)
    while at + 4 <= end and head[at] == 0xFF:
        marker = head[at + 1]
        length = head[at + 2] << 8 | head[at + 3]
        if marker < 0xC0 or marker == 0xFF or 0xD0 <= marker <= 0xDA or length < 2 or at + 2 + length > end:
            return
        yield marker, head[at + 4 : at + 2 + length]
        at += 2 + length


def _frame(segment: bytes, orientation: int, has_profile: bool) -> Header | None:
    if len(segment) < 6 or segment[0] != 8:
        return None
    height, width, components = struct.unpack_from(">HHB", segment, 1)
    if not width or not height or components not in (1, 3) or len(segment) < 6 + 3 * components:
        return None
    sampling = bytes(segment[7 + 3 * i] for i in range(components))
    subsampling = _SUBSAMPLING.get(sampling) if components == 3 else None
    if components == 3 and subsampling is None:
        return None
    colour: Colour = "rgb" if components == 3 else "grey"
    return Header("jpeg", (width, height), orientation, subsampling, colour, has_profile=has_profile)


def _exif_orientation(segment: bytes) -> int | None:
    """The orientation that an APP1 segment states (EXIF 2.3, tag 274), 1 if none; None where it is no plain EXIF."""
    if not segment.startswith(b"Exif\0\0"):
        return None
    tiff = segment[6:]
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    try:
        if order is None:
            return None
        (start,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, start)
        for entry in range(count):
            tag, kind, number, value = struct.unpack_from(f"{order}HHIH", tiff, start + 2 + 12 * entry)
            if tag == 0x0112:
                return value if kind == 3 and number == 1 and 1 <= value <= 8 else None
    except struct.error:
        return None
    return 1


def _png(data: bytes) -> Header | None:
    """A PNG's header if no chunk can hold an orientation and the file is complete; None otherwise."""
    if data[12:16] != b"IHDR" or len(data) < 33:
        return None
    width, height = struct.unpack_from(">II", data, 16)
    at, end = 8, len(data)
    while at + 12 <= end:
        kind = data[at + 4 : at + 8]
        if kind == b"IEND":
            if not (width and height) or data[25] not in PNG_COLOURS:
                return None
            depth = 16 if data[24] == 16 else 8
            return Header(
                "png", (width, height), colour=PNG_COLOURS[data[25]], depth=depth, has_alpha=data[25] in (4, 6)
            )
        if kind in _METADATA_CHUNKS:
            return None
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    return None
