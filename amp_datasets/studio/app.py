"""The studio's application: its pages, and what they ask for and change. `security.Guard` stands before it."""

from __future__ import annotations

from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response

from amp_datasets.errors import AmpError
from amp_datasets.plugin.registry import Registry
from amp_datasets.studio.document import Document, problems_of
from amp_datasets.studio.jobs import Jobs
from amp_datasets.studio.routes.builds import BuildRoutes
from amp_datasets.studio.routes.sets import SetRoutes
from amp_datasets.studio.routes.trying import TryingRoutes
from amp_datasets.studio.session import NotReady, Session

_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".json": "application/json"}


class Studio:
    """Everything that is open, and the application that shows it. `close` ends what runs."""

    def __init__(self, path: Path, text: str, registry: Registry, plugin_dirs: tuple[Path, ...] = ()) -> None:
        self.session = Session(Document(path, text, registry), registry, plugin_dirs)
        self.jobs = Jobs()
        self.application = self._application()

    def close(self) -> None:
        """End what runs."""
        self.session.close()
        self.jobs.close()

    def _application(self) -> Any:
        # Its own documentation pages would load scripts from another host.
        app: Any = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        app.add_exception_handler(AmpError, _told)
        app.add_exception_handler(RequestValidationError, _not_expected)
        static = files("amp_datasets.studio") / "static"
        for file in static.iterdir():
            kind = _TYPES.get(Path(file.name).suffix)
            if kind is not None:
                address = "/" if file.name == "index.html" else f"/{file.name}"
                app.add_api_route(address, partial(_page, file.read_bytes(), kind), methods=["GET"])
        routes = (
            SetRoutes(self.session),
            TryingRoutes(self.session),
            BuildRoutes(self.session, self.jobs),
        )
        for group in routes:
            for method, address, function in group.routes():
                app.add_api_route(f"/api/{address}", function, methods=[method], response_model=None)
        return app


def _page(data: bytes, kind: str) -> Any:
    return Response(data, media_type=f"{kind}; charset=utf-8", headers={"cache-control": "no-cache"})


async def _told(_request: Request, error: AmpError) -> Any:
    """What went wrong, for the page to show: what, where, how to fix it."""
    return JSONResponse({"problems": problems_of(error)}, 409 if isinstance(error, NotReady) else 422)


async def _not_expected(_request: Request, error: RequestValidationError) -> Any:
    """Which part of a request is not what it should be; what was sent is not repeated, for it may be no text."""
    problems = [
        {"what": each["msg"], "where": ".".join(map(str, each["loc"]))[:200], "fix": "reload the page"}
        for each in error.errors()
    ]
    return JSONResponse({"problems": problems[:20]}, 422)
