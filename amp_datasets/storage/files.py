"""Puts files in their place: by hard link where that goes, whole or not at all, and with an error of ours."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from amp_datasets.errors import BuildError
from amp_datasets.storage.remote import present
from amp_datasets.storage.swap import flush_folder

_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_COPIED_BYTES = 2**20
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)
_BINARY = getattr(os, "O_BINARY", 0)
_MARKED_BYTES = 1000


def write_failed(error: OSError, target: Path) -> BuildError:
    """A full disk or a target that must not be written, in words."""
    return BuildError(
        f"the file cannot be written: {error.strerror or error}",
        where=target,
        fix="free some space or choose another -o, and run it again: what is finished is kept",
    )


def hidden_fault(error: ValueError) -> OSError:
    """The system's error that a library's own clean-up hid: pyarrow closes its file, and datasets writes into it.

    Raises the error itself if there is none.
    """
    behind: BaseException | None = error
    while behind is not None and not isinstance(behind, OSError):
        behind = behind.__context__
    if behind is None:
        raise error
    return behind


def place_file(held: Path, target: Path, *, copy: bool = False) -> None:
    """The same file at another place: a hard link where the file system can, else a copy."""
    held = present(held)
    try:
        if not copy:
            try:
                os.link(held, target)
                return
            except FileExistsError:
                raise
            except OSError:  # another file system, or one without links
                pass
        with open(open_regular(held, follow=True), "rb") as stream, target.open("wb") as copied:
            shutil.copyfileobj(stream, copied, _COPIED_BYTES)
    except OSError as error:
        raise write_failed(error, target) from error


def replace_file(target: Path, data: bytes, drafts: Path) -> None:
    """A file that takes its name when it is whole, also where another process writes the same one; not flushed.

    It grows in the folder `drafts` of the same file system. Raises OSError.
    """
    draft = drafts / secrets.token_hex(12)
    draft.write_bytes(data)
    draft.replace(target)


def replace_by_link(held: Path, target: Path, drafts: Path) -> None:
    """As `place_file`, also where another process puts the same file there."""
    draft = drafts / secrets.token_hex(12)
    place_file(held, draft)
    try:
        draft.replace(target)
    except OSError as error:
        raise write_failed(error, target) from error
    finally:
        draft.unlink(missing_ok=True)  # renamed to another name of the same file, a name stays


def write_file(target: Path, data: bytes | Iterable[bytes]) -> None:
    """A result on disk, whole or not at all: a new file that takes the name only when everything is flushed.

    Of one that is made in pieces no more than a piece is held.

    What stood there before stays until then. Neither a link nor another name of the old file (a hard link of a build's
    image, say) is ever written through. Raises BuildError if it cannot be written.
    """
    if not target.name:  # `.` or `/`
        raise write_failed(IsADirectoryError(errno.EISDIR, "it is a folder"), target)
    draft = target.with_name(f".{secrets.token_hex(8)}.amp-part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW | _BINARY, 0o666)
        with open(handle, "wb") as stream:  # noqa: PTH123 - of a descriptor
            stream.writelines([data] if isinstance(data, bytes) else data)
            stream.flush()
            os.fsync(stream.fileno())
        _refuse_special(target)
        draft.replace(target)
        flush_folder(target.parent)
    except OSError as error:
        raise write_failed(error, target) from error
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()


def write_new_files(files: Mapping[Path, bytes]) -> None:
    """Several results that belong together: all of them, or on an error or interruption none that was not there."""
    fresh = [path for path in files if not os.path.lexists(path)]
    try:
        for path, data in files.items():
            write_file(path, data)
    except BaseException:
        for path in fresh:
            with contextlib.suppress(OSError):
                path.unlink()
        raise


def _refuse_special(target: Path) -> None:
    """An OSError for folders, devices and pipes: a file with the name of `/dev/null` would take its place."""
    with contextlib.suppress(FileNotFoundError):
        mode = target.lstat().st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, "it is a folder", str(target))
        if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
            raise OSError(errno.EINVAL, "it is no regular file", str(target))


def replace_own(target: Path, data: bytes, mark: bytes, what: str) -> None:
    """As `write_file`, over nothing or over an older file that carries a mark of ours in its first or last bytes.

    Any other file is the user's: a BuildError says that it is no `what`, and it stays.
    """
    if os.path.lexists(target) and not _is_marked(target, mark):
        raise BuildError(f"there is a file that is no {what} of amp's", where=target, fix="choose another -o")
    write_file(target, data)


def _is_marked(path: Path, mark: bytes) -> bool:
    with contextlib.suppress(OSError), open(open_regular(path, follow=True), "rb") as stream:
        head = stream.read(_MARKED_BYTES)
        stream.seek(max(0, os.fstat(stream.fileno()).st_size - _MARKED_BYTES))
        return mark in head or mark in stream.read(_MARKED_BYTES)
    return False


def refuse_taken(target: Path, data: bytes) -> None:
    """A BuildError if something stands at a new file's place, unless it is that very file."""
    if os.path.lexists(target):
        with contextlib.suppress(OSError):
            if read_file(target, len(data)) == data:
                return
        raise BuildError("there is a file already, with other content", where=target, fix="choose another -o")


def open_regular(path: Path | str, *, follow: bool = False) -> int:
    """A descriptor of a regular file, for reading; OSError for devices, pipes, sockets, without waiting for them.

    A link is an error too, unless it may be followed (the hub's cache is made of links).
    """
    handle = os.open(path, os.O_RDONLY | _NO_WAIT | _BINARY | (0 if follow else _NO_FOLLOW))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    return handle


def read_file(path: Path, limit: int, *, follow: bool = False) -> bytes:
    """All bytes of a regular file with no more than `limit` of them; OSError otherwise."""
    with open(open_regular(path, follow=follow), "rb") as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"it has more than {limit} bytes", str(path))
    return data


def all_files(folder: Path) -> Iterator[str]:
    """The relative names of all files below a folder, links among them, one after the other."""
    pending = [""]
    while pending:
        below = pending.pop()
        with os.scandir(folder / below) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(f"{below}{entry.name}/")
                else:
                    yield below + entry.name


def file_sha256(path: Path, *, follow: bool = False) -> str:
    """sha256 of a regular file of any size; OSError for anything else."""
    with open(open_regular(path, follow=follow), "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
