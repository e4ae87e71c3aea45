"""Puts a finished folder of this machine on remote storage: under other names first, and its seal last of all.

Until everything is there, what stood there before is untouched; then its seal goes, the files take their names by
copies within the storage, and the new seal comes. An upload that was cut off goes on where it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

from amp_datasets.progress import Progress
from amp_datasets.storage.carry import refuse_clashes
from amp_datasets.storage.files import all_files
from amp_datasets.storage.remote import THREADS, Store, cache

_STAGING = "amp-staging"
_DRAFTS = ".amp-part"


def staging(address: str) -> Path:
    """Where the folder for an address is made on this machine; it stays, so that the next build can reuse it."""
    return cache().with_name(_STAGING) / quote(address, safe="")


def is_staged(path: Path) -> bool:
    """Whether a folder is one that is made here and stands elsewhere, so that no path may be relative to it."""
    return _STAGING in path.parts


def upload(folder: Path, address: str, seal: str, old: Collection[str], progress: Progress) -> None:
    """Put a folder there; `seal` is its last file, `old` are the names of what it replaces.

    Raises BuildError where they would take the names of files that no build made, and UnreadableError or SourceError if
    the storage does not take it: then either what was there stands, or nothing that has a seal.
    """
    store = Store(address)
    names = sorted(all_files(folder))
    drafts = f"{_DRAFTS}/{hashlib.sha256((folder / seal).read_bytes()).hexdigest()[:32]}"
    there = store.listing()
    refuse_foreign(address, there, old, names)
    missing = [name for name in names if f"{drafts}/{name}" not in there]
    _all(lambda name: store.write(f"{drafts}/{name}", folder / name), missing, "uploading", progress)
    store.remove([seal] if seal in there else [])
    others = [name for name in names if name != seal]
    _all(lambda name: store.copy(f"{drafts}/{name}", name), others, "putting in place", progress)
    store.remove(sorted(set(old) & there.keys() - set(names)))
    store.copy(f"{drafts}/{seal}", seal)
    _all(lambda name: store.remove([name]), [f"{drafts}/{name}" for name in names], "tidying up", progress)
    store.remove([name for name in there if name.startswith(f"{_DRAFTS}/") and not name.startswith(f"{drafts}/")])


def refuse_foreign(address: str, there: Iterable[str], old: Collection[str], new: Collection[str]) -> None:
    """A BuildError if files beside what stands there (`old`), which no build made, have names of new ones."""
    refuse_clashes(sorted(set(there) & set(new) - set(old)) if old else [], address)


def _all(action: Callable[[str], None], names: Collection[str], what: str, progress: Progress) -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        for number, _ in enumerate(_in_order(pool, action, names), start=1):
            progress(what, number, len(names))


def _in_order(pool: ThreadPoolExecutor, action: Callable[[str], None], names: Iterable[str]) -> Iterable[None]:
    futures = [pool.submit(action, name) for name in names]
    try:
        for future in futures:
            yield future.result()
    finally:
        for future in futures:
            future.cancel()
