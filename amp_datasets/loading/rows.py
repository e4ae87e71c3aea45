"""A row of anybody's dataset as a build has a source: opened, decoded, preprocessed; and what no row alone can give."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from amp_datasets.building.choosing.images import stays
from amp_datasets.errors import DAMAGE, AmpError, CannotApply, ImageError
from amp_datasets.filtering.base import JoiningFilter, SplittingFilter
from amp_datasets.filtering.settings import create
from amp_datasets.images.codec import Encoding, decode, encode, encoding_for, read_header
from amp_datasets.images.kinds import changes
from amp_datasets.loading.columns import Columns
from amp_datasets.manifest.model import Manifest
from amp_datasets.manifest.preprocess import SELECTIONS
from amp_datasets.model import Annotation, Image
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.variants.maker import VariantMaker
from amp_datasets.variants.recipe import Recipe, load_recipe
from amp_datasets.variants.steps import Original


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
    columns: Columns

    @property
    def is_changed(self) -> bool:
        """Whether the row's file does not show the image as it is here."""
        return self.is_odd or bool(self.original.before)

    def row(
        self,
        row: Mapping[str, Any],
        image: Image,
        annotations: Sequence[Annotation],
        others: Mapping[int, dict[str, Any]] | None = None,
    ) -> dict[str, Any]:
        """A row with another image and its labels."""
        new = self.columns.row(row, annotations, (image.shape[1], image.shape[0]), others)
        return {**new, self.columns.image: self.file(image)}

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
    return OpenRow(original, encoding, bool(changes(header, encoding)), columns)


def image_bytes(value: Mapping[str, Any]) -> bytes:
    """The bytes of an image that is not decoded: in the row, or in the file that it names. Raises ImageError."""
    if value and value.get("bytes"):
        return bytes(value["bytes"])
    try:
        return Path(str(value["path"])).read_bytes()
    except (OSError, *DAMAGE) as error:
        raise ImageError("the image of a row cannot be read", where=str(value)[:200]) from error


def pieces_of(original: Original, maker: VariantMaker) -> Iterator[Original]:
    """What preprocessing makes of an image, or itself; of pieces without an object the share that stays."""
    if not maker.recipe.preprocess:
        yield original
        return
    for piece in maker.preprocessing.pieces(original.size, original.annotations, original.sha256):
        if stays(piece, maker.recipe.seed, original.sha256):
            try:
                yield maker.preprocessing.apply(original, piece.name)
            except CannotApply:
                continue


def joining_filters(recipe: Recipe) -> list[str]:
    """The filters of a recipe that take parts of other images."""
    registry = load_registry(tuple(map(Path, recipe.plugin_dirs)))
    steps = [step.filter for spec in recipe.variants for step in spec.steps]
    return [name for name in dict.fromkeys(steps) if issubclass(registry.filter(name), JoiningFilter)]


def refuse_set_wide(recipe: Manifest) -> None:
    """Refuse what needs to know all images of a set, or gives no boxes: an AmpError that says what to do instead."""
    registry = load_registry()
    for step in (step for step in recipe.preprocess if step.filter not in SELECTIONS):
        if getattr(create(registry.filter(step.filter), step.settings), "classifies", False):
            raise AmpError(
                f"`{step.filter}` makes images with a class and no box, and rows here have boxes",
                where="the recipe's `preprocess`",
                fix="build the set, or leave `classify` out",
            )
    asked = [step.filter for step in recipe.preprocess if step.filter in SELECTIONS]
    asked += ["balance"] if recipe.balance is not None else []
    if asked:
        raise AmpError(
            f"`{asked[0]}` chooses among the images of a whole set, which rows by themselves do not show",
            where="the recipe",
            fix="build the set, or leave it out and choose by `dataset.filter(...)`",
        )


def refuse_other_rows(recipe: Recipe) -> None:
    """Refuse what makes several images of a row, or takes parts of others, where a row becomes one row: an AmpError."""
    registry = load_registry(tuple(map(Path, recipe.plugin_dirs)))
    for name in joining_filters(recipe):
        raise AmpError(
            f"`{name}` takes parts of other images, and here is one row at a time",
            where="the recipe",
            fix="use `amp.augment(dataset, recipe)`, build the set, or leave the filter out",
        )
    for step in recipe.preprocess:
        if issubclass(registry.filter(step.filter), SplittingFilter):
            raise AmpError(
                f"`{step.filter}` makes several images of one, and here a row becomes one row",
                where="the recipe's `preprocess`",
                fix="use `amp.augment(dataset, recipe)` first, or build the set",
            )
