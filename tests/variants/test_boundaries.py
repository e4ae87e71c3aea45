"""The exact place of every threshold in judging labels: a little to either side, and on it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import shapely
from builders import read_set, write_image
from oracle.scenes import paint
from oracle.survey import plans, step

from amp_datasets.geometry import shapes as geometry
from amp_datasets.geometry.warp import Affine, Displacement, Warp, identity
from amp_datasets.model import Annotation, Polygon
from amp_datasets.plugin.discovery import load_formats
from amp_datasets.variants.labels import LabelPolicy, judge
from amp_datasets.variants.maker import Planned, render
from amp_datasets.variants.recipe import VariantSpec
from amp_datasets.variants.visibility import NO_HOLES

SIZE = (100, 80)


def crop(x0: float, size: tuple[int, int] = SIZE) -> Warp:
    """A window that begins at x0; what is left of it is cut off."""
    return Warp((Affine(np.array([(1.0, 0, -x0), (0, 1, 0), (0, 0, 1)])),), size, size)


def square(x0: float, side: float = 20, *, crowd: bool = False) -> Annotation:
    """A square outline at height 10."""
    box = (x0, 10.0, x0 + side, 10 + side)
    return Annotation("a", box, polygons=(Polygon(geometry.rectangle(box)),), iscrowd=crowd)


@pytest.mark.parametrize(("crowd", "partial"), [(True, 0), (False, 1)])
def test_a_crowd_is_never_partial(crowd: bool, partial: int) -> None:
    """A quarter of a crowd region is still a crowd region; a quarter of an object is not clear."""
    judged = judge([square(0, crowd=crowd)], crop(15), NO_HOLES, LabelPolicy())
    assert len(judged.annotations) == 1
    assert judged.partial == partial
    assert (judged.unclear is None) == crowd


@pytest.mark.parametrize(
    ("x", "y", "visibility"),
    [(39.999, 20, 1), (40, 20, 2), (20, 20, 1), (19.999, 20, 2), (30, 30, 2), (30, 29.999, 1), (30, 10, 1)],
)
def test_a_hole_hides_from_its_first_pixel_to_its_last(x: float, y: float, visibility: int) -> None:
    """A keypoint on a hole's right or lower edge lies in the pixel beyond it, and is seen."""
    label = Annotation("a", (5, 5, 95, 75), keypoints=np.array([(x, y, 2.0)]))
    (kept,) = judge([label], identity(SIZE), np.array([[20, 10, 40, 30]]), LabelPolicy()).annotations
    assert kept.keypoints is not None
    assert kept.keypoints[0].tolist() == [x, y, visibility]


@pytest.mark.parametrize(("left", "kept"), [(2.01, True), (2.0, True), (1.99, False)])
def test_two_pixels_are_enough_to_keep_a_label(left: float, kept: bool) -> None:
    """`min_side_px` is the least that stays, and counts only for what was larger before it was cut."""
    policy = LabelPolicy(min_visibility=0, drop_below=0)
    judged = judge([square(10, 20)], crop(30 - left), NO_HOLES, policy)
    assert bool(judged.annotations) == kept
    assert judged.dropped == ({} if kept else {"too small": 1})
    thin = Annotation("a", (10, 10, 11.5, 40))
    assert len(judge([thin], crop(0.5), NO_HOLES, policy).annotations) == 1


def test_a_wave_between_two_flips_changes_no_side() -> None:
    """Two flips that cannot be joined into one matrix still cancel out; one beside a wave counts."""
    flip = Warp((Affine(np.array([(-1.0, 0, SIZE[0]), (0, 1, 0), (0, 0, 1)])),), SIZE, SIZE)
    wave = Warp((Displacement(np.full((2, 2, 2), 0.5, np.float32), SIZE),), SIZE, SIZE)
    sides = LabelPolicy(sides={"a": "b", "b": "a"})
    for warp, name in ((flip.then(wave).then(flip), "a"), (flip.then(wave), "b"), (wave.then(flip), "b")):
        assert len(warp.maps) > 1
        (kept,) = judge([square(40)], warp, NO_HOLES, sides).annotations
        assert kept.category == name


@pytest.mark.parametrize(("width", "length", "stays"), [(0.45, 5, False), (0.55, 5, True), (0.45, 1.9, True)])
def test_a_sliver_is_thinner_than_half_a_pixel_and_longer_than_two(width: float, length: float, stays: bool) -> None:
    """What sticks out of a block enlarges its box unless it is as thin and as long as that."""
    strip = shapely.box(10, 4, 10 + length, 4 + width)
    bounds = geometry.without_slivers(shapely.box(0, 0, 10, 10).union(strip)).bounds
    assert bounds == pytest.approx((0, 0, 10 + length if stays else 10, 10))


def test_a_mix_hides_after_it_moves_and_moves_after_it_recolours() -> None:
    """In whatever order the steps are written: holes lie on the moved image, and fills keep their colour."""
    scene = paint("order", (60, 40), [("convex", (geometry.rectangle((20.0, 12.0, 40.0, 28.0)),))])
    turn = step("rotate90", degrees=90)
    hide = step("cutout", count=2, percent=20)
    light = step("exposure", percent=30, mode="positive")
    for steps in ((hide, turn, light), (turn, hide, light), (light, hide, turn)):
        (planned,) = plans(scene, [VariantSpec("mix", steps)], min_visibility=0, drop_below=0)
        assert isinstance(planned, Planned)
        assert [applied.step.filter for applied in planned.steps] == ["exposure", "rotate90", "cutout"]
        holes = planned.steps[-1].transform.holes((40, 60), **planned.steps[-1].draw)  # type: ignore[union-attr]
        np.testing.assert_array_equal(planned.holes, holes)
        image = render(scene.image, planned)
        assert image.shape == (60, 40, 3)
        for x0, y0, x1, y1 in planned.holes:
            assert (image[y0:y1, x0:x1] == planned.steps[-1].transform.paint(**planned.steps[-1].draw)).all()  # type: ignore[union-attr]


@pytest.mark.parametrize(("beyond", "said"), [(0.5e-4, False), (2e-4, True)])
def test_a_millionth_of_the_image_is_a_rounding_error(beyond: float, said: bool, tmp_path: Path) -> None:
    """Labels of a 100 px image may stick out by 0.0001 px without a word; more is clipped and counted."""
    write_image(tmp_path / "a.png", (100, 60))
    x = 100 + beyond
    image = {"id": 1, "file_name": "a.png", "width": 100, "height": 60}
    label = {"bbox": [50, 10, x - 50, 30], "segmentation": [[50, 10, x, 10, x, 40, 50, 40]], "keypoints": [x, 20, 2]}
    label |= {"id": 1, "image_id": 1, "category_id": 1, "iscrowd": 0}
    document = {"images": [image], "categories": [{"id": 1, "name": "a", "keypoints": ["tip"]}], "annotations": [label]}
    (tmp_path / "annotations.json").write_text(json.dumps(document))
    labels = read_set(load_formats().source("coco"), tmp_path)
    (sample,) = labels.samples
    assert sample.annotations[0].xyxy == (50, 10, 100, 40)
    found = {item.rule for item in labels.repairs}
    assert ("box clipped to the image" in found) == said
    assert ("keypoint outside the image removed" in found) == said


@pytest.mark.parametrize("min_side", [1.2, 1.0, 0.9])
def test_a_mask_has_the_width_of_its_pixels(min_side: float) -> None:
    """A mask one pixel wide was no wider before it was cut, so it is not the cut that makes it too small."""
    pixels = np.zeros((80, 100), dtype=bool)
    pixels[30, 20:60] = True
    label = Annotation("a", (20, 30, 60, 31), mask=geometry.encode_mask(pixels))
    policy = LabelPolicy(min_side_px=min_side, min_visibility=0, drop_below=0)
    assert len(judge([label], crop(40), NO_HOLES, policy).annotations) == 1
