"""The manifest that is open: its text, its file, and the way back."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from amp_datasets.errors import AmpError, ManifestError
from amp_datasets.manifest.load import parse_manifest
from amp_datasets.manifest.model import Manifest
from amp_datasets.plugin.registry import Registry
from amp_datasets.storage.files import read_file, write_file
from amp_datasets.storage.yaml import MAX_BYTES, parse_yaml
from amp_datasets.studio.editing import with_value, without

_MAPS = ("filters", "mixes")
_STEPS = 500
"""So many changes can be taken back."""


class Document:
    """A manifest's text. A change is checked, then written to the file at once; every one can be taken back.

    A file that is not there yet is written with the first change. What another program writes into it meanwhile is
    taken over before the next change, and is a step of its own.
    """

    def __init__(self, path: Path, text: str, registry: Registry) -> None:
        self.path = path
        self.registry = registry
        self._lock = threading.RLock()
        self._before: list[str] = []
        self._after: list[str] = []
        self._text = text
        self._on_disk: str | None = None
        if path.exists():
            self._text = self._on_disk = _read(path)

    @property
    def text(self) -> str:
        """What the manifest says now."""
        return self._text

    @property
    def value(self) -> dict[str, Any]:
        """The text as plain data; a ManifestError if it is no map."""
        value = parse_yaml(self._text.encode(), self.path).value
        if not isinstance(value, dict):
            raise ManifestError("a manifest is a map of settings", where=self.path)
        return value

    @property
    def manifest(self) -> Manifest:
        """The checked manifest. Raises ManifestError."""
        return parse_manifest(self._text, self.path, self.registry)

    def state(self) -> dict[str, Any]:
        """What the page shows of it."""
        with self._lock:
            return {
                "path": str(self.path),
                "text": self._text,
                "saved": self._on_disk == self._text,
                "undo": len(self._before),
                "redo": len(self._after),
                "problems": self._problems(),
                **self._said(),
            }

    def named(self, name: str) -> dict[str, Any]:
        """The filters or mixes by name, in whichever of its short forms the text has them."""
        try:
            found = self.value.get(name) or {}
        except ManifestError:
            return {}
        if isinstance(found, dict):
            return found
        listed = [found] if isinstance(found, str) else found
        return {k: v for each in listed for k, v in (each if isinstance(each, dict) else {str(each): None}).items()}

    def replace(self, text: str) -> None:
        """Another text, as typed by hand. Raises ManifestError, and then nothing has changed."""
        with self._lock:
            self._take_over()
            self._put(text)

    def change(self, path: tuple[str | int, ...], value: Any) -> None:
        """Put a value at a place of the manifest."""
        with self._lock:
            self._take_over()
            text = self._text
            if path[0] in _MAPS and len(path) > 1:
                text = with_value(text, (path[0],), self.named(str(path[0])))
            self._put(with_value(text, path, value))

    def remove(self, path: tuple[str | int, ...]) -> None:
        """Take away what stands at a place of the manifest."""
        with self._lock:
            self._take_over()
            self._put(without(self._text, path))

    def undo(self) -> None:
        """The text before the last change, if there was one."""
        with self._lock:
            self._take_over()
            if self._before:
                self._after.append(self._text)
                self._write(self._before.pop())

    def redo(self) -> None:
        """The text before the last `undo`."""
        with self._lock:
            if self._after:
                self._before.append(self._text)
                self._write(self._after.pop())

    def save(self) -> None:
        """Write the file if it is not there as it is shown."""
        with self._lock:
            self._take_over()
            if self._on_disk != self._text:
                self._write(self._text)

    def _put(self, text: str) -> None:
        parse_manifest(text, self.path, self.registry)
        if text != self._text:
            self._remember()
            self._write(text)

    def _remember(self) -> None:
        self._before = [*self._before, self._text][-_STEPS:]
        self._after = []

    def _write(self, text: str) -> None:
        write_file(self.path, text.encode())
        self._text = self._on_disk = text

    def _take_over(self) -> None:
        """What somebody else wrote into the file since."""
        if not self.path.exists():
            return
        found = _read(self.path)
        if found != self._on_disk:
            self._remember()
            self._text = self._on_disk = found

    def _said(self) -> dict[str, Any]:
        """The text as data, its filters and mixes as maps; nothing where it cannot be read."""
        try:
            value = self.value
        except ManifestError:
            value = {}
        return {"value": value, "seed": value.get("seed", 0), **{name: self.named(name) for name in _MAPS}}

    def _problems(self) -> list[dict[str, Any]]:
        try:
            parse_manifest(self._text, self.path, self.registry)
        except ManifestError as error:
            return problems_of(error)
        return []


def problems_of(error: AmpError) -> list[dict[str, Any]]:
    """An error, and those that were found together with it, for the page."""
    found = [error, *(error.others if isinstance(error, ManifestError) else ())]
    return [{"what": each.what, "where": each.where, "fix": each.fix} for each in found]


def _read(path: Path) -> str:
    try:
        return read_file(path, MAX_BYTES, follow=True).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"the manifest cannot be read: {error}", where=path) from error
