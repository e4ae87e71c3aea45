"""A box cut to a convex region is inside it where it shows, and for one edge there is no larger one."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from amp_datasets.geometry.oriented import box_within
from amp_datasets.geometry.shapes import rectangle, rotated

WIDE = rectangle((-1000.0, -1000.0, 1000.0, 1000.0))
BOX = (0.0, 0.0, 40.0, 20.0)


def half_plane(angle_deg: float, reach: float) -> np.ndarray:
    """A large square of which one side runs near the box's centre, at an angle; `reach` is how far from it."""
    square = np.array([(-500.0, -500), (reach, -500), (reach, 500), (-500, 500)])
    return rotated(square, angle_deg, (0, 0)) + np.array([20.0, 10.0])


@given(st.floats(0, 360), st.floats(-6, 18))
def test_one_edge_leaves_the_largest_box(angle_deg: float, reach: float) -> None:
    """No box of a fine grid of boxes in the same place, inside the region, has a larger area."""
    region = half_plane(angle_deg, reach)
    found = box_within(BOX, region, WIDE)
    assert shapely.Polygon(rectangle(found)).difference(shapely.Polygon(region)).area < 1e-3
    assert min(found) >= -1e-9
    assert found[2] <= 40 + 1e-9
    assert found[3] <= 20 + 1e-9
    normal = rotated(np.array([[1.0, 0.0]]), angle_deg, (0, 0))[0]
    limit = normal @ np.array([20.0, 10.0]) + reach
    x, y = (part.ravel() for part in np.meshgrid(np.linspace(0, 40, 81), np.linspace(0, 20, 41)))
    grown = [(x * 0, y * 0, x, y), (x, y * 0, x * 0 + 40, y), (x * 0, y, x, y * 0 + 20), (x, y, x * 0 + 40, y * 0 + 20)]
    boxes = np.concatenate([np.stack(part, axis=1) for part in grown])
    reached = np.max([boxes[:, [i, j]] @ normal for i in (0, 2) for j in (1, 3)], axis=0)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    assert (found[2] - found[0]) * (found[3] - found[1]) >= areas[reached <= limit].max() - 1e-3


def test_what_is_beyond_the_frame_is_no_matter() -> None:
    """A wedge that no pixel shows needs no cut."""
    region = half_plane(0, 5)
    assert box_within(BOX, region, WIDE) == pytest.approx((0, 0, 25, 20))
    assert box_within(BOX, region, rectangle((-50.0, -50.0, 25.0, 50.0))) == BOX


@pytest.mark.parametrize("region", [WIDE, WIDE[::-1], rectangle(BOX)])
def test_a_box_inside_stays_as_it_is(region: np.ndarray) -> None:
    """Whichever way round the region's corners run."""
    assert box_within(BOX, region, WIDE) == BOX
