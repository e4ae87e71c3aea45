"""A studio that runs for a test: by its application alone, as a server on this machine, and in a real browser."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from amp_datasets.plugin.discovery import load_registry

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)


@dataclass(frozen=True)
class Running:
    """A studio that answers: where, and its parts."""

    address: str
    token: str
    port: int
    studio: Any

    def ask(self, method: str, address: str, body: Any = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of an answer; `address` is below the token's, unless it begins with a slash."""
        path = address if address.startswith("/") else f"/{self.token}/{address}"
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        more = {} if isinstance(body, bytes | None) else {"Content-Type": "application/json"}
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, data, {**more, **given})
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def get(self, address: str) -> Any:
        """The JSON that an address gives."""
        status, _, data = self.ask("GET", address)
        assert status == 200, data
        return json.loads(data)

    def post(self, address: str, body: Any = None) -> Any:
        """The JSON that comes of a change."""
        status, _, data = self.ask("POST", address, body)
        assert status == 200, data
        return json.loads(data)


def make_studio(folder: Path, text: str) -> Any:
    """A studio whose manifest stands in this folder."""
    from amp_datasets.studio.app import Studio

    path = folder / "amp.yaml"
    path.write_text(text, encoding="utf-8")
    return Studio(path, "", load_registry())


@contextlib.contextmanager
def running(studio: Any) -> Iterator[Running]:
    """The studio as a server on a free port, guarded as users have it."""
    import uvicorn

    from amp_datasets.studio.security import Guard, hosts_of, new_token

    token = new_token()
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    guard: Any = Guard(studio.application, token, hosts_of("127.0.0.1", port))
    server = uvicorn.Server(uvicorn.Config(guard, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield Running(f"http://127.0.0.1:{port}/{token}/", token, port, studio)
    finally:
        server.should_exit = True
        thread.join(10)
        studio.close()
        listening.close()


@contextlib.contextmanager
def window(address: str, *, width: int, language: str, height: int = 900) -> Iterator[Any]:
    """A page of a real browser, which must complain of nothing and ask no other host; skips without a browser."""
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        own = driver.chromium.executable_path
        if CHROMIUM is None and not Path(own).exists():
            pytest.skip("no chromium on this machine")
        browser = driver.chromium.launch(executable_path=CHROMIUM or own, args=["--no-sandbox"])
        try:
            context = browser.new_context(viewport={"width": width, "height": height}, locale=language)
            page = context.new_page()
            said: list[str] = []
            asked: list[str] = []
            page.on("console", lambda m: said.append(m.text) if m.type in {"error", "warning"} else None)
            page.on("pageerror", lambda error: said.append(str(error)))
            page.on("request", lambda request: asked.append(request.url))
            page.goto(address)
            yield page
            host = address.split("/")[2]
            assert [url for url in asked if not url.startswith(("blob:", "data:")) and url.split("/")[2] != host] == []
            assert said == []
        finally:
            browser.close()


def until(page: Any, expression: str, seconds: float = 30) -> None:
    """Wait until an expression holds; the driver has a way that evaluates text in the page, which ours forbids."""
    end = time.monotonic() + seconds
    while not page.evaluate(f"Boolean({expression})"):
        assert time.monotonic() < end, expression
        page.wait_for_timeout(50)
