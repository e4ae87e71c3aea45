"""The members of a zip archive: their names, and their bytes within limits; the archive is never unpacked."""

from __future__ import annotations

import functools
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from amp_datasets.errors import SourceError

MAX_UNPACKED_BYTES, MAX_RATIO = 64 * 2**20, 20
"""A member of an archive may unpack to so many bytes, or so many times its packed size: a hundredth is a bomb."""


def stream_member(archive: Path, member: str) -> BinaryIO:
    """A member to be read bit by bit and closed, however long it is."""
    try:
        return cast("BinaryIO", _open_zip(archive).open(member))
    except (KeyError, zipfile.BadZipFile, RuntimeError, NotImplementedError, ValueError) as error:
        raise SourceError(f"the archive's member cannot be read: {error}", where=f"{archive}!{member}") from error


def read_member(archive: Path, member: str, limit: int, *, whole: bool = True, fix: str | None = None) -> bytes:
    """The bytes of a member, or at most its first `limit` ones unless `whole`; a SourceError if there are too many."""
    where = f"{archive}!{member}"
    try:
        opened = _open_zip(archive)
        info = opened.getinfo(member)
        limit = min(limit, max(MAX_UNPACKED_BYTES, MAX_RATIO * info.compress_size))
        with opened.open(info) as stream:
            data = stream.read(limit + 1 if whole else limit)
    except (KeyError, zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, ValueError) as error:
        raise SourceError(f"the archive's member cannot be read: {error}", where=where) from error
    except MemoryError:
        raise
    except Exception as error:  # zlib, lzma and bz2 each have an error class of their own
        raise SourceError(f"the archive's member cannot be unpacked: {error}", where=where) from error
    if len(data) > limit:
        raise SourceError(f"the member unpacks to more than the limit of {limit} bytes", where=where, fix=fix)
    return data


def _open_zip(archive: Path) -> zipfile.ZipFile:
    """The opened archive; a forked process must not share its parent's file position, so each opens its own."""
    return _zip(archive, archive.stat().st_mtime_ns, os.getpid())


@functools.lru_cache(maxsize=8)
def _zip(archive: Path, mtime_ns: int, process: int) -> zipfile.ZipFile:  # noqa: ARG001 - part of the key
    try:
        return zipfile.ZipFile(archive)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError) as error:
        raise SourceError(
            "this file is neither a folder nor a zip archive", where=archive, fix="give the folder of the set, or a zip"
        ) from error


def zip_names(archive: Path) -> Iterator[tuple[str, str]]:
    """Our name and the archive's name of each member that is a visible file inside the archive's root."""
    for info in _open_zip(archive).infolist():
        name = info.filename.replace("\\", "/")
        parts = PurePosixPath(name).parts
        hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
        if parts and not name.endswith("/") and not hidden and not name.startswith("/"):
            yield name, info.filename
