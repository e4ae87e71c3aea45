"""Opens the sets that a manifest or command line names, in whatever format they are."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from amp_datasets.errors import SourceError, UnreadableError
from amp_datasets.formats.base import Detection
from amp_datasets.formats.kit.image_lookup import CONVERT, ImageLookup
from amp_datasets.images.codec import IMAGE_SUFFIXES, Limits
from amp_datasets.manifest.model import HUB_PREFIX, SourceSettings
from amp_datasets.manifest.roboflow.provenance import provenance_of
from amp_datasets.model import UNREADABLE, Dropped, LabelSet
from amp_datasets.plugin.registry import Registry
from amp_datasets.shown import is_shown_as_it_is
from amp_datasets.sources.gc_pause import collector_paused
from amp_datasets.sources.tree import one_set, read_parts
from amp_datasets.sources.unread import any_files, foreign_tool, unread_files
from amp_datasets.storage.folder import LEADS_OUT, Folder, open_copy, open_folder, with_archives
from amp_datasets.storage.remote import LocalCopy, address_of, local_path

_IMAGES = tuple(IMAGE_SUFFIXES)
_SHOWN = 3
"""So many files that no format reads are named."""


@collector_paused()
def read_source(settings: SourceSettings, registry: Registry, limits: Limits) -> tuple[LabelSet, Detection]:
    """The set at a path, and as what it was read and why. Raises SourceError if it cannot be read.

    A tree of several sets in several formats is one set; the path may be a pattern like `data/*`. Where a tree has no
    images but zip archives, these are read in place, as sets on the hub hold them.
    """
    folder = _folder(settings, limits)
    if not folder.with_suffix(*IMAGE_SUFFIXES, ".parquet", ".arrow"):
        folder = with_archives(folder)
    parts = read_parts(folder, registry, settings.format, settings.options, limits)
    if not parts:
        raise _unknown(folder, registry)
    labels = one_set(folder, parts, limits)
    if not labels.samples and not labels.dropped:
        raise SourceError("there is not one image in this set", where=settings.path, fix="check the path")
    _refuse_odd_names(labels, settings.path)
    reason = "; ".join(part.where() for part in parts)
    hint = "`links: follow` on this source in the manifest takes it in"
    links = [Dropped(name, LEADS_OUT, f"to {target}; {hint}") for name, target in folder.left_out.items()]
    labels = replace(labels, dropped=(*labels.dropped, *links))
    named = replace(labels, name=labels.name or _stem(settings.path), values=settings.values)
    named = replace(named, provenance=provenance_of(folder).as_text())
    return named, replace(parts[0].detection, reason=reason)


def _refuse_odd_names(labels: LabelSet, where: str) -> None:
    """A class name with a line break would become two in the lists of many formats; none steers a terminal."""
    for category in labels.categories:
        if not category.name.strip() or not is_shown_as_it_is(category.name):
            what = f"{category.name[:80]!r} cannot be the name of a class: it is not one line of letters that show"
            raise SourceError(what, where=where, fix="rename the class in the set's label files")


def _unknown(folder: Folder, registry: Registry) -> SourceError:
    """The error for a folder that no format recognises, with what was seen instead, and how to go on from there."""
    images = ImageLookup(folder)
    found = [*islice(unread_files(folder, (), images), _SHOWN)] or [*islice(any_files(folder), _SHOWN)]
    seen = [f"{each.file} ({each.what})" for each in found]
    nothing = "" if images.names else "; there is not one image here"
    if images.undecoded and not images.names:
        nothing += f" that can be decoded: {len(images.undecoded)} such as {images.undecoded[0]} cannot ({CONVERT})"
    what = "no known label format is recognised here" + (f": {'; '.join(seen)}" if seen else "") + nothing
    tool = next((hint for each in found if (hint := foreign_tool(folder, each.file)) is not None), None)
    fix = f"give one with `format:` (or --format): {', '.join(sorted(registry.sources))}"
    return SourceError(what, where=folder.root, fix=fix if tool is None else f"{tool}; or {fix}")


def refuse_unreadable(labels: LabelSet) -> None:
    """An UnreadableError if the system did not give a file of the set: without it the next run would give another."""
    for item in labels.dropped:
        if item.reason == UNREADABLE:
            fix = "make it readable, or remove it; `amp check` lists all"
            raise UnreadableError(f"a file of the set cannot be read: {item.detail}", where=item.id, fix=fix)


def _folder(settings: SourceSettings, limits: Limits) -> Folder:
    """The files of a set, wherever it is; of a remote one its labels are fetched now, its images when they are read."""
    address = address_of(settings.path)
    if address is not None and not address.startswith(HUB_PREFIX):
        return open_copy(LocalCopy(address, at_once=lambda name: not name.lower().endswith(_IMAGES)))
    where, links = _local(settings.path), settings.links == "follow"
    return open_folder(where, follow_links=links, label_bytes=limits.max_label_bytes)


def _local(path: str) -> Path:
    if path.startswith(HUB_PREFIX):
        from amp_datasets.sources import hub as hub_source

        fetched: Any = hub_source.open_hub(path)
        return Path(fetched)
    return Path(local_path(path)).expanduser()


def _stem(path: str) -> str:
    name = Path(path.partition("@")[0]).name
    return name.removesuffix(".zip") or "set"
