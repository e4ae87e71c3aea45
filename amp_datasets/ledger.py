"""The ledger: one row for every variant of a build, made or not, with all that it takes to make it again."""

from __future__ import annotations

import hashlib
import json
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

MADE, DROPPED = "made", "dropped"

_TEXT, _COUNT = Value("string"), Value("int32")
LEDGER_FEATURES = Features(
    {
        "source_id": _TEXT,  # set name and relative path, unique in the build
        "source_sha256": _TEXT,
        "source_labels": _TEXT,  # canonical JSON of the labels that went in
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
    return {name: version(name) for name in (*_PIXEL_LIBRARIES, *_LABEL_LIBRARIES, *_OTHER_LIBRARIES)}


def shaping_versions() -> dict[str, str]:
    """The part of `library_versions` that can change a variant, and so belongs to its key."""
    versions = library_versions()
    return {name: versions[name] for name in (*_PIXEL_LIBRARIES, *_LABEL_LIBRARIES)}


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

    def key(self, source_sha256: str, labels: str, spec: VariantSpec) -> str:
        """The key of all copies of one kind of variant of a source."""
        plugins = {step.filter: self.plugins[step.filter] for step in spec.steps}
        return digest([self.common, plugins, asdict(spec), source_sha256, labels])

    def original_key(self, source_sha256: str, labels: str) -> str:
        """The key of the untouched image: settings do not matter to it."""
        return digest([ORIGINAL, source_sha256, labels])


def read_ledger(build: Path) -> Iterator[Mapping[str, Any]]:
    """The rows of a build's ledger, one by one; a BuildError if the folder is no build or its ledger is damaged."""
    path = build / LEDGER_FILE
    if not path.is_file():
        raise BuildError("this folder is not a build", where=build, fix="give the folder that `amp build` wrote (-o)")
    try:
        file = pq.ParquetFile(path)
        missing = [name for name in LEDGER_FEATURES if name not in file.schema_arrow.names]
        if missing:
            raise BuildError(f"the ledger lacks the column `{missing[0]}`", where=path, fix="build it again")
        for batch in file.iter_batches(batch_size=1024):
            yield from batch.to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise BuildError(f"the ledger is damaged: {error}", where=path, fix="build it again") from error


def lock_document(
    recipe: Recipe, registry: Registry, manifest: Mapping[str, Any], sources: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """What a build was made with: everything that a rebuild must have equal to give the same bytes."""
    return {
        "lock_version": LOCK_VERSION,
        "manifest_digest": digest(manifest),
        "recipe": json.loads(recipe.dump()),
        "sources": list(sources),
        "plugins": plugin_digests(recipe, registry),
        "versions": library_versions(),
        "machine": machine(),
    }


def dump_json(value: Any) -> str:
    """JSON for files that people may read."""
    return json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
