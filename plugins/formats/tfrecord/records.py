"""The frame around records: length, checksum of the length, data, checksum of the data.

https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details. The checksum is CRC-32C (Castagnoli,
RFC 3720 appendix B.4), turned and shifted. It is computed for many rows of the data at once, a hundred times as fast as
byte by byte.
"""

from __future__ import annotations

import functools
import gzip
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

_POLYNOMIAL = 0x82F63B78
_MASK_DELTA = 0xA282EAD8
_ROW = 256
"""Bytes whose checksum is computed in step with those of all other rows."""
_FRAME = 12
MAX_RECORD_BYTES = 64 * 2**20


class DamagedRecordError(ValueError):
    """A record that is not what was written; if `rest` is set, where the next one begins is lost too."""

    def __init__(self, what: str, *, rest: bool) -> None:
        super().__init__(what)
        self.rest = rest


def records(stream: BinaryIO, *, packed: bool = False) -> Iterator[bytes | DamagedRecordError]:
    """The records of a file one by one, or what is wrong with each; after a `rest` error there are no more."""
    if not packed:
        yield from _records(stream)
        return
    try:
        yield from _records(gzip.GzipFile(fileobj=stream))
    except (OSError, EOFError, zlib.error) as error:
        yield DamagedRecordError(f"the gzip stream is damaged: {error}", rest=True)


def _records(stream: BinaryIO | gzip.GzipFile) -> Iterator[bytes | DamagedRecordError]:
    at = 0
    while head := stream.read(_FRAME):
        if len(head) < _FRAME or masked_crc(head[:8]) != struct.unpack("<I", head[8:])[0]:
            yield DamagedRecordError(f"the frame of a record at byte {at} is damaged", rest=True)
            return
        (length,) = struct.unpack("<Q", head[:8])
        if length > MAX_RECORD_BYTES:
            yield DamagedRecordError(f"the record at byte {at} has more than {MAX_RECORD_BYTES} bytes", rest=True)
            return
        record, tail = stream.read(length), stream.read(4)
        if len(tail) < 4:
            yield DamagedRecordError(f"the record at byte {at} is cut off", rest=True)
            return
        if masked_crc(record) == struct.unpack("<I", tail)[0]:
            yield record
        else:
            yield DamagedRecordError(f"the checksum of the record at byte {at} is wrong", rest=False)
        at += _FRAME + length + 4


def is_packed(data: bytes) -> bool:
    """Whether a file begins as those of gzip do."""
    return data[:2] == b"\x1f\x8b"


def unpacked(data: bytes, limit: int) -> bytes:
    """The bytes of a file, at most `limit` of them where it is packed by gzip; ValueError if that is damaged."""
    if not is_packed(data):
        return data
    try:
        return zlib.decompressobj(wbits=31).decompress(data, limit)
    except zlib.error as error:
        raise ValueError(f"the gzip stream is damaged: {error}") from error


def first_length(head: bytes) -> int | None:
    """The length of a file's first record; None if the file has no frame of a record at its beginning."""
    if len(head) < _FRAME or masked_crc(head[:8]) != struct.unpack("<I", head[8:_FRAME])[0]:
        return None
    (length,) = struct.unpack("<Q", head[:8])
    return int(length) if length <= MAX_RECORD_BYTES else None


def framed(record: bytes) -> bytes:
    """A record in its frame."""
    length = struct.pack("<Q", len(record))
    sums = (struct.pack("<I", masked_crc(part)) for part in (length, record))
    return length + next(sums) + record + next(sums)


def masked_crc(data: bytes) -> int:
    """The checksum as it is stored: a CRC of bytes that hold CRCs would be weak."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF


def crc32c(data: bytes) -> int:
    """CRC-32C of some bytes."""
    table = _table()
    whole = len(data) // _ROW
    crc = 0xFFFFFFFF
    if whole > 1:
        rows = np.frombuffer(data, np.uint8, whole * _ROW).reshape(whole, _ROW)
        states = np.zeros(whole, np.uint32)
        for column in rows.T:
            states = table[(states ^ column) & 0xFF] ^ (states >> 8)
        past = _past_a_row()
        for state in states.tolist():  # what was before a row goes through it as through zeros, for a CRC is linear
            crc = past[0][crc & 255] ^ past[1][crc >> 8 & 255] ^ past[2][crc >> 16 & 255] ^ past[3][crc >> 24] ^ state
        data = data[whole * _ROW :]
    steps = _steps()
    for byte in data:
        crc = steps[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


@functools.cache
def _table() -> NDArray[np.uint32]:
    """What each byte adds to a CRC."""
    values = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        values = np.where(values & 1, (values >> 1) ^ np.uint32(_POLYNOMIAL), values >> 1)
    return values.astype(np.uint32)


@functools.cache
def _steps() -> list[int]:
    return [int(value) for value in _table()]


@functools.cache
def _past_a_row() -> list[list[int]]:
    """What a CRC becomes after a row of zeros, byte of the CRC by byte."""
    table = _table()
    states = np.arange(256, dtype=np.uint32)[None, :] << np.array([[0], [8], [16], [24]], dtype=np.uint32)
    for _ in range(_ROW):
        states = table[states & 0xFF] ^ (states >> 8)
    return [[int(value) for value in row] for row in states]
