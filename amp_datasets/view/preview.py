"""What a set, a manifest or a build looks like: its images with their labels, or the variants that would be made."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from amp_datasets.building.choosing.partners import Partners
from amp_datasets.building.choosing.prepared import Prepared
from amp_datasets.building.inputs import Order, is_set
from amp_datasets.building.prepare import prepare
from amp_datasets.building.workspace import is_build
from amp_datasets.errors import AmpError, BuildError, ImageError, nearest
from amp_datasets.images.codec import Limits, decode, read_bytes, read_header
from amp_datasets.images.drawing.gallery import TILE, Gallery, Tile
from amp_datasets.manifest.model import SourceSettings
from amp_datasets.model import Image, LabelSet, Sample
from amp_datasets.plugin.discovery import load_formats
from amp_datasets.progress import Progress, silent
from amp_datasets.sources.joining import Item
from amp_datasets.sources.open import read_source
from amp_datasets.variants.maker import Planned, VariantMaker, render
from amp_datasets.variants.recipe import ORIGINAL, VariantSpec
from amp_datasets.variants.steps import Original

FULL = (1600, 1200)
"""How large an image is at most with `full`."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which images and variants are shown.

    `images` of them, the first ones or, with `seed`, some at random; those whose name contains `name`, that have a
    label of class `category`; of their variants those of the filters or mixes `filters`.
    """

    images: int = 1
    seed: int | None = None
    name: str | None = None
    category: str | None = None
    filters: tuple[str, ...] = ()

    def take(self, samples: Sequence[Any]) -> list[Any]:
        """The chosen ones of some samples, or of items that have one."""
        fitting = [each for each in samples if self._fits(getattr(each, "sample", each))]
        if not fitting:
            raise BuildError("no image is as asked for", fix="look at --image, --class, and `augment` in the manifest")
        if self.seed is not None:
            return random.Random(self.seed).sample(fitting, min(self.images, len(fitting)))
        return fitting[: self.images]

    def _fits(self, sample: Sample) -> bool:
        named = self.name is None or self.name in sample.source_id
        return named and (self.category is None or self.category in sample.categories)


def preview(
    target: Any,
    *,
    images: int | None = None,
    seed: int | None = None,
    name: str | None = None,
    category: str | None = None,
    filters: Sequence[str] = (),
    full: bool = False,
    sources: Sequence[Any] = (),
    settings: Sequence[str] = (),
    plugin_dirs: Sequence[str | Path] = (),
    progress: Progress = silent,
) -> Gallery:
    """Images with their labels: of a set or a build some of its own, of a manifest or recipe the variants of one image.

        amp.preview("photos").save("photos.jpg")
        amp.preview("amp.yaml", name="drum_7", filters=["rotate"])

    With `seed` the images are chosen at random; `name`, `category` and `filters` narrow down what is shown. A variant
    that cannot be made is an empty tile with the reason. `full` shows images large, one below the other. Raises
    AmpError where nothing is as asked for.
    """
    size, columns = (FULL, 1) if full else (TILE, 5)
    if isinstance(target, str | Path) and (is_build(Path(target)) or (is_set(target) and not (filters or settings))):
        chosen = Choice(images or 20, seed, name, category)
        labels = _read(target, plugin_dirs, progress)
        tiles, categories = _set_tiles(labels, chosen, progress), labels.categories
        return Gallery(tuple(tile.light(categories, size) for tile in tiles), categories, size, columns)
    progress("reading the sources", 0, 1)
    prepared = prepare(Order(target, sources, settings, plugin_dirs=plugin_dirs))
    chosen = Choice(images or 1, seed, name, category, tuple(filters))
    tiles, categories = _variant_tiles(prepared, chosen, progress), prepared.joined.categories
    return Gallery(tuple(tile.light(categories, size) for tile in tiles), categories, size, columns)


def _read(target: str | Path, plugin_dirs: Sequence[str | Path], progress: Progress) -> LabelSet:
    progress("reading the set", 0, 1)
    registry = load_formats(tuple(Path(folder) for folder in plugin_dirs))
    labels, _ = read_source(SourceSettings(path=str(target)), registry, Limits())
    return labels


def _set_tiles(labels: LabelSet, chosen: Choice, progress: Progress) -> Iterator[Tile]:
    known = [category.name for category in labels.categories]
    if chosen.category is not None and chosen.category not in known:
        near = nearest(chosen.category, known)
        hint = f"did you mean `{near}`?" if near else f"its classes are: {', '.join(known)}"
        raise AmpError(f"the set has no class `{chosen.category}`", fix=hint)
    taken = chosen.take(sorted(labels.samples, key=lambda sample: not sample.labelled))
    for number, sample in enumerate(taken):
        progress("drawing", number, len(taken))
        yield sample_tile(sample)


def sample_tile(sample: Sample, limits: Limits | None = None) -> Tile:
    """One image of a set with its labels; if it is broken, the reason."""
    title = " ".join([sample.source_id, *sample.labels])
    try:
        data = read_bytes(sample.image, limits or Limits())
        image: Image = decode(data, read_header(data, limits or Limits(), sample.image), sample.image)
    except ImageError as error:
        return Tile(title, note=error.what)
    return Tile(title if sample.labelled else f"{title} (never labelled)", image, sample.annotations)


def _variant_tiles(prepared: Prepared, chosen: Choice, progress: Progress) -> Iterator[Tile]:
    wanted = [item for item in prepared.joined.items if item.sample.split in prepared.manifest.augment]
    if not wanted:
        raise BuildError("no source image gets variants", fix="look at `augment` and `splits` in the manifest")
    _check_filters(prepared, chosen.filters)
    maker = VariantMaker(prepared.recipe, prepared.registry)
    partners = Partners(prepared)
    taken = chosen.take(wanted)
    for number, item in enumerate(taken):
        progress("making variants", number, len(taken))
        yield from item_tiles(item, maker, chosen.filters, partners)


def item_tiles(
    item: Item, maker: VariantMaker, filters: Sequence[str] = (), partners: Partners | None = None
) -> Iterator[Tile]:
    """A source and its variants, those of some filters or all; `partners` chooses others that they take parts of."""
    original = _original(item, maker)

    def beside(spec: VariantSpec, copy: int, step: int) -> list[Original]:
        groups = [] if partners is None else partners.of(item, spec)
        return [_original(other, maker) for other in groups[copy][step]] if groups else []

    original, image = replace(original, beside=beside), original.image
    title = f"{item.stem} {item.piece}".strip()
    yield Tile(_titled(title, original.labels), image, original.annotations)
    shown = {annotation.category for annotation in original.annotations}
    for spec in (spec for spec in maker.recipe.variants if spec.concerns(shown.union(original.labels))):
        if filters and spec.name not in filters:
            continue
        for planned in maker.plan_copies(original, spec, item.copies.get(spec.name)):
            title = planned.spec.label(planned.copy)
            if isinstance(planned, Planned):
                pixels, judged = render(image, planned), planned.judged
                yield Tile(_titled(title, judged.labels), pixels, tuple(judged.annotations))
            else:
                yield Tile(title, note=f"not made: {planned.reason} {planned.detail}".strip())


def _original(item: Item, maker: VariantMaker) -> Original:
    """An image as variants are made from it."""
    limits = maker.recipe.limits
    data = read_bytes(item.sample.image, limits)
    image = decode(data, read_header(data, limits, item.sample.image), item.sample.image, item.values)
    labels = (item.sample.annotations, item.sample.labels)
    original = Original(image, hashlib.sha256(data).hexdigest(), *labels, frozenset(item.one_sided))
    return maker.preprocessing.apply(original, item.piece) if maker.recipe.preprocess else original


def _check_filters(prepared: Prepared, filters: Sequence[str]) -> None:
    known: Mapping[str, Any] = {spec.name: spec for spec in prepared.recipe.variants}
    for name in filters:
        if name not in known and name != ORIGINAL:
            near = nearest(name, known)
            hint = f"did you mean `{near}`?" if near else f"there are: {', '.join(known)}"
            raise AmpError(f"the manifest has no filter or mix `{name}`", fix=hint)


def _titled(title: str, labels: Sequence[str]) -> str:
    return f"{title} ({', '.join(labels)})" if labels else title
