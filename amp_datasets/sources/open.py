"""Opens the sets that a manifest or command line names, in whatever format they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from amp_datasets.errors import SourceError, UnreadableError
from amp_datasets.formats.base import Detection
from amp_datasets.formats.kit.reading import Reading
from amp_datasets.images.codec import Limits
from amp_datasets.manifest.model import HUB_PREFIX, SourceSettings
from amp_datasets.model import UNREADABLE, LabelSet
from amp_datasets.plugin.registry import Registry
from amp_datasets.sources.gc_pause import collector_paused
from amp_datasets.storage.folder import Folder, open_folder


@collector_paused()
def read_source(settings: SourceSettings, registry: Registry, limits: Limits) -> tuple[LabelSet, Detection]:
    """The set at a path, and as what it was read and why. Raises SourceError if it cannot be read."""
    folder = open_folder(_local(settings.path))
    name, detection = choose_format(folder, registry, settings.format)
    plugin = registry.source(name)
    try:
        options = plugin.options_type.model_validate(settings.options)
    except ValidationError as error:
        problem = error.errors()[0]
        known = ", ".join(plugin.options_type.model_fields) or "none"
        raise SourceError(
            f"the option `{'.'.join(map(str, problem['loc']))}` of {name}: {problem['msg']}",
            where=settings.path,
            fix=f"its options are: {known}",
        ) from error
    labels = plugin(folder, options, Reading(folder, limits)).read()
    if not labels.samples and not labels.dropped:
        raise SourceError("there is not one image in this set", where=settings.path, fix="check the path")
    named = replace(labels, name=labels.name or _stem(settings.path), values=settings.values)
    return named, replace(detection, reason=f"{name}: {detection.reason}")


def refuse_unreadable(labels: LabelSet) -> None:
    """An UnreadableError if the system did not give a file of the set: without it the next run would give another."""
    for item in labels.dropped:
        if item.reason == UNREADABLE:
            fix = "make it readable, or remove it; `amp check` lists all"
            raise UnreadableError(f"a file of the set cannot be read: {item.detail}", where=item.id, fix=fix)


def choose_format(folder: Folder, registry: Registry, given: str | None) -> tuple[str, Detection]:
    """The name of the format of a folder and the reason: as given, or the surest of those that recognise it."""
    if given is not None:
        registry.source(given)
        return given, Detection("given", 100)
    found = [(name, plugin.detect(folder)) for name, plugin in sorted(registry.sources.items())]
    sure = sorted(((d.certainty, name, d) for name, d in found if d is not None), key=lambda f: (-f[0], f[1]))
    if not sure:
        raise SourceError(
            "no known label format is recognised here",
            where=folder.root,
            fix=f"give one with `format:` (or --format): {', '.join(sorted(registry.sources))}",
        )
    if len(sure) > 1 and sure[0][0] == sure[1][0]:
        raise SourceError(
            f"this may be {sure[0][1]} ({sure[0][2].reason}) or {sure[1][1]} ({sure[1][2].reason})",
            where=folder.root,
            fix="give the one that is meant with `format:` (or --format)",
        )
    return sure[0][1], sure[0][2]


def _local(path: str) -> Path:
    if path.startswith(HUB_PREFIX):
        from amp_datasets.sources import hub as hub_source

        fetched: Any = hub_source.open_hub(path)
        return Path(fetched)
    return Path(path).expanduser()


def _stem(path: str) -> str:
    name = Path(path.partition("@")[0]).name
    return name.removesuffix(".zip") or "set"
