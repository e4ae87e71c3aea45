"""`tf.train.Example` as bytes: a map from names to lists of bytes, floats or whole numbers.

https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/example/feature.proto, in protobuf's wire format,
https://protobuf.dev/programming-guides/encoding:

    Example {1: Features {1: entry {1: name, 2: Feature {1: bytes_list | 2: float_list | 3: int64_list {1: values}}}}}
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

Values = list[bytes] | list[float] | list[int]
Example = dict[str, Values]

_BYTES, _FLOATS, _INTEGERS = 1, 2, 3
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_MOST_VARINT_BYTES = 10
_MOST_VALUES = 1_000_000
_TOO_MANY = f"a list has more than {_MOST_VALUES} values"


def parse_example(data: bytes) -> Example:
    """The features of an example by name; ValueError for bytes that are none. Fields that are not known are skipped."""
    found: Example = {}
    for number, features in _fields(data):
        if number != 1 or not isinstance(features, bytes):
            continue
        for place, entry in _fields(features):
            if place == 1 and isinstance(entry, bytes):
                parts = dict(_fields(entry))
                name, feature = parts.get(1, b""), parts.get(2, b"")
                if isinstance(name, bytes) and isinstance(feature, bytes):
                    found[name.decode("utf-8")] = _values(feature)
    return found


def dump_example(features: Mapping[str, Sequence[bytes] | Sequence[float] | Sequence[int]]) -> bytes:
    """An example's bytes, in the order of names: the same for the same content."""
    entries = [_field(1, _field(1, name.encode()) + _field(2, _feature(features[name]))) for name in sorted(features)]
    return _field(1, b"".join(entries))


def _fields(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    """Number and content of each field of a message; whole numbers as they are, all else as bytes."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if kind == _LENGTH:
            size, at = _varint(data, at)
        elif kind in (_FIXED32, _FIXED64):
            size = 4 if kind == _FIXED32 else 8
        else:
            raise ValueError(f"{kind} is no type of a field")
        if at + size > len(data):
            raise ValueError("a field is cut off")
        yield key >> 3, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first, and where the next byte is."""
    value = 0
    for shift in range(_MOST_VARINT_BYTES):
        if at >= len(data):
            raise ValueError("a number is cut off")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << 7 * shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
    raise ValueError("a number is too long")


def _values(feature: bytes) -> Values:
    for kind, content in _fields(feature):
        if not isinstance(content, bytes):
            continue
        if kind == _BYTES:
            return [value for number, value in _fields(content) if number == 1 and isinstance(value, bytes)]
        if kind == _FLOATS:  # packed or one by one
            packed = b"".join(value for number, value in _fields(content) if number == 1 and isinstance(value, bytes))
            if len(packed) % 4:
                raise ValueError("a list of floats is cut off")
            if len(packed) > 4 * _MOST_VALUES:
                raise ValueError(_TOO_MANY)
            return [float(value) for value in np.frombuffer(packed, "<f4").tolist()]
        if kind == _INTEGERS:
            found = list(itertools.islice(_integers(content), _MOST_VALUES + 1))
            if len(found) > _MOST_VALUES:
                raise ValueError(_TOO_MANY)
            return found
    return []


def _integers(content: bytes) -> Iterator[int]:
    for number, value in _fields(content):
        if number != 1:
            continue
        if isinstance(value, int):
            yield _signed(value)
            continue
        at = 0
        while at < len(value):
            one, at = _varint(value, at)
            yield _signed(one)


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


def _feature(values: Sequence[bytes] | Sequence[float] | Sequence[int]) -> bytes:
    first = values[0] if values else 0
    if isinstance(first, bytes):
        return _field(_BYTES, b"".join(_field(1, value) for value in values if isinstance(value, bytes)))
    if isinstance(first, float):
        return _field(_FLOATS, _field(1, struct.pack(f"<{len(values)}f", *values)))
    return _field(_INTEGERS, _field(1, b"".join(_number(int(value)) for value in values)))


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | _LENGTH]) + _number(len(content)) + content


def _number(value: int) -> bytes:
    value &= 0xFFFFFFFFFFFFFFFF
    result = bytearray()
    while value >= 0x80:
        result.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*result, value])
