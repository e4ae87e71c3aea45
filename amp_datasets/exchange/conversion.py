"""Writes any set in any format: labels converted, images linked or copied, losses counted."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from posixpath import splitext
from typing import Any

import numpy as np
from pydantic import ValidationError

from amp_datasets.errors import BuildError, ImageError, SourceError, blaming
from amp_datasets.formats.base import Exporter, Options
from amp_datasets.formats.losses import Loss, losses
from amp_datasets.images.codec import (
    EncodeSettings,
    Limits,
    decode_layers,
    encode,
    encoding_for,
    read_bytes,
    read_header,
)
from amp_datasets.images.header import probe
from amp_datasets.images.opening import image_changed
from amp_datasets.manifest.model import SourceSettings, is_address
from amp_datasets.model import ImageFile, LabelSet, Sample, classifies
from amp_datasets.plugin.registry import Registry, find
from amp_datasets.progress import Progress, silent
from amp_datasets.shown import amount
from amp_datasets.sources.gc_pause import collector_paused
from amp_datasets.sources.open import read_source, refuse_unreadable
from amp_datasets.storage.files import place_file, write_failed
from amp_datasets.storage.names import FreeStems, safe_stem
from amp_datasets.storage.swap import flush_folder, flush_tree
from amp_datasets.storage.target import GrowingFolder, check_empty, work_folder

_SHOWN_REASONS = 4
_RIGHTS = 0o100644
"""Of a file in an archive, as Unix writes them."""


@dataclass(slots=True)
class ExportReport:
    """What an export wrote, and what the format could not hold."""

    out: str
    format: str
    images: int = 0
    labels: int = 0
    turned: int = 0
    lost: dict[str, int] = field(default_factory=dict)
    dropped: list[Loss] = field(default_factory=list)
    repairs: list[Loss] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """All numbers as one JSON document."""
        return asdict(self)

    def as_text(self) -> list[str]:
        """The lines that a person reads after an export."""
        what = f"{amount(self.images, 'image')} and {amount(self.labels, 'label')}"
        lines = [f"{what} written as {self.format} to {self.out}"]
        lines += [f"lost: {count} x {feature} ({self.format} cannot hold it)" for feature, count in self.lost.items()]
        for title, found in (("set aside", self.dropped), ("repaired on reading", self.repairs)):
            lines += [f"{title}: {loss.count} x {loss.reason} (first: {loss.examples[0]})" for loss in found]
        if self.turned:
            lines.append(f"turned upright, their EXIF tag is gone: {amount(self.turned, 'image')}")
        return lines


@collector_paused()
def export(what: str | Path, to: str, out: str | Path, registry: Registry, **settings: Any) -> ExportReport:
    """Write the set or build at `what` in the format `to` into the new folder `out`, which appears when all is done.

    Images are hard links where the file system can (`copy` forces copies). `options` are those of the format `to`,
    `source_format` and `source_options` say how to read. Raises AmpError on bad input.
    """
    return _export(str(what), to, Path(out), registry, _as_folder, **settings)


def export_zip(what: str | Path, to: str, out: str | Path, registry: Registry, **settings: Any) -> ExportReport:
    """The same as one zip file, `out` with `.zip` at its end, which must not be there yet; same input, same bytes."""
    target = Path(out) if str(out).endswith(".zip") else Path(f"{out}.zip")
    return _export(str(what), to, target, registry, _as_zip, **settings)


_Lay = Callable[[GrowingFolder, Callable[[Path], None]], None]
"""Has a folder filled, and puts it in its place as what it is to be."""


def _export(
    what: str,
    to: str,
    target: Path,
    registry: Registry,
    lay: _Lay,
    *,
    source_format: str | None = None,
    source_options: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    copy: bool = False,
    progress: Progress = silent,
) -> ExportReport:
    plugin = registry.exporter(to)
    settings = checked_options(plugin, options or {})
    _check_target(what, target)
    source = SourceSettings(path=what, format=source_format, options=dict(source_options or {}))
    labels, _ = read_source(source, registry, Limits())
    refuse_unreadable(labels)
    if not any(sample.labelled for sample in labels.samples):
        what_is_missing = f"there is not one labelled image to export{_counted(labels)}"
        raise SourceError(what_is_missing, where=what, fix="`amp check` shows what was read; label an image")
    _check_task(plugin, labels, what, registry)
    report = ExportReport(str(target), to, dropped=losses(labels.dropped), repairs=losses(labels.repairs))
    placing = _Placing(copy, report)
    with GrowingFolder(target) as growing:
        try:
            lay(growing, lambda folder: _write(plugin, settings, labels, folder, placing, progress))
        except OSError as error:
            raise write_failed(error, target) from error
    return report


def _as_folder(growing: GrowingFolder, fill: Callable[[Path], None]) -> None:
    fill(growing.begin())
    growing.publish()


def _as_zip(growing: GrowingFolder, fill: Callable[[Path], None]) -> None:
    """One folder in it, called as the file; times and rights are always the same."""
    folder, packed = growing.begin() / growing.target.stem, growing.root / "packed"
    folder.mkdir()
    fill(folder)
    with packed.open("wb") as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(path for path in growing.tree.rglob("*") if path.is_file()):
            about = zipfile.ZipInfo(file.relative_to(growing.tree).as_posix())
            about.compress_type, about.external_attr = zipfile.ZIP_DEFLATED, _RIGHTS << 16
            with file.open("rb") as content, archive.open(about, "w", force_zip64=True) as member:
                shutil.copyfileobj(content, member)
    flush_tree(growing.root)
    packed.rename(growing.target)
    flush_folder(growing.target.parent)


def _counted(labels: LabelSet) -> str:
    """What reading set aside and repaired, and how many images were never labelled, for the error of an empty set."""
    bare = sum(1 for sample in labels.samples if not sample.labelled)
    found = [
        f"{loss.count} x {loss.reason} ({loss.examples[0]})" for loss in losses([*labels.dropped, *labels.repairs])
    ]
    listed = [*found[:_SHOWN_REASONS], *([f"{bare} x image was never labelled"] if bare else [])]
    return f": {'; '.join(listed)}" if listed else ""


def _write(
    plugin: type[Exporter[Any]],
    settings: Options,
    labels: LabelSet,
    folder: Path,
    placing: _Placing,
    progress: Progress,
) -> None:
    samples = named([sample for sample in labels.samples if sample.labelled])
    with blaming("exporter", plugin):
        exporter = plugin(folder, settings, placing)
        exporter.write(replace(labels, samples=_Tracked(samples, f"writing {plugin.name}", progress)))
        lost = exporter.losses(samples) + Counter(unlabelled=len(labels.samples) - len(samples))
    placing.report.images = len(samples)
    placing.report.labels = sum(len(sample.annotations) + len(sample.labels) for sample in samples)
    placing.report.lost = dict(+lost)


def _check_task(plugin: type[Exporter[Any]], labels: LabelSet, what: str | Path, registry: Registry) -> None:
    """Labels of whole images do not become boxes, nor the other way round: such a set would come out empty."""
    for_images = [name for name, other in sorted(registry.exporters.items()) if "image label" in other.holds]
    if classifies(labels.samples) and "image label" not in plugin.holds:
        raise SourceError(
            f"this is a set for classification, and {plugin.name} holds labels of objects only",
            where=what,
            fix=f"export it as one of: {', '.join(for_images)}",
        )
    if plugin.classifies and not any(sample.labels for sample in labels.samples):
        raise SourceError(
            f"{plugin.name} is for classification, and no image of this set has a label of its own",
            where=what,
            fix="choose a format for detection",
        )


def checked_options(plugin: type[Exporter[Any]], options: Mapping[str, Any]) -> Options:
    """An exporter's options; an unknown or wrong one is an error that lists what there is."""
    for name in options:
        known = plugin.options_type.model_fields
        find(known, name, f"an option of {plugin.name}", f"its options are: {', '.join(known) or 'none'}")
    try:
        return plugin.options_type.model_validate(options)
    except ValidationError as error:
        problem = error.errors()[0]
        raise SourceError(f"the option `{problem['loc'][0]}` of {plugin.name}: {problem['msg']}") from error


def named(samples: Sequence[Sample]) -> list[Sample]:
    """Samples with flat file names whose stems are unique, and with a split."""
    stems = FreeStems()
    result = []
    for sample in samples:
        suffix = splitext(sample.source_id)[1].lower() or ".jpg"
        name = stems.take(safe_stem(sample.source_id)) + suffix
        result.append(replace(sample, source_id=name, split=sample.split or "train"))
    return result


class _Placing:
    """Puts images where an exporter wants them: linked, copied, unpacked, or turned upright."""

    def __init__(self, copy: bool, report: ExportReport) -> None:
        self.copy = copy
        self.report = report
        self._folders: set[Path] = set()

    def __call__(self, sample: Sample, target: Path) -> None:
        folder = target.parent
        if folder not in self._folders:
            folder.mkdir(parents=True, exist_ok=True)
            self._folders.add(folder)
        if sample.turned:
            target.write_bytes(_upright(sample.image))
            self.report.turned += 1
        elif sample.image.member is None and sample.image.data is None:
            place_file(sample.image.path, target, copy=self.copy)
            self._check(sample, target)
        else:
            target.write_bytes(read_bytes(sample.image, Limits()))

    def _check(self, sample: Sample, target: Path) -> None:
        """An image may become another one after its labels were read, which then lie in other places of it."""
        try:
            size = probe(ImageFile(target), Limits()).size
        except (ImageError, SourceError) as error:
            raise image_changed(sample.image) from error
        if size != sample.size:
            raise image_changed(sample.image)


def _upright(file: ImageFile) -> bytes:
    data = read_bytes(file, Limits())
    header = read_header(data, Limits(), file)
    encoding = encoding_for(header, EncodeSettings(depth=16, alpha="keep"))  # turned, and else as it was
    layers = decode_layers(data, header, encoding, file)
    if layers.deep is not None:
        return encode(layers.deep, encoding)
    return encode(layers.image if layers.alpha is None else np.dstack([layers.image, layers.alpha]), encoding)


@dataclass(frozen=True)
class _Tracked(Collection[Sample]):
    """Samples that report how far they have been read."""

    samples: Sequence[Sample]
    what: str
    progress: Progress

    def __iter__(self) -> Iterator[Sample]:
        total = len(self.samples)
        for number, sample in enumerate(self.samples):
            if number % 100 == 0:
                self.progress(self.what, number, total)
            yield sample

    def __len__(self) -> int:
        return len(self.samples)

    def __contains__(self, item: object) -> bool:
        return item in self.samples


def _check_target(what: str, target: Path) -> None:
    source, resolved = (Path(os.path.realpath(path)) for path in (Path(what).expanduser(), target))
    inside = resolved == source or source in resolved.parents or resolved in source.parents
    if inside and not is_address(what):
        raise BuildError("an export does not write into its own source", where=target, fix="choose another -o")
    if not os.path.lexists(work_folder(target)):  # else it is tidied first, and looked at then
        check_empty(target)
