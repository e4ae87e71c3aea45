"""Who gets nothing: requests without the token, for another host, from another site, for files that nobody named."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from studio_window import Running, make_studio, running

from amp_datasets.studio.jobs import Jobs
from amp_datasets.studio.routes import sets
from amp_datasets.studio.security import hosts_of


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory, demo_folder: Path) -> Iterator[Running]:
    """A studio over the small set."""
    folder = tmp_path_factory.mktemp("studio")
    with running(make_studio(folder, f"sources: [{demo_folder}]\nfilters: {{flip: }}\n")) as found:
        found.studio.session.wait()
        yield found


@pytest.mark.parametrize("token", ["", "wrong", "x" * 43, "../", "%00", "%C3%BC"])
def test_without_the_token_there_is_nothing(window: Running, token: str) -> None:
    """Neither the page nor what it asks for; a token that is almost right is as wrong."""
    almost = window.token[:-1] + ("A" if window.token[-1] != "A" else "B")
    for given in (token, almost):
        for address in ("", "api/state", "app.js"):
            assert window.ask("GET", f"/{given}/{address}")[0] in {400, 403}


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example:{port}", ""])
def test_another_host_gets_nothing(window: Running, host: str) -> None:
    """A name that was made to mean this machine (DNS rebinding) is not ours."""
    status, _, data = window.ask("GET", "api/state", Host=host.format(port=window.port))
    assert (status, b"token" in data) == (421, False)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "https://127.0.0.1:{port}"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_the_page_of_another_site_gets_nothing(window: Running, headers: dict[str, str]) -> None:
    """Even with the token in its hands."""
    given = {name: value.format(port=window.port) for name, value in headers.items()}
    assert window.ask("POST", "api/undo", {}, **given)[0] == 403
    assert window.ask("GET", "api/state", **given)[0] == 403


def test_our_own_page_is_answered_and_sealed(window: Running) -> None:
    """With the headers that keep other sites and foreign scripts out, and the token inside."""
    status, headers, _ = window.ask(
        "GET", "api/state", Origin=f"http://127.0.0.1:{window.port}", Sec_Fetch_Site="same-origin"
    )
    assert status == 200
    for address in ("", "app.js", "api/state", "api/nothing"):
        headers = window.ask("GET", address)[1]
        assert "script-src 'self'" in headers["content-security-policy"]
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers
    assert window.ask("GET", "docs")[0] == window.ask("GET", "openapi.json")[0] == 404


@pytest.mark.parametrize(
    "address",
    [
        "../../../../etc/passwd",
        "%2e%2e/%2e%2e/etc/passwd",
        "..%2f..%2fetc%2fpasswd",
        "//etc/passwd",
        "static/../security.py",
        "security.py",
        "__init__.py",
        "amp.yaml",
        "api/images/1/../../../../etc/passwd/shown",
        "api/images/1/-1/shown",
        "api/images/1/100000/shown",
        "api/images/0/0/shown",
        "api/result/images/0/shown",
    ],
)
def test_no_address_leads_to_a_file(window: Running, address: str) -> None:
    """Images are asked for by number; there is no address with a path in it."""
    status, _, data = window.ask("GET", address)
    assert status in {400, 403, 404, 409, 422}
    assert b"root:" not in data
    assert b"import" not in data


@pytest.mark.parametrize(
    "name", ["../x.zip", "a/b.zip", "/etc/x.zip", ".x.zip", "x.exe", "", "x.zip/..", "a\\b.zip", "c:x.zip", "x\n.zip"]
)
def test_an_upload_stays_in_its_folder(window: Running, name: str) -> None:
    """Only a plain name of a zip is taken, and nothing is written for any other."""
    from urllib.parse import quote

    folder = window.studio.session.document.path.parent
    before = sorted(folder.rglob("*"))
    status, _, _ = window.ask("PUT", f"api/upload?name={quote(name, safe='')}", b"PK\x03\x04")
    assert status == 422
    assert sorted(folder.rglob("*")) == before


def test_an_upload_is_bounded(window: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is too large, empty or no zip leaves nothing behind, and does not come into the manifest."""
    monkeypatch.setattr(sets, "MAX_UPLOAD_BYTES", 1000)
    folder = window.studio.session.document.path.parent
    text = window.studio.session.document.text
    for data in (b"PK" + bytes(5000), b"", b"GIF89a", b"P"):
        assert window.ask("PUT", "api/upload?name=big.zip", data)[0] == 422
    assert list(folder.rglob("*.zip")) + list(folder.rglob("*.part")) == []
    assert window.studio.session.document.text == text


@pytest.mark.parametrize(
    "body",
    [
        {"path": [], "value": 1},
        {"path": ["x"] * 9},
        {"path": ["name"], "value": 1, "more": 2},
        {"path": "name", "value": "x"},
        [],
        None,
        "x",
    ],
)
def test_a_body_is_what_is_expected(window: Running, body: Any) -> None:
    """Anything else is refused, and changes nothing."""
    text = window.studio.session.document.text
    assert window.ask("POST", "api/change", body)[0] == 422
    assert window.studio.session.document.text == text


@pytest.mark.parametrize(("header", "status"), [("Content-Length: 8388609", 413), ("Transfer-Encoding: chunked", 411)])
def test_a_body_is_bounded(window: Running, header: str, status: int) -> None:
    """By its length, before any of it is read; one that does not say its length is not read either."""
    with socket.create_connection(("127.0.0.1", window.port), 10) as connection:
        head = f"POST /{window.token}/api/manifest HTTP/1.1\r\nHost: 127.0.0.1:{window.port}\r\n{header}\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(f"HTTP/1.1 {status}".encode())


def test_work_beside_the_page_takes_no_code_of_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shell may stand in a stranger's project when the studio is started, whatever its files are called."""
    for name in ("cv2.py", "signal.py", "yaml.py", "amp_datasets/__init__.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"open({str(tmp_path / 'victim')!r}, 'w')\nraise SystemExit\n")
    monkeypatch.chdir(tmp_path)
    jobs = Jobs()
    jobs.start({"kind": "build", "manifest": "amp.yaml", "out": "build", "plugin_dirs": []})
    assert jobs.wait()["problems"][0]["what"] == "the manifest is missing"
    assert not (tmp_path / "victim").exists()


def test_nothing_of_a_manifest_is_executed(window: Running) -> None:
    """Tags, code and plugins by path are refused like any other mistake."""
    for text in ("name: !!python/object/apply:os.system [id]\n", "plugin_dirs: [/tmp]\n", "requires: [../x.py]\n"):
        assert window.ask("POST", "api/manifest", {"text": text})[0] == 422


def test_hosts_are_those_of_the_address() -> None:
    """On this machine by both of its names; anywhere else by the address alone."""
    assert hosts_of("127.0.0.1", 5) == ["127.0.0.1:5", "localhost:5"]
    assert hosts_of("10.0.0.7", 5) == ["10.0.0.7:5"]
    assert hosts_of("::1", 5) == ["[::1]:5"]
