"""Makes one variant again from its source's bytes and its row in the ledger, and nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from amp_datasets.errors import BuildError, CannotApply
from amp_datasets.images.codec import Encoding, Limits, decode, encode, read_header
from amp_datasets.plugin.registry import Registry
from amp_datasets.rows.schema import dump_annotations, load_annotations, load_image_labels
from amp_datasets.variants.maker import VariantMaker, render
from amp_datasets.variants.recipe import ORIGINAL, Recipe
from amp_datasets.variants.steps import Original

_SOURCES_KEPT = 4


class Remade(NamedTuple):
    """An image file's bytes, and its labels as canonical JSON."""

    data: bytes
    labels: str


class Remaker:
    """Remakes variants of a recipe. The last few sources stay decoded: variants are mostly read source by source."""

    def __init__(self, recipe: Recipe, registry: Registry | None = None) -> None:
        self.limits = Limits(recipe.max_bytes, recipe.max_pixels)
        self.specs = {spec.name: spec for spec in recipe.variants}
        self.maker = VariantMaker(recipe, registry)
        self._sources: dict[tuple[str, str], Original] = {}

    def remake(self, row: Mapping[str, Any], read: Callable[[], bytes]) -> Remade:
        """The image and labels of a row; `read` gives the source's bytes, and is not called if they are at hand.

        Raises BuildError if the row cannot be followed, or if the source is not the one that it was made of.
        """
        if row["spec"] == ORIGINAL and not row["encoding"]:
            return Remade(_checked(row, read()), row["source_labels"])
        original = self._source(row, read)
        if row["spec"] == ORIGINAL:
            return Remade(encode(original.image, _encoding(row)), row["source_labels"])
        spec = self.specs.get(row["spec"])
        if spec is None:
            raise BuildError(f"the recipe has no variant `{row['spec']}`", where=row["file_name"], fix="build it again")
        try:
            planned = self.maker.plan_attempt(original, spec, row["copy"], row["attempt"])
            image = encode(render(original.image, planned), _encoding(row))
        except CannotApply as error:
            raise BuildError(f"{row['variant']} cannot be made again: {error.what}", where=row["source_id"]) from error
        return Remade(image, dump_annotations(planned.judged.annotations, planned.judged.labels))

    def _source(self, row: Mapping[str, Any], read: Callable[[], bytes]) -> Original:
        key = (row["source_sha256"], row["source_labels"])
        if key not in self._sources:
            data = _checked(row, read())
            image = decode(data, read_header(data, self.limits, row["source_id"]), row["source_id"])
            while len(self._sources) >= _SOURCES_KEPT:
                self._sources.pop(next(iter(self._sources)))
            labels = load_annotations(row["source_labels"]), load_image_labels(row["source_labels"])
            self._sources[key] = Original(image, row["source_sha256"], *labels)
        return self._sources[key]


def _checked(row: Mapping[str, Any], data: bytes) -> bytes:
    if hashlib.sha256(data).hexdigest() != row["source_sha256"]:
        raise BuildError("the source has changed since the build", where=row["source_id"], fix="build it again")
    return data


def _encoding(row: Mapping[str, Any]) -> Encoding:
    return Encoding(**json.loads(row["encoding"]))
