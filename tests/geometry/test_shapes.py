"""Laws of boxes, outlines and masks."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from amp_datasets.geometry import shapes as geometry
from amp_datasets.model import Annotation, Polygon

SIDE = st.floats(0.01, 500)
BOXES = st.builds(lambda x, y, w, h: (x, y, x + w, y + h), st.floats(-500, 500), st.floats(-500, 500), SIDE, SIDE)
MASKS = hnp.arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12)))
RINGS = st.integers(3, 12).flatmap(
    lambda n: hnp.arrays(np.float64, n, elements=st.floats(5, 40)).map(
        lambda radii: np.stack([np.cos(_angles(n)), np.sin(_angles(n))], axis=1) * radii[:, None]
    )
)


def _angles(count: int) -> np.ndarray:
    return np.arange(count) * 2 * np.pi / count


@given(box=BOXES)
def test_box_forms_are_one_box(box: tuple[float, float, float, float]) -> None:
    """Corner and size, and centre and size, come back as the corners."""
    assert geometry.xywh_to_xyxy(geometry.xyxy_to_xywh(box)) == pytest.approx(box, abs=1e-9)
    assert geometry.cxcywh_to_xyxy(geometry.xyxy_to_cxcywh(box)) == pytest.approx(box, abs=1e-9)


@given(box=BOXES)
def test_outlines_touch_all_four_sides_of_their_box(box: tuple[float, float, float, float]) -> None:
    """Ellipse and rectangle have the box as bounds, and the areas of the textbook."""
    ellipse, rectangle = geometry.ellipse(box), geometry.rectangle(box)
    assert geometry.bounds([ellipse]) == pytest.approx(box, abs=1e-9)
    assert geometry.bounds([rectangle]) == box
    assert geometry.ring_area(rectangle) == pytest.approx(geometry.box_area(box), rel=1e-6)
    assert geometry.ring_area(ellipse) == pytest.approx(np.pi / 4 * geometry.box_area(box), rel=2e-3)


def test_rectangles_run_clockwise_on_screen() -> None:
    """From the top left, as oriented boxes are written."""
    assert geometry.rectangle((1, 2, 5, 4)).tolist() == [[1, 2], [5, 2], [5, 4], [1, 4]]


@given(box=BOXES)
def test_clipping_twice_is_clipping_once(box: tuple[float, float, float, float]) -> None:
    """What is inside stays; a box outside becomes one without area."""
    clipped = geometry.clip_box(box, (100, 80))
    if geometry.box_area(clipped):
        assert geometry.clip_box(clipped, (100, 80)) == clipped
        assert geometry.box_area(clipped) <= geometry.box_area(box) * (1 + 1e-9)
    assert geometry.box_area(clipped) == pytest.approx(shapely.box(*box).intersection(shapely.box(0, 0, 100, 80)).area)


@given(ring=RINGS, spacing=st.floats(0.5, 20))
def test_densifying_keeps_the_shape(ring: np.ndarray, spacing: float) -> None:
    """All old vertices are kept, new ones lie on the edges, none is further from the next than asked."""
    dense = geometry.densify(ring, spacing)
    assert np.linalg.norm(np.roll(dense, -1, axis=0) - dense, axis=1).max() <= spacing * (1 + 1e-9)
    assert geometry.ring_area(dense) == pytest.approx(geometry.ring_area(ring))
    assert min(np.abs(dense - vertex).sum(axis=1).min() for vertex in ring) == 0
    assert geometry.bounds([dense]) == pytest.approx(geometry.bounds([ring]))


def test_densifying_divides_each_edge_evenly() -> None:
    """An edge of 10 in pieces of at most 4 has new vertices at its thirds."""
    dense = geometry.densify(np.array([(0.0, 0.0), (10.0, 0.0), (10.0, 4.0)]), 4)
    thirds = [(0, 0), (10 / 3, 0), (20 / 3, 0), (10, 0), (10, 4), (20 / 3, 8 / 3), (10 / 3, 4 / 3)]
    np.testing.assert_allclose(dense, thirds, rtol=1e-15)


@given(mask=MASKS)
def test_run_lengths_hold_every_pixel(mask: np.ndarray) -> None:
    """Packing and unpacking is lossless; area and box are those of the pixels."""
    packed = geometry.encode_mask(mask)
    np.testing.assert_array_equal(geometry.decode_mask(packed), mask)
    assert geometry.mask_area(packed) == mask.sum()
    if mask.any():
        rows, columns = np.nonzero(mask)
        expected = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        assert geometry.mask_box(packed) == expected


@given(ring=RINGS)
def test_polygons_survive_shapely(ring: np.ndarray) -> None:
    """There and back: same area and bounds, no repeated point; a hole stays a hole."""
    hole = ring * 0.3
    (back,) = geometry.from_shapely(geometry.to_shapely([Polygon(ring, (hole,))]))
    assert len(back.holes) == 1
    assert len(np.unique(back.exterior, axis=0)) == len(back.exterior)
    assert geometry.polygons_area([back]) == pytest.approx(geometry.ring_area(ring) - geometry.ring_area(hole))


def test_lines_and_points_have_no_part() -> None:
    """What a clip leaves without area is no polygon; a bow tie becomes its two halves."""
    touching = shapely.GeometryCollection([shapely.Point(1, 1), shapely.LineString([(0, 0), (2, 2)])])
    assert geometry.from_shapely(touching) == ()
    bow = Polygon(np.array([(0.0, 0), (4, 4), (4, 0), (0, 4)]))
    assert geometry.polygons_area([bow]) == pytest.approx(8)


def test_area_is_that_of_the_finest_outline() -> None:
    """Mask before polygons before oriented box before box; overlapping parts count once."""
    square = geometry.rectangle((0, 0, 10, 10))
    box = (0.0, 0.0, 20.0, 20.0)
    overlapping = (Polygon(square), Polygon(square + 5))
    mask = geometry.encode_mask(np.eye(20, dtype=bool))
    assert geometry.area(Annotation("a", box)) == 400
    assert geometry.area(Annotation("a", box, corners=square)) == 100
    assert geometry.area(Annotation("a", box, corners=square, polygons=overlapping)) == pytest.approx(175)
    assert geometry.area(Annotation("a", box, polygons=overlapping, mask=mask)) == 20


def test_slivers_are_left_out_and_nothing_else() -> None:
    """A strip of 0.3 px beside a block does not widen it; one of 1 px does, and alone even a thin one stays."""
    block = shapely.box(0, 0, 10, 10)
    thin, thick = shapely.box(10, 4, 30, 4.3), shapely.box(10, 4, 30, 5)
    assert geometry.without_slivers(block.union(thin)).bounds == pytest.approx((0, 0, 10, 10))
    assert geometry.without_slivers(block.union(thick)).bounds == (0, 0, 30, 10)
    assert geometry.without_slivers(block).equals(block)
    assert geometry.without_slivers(thin).equals(thin)


@given(ring=RINGS, degrees=st.floats(0, 90))
def test_smallest_rectangle_holds_all_points(ring: np.ndarray, degrees: float) -> None:
    """At any angle, and no larger than the upright box."""
    angle = np.radians(degrees)
    turned = ring @ np.array([(np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))])
    found = geometry.min_area_rectangle(turned)
    assert geometry.ring_area(found) <= geometry.box_area(geometry.bounds([turned])) * (1 + 1e-6)
    assert shapely.Polygon(found).buffer(1e-6).covers(shapely.MultiPoint(turned))
