"""Copies are found however they are encoded, and different images are told apart."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PillowImage

from amp_datasets.demo.write import draw
from amp_datasets.errors import SourceError
from amp_datasets.images import fingerprints as fingerprints_module
from amp_datasets.images.codec import Limits
from amp_datasets.images.fingerprints import NEAR_BITS, fingerprints, join_groups, near_links, perceptual_hash, repeated
from amp_datasets.model import ImageFile


def encoded(image: PillowImage.Image, kind: str = "PNG", **options: int) -> bytes:
    """The image as a file's bytes."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def demo_image(number: int) -> PillowImage.Image:
    """An image like a photograph."""
    return PillowImage.fromarray(draw(number, (320, 240))[0])


def bits(a: bytes, b: bytes) -> int:
    """In how many bits the perceptual hashes differ."""
    return (perceptual_hash(a) ^ perceptual_hash(b)).bit_count()


@pytest.mark.parametrize("number", range(4))
def test_encoding_and_size_do_not_hide_a_copy(number: int) -> None:
    """The same image as JPEG of low quality, as WebP, at half and at double size."""
    image = demo_image(number)
    original = encoded(image)
    assert perceptual_hash(original) != 0
    for copy in (
        encoded(image, "JPEG", quality=60),
        encoded(image, "WEBP", quality=70),
        encoded(image.resize((160, 120))),
        encoded(image.resize((640, 480))),
    ):
        assert bits(original, copy) <= NEAR_BITS


def test_different_images_are_told_apart() -> None:
    """Of a dozen images, and the mirror image of each, none is taken for another."""
    images = [demo_image(number) for number in range(12)]
    mirrored = [image.transpose(PillowImage.Transpose.FLIP_LEFT_RIGHT) for image in images]
    data = [encoded(image) for image in (*images, *mirrored)]
    assert min(bits(a, b) for a, b in combinations(data, 2)) > NEAR_BITS


@pytest.mark.parametrize("colour", [0, 128, 255])
def test_plain_image_is_like_no_other(colour: int) -> None:
    """All blank images have one hash, which says nothing about them."""
    blank = encoded(PillowImage.new("RGB", (50, 50), (colour,) * 3))
    assert perceptual_hash(blank) == 0
    assert list(near_links([0, 0, 0])) == []


def test_broken_image_is_like_no_other() -> None:
    """Bytes that cannot be decoded have no perceptual hash."""
    assert perceptual_hash(b"no image") == 0
    assert perceptual_hash(encoded(demo_image(0), "JPEG")[:300]) == 0


def test_fingerprints_come_in_order_and_errors_do_not_stop_them(tmp_path: Path) -> None:
    """sha256 of the file's bytes; for a missing file the reason, in its place."""
    data = [encoded(demo_image(number)) for number in range(3)]
    files = [ImageFile(tmp_path / f"{n}.png", data=content) for n, content in enumerate(data)]
    files.insert(1, ImageFile(tmp_path / "missing.png"))
    found = list(fingerprints(files, Limits(), near=False))
    assert isinstance(found[1], SourceError)
    wanted = [(hashlib.sha256(content).hexdigest(), 0) for content in data]
    assert [each[:2] for each in found if not isinstance(each, SourceError)] == wanted


def groups_of(count: int, pairs: Iterable[tuple[int, int]]) -> set[frozenset[int]]:
    """What pairs join."""
    found = join_groups([str(n) for n in range(count)], pairs)
    return {frozenset(i for i in found if found[i] == name) for name in found.values()}


NEAR = st.builds(
    lambda value, flips: value ^ sum(1 << bit for bit in flips), st.integers(0, 3), st.sets(st.integers(0, 63))
)


@given(st.lists(st.integers(0, 2**64 - 1) | NEAR, max_size=20))
def test_near_links_join_what_the_definition_joins(hashes: list[int]) -> None:
    """Every pair that differs in at most NEAR_BITS bits, hash 0 never; and no more links than images."""
    wanted = [
        (i, j)
        for i, j in combinations(range(len(hashes)), 2)
        if hashes[i] and hashes[j] and (hashes[i] ^ hashes[j]).bit_count() <= NEAR_BITS
    ]
    links = list(near_links(hashes))
    assert all(i < j for i, j in links)
    assert len(links) < max(1, len(hashes))
    assert groups_of(len(hashes), links) == groups_of(len(hashes), wanted)


def test_frames_of_a_fixed_camera_cost_little() -> None:
    """Twenty thousand images of a few looks, whose pairs would be a hundred million."""
    rng = np.random.default_rng(0)
    hashes = [int(0x5A5A_1234_9876_5A5A ^ (1 << int(bit))) for bit in rng.integers(0, 64, 20_000)]
    started = time.monotonic()
    assert len(list(near_links(hashes))) == len(hashes) - 1
    assert time.monotonic() - started < 10


def test_near_links_reach_far() -> None:
    """A copy is found however far away it is."""
    rng = np.random.default_rng(0)
    hashes = [int(value) for value in rng.integers(2**60, 2**63, 1500)]
    hashes[1400] = hashes[3] ^ 1
    assert (3, 1400) in list(near_links(hashes))


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=8), st.data())
def test_groups_are_the_connected_ones(names: list[str], data: st.DataObject) -> None:
    """Members of a pair, and those of one name, are together, over any number of steps; nobody else is."""
    indices = st.integers(0, len(names) - 1)
    pairs = data.draw(st.lists(st.tuples(indices, indices), max_size=5))
    together = {frozenset({i}) for i in range(len(names))}
    same = [(i, j) for i, j in combinations(range(len(names)), 2) if names[i] == names[j]]
    for i, j in (*pairs, *same):
        a, b = (next(group for group in together if k in group) for k in (i, j))
        together = together - {a, b} | {a | b}
    found = join_groups(names, pairs)
    for group in together:
        assert {found[i] for i in group} == {names[min(group)]}
    assert len(set(found.values())) == len(together)


def test_repeated_lists_all_places() -> None:
    """Digests that occur once are left out."""
    assert repeated(["a", "b", "a", "c", "a"]) == {"a": [0, 2, 4]}


@pytest.mark.parametrize("shared", [16, 40])
def test_many_hashes_with_much_in_common_are_not_compared_each_with_each(
    monkeypatch: pytest.MonkeyPatch, shared: int
) -> None:
    """The groups are those of all pairs, whatever part they have in common; most pairs are never looked at."""
    rng = np.random.default_rng(0)
    hashes = [int(v) << shared | 5 for v in rng.integers(1, 2 ** (64 - shared), 600, dtype=np.uint64) >> np.uint64(1)]
    hashes += [value ^ (1 << 63) ^ (1 << 50) for value in hashes[:200]]
    every = join_groups([str(i) for i in range(len(hashes))], near_links(hashes))
    monkeypatch.setattr(fingerprints_module, "_SMALL_BUCKET", 8)
    seen = []
    count = np.bitwise_count
    monkeypatch.setattr(
        fingerprints_module.np, "bitwise_count", lambda found: (seen.append(len(found)), count(found))[1]
    )
    links = list(near_links(hashes))
    assert join_groups([str(i) for i in range(len(hashes))], links) == every
    assert len(set(every.values())) <= 600
    assert sum(seen) < len(hashes) ** 2 / 4
