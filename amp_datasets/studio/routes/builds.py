"""Addresses about builds: make one, look at it, hand it on."""

from __future__ import annotations

import shlex
import threading
from pathlib import Path
from typing import Annotated, Any

from fastapi import Query

from amp_datasets.errors import BuildError
from amp_datasets.studio.jobs import Jobs
from amp_datasets.studio.results import Result
from amp_datasets.studio.routes.answers import Job, Route, Side, image, path_of
from amp_datasets.studio.session import Session

_MOST_TILES = 500
Words = Annotated[str, Query(max_length=1000)]


class BuildRoutes:
    """Builds, exports, pushes, and the finished build."""

    def __init__(self, session: Session, jobs: Jobs) -> None:
        self._session = session
        self._jobs = jobs
        self._result: Result | None = None
        self._lock = threading.Lock()

    def routes(self) -> list[Route]:
        """Method, address and function of each."""
        return [
            ("GET", "job", self._jobs.state),
            ("POST", "job", self.start),
            ("POST", "job/stop", self.stop),
            ("GET", "formats", self.formats),
            ("GET", "result", self.result),
            ("GET", "result/images", self.images),
            ("GET", "result/images/{number}", self.line),
            ("GET", "result/images/{number}/shown", self.shown),
            ("POST", "result/images/{number}/again", self.again),
        ]

    def start(self, body: Job) -> dict[str, Any]:
        """Begin; the manifest is written first if its file is not as it is shown."""
        out = self._place(body.out)
        job: dict[str, Any] = {"kind": body.kind, "plugin_dirs": [str(p) for p in self._session.plugin_dirs]}
        if body.kind == "build":
            self._session.document.save()
            job |= {"manifest": str(self._session.document.path), "out": str(out)}
            job["command"] = f"amp build {shlex.quote(self._session.document.path.name)} -o {shlex.quote(body.out)}"
        elif body.kind == "export":
            job |= {"build": str(self._built().folder), "to": body.to, "out": str(out), "zipped": body.zipped}
            job["command"] = f"amp export {shlex.quote(self._name())} --to {body.to} -o {shlex.quote(body.out)}"
            job["command"] += " --zip" if body.zipped else ""
        else:
            job |= {"build": str(self._built().folder), "repo": body.repo or None, "private": body.private}
            job |= {"dry_run": body.dry_run}
            repo = f" --repo {shlex.quote(body.repo)}" if body.repo else ""
            job["command"] = f"amp publish {shlex.quote(self._name())}{repo}{' --dry-run' if body.dry_run else ''}"
        return self._jobs.start(job)

    def stop(self) -> dict[str, Any]:
        """End what runs; a build goes on from there when it is started again."""
        self._jobs.stop()
        return self._jobs.state()

    def formats(self) -> dict[str, Any]:
        """The formats that a build can be exported to."""
        return {"formats": sorted(self._session.registry.exporters)}

    def result(self, out: Words = "build") -> dict[str, Any]:
        """Open the build in a folder."""
        with self._lock:
            self._result = Result(self._place(out), self._session.registry)
        return self._result.summary()

    def images(
        self,
        spec: Words = "",
        split: Words = "",
        name: Words = "",
        start: Annotated[int, Query(ge=0)] = 0,
        count: Annotated[int, Query(ge=0, le=_MOST_TILES)] = 100,
    ) -> dict[str, Any]:
        """A stretch of the build's grid, and how long it is."""
        lines = self._built().chosen(spec, split, name)
        tiles = [
            {"index": line.number, "name": line.file_name, "split": line.split, "labels": line.labels_out}
            for line in lines[start : start + count]
        ]
        return {"total": len(lines), "tiles": tiles}

    def line(self, number: int) -> dict[str, Any]:
        """The ledger's line of an image."""
        return self._built().line(number)

    def shown(self, number: int, side: Side = 320, labels: bool = True) -> Any:
        """A made image with its labels."""
        return image(self._built().image(number, (side, side), labels))

    def again(self, number: int) -> dict[str, Any]:
        """Make an image again from its source, and compare."""
        return self._built().again(number)

    def _built(self) -> Result:
        if self._result is None:
            raise BuildError("no build is open", fix="build first")
        return self._result

    def _name(self) -> str:
        folder = self._built().folder
        base = self._session.document.path.parent
        return str(folder.relative_to(base)) if folder.is_relative_to(base) else str(folder)

    def _place(self, given: str) -> Path:
        """A folder as it is named beside the manifest."""
        if not given.strip():
            raise BuildError("a build needs a folder", fix="name one, such as `build`")
        return (self._session.document.path.parent / path_of(given)).absolute()
