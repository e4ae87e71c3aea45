"""Who may talk to the studio: the window that was opened with its address, on this machine, and nobody else.

A page of another site can send requests to 127.0.0.1, and a name that its owner controls can be made to mean this
machine (DNS rebinding). So each request needs the secret first part of the address, the host name under which we serve,
and, where a browser says from which page a request comes, ours.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
        b"frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    (b"referrer-policy", b"no-referrer"),  # the address holds the token
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
MAX_BODY_BYTES = 8 * 2**20
"""What a page sends, a manifest of 1 MiB with every letter escaped; only an upload, which is counted, may be larger."""
_UPLOAD = "/api/upload"
_CHANGING = {"POST", "PUT", "PATCH", "DELETE"}


def new_token() -> str:
    """A secret of 32 random bytes, as letters that an address can hold."""
    return secrets.token_urlsafe(32)


class Guard:
    """Lets through what comes with the token, to one of our hosts, and from our own page; answers the rest itself."""

    def __init__(self, application: Application, token: str, hosts: Iterable[str]) -> None:
        self._application = application
        self._token = token
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await _answer(send, *refusal)
            return
        prefix = f"/{self._token}"
        inner = {**scope, "path": scope["path"].removeprefix(prefix) or "/", "root_path": prefix}
        inner["raw_path"] = inner["path"].encode()

        async def sealed(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), *_HEADERS]}
            await send(message)

        await self._application(inner, receive, sealed)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        if scope["type"] != "http":
            return 403, "the studio speaks HTTP only"
        headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
        hosts = [value.lower() for name, value in headers if name == "host"]
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            return 421, "this is not the host that the studio serves; use the address that it printed"
        given = scope["path"].partition("/")[2].partition("/")[0]
        if not secrets.compare_digest(given.encode("utf-8", "replace"), self._token.encode()):
            return 403, "the address lacks the studio's token; use the one that it printed"
        origins = [value.lower() for name, value in headers if name == "origin"]
        if any(origin not in {f"http://{host}" for host in hosts} for origin in origins):
            return 403, "this request comes from the page of another site"
        sites = {value.lower() for name, value in headers if name == "sec-fetch-site"}
        if sites - {"same-origin", "none"} or (scope["method"] in _CHANGING and "none" in sites):
            return 403, "this request comes from the page of another site"
        return None if scope["path"].endswith(f"{given}{_UPLOAD}") else _too_large(dict(headers))


def hosts_of(address: str, port: int) -> list[str]:
    """The `Host` headers under which a server at this address may be asked."""
    names = {address, "127.0.0.1", "localhost"} if address in {"127.0.0.1", "localhost"} else {address}
    return [f"[{name}]:{port}" if ":" in name else f"{name}:{port}" for name in sorted(names)]


def _too_large(headers: dict[str, str]) -> tuple[int, str] | None:
    """Why a body is not read; its length is what the server holds it to."""
    if "transfer-encoding" in headers:
        return 411, "a request says how long it is"
    if len(headers.get("content-length", "")) > len(str(MAX_BODY_BYTES)) or (
        int(headers.get("content-length") or 0) > MAX_BODY_BYTES
    ):
        return 413, f"a request has at most {MAX_BODY_BYTES // 2**20} MiB"
    return None


async def _answer(send: Send, status: int, text: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), *_HEADERS]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": f"{text}\n".encode()})
