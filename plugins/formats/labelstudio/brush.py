"""Brush masks: the run lengths of an RGBA image, in a stream of bits of their own kind.

https://github.com/thi-ng/umbrella/tree/develop/packages/rle-pack, as Label Studio uses it: 32 bits of the number of
values, 5 of the bits in a value, 4 of each of four lengths' sizes (all less 1). Then for each run: a bit that says
whether one value repeats, 2 bits of which size the length has, the length less 1, and the value, or all values.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_WORD = 8
_SIZES = (3, 4, 8, 16)
_MAX_PIXELS = 2**28


def decode_brush(data: Sequence[int], width: int, height: int) -> NDArray[np.bool_]:
    """The pixels (height, width) that are painted at all; ValueError unless the runs fill the image exactly."""
    if width * height > _MAX_PIXELS:
        raise ValueError(f"a mask of {width}x{height} pixels is too large")
    values = np.array(data, dtype=np.int64)
    if values.ndim != 1 or (values < 0).any() or (values > 255).any():
        raise ValueError("the brush's run lengths are not bytes")
    stream = _Bits(np.unpackbits(values.astype(np.uint8)))
    number, word = stream.read(32), stream.read(5) + 1
    sizes = [stream.read(4) + 1 for _ in range(4)]
    if number != width * height * 4 or word != _WORD:
        raise ValueError(f"the brush has {number} values of {word} bits for {width}x{height} pixels")
    found = np.zeros(number, dtype=np.uint8)
    at = 0
    while at < number:
        repeats, length = stream.read(1), stream.read(sizes[stream.read(2)]) + 1
        if at + length > number:
            raise ValueError("the brush's runs are longer than its image")
        found[at : at + length] = stream.read(_WORD) if repeats else stream.words(length)
        at += length
    return np.asarray(found.reshape(height, width, 4)[:, :, 3] > 0, dtype=np.bool_)


def encode_brush(mask: NDArray[np.bool_]) -> list[int]:
    """A mask (height, width) as opaque white on nothing."""
    values = mask.ravel()
    changes = np.flatnonzero(np.diff(values)) + 1
    edges = np.concatenate([[0], changes, [len(values)]]) * 4
    bits = [f"{len(values) * 4:032b}{_WORD - 1:05b}", *(f"{size - 1:04b}" for size in _SIZES)]
    for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        value = 255 if values[start // 4] else 0
        for length in _pieces(end - start):
            size = next(number for number, size in enumerate(_SIZES) if length <= 2**size)
            bits.append(f"1{size:02b}{length - 1:0{_SIZES[size]}b}{value:08b}")
    text = "".join(bits)
    return np.packbits(np.frombuffer(text.encode("ascii"), dtype=np.uint8) - ord("0")).tolist()


def _pieces(length: int) -> list[int]:
    longest = 2 ** _SIZES[-1]
    return [longest] * (length // longest) + ([length % longest] if length % longest else [])


class _Bits:
    """Reads a stream of bits; ValueError at its end."""

    def __init__(self, bits: NDArray[np.uint8]) -> None:
        self._bits = bits
        self._at = 0

    def read(self, size: int) -> int:
        """The next number."""
        taken = self._take(size)
        return int("".join(map(str, taken.tolist())), 2)

    def words(self, number: int) -> NDArray[np.uint8]:
        """The next values."""
        return np.packbits(self._take(number * _WORD))

    def _take(self, size: int) -> NDArray[np.uint8]:
        start, self._at = self._at, self._at + size
        if self._at > len(self._bits):
            raise ValueError("the brush's run lengths are cut off")
        return self._bits[start : self._at]
