"""The lock of a build: what it was made with, and a digest of every file, so that any change shows."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from amp_datasets.errors import BuildError
from amp_datasets.images.codec import Limits
from amp_datasets.ledger.checks import check_lock
from amp_datasets.ledger.keys import library_versions, machine, plugin_digests
from amp_datasets.ledger.schema import LEDGER_FILE, LOCK_FILE, MADE, give_memory_back, ledger_batches, read_ledger
from amp_datasets.plugin.registry import Registry
from amp_datasets.storage.files import all_files, file_sha256, read_file, write_file
from amp_datasets.storage.trust import is_remembered, remember
from amp_datasets.variants.recipe import Recipe, digest, digest_of_large, json_pieces, load_recipe

LOCK_VERSION = 1
_NAME_ROWS = 16_384
MAX_LOCK_BYTES = 64 * 2**20
"""Enough for the label files of half a million images."""

TRAINERS_READ = ("images/", "labels/", "annotations/", "sources/")
"""The folders of a build from which trainers take everything that they find."""


def is_trainers_cache(name: str) -> bool:
    """Whether a file of a build is what Ultralytics keeps of the labels beside it; with other labels it is stale."""
    return name.startswith("labels/") and name.endswith(".cache")


def lock_document(
    recipe: Recipe, registry: Registry, manifest: Mapping[str, Any], sources: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """What a build was made with: everything that a rebuild must have equal to give the same bytes."""
    return {
        "lock_version": LOCK_VERSION,
        "manifest_digest": digest(manifest),
        "recipe": _without_plugin_dirs(recipe),
        "sources": list(sources),
        "plugins": plugin_digests(recipe, registry),
        "versions": library_versions(),
        "machine": machine(),
    }


def _without_plugin_dirs(recipe: Recipe) -> dict[str, Any]:
    """Where code lies is this machine's matter: a lock that comes from elsewhere must not be able to name a folder."""
    return {name: value for name, value in json.loads(recipe.dump()).items() if name != "plugin_dirs"}


def seal(tree: Path, lock: Mapping[str, Any], known: Mapping[str, str] = MappingProxyType({})) -> None:
    """Write the lock as the last file of a build: with a digest of every other file but the images, and of itself.

    `known` are digests of files, by name, from whoever wrote them.

    The digests of the images are in the ledger, which is one of those files. From now on this user's runs may reuse
    what is in the build.
    """
    files = {**known, **{name: file_sha256(tree / name) for name in _other_files(tree, known)}}
    document = {**lock, "files": files}
    sealed = digest_of_large(document)
    write_file(tree / LOCK_FILE, _within_limit(lock_pieces({**document, "lock_digest": sealed}), tree))
    remember(sealed)


def _within_limit(pieces: Iterable[bytes], tree: Path) -> Iterator[bytes]:
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > MAX_LOCK_BYTES:
            what = f"the build has too many files for one lock ({MAX_LOCK_BYTES >> 20} MiB)"
            raise BuildError(what, where=tree, fix="build it in parts, or with fewer exports")
        yield piece


def read_lock(build: Path) -> dict[str, Any]:
    """What `seal` wrote; a BuildError if it is missing, or is not to the last byte what was written."""
    path = build / LOCK_FILE
    try:
        text = read_file(path, MAX_LOCK_BYTES, follow=True)
        lock: dict[str, Any] = json.loads(text)
        is_as_written = isinstance(lock, dict) and "recipe" in lock and _is_as_written(text, lock)
        del text
    except FileNotFoundError as error:
        raise BuildError(
            "this folder is not a build", where=build, fix="give the folder that `amp build` wrote (-o)"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise BuildError(f"the lock is damaged: {error}", where=path, fix="build it again") from error
    if not is_as_written:
        raise BuildError("the lock is damaged: it is not what was written", where=path, fix="build it again")
    if lock.get("lock_digest") != _digest_of(lock):
        raise BuildError("the lock is damaged: its digest is another", where=path, fix="build it again")
    check_lock(lock, path)
    return lock


def recipe_in(lock: Mapping[str, Any]) -> Recipe:
    """The recipe of a lock that was read. A set of somebody else's has no say in what an image may cost here.

    Folders of plugins in it never count: where code lies, only the command line says.
    """
    recipe = replace(load_recipe(json.dumps({**lock["recipe"], "plugin_dirs": []})), plugin_dirs=())
    if is_remembered(lock["lock_digest"]):
        return recipe
    ours = Limits()
    pixels, size = min(recipe.max_pixels, ours.max_pixels), min(recipe.max_bytes, ours.max_bytes)
    return replace(recipe, max_pixels=pixels, max_bytes=size)


def is_ours(build: Path, lock: Mapping[str, Any]) -> bool:
    """Whether this user's own run made a build, and its ledger is the one that was written; `lock` was read of it."""
    return is_remembered(lock["lock_digest"]) and _has_its_ledger(build, lock)


def image_files(build: Path, lock: Mapping[str, Any]) -> set[str]:
    """The relative names of a build's images; a BuildError if the ledger is not the one of its lock."""
    if not _has_its_ledger(build, lock):
        raise BuildError("the ledger is not the one that was written", where=build / LEDGER_FILE, fix="build it again")
    rows = read_ledger(build, ["status", "split", "file_name"])
    return {f"images/{row['split']}/{row['file_name']}" for row in rows if row["status"] == MADE}


def _has_its_ledger(build: Path, lock: Mapping[str, Any]) -> bool:
    try:
        return bool(file_sha256(build / LEDGER_FILE, follow=True) == lock["files"].get(LEDGER_FILE))
    except OSError:
        return False


def _is_as_written(text: bytes, lock: Mapping[str, Any]) -> bool:
    at = 0
    for piece in lock_pieces(lock):
        if not text.startswith(piece, at):
            return False
        at += len(piece)
    return at == len(text)


def _digest_of(lock: Mapping[str, Any]) -> str:
    return digest_of_large({name: value for name, value in lock.items() if name != "lock_digest"})


def _other_files(tree: Path, known: Container[str]) -> list[str]:
    """The relative names of every file but the lock, those that are known, and what is in the ledger anyway."""
    columns = ["split", "file_name"]
    joined = [pa.array([], pa.string())]
    for batch in ledger_batches(tree, columns, _NAME_ROWS):
        split, file = (batch[name].dictionary_decode() for name in columns)
        joined.append(pc.binary_join_element_wise("images", split, file, "/"))
    images = pa.concat_arrays(joined)
    found: list[str] = []
    files = (name for name in all_files(tree) if name not in known and name != LOCK_FILE)
    while some := list(islice(files, _NAME_ROWS)):
        names = pa.array(some)
        found += names.filter(pc.invert(pc.is_in(names, value_set=images))).to_pylist()
    del images
    give_memory_back()
    return sorted(found)


def lock_pieces(lock: Mapping[str, Any]) -> Iterator[bytes]:
    """The lock's file, some kilobytes at a time: of a large build it has tens of megabytes."""
    for piece in json_pieces(lock, indent=2):
        yield piece.encode()
    yield b"\n"
