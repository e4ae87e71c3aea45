"""Starts the studio on this machine, and ends it with everything that it runs."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from amp_datasets.building.inputs import is_set
from amp_datasets.errors import AmpError, BuildError
from amp_datasets.manifest.dump import name_after
from amp_datasets.manifest.model import is_address

LOCAL = "127.0.0.1"
_TEXT = """\
# Made with `amp studio`; `amp build {file}` makes the same.
name: {name}
seed: 7
sources: {sources}
splits: auto      # the set's own; where it has none, 80 / 10 / 10 percent of its images
augment: [train]  # which splits get variants
originals: true   # the untouched images too

filters: {{}}
"""


def serve(
    target: str | None = None,
    *,
    host: str = LOCAL,
    port: int = 8765,
    open_window: bool = True,
    plugin_dirs: Sequence[str | Path] = (),
    said: Callable[[str], None] = print,
) -> None:
    """Serve the studio for a manifest or a set until Ctrl-C; `said` is told the address. Raises AmpError.

    Without a target it opens `amp.yaml` of the current folder, or begins a new manifest there. If the port is taken, a
    free one is used.
    """
    try:
        import uvicorn

        from amp_datasets.studio.app import Studio
        from amp_datasets.studio.security import Guard, hosts_of, new_token
    except ImportError as error:
        raise AmpError(f"the studio needs {error.name}", fix="pip install 'amp-datasets[studio]'") from error
    from amp_datasets.plugin.discovery import load_registry

    folders = tuple(Path(folder) for folder in plugin_dirs)
    path, text = _opened(target)
    registry = load_registry(folders)
    listening = _listen(host, port)
    port = int(listening.getsockname()[1])
    token = new_token()
    studio = Studio(path, text, registry, folders)
    try:
        address = f"http://{f'[{host}]' if ':' in host else host}:{port}/{token}/"
        if host != LOCAL:
            said("note: other machines can reach this page; whoever has its address can read and write your sets")
        said(address)
        if open_window:
            with contextlib.suppress(webbrowser.Error):
                webbrowser.open(address)
        guard: Any = Guard(studio.application, token, hosts_of(host, port))
        config = uvicorn.Config(guard, log_level="warning", server_header=False, access_log=False, lifespan="off")
        uvicorn.Server(config).run(sockets=[listening])
    finally:
        studio.close()
        listening.close()


def _opened(target: str | None) -> tuple[Path, str]:
    """The manifest's path, and the text that it has until it is there."""
    if target is None:
        return Path("amp.yaml").absolute(), starter_text(None, Path("amp.yaml"))
    if is_set(target):
        place = _free(target)
        return place.absolute(), starter_text(target, place)
    if not Path(target).exists():
        raise AmpError("there is no such manifest or set", where=target, fix="check the path")
    return Path(target).absolute(), ""


def starter_text(source: str | None, place: Path) -> str:
    """A new manifest's text, for a set or for none yet."""
    if source is None:
        return _TEXT.format(file=place.name, name=name_after(Path.cwd()), sources="[]")
    named = source if is_address(source) else Path(os.path.relpath(source, place.absolute().parent)).as_posix()
    name = name_after(Path(source.removesuffix(".zip")))
    return _TEXT.format(file=place.name, name=json.dumps(name), sources=json.dumps([named], ensure_ascii=False))


def _free(source: str) -> Path:
    """Where a set's new manifest goes: never over another, nor among the images."""
    here, folder = Path.cwd(), Path(source).resolve()
    inside = folder.is_dir() and (here == folder or folder in here.parents)
    base = folder.parent if inside and not is_address(source) else here
    name = name_after(Path(source.removesuffix(".zip")))
    for candidate in ("amp.yaml", f"{name}.yaml", *(f"{name}-{number}.yaml" for number in range(2, 1000))):
        if not (base / candidate).exists():
            return base / candidate
    raise BuildError("every name for a manifest is taken", where=base, fix="give a manifest instead of a set")


def _listen(host: str, port: int) -> socket.socket:
    """A socket at this port, or at a free one. Raises AmpError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for wanted in (port, 0):
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, wanted))
        except OSError as error:
            listening.close()
            if not wanted:
                raise AmpError(f"nothing can listen there: {error.strerror or error}", where=host) from error
            continue
        return listening
    raise AmpError("no port is free", where=host)
