"""Sets whose images are made when they are read: a ledger without pixels, behind a file system of its own.

A lazy set is a folder with a ledger, a lock and (if it is to travel) the sources. Its rows name their images as
`amp://FOLDER/images/SPLIT/NAME`, and `datasets` opens such a path like any other remote one, through fsspec. So random
access, streaming, decoding and worker processes are the library's own, and every image is the built file bit for bit.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import pyarrow as pa
import pyarrow.ipc
from datasets import Dataset, config
from fsspec import AbstractFileSystem

from amp_datasets.errors import BuildError
from amp_datasets.ledger.lock import read_lock
from amp_datasets.ledger.schema import LEDGER_FILE, LOCK_FILE, MADE, read_ledger
from amp_datasets.model import Category, ImageFile
from amp_datasets.storage.folder import read_image_file
from amp_datasets.variants.recipe import Recipe, load_recipe
from amp_datasets.variants.remaker import Remaker

PROTOCOL = "amp"
_OPEN_SETS = 4


class LazySet:
    """A lazy set on disk: opens its images by split and name."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.lock = read_lock(root)
        self.remaker = Remaker(recipe_of(self.lock))
        self._rows = Dataset.from_file(str(_arrow_copy(root)))
        names = zip(self._rows["split"], self._rows["file_name"], self._rows["status"], strict=True)
        self._index = {(split, name): i for i, (split, name, status) in enumerate(names) if status == MADE}

    def image(self, split: str, name: str) -> bytes:
        """The file's bytes, made now. Raises FileNotFoundError for a name that is not in the ledger."""
        index = self._index.get((split, name))
        if index is None:
            raise FileNotFoundError(f"{self.root}: no image {split}/{name}")
        row = self._rows[index]
        return self.remaker.remake(row, lambda: read_image_file(self._source(row), self.remaker.limits.max_bytes)).data

    def _source(self, row: Mapping[str, Any]) -> ImageFile:
        """Where a row's source is: in the set's own folder, or, in a set planned on this machine, anywhere.

        A link in the folder is followed (the hub's cache is made of them): what it leads to is used only if it is a
        file with the digest that the ledger names.
        """
        try:
            path, member = json.loads(row["source_file"])
            place = self.root / path
            is_inside = _is_inside(path) and place.is_file()
        except (KeyError, TypeError, ValueError, OSError) as error:
            raise BuildError("the ledger does not say where this source is", where=self.root) from error
        if not is_inside and self.root.parent != planned_sets().resolve():
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
        folder, split, name = _parts(path)
        return io.BytesIO(open_lazy(Path(folder)).image(split, name))

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Name and type; the size is not known before the image is made."""
        return {"name": path, "size": None, "type": "file"}


@functools.lru_cache(maxsize=_OPEN_SETS)
def open_lazy(root: Path) -> LazySet:
    """The lazy set in a folder, opened once in a process."""
    return LazySet(root)


def planned_sets() -> Path:
    """The folder, ours alone, with the sets that were planned from manifests on this machine."""
    return Path(config.HF_DATASETS_CACHE) / "amp" / "sets"


def url_of(root: Path, split: str, name: str) -> str:
    """The address under which `datasets` finds an image of a lazy set."""
    return f"{PROTOCOL}://{root.resolve().as_posix()}/images/{split}/{name}"


def is_lazy(folder: Path) -> bool:
    """Whether a folder is a lazy set."""
    if not (folder / LOCK_FILE).is_file():
        return False
    return bool(read_lock(folder).get("lazy"))


def recipe_of(lock: Mapping[str, Any]) -> Recipe:
    """The recipe in a lock; folders of plugins in it do not count, for only the command line loads code."""
    try:
        return replace(load_recipe(json.dumps(lock["recipe"])), plugin_dirs=())
    except (KeyError, TypeError, ValueError, AttributeError) as error:
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


def _parts(path: str) -> tuple[str, str, str]:
    folder, images, rest = path.removeprefix(f"{PROTOCOL}://").rpartition("/images/")
    split, slash, name = rest.partition("/")
    if not images or not slash or "/" in name:
        raise FileNotFoundError(path)
    # `datasets` takes the first slash of an absolute path for part of the address.
    return folder if Path(folder).is_absolute() else f"/{folder}", split, name


def _arrow_copy(root: Path) -> Path:
    """The ledger as an Arrow file in the cache of `datasets`: rows are read one by one without loading the others."""
    ledger = root / LEDGER_FILE
    state = ledger.stat()
    key = hashlib.sha256(f"{ledger.resolve()}|{state.st_mtime_ns}|{state.st_size}".encode()).hexdigest()[:32]
    path = Path(config.HF_DATASETS_CACHE) / "amp" / "ledgers" / f"{key}.arrow"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = list(read_ledger(root))
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            table = pa.Table.from_pylist(rows)
            with pa.ipc.new_stream(file, table.schema) as stream:
                stream.write_table(table, max_chunksize=256)
        os.replace(file.name, path)  # noqa: PTH105 - atomic, also where two processes come first
    return path
