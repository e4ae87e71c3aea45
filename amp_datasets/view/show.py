"""Rows of a dataset, a set or a build as a gallery, for notebooks."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from amp_datasets.errors import AmpError
from amp_datasets.images.drawing.gallery import TILE, Gallery, Tile
from amp_datasets.loading.augment import find_dataset_columns
from amp_datasets.loading.columns import Columns, columns_of_row
from amp_datasets.manifest.model import Manifest
from amp_datasets.model import Category
from amp_datasets.view.preview import preview


def show(what: Any, n: int = 12, *, full: bool = False) -> Gallery:
    """Up to `n` images of anything with images and boxes, with their labels; a notebook's cell shows the result.

        amp.show(amp.load("build")["train"])
        amp.show("photos")

    `what` is a set's, manifest's or build's path, a recipe, a `datasets.Dataset` (of a DatasetDict the first split), or
    rows with decoded images. Raises AmpError for anything else.
    """
    if isinstance(what, Gallery):
        return what
    if isinstance(what, str | Path | Manifest):
        return preview(what, images=n, full=full)
    if isinstance(what, Mapping) and what and all(hasattr(rows, "features") for rows in what.values()):
        what = next(iter(what.values()))
    if getattr(what, "features", None) is not None:
        columns, names = find_dataset_columns(what, Manifest())
        rows = list(itertools.islice(what.with_format(None) if hasattr(what, "with_format") else what, n))
        return _gallery(rows, columns, names, full)
    rows = list(itertools.islice(_rows(what), n))
    if not rows:
        raise AmpError("there is nothing to show", fix="give a path, a dataset, or rows with images and boxes")
    columns = columns_of_row(rows[0], "xywh")
    return _gallery(rows, columns, [], full)


def _rows(what: Any) -> Iterable[Any]:
    if isinstance(what, Mapping):
        return [what]
    if isinstance(what, Iterable):
        return what
    raise AmpError(f"a {type(what).__name__} cannot be shown", fix="give a path, a dataset, or rows with images")


def _gallery(rows: list[Mapping[str, Any]], columns: Columns, names: list[str], full: bool) -> Gallery:
    tiles = []
    for number, row in enumerate(rows):
        image = np.asarray(row[columns.image].convert("RGB"))
        annotations = columns.annotations(row, (image.shape[1], image.shape[0]))
        title = str(row.get("variant") or row.get("file_name") or row.get("image_id", number))
        tiles.append(Tile(title, image, annotations))
    found = names or sorted({a.category for tile in tiles for a in tile.annotations})
    size, per_row = ((1600, 1200), 1) if full else (TILE, 5)
    return Gallery(tuple(tiles), tuple(Category(name) for name in found), size, per_row)
