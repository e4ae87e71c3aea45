"""The laws of a format: what it declares to hold comes back, all else is counted, odd files raise errors of ours."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from amp_datasets.errors import AmpError
from amp_datasets.formats.base import Exporter, Source
from amp_datasets.formats.kit.reading import Reading
from amp_datasets.geometry import shapes as geometry
from amp_datasets.model import Annotation, LabelSet, Sample, Size
from amp_datasets.storage.folder import open_folder
from amp_datasets.testing.law import Law, must, run_all
from amp_datasets.testing.sets import classified_set, gallery, place_image

_RELATIVE = 1e-6
_DAMAGES = (b"", b"{", b"[" * 3000, b"\xff\xfe\x00", b"null", b"NaN,1e999", b"<a>" * 5000, b"\0" * 40)


def format_laws(
    exporter: type[Exporter[Any]] | None = None, source: type[Source[Any]] | None = None, **options: Any
) -> list[Law]:
    """The laws of an exporter, of a source, or of both together, which then must agree; `options` are the source's.

    The sets that they are checked on are small: all kinds of labels, odd names, splits, images without labels.
    """
    laws: list[Law] = []
    if source is not None:
        laws.append(_law(source.name, is_silent_on_an_empty_folder, source))
    if exporter is not None:
        laws += [_law(exporter.name, counts_what_is_not_held, exporter, labels) for labels in _sets_for(exporter)]
    if exporter is not None and source is not None:
        laws += [
            _law(source.name, check, exporter, source, labels, options)
            for labels in _sets_for(exporter)
            for check in (round_trip_keeps_what_is_declared, damaged_files_are_errors_of_ours)
        ]
    return laws


def check_format(
    exporter: type[Exporter[Any]] | None = None, source: type[Source[Any]] | None = None, **options: Any
) -> int:
    """Check every law, and return how many there are. Raises BrokenLawError, which names the law."""
    return run_all(format_laws(exporter, source, **options))


def _law(name: str, check: Any, *given: Any) -> Law:
    labels = next((each.name for each in given if isinstance(each, LabelSet)), "")
    return Law(name, check.__name__, labels, partial(check, *given), check.__doc__.splitlines()[0])


def _sets_for(exporter: type[Exporter[Any]]) -> list[LabelSet]:
    return [classified_set()] if exporter.classifies else gallery()


def is_silent_on_an_empty_folder(source: type[Source[Any]]) -> None:
    """No source claims a folder without files."""
    with tempfile.TemporaryDirectory() as folder:
        must(source.detect(open_folder(Path(folder))) is None, "`detect` claims an empty folder")


def counts_what_is_not_held(exporter: type[Exporter[Any]], labels: LabelSet) -> None:
    """A feature that a format does not hold is in its losses; one that it holds is not."""
    lost = exporter(Path("unused"), exporter.options_type(), place_image).losses(labels.samples)
    objects = [annotation for sample in labels.samples for annotation in sample.annotations]
    must(all(count > 0 for count in lost.values()), f"a loss is counted that is none: {dict(lost)}")
    if exporter.classifies:
        must(lost["object"] == len(objects), f"{len(objects)} objects are lost, counted are {lost['object']}")
        return
    with_mask = sum(annotation.mask is not None for annotation in objects)
    expected = 0 if "mask" in exporter.holds else with_mask
    must(lost["mask"] == expected, f"{expected} masks are lost, counted are {lost['mask']}")


def round_trip_keeps_what_is_declared(
    exporter: type[Exporter[Any]], source: type[Source[Any]], labels: LabelSet, options: Mapping[str, Any] | None = None
) -> None:
    """Written and read again, a set is the same up to what the format cannot hold."""
    with written(exporter, labels) as folder:
        must_be_same(exporter, labels, read(source, folder, options))


def must_be_same(exporter: type[Exporter[Any]], labels: LabelSet, again: LabelSet) -> None:
    """What was read is what was written, up to what the exporter does not hold. Raises BrokenLawError."""
    found = {sample.source_id.rpartition("/")[2]: sample for sample in again.samples}
    for sample in labels.samples:
        name = sample.source_id
        if not sample.labelled and "unlabelled" not in exporter.holds:
            must(name not in found or not found[name].labelled, f"{name} was never labelled, and is")
        elif sample.labelled and not sample.categories and "empty" not in exporter.holds:
            must(name not in found or not found[name].categories, f"{name} has no label, and now has one")
        else:
            must(name in found, f"{name} does not come back")
            _same_sample(sample, found[name], exporter)
    more = set(found) - {sample.source_id for sample in labels.samples}
    must(not more, f"images come back that were not written: {more}")
    must(not again.dropped, f"something is dropped on reading: {again.dropped[:3]}")
    if "classes" in exporter.holds:
        names = [category.name for category in again.categories]
        must(names == [category.name for category in labels.categories], f"classes come back as {names}")


def damaged_files_are_errors_of_ours(
    exporter: type[Exporter[Any]], source: type[Source[Any]], labels: LabelSet, options: Mapping[str, Any] | None = None
) -> None:
    """Whatever bytes stand in one file of a set, reading it ends in a set or in an AmpError."""
    with written(exporter, labels) as folder:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            whole = file.read_bytes()
            for damage in (*_DAMAGES, whole[: len(whole) // 2], whole + b"\xff", b"\0" + whole):
                file.write_bytes(damage)
                reads_or_refuses(source, folder, options)
            file.write_bytes(whole)


def reads_or_refuses(source: type[Source[Any]], folder: Path, options: Mapping[str, Any] | None = None) -> None:
    """A damaged set is looked at and read without any error but ours, and every box lies in its image."""
    source.detect(open_folder(folder))
    with contextlib.suppress(AmpError):
        labels = read(source, folder, options)
        boxes = ((s, a) for s in labels.samples for a in s.annotations)
        outside = [s.source_id for s, a in boxes if not 0 <= a.xyxy[0] < a.xyxy[2] <= s.size[0]]
        must(not outside, f"boxes outside of their image are read: {outside[:3]}")


@contextlib.contextmanager
def written(exporter: type[Exporter[Any]], labels: LabelSet) -> Iterator[Path]:
    """A folder, for a while, with a set written by an exporter."""
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work) / "set"
        folder.mkdir()
        exporter(folder, exporter.options_type(), place_image).write(labels)
        yield folder


def read(source: type[Source[Any]], folder: Path, options: Mapping[str, Any] | None = None) -> LabelSet:
    """A folder or zip read by a source. Raises AmpError."""
    opened = open_folder(folder)
    return source(opened, source.options_type(**(options or {})), Reading(opened)).read()


def _same_sample(expected: Sample, actual: Sample, exporter: type[Exporter[Any]]) -> None:
    name = expected.source_id
    must(actual.size == expected.size, f"{name} has the size {actual.size}, not {expected.size}")
    must(actual.labelled == expected.labelled, f"{name}: labelled is {actual.labelled}")
    if "split" in exporter.holds:
        must(actual.split == expected.split, f"{name} comes back in {actual.split}, not {expected.split}")
    if "image label" in exporter.holds:
        kept = None if "several image labels" in exporter.holds else 1
        must(actual.labels == expected.labels[:kept], f"{name} has the labels {actual.labels}")
    count = len(actual.annotations)
    must(count == len(expected.annotations), f"{name} has {count} labels, not {len(expected.annotations)}")
    for one, other in zip(expected.annotations, actual.annotations, strict=True):
        _same_annotation(one, other, exporter.holds, expected.size)


def _same_annotation(expected: Annotation, actual: Annotation, holds: frozenset[Any], size: Size) -> None:
    """Equal up to what is not held; coordinates to a millionth of the image's side."""
    must(actual.category == expected.category, f"{expected.category} comes back as {actual.category}")
    refitted = "corners" in holds and "polygon" not in holds and (expected.polygons or expected.mask)
    if not refitted:
        _near(actual.xyxy, expected.xyxy, size, "box")
    _same_outline(expected, actual, holds, size)
    if expected.mask is not None and "mask" in holds:
        must(actual.mask == expected.mask, "a mask comes back as another")
    for field in ("corners", "keypoints"):
        if getattr(expected, field) is not None and field in holds:
            _near(getattr(actual, field), getattr(expected, field), size, field)
    if "crowd" in holds:
        must(actual.iscrowd == expected.iscrowd, f"iscrowd is {actual.iscrowd}")


def _same_outline(expected: Annotation, actual: Annotation, holds: frozenset[Any], size: Size) -> None:
    needed = {"polygon"}
    needed |= {"multipart"} if len(expected.polygons) > 1 else set()
    needed |= {"hole"} if any(p.holes for p in expected.polygons) else set()
    if not expected.polygons or not needed <= holds:
        return
    if "hole" in needed and actual.mask is not None:  # COCO keeps holes as pixels
        border = sum(geometry.to_shapely([p]).length for p in expected.polygons)
        off = abs(geometry.mask_area(actual.mask) - geometry.area(expected))
        must(off <= border + 4, f"the outline's area is off by {off:.1f} px")
        return
    must(len(actual.polygons) == len(expected.polygons), f"an outline has {len(actual.polygons)} parts")
    for one, other in zip(expected.polygons, actual.polygons, strict=True):
        must(len(one.rings) == len(other.rings), "a hole is lost")
        for ring, again in zip(one.rings, other.rings, strict=True):
            _near(again, ring, size, "outline")


def _near(actual: Any, expected: Any, size: Size, what: str) -> None:
    one, other = np.asarray(actual, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    same = one.shape == other.shape and np.allclose(one, other, rtol=0, atol=_RELATIVE * max(size))
    must(same, f"{what} comes back as {_short(one)}, not {_short(other)}")


def _short(values: Iterable[Any]) -> str:
    return str(np.asarray(values).round(6).tolist())[:120]
