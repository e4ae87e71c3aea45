"""Images joined to one: every label against the pixels, of all images that went in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from oracle.adapter import claims, original
from oracle.raster import Ring
from oracle.scenes import KNOWN, SHAPES, Scene, paint
from oracle.survey import REGISTRY, step
from oracle.verdict import Verdict, examine, is_ghost, is_missed, large_ious

from amp_datasets.variants.composing.join import NO_OTHER
from amp_datasets.variants.maker import Planned, Refused, VariantMaker, render
from amp_datasets.variants.recipe import Recipe, Step, VariantSpec
from amp_datasets.variants.steps import Original

SIZE = (900, 480)
OUTLINED = [kind for kind in KNOWN if kind != "thin"]
CHAINS: dict[str, list[Step]] = {
    "mosaic": [step("mosaic")],
    "copy_paste": [step("copy_paste", count=1, scale=0.6, blend=0)],
    "blended": [step("copy_paste", count=1, scale=0.6, blend=3)],
    "both": [step("mosaic"), step("copy_paste", count=1, scale=0.5)],
    "mosaic, turned": [step("mosaic"), step("rotate", degrees=[3, 15], fill=[0, 0, 0])],
    "paste, flip, hide": [
        step("copy_paste", count=1, scale=0.6),
        step("flip", how="any"),
        step("cutout", count=2, percent=10),
    ],
}


def single(code: int, seed: int, kinds: Sequence[str]) -> Scene:
    """A scene with one thing, in one of the seven colours: those of several images can be told apart."""
    import random

    draw = random.Random(seed)
    place = (draw.uniform(330, 570), draw.uniform(220, 260), draw.uniform(200, 300), draw.uniform(160, 210))
    kind = kinds[seed % len(kinds)]
    rings: list[tuple[str, tuple[Ring, ...]]] = [(kind, SHAPES[kind](draw, place))]
    scene = paint(f"single {code} {seed}", SIZE, rings)
    (thing,) = scene.things
    image = np.zeros_like(scene.image)
    image[thing.pixels] = [255 * (code >> channel & 1) for channel in range(3)]
    return Scene(image, (replace(thing, code=code),), scene.name)


def joined(chain: Sequence[Step], seed: int, count: int = 4) -> Iterator[tuple[Planned, np.ndarray, list[Verdict]]]:
    """Variants of scenes that are joined, with what is seen of all their things in the end."""
    scenes = [single(code, 10 * seed + code, OUTLINED) for code in range(1, count + 1)]
    first, *others = [original(scene) for scene in scenes]
    source = replace(first, beside=lambda _spec, _copy, number: others[:3] if number == 0 else others[3:])
    maker = VariantMaker(Recipe(seed, (VariantSpec("v", tuple(chain), 2),)), REGISTRY)
    things = tuple(thing for scene in scenes for thing in scene.things)
    for planned in maker.plan_all(source):
        if isinstance(planned, Planned):
            image = render(source.image, planned)
            everything = Scene(image, things, "joined")
            found = examine(image, everything, claims(planned.judged.annotations), {})
            yield planned, image, found


@pytest.mark.parametrize("name", CHAINS)
def test_labels_of_joined_images_are_where_their_pixels_are(name: str) -> None:
    """Boxes and outlines of every image fit what is seen; what is seen has a label, and nothing else has."""
    ious, made = [], 0
    for seed in range(12):
        for planned, _, found in joined(CHAINS[name], seed, count=5):
            made += 1
            labelled = [v for v in found if v.claims]
            assert not [v for v in labelled if v.claims > 1 or v.share < 0.01], planned.steps_json
            ious.append(large_ious(labelled))
    assert made >= 12
    ious = np.concatenate(ious)
    assert len(ious) > 15
    assert np.median(ious) >= 0.985
    # Where two colours meet, a pixel between them may show a third, and be taken for a far part of its thing.
    assert np.quantile(ious, 0.05) >= 0.93


@pytest.mark.parametrize("blend", [0, 2])
def test_what_is_pasted_and_what_it_covers_are_labelled_exactly(blend: float) -> None:
    """Two colours, one pasted over the other: both outlines are those of the pixels that are seen."""
    ious, shapes, covered = [], [], 0
    for seed in range(40):
        chain = [step("copy_paste", count=1, scale=[0.5, 0.9], blend=blend)]
        for planned, _, found in joined(chain, seed, count=2):
            assert len(planned.judged.annotations) == len([v for v in found if v.claims])
            assert not [v for v in found if is_missed(v, 0.1, 0.5) or is_ghost(v, 0.1, 0.05)]
            ious.append(large_ious(found))
            shapes += [v.shape_iou for v in found if v.is_large and v.shape_iou is not None]
            covered += any(v.code == 1 and v.share < 0.98 for v in found)
    assert covered >= 1
    assert np.median(np.concatenate(ious)) >= 0.985
    assert np.median(shapes) >= 0.97


def test_a_lonely_image_is_refused_with_the_reason() -> None:
    """Without others there is nothing to join, and nothing is made up."""
    spec = VariantSpec("v", (step("mosaic"),))
    (refused,) = VariantMaker(Recipe(0, (spec,)), REGISTRY).plan_all(original(single(1, 3, OUTLINED)))
    assert isinstance(refused, Refused)
    assert refused.reason == NO_OTHER


def test_the_ledger_names_the_others() -> None:
    """By the digests of their files, so that one line says what a variant is made of."""
    planned, _, _ = next(joined(CHAINS["mosaic"], 1))
    (record,) = json.loads(planned.steps_json)
    others = [original(single(code, 10 + code, OUTLINED)).sha256 for code in (2, 3, 4)]
    assert [partner["sha256"] for partner in record["partners"]] == others


def test_boxes_alone_are_not_pasted() -> None:
    """Without an outline it is not known which pixels are the object's."""
    source: Original = original(single(1, 2, OUTLINED))
    bare = replace(source, annotations=tuple(replace(a, polygons=(), mask=None) for a in source.annotations))
    spec = VariantSpec("v", (step("copy_paste"),))
    lonely: Any = replace(source, beside=lambda _spec, _copy, _step: [bare])
    (refused,) = VariantMaker(Recipe(0, (spec,)), REGISTRY).plan_all(lonely)
    assert isinstance(refused, Refused)
    assert "no whole object with an outline" in refused.reason
