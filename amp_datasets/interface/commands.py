"""The commands of `amp` as functions: typed reports, and AmpError where it fails; the command line only shows them.

labels = amp.read("photos")
amp.check("photos").findings
amp.convert("photos", to="yolo", out="yolo")
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amp_datasets.model import LabelSet
from amp_datasets.progress import Progress, silent

if TYPE_CHECKING:
    from amp_datasets.audit.report import AuditReport
    from amp_datasets.audit.rules import Rule
    from amp_datasets.exchange.conversion import ExportReport
    from amp_datasets.plugin.catalogue import FilterDescription, FilterFamily, FilterList

Folders = Sequence[str | Path]


def read(
    path: str | Path,
    *,
    format: str | None = None,  # noqa: A002 - the word of the manifest and the command line
    options: Mapping[str, Any] | None = None,
    plugin_dirs: Folders = (),
    progress: Progress = silent,
) -> LabelSet:
    """A set with its labels in memory; images stay where they are. The format is found by itself if none is given.

    `path` is a folder, a zip or `hf://datasets/owner/name`. What could not be used is in `dropped`, with reasons.
    """
    from amp_datasets.images.codec import Limits
    from amp_datasets.manifest.model import SourceSettings
    from amp_datasets.plugin.discovery import load_formats
    from amp_datasets.sources.open import read_source

    source = SourceSettings(path=str(path), format=format, options=dict(options or {}))
    progress("reading the set", 0, 1)
    labels, _ = read_source(source, load_formats(_paths(plugin_dirs)), Limits())
    progress("reading the set", 1, 1)
    return labels


def check(
    target: str | Path,
    *,
    format: str | None = None,  # noqa: A002
    options: Mapping[str, Any] | None = None,
    sources: Sequence[str] = (),
    settings: Sequence[str] = (),
    ignore: Collection[str] = (),
    plugin_dirs: Folders = (),
    progress: Progress = silent,
) -> AuditReport:
    """Audit a set, or a manifest's sources and what they are when joined: every finding with rule, file and remedy.

    `ignore` names rules ("AMP313") that are not reported; `report.failed` says whether any finding is more than a note.
    """
    from amp_datasets.audit.api import audit_path
    from amp_datasets.plugin.discovery import load_registry

    registry = load_registry(_paths(plugin_dirs))
    progress("checking", 0, 1)
    report = audit_path(
        target, registry, format=format, options=options, sources=sources, settings=settings, ignore=ignore
    )
    progress("checking", 1, 1)
    return report


def explain(rule: str | None = None) -> list[Rule]:
    """A rule of `check`, or all of them: what it is about, how grave it is, and what to do. Raises AmpError."""
    from amp_datasets.audit.rules import RULES
    from amp_datasets.errors import AmpError, nearest

    if rule is None:
        return list(RULES.values())
    found = RULES.get(rule.upper())
    if found is None:
        near = nearest(rule.upper(), RULES)
        hint = f"did you mean `{near}`?  " if near else ""
        raise AmpError(f"`{rule}` is not a rule", fix=f"{hint}`amp explain` lists all")
    return [found]


def convert(
    path: str | Path,
    *,
    to: str,
    out: str | Path,
    format: str | None = None,  # noqa: A002
    options: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    copy: bool = False,
    zipped: bool = False,
    plugin_dirs: Folders = (),
    progress: Progress = silent,
) -> ExportReport:
    """Write a set or a build in another format into the new folder `out`, which appears when all is done.

    `options` say how to read the set, `settings` how to write the new one. Images are hard links where the file system
    can; `copy` forces copies, `zipped` writes `out` as one zip. What the format cannot hold is counted in `lost`.
    """
    from amp_datasets.exchange.conversion import export, export_zip
    from amp_datasets.plugin.discovery import load_formats

    return (export_zip if zipped else export)(
        path,
        to,
        out,
        load_formats(_paths(plugin_dirs)),
        source_format=format,
        source_options=options,
        options=settings,
        copy=copy,
        progress=progress,
    )


def filters(*, plugin_dirs: Folders = ()) -> FilterList:
    """All filters with what each does to labels, and how many more can be named of other libraries."""
    from amp_datasets.plugin.catalogue import list_filters
    from amp_datasets.plugin.discovery import load_registry

    return list_filters(load_registry(_paths(plugin_dirs)))


def describe(name: str, *, plugin_dirs: Folders = ()) -> FilterDescription | FilterFamily:
    """One filter with its settings, their defaults and an example; or the filters of another library by its prefix."""
    from amp_datasets.plugin.catalogue import describe_filter
    from amp_datasets.plugin.discovery import load_registry

    return describe_filter(load_registry(_paths(plugin_dirs)), name)


def environment(*, plugin_dirs: Folders = ()) -> dict[str, Any]:
    """Versions, plugins and the machine."""
    from amp_datasets.ledger.keys import library_versions, machine
    from amp_datasets.plugin.discovery import load_registry

    registry = load_registry(_paths(plugin_dirs))
    return {
        "amp_datasets": version("amp-datasets"),
        **library_versions(),
        **machine(),
        "filters": sorted(registry.filters),
        "reads": sorted(registry.sources),
        "writes": sorted(registry.exporters),
    }


def _paths(folders: Folders) -> tuple[Path, ...]:
    return tuple(Path(folder) for folder in folders)
