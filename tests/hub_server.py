"""A hub on this machine, in the standard library: what `huggingface_hub` and `datasets` ask of one to push and load."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = "hf_dummyTokenThatNobodyMayEverSee"
LFS_SUFFIXES = (".parquet", ".jpg", ".jpeg", ".png", ".arrow")


@dataclass
class Repo:
    """A dataset: its files at every commit."""

    name: str
    private: bool
    commits: list[dict[str, bytes]] = field(default_factory=lambda: [{}])

    def sha(self, number: int = -1) -> str:
        """The name of a commit."""
        index = len(self.commits) + number if number < 0 else number
        return hashlib.sha1(f"{self.name}{index}".encode()).hexdigest()

    def files(self, revision: str) -> dict[str, bytes]:
        """The files at a branch or commit."""
        shas = {self.sha(i): i for i in range(len(self.commits))}
        return self.commits[shas.get(revision, -1)]


@dataclass
class Hub:
    """The state of the server, for tests to look at and to break."""

    url: str = ""
    repos: dict[str, Repo] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    faults: list[tuple[str, int]] = field(default_factory=list)
    """A part of a request line, and the status that the next such request gets."""
    uploads_left: int | None = None
    """So many more objects are taken, then uploads are forbidden; None: all."""
    on_upload: Callable[[int], None] | None = None
    """Called for every upload before it is stored, with how many have come by then."""
    uploads: int = 0


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        return

    def do_GET(self) -> None:
        self._answer()

    do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815 - names of http.server

    def _answer(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            self.body = b"".join(self._chunks())
        path = unquote(urlsplit(self.path).path)
        line = f"{self.command} {path}"
        self.hub.requests.append(line)
        self.hub.tokens.add(self.headers.get("Authorization") or "")
        for fault in self.hub.faults:
            if fault[0] in line:
                self.hub.faults.remove(fault)
                self._json({"error": "made by the test"}, fault[1])
                return
        for pattern, method in _ROUTES:
            match = re.fullmatch(pattern, line)
            if match:
                method(self, **match.groupdict())
                return
        self._missing("Entry")

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().strip() or b"0", 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _send(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _json(self, value: Any, status: int = 200, **headers: str) -> None:
        self._send(status, json.dumps(value).encode(), {"Content-Type": "application/json", **headers})

    def _missing(self, what: str) -> None:
        self._json({"error": f"{what} not found"}, 404, **{"X-Error-Code": f"{what}NotFound"})

    def create(self) -> None:
        asked = json.loads(self.body)
        name = f"{asked['organization']}/{asked['name']}" if asked.get("organization") else f"me/{asked['name']}"
        url = f"{self.hub.url}/datasets/{name}"
        if name in self.hub.repos:
            self._json({"error": "You already created this dataset repo", "url": url}, 409)
            return
        private = bool(asked.get("private")) or asked.get("visibility") == "private"
        self.hub.repos[name] = Repo(name, private)
        self._json({"url": url, "name": name})

    def info(self, repo: str, rev: str | None = None) -> None:
        found = self.hub.repos.get(repo)
        if found is None:
            self._missing("Repo")
            return
        names = [{"rfilename": name} for name in found.files(rev or "main")]
        self._json({"id": repo, "sha": found.sha(), "private": found.private, "siblings": names, "tags": []})

    def preupload(self, repo: str, rev: str) -> None:
        del repo, rev
        files = [
            {
                "path": file["path"],
                "uploadMode": "lfs" if file["path"].endswith(LFS_SUFFIXES) else "regular",
                "shouldIgnore": False,
                "oid": None,
            }
            for file in json.loads(self.body)["files"]
        ]
        self._json({"files": files})

    def batch(self, repo: str) -> None:
        del repo
        objects = []
        for item in json.loads(self.body)["objects"]:
            upload = {"upload": {"href": f"{self.hub.url}/lfs/{item['oid']}", "header": {}}}
            objects.append({**item, **({} if item["oid"] in self.hub.objects else {"actions": upload})})
        self._json({"transfer": "basic", "objects": objects})

    def put(self, oid: str) -> None:
        assert hashlib.sha256(self.body).hexdigest() == oid
        assert not self.headers.get("Authorization")
        self.hub.uploads += 1
        if self.hub.on_upload is not None:
            self.hub.on_upload(self.hub.uploads)
        if self.hub.uploads_left is not None:
            self.hub.uploads_left -= 1
            if self.hub.uploads_left < 0:
                self._json({"error": "made by the test"}, 403)
                return
        self.hub.objects[oid] = self.body
        self._json({})

    def commit(self, repo: str, rev: str) -> None:
        found = self.hub.repos[repo]
        files = dict(found.files(rev))
        for line in self.body.splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                files[value["path"]] = self.hub.objects[value["oid"]]
            elif entry["key"] == "deletedFile":
                del files[value["path"]]
        found.commits.append(files)
        url = f"{self.hub.url}/datasets/{repo}/commit/{found.sha()}"
        self._json({"commitUrl": url, "commitOid": found.sha(), "success": True})

    def tree(self, repo: str, rev: str, folder: str | None = None) -> None:
        files = self.hub.repos[repo].files(rev)
        prefix = f"{folder}/" if folder else ""
        inside = {name: data for name, data in files.items() if name.startswith(prefix)}
        if folder and not inside:
            self._missing("Entry")
            return
        deep = "recursive=true" in self.path.lower()
        entries = {name: _entry(name, data) for name, data in inside.items() if deep or "/" not in name[len(prefix) :]}
        for name in inside:
            parts = name[len(prefix) :].split("/")[:-1]
            for depth in range(1, len(parts) + 1 if deep else min(2, len(parts) + 1)):
                path = prefix + "/".join(parts[:depth])
                entries[path] = {"type": "directory", "path": path, "oid": "0" * 40, "size": 0}
        self._json(sorted(entries.values(), key=lambda entry: entry["path"]))

    def paths(self, repo: str, rev: str) -> None:
        files = self.hub.repos[repo].files(rev)
        wanted = json.loads(self.body)["paths"]
        self._json([_entry(name, files[name]) for name in wanted if name in files])

    def resolve(self, repo: str, rev: str, name: str) -> None:
        found = self.hub.repos.get(repo)
        if found is None or name not in found.files(rev):
            self._missing("Repo" if found is None else "Entry")
            return
        data = found.files(rev)[name]
        tag = f'"{hashlib.sha256(data).hexdigest()}"'
        headers = {"X-Repo-Commit": found.sha(), "ETag": tag, "Accept-Ranges": "bytes"}
        if name.endswith(LFS_SUFFIXES):
            headers |= {"X-Linked-Etag": tag, "X-Linked-Size": str(len(data))}
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if asked is None:
            self._send(200, data, headers)
            return
        start, end = int(asked[1]), int(asked[2] or len(data) - 1)
        headers["Content-Range"] = f"bytes {start}-{min(end, len(data) - 1)}/{len(data)}"
        self._send(206, data[start : end + 1], headers)

    def yaml(self) -> None:
        self._json({"errors": [], "warnings": []})


def _entry(name: str, data: bytes) -> dict[str, Any]:
    entry = {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
    if name.endswith(LFS_SUFFIXES):
        entry["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
    return entry


_REPO = r"(?P<repo>[^/]+/[^/]+)"
_ROUTES: list[tuple[str, Any]] = [
    (r"POST /api/repos/create", _Handler.create),
    (r"POST /api/validate-yaml", _Handler.yaml),
    (rf"(?:GET|HEAD) /api/datasets/{_REPO}", _Handler.info),
    (rf"(?:GET|HEAD) /api/datasets/{_REPO}/revision/(?P<rev>[^/]+)", _Handler.info),
    (rf"POST /api/datasets/{_REPO}/preupload/(?P<rev>[^/]+)", _Handler.preupload),
    (rf"POST /api/datasets/{_REPO}/commit/(?P<rev>[^/]+)", _Handler.commit),
    (rf"POST /api/datasets/{_REPO}/paths-info/(?P<rev>[^/]+)", _Handler.paths),
    (rf"GET /api/datasets/{_REPO}/tree/(?P<rev>[^/]+)(?:/(?P<folder>.+))?", _Handler.tree),
    (rf"POST /datasets/{_REPO}\.git/info/lfs/objects/batch", _Handler.batch),
    (r"PUT /lfs/(?P<oid>\w+)", _Handler.put),
    (rf"(?:GET|HEAD) /datasets/{_REPO}/resolve/(?P<rev>[^/]+)/(?P<name>.+)", _Handler.resolve),
]


@contextmanager
def hub_server() -> Iterator[Hub]:
    """A running hub; it ends with the context."""
    hub = Hub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def python(
    hub: Hub, home: Path, code: str, *arguments: object, token: str | None = TOKEN, started: list[int] | None = None
) -> Any:
    """Run code in a process whose hub is the one on this machine."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING"))}
    settings = {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "NO_PROXY": "127.0.0.1",
        "TMPDIR": str(home),
        **({"HF_TOKEN": token} if token else {}),
    }
    command = [sys.executable, "-c", code, *map(str, arguments)]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=kept | settings, cwd=home, **pipes) as process:
        if started is not None:
            started.append(process.pid)
        try:
            said = process.communicate(timeout=180)
        finally:
            process.kill()
    return subprocess.CompletedProcess(command, process.returncode, *said)
