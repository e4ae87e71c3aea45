"""Names for variants, made of everything that decides about them: what did not change is not made again."""

from __future__ import annotations

import functools
import hashlib
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import cv2

from amp_datasets.plugin.discovery import ALGORITHM_VERSION, plugin_digest
from amp_datasets.plugin.registry import Registry
from amp_datasets.variants.recipe import ORIGINAL, Recipe, VariantSpec, digest

_PIXEL_LIBRARIES = ("albucore", "albumentations", "numpy", "opencv-python-headless", "pillow", "simplejpeg")
_LABEL_LIBRARIES = ("shapely", "pycocotools")
_OTHER_LIBRARIES = ("amp-datasets", "datasets", "pyarrow")
_ALGORITHM = "amp-datasets algorithm"


def text_sha256(text: str) -> str:
    """sha256 of a text in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def library_versions() -> dict[str, str]:
    """Versions of every library that shapes a pixel, a label or a file of a build."""
    versions = {name: _version(name) for name in (*_PIXEL_LIBRARIES, *_LABEL_LIBRARIES, *_OTHER_LIBRARIES)}
    return {**versions, _ALGORITHM: str(ALGORITHM_VERSION)}


@functools.cache
def _version(name: str) -> str:
    return version(name)


def shaping_versions() -> dict[str, str]:
    """The part of `library_versions` that can change a variant, and so belongs to its key."""
    versions = library_versions()
    return {name: versions[name] for name in (*_PIXEL_LIBRARIES, *_LABEL_LIBRARIES, _ALGORITHM)}


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
    names = sorted({step.filter for step in recipe.steps})
    return {name: plugin_digest(registry.filter(name)) for name in names}


class VariantKeys:
    """Names variants by everything that decides about them, so that what did not change is not made again."""

    def __init__(self, recipe: Recipe, registry: Registry) -> None:
        self.versions = shaping_versions()
        self.plugins = plugin_digests(recipe, registry)
        self.common: dict[str, Any] = {
            "seed": recipe.seed,
            "labels": asdict(recipe.labels),
            "encode": asdict(recipe.encode),
            "categories": asdict(recipe.categories),
            "versions": self.versions,
        }
        self.before: dict[str, Any] = {}
        if recipe.preprocess:
            named = {step.filter: self.plugins[step.filter] for step in recipe.preprocess}
            self.before = {"steps": [asdict(step) for step in recipe.preprocess], "plugins": named}
            self.common["preprocess"] = self.before
        self._kinds = {spec.name: self._kind(spec) for spec in recipe.variants}

    def key(
        self,
        source_sha256: str,
        labels: str,
        spec: VariantSpec,
        one_sided: Sequence[str] = (),
        values: str = "",
        more: Sequence[str] = (),
    ) -> str:
        """The key of all copies of one kind of variant of a source, whose set has these classes without counterpart.

        `values` is as in the ledger; `more` says what else decides: the piece, the number of copies, other images.
        """
        given = [*([f"values {values}"] if values else []), *more]
        return digest([self._kinds[spec.name], source_sha256, labels, *one_sided, *given])

    def _kind(self, spec: VariantSpec) -> str:
        """What decides about a kind of variant, whatever the source."""
        plugins = {step.filter: self.plugins[step.filter] for step in spec.steps}
        return digest([self.common, plugins, asdict(spec)])

    def original_key(self, source_sha256: str, labels: str, values: str = "", more: Sequence[str] = ()) -> str:
        """The key of the untouched image; how images are encoded matters to one that has to be converted."""
        given: list[Any] = [*([values] if values else []), *more]
        if self.before:  # then its labels are judged, and its draws are seeded
            given += [self.before, self.common["seed"], self.common["labels"], self.common["categories"]]
        return digest([ORIGINAL, self.common["encode"], self.versions, source_sha256, labels, *given])
