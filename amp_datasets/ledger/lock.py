"""The lock of a build: what it was made with, and a digest of every file, so that any change shows."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from amp_datasets.errors import BuildError
from amp_datasets.ledger.keys import library_versions, machine, plugin_digests
from amp_datasets.ledger.schema import LOCK_FILE, read_ledger
from amp_datasets.plugin.registry import Registry
from amp_datasets.variants.recipe import Recipe, digest

LOCK_VERSION = 1


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


def seal(tree: Path, lock: Mapping[str, Any]) -> None:
    """Write the lock as the last file of a build: with a digest of every other file but the images, and of itself.

    The digests of the images are in the ledger, which is one of those files.
    """
    files = {name: file_sha256(tree / name) for name in _other_files(tree)}
    document = {**lock, "files": files}
    (tree / LOCK_FILE).write_text(dump_json({**document, "lock_digest": digest(document)}), encoding="utf-8")


def read_lock(build: Path) -> dict[str, Any]:
    """What `seal` wrote; a BuildError if it is missing, or is not to the last byte what was written."""
    path = build / LOCK_FILE
    try:
        text = path.read_bytes().decode("utf-8")
        lock = json.loads(text)
    except FileNotFoundError as error:
        raise BuildError(
            "this folder is not a build", where=build, fix="give the folder that `amp build` wrote (-o)"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise BuildError(f"the lock is damaged: {error}", where=path, fix="build it again") from error
    if not isinstance(lock, dict) or "recipe" not in lock or text != dump_json(lock):
        raise BuildError("the lock is damaged: it is not what was written", where=path, fix="build it again")
    if lock.get("lock_digest") != digest({name: value for name, value in lock.items() if name != "lock_digest"}):
        raise BuildError("the lock is damaged: its digest is another", where=path, fix="build it again")
    return lock


def file_sha256(path: Path) -> str:
    """sha256 of a file of any size."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _other_files(tree: Path) -> list[str]:
    """The relative names of every file but the lock and what is in the ledger anyway."""
    images = {f"images/{row['split']}/{row['file_name']}" for row in read_ledger(tree, ["split", "file_name"])}
    found: list[str] = []
    for folder, _, names in os.walk(tree):
        inside = Path(folder).relative_to(tree).as_posix()
        found += names if inside == "." else [f"{inside}/{name}" for name in names]
    return sorted(name for name in found if name not in images and name != LOCK_FILE)


def dump_json(value: Any) -> str:
    """JSON for files that people may read."""
    return json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
