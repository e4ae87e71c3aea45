"""A proxy in front of a server of the test, which fails as networks and storages do."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Proxy:
    """Its address, what it was asked, and what it is to do: `faults` are tried in turn on each request."""

    url: str = ""
    requests: list[str] = field(default_factory=list)
    faults: list[tuple[str, str, int]] = field(default_factory=list)
    """A part of a request line; "503", "cut" or "slow"; and how many such requests fail (-1: all)."""
    slow_s: float = 1.5
    """So long a slow answer is silent."""

    def fault(self, line: str) -> str | None:
        """What is to go wrong with a request."""
        for number, (part, kind, times) in enumerate(self.faults):
            if part in line and times:
                self.faults[number] = (part, kind, times - 1)
                return kind
        return None


_SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"


class _Handler(BaseHTTPRequestHandler):
    proxy: Proxy
    behind: tuple[str, int]
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        return

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        line = f"{self.command} {self.path}"
        self.proxy.requests.append(line)
        kind = self.proxy.fault(line)
        if kind == "503":
            self._send(
                503, {}, b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
            )
            return
        if kind == "slow":
            time.sleep(self.proxy.slow_s)
        behind = http.client.HTTPConnection(*self.behind, timeout=60)
        behind.request(self.command, self.path, body, {k: v for k, v in self.headers.items() if k != "Connection"})
        answer = behind.getresponse()
        data = answer.read()
        self._send(
            answer.status, dict(answer.getheaders()), data[: len(data) // 2] if kind == "cut" else data, len(data)
        )
        behind.close()

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - names of http.server

    def _send(self, status: int, headers: dict[str, str], data: bytes, length: int | None = None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in {"content-length", "transfer-encoding", "connection", "date", "server"}:
                self.send_header(name, value)
        head = headers.get("Content-Length") if self.command == "HEAD" else None
        self.send_header("Content-Length", head or str(len(data) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
        if length is not None and len(data) < length:
            self.close_connection = True


@contextmanager
def faulty_proxy(host: str, port: int) -> Iterator[Proxy]:
    """A proxy that runs while the context lasts."""
    proxy = Proxy()
    handler = type("Handler", (_Handler,), {"proxy": proxy, "behind": (host, port)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    proxy.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
