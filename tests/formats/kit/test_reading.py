"""What all readers of sets share: finding images, judging their headers, cleaning labels, parsing text."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import image_bytes, write_files, write_image
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PillowImage

from amp_datasets.errors import AmpError, ImageError, SourceError
from amp_datasets.formats.kit.reading import (
    ImageLookup,
    Reading,
    category_name,
    finite,
    parse_json,
    parse_text,
    points,
    split_name,
    split_of,
)
from amp_datasets.geometry import shapes as geometry
from amp_datasets.images.codec import Header, Limits, read_header
from amp_datasets.images.header import probe
from amp_datasets.model import Annotation, Category, ImageFile, Mask, Polygon, Sample
from amp_datasets.storage.folder import Folder, open_folder

SQUARE = geometry.rectangle((10, 10, 20, 20))


def reading_of(folder: Path, *images: str) -> Reading:
    """A reading of a folder with some small images of 64x48."""
    return Reading(open_folder(write_files(folder, dict.fromkeys(images or ("a.jpg",), ""))))


def cleaned(folder: Path, *annotations: Annotation) -> tuple[Sample | None, Reading]:
    """What is left of labels in an image of 64x48."""
    reading = reading_of(folder)
    reading.add("a.jpg", annotations)
    return next(iter(reading.finish([Category("x")]).samples), None), reading


@pytest.mark.parametrize(
    ("reference", "near", "found"),
    [
        ("train/a.jpg", "", "train/a.jpg"),
        ("a.jpg", "train", "train/a.jpg"),
        ("A.JPG", "valid", "valid/a.jpg"),
        ("a.jpg", "", None),
        ("C:\\sets\\valid\\only here.png", "", "valid/only here.png"),
        ("only%20here.png", "", "valid/only here.png"),
        ("only here", "", "valid/only here.png"),
        ("only here.jpg", "", "valid/only here.png"),
        ("../valid/a.jpg", "train", "valid/a.jpg"),
        ("./train/./a.jpg", "", "train/a.jpg"),
        ("100%25.jpg", "", "train/100%25.jpg"),
        ("v1.2", "", "train/v1.2.jpg"),
        ("v1.3", "", None),
        ("cafe\u0301.jpg", "", "train/café.jpg"),
        ("", "", None),
        ("nothing.jpg", "", None),
    ],
)
def test_images_are_found_as_tools_name_them(reference: str, near: str, found: str | None, tmp_path: Path) -> None:
    """By path, by bare name, without ending, from Windows, percent-encoded; never by guess."""
    names = [
        "train/a.jpg",
        "valid/a.jpg",
        "valid/only here.png",
        "train/100%25.jpg",
        "train/v1.2.jpg",
        "train/café.jpg",
    ]
    images = ImageLookup(open_folder(write_files(tmp_path, dict.fromkeys([*names, "train/v1.jpg"], ""))))
    assert images.find(reference, near) == found
    if found is None:
        ambiguous = reference == "a.jpg"
        reason = "image name is not unique in the set" if ambiguous else "image is missing"
        assert images.why_missing(reference) == reason


def encoded(kind: str, orientation: int, mode: str = "RGB", **options: Any) -> bytes:
    """An image's file with an EXIF orientation."""
    exif = PillowImage.Exif()
    if orientation:
        exif[0x0112] = orientation
        options["exif"] = exif
    stream = io.BytesIO()
    PillowImage.new(mode, (30, 20)).save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize("orientation", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"subsampling": 1}, {"mode": "L"}])
def test_the_quick_look_at_a_jpeg_agrees_with_the_careful_one(options: dict[str, Any], orientation: int) -> None:
    """Size, orientation and subsampling, for every orientation that there is and one that is not."""
    data = encoded("JPEG", orientation, **options)
    assert probe(ImageFile(Path("x"), data=data), Limits()) == read_header(data, Limits())


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_the_quick_look_reads_files_and_members_alike(kind: str, tmp_path: Path) -> None:
    """Also where a file is longer than the part that is looked at first."""
    size = (700, 400)
    noise = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    PillowImage.fromarray(noise).save(tmp_path / "a", kind)
    data = (tmp_path / "a").read_bytes()
    assert len(data) > 65536
    headers = [probe(ImageFile(tmp_path / "a"), Limits()), probe(ImageFile(Path("x"), data=data), Limits())]
    assert [(h.format, h.size) for h in headers] == [(kind.lower(), size)] * 2


def test_metadata_before_the_frame_may_be_long(tmp_path: Path) -> None:
    """A JPEG whose frame comes after the part that is looked at first is still read."""
    data = image_bytes((64, 48))
    comment = b"\xff\xfe\xff\xff" + b"c" * 65533
    (tmp_path / "a.jpg").write_bytes(data[:2] + comment * 2 + data[2:])
    assert probe(ImageFile(tmp_path / "a.jpg"), Limits()).size == (64, 48)


def test_limits_hold_for_the_quick_look(tmp_path: Path) -> None:
    """Pixels and bytes."""
    file = ImageFile(write_image(tmp_path / "a.jpg", (64, 48)))
    assert probe(file, Limits(max_pixels=64 * 48)).size == (64, 48)
    with pytest.raises(ImageError, match="outside the limit"):
        probe(file, Limits(max_pixels=64 * 48 - 1))
    with pytest.raises(SourceError, match="more than the limit"):
        probe(file, Limits(max_bytes=10))


@given(st.data())
def test_damaged_images_raise_only_errors_of_ours(data: st.DataObject) -> None:
    """Cut or changed at any place, an image is judged or refused."""
    content = bytearray(encoded(data.draw(st.sampled_from(["JPEG", "PNG"])), 6))
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=4)):
        content[at] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(0, len(content)))]
    try:
        header: Header | None = probe(ImageFile(Path("x"), data=bytes(content)), Limits())
    except AmpError:
        header = None
    assert header is None or min(header.size) > 0


@pytest.mark.parametrize(
    ("xyxy", "why"),
    [
        ((float("nan"), 1, 9, 9), "label has a coordinate that is not a finite number"),
        ((1, 1, float("inf"), 9), "label has a coordinate that is not a finite number"),
        ((9, 1, 1, 9), "box has a negative width or height"),
        ((9, 1, 9, 9), "box has no area"),
        ((70, 1, 90, 9), "box is outside the image"),
    ],
)
def test_unusable_boxes_are_dropped(xyxy: tuple[float, float, float, float], why: str, tmp_path: Path) -> None:
    """One by one; an image that keeps no label is dropped too, not taken for an empty one."""
    good = Annotation("x", (1, 1, 9, 9))
    sample, reading = cleaned(tmp_path, Annotation("x", xyxy), good)
    assert sample is not None
    assert sample.annotations == (good,)
    assert [item.reason for item in reading.dropped] == [why]
    sample, reading = cleaned(tmp_path, Annotation("x", xyxy))
    assert sample is None
    assert [item.reason for item in reading.dropped] == [why, "no usable label"]


def test_boxes_a_hair_outside_are_clipped(tmp_path: Path) -> None:
    """Rounding is clipped without a word, more is counted."""
    sample, reading = cleaned(tmp_path, Annotation("x", (-1e-9, 0, 9, 9)), Annotation("x", (1, 1, 70, 9)))
    assert sample is not None
    assert [a.xyxy for a in sample.annotations] == [(0, 0, 9, 9), (1, 1, 64, 9)]
    assert [item.rule for item in reading.repairs] == ["box clipped to the image"]


def test_outlines_are_clipped_and_the_box_follows(tmp_path: Path) -> None:
    """Polygons and oriented boxes: the box is that of what is inside the image."""
    triangle = np.array([(50.0, 0.0), (78.0, 14.0), (50.0, 28.0)])
    outlines = [
        Annotation("x", geometry.bounds([triangle]), polygons=(Polygon(triangle),)),
        Annotation("y", geometry.bounds([triangle]), corners=np.vstack([triangle, [(50.0, 14.0)]])),
        Annotation("z", (60, 0, 90, 9), polygons=(Polygon(SQUARE + 60),)),
    ]
    sample, reading = cleaned(tmp_path, *outlines)
    assert sample is not None
    assert [a.xyxy for a in sample.annotations] == [(50, 0, 64, 28)] * 2
    np.testing.assert_array_equal(sample.annotations[1].corners, outlines[1].corners)
    assert [item.reason for item in reading.dropped] == ["polygon is outside the image"]


def test_polygons_lose_repeated_points_and_empty_parts(tmp_path: Path) -> None:
    """Closing points, doubled points, parts that are lines."""
    ring = np.vstack([SQUARE[:1], SQUARE, SQUARE[:1]])
    line = np.array([(1.0, 1.0), (5.0, 5.0), (9.0, 9.0)])
    sample, reading = cleaned(tmp_path, Annotation("x", (10, 10, 20, 20), polygons=(Polygon(ring), Polygon(line))))
    assert sample is not None
    (polygon,) = sample.annotations[0].polygons
    np.testing.assert_array_equal(polygon.exterior, SQUARE)
    assert {item.rule for item in reading.repairs} == {
        "repeated polygon point removed",
        "polygon part without area removed",
    }


def test_keypoints_outside_become_unlabelled(tmp_path: Path) -> None:
    """A labelled point beyond the border is removed and counted, a hair beyond is moved, an unlabelled one ignored."""
    rows = np.array([(5.0, 5.0, 2.0), (80.0, 5.0, 2.0), (64.0 + 1e-9, 5.0, 1.0), (0.0, 0.0, 0.0)])
    sample, reading = cleaned(tmp_path, Annotation("x", (1, 1, 64, 9), keypoints=rows))
    assert sample is not None
    expected = [(5, 5, 2), (0, 0, 0), (64, 5, 1), (0, 0, 0)]
    np.testing.assert_array_equal(sample.annotations[0].keypoints, expected)
    assert [item.rule for item in reading.repairs] == ["keypoint outside the image removed"]


def test_masks_must_have_the_size_of_their_image(tmp_path: Path) -> None:
    """A mask of another size says nothing about this image."""
    mask = geometry.encode_mask(np.ones((48, 63), dtype=np.bool_))
    sample, reading = cleaned(tmp_path, Annotation("x", (0, 0, 9, 9), mask=Mask(mask.size, mask.counts)))
    assert sample is None
    assert reading.dropped[0].reason == "mask has another size than the image"


def test_repeated_labels_are_merged(tmp_path: Path) -> None:
    """Same class and outline; another class, outline or crowd flag is another label."""
    box = (10.0, 10.0, 20.0, 20.0)
    kinds = [
        Annotation("x", box),
        Annotation("y", box),
        Annotation("x", box, iscrowd=True),
        Annotation("x", box, polygons=(Polygon(SQUARE),)),
        Annotation("x", box, polygons=(Polygon(SQUARE[[0, 1, 2]]),)),
    ]
    sample, reading = cleaned(tmp_path, *kinds, *kinds)
    assert sample is not None
    assert len(sample.annotations) == len(kinds)
    assert [item.rule for item in reading.repairs] == ["duplicate label removed"] * len(kinds)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_declared_size_tells_the_frame_of_the_labels(orientation: int, tmp_path: Path) -> None:
    """Labels of the stored pixels are turned with them where its sides tell; labels of another image are refused."""
    reading = reading_of(tmp_path)
    write_image(tmp_path / "a.jpg", (64, 48), orientation)
    reading.add("a.jpg", [Annotation("x", (0, 0, 16, 12))], declared=(64, 48))
    (sample,) = reading.finish([Category("x")]).samples
    assert sample.size == ((48, 64) if orientation >= 5 else (64, 48))
    width, height = sample.size
    x, y = (16, 12) if orientation < 5 else (12, 16)
    right, low = orientation in (6, 7), orientation in (7, 8)  # 2 to 4 keep the sides: tools show the upright image
    corner = (width - x if right else 0, height - y if low else 0)
    assert sample.annotations[0].xyxy == (*corner, corner[0] + x, corner[1] + y)
    other = Reading(Folder(tmp_path))
    other.add("a.jpg", [Annotation("x", (0, 0, 16, 12))], declared=(64, 50))
    assert [item.reason for item in other.dropped] == ["label file contradicts the image's size"]


def test_nothing_disappears(tmp_path: Path) -> None:
    """Every image of the folder is a sample or counted: unmentioned ones are unlabelled, damaged ones dropped."""
    reading = reading_of(tmp_path, "train/a.jpg", "val/b.JPG", "c.png")
    write_files(tmp_path, {"broken.jpg": "no image"})
    reading = Reading(Folder(tmp_path))
    reading.add("train/a.jpg", [], split="train")
    reading.add("train/a.jpg", [])
    reading.add("c.png", [Annotation("x", (1, 2, 3, 4))], label_file="one.json")
    reading.add("c.png", [Annotation("x", (1, 2, 3, 5.5))], label_file="two.json")
    labels = reading.finish([Category("x"), Category("x")])
    assert [(s.source_id, s.labelled, s.split) for s in labels.samples] == [
        ("train/a.jpg", True, "train"),
        ("val/b.JPG", False, "validation"),
    ]
    assert [(item.id, item.reason) for item in labels.dropped] == [
        ("c.png", "label files contradict each other"),
        ("broken.jpg", "image cannot be read"),
    ]
    assert [c.name for c in labels.categories] == ["x"]


def test_names_that_are_no_text_are_counted(tmp_path: Path) -> None:
    """A name in another encoding cannot be written into any index; the image is counted, not passed on."""
    write_image(tmp_path / "a.jpg")
    (tmp_path / os.fsdecode(b"caf\xe9.jpg")).write_bytes(image_bytes())
    labels = Reading(Folder(tmp_path)).finish([])
    assert [s.source_id for s in labels.samples] == ["a.jpg"]
    assert [(item.id, item.reason) for item in labels.dropped] == [("caf\\udce9.jpg", "file name is not UTF-8")]


@pytest.mark.parametrize("value", [True, None, [], {}, "x", "", "nan", "inf", float("inf"), 10**400, "1e999", "1,5"])
def test_what_is_no_number_is_refused(value: object) -> None:
    """Of any type."""
    with pytest.raises(ValueError, match="number"):
        finite(value)


@pytest.mark.parametrize(
    "value", [None, True, 1.5, [], "", "  ", "a\nb", "x" * 201, "\ud800", "see https://roboflow.com"]
)
def test_what_is_no_class_name_is_refused(value: object) -> None:
    """Of any type; lines of a README too."""
    with pytest.raises(ValueError, match="class name"):
        category_name(value)


@pytest.mark.parametrize(
    "name",
    [
        "-",
        "no",
        " cat ",
        "Plantae_Tracheophyta_Magnoliopsida_Asterales_Asteraceae_Bellis_perennis_x",
        "may 5",
        "www",
        7,
    ],
)
def test_odd_class_names_are_kept(name: object) -> None:
    """Short, long, foreign and numeric names; only spaces at the ends go."""
    assert category_name(name) == str(name).strip()


def test_splits_by_any_name() -> None:
    """The spellings of tools; the outermost folder decides; a file's own name does not."""
    assert [split_name(word) for word in ("Train", "valid", "dev", "val2017", "testing", "x")] == [
        "train",
        "validation",
        "validation",
        "validation",
        "test",
        None,
    ]
    assert split_of("x/valid/train.jpg") == "validation"
    assert split_of("train.jpg") is None


@pytest.mark.parametrize("data", ["é\na".encode("utf-16"), "\ufeffé\r\na".encode(), "é\ra".encode()])
def test_text_in_usual_encodings(data: bytes) -> None:
    """Byte order marks and all line ends."""
    assert parse_text(data, "x") == "é\na"


@given(st.binary(max_size=100))
def test_any_bytes_are_json_or_an_error_of_ours(data: bytes) -> None:
    """With a place to look at."""
    found = None
    try:
        parse_json(data, "file.json")
    except SourceError as error:
        found = error
    assert found is None or str(found.where).startswith("file.json")


def test_points_are_pairs() -> None:
    """A flat list of numbers or texts."""
    np.testing.assert_array_equal(points([1, "2", 3.5, 4]), [[1, 2], [3.5, 4]])
    with pytest.raises(ValueError, match="not pairs"):
        points([1, 2, 3])


def test_a_rounding_error_at_the_edge_reorders_no_point(tmp_path: Path) -> None:
    """A point that is outside by less than any pixel shows is moved to the edge; the outline stays as drawn."""
    ring = np.array([(0.07, 0.0), (64.00000381, 0.66666669), (21.38, 2.0)])
    sample, reading = cleaned(tmp_path, Annotation("x", geometry.bounds([ring]), (Polygon(ring),)))
    assert sample is not None
    (label,) = sample.annotations
    np.testing.assert_array_equal(label.polygons[0].exterior, np.minimum(ring, 64.0))
    assert label.xyxy == (0.07, 0.0, 64.0, 2.0)
    assert reading.repairs == []


@pytest.mark.parametrize(
    ("cut", "whole"),
    [
        (lambda data: data, True),
        (lambda data: data + b"\0\0 a camera's own notes \xff\xd8\xff", True),
        (lambda data: data[:-16], False),
        (lambda data: data[: len(data) // 2], False),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "progressive"])
def test_a_file_without_its_end_is_set_aside(kind: str, cut: Any, whole: bool, tmp_path: Path) -> None:
    """Nothing is decoded: the end marker is there or not, whatever stands behind it or in a thumbnail before it."""
    noise = np.random.default_rng(0).integers(0, 255, (300, 400, 3), dtype=np.uint8)
    thumbnail = io.BytesIO()
    PillowImage.fromarray(noise[:30, :40]).save(thumbnail, "JPEG")
    options: dict[str, Any] = {} if kind == "PNG" else {"comment": thumbnail.getvalue(), "progressive": kind != "JPEG"}
    PillowImage.fromarray(noise).save(tmp_path / "a", "PNG" if kind == "PNG" else "JPEG", **options)
    data = cut((tmp_path / "a").read_bytes())
    (tmp_path / "a.jpg").write_bytes(data)
    reading = Reading(open_folder(tmp_path))
    reading.add("a.jpg", [])
    assert bool(reading.finish([]).samples) == whole
    assert [item.reason for item in reading.dropped] == ([] if whole else ["image cannot be read"])
