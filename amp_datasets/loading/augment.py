"""Datasets in, datasets out: all variants of every row as new rows, through `datasets.map` and its cache."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from amp_datasets.errors import AmpError, SourceError
from amp_datasets.images.codec import read_header
from amp_datasets.ledger.keys import VariantKeys
from amp_datasets.loading.columns import BoxForm, Columns, find_columns
from amp_datasets.loading.others import OtherRows
from amp_datasets.loading.rows import (
    OpenRow,
    image_bytes,
    joining_filters,
    maker_of,
    open_row,
    pieces_of,
    refuse_set_wide,
)
from amp_datasets.manifest.model import Manifest
from amp_datasets.manifest.resolve import recipe_for
from amp_datasets.model import Annotation, Category
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.variants.maker import Planned, VariantMaker, render
from amp_datasets.variants.recipe import load_recipe

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
    iterable one lazily. Variants that cannot be made are left out.

    `preprocess` makes each row anew, tiles several of it; `mosaic` and `copy_paste` take parts of other rows of a
    stored dataset, whose files are read once for it. What a recipe says of sources (`classes`, `splits`, `exports`) is
    not looked at. Raises AmpError for a dataset without boxes, and for what needs a whole set (`balance`,
    `filter_null`, `filter_tag`, other rows of an iterable dataset).
    """
    if isinstance(dataset, Mapping):
        made = {
            split: augment(rows, recipe, boxes=boxes) if _wanted(split, recipe) else rows
            for split, rows in dataset.items()
        }
        splits: D = type(dataset)(made)  # type: ignore[call-arg]
        return splits
    refuse_set_wide(recipe)
    job = prepare_rows(dataset, recipe, boxes)
    raw = dataset.cast_column(job.columns.image, _stored_image())
    others = _others_of(raw, job)
    settings: dict[str, Any] = {"batched": True, "batch_size": 1, "features": raw.features}
    if hasattr(dataset, "_fingerprint"):
        settings |= {"new_fingerprint": _fingerprint(dataset, job), "desc": "making variants"}
    mapped = raw.map(_Augmenter(job, recipe.originals, others), **settings)
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

    def __init__(self, job: Job, originals: bool, others: OtherRows | None = None) -> None:
        self.job = job
        self.originals = originals
        self.others = others

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
        for original in pieces_of(opened.original, maker):
            yield from self._of_piece(row, replace(opened, original=original), opened.original.annotations, maker)

    def _of_piece(
        self, row: dict[str, Any], opened: OpenRow, labels: Sequence[Annotation], maker: VariantMaker
    ) -> Iterator[dict[str, Any]]:
        """The image itself, or a piece of it, and its variants; `labels` are those of the row."""
        original = opened.original
        if self.originals:
            yield opened.row(row, original.image, original.annotations) if opened.is_changed else row
        if self.others is not None:
            original = replace(original, beside=self.others.beside(original, labels, maker))
        for planned in maker.plan_all(original):
            if isinstance(planned, Planned):
                entries = {} if self.others is None else self.others.entries(planned.judged.annotations)
                yield opened.row(row, render(original.image, planned), planned.judged.annotations, entries)


def _others_of(raw: Dataset | IterableDataset, job: Job) -> OtherRows | None:
    """The rows that variants take parts of, where a recipe has such. Raises AmpError if they cannot be looked at."""
    from datasets import Dataset

    joining = joining_filters(load_recipe(job.recipe))
    if not joining:
        return None
    if not isinstance(raw, Dataset):
        raise AmpError(
            f"`{joining[0]}` takes parts of other rows, and an iterable dataset has none at hand",
            fix="give a stored dataset, build the set, or leave the filter out",
        )
    return OtherRows(raw, job.columns, maker_of(job.recipe))


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
