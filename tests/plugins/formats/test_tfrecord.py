"""TFRecord sets: checksums and bytes as TensorFlow documents them, boxes and classes, damage of every kind."""

from __future__ import annotations

import gzip
import io
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import (
    best_source,
    by_name,
    image_bytes,
    make_sample,
    make_set,
    place_image,
    read_set,
    reasons,
    write_files,
)
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PillowImage

from amp_datasets.errors import SourceError
from amp_datasets.geometry import shapes as geometry
from amp_datasets.model import Annotation
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.storage.folder import open_folder

REGISTRY = load_registry()
SOURCE = REGISTRY.source("tfrecord")
MAP = "item {\n  id: 1\n  name: 'cat'\n}\nitem {\n  name: \"dog\"\n  id: 2\n}\n"
Features = Mapping[str, Sequence[Any]]


def crc(data: bytes) -> int:
    """CRC-32C bit by bit, as RFC 3720 defines it."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


def sealed(data: bytes) -> bytes:
    """A masked checksum, little end first."""
    value = crc(data)
    return struct.pack("<I", ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def field(number: int, content: bytes) -> bytes:
    """A field of protobuf that has a length."""
    size, length = len(content), b""
    while size > 127:
        length, size = length + bytes([size & 127 | 128]), size >> 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


def feature(values: Sequence[Any]) -> bytes:
    """A feature: texts, floats one by one (as proto2 wrote them), or whole numbers."""
    if values and isinstance(values[0], bytes):
        return field(1, b"".join(field(1, value) for value in values))
    if values and isinstance(values[0], float):
        return field(2, b"".join(b"\x0d" + struct.pack("<f", value) for value in values))
    return field(3, b"".join(b"\x08" + bytes([value]) for value in values))


def record(features: Features) -> bytes:
    """An example in its frame, written by another hand than ours."""
    entries = (field(1, field(1, name.encode()) + field(2, feature(values))) for name, values in features.items())
    data = field(1, b"".join(entries))
    length = struct.pack("<Q", len(data))
    return length + sealed(length) + data + sealed(data)


def example(**more: Sequence[Any]) -> dict[str, Sequence[Any]]:
    """Two boxes on an image of 64x48; keywords replace features (`__` stands for a slash)."""
    features: dict[str, Sequence[Any]] = {
        "image/encoded": [image_bytes()],
        "image/filename": [b"a.jpg"],
        "image/width": [64],
        "image/height": [48],
        "image/object/bbox/xmin": [0.25, 0.5],
        "image/object/bbox/ymin": [0.125, 0.0],
        "image/object/bbox/xmax": [0.5, 1.0],
        "image/object/bbox/ymax": [0.75, 0.5],
        "image/object/class/text": [b"cat", b"dog"],
        "image/object/class/label": [1, 2],
    }
    return {**features, **{name.replace("__", "/"): values for name, values in more.items()}}


def one(folder: Path, *records: bytes, name: str = "train/set.tfrecord", label_map: str = MAP) -> Path:
    """A set of some records and a label map."""
    return write_files(folder, {name: b"".join(records), "train/set_label_map.pbtxt": label_map})


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
    ],
)
def test_checksums_are_those_of_the_rfc(data: bytes, expected: int) -> None:
    """RFC 3720, appendix B.4."""
    from amp_plugins.formats.tfrecord.records import crc32c

    assert crc32c(data) == crc(data) == expected


@given(st.binary(max_size=1500), st.integers(0, 3))
def test_long_checksums_are_those_of_the_bits(data: bytes, times: int) -> None:
    """Computed in rows, it is what it is bit by bit."""
    from amp_plugins.formats.tfrecord.records import crc32c

    assert crc32c(data * times) == crc(data * times)


def test_an_example_is_what_tensorflow_writes() -> None:
    """The bytes of TensorFlow's tutorial; floats are rounded to 32 bits there."""
    from amp_plugins.formats.tfrecord.example import dump_example, parse_example

    golden = (
        b"\nR\n\x14\n\x08feature2\x12\x08\n\x06\n\x04goat\n\x14\n\x08feature3\x12\x08\x12\x06\n\x04[\xd3|?"
        b"\n\x11\n\x08feature0\x12\x05\x1a\x03\n\x01\x00\n\x11\n\x08feature1\x12\x05\x1a\x03\n\x01\x04"
    )
    values = {"feature0": [0], "feature1": [4], "feature2": [b"goat"], "feature3": [pytest.approx(0.9876)]}
    assert parse_example(golden) == values
    ours = dump_example({"feature0": [0], "feature1": [4], "feature2": [b"goat"], "feature3": [0.9876]})
    assert (parse_example(ours), len(ours)) == (values, len(golden))
    numbers = [0, 127, 128, 2**31, 2**63 - 1, -1, -(2**63)]
    assert parse_example(dump_example({"n": numbers})) == {"n": numbers}


@pytest.mark.parametrize(
    "name", ["train/set.tfrecord", "train.record-00000-of-00001", "train/x.tfrecords", "train.record"]
)
def test_records_are_images_with_labels(name: str, tmp_path: Path) -> None:
    """Golden numbers of the detection API: sides as shares, classes as text; the split is that of name or folder."""
    found = best_source(REGISTRY, one(tmp_path, record(example()), name=name))
    assert found is not None
    assert found[0] == "tfrecord"
    labels = read_set(SOURCE, tmp_path)
    (sample,) = labels.samples
    assert [(a.category, a.xyxy) for a in sample.annotations] == [
        ("cat", (16.0, 6.0, 32.0, 36.0)),
        ("dog", (32.0, 0.0, 64.0, 24.0)),
    ]
    assert (sample.source_id, sample.split) == ("train/a.jpg", "train")
    assert [c.name for c in labels.categories] == ["cat", "dog"]
    assert not labels.dropped


def test_numbers_mean_the_label_map(tmp_path: Path) -> None:
    """Where there is no text; a number that the map lacks stays one. Names in quotes may hold braces."""
    features = {k: v for k, v in example(image__object__class__label=[2, 7]).items() if not k.endswith("text")}
    label_map = "item { id: 1 name: 'it\\'s' } item { name: \"{a}\" id: 2 display_name: 'b' }"
    labels = read_set(SOURCE, one(tmp_path, record(features), label_map=label_map))
    assert [a.category for a in labels.samples[0].annotations] == ["b", "7"]
    assert [c.name for c in labels.categories][:2] == ["it's", "b"]


def test_flags_and_masks_are_read(tmp_path: Path) -> None:
    """Crowds, attributes, and a PNG for each object; an empty one is no mask."""
    masks = []
    for filled in (True, False):
        pixels = np.zeros((48, 64), np.uint8)
        pixels[6:36, 16:32] = filled
        stream = io.BytesIO()
        PillowImage.fromarray(pixels).save(stream, "PNG")
        masks.append(stream.getvalue())
    features = example(image__object__is_crowd=[0, 1], image__object__difficult=[1, 0], image__object__mask=masks)
    first, second = read_set(SOURCE, one(tmp_path, record(features))).samples[0].annotations
    assert (first.iscrowd, dict(first.attributes), second.iscrowd, second.mask) == (False, {"difficult": 1}, True, None)
    assert first.mask is not None
    assert geometry.mask_area(first.mask) == 480


def test_empty_unlabelled_and_classified_images(tmp_path: Path) -> None:
    """Lists of nothing confirm an empty image, no lists at all say nothing; a class without objects is the image's."""
    image = {"image/encoded": [image_bytes()], "image/width": [64], "image/height": [48]}
    empty = {name: [] for name in example() if name.startswith("image/object")}
    records = [
        record({**image, **empty, "image/filename": [b"e.jpg"]}),
        record({**image, "image/filename": [b"u.jpg"]}),
        record({**image, "image/filename": [b"w.jpg"], "image/class/text": [b"cat"]}),
    ]
    samples = by_name(read_set(SOURCE, one(tmp_path, *records)))
    assert {name: (s.labelled, s.labels) for name, s in samples.items()} == {
        "e.jpg": (True, ()),
        "u.jpg": (False, ()),
        "w.jpg": (True, ("cat",)),
    }


def test_names_are_unique_and_stay_inside(tmp_path: Path) -> None:
    """Two records of one name are two images; a path in a record is only a name."""
    records = [record(example(image__filename=[name])) for name in (b"a.jpg", b"x/a.jpg", b"../../b", b"")]
    names = [sample.source_id for sample in read_set(SOURCE, one(tmp_path, *records)).samples]
    assert names == ["train/000003.jpg", "train/a-000001.jpg", "train/a.jpg", "train/b.jpg"]


def test_damage_is_dropped_and_counted(tmp_path: Path) -> None:
    """A wrong checksum costs its record, a damaged frame the rest of its file, a bad label itself."""
    good = record(example())
    flipped = bytearray(record(example(image__filename=[b"b.jpg"])))
    flipped[len(flipped) // 2] ^= 1
    labels = read_set(SOURCE, one(tmp_path / "a", good, bytes(flipped), record(example(image__filename=[b"c.jpg"]))))
    assert [s.source_id for s in labels.samples] == ["train/a.jpg", "train/c.jpg"]
    assert reasons(labels) == {"record is damaged"}
    for rest in (good[:8] + b"0000" + good[12:], good[:-9], b"\0" * 5):
        labels = read_set(SOURCE, one(tmp_path / f"b{len(rest)}{rest[8:9]!r}", good, rest))
        assert (len(labels.samples), reasons(labels)) == (1, {"rest of a file is damaged"})
    bad = example(image__object__bbox__xmin=[float("nan"), 0.5], image__filename=[b"d.jpg"])
    labels = read_set(SOURCE, one(tmp_path / "c", record(bad)))
    assert ([a.category for a in labels.samples[0].annotations], reasons(labels)) == (["dog"], {"label cannot be read"})
    uneven = example(image__object__bbox__xmin=[0.5])
    assert reasons(read_set(SOURCE, one(tmp_path / "d", record(uneven), good))) == {"record is damaged"}


@pytest.mark.parametrize("data", [b"", b"words", bytes(64), record({"text": [b"a"]}), record({})])
def test_other_files_are_not_claimed(data: bytes, tmp_path: Path) -> None:
    """No records, or records of something else."""
    assert SOURCE.detect(open_folder(one(tmp_path, data))) is None


def test_what_is_written_is_read_by_another_hand(tmp_path: Path) -> None:
    """Frames with right checksums, the image's bytes as they are, classes from 1, and the label map beside."""
    labels = [Annotation("dog", (16.0, 12.0, 32.0, 36.0), iscrowd=True)]
    exporter = REGISTRY.exporter("tfrecord")
    samples = make_set([make_sample("a.jpg", labels), make_sample("b.jpg", split="test")], ["cat", "dog"])
    exporter(tmp_path, exporter.options_type(), place_image).write(samples)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["label_map.pbtxt", "test.tfrecord", "train.tfrecord"]
    data = (tmp_path / "train.tfrecord").read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    body = data[12:-4]
    assert (data[8:12], data[-4:], len(body)) == (sealed(data[:8]), sealed(body), length)
    for name, value in (("image/object/class/label", b"\x1a\x03\n\x01\x02"), ("image/encoded", image_bytes())):
        assert name.encode() in body
        assert value in body
    assert (tmp_path / "label_map.pbtxt").read_text().startswith("item {\n  id: 1\n  name: 'cat'\n}")


def with_keypoints(**more: Sequence[Any]) -> bytes:
    """Three keypoints for each of two objects; the second has none, as the API writes it for COCO."""
    keypoints: dict[str, Sequence[Any]] = {
        "image__object__keypoint__x": [0.25, 0.5, 0.0, 0.0, 0.0, 0.0],
        "image__object__keypoint__y": [0.5, 0.75, 0.0, 0.0, 0.0, 0.0],
        "image__object__keypoint__visibility": [2, 1, 0, 0, 0, 0],
        "image__object__keypoint__text": [b"left", b"right", b"nose"] * 2,
    }
    return record(example(**{**keypoints, **more}))


def test_keypoints_are_shares_with_names(tmp_path: Path) -> None:
    """create_coco_tf_record.py writes as many places for each object; an object without any has zeros alone."""
    labels = read_set(SOURCE, one(tmp_path, with_keypoints()))
    first, second = labels.samples[0].annotations
    assert first.keypoints is not None
    assert first.keypoints.tolist() == [[16, 24, 2], [32, 36, 1], [0, 0, 0]]
    assert second.keypoints is None
    assert [c.keypoints for c in labels.categories] == [("left", "right", "nose"), ()]
    assert not labels.dropped


def test_keypoints_that_do_not_fit_their_objects_are_dropped(tmp_path: Path) -> None:
    """Five numbers for two objects: nobody knows whose they are."""
    labels = read_set(SOURCE, one(tmp_path, with_keypoints(image__object__keypoint__x=[0.1] * 5)))
    assert reasons(labels) == {"label cannot be read", "no usable label"}


def test_files_packed_by_gzip_are_read(tmp_path: Path) -> None:
    """TFRecordOptions(compression_type="GZIP"), whatever the file is called; a damaged one is our error."""
    packed = gzip.compress(record(example()))
    for name in ("train.tfrecord", "train.tfrecord.gz"):
        folder = write_files(tmp_path / name.replace(".", "-"), {name: packed})
        found = best_source(REGISTRY, folder)
        assert found is not None
        assert found[0] == "tfrecord"
        assert [a.category for s in read_set(SOURCE, folder).samples for a in s.annotations] == ["cat", "dog"]
    broken = write_files(tmp_path / "broken", {"a.tfrecord": packed[:12] + b"xxxx" + packed[16:]})
    with pytest.raises(SourceError):
        read_set(SOURCE, broken)
