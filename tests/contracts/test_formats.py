"""What every format promises: a round trip keeps what it declares, odd bytes never raise anything but our errors."""

from __future__ import annotations

import functools
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders import best_source, classified_sets, label_sets, make_sample, make_set, place_image, read_set
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amp_datasets.formats.base import Exporter
from amp_datasets.model import Annotation, LabelSet
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.storage.folder import open_folder
from amp_datasets.testing import Law, format_laws
from amp_datasets.testing.formats import counts_what_is_not_held, must_be_same, reads_or_refuses
from amp_datasets.testing.sets import classified_set

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
        again = read_again(exporter, labels, Path(folder) / "set")
    if again is not None:
        must_be_same(exporter, labels, again)


@pytest.mark.parametrize("name", sorted(REGISTRY.exporters))
@settings(max_examples=5)
@given(labels=label_sets())
def test_losses_count_what_is_not_held(name: str, labels: LabelSet) -> None:
    """A feature that a format does not hold is in its losses; one that it holds is not."""
    counts_what_is_not_held(REGISTRY.exporter(name), labels)


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
        reads_or_refuses(REGISTRY.source(reader_of(name)), damaged)


@pytest.mark.parametrize(
    "law",
    [
        law
        for name in READABLE
        if name not in FLAT
        for law in format_laws(REGISTRY.exporter(name), REGISTRY.source(reader_of(name)))
        if law.name != "damaged_files_are_errors_of_ours"  # seen above, with more kinds of damage
    ],
    ids=str,
)
def test_format_keeps_the_contract(law: Law) -> None:
    """What `amp_datasets.testing` gives to everybody holds for our own, over its gallery."""
    law()


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
