"""A set's files, read the same way from a folder and from a zip archive that is never unpacked."""

from __future__ import annotations

import copy
import errno
import functools
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from amp_datasets.errors import SourceError, UnreadableError
from amp_datasets.model import ImageFile
from amp_datasets.storage.files import open_regular
from amp_datasets.storage.members import read_member, stream_member, zip_names
from amp_datasets.storage.remote import LocalCopy, present

_MACHINE_SHORT = frozenset({errno.ENOMEM, errno.EMFILE, errno.ENFILE})
MAX_BYTES_VARIABLE = "AMP_MAX_LABEL_BYTES"
_MORE = f"split it, or raise `limits.max_label_bytes` in the manifest (elsewhere: {MAX_BYTES_VARIABLE}=BYTES)"
LEADS_OUT = "link leads out of the set"  # why what it leads to is left out
MAX_LABEL_BYTES = 128 * 2**20
"""Label files above this size are refused before they are read; parsed, they take twenty to forty times as much."""

MAX_IMAGE_LABEL_BYTES = 4 * 2**20  # the same of text files with the labels of one image


@dataclass(frozen=True)
class Folder:
    """The files below `root`: a directory, or a zip archive. Names are relative, with forward slashes.

    Hidden files, whatever is no regular file, and archive members that would climb out are not part of it. Links that
    leave the directory are in `left_out`, with where they lead, unless `follow_links`: a set from elsewhere must not
    bring in files of this machine.
    """

    root: Path
    base: str = ""
    follow_links: bool = False
    label_bytes: int = MAX_LABEL_BYTES
    files: tuple[str, ...] = field(init=False, repr=False)
    left_out: Mapping[str, str] = field(init=False, repr=False, compare=False, default_factory=dict)
    is_zip: bool = field(init=False, repr=False)
    documents: dict[str, Any] = field(init=False, repr=False, compare=False, default_factory=dict)
    """Files that were parsed and may be asked for again; who reads them cares for their number."""
    _images: dict[str, ImageFile] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        if not self.root.exists():
            raise SourceError("the source is missing", where=self.root, fix="check the path")
        object.__setattr__(self, "is_zip", self.root.is_file())
        if self.is_zip:
            names: Iterable[str] = self._members
        else:
            names, left_out = _disk_names(self.root, self.follow_links)
            object.__setattr__(self, "left_out", left_out)
        inside = {name.removeprefix(self.base) for name in names if name.startswith(self.base)}
        object.__setattr__(self, "files", tuple(sorted(inside)))

    @functools.cached_property
    def _members(self) -> Mapping[str, str]:
        """Archive members by the name that we give them (some Windows programs write backslashes)."""
        members: dict[str, str] = {}
        for name, member in zip_names(self.root):
            if name in members:  # which of them a label means, nobody knows
                raise SourceError(
                    f"two members of the archive have the name {name[:200]!r}", where=self.root, fix="pack it again"
                )
            members[name] = member
        return members

    @functools.cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.files)

    @functools.cached_property
    def _by_suffix(self) -> Mapping[str, list[str]]:
        """Files by what follows their last dot, in order: every format asks for some of them."""
        found: dict[str, list[str]] = {}
        for name in self.files:
            found.setdefault(f".{name.rpartition('.')[2].lower()}", []).append(name)
        return found

    def __contains__(self, name: object) -> bool:
        return name in self._known

    def image(self, name: str) -> ImageFile:
        """Where the bytes of one file are."""
        if name not in self._images:
            inside = self._members.get(self.base + name, self.base + name) if self.is_zip else None
            self._images[name] = ImageFile(self.root if self.is_zip else self.root / name, inside)
        return self._images[name]

    def path(self, name: str) -> str:
        """A file's name for messages."""
        return str(self.image(name)) if self.is_zip or name in self._images else f"{self.root}/{name}"

    def read(self, name: str, limit: int | None = None) -> bytes:
        """All bytes of a file, if there are no more than `limit`; without one that of label files counts."""
        most, fix = (self.label_bytes, _MORE) if limit is None else (limit, None)
        if self.is_zip or name in self._images:
            return read_image_file(self.image(name), most, fix)
        return _read_whole(f"{self.root}/{name}", most, fix)  # a path object costs as much as to read a label file

    def head(self, name: str, size: int) -> bytes:
        """The first `size` bytes of a file, however long it is."""
        return read_head(self.image(name), size)

    def stream(self, name: str) -> BinaryIO:
        """A file to be read bit by bit and closed, however long it is."""
        file = self.image(name)
        try:
            return open(present(file.path), "rb") if file.member is None else stream_member(file.path, file.member)  # noqa: PTH123
        except OSError as error:
            raise unreadable(error, file) from error

    def with_suffix(self, *suffixes: str) -> list[str]:
        """The files with one of these endings (lower case, with dot), in order."""
        if any("." in suffix[1:] for suffix in suffixes):
            return [name for name in self.files if name.lower().endswith(suffixes)]
        found = [self._by_suffix[suffix] for suffix in dict.fromkeys(suffixes) if suffix in self._by_suffix]
        return list(found[0]) if len(found) == 1 else sorted(name for names in found for name in names)

    def only(self, files: Iterable[str]) -> Folder:
        """The same folder as if it held only these of its files."""
        view = copy.copy(self)
        for derived in ("_known", "_by_suffix"):
            view.__dict__.pop(derived, None)
        object.__setattr__(view, "files", tuple(sorted(set(files) & self._known)))
        return view


def open_folder(location: Path, *, follow_links: bool = False, label_bytes: int = MAX_LABEL_BYTES) -> Folder:
    """A directory, a zip archive (one directory in it is entered), or by a pattern like `data/*` several as one.

    Label files may have `label_bytes`, or as many as the user's environment allows.
    """
    most = max(label_bytes, _allowed())
    if is_pattern(location):
        return _open_pattern(location, follow_links, most)
    folder = Folder(location, "", follow_links, most)
    tops = {name.split("/", 1)[0] for name in folder.files if not name.upper().startswith("README")}
    if folder.is_zip and len(tops) == 1 and all("/" in name for name in folder.files):
        return Folder(location, f"{tops.pop()}/", label_bytes=most)
    return folder


def _allowed() -> int:
    """What the environment says that a label file may have; nothing more than usual if it says nothing."""
    said = os.environ.get(MAX_BYTES_VARIABLE, "")
    if said and not (said.isascii() and said.isdecimal() and len(said) < 19):
        raise SourceError(f"{MAX_BYTES_VARIABLE} is no number of bytes: {said[:40]!r}", fix="write it in digits")
    return int(said or 0)


def with_archives(folder: Folder) -> Folder:
    """A directory as if its zip archives lay unpacked in folders of their names: `data/train.zip` is `data/train/`.

    An archive whose folder is there already, so that it was unpacked once, stays closed.
    """
    archives = [name for name in folder.with_suffix(".zip") if not folder.is_zip]
    places = {name: f"{name[:-4]}/" for name in archives}
    found: dict[str, ImageFile] = {}
    for name, place in places.items():
        if not any(file.startswith(place) for file in folder.files):
            archive = folder.image(name).path
            found.update((place + inside, ImageFile(archive, member)) for inside, member in zip_names(archive))
    view = folder.only(folder.files)
    object.__setattr__(view, "files", tuple(sorted({*folder.files, *found})))
    object.__setattr__(view, "_images", {**folder._images, **found})
    return view


def open_copy(copy: LocalCopy) -> Folder:
    """A remote folder as if all of it were here: images come when they are read. Hidden files are no part of it."""
    names = (name for name in copy.names if not any(part.startswith(".") for part in name.split("/")))
    folder = Folder(copy.root)
    object.__setattr__(folder, "files", tuple(sorted(names)))
    return folder


def is_pattern(location: Path) -> bool:
    """Whether a path is a pattern for several folders, and not the name of one."""
    return any(sign in str(location) for sign in "*?[") and not location.exists()


def pattern_base(location: Path) -> Path:
    """The part of a pattern that is a plain path: the folder in which all that it matches lies."""
    parts = location.parts
    first = next((i for i, part in enumerate(parts) if any(sign in part for sign in "*?[")), len(parts))
    return Path(*parts[:first]) if first else Path()


def _open_pattern(location: Path, follow_links: bool, label_bytes: int) -> Folder:
    base = pattern_base(location)
    below = location.parts[len(base.parts) :]
    matched = sorted(base.glob("/".join(below))) if base.is_dir() else []
    if not matched:
        raise SourceError("the pattern matches nothing", where=location, fix="check the path")
    archives = [path for path in matched if path.suffix.lower() == ".zip" and path.is_file()]
    if archives:
        raise SourceError("a pattern cannot name archives", where=archives[0], fix="name each archive as a source")
    folder = Folder(base, "", follow_links, label_bytes)
    tops = {path.relative_to(base).as_posix() for path in matched}
    links = {name: target for name, target in folder.left_out.items() if not tops.isdisjoint(_with_parents(name))}
    view = folder.only(name for name in folder.files if not tops.isdisjoint(_with_parents(name)))
    object.__setattr__(view, "left_out", links)
    return view


def _with_parents(name: str) -> Iterator[str]:
    """A file's name and those of the folders above it."""
    while name:
        yield name
        name = name.rpartition("/")[0]


def read_image_file(file: ImageFile, limit: int, fix: str | None = None) -> bytes:
    """The bytes of an image or label file, wherever they are; a SourceError if they are gone or too many."""
    if file.data is not None:
        return file.data
    try:
        if file.member is not None:
            return read_member(file.path, file.member, limit, fix=fix)
    except (OSError, MemoryError) as error:
        raise unreadable(error, file) from error
    return _read_whole(str(present(file.path)), limit, fix)


def _read_whole(path: str, limit: int, fix: str | None) -> bytes:
    """The bytes of a file on disk; a SourceError if it is gone or too large."""
    try:
        with open(open_regular(path, follow=True), "rb", buffering=0) as stream:  # noqa: PTH123 - it is a descriptor
            size = os.fstat(stream.fileno()).st_size
            if size > limit:
                raise SourceError(f"the file has {size} bytes, more than the limit of {limit}", where=path, fix=fix)
            return stream.readall()
    except (OSError, MemoryError) as error:
        raise unreadable(error, path) from error


def unreadable(error: OSError | MemoryError, where: object) -> UnreadableError:
    """Why the system does not give a file, and what to do."""
    if isinstance(error, MemoryError):
        error = OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
    short = error.errno in _MACHINE_SHORT
    fix = "use fewer workers (-j), and run it again" if short else "make it readable, or remove it, and run it again"
    return UnreadableError(f"the file cannot be read: {error.strerror or error}", where=where, fix=fix)


def read_head(file: ImageFile, size: int) -> bytes:
    """At most the first `size` bytes of a file, wherever it is; a SourceError if it is gone."""
    if file.data is not None:
        return file.data[:size]
    try:
        if file.member is not None:
            return read_member(file.path, file.member, size, whole=False)
        with open(present(file.path), "rb", buffering=0) as stream:  # noqa: PTH123 - half the time of Path.open
            return stream.read(size)
    except OSError as error:
        raise unreadable(error, file) from error


def _disk_names(root: Path, follow_links: bool) -> tuple[list[str], dict[str, str]]:
    """The visible files below a directory, and the links out of it that were not followed, with where they lead.

    A link to a folder inside is left alone: what it leads to is there under its own name.
    """
    found, left_out = list[str](), dict[str, str]()
    inside = os.path.realpath(root)
    pending, seen = [""], {inside}
    while pending:
        below = pending.pop()
        try:
            entries = list(os.scandir(root / below))
        except OSError as error:
            where = root / below
            raise SourceError(f"the folder cannot be read: {error.strerror or error}", where=where) from error
        for entry in entries:
            name = below + entry.name
            if entry.name.startswith("."):
                continue
            if entry.is_symlink():
                target = Path(os.path.realpath(entry.path))  # of a link in a circle too
                leaves = not target.is_relative_to(inside)
                if leaves and not follow_links and target.exists():
                    left_out[name] = str(target)
                elif target.is_file():
                    found.append(name)
                elif leaves and target.is_dir() and str(target) not in seen:
                    seen.add(str(target))
                    pending.append(f"{name}/")
            elif entry.is_dir(follow_symlinks=False):
                pending.append(f"{name}/")
            elif entry.is_file(follow_symlinks=False):
                found.append(name)
    return found, left_out
