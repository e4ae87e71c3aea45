"""Preprocessing: pieces of an image, their labels against their pixels, and variants of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from oracle.adapter import claims, original, rectangles
from oracle.scenes import KNOWN, Scene, blocks, scene, scenes
from oracle.survey import REGISTRY, step
from oracle.verdict import Verdict, examine, is_ghost, is_missed, large_ious

from amp_datasets.errors import CannotApply
from amp_datasets.variants.composing.pieces import ELSEWHERE
from amp_datasets.variants.maker import Planned, VariantMaker, render
from amp_datasets.variants.recipe import LabelSettings, Recipe, Step, VariantSpec
from amp_datasets.variants.steps import Original

PREPROCESS: dict[str, list[Step]] = {
    "tile": [step("tile", rows=2, columns=3)],
    "tiles of a size": [step("tile", size=[330, 250], overlap=0.3)],
    "static crop": [step("static_crop", x=[8, 83], y=[5, 91])],
    "isolate": [step("isolate_objects", margin=0.1)],
    "stretch": [step("resize", size=[600, 400])],
    "letterbox": [step("resize", size=[640, 640], how="letterbox", fill=[0, 0, 0])],
    "fill": [step("resize", size=[400, 300], how="fill")],
    "enlarge": [step("resize", size=1200, how="longest", enlarge=True)],
    "tile and resize": [step("tile", rows=2, columns=2), step("resize", size=420, how="longest")],
    "crop, contrast, resize, grey": [
        step("static_crop", x=[3, 95], y=[0, 100]),
        step("auto_contrast"),
        step("resize", size=700, how="longest"),
    ],
    "turn": [step("rotate90", degrees=90), step("tile", rows=3, columns=1)],
    "tile, then edges": [
        step("tile", rows=1, columns=2),
        step("resize", size=[640, 640], how="letterbox", fill=[0, 0, 0]),
    ],
    "crop, then edges": [
        step("static_crop", x=[20, 60], y=[10, 90]),
        step("resize", size=[700, 700], how="letterbox", fill="reflect"),
    ],
    "crop, edges, tile": [
        step("static_crop", x=[20, 60], y=[10, 90]),
        step("resize", size=[700, 700], how="letterbox", fill=[0, 0, 0]),
        step("tile", rows=2, columns=2),
    ],
}
EXACT = {
    "tile": [step("tile", rows=2, columns=2)],
    "overlap": [step("tile", size=[64, 50], overlap=0.25)],
    "static crop": [step("static_crop", x=[10, 90], y=[5, 85])],
    "isolate": [step("isolate_objects", margin=0.3)],
    "turned tiles": [step("rotate90", degrees=270), step("flip"), step("tile", rows=3, columns=2)],
}


def maker(steps: Sequence[Step], scene: Scene, specs: Sequence[VariantSpec] = (), **labels: Any) -> VariantMaker:
    """What preprocesses, and makes variants of what comes of it."""
    settings = LabelSettings(**{"outlines": rectangles(scene), **labels})
    return VariantMaker(Recipe(3, tuple(specs), settings, preprocess=tuple(steps)), REGISTRY)


def pieces(steps: Sequence[Step], scene: Scene, **labels: Any) -> Iterator[tuple[Original, list[Verdict]]]:
    """All pieces of a scene with what their pixels say of their labels."""
    made = maker(steps, scene, **labels)
    source = original(scene)
    for piece in made.preprocessing.pieces(source.size, source.annotations, source.sha256):
        done = made.preprocessing.apply(source, piece.name)
        area = abs(np.linalg.det(piece.warp.affine.matrix)) if piece.warp.affine else 1.0
        found = examine(done.image, scene, claims(done.annotations), {t.code: area for t in scene.things})
        yield done, found


@pytest.mark.parametrize("name", PREPROCESS)
def test_labels_of_pieces_follow_the_pixels(name: str) -> None:
    """No thing is missed, no label is without a thing, boxes are where the pixels are."""
    verdicts = [v for s in scenes(6) for _, found in pieces(PREPROCESS[name], s) for v in found]
    assert [v.kind for v in verdicts if is_missed(v, 0.1, 0.03)] == []
    assert [v.kind for v in verdicts if is_ghost(v, 0.1, 0.03)] == []
    known = large_ious(verdicts, (*KNOWN, "rectangle box"))
    assert np.median(known) >= 0.985
    assert known.min() >= 0.93


@pytest.mark.parametrize("name", EXACT)
def test_pieces_of_whole_pixels_are_exact(name: str) -> None:
    """Tiles and crops move no value, and every box and outline is exactly what is seen."""
    verdicts = [v for s in map(blocks, range(15)) for _, found in pieces(EXACT[name], s, min_side_px=0) for v in found]
    shown = [v for v in verdicts if v.claims]
    assert len(shown) > 50
    assert [v for v in verdicts if is_missed(v, 0.1, 1e-9) or is_ghost(v, 0.1, 1e-9)] == []
    assert {v.box_iou for v in shown} == {1.0}
    assert {v.shape_iou for v in shown} <= {1.0, None}


def test_tiles_are_the_image() -> None:
    """Put together again, tiles without overlap give every pixel of the source."""
    s = scene(0)
    done = [piece.image for piece, _ in pieces([step("tile", rows=2, columns=3)], s)]
    rows = [np.concatenate(done[i : i + 3], axis=1) for i in (0, 3)]
    np.testing.assert_array_equal(np.concatenate(rows), original(s).image)


@pytest.mark.parametrize("name", ["tile", "static crop", "isolate", "tile and resize"])
def test_variants_of_pieces_are_judged_against_whole_objects(name: str) -> None:
    """What a tile and then a filter cut is measured against the whole object; what a tile cuts alone is no reason."""
    chains = (
        [step("flip", how="any")],
        [step("rotate", degrees=[4, 15], fill=[0, 0, 0])],
        [step("blur", sigma=1)],
        [step("zoom", percent=[5, 25])],
    )
    specs = [VariantSpec(f"v{i}", tuple(chain)) for i, chain in enumerate(chains)]
    made, missed, ious = 0, [], []
    for s in [scene(seed, kinds=KNOWN) for seed in range(4)]:
        variants = maker(PREPROCESS[name], s, specs)
        source = original(s)
        for piece in variants.preprocessing.pieces(source.size, source.annotations, source.sha256):
            base = variants.preprocessing.apply(source, piece.name)
            for planned in variants.plan_all(base):
                if not isinstance(planned, Planned):
                    continue
                made += 1
                area = abs(np.linalg.det((piece.warp.then(planned.warp)).affine.matrix))
                image = render(base.image, planned)
                found = examine(image, s, claims(planned.judged.annotations), {t.code: area for t in s.things})
                missed += [v for v in found if is_missed(v, 0.1, 0.06) or is_ghost(v, 0.1, 0.06)]
                ious.append(large_ious(found))
    assert made > 10
    assert missed == []
    assert np.median(np.concatenate(ious)) >= 0.985


def test_plain_boxes_that_a_tile_cuts_keep_their_ellipse() -> None:
    """A cut round thing is turned as what is left of it, not as an ellipse of its own in the cut box."""
    spec = VariantSpec("v", (step("rotate", degrees=90, expand=True, direction="clockwise"),))
    worst = 1.0
    for seed in range(6):
        s = scene(seed, kinds=["ellipse box"])
        variants = maker([step("tile", rows=1, columns=3)], s, [spec])
        source = original(s)
        for piece in variants.preprocessing.pieces(source.size, source.annotations, source.sha256):
            base = variants.preprocessing.apply(source, piece.name)
            (planned,) = variants.plan_all(base)
            if isinstance(planned, Planned):
                found = examine(render(base.image, planned), s, claims(planned.judged.annotations), {})
                worst = min([worst, *large_ious(found)])
    assert 0.9 < worst < 1


def test_an_image_that_is_small_enough_is_left_alone() -> None:
    """Nothing is enlarged unasked: then the source's own pixels and labels go on."""
    s = scene(0)
    ((done, _),) = pieces([step("resize", size=2000, how="fit")], s)
    assert done.image is original(s).image or np.array_equal(done.image, original(s).image)
    assert [a.xyxy for a in done.annotations] == [a.xyxy for a in original(s).annotations]
    assert done.before[0]["stage"] == "preprocess"


def test_labels_elsewhere_are_counted() -> None:
    """Each label that goes in is, for each piece, there or counted."""
    s = scene(0)
    for done, _ in pieces([step("tile", rows=2, columns=2)], s):
        assert len(done.annotations) + sum(done.lost.values()) == len(s.things)
        assert done.lost[ELSEWHERE] > 0


def test_reflected_edges_never_show_an_object_twice() -> None:
    """Where a mirrored edge would show an object again, without label, the edge is grey."""
    s = blocks(0)
    ((done, found),) = pieces([step("resize", size=[160, 300], how="letterbox", fill="reflect")], s)
    assert done.image.shape == (300, 160, 3)
    assert (done.image[0] == 114).all()
    assert not [v for v in found if is_missed(v, 0.1, 1e-9)]


def test_a_piece_that_is_not_there_is_said() -> None:
    """A ledger of another image cannot be followed."""
    s = scene(0)
    with pytest.raises(CannotApply, match="no piece `r9c9`"):
        maker([step("tile")], s).preprocessing.apply(original(s), "r9c9")
