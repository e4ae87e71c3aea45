"""Variants of which a person would say that they are broken: next to nothing of the image, or specks for objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from statistics import median

import numpy as np

from amp_datasets.audit.rules import Finding, finding
from amp_datasets.errors import AmpError
from amp_datasets.images.codec import Limits, encoding_for, read_header
from amp_datasets.manifest.model import Manifest
from amp_datasets.manifest.resolve import recipe_for
from amp_datasets.model import Annotation, FloatArray
from amp_datasets.plugin.registry import Registry
from amp_datasets.rows.schema import dump_annotations
from amp_datasets.sources.joining import Consolidated, Item
from amp_datasets.storage.folder import read_image_file
from amp_datasets.variants.layers import load_original
from amp_datasets.variants.maker import Planned, VariantMaker
from amp_datasets.variants.steps import Original

LEAST_SHARE = 0.1
LEAST_SIDE_PX = 12
LITTLE_LEFT = "less than a tenth of the image is left"
SPECKS = "objects are smaller than 12 pixels"
RULES_OF_STRENGTH: Mapping[str, str] = {LITTLE_LEFT: "AMP601", SPECKS: "AMP602"}
"""What is wrong with a variant, and its rule."""

_TRIED, _COPIES = 12, 3
"""So many images are tried of a manifest, and so many copies of each kind of variant."""
_GRID: FloatArray = np.stack(np.meshgrid(*[(np.arange(32) + 0.5) / 32] * 2), axis=-1).reshape(-1, 2)


def too_strong(planned: Planned, original: Original) -> dict[str, str]:
    """What is wrong with a variant: reasons with details, mostly none.

    Of an image that other steps made of several, what counts is what became of that. Objects that were specks before
    are no variant's fault.
    """
    before = planned.base or original
    found = {}
    share = _share_left(planned, before)
    if share < LEAST_SHARE:
        found[LITTLE_LEFT] = f"{share:.1%} of it"
    side, was = _median_side(planned.judged.annotations), _median_side(original.annotations)
    if side < LEAST_SIDE_PX <= was:
        found[SPECKS] = f"their median side is {side:.0f} px, and was {was:.0f}"
    return found


def _share_left(planned: Planned, before: Original) -> float:
    """How much of an image a variant shows, or how many of its pixels there are, whichever is less."""
    warp, size = planned.warp, before.size
    pixels = warp.size[0] * warp.size[1] / (size[0] * size[1])
    if warp.matrix is None or not warp.maps:
        return pixels
    there = warp(_GRID * size)
    return min(pixels, float(((there >= 0) & (there <= warp.size)).all(axis=1).mean()))


def _median_side(annotations: tuple[Annotation, ...]) -> float:
    """The square root of the median box's area, in pixels."""
    areas = [(a.xyxy[2] - a.xyxy[0]) * (a.xyxy[3] - a.xyxy[1]) for a in annotations]
    return float(median(areas)) ** 0.5 if areas else float("inf")


def strength_findings(joined: Consolidated, manifest: Manifest, registry: Registry, where: str) -> Iterator[Finding]:
    """One finding for each kind of variant and rule, from what is planned for some of the images."""
    maker = VariantMaker(recipe_for(manifest, joined.categories), registry)
    items = [item for item in joined.items if item.sample.split in manifest.augment]
    tried: dict[str, int] = {}
    wrong: dict[tuple[str, str], list[str]] = {}
    for item in items[:: max(1, -(-len(items) // _TRIED))]:
        for planned, original in _planned(item, maker):
            tried[planned.spec.name] = tried.get(planned.spec.name, 0) + 1
            for reason, detail in too_strong(planned, original).items():
                wrong.setdefault((planned.spec.name, reason), []).append(f"{item.sample.source_id}: {detail}")
    for (name, reason), examples in wrong.items():
        what = f"`{name}`: {len(examples)} of {tried[name]} variants that were tried, {reason} ({examples[0]})"
        yield finding(RULES_OF_STRENGTH[reason], where, what)


def _planned(item: Item, maker: VariantMaker) -> Iterator[tuple[Planned, Original]]:
    """What would be made of an image, each with what it is made from; nothing of one that cannot be used."""
    recipe, sample = maker.recipe, item.sample
    try:
        data = read_image_file(sample.image, recipe.max_bytes)
        header = item.header or read_header(data, Limits(recipe.max_bytes, recipe.max_pixels), sample.image)
        source = load_original(
            data,
            header,
            encoding_for(header, recipe.encode, item.values),
            sha256=item.sha256,
            labels=dump_annotations(sample.annotations, sample.labels),
            values=item.values,
            where=sample.image,
            one_sided=item.one_sided,
        )
        pieces = maker.preprocessing.pieces(source.size, source.annotations, item.sha256) if recipe.preprocess else []
        for base in [maker.preprocessing.apply(source, piece.name) for piece in pieces] if pieces else [source]:
            for spec in (s for s in recipe.variants if s.concerns(item.classes)):
                for planned in maker.plan_copies(base, spec, min(spec.copies, _COPIES)):
                    if isinstance(planned, Planned):
                        yield planned, base
    except AmpError:  # another rule tells what is wrong with the image
        return
