"""The ledger: one row for every variant of a build, made or not, with all that it takes to make it again."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Features, Value

from amp_datasets.discovery import plugin_digest
from amp_datasets.errors import BuildError
from amp_datasets.recipe import ORIGINAL, Recipe, VariantSpec, digest
from amp_datasets.registry import Registry

LEDGER_FILE = "ledger.parquet"
LOCK_FILE = "amp.lock.json"
MANIFEST_FILE = "amp.yaml"
LOCK_VERSION = 1

_PIXEL_LIBRARIES = ("albucore", "albumentations", "numpy", "opencv-python-headless", "pillow", "simplejpeg")
_LABEL_LIBRARIES = ("shapely", "pycocotools")
_OTHER_LIBRARIES = ("amp-datasets", "datasets", "pyarrow")
_DRAWING_MODULES = (
    "applied", "filter", "filter_parts", "geometry", "image", "labels", "seeding", "variants", "warp",
)  # fmt: skip
"""Our own code around the filters that decides about pixels, labels, and which draw is taken."""

_DRAWING_CODE = "amp-datasets drawing code"

MADE, DROPPED = "made", "dropped"

_TEXT, _COUNT = Value("string"), Value("int32")
LEDGER_FEATURES = Features(
    {
        "source_id": _TEXT,  # set name and relative path, unique in the build
        "source_sha256": _TEXT,
        "source_labels": _TEXT,  # canonical JSON of the labels that went in
        "group": _TEXT,  # sources of one group are in one split
        "split": _TEXT,
        "spec": _TEXT,  # the manifest's name for this kind of variant
        "copy": _COUNT,
        "variant": _TEXT,  # spec and copy as one name
        "attempt": _COUNT,
        "key": _TEXT,  # names everything that decides about this variant
        "status": _TEXT,  # made, or dropped
        "reason": _TEXT,
        "detail": _TEXT,
        "steps": _TEXT,  # JSON: filter, settings and draw of each step
        "file_name": _TEXT,
        "width": _COUNT,
        "height": _COUNT,
        "encoding": _TEXT,  # JSON: format, quality, subsampling; empty for a byte-for-byte copy
        "sha256": _TEXT,  # of the image file
        "labels": _TEXT,  # canonical JSON of the labels that came out
        "labels_sha256": _TEXT,
        "labels_in": _COUNT,
        "labels_out": _COUNT,
        "labels_partial": _COUNT,
        "labels_dropped": _TEXT,  # JSON: reason -> count
    }
)


def empty_row() -> dict[str, Any]:
    """A row with nothing in it, to be filled."""
    return {name: 0 if value == _COUNT else "" for name, value in LEDGER_FEATURES.items()}


def text_sha256(text: str) -> str:
    """sha256 of a text in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def library_versions() -> dict[str, str]:
    """Versions of every library that shapes a pixel, a label or a file of a build."""
    versions = {name: version(name) for name in (*_PIXEL_LIBRARIES, *_LABEL_LIBRARIES, *_OTHER_LIBRARIES)}
    return {**versions, _DRAWING_CODE: drawing_code_digest()}


@functools.cache
def drawing_code_digest() -> str:
    """Names our own drawing code: between two releases, or in a checkout, the version alone does not."""
    files = [Path(__file__).with_name(f"{name}.py") for name in _DRAWING_MODULES]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def shaping_versions() -> dict[str, str]:
    """The part of `library_versions` that can change a variant, and so belongs to its key."""
    versions = library_versions()
    return {name: versions[name] for name in (*_PIXEL_LIBRARIES, *_LABEL_LIBRARIES, _DRAWING_CODE)}


def machine() -> dict[str, Any]:
    """What of this machine can shape a pixel: OpenCV chooses code by the processor's features."""
    return {
        "python": platform.python_version(),
        "platform": sys.platform,
        "machine": platform.machine(),
        "cpu_features": cv2.getCPUFeaturesLine().split(),
    }


def plugin_digests(recipe: Recipe, registry: Registry) -> dict[str, str]:
    """sha256 of the code of every filter that a recipe uses."""
    names = sorted({step.filter for spec in recipe.variants for step in spec.steps})
    return {name: plugin_digest(registry.filter(name)) for name in names}


class VariantKeys:
    """Names variants by everything that decides about them, so that what did not change is not made again."""

    def __init__(self, recipe: Recipe, registry: Registry) -> None:
        self.versions = shaping_versions()
        self.plugins = plugin_digests(recipe, registry)
        self.common = {
            "seed": recipe.seed,
            "labels": asdict(recipe.labels),
            "encode": asdict(recipe.encode),
            "categories": asdict(recipe.categories),
            "versions": self.versions,
        }
        self._kinds = {spec.name: self._kind(spec) for spec in recipe.variants}

    def key(self, source_sha256: str, labels: str, spec: VariantSpec) -> str:
        """The key of all copies of one kind of variant of a source."""
        return digest([self._kinds[spec.name], source_sha256, labels])

    def _kind(self, spec: VariantSpec) -> str:
        """What decides about a kind of variant, whatever the source."""
        plugins = {step.filter: self.plugins[step.filter] for step in spec.steps}
        return digest([self.common, plugins, asdict(spec)])

    def original_key(self, source_sha256: str, labels: str) -> str:
        """The key of the untouched image; how pictures are encoded matters to one that has to be turned upright."""
        return digest([ORIGINAL, self.common["encode"], self.versions, source_sha256, labels])


def read_ledger(build: Path, columns: Sequence[str] | None = None) -> Iterator[Mapping[str, Any]]:
    """The rows of a build's ledger, one by one; a BuildError if the folder is no build or its ledger is damaged.

    With `columns` only those are read, which saves most of the time and memory.
    """
    path = build / LEDGER_FILE
    if not path.is_file():
        raise BuildError("this folder is not a build", where=build, fix="give the folder that `amp build` wrote (-o)")
    try:
        file = pq.ParquetFile(path)
        missing = [name for name in LEDGER_FEATURES if name not in file.schema_arrow.names]
        if missing:
            raise BuildError(f"the ledger lacks the column `{missing[0]}`", where=path, fix="build it again")
        for batch in file.iter_batches(batch_size=1024, columns=None if columns is None else list(columns)):
            yield from batch.to_pylist()
    except (pa.ArrowException, OSError, ValueError) as error:  # ValueError: bytes that are no UTF-8
        raise BuildError(f"the ledger is damaged: {error}", where=path, fix="build it again") from error


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
    """Write the lock as the last file of a build: with a digest of every other file but the pictures, and of itself.

    The digests of the pictures are in the ledger, which is one of those files.
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
