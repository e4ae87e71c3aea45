"""Makes one variant again from its source's bytes and its row in the ledger, and nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from amp_datasets.applied import Original
from amp_datasets.errors import BuildError
from amp_datasets.image import Encoding, Limits, decode, encode, read_header
from amp_datasets.recipe import ORIGINAL, Recipe
from amp_datasets.registry import Registry
from amp_datasets.table import load_annotations
from amp_datasets.variants import Planned, VariantMaker, render

_SOURCES_KEPT = 4


class Remaker:
    """Remakes variants of a recipe. The last few sources stay decoded: variants are mostly read source by source."""

    def __init__(self, recipe: Recipe, registry: Registry | None = None) -> None:
        self.limits = Limits(recipe.max_bytes, recipe.max_pixels)
        self.specs = {spec.name: spec for spec in recipe.variants}
        self.maker = VariantMaker(recipe, registry)
        self._sources: dict[tuple[str, str], tuple[bytes, Original]] = {}

    def remake(self, row: Mapping[str, Any], read: Callable[[], bytes]) -> bytes:
        """The image file's bytes; `read` gives the source's, and is not called if the source is still at hand."""
        data, original = self._source(row, read)
        if row["spec"] == ORIGINAL:
            return encode(original.image, _encoding(row)) if row["encoding"] else data
        return encode(render(original.image, self._plan(row, original)), _encoding(row))

    def plan(self, row: Mapping[str, Any], read: Callable[[], bytes]) -> Planned:
        """The row's variant planned again, with its labels."""
        return self._plan(row, self._source(row, read)[1])

    def _plan(self, row: Mapping[str, Any], original: Original) -> Planned:
        spec = self.specs.get(row["spec"])
        if spec is None:
            raise BuildError(f"the recipe has no variant `{row['spec']}`", where=row["file_name"], fix="build it again")
        return self.maker.plan_attempt(original, spec, row["copy"], row["attempt"])

    def _source(self, row: Mapping[str, Any], read: Callable[[], bytes]) -> tuple[bytes, Original]:
        key = (row["source_sha256"], row["source_labels"])
        if key not in self._sources:
            data = read()
            if hashlib.sha256(data).hexdigest() != row["source_sha256"]:
                raise BuildError("the source has changed since the build", where=row["source_id"], fix="build it again")
            header = read_header(data, self.limits, row["source_id"])
            image = decode(data, header, row["source_id"])
            original = Original(image, row["source_sha256"], load_annotations(row["source_labels"]))
            while len(self._sources) >= _SOURCES_KEPT:
                self._sources.pop(next(iter(self._sources)))
            self._sources[key] = (data, original)
        return self._sources[key]


def _encoding(row: Mapping[str, Any]) -> Encoding:
    return Encoding(**json.loads(row["encoding"]))
