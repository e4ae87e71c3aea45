"""Finds the source images of a build again: where its lock says, or where the user says."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from amp_datasets.errors import SourceError
from amp_datasets.images.codec import Limits, read_bytes
from amp_datasets.manifest.model import SourceSettings, is_address
from amp_datasets.model import ImageFile, LabelSet
from amp_datasets.plugin.registry import Registry
from amp_datasets.sources.open import read_source
from amp_datasets.storage.folder import Folder, open_folder


class SourceFinder:
    """Reads source images by id and digest. It raises KeyError, TypeError or ValueError for a lock that is none.

    The places that a lock names are looked at only if they are inside the build, or `anywhere` says that it may be
    trusted: somebody else's could name a whole disk, or an address that is asked with the user's token.
    """

    def __init__(
        self,
        build: Path,
        lock: Mapping[str, Any],
        sources: Sequence[str | Path],
        registry: Registry,
        limits: Limits,
        *,
        anywhere: bool,
    ) -> None:
        self.limits = limits
        self._places_withheld = not anywhere and not sources
        self._places: list[tuple[str, SourceSettings]] = []
        self._registry = registry
        for entry in lock["sources"]:
            settings = SourceSettings.model_validate(entry["source"])
            here = settings.path if is_address(settings.path) else os.path.realpath(build / settings.path)
            own = [here] if anywhere or _is_inside(build, here) else []
            paths = [str(path) for path in sources] or own
            self._places += [(f"{entry['name']}/", settings.model_copy(update={"path": path})) for path in paths]
        self._folders: dict[str, Folder] = {}
        self._sets: dict[str, dict[str, ImageFile]] = {}

    def read(self, source_id: str, sha256: str) -> bytes:
        """The bytes of a source image; a SourceError if no place holds them as they were."""
        places = [(source_id.removeprefix(name), s) for name, s in self._places if source_id.startswith(name)]
        for find in (self._in_folder, self._in_set):
            for name, settings in places:
                data = find(name, settings)
                if data is not None and hashlib.sha256(data).hexdigest() == sha256:
                    return data
        if not places and self._places_withheld:
            raise SourceError(
                "this build was not made here, so the places that it names for its sources are not looked at",
                where=source_id,
                fix="give the set that holds it with --source PATH",
            )
        raise SourceError(
            "the source image is not there any more as it was",
            where=", ".join(dict.fromkeys(settings.path for _, settings in places)) or source_id,
            fix=f"give the set that holds {source_id} as it was, with --source PATH",
        )

    def _in_folder(self, name: str, settings: SourceSettings) -> bytes | None:
        """The file of that name, without reading the set's labels."""
        try:
            if is_address(settings.path):
                return None
            if settings.path not in self._folders:
                self._folders[settings.path] = open_folder(Path(settings.path), follow_links=settings.links == "follow")
            folder = self._folders[settings.path]
            return read_bytes(folder.image(name), self.limits) if name in folder else None
        except SourceError:
            return None

    def _in_set(self, name: str, settings: SourceSettings) -> bytes | None:
        """The image that the set's reader gives that name (rows of parquet files have no file of their own)."""
        if settings.path not in self._sets:
            try:
                labels: LabelSet = read_source(settings, self._registry, self.limits)[0]
                self._sets[settings.path] = {sample.source_id: sample.image for sample in labels.samples}
            except SourceError:
                self._sets[settings.path] = {}
        file = self._sets[settings.path].get(name)
        return None if file is None else read_bytes(file, self.limits)


def _is_inside(build: Path, place: str) -> bool:
    return not is_address(place) and Path(os.path.realpath(place)).is_relative_to(os.path.realpath(build))
