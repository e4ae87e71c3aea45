"""Makes one variant again from its source's bytes and its row in the ledger, and nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from numpy.typing import NDArray

from amp_datasets.errors import BuildError, CannotApply
from amp_datasets.images.codec import Encoding, Limits, ValueRange, encode, encoding_for, load_encoding, read_header
from amp_datasets.plugin.registry import Registry
from amp_datasets.rows.schema import dump_annotations
from amp_datasets.variants.layers import load_original, unchanged_pixels, variant_pixels
from amp_datasets.variants.maker import Planned, VariantMaker
from amp_datasets.variants.recipe import ORIGINAL, Recipe
from amp_datasets.variants.steps import Original

_MAX_KEPT_BYTES = 128 * 2**20
"""What decoded sources may take of memory; the last one always stays."""


class Remade(NamedTuple):
    """An image file's bytes, and its labels as canonical JSON."""

    data: bytes
    labels: str


class Remaker:
    """Remakes variants of a recipe; one a thread, for its generators are reseeded in place.

    The last sources stay decoded, up to 128 MiB: variants are mostly read source by source. `limits` hold instead of
    the recipe's where that comes from somebody else.
    """

    def __init__(self, recipe: Recipe, registry: Registry | None = None, limits: Limits | None = None) -> None:
        self.recipe = recipe
        self.limits = limits or recipe.limits
        self.specs = {spec.name: spec for spec in recipe.variants}
        self.maker = VariantMaker(recipe, registry)
        self._sources: dict[tuple[str, str, str, str], Original] = {}

    def remake(self, row: Mapping[str, Any], read: Callable[[Mapping[str, Any]], bytes]) -> Remade:
        """The image and labels of a row; `read` gives a source's bytes, and is not called if they are at hand.

        It is given the row, or what the row says of another image that it takes parts of.

        Raises BuildError if the row cannot be followed, or if the source is not the one that it was made of.
        """
        if row["spec"] == ORIGINAL and not row["encoding"]:
            data = _checked(row, read(row))
            read_header(data, self.limits, row["source_id"])  # whoever opens it next may know more formats than we do
            return Remade(data, row["source_labels"])
        original = self._opened(row, read)
        if row["spec"] == ORIGINAL:
            encoding = _encoding(row)
            labels = row["source_labels"]
            if self.recipe.preprocess:
                labels = dump_annotations(original.annotations, original.labels)
            return Remade(encode(unchanged_pixels(original, encoding, self.limits), encoding), labels)
        planned, pixels = self._made(row, original)
        image = encode(pixels, _encoding(row))
        return Remade(image, dump_annotations(planned.judged.annotations, planned.judged.labels))

    def pixels(self, row: Mapping[str, Any], read: Callable[[Mapping[str, Any]], bytes]) -> NDArray[Any]:
        """The pixels of a row's image as its filters give them, as `encode` takes them; as `remake` otherwise."""
        original = self._opened(row, read)
        if row["spec"] == ORIGINAL:
            return unchanged_pixels(original, _encoding(row), self.limits)
        return self._made(row, original)[1]

    def _opened(self, row: Mapping[str, Any], read: Callable[[Mapping[str, Any]], bytes]) -> Original:
        """The source of a row, with the other images that it takes parts of."""
        original = self._source(row, read)
        partners = json.loads(row.get("partners") or "[]")
        if not partners:
            return original
        return replace(
            original, beside=lambda _spec, _copy, step: [self._source(other, read) for other in partners[step]]
        )

    def _made(self, row: Mapping[str, Any], original: Original) -> tuple[Planned, NDArray[Any]]:
        spec = self.specs.get(row["spec"])
        if spec is None:
            raise BuildError(f"the recipe has no variant `{row['spec']}`", where=row["file_name"], fix="build it again")
        try:
            planned = self.maker.plan_attempt(original, spec, row["copy"], row["attempt"])
            return planned, variant_pixels(original, planned, _encoding(row), self.limits)
        except CannotApply as error:
            raise BuildError(f"{row['variant']} cannot be made again: {error.what}", where=row["source_id"]) from error

    def _source(self, row: Mapping[str, Any], read: Callable[[Mapping[str, Any]], bytes]) -> Original:
        piece = row["piece"]
        key = (row["source_sha256"], row["source_labels"], row["values"], piece)
        if key not in self._sources:
            data, where = _checked(row, read(row)), row["source_id"]
            header, values = read_header(data, self.limits, where), _values(row)
            encoding = encoding_for(header, self.recipe.encode, values)
            sha256, labels = row["source_sha256"], row["source_labels"]
            made = load_original(data, header, encoding, sha256=sha256, labels=labels, values=values, where=where)
            if self.recipe.preprocess:
                made = self._preprocessed(made, piece, where)
            while self._sources and sum(map(_size_of, self._sources.values())) + _size_of(made) > _MAX_KEPT_BYTES:
                self._sources.pop(next(iter(self._sources)))
            self._sources[key] = made
        self._sources[key] = self._sources.pop(key)  # the one used last goes last
        return self._sources[key]

    def _preprocessed(self, original: Original, piece: str, where: str) -> Original:
        try:
            return self.maker.preprocessing.apply(original, piece)
        except CannotApply as error:
            raise BuildError(f"its piece `{piece}` cannot be made again: {error.what}", where=where) from error


def _size_of(original: Original) -> int:
    """The bytes of its pixels."""
    layers = (original.image, original.deep, original.alpha)
    return sum(layer.nbytes for layer in layers if layer is not None)


def _checked(row: Mapping[str, Any], data: bytes) -> bytes:
    if hashlib.sha256(data).hexdigest() != row["source_sha256"]:
        raise BuildError("the source has changed since the build", where=row["source_id"], fix="build it again")
    return data


def _encoding(row: Mapping[str, Any]) -> Encoding:
    return load_encoding(row["encoding"])


def _values(row: Mapping[str, Any]) -> ValueRange | None:
    low, high = json.loads(row["values"] or "[null, null]")
    return None if low is None or not low < high else (float(low), float(high))
