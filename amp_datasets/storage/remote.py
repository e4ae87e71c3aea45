"""Sets and builds on remote storage: `s3://`, `gs://`, `hf://` and whatever else fsspec knows, by way of a local copy.

The copy is a folder in our cache that has a remote folder's listing at once, its small files after that, and each image
when it is first read, by whoever reads it, in any process of any machine: the folder's path says where it comes from.
What has changed in the storage since is fetched again. Passing faults are tried again a few times; what stays is an
error that names the address.
"""

from __future__ import annotations

import errno
import functools
import json
import os
import re
import secrets
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, unquote

from amp_datasets.errors import SourceError, UnreadableError
from amp_datasets.storage.names import is_relative_name

SCHEMES = ("hf", "s3", "gs", "gcs", "az", "abfs", "adl", "r2", "oss")
TRIES = 5
FIRST_WAIT_S = 0.5
TIMEOUT_S = 60
THREADS = 16

_FOLDER = "amp-remote"
_OF_THE_HUB = ".gitattributes"
_ADDRESS = re.compile(rf"({'|'.join(SCHEMES)}):/+(.+)")
_FINAL = {errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR}
_CREDENTIALS = re.compile("credential|token|unauthorized|forbidden|access denied|signature", re.IGNORECASE)
_R = TypeVar("_R")


def address_of(path: str | Path) -> str | None:
    """The address that a path is, or None; also one that `Path` has taken a slash from."""
    match = _ADDRESS.fullmatch(os.fspath(path))
    return f"{match[1]}://{match[2].strip('/')}" if match else None


def named(path: str | Path) -> str:
    """What messages call a path: its address, if it is one."""
    return address_of(path) or str(path)


def local_path(path: str) -> str:
    """A path of this machine in place of a `file://` address; anything else as it is."""
    return unquote(path.removeprefix("file://")) if path.startswith("file:///") else path


class Store:
    """A remote folder: every call is tried again on passing faults, within limits. Errors are AmpErrors."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._root = address.partition("://")[2]

    def listing(self) -> dict[str, str]:
        """All files below it by relative name, each with what tells its content from any other."""
        self._files.invalidate_cache()
        found = self._patiently(lambda: self._files.find(self._root, detail=True), self.address)
        prefix = f"{self._root}/"
        return {
            name.removeprefix(prefix): _state(info)
            for name, info in found.items()
            if name.startswith(prefix) and info["type"] == "file" and name != prefix + _OF_THE_HUB
        }

    def read(self, name: str) -> bytes:
        """The bytes of a file."""
        where = f"{self.address}/{name}"
        return bytes(self._patiently(lambda: self._files.cat_file(f"{self._root}/{name}"), where))

    def write(self, name: str, source: Path) -> None:
        """Put a file of this machine there, whole or not at all."""
        where = f"{self.address}/{name}"
        self._patiently(lambda: self._files.put_file(str(source), f"{self._root}/{name}"), where)

    def copy(self, name: str, target: str) -> None:
        """The same file under another name, without a way through this machine."""
        self._patiently(
            lambda: self._files.cp_file(f"{self._root}/{name}", f"{self._root}/{target}"), f"{self.address}/{target}"
        )

    def remove(self, names: Collection[str]) -> None:
        """Remove files; those that are gone already are no error."""
        for name in names:
            try:
                self._patiently(
                    functools.partial(self._files.rm_file, f"{self._root}/{name}"), f"{self.address}/{name}"
                )
            except SourceError as error:
                if isinstance(error, UnreadableError):
                    raise

    @property
    def _files(self) -> Any:
        return _file_system(self.address.partition("://")[0], os.getpid())

    def _patiently(self, action: Callable[[], _R], where: str) -> _R:
        for attempt in range(TRIES):
            try:
                return action()
            except Exception as error:  # each storage has error classes of its own
                if attempt == TRIES - 1 or _is_final(error):
                    raise _explained(error, where, attempt + 1) from error
            time.sleep(FIRST_WAIT_S * 2**attempt)
        raise AssertionError


@functools.lru_cache(maxsize=8)
def _file_system(scheme: str, process: int) -> Any:  # noqa: ARG001 - a forked process must not share its parent's
    import fsspec

    options: dict[str, Any] = {}
    if scheme == "s3":
        options = {"config_kwargs": {"connect_timeout": 10, "read_timeout": TIMEOUT_S, "retries": {"max_attempts": 0}}}
    try:
        files = fsspec.filesystem(scheme, skip_instance_cache=True, **options)
        if scheme == "s3":
            files.retries = 1  # or five tries of its own for each of ours: a silent storage would be waited for an hour
        return files
    except (ImportError, ValueError) as error:
        fix = f"pip install 'amp-datasets[{scheme}]'" if scheme in {"s3", "gs"} else "install its fsspec library"
        raise SourceError(f"{scheme}:// cannot be read: {error}", fix=fix) from error


def _is_final(error: Exception) -> bool:
    """Whether trying again would change nothing: no rights, nothing there."""
    if isinstance(error, SourceError | PermissionError | FileNotFoundError | NotADirectoryError):
        return True
    return (isinstance(error, OSError) and error.errno in _FINAL) or "Credentials" in type(error).__name__


def _explained(error: Exception, where: str, tries: int) -> SourceError:
    if isinstance(error, SourceError):
        return error
    told = (str(error) or type(error).__name__).splitlines()[0]
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return SourceError(f"there is nothing here: {told}", where=where, fix="check the bucket and the path")
    if isinstance(error, PermissionError) or _CREDENTIALS.search(f"{type(error).__name__} {told}"):
        fix = "log in to the storage, or set its credentials (AWS_ACCESS_KEY_ID, HF_TOKEN and so on)"
        return UnreadableError(f"the storage refuses: {told}", where=where, fix=fix)
    what = f"the storage does not answer as it should ({tries} tries): {told}"
    return UnreadableError(what, where=where, fix="run it again when it does: finished work is kept")


def _state(info: Mapping[str, Any]) -> str:
    known = next(
        (str(info[key]) for key in ("ETag", "etag", "md5Hash", "content_md5", "blob_id") if info.get(key)), None
    )
    return known or f"{info.get('size')} {info.get('LastModified') or info.get('mtime') or info.get('created')}"


class LocalCopy:
    """The local copy of a remote folder. `names` are all of its files, whether they are here yet or not."""

    def __init__(self, address: str, *, at_once: Callable[[str], bool]) -> None:
        """List it, forget what has changed, and fetch the files for which `at_once` says so."""
        self.address = address
        self.root = cache() / quote(address, safe="")
        listed = Store(address).listing()
        if not listed:
            raise SourceError("there is nothing here", where=address, fix="check the bucket and the path")
        states = {name: state for name, state in listed.items() if is_relative_name(name)}
        self.names = frozenset(states)
        self._forget_changed(states)
        self.fetch(name for name in self.names if at_once(name))

    def fetch(self, names: Iterable[str]) -> None:
        """Have these files here."""
        missing = [name for name in names if not (self.root / name).exists()]
        with ThreadPoolExecutor(THREADS) as pool:
            for _ in pool.map(lambda name: fetch(self.root / name), missing):
                pass

    def _forget_changed(self, states: Mapping[str, str]) -> None:
        """Remove what is here of an earlier state, and note the present one beside the folder."""
        note = self.root.with_name(f"{self.root.name}.json")
        try:
            known: Mapping[str, str] = json.loads(note.read_bytes())
        except (OSError, ValueError):
            known = {}
        self.root.mkdir(parents=True, exist_ok=True)
        for folder, _, files in os.walk(self.root):
            for path in (Path(folder, file) for file in files):
                name = path.relative_to(self.root).as_posix()
                if name not in states or known.get(name) != states[name]:
                    path.unlink()
        draft = note.with_name(f".{secrets.token_hex(8)}")
        draft.write_text(json.dumps(states), encoding="utf-8")
        draft.replace(note)


def here(path: str | Path, *, whole: bool, apart: tuple[str, ...] = ()) -> Path:
    """A folder of this machine for a path or address: of a remote one its local copy.

    That is the `whole` folder, or all but the files with endings `apart`, which are fetched when they are read.
    """
    address = address_of(path)
    if address is None:
        return Path(local_path(path)) if isinstance(path, str) else path
    return LocalCopy(address, at_once=lambda name: whole or not name.lower().endswith(apart)).root


def cache() -> Path:
    """The folder of all local copies."""
    base = os.environ.get("HF_DATASETS_CACHE") or os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface"
    return Path(base) / _FOLDER


def present(path: Path) -> Path:
    """The path, whose file is fetched now if it is one of a local copy that is not here yet."""
    if _FOLDER in os.fspath(path) and _FOLDER in path.parts and not path.exists():
        fetch(path)
    return path


def fetch(path: Path) -> None:
    """Have a file of a local copy here, if it is not yet; SourceError or UnreadableError if the storage fails."""
    parts = path.parts
    at = len(parts) - 1 - parts[::-1].index(_FOLDER)
    data = Store(unquote(parts[at + 1])).read("/".join(parts[at + 2 :]))
    draft = path.with_name(f".{secrets.token_hex(8)}.amp-part")
    path.parent.mkdir(parents=True, exist_ok=True)
    draft.write_bytes(data)
    draft.replace(path)
