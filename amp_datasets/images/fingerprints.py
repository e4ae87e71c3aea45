"""The same image twice: exactly (digest of the file) and nearly (perceptual hash of the ImageHash library)."""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import NamedTuple

import imagehash
import numpy as np
from numpy.typing import NDArray

from amp_datasets.errors import ImageError, SourceError
from amp_datasets.images.decoding import extremes
from amp_datasets.images.header import header_of
from amp_datasets.images.kinds import Header, Limits, ValueRange
from amp_datasets.images.opening import open_image
from amp_datasets.model import ImageFile
from amp_datasets.progress import tell
from amp_datasets.storage.folder import read_image_file

NEAR_BITS = 3
"""Perceptual hashes of 64 bits that differ in no more than this many are the same image (re-encoded, resized)."""

_TOLD_EVERY = 50
_THREADS = 4
_LARGE_PX, _LARGE_BYTES = 10_000_000, 2**25
"""Larger images are decoded one after the other, and larger files read so, for each takes hundreds of megabytes."""


class Fingerprint(NamedTuple):
    """What one look at a whole file tells: its digest, its 64-bit perceptual hash (0 if not asked for), its header.

    `extremes` are the smallest and largest value of an image deeper than 8 bits. Without a header it is no image of
    ours.
    """

    sha256: str
    perceptual: int
    header: Header | None = None
    extremes: ValueRange | None = None


def fingerprints(files: Sequence[ImageFile], limits: Limits, *, near: bool) -> Iterator[Fingerprint | SourceError]:
    """For each file its fingerprint, with a perceptual hash if `near`; or why it cannot be read."""
    one_large = threading.Lock()

    def one(file: ImageFile) -> Fingerprint | SourceError:
        with one_large if (heavy := _is_heavy(file)) else nullcontext():
            return look(file, heavy)

    def look(file: ImageFile, alone: bool) -> Fingerprint | SourceError:
        try:
            data = read_image_file(file, limits.max_bytes)
        except SourceError as error:
            return error
        found = _header(data, limits)
        large = not alone and found is not None and math.prod(found.stored) > _LARGE_PX
        with one_large if large else nullcontext():
            hashed = perceptual_hash(data) if near and found is not None else 0
            return Fingerprint(hashlib.sha256(data).hexdigest(), hashed, found, _extremes(data, found))

    with ThreadPoolExecutor(_THREADS) as pool:  # reading, hashing and decoding all release the interpreter's lock
        for number, found in enumerate(pool.map(one, files)):
            if number % _TOLD_EVERY == 0:
                tell("comparing images" if near else "hashing images", number, len(files))
            yield found
    tell("comparing images" if near else "hashing images", len(files), len(files))


def _is_heavy(file: ImageFile) -> bool:
    try:
        return file.data is None and file.path.stat().st_size > _LARGE_BYTES and file.member is None
    except OSError:  # reading it says why
        return False


def _header(data: bytes, limits: Limits) -> Header | None:
    try:
        return header_of(data, limits)
    except ImageError:
        return None


def _extremes(data: bytes, header: Header | None) -> ValueRange | None:
    if header is None or header.depth <= 8:
        return None
    try:
        return extremes(data, header)
    except ImageError:  # it breaks in its middle: it is set aside when it is decoded
        return None


def perceptual_hash(data: bytes) -> int:
    """The DCT hash of an image (pHash, 64 bits); 0 for one without any structure or that cannot be decoded."""
    try:
        with open_image(data) as image:
            image.draft("L", (128, 128))  # a JPEG is decoded at an eighth of its size, which is enough here
            bits = imagehash.phash(image.convert("L")).hash
    except (OSError, ValueError, SyntaxError, ImageError):
        return 0
    value = int.from_bytes(np.packbits(bits).tobytes(), "big")
    return 0 if value.bit_count() <= 1 else value


_SMALL_BUCKET = 1024
"""So many hashes are compared each with each; more are told apart by more of their bits first."""


def near_links(hashes: Sequence[int], bits: int = NEAR_BITS) -> Iterator[tuple[int, int]]:
    """Pairs of indices that join all images whose perceptual hashes differ in at most `bits`; hash 0 equals nothing.

    Enough of them to tell every group, and never more than there are images: all pairs of a fixed camera's frames
    would be millions. Only hashes with a part in common are compared: of `bits` + 1 parts one must be (pigeonhole).
    Where many have one in common the same is true of what is left of them, so even a million images of one background
    are not compared each with each.
    """
    parent = list(range(len(hashes)))
    first: dict[int, int] = {}
    for index, value in enumerate(hashes):
        other = first.setdefault(value, index)
        if value and other != index:
            parent[index] = other
            yield other, index
    values = np.array([value for value in first if value], dtype=np.uint64)
    indices = [first[int(value)] for value in values]
    for bucket in _buckets(values, np.arange(len(values)), np.arange(64, dtype=np.uint64), bits):
        for at, one in enumerate(bucket[:-1]):
            rest = bucket[at + 1 :]
            for other in rest[np.bitwise_count(values[rest] ^ values[one]) <= bits]:
                i, j = indices[one], indices[other]
                if _joined(parent, i, j):
                    yield min(i, j), max(i, j)


def _buckets(
    values: NDArray[np.uint64], members: NDArray[np.intp], free: NDArray[np.uint64], bits: int
) -> Iterator[NDArray[np.intp]]:
    """Members in small lots; two that differ in at most `bits` are together in one. They may differ in `free` alone."""
    for part in np.array_split(free, bits + 1):
        keys = values[members] & np.bitwise_or.reduce(np.uint64(1) << part, initial=np.uint64(0))
        order = np.argsort(keys, kind="stable")
        for bucket in np.split(members[order], np.flatnonzero(np.diff(keys[order])) + 1):
            if len(bucket) > _SMALL_BUCKET:
                yield from _buckets(values, bucket, np.setdiff1d(free, part), bits)
            elif len(bucket) > 1:
                yield bucket


def _joined(parent: list[int], i: int, j: int) -> bool:
    """Put two members into one group, which is named after its first; False if they were in one already.

    SciPy's DisjointSet gives the same groups, takes twice as long and half a second to import.
    """
    low, high = sorted((_root(parent, i), _root(parent, j)))
    parent[high] = low
    return low != high


def _root(parent: list[int], i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


def join_groups(names: Sequence[str], pairs: Iterable[tuple[int, int]]) -> dict[int, str]:
    """Group names with `pairs` of members joined: the group of each index, named after its first member."""
    parent = list(range(len(names)))
    first: dict[str, int] = {}
    together = [(first.setdefault(name, i), i) for i, name in enumerate(names)]
    for i, j in (*together, *pairs):
        _joined(parent, i, j)
    return {i: names[_root(parent, i)] for i in range(len(names))}


def repeated(digests: Sequence[str]) -> Mapping[str, list[int]]:
    """Digests that occur more than once, with the indices of their files."""
    found: dict[str, list[int]] = {}
    for index, digest in enumerate(digests):
        found.setdefault(digest, []).append(index)
    return {digest: indices for digest, indices in found.items() if len(indices) > 1}
