"""The laws of a filter that moves points: labels follow one map, and the pixels follow it too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from amp_datasets.filtering.base import SplittingFilter
from amp_datasets.testing.law import must
from amp_datasets.testing.making import apply, make, recorded
from amp_datasets.testing.scenes import centroid, make_image, mean_place, red_disc


def point_map_follows_the_pixels(plugin: type[Any], example: dict[str, Any]) -> None:
    """A red disc is found again, by its pixels, where the point map says that its centre went."""
    transform = make(plugin, example)
    size, boxes = (240, 180), np.array([[60.0, 50, 190, 140]])
    choice = recorded(transform, make_image(*size), boxes)
    warp = transform.warp(size, **choice)
    centres = [(100.0, 80.0), (125.5, 95.0), (150.0, 110.0)]
    if issubclass(plugin, SplittingFilter):  # a piece need not show them
        x, y = warp.back(np.array(warp.size)[None] / 2)[0]
        centres = [(float(x), float(y)), (x + 1.5, y - 2.25)]
    for centre in centres:
        disc = red_disc(size, centre)
        found = centroid(apply(transform, disc, choice))
        expected = warp(np.array([centre]))[0] if warp.affine is not None else mean_place(warp, disc)
        off = float(np.abs(found - expected).max())
        must(off < 0.1, f"a disc at {centre} is {off:.2f} px from where `warp` says: {found}, not {expected}")


def warp_and_back_is_identity(plugin: type[Any], example: dict[str, Any]) -> None:
    """The two directions of a point map undo each other to 1e-5 px."""
    transform = make(plugin, example)
    warp = transform.warp((120, 90), **recorded(transform, make_image()))
    points = np.random.default_rng(0).uniform(5, 85, (300, 2))
    off = max(np.abs(warp.back(warp(points)) - points).max(), np.abs(warp(warp.back(points)) - points).max())
    must(off < 1e-5, f"there and back points are off by {off:.2g} px")


def warp_states_the_size_of_the_image(plugin: type[Any], example: dict[str, Any]) -> None:
    """The map's new size is the size of the image that comes out."""
    transform, image = make(plugin, example), make_image()
    choice = recorded(transform, image)
    warp = transform.warp((120, 90), **choice)
    must(warp.size_in == (120, 90), f"the map is for images of {warp.size_in}, given was one of (120, 90)")
    size = apply(transform, image, choice).shape[1::-1]
    must(size == warp.size, f"the image has size {size}, the map says {warp.size}")


GEOMETRIC_LAWS: tuple[Callable[[type[Any], dict[str, Any]], None], ...] = (
    point_map_follows_the_pixels,
    warp_and_back_is_identity,
    warp_states_the_size_of_the_image,
)
