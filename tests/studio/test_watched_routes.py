"""Every address of the studio over all that a stranger can put into a project, asked as no page asks."""

from __future__ import annotations

import itertools
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hostile_projects import SECRET, guarded, project
from small_builds import small_build
from strangers import forge
from studio_window import Running, running

from amp_datasets.plugin.discovery import load_registry
from amp_datasets.studio.app import Studio

Request = tuple[str, Any]
"""What comes behind a route's address, or in place of its parameters; and a body."""

TRIAL = {"generation": "{generation}", "index": 0, "name": "flip"}
RIGHT: dict[str, list[Request]] = {
    "GET /api/state": [("", None)],
    "GET /api/facets": [("", None)],
    "GET /api/findings": [("", None)],
    "GET /api/images": [("?name=.jpg&count=3", None)],
    "GET /api/images/{generation}/{index}": [("{generation}/0", None)],
    "GET /api/images/{generation}/{index}/shown": [("{generation}/0", None)],
    "GET /api/filters": [("", None)],
    "GET /api/harms": [("", None)],
    "GET /api/counts": [("", None)],
    "POST /api/try": [("", TRIAL)],
    "POST /api/file": [("", {**TRIAL, "name": "new", "kind": "mixes", "value": {"steps": ["flip"]}})],
    "GET /api/job": [("", None)],
    "POST /api/job": [("", {"kind": "build", "out": "built"})],
    "POST /api/job/stop": [("", None)],
    "GET /api/formats": [("", None)],
    "GET /api/result": [("?out={forged}", None), ("?out={linked}", None), ("?out={build}", None)],
    "GET /api/result/images": [("?spec=flip", None)],
    "GET /api/result/images/{number}": [("0", None)],
    "GET /api/result/images/{number}/shown": [("0", None)],
    "POST /api/result/images/{number}/again": [("0", None)],
    "POST /api/manifest": [("", {"text": "sources: [{set}]\nfilters: {flip: {}}\n"})],
    "POST /api/change": [("", {"path": ["seed"], "value": 11})],
    "POST /api/undo": [("", None)],
    "POST /api/redo": [("", None)],
    "POST /api/sources": [("", {"path": "{set}"})],
    "PUT /api/upload": [("?name=more.zip", b"PK\x05\x06" + bytes(18))],
}
"""What a page asks, by route, in an order in which each finds something. A new route must be named here."""

WORDS = (
    "", "0", "-1", "9" * 5000, "nan", "true", "..", "../../secret/me.jpg", "/etc/passwd", "~nobody-of-that-name/x",
    "a\0b", "\x1b]0;x\x07", "\u202e", "x" * 999, "x" * 5000, "hf://datasets/../..", "file:///etc/passwd", "\udcff",
    "con", "*" * 40,
)  # fmt: skip
VALUES: tuple[Any, ...] = (None, True, -1, 10**30, 1e308, "", [], {}, [[[]]], {"a": {"b": None}}, *WORDS)
DEEP = b'{"path": ["name"], "value": ' + b"[" * 900 + b"]" * 900 + b"}"
BODIES = (
    b"", b"{", b"\xff\xfe", b"null", b"[" * 100_000, DEEP, b'{"a": NaN}', b'{"text": "\\ud800"}', b"1" * 5000,
    b'"' + b"x" * 7 * 2**20 + b'"',
)  # fmt: skip
FOREIGN = (
    {"Host": "evil.example"},
    {"Host": "127.0.0.1:1"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Sec_Fetch_Site": "cross-site"},
)


def routes_of(studio: Studio) -> dict[str, Any]:
    """Every registered route by method and address, but for the files of the page."""
    found = {f"{m} {route.path}": route for route in studio.application.routes for m in sorted(route.methods)}
    return {name: route for name, route in found.items() if "/api/" in name or not name.startswith("GET ")}


def hostile_requests(route: Any) -> Iterator[tuple[str, Any]]:
    """Addresses and bodies that no page sends: each parameter and each field with each value that is wrong for it."""
    names = [parameter.name for parameter in route.dependant.path_params]
    plain = route.path.format(**dict.fromkeys(names, "0"))
    for name, word in itertools.product(names, WORDS):
        yield route.path.format(**{**dict.fromkeys(names, "0"), name: _quoted(word)}), None
    for parameter, word in itertools.product(route.dependant.query_params, WORDS):
        yield f"{plain}?{parameter.name}={_quoted(word)}", None
    if route.body_field is None:
        yield from ((plain, body) for body in BODIES[:3])
        return
    yield from ((plain, body) for body in BODIES)
    known = RIGHT[f"{next(iter(route.methods))} {route.path}"][0][1]
    for field, value in itertools.product(route.body_field.field_info.annotation.model_fields.values(), VALUES):
        name = field.alias or next(
            n for n, f in route.body_field.field_info.annotation.model_fields.items() if f is field
        )
        yield plain, {**known, name: value}


def _quoted(word: str) -> str:
    return quote(word.encode("utf-8", "surrogateescape"), safe="")


@pytest.fixture
def lent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Running, dict[str, str]]]:
    """A studio over a stranger's project, guarded and watched with what it starts; and what lies about."""
    home = project(tmp_path, "coco", climbing=False)
    places = {"set": str(home / "set"), "build": str(small_build(tmp_path / "mine", images=2))}
    for name in ("forged", "linked"):
        places[name] = str(small_build(tmp_path / name, images=2))
    forge(
        tmp_path / "forged" / "build", lambda rows: [row.update(file_name="../../../../secret/me.jpg") for row in rows]
    )
    for image in (tmp_path / "linked" / "build" / "images").rglob("*.jpg"):
        image.unlink()
        image.symlink_to(tmp_path / "secret" / "me.jpg")
    told = tmp_path / "told"
    told.mkdir()
    (told / "sitecustomize.py").write_text(
        f"import sys\nsys.path.append({str(Path(__file__).parents[1])!r})\nimport strangers\n"
        f"strangers.report_to({str(told / 'seen')!r}, {str(tmp_path / 'out')!r}, {os.environ['HF_HOME']!r})\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(told))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "out"))
    started = f"subprocess.Popen: {(sys.executable, [sys.executable, '-P', '-m', 'amp_datasets.studio.runner'])}"
    with guarded(tmp_path, home, monkeypatch, starts=started) as out:
        text = f"sources: [{places['set']}]\nfilters: {{flip: {{}}}}\n"
        with running(Studio(out / "amp.yaml", text, load_registry())) as window:
            window.studio.session.wait()
            yield window, places
    assert (told / "seen").read_text() == ""


def test_every_route_of_the_studio_is_watched(tmp_path: Path) -> None:
    """A new one has to be asked below, too."""
    studio = Studio(tmp_path / "amp.yaml", "sources: []\n", load_registry())
    studio.close()
    assert routes_of(studio).keys() == RIGHT.keys()


def test_the_routes_of_the_studio_write_and_start_nothing_else(
    lent: tuple[Running, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a page asks, with all that is wrong, and for others: no file outside, one kind of process, no accident."""
    window, places = lent
    routes, wrong = routes_of(window.studio), []
    for name in RIGHT:
        statuses = {_asked(window, name, *_filled(window, name, request, places)) for request in RIGHT[name]}
        assert 200 in statuses, (name, statuses)
        assert window.studio.jobs.wait()["state"] in {"none", "done"}, window.studio.jobs.state()
        window.studio.session.wait()
    monkeypatch.setattr(window.studio.jobs, "start", lambda job: {"job": job})  # a user may build wherever they like
    text = window.studio.session.document.text
    for name, route in routes.items():
        window.studio.session.document.replace(text)
        for asked, body in hostile_requests(route):
            try:
                _asked(window, name, asked, body)
            except AssertionError as error:
                wrong.append(str(error)[:300])
        for headers in FOREIGN:
            assert window.ask(name.split()[0], route.path.strip("/"), {}, **headers)[0] in {403, 421}, (name, headers)
    assert wrong == []


def _asked(window: Running, name: str, address: str, body: Any) -> int:
    status, _, data = window.ask(name.split()[0], address.strip("/"), body)
    assert status < 500, (name, address[:200], str(body)[:200], data)
    assert SECRET.encode() not in data
    assert b"Traceback" not in data
    return status


def _filled(window: Running, name: str, request: Request, places: dict[str, str]) -> Request:
    """A request with the numbers and places of now."""
    tail, body = request
    address = name.split()[1]
    known = {**places, "generation": str(window.studio.session.generation)}
    for word, value in known.items():
        tail = tail.replace(f"{{{word}}}", value)
    if "{" in address:  # the numbers in the order of the address, what follows them stays
        for part in tail.split("/"):
            start, end = address.index("{"), address.index("}")
            address = address[:start] + part + address[end + 1 :]
        tail = ""
    if isinstance(body, dict):
        text = json.dumps(body).replace('"{generation}"', known["generation"])
        body = json.loads(text.replace("{set}", places["set"]))
    return address + tail, body
