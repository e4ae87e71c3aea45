"""What every format promises: a round trip keeps what it declares, odd bytes never raise anything but our errors."""

from __future__ import annotations

import contextlib
import functools
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import best_source, by_name, classified_sets, label_sets, make_sample, make_set, place_image, read_set
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amp_datasets.errors import AmpError
from amp_datasets.formats.base import Exporter
from amp_datasets.geometry import shapes as geometry
from amp_datasets.model import Annotation, LabelSet, Sample, Size
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.storage.folder import open_folder

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
"""pycocotools 2.0.11 says this of its own array type whenever it unpacks a mask."""

REGISTRY = load_registry()
RELATIVE = 1e-6
SEVERAL = settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
READERS = {"imagefolder": "huggingface", "yolo-classify": "imagefolder"}
"""Who reads what an exporter writes, where the names do not say so."""


def reader_of(name: str) -> str:
    """The source that reads what an exporter writes."""
    return READERS.get(name, name.split("-")[0])


READABLE = sorted(name for name in REGISTRY.exporters if reader_of(name) in REGISTRY.sources)
FLAT = {"coco_panoptic", "masks", "masks-voc", "widerface"}
"""Formats of one label a pixel, or of boxes in whole numbers: their round trips have tests of their own."""


def sets_for(name: str) -> st.SearchStrategy[LabelSet]:
    """Sets for an exporter: of objects, or of whole images where it is for classification."""
    return classified_sets() if REGISTRY.exporter(name).classifies else label_sets()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Gives a small set in a format, written once. Read it, never write to it."""

    @functools.cache
    def folder_of(name: str) -> Path:
        folder = tmp_path_factory.mktemp("written") / "set"
        folder.mkdir()
        exporter = REGISTRY.exporter(name)
        exporter(folder, exporter.options_type(), place_image).write(
            classified_set() if exporter.classifies else small_set()
        )
        return folder

    return folder_of


@pytest.mark.parametrize("name", [name for name in READABLE if name not in FLAT])
@SEVERAL
@given(data=st.data())
def test_round_trip_keeps_what_the_exporter_declares(name: str, data: st.DataObject) -> None:
    """Written, recognised and read again, a set is the same up to what the format cannot hold."""
    labels = data.draw(sets_for(name), label="labels")
    exporter = REGISTRY.exporter(name)
    with tempfile.TemporaryDirectory() as folder:
        read = read_again(exporter, labels, Path(folder) / "set")
    if read is None:
        return
    found = by_name(read)
    for sample in labels.samples:
        if not sample.labelled and "unlabelled" not in exporter.holds:
            assert sample.source_id not in found or not found[sample.source_id].labelled
        elif sample.labelled and not sample.categories and "empty" not in exporter.holds:
            assert sample.source_id not in found or not found[sample.source_id].categories
        else:
            assert_same_sample(sample, found[sample.source_id], exporter)
    assert set(found) <= {sample.source_id for sample in labels.samples}
    assert not read.dropped
    if "classes" in exporter.holds:
        assert [c.name for c in read.categories] == [c.name for c in labels.categories]


@pytest.mark.parametrize("name", sorted(REGISTRY.exporters))
@settings(max_examples=5)
@given(labels=label_sets())
def test_losses_count_what_is_not_held(name: str, labels: LabelSet) -> None:
    """A feature that a format does not hold is in its losses; one that it holds is not."""
    lost = REGISTRY.exporter(name)(Path("unused"), REGISTRY.exporter(name).options_type(), place_image).losses(
        labels.samples
    )
    objects = [annotation for sample in labels.samples for annotation in sample.annotations]
    if REGISTRY.exporter(name).classifies:
        assert lost["object"] == len(objects)
    else:
        with_mask = sum(annotation.mask is not None for annotation in objects)
        assert lost["mask"] == (0 if "mask" in REGISTRY.exporter(name).holds else with_mask)
    assert all(count > 0 for count in lost.values())


@pytest.mark.parametrize("name", READABLE)
@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_damaged_files_raise_nothing_but_errors_of_ours(
    written: Callable[[str], Path], name: str, data: st.DataObject
) -> None:
    """Whatever bytes stand in one file of a set, reading it ends in a set or in an AmpError."""
    with tempfile.TemporaryDirectory() as folder:
        damaged = Path(folder) / "set"
        shutil.copytree(written(name), damaged)
        files = sorted(path for path in damaged.rglob("*") if path.is_file())
        file = data.draw(st.sampled_from(files), label="file")
        file.write_bytes(data.draw(damages(file.read_bytes()), label="content"))
        for source in REGISTRY.sources.values():
            source.detect(open_folder(damaged))
        with contextlib.suppress(AmpError):
            labels = read_set(REGISTRY.source(reader_of(name)), damaged)
            assert all(0 <= a.xyxy[0] < a.xyxy[2] <= s.size[0] for s in labels.samples for a in s.annotations)


@pytest.mark.parametrize("name", sorted(REGISTRY.sources))
def test_detect_is_silent_on_an_empty_folder(name: str, tmp_path: Path) -> None:
    """No source claims a folder without files."""
    assert REGISTRY.source(name).detect(open_folder(tmp_path)) is None


@pytest.mark.parametrize("name", READABLE)
def test_a_zip_reads_like_its_folder(written: Callable[[str], Path], name: str, tmp_path: Path) -> None:
    """A set in an archive has the same labels as unpacked."""
    folder = written(name)
    archive = Path(shutil.make_archive(str(tmp_path / "set"), "zip", folder))
    source = REGISTRY.source(reader_of(name))
    plain, zipped = read_set(source, folder), read_set(source, archive)
    assert [(s.source_id, s.split, [a.xyxy for a in s.annotations]) for s in plain.samples] == [
        (s.source_id, s.split, [a.xyxy for a in s.annotations]) for s in zipped.samples
    ]
    assert plain.dropped == zipped.dropped == ()


def read_again(exporter: type[Exporter[Any]], labels: LabelSet, folder: Path) -> LabelSet | None:
    """A set written by an exporter and read by the source that recognises it; None if nothing in it tells a format."""
    folder.mkdir()
    exporter(folder, exporter.options_type(), place_image).write(labels)
    found = best_source(REGISTRY, folder)
    if found is None:
        assert not any(sample.labelled and sample.categories for sample in labels.samples), "nobody knows this folder"
        return None
    assert found[0] == reader_of(exporter.name), found
    return read_set(REGISTRY.source(found[0]), folder)


def assert_same_sample(expected: Sample, actual: Sample, exporter: type[Exporter[Any]]) -> None:
    """Equal up to what the exporter does not hold."""
    assert actual.size == expected.size
    assert actual.labelled == expected.labelled
    if "split" in exporter.holds:
        assert actual.split == expected.split
    if "image label" in exporter.holds:
        kept = None if "several image labels" in exporter.holds else 1
        assert actual.labels == expected.labels[:kept]
    assert len(actual.annotations) == len(expected.annotations)
    for one, other in zip(expected.annotations, actual.annotations, strict=True):
        assert_same_annotation(one, other, exporter.holds, expected.size)


def assert_same_annotation(expected: Annotation, actual: Annotation, holds: frozenset[Any], size: Size) -> None:
    """Equal up to what is not held; coordinates to a millionth of the image's side."""
    near = {"rtol": 0, "atol": RELATIVE * max(size)}
    assert actual.category == expected.category
    refitted = "corners" in holds and "polygon" not in holds and (expected.polygons or expected.mask)
    if not refitted:
        np.testing.assert_allclose(actual.xyxy, expected.xyxy, **near)
    needed = {"polygon"}
    needed |= {"multipart"} if len(expected.polygons) > 1 else set()
    needed |= {"hole"} if any(p.holes for p in expected.polygons) else set()
    if expected.polygons and "hole" in needed <= holds and actual.mask is not None:  # COCO keeps holes as pixels
        border = sum(geometry.to_shapely([p]).length for p in expected.polygons)
        assert abs(geometry.mask_area(actual.mask) - geometry.area(expected)) <= border + 4
    elif expected.polygons and needed <= holds:
        assert len(actual.polygons) == len(expected.polygons)
        for one, other in zip(expected.polygons, actual.polygons, strict=True):
            for ring, again in zip(one.rings, other.rings, strict=True):
                np.testing.assert_allclose(again, ring, **near)
    if expected.mask is not None and "mask" in holds:
        assert actual.mask == expected.mask
    for field in ("corners", "keypoints"):
        if getattr(expected, field) is not None and field in holds:
            np.testing.assert_allclose(getattr(actual, field), getattr(expected, field), **near)
    if "crowd" in holds:
        assert actual.iscrowd == expected.iscrowd


def small_set() -> LabelSet:
    """Three images in two splits, one of them empty."""
    box = Annotation("cat", (3.0, 4.0, 30.5, 40.25))
    other = Annotation("dog", (1.0, 2.0, 20.0, 30.0))
    samples = [
        make_sample("a.jpg", [box, other]),
        make_sample("b.png", [other], split="validation"),
        make_sample("c.jpg"),
    ]
    return make_set(samples)


def classified_set() -> LabelSet:
    """Three images in two splits, one label each."""
    names = {"a.jpg": "cat", "b.png": "dog", "c.jpg": "dog", "d.jpg": "cat"}
    samples = [
        make_sample(name, labels=(label,), split="train" if number < 2 else "validation")
        for number, (name, label) in enumerate(names.items())
    ]
    return make_set(samples, ["cat", "dog"])


def damages(content: bytes) -> st.SearchStrategy[bytes]:
    """Ways in which a file gets broken."""
    at = st.integers(0, len(content))
    odd = [
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\0",
        b"NaN",
        b"1e999",
        b"9" * 31,
        b"[" * 3000,
        b"{",
        b"null",
        b'"',
        b"-",
        b"\r",
    ]
    return st.one_of(
        st.binary(max_size=60),
        at.map(lambda i: content[:i]),
        st.tuples(at, st.sampled_from(odd)).map(lambda x: content[: x[0]] + x[1] + content[x[0] :]),
        st.tuples(at, st.sampled_from(odd)).map(lambda x: content[: x[0]] + x[1] + content[x[0] + len(x[1]) :]),
        st.text(max_size=40).map(lambda text: text.encode("utf-16")),
        st.sampled_from([b"[" * 100_000, b"<a>" * 50_000, b'[{"a":' * 900, b"a,b\n" * 100, b"&a [*a]"]),
    )
