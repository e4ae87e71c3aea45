"""Damages valid files the way that disks, editors and attackers do."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

_TOKENS = (
    *(b"null", b"true", b"-1", b"0", b"1e999", b"NaN", b"Infinity", b"nan", b"inf", b"0x10", b"1_000", b"1e-320"),
    *(b"[]", b"{}", b'""', b"[[", b"}", b"<", b": ", b"- ", b"\n", b"\t", b",", b"'", b'"', b"#", b"%"),
    *(b"\xff", b"\x00", b"\xef\xbb\xbf", b"\xe2\x80\xae", b"\\u0000", b"\\ud800", b"../../"),
    *(b"&a", b"*a", b"!!python/object", b"9" * 31, b"9" * 5000, b"[" * 3000),
)
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")


def mutated(data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """A damaged copy: one to four small changes."""
    result = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        rng.choice(_CHANGES)(result, others, rng)
    return bytes(result)


def _flip(data: bytearray, _others: Sequence[bytes], rng: random.Random) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _insert(data: bytearray, _others: Sequence[bytes], rng: random.Random) -> None:
    at = rng.randrange(len(data) + 1)
    data[at:at] = rng.choice(_TOKENS)


def _overwrite(data: bytearray, _others: Sequence[bytes], rng: random.Random) -> None:
    at, token = rng.randrange(len(data) + 1), rng.choice(_TOKENS)
    data[at : at + len(token)] = token


def _cut(data: bytearray, _others: Sequence[bytes], rng: random.Random) -> None:
    start, end = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    del data[start : min(end, start + rng.choice((1, 8, 64, 10**9)))]


def _truncate(data: bytearray, _others: Sequence[bytes], rng: random.Random) -> None:
    del data[rng.randrange(len(data) + 1) :]


def _repeat(data: bytearray, _others: Sequence[bytes], rng: random.Random) -> None:
    start, end = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    part = bytes(data[start : min(end, start + 200)])
    data[end:end] = part * rng.choice((1, 2, 20))


def _splice(data: bytearray, others: Sequence[bytes], rng: random.Random) -> None:
    other = rng.choice(others)
    start, end = sorted(rng.randrange(len(other) + 1) for _ in range(2))
    at = rng.randrange(len(data) + 1)
    data[at : at + end - start] = other[start:end]


def _number(data: bytearray, _others: Sequence[bytes], rng: random.Random) -> None:
    found = list(_NUMBER.finditer(data))
    if found:
        chosen = rng.choice(found)
        data[chosen.start() : chosen.end()] = rng.choice(_TOKENS)


def _swap(data: bytearray, _others: Sequence[bytes], rng: random.Random) -> None:
    if len(data) > 1:
        one, other = rng.randrange(len(data)), rng.randrange(len(data))
        data[one], data[other] = data[other], data[one]


_CHANGES = (_flip, _insert, _overwrite, _cut, _truncate, _repeat, _splice, _number, _swap)
