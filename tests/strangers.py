"""Folders as a stranger would ship them: consistent in themselves to the last digest, and hostile."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from amp_datasets.variants.recipe import digest

Rows = list[dict[str, Any]]


def forge(
    build: Path,
    rows: Callable[[Rows], object] = lambda _: None,
    lock: Callable[[dict[str, Any]], object] = lambda _: None,
) -> Path:
    """Change a build's ledger and lock, and seal it again, so that nothing shows that it was changed."""
    path = build / "ledger.parquet"
    table = pq.read_table(path)
    found = table.to_pylist()
    rows(found)
    path.unlink()  # it may share its bytes with another build
    pq.write_table(type(table).from_pylist(found, schema=table.schema), path)
    return seal_again(build, lock)


def seal_again(build: Path, lock: Callable[[dict[str, Any]], object] = lambda _: None) -> Path:
    """Give a lock the digests of the files as they are now, and its own."""
    document = json.loads((build / "amp.lock.json").read_text(encoding="utf-8"))
    for name in document["files"]:
        if (build / name).is_file():
            document["files"][name] = hashlib.sha256((build / name).read_bytes()).hexdigest()
    lock(document)
    document.pop("lock_digest")
    document["lock_digest"] = digest(document)
    text = json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
    (build / "amp.lock.json").unlink()
    (build / "amp.lock.json").write_text(text, encoding="utf-8")
    return build


_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = {"os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.chmod"}
_PROCESSES = ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.spawn", "os.system")
_LOOKING: list[tuple[tuple[Path, ...], list[str]]] = []


@contextlib.contextmanager
def watched(*allowed: Path) -> Iterator[list[str]]:
    """Every file opened for writing or changed outside of these places, and every process that is started."""
    seen: list[str] = []
    places = tuple(place.resolve() for place in allowed)
    if not _LOOKING:
        sys.addaudithook(_look)
    _LOOKING.append((places, seen))
    try:
        yield seen
    finally:
        _LOOKING[-1] = ((), [])  # a hook stays for ever; from now on nobody listens


def report_to(file: str, *allowed: str) -> None:
    """Write all that `watched` would have seen into a file, in a process of its own and those that it becomes."""
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    class Written(list[str]):
        def append(self, line: str) -> None:
            os.write(handle, f"{line}\n".encode())

    _LOOKING.append((tuple(Path(place).resolve() for place in allowed), Written()))
    sys.addaudithook(_look)


def _look(event: str, arguments: tuple[Any, ...]) -> None:
    places, seen = _LOOKING[-1]
    if not places:
        return
    if event.startswith(_PROCESSES):
        seen.append(f"{event}: {arguments[:2]}")
    elif event == "open" and not isinstance(arguments[0], int):
        mode, flags = arguments[1], arguments[2] or 0
        if (isinstance(mode, str) and set(mode) & set("wax+")) or (mode is None and flags & _WRITES):
            _note(seen, places, event, arguments[0])
    elif event in _CHANGES:
        names = {"os.rename": arguments[:2], "os.link": arguments[1:2], "os.symlink": arguments[1:2]}
        folder = arguments[1] if event in {"os.remove", "os.rmdir"} else -1
        base = Path(f"/proc/self/fd/{folder}").resolve() if isinstance(folder, int) and folder >= 0 else Path()
        for name in names.get(event, arguments[:1]):
            _note(seen, places, event, base / os.fsdecode(name))


def _note(seen: list[str], places: tuple[Path, ...], event: str, name: Any) -> None:
    path = Path(os.path.realpath(os.fsdecode(name)))
    if not any(path.is_relative_to(place) for place in places) and not str(path).startswith(("/dev/", "/proc/")):
        seen.append(f"{event}: {path}")
