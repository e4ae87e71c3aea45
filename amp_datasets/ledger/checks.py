"""Looks a lock and the rows of a ledger through once, when they are opened: whoever wrote them, they are as ours are.

The limits are our own, never those that the files state.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from amp_datasets.errors import DAMAGE, BuildError
from amp_datasets.images.codec import Limits
from amp_datasets.manifest.model import SourceSettings
from amp_datasets.model import SPLITS
from amp_datasets.storage.names import is_plain_name, is_relative_name
from amp_datasets.variants.recipe import Recipe

MAX_ROWS = 20_000_000
MAX_LABELS_CHARS = 16 * 2**20
"""Of the labels of one image, as JSON."""

MAX_STEPS_CHARS = 2**20
MAX_TEXT_CHARS = 8192
MAX_SIDE_PX = 2**20
MAX_COPIES = 1000
MAX_ATTEMPTS = 1000
MAX_VARIANTS = 10_000
_MAX_BATCH_BYTES = 256 * 2**20

_LONG = {
    "labels": MAX_LABELS_CHARS,
    "source_labels": MAX_LABELS_CHARS,
    "partners": MAX_LABELS_CHARS,
    "steps": MAX_STEPS_CHARS,
}
_AGAIN = "build it again; if it came from elsewhere, do not use it"
_SHA256 = r"^([0-9a-f]{64})?$"
_TOP = {"copy": MAX_COPIES, "attempt": MAX_ATTEMPTS, "width": MAX_SIDE_PX, "height": MAX_SIDE_PX}


def _relative(name: str) -> str:
    if not is_relative_name(name):
        raise ValueError("it is no name of a file in the build")
    return name


Text = Annotated[str, Field(max_length=MAX_TEXT_CHARS)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{16,128}$")]
Index = Annotated[int, Field(ge=0, lt=10_000)]


class _Category(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    name: Annotated[str, Field(min_length=1, max_length=MAX_TEXT_CHARS)]
    supercategory: Text
    keypoints: list[Text]
    skeleton: list[Annotated[list[Index], Field(min_length=2, max_length=2)]]
    flip_pairs: list[Annotated[list[Index], Field(min_length=2, max_length=2)]]


class _Source(BaseModel):
    name: Text
    images: Annotated[int, Field(ge=0)]
    digest: Text
    source: SourceSettings


class _Lock(BaseModel):
    """What every lock has; a later version may add to it."""

    files: dict[Annotated[str, AfterValidator(_relative)], Digest]
    lock_digest: Digest
    manifest_digest: Text
    categories: Annotated[list[_Category], Field(max_length=100_000)]
    sources: Annotated[list[_Source], Field(max_length=10_000)]
    plugins: dict[Text, Text]
    versions: dict[Text, Text]
    machine: dict[str, Any]
    recipe: dict[str, Any]
    lazy: bool


_RECIPE = TypeAdapter(Recipe)


def check_lock(lock: Mapping[str, Any], where: Path) -> None:
    """Refuse a lock that is not as `seal` writes them: a BuildError names the first thing that is wrong."""
    try:
        _Lock.model_validate(lock)
        check_recipe(_RECIPE.validate_python({**lock["recipe"], "plugin_dirs": ()}))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))[:100]
        raise BuildError(f"the lock is damaged: {place}: {first['msg']}", where=where, fix=_AGAIN) from error
    except DAMAGE as error:
        raise BuildError(f"the lock is damaged: {error}", where=where, fix=_AGAIN) from error


def check_recipe(recipe: Recipe) -> None:
    """A ValueError if following a recipe could cost more than one of a manifest."""
    ours = Limits()
    counts = [spec.copies for spec in recipe.variants]
    if len(counts) > MAX_VARIANTS or any(not 1 <= count <= MAX_COPIES for count in counts):
        raise ValueError(f"a recipe has at most {MAX_VARIANTS} kinds of variant with {MAX_COPIES} copies each")
    if not 1 <= recipe.labels.attempts <= MAX_ATTEMPTS:
        raise ValueError(f"a recipe has at most {MAX_ATTEMPTS} attempts")
    if recipe.max_pixels < 1 or recipe.max_bytes < 1 or recipe.max_bytes > 2**34 or recipe.max_pixels > 2**34:
        raise ValueError(f"its limits are not sensible (ours are {ours.max_pixels} pixels, {ours.max_bytes} bytes)")


def checked_batch(batch: pa.RecordBatch, where: Path) -> pa.RecordBatch:
    """A batch of a ledger, whose texts may be dictionaries; a BuildError if a row is not as ours are."""
    problem = next(_problems(batch), None)
    if problem is not None:
        raise BuildError(f"the ledger is damaged: {problem}", where=where, fix=_AGAIN)
    return batch


def _problems(batch: pa.RecordBatch) -> Iterator[str]:
    batch.validate(full=True)  # offsets of a damaged file would lead out of its memory
    weight = 0
    for name in batch.schema.names:
        column = batch.column(name)
        if column.null_count:
            yield f"`{name}` has no value"
        if pa.types.is_dictionary(column.type) or pa.types.is_string(column.type):
            most, total = _lengths(column)
            weight += total
            if most > _LONG.get(name, MAX_TEXT_CHARS):
                yield f"a text in `{name}` has {most} bytes, more than {_LONG.get(name, MAX_TEXT_CHARS)}"
        elif pa.types.is_integer(column.type) and len(column):
            low, high = pc.min_max(column).as_py().values()
            if low < 0 or high > _TOP.get(name, 2**31):
                yield f"`{name}` is {low if low < 0 else high}"
    if weight > _MAX_BATCH_BYTES:
        yield f"{batch.num_rows} rows have {weight} bytes of text"
    yield from _wrong_words(batch)


def _lengths(column: pa.Array) -> tuple[int, int]:
    """The longest text of a column and the bytes of all of them."""
    if pa.types.is_dictionary(column.type):
        lengths = pc.take(pc.binary_length(column.dictionary), column.indices)
    else:
        lengths = pc.binary_length(column)
    return int(pc.max(lengths).as_py() or 0), int(pc.sum(lengths).as_py() or 0)


def _wrong_words(batch: pa.RecordBatch) -> Iterator[str]:
    """Names and digests that are none: a split or a file name becomes part of a path."""
    rules = {"split": f"^({'|'.join(SPLITS)})$", "status": "^(made|dropped)$", "sha256": _SHA256}
    for name in (name for name in rules if name in batch.schema.names):
        odd = [value for value in _values(batch, name) if re.search(rules[name], value) is None]
        if odd:
            yield f"`{name}` is {odd[0][:80]!r}"
    if "file_name" in batch.schema.names:
        odd = [value for value in _values(batch, "file_name") if value and not is_plain_name(value)]
        if odd:
            yield f"this is no name of a file: {odd[0][:80]!r}"
        if "status" in batch.schema.names:
            nameless = pc.and_(pc.equal(_plain(batch, "status"), "made"), pc.equal(_plain(batch, "file_name"), ""))
            if pc.any(nameless).as_py():
                yield "an image that was made has no name"


def _plain(batch: pa.RecordBatch, name: str) -> pa.Array:
    column = batch.column(name)
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _values(batch: pa.RecordBatch, name: str) -> list[str]:
    return [value for value in pc.unique(batch.column(name)).to_pylist() if value is not None]
