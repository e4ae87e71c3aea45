"""Other rows of a dataset, of which variants take parts: chosen as a build chooses other images of the split."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from amp_datasets.building.choosing.images import stays
from amp_datasets.building.choosing.pool import Pool
from amp_datasets.errors import CannotApply, ImageError
from amp_datasets.filtering.base import JoiningFilter
from amp_datasets.filtering.settings import create
from amp_datasets.images.codec import read_header
from amp_datasets.loading.columns import Columns
from amp_datasets.loading.rows import image_bytes, open_row, pieces_of
from amp_datasets.model import Annotation
from amp_datasets.rows.schema import dump_annotations
from amp_datasets.variants.composing.join import whole_outlines
from amp_datasets.variants.maker import VariantMaker
from amp_datasets.variants.recipe import VariantSpec, digest
from amp_datasets.variants.steps import Beside, Original

_LABELS = 1 << 24
"""The labels of row n have ids from (n + 1) times this; those of a row itself count from 0."""
_KEPT = 8
"""So many other rows stay decoded in a process."""


class OtherRows:
    """The rows of a stored dataset with undecoded images, by names that depend on image and labels alone."""

    def __init__(self, raw: Any, columns: Columns, maker: VariantMaker) -> None:
        self.raw = raw
        self.columns = columns
        self._kept: dict[int, Original] = {}
        self._places: dict[str, tuple[int, str]] = {}
        names: dict[bool, list[str]] = {False: [], True: []}
        for number, row in enumerate(raw):
            for name, piece, is_whole in _named(row, columns, maker):
                self._places.setdefault(name, (number, piece))
                names[False].append(name)
                names[True] += [name] if is_whole else []
        self._pools = {kind: Pool(found) for kind, found in names.items()}

    def beside(self, original: Original, labels: Iterable[Annotation], maker: VariantMaker) -> Beside:
        """The other rows for each copy of a kind of variant of an image, and for each of its steps that joins.

        `labels` are those of its row, before preprocessing.
        """
        own = _name_of(original.sha256, labels, original.piece)

        def chosen(spec: VariantSpec, copy: int, number: int) -> list[Original]:
            transform = _joining(spec, maker)[number]
            key = f"{maker.recipe.seed}|{own}|{spec.name}|{copy}|{number}"
            names = self._pools[transform.wants_outlines].choose(key, transform.partners, without=own)
            return [self._opened(name, maker) for name in names]

        return chosen

    def entries(self, annotations: Iterable[Annotation]) -> Mapping[int, dict[str, Any]]:
        """The labels of other rows that new ones come from, by their ids."""
        found: dict[int, dict[str, Any]] = {}
        for number in {(a.id or 0) // _LABELS for a in annotations} - {0}:
            for index, entry in enumerate(self.columns.entries(self.raw[number - 1])):
                found[number * _LABELS + index] = entry
        return found

    def _opened(self, name: str, maker: VariantMaker) -> Original:
        number, piece = self._places[name]
        opened = self._decoded(number, maker)
        found = [each for each in pieces_of(opened, maker) if each.piece == piece]
        if not found:
            raise CannotApply("another image cannot be preprocessed", fix="leave it out of the dataset")
        ids = [replace(a, id=(number + 1) * _LABELS + (a.id or 0)) for a in found[0].annotations]
        return replace(found[0], annotations=tuple(ids))

    def _decoded(self, number: int, maker: VariantMaker) -> Original:
        if number not in self._kept:
            opened = open_row(self.raw[number], self.columns, maker)
            if opened is None:
                raise CannotApply("another image cannot be decoded", fix="leave it out of the dataset")
            while len(self._kept) >= _KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[number] = opened.original
        return self._kept[number]


def _named(row: Mapping[str, Any], columns: Columns, maker: VariantMaker) -> list[tuple[str, str, bool]]:
    """The name of each piece of a row, the piece, and whether an object of it has a whole outline; no pixel is read."""
    try:
        data = image_bytes(row[columns.image])
        size = read_header(data, maker.recipe.limits).size
    except ImageError:
        return []
    sha256, labels = hashlib.sha256(data).hexdigest(), columns.annotations(row, size)
    pieces = [("", labels, size)]
    if maker.recipe.preprocess:
        made = maker.preprocessing.pieces(size, labels, sha256)
        taken = [piece for piece in made if stays(piece, maker.recipe.seed, sha256)]
        pieces = [(piece.name, piece.judged.annotations, piece.warp.size) for piece in taken]
    return [(_name_of(sha256, labels, name), name, any(whole_outlines(shown, of))) for name, shown, of in pieces]


def _name_of(sha256: str, labels: Iterable[Annotation], piece: str) -> str:
    return f"{sha256} {digest(dump_annotations(labels))} {piece}"


def _joining(spec: VariantSpec, maker: VariantMaker) -> list[JoiningFilter]:
    made = [create(maker.registry.filter(step.filter), step.settings) for step in spec.steps]
    return [transform for transform in made if isinstance(transform, JoiningFilter)]
