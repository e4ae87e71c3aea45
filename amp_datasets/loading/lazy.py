"""Sets whose images are made when they are read: a ledger without pixels, behind a file system of its own.

A lazy set is a folder with a ledger, a lock and (if it is to travel) the sources. Its rows name their images as
`amp://FOLDER/images/SPLIT/NAME`, and `datasets` opens such a path like any other remote one, through fsspec. So random
access, streaming, decoding and worker processes are the library's own, and every image is the built file bit for bit.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.ipc
from datasets import Dataset, config
from fsspec import AbstractFileSystem
from numpy.typing import NDArray

from amp_datasets.errors import DAMAGE, AmpError, BuildError
from amp_datasets.images.codec import Limits
from amp_datasets.ledger.lock import is_ours, read_lock
from amp_datasets.ledger.replay import differences
from amp_datasets.ledger.schema import LEDGER_FILE, LOCK_FILE, MADE, read_ledger
from amp_datasets.loading.addresses import PROTOCOL, Address, parse_address
from amp_datasets.model import Category, ImageFile
from amp_datasets.storage.files import file_sha256
from amp_datasets.storage.folder import read_image_file
from amp_datasets.storage.trust import kept_copy
from amp_datasets.variants.recipe import ORIGINAL, Recipe, load_recipe
from amp_datasets.variants.remaker import Remaker

_OPEN_SETS = 4
_STATE_DIGITS = 16


class LazySet:
    """A lazy set on disk, as one lock describes it: opens its images by split and name, from any thread."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.lock = read_lock(root)
        self.is_planned = self.root.parent == planned_sets().resolve()
        self.is_ours = self.is_planned or is_ours(root, self.lock)
        ledger_sha256 = file_sha256(self.root / LEDGER_FILE, follow=True)
        if ledger_sha256 != self.lock["files"].get(LEDGER_FILE):
            raise BuildError(
                "the ledger is not the one that was written", where=self.root, fix="get the whole set again"
            )
        self._recipe = recipe_of(self.lock)
        self._rows = Dataset.from_file(str(_arrow_copy(root, ledger_sha256)))
        names = zip(self._rows["split"], self._rows["file_name"], self._rows["status"], strict=True)
        self._index = {(split, name): i for i, (split, name, status) in enumerate(names) if status == MADE}
        self._own = threading.local()

    @property
    def digest(self) -> str:
        """What tells this state of the set from every other one."""
        return str(self.lock["lock_digest"])

    @property
    def remaker(self) -> Remaker:
        """This thread's own: filters draw from generators that are reseeded in place.

        What an image may cost is settled by us, unless the set was made by this user, from a manifest of their own.
        """
        if not hasattr(self._own, "remaker"):
            own, ours = self._recipe.limits, Limits()
            least = Limits(min(own.max_bytes, ours.max_bytes), min(own.max_pixels, ours.max_pixels))
            self._own.remaker = Remaker(self._recipe, limits=own if self.is_ours else least)
        remaker: Remaker = self._own.remaker
        return remaker

    def image(self, split: str, name: str, *, check: bool = True) -> bytes:
        """The file's bytes, made now. Raises FileNotFoundError for a name that is not in the ledger.

        A BuildError if the row cannot be followed, or, with `check`, if the bytes are not those that the ledger names.
        """
        row = self._row(split, name)
        with self._following(split, name):
            data = self.remaker.remake(row, self._bytes).data
        if check and row["sha256"] not in ("", hashlib.sha256(data).hexdigest()):
            raise BuildError(
                f"{split}/{name} is not made as it was: {self._differences() or 'nobody knows why'}",
                where=self.root,
                fix="install the versions that the set's card names, or take what comes: `amp.load(..., check=False)`",
            )
        return data

    def pixels(self, split: str, name: str) -> NDArray[Any] | None:
        """The pixels that the filters give, as they are before `image` encodes them; None for an untouched file.

        Raises as `image` does, and compares nothing: the ledger knows files.
        """
        row = self._row(split, name)
        if row["spec"] == ORIGINAL and not row["encoding"]:
            return None
        with self._following(split, name):
            return self.remaker.pixels(row, self._bytes)

    def _row(self, split: str, name: str) -> dict[str, Any]:
        index = self._index.get((split, name))
        if index is None:
            raise FileNotFoundError(f"{self.root}: no image {split}/{name}")
        row: dict[str, Any] = self._rows[index]
        return row

    @contextlib.contextmanager
    def _following(self, split: str, name: str) -> Iterator[None]:
        """A line of the ledger that cannot be followed is a BuildError."""
        try:
            yield
        except DAMAGE as error:
            if isinstance(error, AmpError):
                raise
            what = f"the ledger's line of {split}/{name} cannot be followed: {error}"
            raise BuildError(what, where=self.root, fix="get the whole set again from where it was made") from error

    def _bytes(self, row: Mapping[str, Any]) -> bytes:
        """The source of a row, or of another image that a row names."""
        if "source_file" not in row:
            row = {**row, "source_file": self._places.get(row["source_id"], "")}
        return read_image_file(self._source(row), self.remaker.limits.max_bytes)

    @functools.cached_property
    def _places(self) -> dict[str, str]:
        """Where each source is, by its id."""
        return dict(zip(self._rows["source_id"], self._rows["source_file"], strict=True))

    def _differences(self) -> str:
        """What is not as it was when the set was made, in words."""
        return "; ".join(differences(self.lock, self.remaker.maker.registry))

    def _source(self, row: Mapping[str, Any]) -> ImageFile:
        """Where a row's source is: in the set's own folder, or, in a set planned on this machine, anywhere.

        A link in the folder is followed (the hub's cache is made of them): what it leads to is used only if it is a
        file with the digest that the ledger names.
        """
        try:
            path, member = json.loads(row["source_file"])
            place = self.root / path
            is_inside = _is_inside(path) and place.is_file()
        except (OSError, *DAMAGE) as error:
            raise BuildError("the ledger does not say where this source is", where=self.root) from error
        if not is_inside and not self.is_planned:
            raise BuildError(
                "the lazy set lacks a source, or names one outside of its folder",
                where=f"{self.root}: {path}",
                fix="get the whole set again from where it was made",
            )
        return ImageFile(place, member)


class VariantFileSystem(AbstractFileSystem):  # type: ignore[misc] # fsspec has no types
    """fsspec's view of lazy sets: read-only files that are made when they are opened."""

    protocol = PROTOCOL
    root_marker = "/"

    def _open(self, path: str, mode: str = "rb", **_: Any) -> io.BytesIO:
        if mode != "rb":
            raise PermissionError(f"{path}: a lazy set is read-only")
        return io.BytesIO(open_address(path))

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Name and type; the size is not known before the image is made."""
        return {"name": path, "size": None, "type": "file"}


def open_address(url: str) -> bytes:
    """The bytes of the image at an address of ours.

    Raises BuildError if the set was built again since its rows were loaded: its labels may be others now.
    """
    lazy, address = _set_of(url)
    return lazy.image(address.split, address.name, check=address.check)


def open_pixels(url: str) -> NDArray[Any] | None:
    """The pixels of the filters, for an address that asks for them and an image that was made; else None."""
    lazy, address = _set_of(url)
    return None if address.exact else lazy.pixels(address.split, address.name)


def _set_of(url: str) -> tuple[LazySet, Address]:
    address = parse_address(url)
    lazy = open_lazy(address.root)
    if not lazy.digest.startswith(address.state):
        raise BuildError(
            "the set was built again since these rows were loaded",
            where=address.root,
            fix="load it again: their labels may not be those of its images any more",
        )
    return lazy, address


def open_lazy(root: Path) -> LazySet:
    """The lazy set in a folder as it is now; opened once in a process for each of its states."""
    found = []
    for name in (LOCK_FILE, LEDGER_FILE):
        try:
            state = (root / name).stat()
        except OSError as error:
            raise FileNotFoundError(f"{root}: no lazy set") from error
        found.append((state.st_mtime_ns, state.st_size, state.st_ino))
    return _opened(root, tuple(found))


@functools.lru_cache(maxsize=_OPEN_SETS)
def _opened(root: Path, _state: tuple[tuple[int, int, int], ...]) -> LazySet:
    return LazySet(root)


def planned_sets() -> Path:
    """The folder, ours alone, with the sets that were planned from manifests on this machine."""
    return Path(config.HF_DATASETS_CACHE) / "amp" / "sets"


def url_of(root: Path, split: str, name: str, *, check: bool = True, exact: bool = True) -> str:
    """The address under which `datasets` finds an image of a lazy set in the state that it has now."""
    state = open_lazy(root.resolve()).digest[:_STATE_DIGITS]
    return Address(root.resolve(), state, split, name, check, exact).url


def is_lazy(folder: Path) -> bool:
    """Whether a folder is a lazy set."""
    if not (folder / LOCK_FILE).is_file():
        return False
    return bool(read_lock(folder).get("lazy"))


def recipe_of(lock: Mapping[str, Any]) -> Recipe:
    """The recipe in a lock; folders of plugins in it do not count, for only the command line loads code."""
    try:
        return replace(load_recipe(json.dumps(lock["recipe"])), plugin_dirs=())
    except DAMAGE as error:
        raise BuildError(f"the recipe in the lock is damaged: {error!r}", fix="build it again") from error


def categories_of(lock: Mapping[str, Any]) -> tuple[Category, ...]:
    """The categories in a lock, in the order of their ids."""
    return tuple(
        Category(
            entry["name"],
            entry["supercategory"],
            tuple(entry["keypoints"]),
            tuple((a, b) for a, b in entry["skeleton"]),
            tuple((a, b) for a, b in entry["flip_pairs"]),
        )
        for entry in lock["categories"]
    )


def _is_inside(path: str) -> bool:
    """Whether a relative path stays below its folder on every system, by its words alone."""
    words = PurePosixPath(path.replace("\\", "/"))
    return not words.is_absolute() and not PureWindowsPath(path).drive and ".." not in words.parts


def _arrow_copy(root: Path, ledger_sha256: str) -> Path:
    """The ledger as an Arrow file in the cache of `datasets`: rows are read one by one without loading the others."""

    def write(file: BinaryIO) -> None:
        table = pa.Table.from_pylist(list(read_ledger(root)))
        with pa.ipc.new_stream(file, table.schema) as stream:
            stream.write_table(table, max_chunksize=256)

    return kept_copy(Path(config.HF_DATASETS_CACHE) / "amp" / "ledgers", ledger_sha256, ".arrow", write)
