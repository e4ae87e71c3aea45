"""Datasets in, datasets out: all variants of every row as new rows, through `datasets.map` and its cache."""

from __future__ import annotations

import functools
import hashlib
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from amp_datasets.errors import AmpError, ImageError, SourceError
from amp_datasets.images.codec import Encoding, decode, encode, encoding_for, read_header
from amp_datasets.images.kinds import changes
from amp_datasets.ledger.keys import VariantKeys
from amp_datasets.loading.columns import BoxForm, Columns, find_columns
from amp_datasets.manifest.model import Manifest
from amp_datasets.manifest.resolve import recipe_for
from amp_datasets.model import Category, Image
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.variants.maker import Planned, VariantMaker, render
from amp_datasets.variants.recipe import load_recipe
from amp_datasets.variants.steps import Original

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict, IterableDataset, IterableDatasetDict

    D = TypeVar("D", Dataset, DatasetDict, IterableDataset, IterableDatasetDict)

_LOOKED_AT = 200
"""Rows from which it is settled what the four numbers of a box are."""

Batch = dict[str, list[Any]]


def augment(dataset: D, recipe: Manifest, *, boxes: BoxForm | None = None) -> D:
    """The dataset with all variants of a recipe as new rows after each row; types and other columns stay.

        train = amp.augment(load_dataset("owner/name", split="train"), amp.Recipe([amp.Flip(), amp.Rotate()]))

    `dataset` has a column of images and boxes in any of the hub's shapes; what the numbers are is found from the rows,
    or given as `boxes`. Of several splits those in `recipe.augment` get variants. A variant depends on its image,
    settings and seed alone, as in a build. A stored dataset is mapped once and served from the cache afterwards, an
    iterable one lazily. Variants that cannot be made are left out. Raises AmpError for a dataset without boxes.
    """
    if isinstance(dataset, Mapping):
        made = {
            split: augment(rows, recipe, boxes=boxes) if _wanted(split, recipe) else rows
            for split, rows in dataset.items()
        }
        splits: D = type(dataset)(made)  # type: ignore[call-arg]
        return splits
    job = prepare_rows(dataset, recipe, boxes)
    raw = dataset.cast_column(job.columns.image, _stored_image())
    settings: dict[str, Any] = {"batched": True, "batch_size": 1, "features": raw.features}
    if hasattr(dataset, "_fingerprint"):
        settings |= {"new_fingerprint": _fingerprint(dataset, job), "desc": "making variants"}
    mapped = raw.map(_Augmenter(job, recipe.originals), **settings)
    return mapped.cast_column(job.columns.image, dataset.features[job.columns.image])


@dataclass(frozen=True)
class Job:
    """What a worker needs to make variants of rows, as plain data that can be pickled and hashed."""

    recipe: str
    columns: Columns


def prepare_rows(dataset: Dataset | IterableDataset, recipe: Manifest, boxes: BoxForm | None = None) -> Job:
    """Find the columns of a dataset, and the recipe for its classes."""
    if not recipe.variants():
        raise AmpError("there is nothing to make", where="the recipe", fix="give it `filters` or `mixes`")
    columns, names = find_dataset_columns(dataset, recipe, boxes)
    return Job(recipe_for(recipe, [Category(name) for name in names]).dump(), columns)


def find_dataset_columns(
    dataset: Dataset | IterableDataset, recipe: Manifest, boxes: BoxForm | None = None
) -> tuple[Columns, list[str]]:
    """Where a dataset has its labels, and the names of its classes. Looks at the first rows, decodes no image."""
    features = dataset.features
    if features is None:
        raise SourceError("the dataset has no types", fix="give `features=` where it is loaded")
    probe = find_columns(features, (), (), boxes or "xywh")
    raw = dataset.cast_column(probe.image, _stored_image())
    first = list(itertools.islice(iter(raw), _LOOKED_AT))
    limits = recipe.limits.as_limits()
    seen = [(row, read_header(image_bytes(row[probe.image]), limits).size) for row in first]
    columns = find_columns(features, [row for row, _ in seen], [size for _, size in seen], boxes)
    found = columns.names or sorted({a.category for row, size in seen for a in columns.annotations(row, size)})
    return columns, list(found)


class _Augmenter:
    """A row to itself and its variants; a class, so that `datasets` can pickle it for its workers."""

    def __init__(self, job: Job, originals: bool) -> None:
        self.job = job
        self.originals = originals

    def __call__(self, batch: Batch) -> Batch:
        """The rows that come of a batch of one."""
        row = {name: values[0] for name, values in batch.items()}
        rows = list(self._rows(row))
        return {name: [each[name] for each in rows] for name in row}

    def _rows(self, row: dict[str, Any]) -> Iterator[dict[str, Any]]:
        columns, maker = self.job.columns, maker_of(self.job.recipe)
        opened = open_row(row, columns, maker)
        if opened is None:  # the image is broken: the row stays as it is
            yield from [row] if self.originals else []
            return
        if self.originals:
            yield {**row, columns.image: opened.file(opened.original.image)} if opened.is_odd else row
        for planned in maker.plan_all(opened.original):
            if isinstance(planned, Planned):
                image = render(opened.original.image, planned)
                new = columns.row(row, planned.judged.annotations, (image.shape[1], image.shape[0]))
                yield {**new, columns.image: opened.file(image)}


@functools.lru_cache(maxsize=4)
def maker_of(recipe: str) -> VariantMaker:
    """The maker of a recipe's variants, once in a process."""
    return VariantMaker(load_recipe(recipe))


@dataclass(frozen=True)
class OpenRow:
    """A row's decoded image with its labels, and how its variants are encoded.

    It is odd if readers would not agree about it (16 bits, transparency, CMYK): then it is written anew, as in a build.
    """

    original: Original
    encoding: Encoding
    is_odd: bool

    def file(self, image: Image) -> dict[str, Any]:
        """An image as `datasets` stores it."""
        return {"bytes": encode(image, self.encoding), "path": None}


def open_row(row: Mapping[str, Any], columns: Columns, maker: VariantMaker) -> OpenRow | None:
    """A row's image, decoded; None for one that is broken. Depth and transparency are kept by builds alone."""
    limits = maker.recipe.limits
    try:
        data = image_bytes(row[columns.image])
        header = read_header(data, limits)
        image = decode(data, header)
    except ImageError:
        return None
    annotations = columns.annotations(row, (image.shape[1], image.shape[0]))
    original = Original(image, hashlib.sha256(data).hexdigest(), annotations)
    encoding = encoding_for(header, replace(maker.recipe.encode, depth=8, alpha="flatten"))
    return OpenRow(original, encoding, bool(changes(header, encoding)))


def image_bytes(value: Mapping[str, Any]) -> bytes:
    """The bytes of an image that is not decoded: in the row, or in the file that it names. Raises ImageError."""
    if value and value.get("bytes"):
        return bytes(value["bytes"])
    try:
        return Path(str(value["path"])).read_bytes()
    except (OSError, KeyError, TypeError) as error:
        raise ImageError("the image of a row cannot be read", where=str(value)[:200]) from error


def _stored_image() -> Any:
    from datasets import Image

    return Image(decode=False)


def _wanted(split: str, recipe: Manifest) -> bool:
    return {"val": "validation", "valid": "validation"}.get(split, split) in recipe.augment


def _fingerprint(dataset: Dataset, job: Job) -> str:
    """A name for the result by what decides about it; `datasets` would hash our code by its name alone.

    `_fingerprint` is the only name that `datasets` has for the content of a dataset.
    """
    recipe = load_recipe(job.recipe)
    keys = VariantKeys(recipe, load_registry())
    told = repr((dataset._fingerprint, job, keys.versions, keys.plugins))
    return hashlib.blake2b(told.encode(), digest_size=8).hexdigest()
