"""`amp check`: everything that is wrong, or may be, with a set or with what a manifest joins, each with a fix."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from amp_datasets.audit.images import class_findings, copy_findings, group_findings, image_findings
from amp_datasets.audit.labels import label_findings, name_findings
from amp_datasets.audit.report import AuditReport
from amp_datasets.audit.rules import RULES, SEVERITIES, Finding, finding, of_reading
from amp_datasets.audit.strength import strength_findings
from amp_datasets.errors import AmpError, ManifestError
from amp_datasets.images.codec import Limits
from amp_datasets.manifest.load import load_manifest
from amp_datasets.manifest.model import Manifest, SourceSettings
from amp_datasets.manifest.resolve import with_splits
from amp_datasets.model import LabelSet
from amp_datasets.plugin.registry import Registry
from amp_datasets.progress import tell
from amp_datasets.sources.consolidate import consolidate
from amp_datasets.sources.joining import Consolidated
from amp_datasets.sources.open import read_source
from amp_datasets.storage.yaml import read_yaml

__all__ = ["AuditReport", "Finding", "audit", "audit_path", "is_manifest"]

_FOUND_AGAIN = frozenset({"AMP201", "AMP203"})
"""What readers count and the audit finds by itself."""
_TOLD_EVERY = 500
_MEANINGS = frozenset({"AMP205", "AMP206"})
_OF_SETS = frozenset({"names", "nc", "images", "annotations", "shapes"})
"""Keys that label files have and manifests do not."""


def audit(labels: LabelSet, limits: Limits | None = None) -> list[Finding]:
    """All findings of one set, its splits included."""
    return [*_of_set(labels, limits or Limits(), across_splits=True), *class_findings(list(labels.samples))]


def audit_path(
    place: str | Path,
    registry: Registry,
    *,
    format: str | None = None,  # noqa: A002 - the word of the manifest and the command line
    options: Mapping[str, Any] | None = None,
    limits: Limits | None = None,
    sources: Sequence[str] = (),
    settings: Sequence[str] = (),
    ignore: Collection[str] = (),
) -> AuditReport:
    """Audit a set (folder, zip, or hf:// address), or all sources of a manifest and what they are when joined.

    A YOLO set may be named by its `data.yaml`. `options` are those of the set's format. Rules in `ignore` are not
    reported. Raises AmpError if a single set, or the manifest, cannot be read at all.
    """
    unknown = [rule for rule in ignore if rule not in RULES]
    if unknown:
        raise AmpError(f"`{unknown[0]}` is not a rule", fix=f"the rules are {min(RULES)} to {max(RULES)}")
    report = AuditReport(str(place))
    path = Path(place)
    if is_manifest(path):
        if options:
            raise AmpError("a manifest has its own options", where=path, fix="write them under `options:` of a source")
        _audit_manifest(report, load_manifest(path, registry, sources=sources, settings=settings), registry)
    else:
        at = str(path.parent if _is_document(path) else place)
        source = SourceSettings(path=at, format=format, options=dict(options or {}))
        labels = _read(report, source, registry, limits or Limits())
        report.count(labels.categories, labels.samples)
        report.findings += audit(labels, limits)
    kept = [each for each in report.findings if each.rule not in ignore]
    report.findings = sorted(kept, key=lambda each: (SEVERITIES.index(each.severity), each.rule))
    return report


def is_manifest(path: Path) -> bool:
    """Whether a path names a manifest: YAML or JSON that is neither a YOLO set's `data.yaml` nor a label file."""
    if not _is_document(path):
        return False
    try:
        value = read_yaml(path).value
    except ManifestError:
        return path.suffix.lower() != ".json"  # to be told what is wrong with it
    return not isinstance(value, list) and not (isinstance(value, dict) and _OF_SETS & set(value))


def _is_document(path: Path) -> bool:
    return path.suffix.lower() in {".yaml", ".yml", ".json"} and not path.is_dir()


def _of_set(labels: LabelSet, limits: Limits, *, across_splits: bool) -> Iterator[Finding]:
    samples = list(labels.samples)
    used = frozenset(name for sample in samples for name in sample.categories)
    yield from (f for f in of_reading([*labels.dropped, *labels.repairs]) if f.rule not in _FOUND_AGAIN)
    yield from name_findings([category.name for category in labels.categories], used)
    for number, sample in enumerate(samples):
        if number % _TOLD_EVERY == 0:
            tell("looking at the labels", number, len(samples))
        yield from label_findings(sample)
    yield from image_findings(samples, limits)
    yield from copy_findings(samples, limits, across_splits=across_splits)
    if across_splits:
        yield from group_findings(samples)


def _read(report: AuditReport, source: SourceSettings, registry: Registry, limits: Limits) -> LabelSet:
    tell("reading the set", 0, 1)
    labels, detection = read_source(source, registry, limits)
    report.formats[source.path] = detection.reason
    return labels


def _audit_manifest(report: AuditReport, manifest: Manifest, registry: Registry) -> None:
    """Each source by itself, then what they are together; a source that cannot be read is a finding."""
    limits = manifest.limits.as_limits()
    sets: list[tuple[LabelSet, Mapping[str, str]]] = []
    for source in manifest.sources:
        try:
            labels = _read(report, source, registry, limits)
        except AmpError as error:
            report.findings.append(_unusable(source.path, error))
            continue
        found = _of_set(labels, limits, across_splits=not isinstance(manifest.splits, dict))
        report.findings += [_in_manifest(each, labels.name, manifest) for each in found]
        sets.append((labels, source.classes))
    if not manifest.sources:
        report.findings.append(finding("AMP001", report.path, "the manifest names no source"))
    try:
        joined = consolidate([labels for labels, _ in sets], [classes for _, classes in sets], manifest)
    except AmpError as error:
        report.findings.append(_unusable(error.where or report.path, error))
        return
    samples = [item.sample for item in joined.items]
    report.count(joined.categories, samples)
    report.findings += class_findings(samples)
    if len(sets) > 1:
        report.findings += _between_sources(joined, limits)
    if manifest.variants():
        report.findings += strength_findings(joined, with_splits(manifest, [s for s, _ in sets]), registry, report.path)


def _between_sources(joined: Consolidated, limits: Limits) -> Iterator[Finding]:
    """What only shows when sources are put together."""
    samples = [item.sample for item in joined.items]
    names = [category.name for category in joined.categories]
    for each in name_findings(names, frozenset(names)):
        if each.rule in _FOUND_AGAIN:
            yield replace(each, file="all sources")
    yield from copy_findings(samples, limits, parts=[item.set_name for item in joined.items])


def _in_manifest(each: Finding, set_name: str, manifest: Manifest) -> Finding:
    """A set's finding, its file named as in a build; what filters may falsify is a warning where there are filters."""
    warned = each.rule in _MEANINGS and bool(manifest.variants())
    return replace(each, file=f"{set_name}/{each.file}", severity="warning" if warned else each.severity)


def _unusable(where: str, error: AmpError) -> Finding:
    known = finding("AMP001", where, error.what)
    return replace(known, fix=error.fix) if error.fix is not None else known
