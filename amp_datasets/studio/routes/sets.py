"""Addresses about the manifest and its sets: what is open, what it says, its images and findings."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated, Any

from fastapi import Query, Request
from fastapi.responses import Response

from amp_datasets.errors import AmpError, SourceError
from amp_datasets.manifest.model import Manifest, is_address
from amp_datasets.storage.names import is_plain_name
from amp_datasets.studio.looking import Looking, Wanted
from amp_datasets.studio.rendering import shown_source
from amp_datasets.studio.routes.answers import Change, Route, Side, Source, Text, image, path_of
from amp_datasets.studio.session import Session

MAX_UPLOAD_BYTES = 4 * 2**30
"""A zip that is dropped onto the page may have so many bytes."""
_SPARE_BYTES = 2**28
_UPLOADS = "amp-uploads"
_ZIP = b"PK"
_MOST_TILES = 500
Words = Annotated[str, Query(max_length=1000)]


class SetRoutes:
    """The manifest and the images."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._looking = Looking(session)

    def routes(self) -> list[Route]:
        """Method, address and function of each."""
        return [
            ("GET", "state", self.state),
            ("POST", "manifest", self.write),
            ("POST", "change", self.change),
            ("POST", "undo", self.undo),
            ("POST", "redo", self.redo),
            ("POST", "sources", self.add_source),
            ("PUT", "upload", self.upload),
            ("GET", "facets", self._looking.facets),
            ("GET", "findings", self.findings),
            ("GET", "images", self.images),
            ("GET", "images/{generation}/{index}", self.details),
            ("GET", "images/{generation}/{index}/shown", self.shown),
        ]

    def state(self) -> dict[str, Any]:
        """All that is not about single images; the page asks for it again and again."""
        session = self._session
        reading = session.reading
        return {
            "manifest": session.document.state(),
            "generation": session.generation,
            "reading": {name: getattr(reading, name) for name in reading.__slots__},
            "sources": session.sources(),
            "checked": session.findings is not None,
            "balances": "balance" in Manifest.model_fields,
            "command": f"amp build {session.document.path.name}",
        }

    def write(self, body: Text) -> dict[str, Any]:
        """Take over what was typed."""
        self._session.document.replace(body.text)
        return self._changed()

    def change(self, body: Change) -> dict[str, Any]:
        """Change one place of the text."""
        if body.remove:
            self._session.document.remove(body.path)
        else:
            self._session.document.change(body.path, body.value)
        return self._changed()

    def undo(self) -> dict[str, Any]:
        """Take the last change back."""
        self._session.document.undo()
        return self._changed()

    def redo(self) -> dict[str, Any]:
        """Take the last `undo` back."""
        self._session.document.redo()
        return self._changed()

    def add_source(self, body: Source) -> dict[str, Any]:
        """Name another set in the manifest: a folder or zip of this machine, or an address."""
        given = body.path.strip().removeprefix("file://")
        path = path_of(given)
        if not is_address(given) and not path.exists() and not set("*?[") & set(given):
            raise SourceError("there is no such folder or zip", where=given, fix="check the path")
        named = given if is_address(given) else _relative(path, self._session.document.path.parent)
        self._add(named)
        return self._changed()

    async def upload(self, request: Request, name: Annotated[str, Query(max_length=255)]) -> dict[str, Any]:
        """Keep a zip that was dropped onto the page beside the manifest, and name it there."""
        if not is_plain_name(name) or not name.lower().endswith(".zip"):
            raise SourceError("only zip files can be dropped", where=name[:100], fix="give a folder by its path")
        folder = self._session.document.path.parent / _UPLOADS
        folder.mkdir(parents=True, exist_ok=True)
        target = _free(folder / name)
        part = target.with_name(f".{target.name}.part")
        try:
            await _receive(request, part)
            part.rename(target)
        finally:
            part.unlink(missing_ok=True)
        self._add(f"{_UPLOADS}/{target.name}")
        return self._changed()

    def findings(self) -> dict[str, Any]:
        """What was found in the sets; None while it is looked for."""
        return {"findings": self._looking.findings()}

    def images(
        self,
        category: Words = "",
        split: Words = "",
        rule: Words = "",
        name: Words = "",
        start: Annotated[int, Query(ge=0)] = 0,
        count: Annotated[int, Query(ge=0, le=_MOST_TILES)] = 100,
    ) -> dict[str, Any]:
        """A stretch of the grid, and how long it is."""
        indices = self._looking.indices(Wanted(category, split, rule, name))
        tiles = [self._looking.tile(index) for index in indices[start : start + count]]
        return {"total": len(indices), "generation": self._session.generation, "tiles": tiles}

    def details(self, generation: int, index: int) -> dict[str, Any]:
        """One image with its labels."""
        if self._looking.item(generation, index) is None:
            raise AmpError("there is no such image any more", fix="look at the grid again")
        return self._looking.details(index)

    def shown(self, generation: int, index: int, side: Side = 320, labels: bool = True) -> Any:
        """One image, shrunk to fit into a square, with its labels."""
        item = self._looking.item(generation, index)
        if item is None:
            return Response(status_code=404)
        categories = self._session.whole().joined.categories
        return image(shown_source(item, categories, (side, side), labels), keep=True)

    def _add(self, named: str) -> None:
        document = self._session.document
        sources = document.value.get("sources") or []
        listed = [sources] if isinstance(sources, str) else list(sources)
        document.change(("sources",), [*listed, named])

    def _changed(self) -> dict[str, Any]:
        self._session.changed()
        return self.state()


async def _receive(request: Request, part: Path) -> None:
    """Write what comes in, as long as it is a zip, not too much, and leaves room on the disk."""
    room = min(MAX_UPLOAD_BYTES, shutil.disk_usage(part.parent).free - _SPARE_BYTES)
    got = 0
    with part.open("wb") as stream:
        async for piece in request.stream():
            if not got and piece[:2] not in (_ZIP, b""):
                raise SourceError("this is not a zip file", fix="pack the folder as zip")
            got += len(piece)
            if got > room:
                raise SourceError(
                    f"this zip is too large: more than {room // 2**20} MB", fix="give its path instead of dropping it"
                )
            stream.write(piece)
    if not got:
        raise SourceError("this zip file is empty", fix="pack it again")


def _free(path: Path) -> Path:
    number = 2
    target = path
    while target.exists():
        target = path.with_stem(f"{path.stem}-{number}")
        number += 1
    return target


def _relative(path: Path, folder: Path) -> str:
    """A path as a manifest in this folder names it."""
    absolute = path if path.is_absolute() else Path.cwd() / path
    try:
        return absolute.relative_to(folder.resolve()).as_posix() or "."
    except ValueError:
        return absolute.as_posix()
