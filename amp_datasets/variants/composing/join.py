"""Several images as one: what a joining filter places, as layers with their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from amp_datasets.errors import CannotApply
from amp_datasets.filtering.base import JoiningFilter
from amp_datasets.filtering.joining import Placement, Scene
from amp_datasets.filtering.types import Draw
from amp_datasets.geometry import shapes as geometry
from amp_datasets.model import Annotation, FloatArray, Mask, Polygon
from amp_datasets.variants.composing.compose import Layer, compose, known_of
from amp_datasets.variants.labels import Judged, LabelPolicy
from amp_datasets.variants.steps import Original

NO_OTHER = "there is no other image in the split to join with"
_EDGE_PX = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """What became of a source that others were joined to, and what was drawn."""

    original: Original
    judged: Judged
    draw: Draw
    partners: tuple[Original, ...]

    def record(self) -> list[dict[str, Any]]:
        """The others for the ledger: the digests of their files, and which piece."""
        return [{"sha256": p.sha256, **({"piece": p.piece} if p.piece else {})} for p in self.partners]


def join(original: Original, others: Sequence[Original], transform: JoiningFilter, policy: LabelPolicy) -> Joined:
    """The source with others joined to it. Where there are fewer than wanted, they take turns.

    Raises CannotApply if there is none.
    """
    if original.labels:
        raise CannotApply(f"`{transform.name}` joins objects, not classes of whole images", fix="leave the filter out")
    if not others:
        raise CannotApply(NO_OTHER, fix="give the set more images, or leave the filter out")
    partners = tuple(others[n % len(others)] for n in range(transform.partners))
    images = (original, *partners)
    choice = transform.draw_for([_scene(image) for image in images])
    size, placements = transform.place([image.size for image in images], **choice)
    layers = [_layer(images[placement.image], placement) for placement in placements]
    result, judged = compose(original, size, layers, policy)
    return Joined(result, judged, choice, partners)


def whole_outlines(annotations: Sequence[Annotation], size: tuple[int, int]) -> list[bool]:
    """Which objects are known by their outline and not cut by the image's edge."""
    return [_is_whole(annotation, size) for annotation in annotations]


def _scene(original: Original) -> Scene:
    boxes: FloatArray = np.array([a.xyxy for a in original.annotations], dtype=np.float64).reshape(-1, 4)
    return Scene(original.size, boxes, np.array(whole_outlines(original.annotations, original.size), dtype=np.bool_))


def _is_whole(annotation: Annotation, size: tuple[int, int]) -> bool:
    if annotation.iscrowd or not (annotation.polygons or annotation.mask is not None):
        return False
    x0, y0, x1, y1 = annotation.xyxy
    return min(x0, y0, size[0] - x1, size[1] - y1) >= _EDGE_PX


def _layer(original: Original, placement: Placement) -> Layer:
    known = known_of(original)
    if placement.item is None:
        return Layer(original.image, original.annotations, known, placement.warp, placement.window)
    annotation = original.annotations[placement.item]
    outline = annotation.polygons or (_mask_outline(annotation.mask) if annotation.mask is not None else ())
    moved = tuple(Polygon(placement.warp(p.exterior), tuple(placement.warp(hole) for hole in p.holes)) for p in outline)
    x0, y0, x1, y1 = geometry.bounds(polygon.exterior for polygon in moved)
    reach = 2 * placement.blend + 1
    window = (int(x0 - reach), int(y0 - reach), int(x1 + reach) + 1, int(y1 + reach) + 1)
    return Layer(
        original.image,
        (annotation,),
        (known[placement.item],),
        placement.warp,
        window,
        moved,
        placement.blend,
    )


def _mask_outline(mask: Mask) -> tuple[Polygon, ...]:
    """The edge of a mask's pixels: each run of a row is a box, and all are one."""
    pixels = geometry.decode_mask(mask)
    steps = np.diff(np.pad(pixels.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    rows, first = np.nonzero(steps == 1)
    _, after = np.nonzero(steps == -1)
    return geometry.from_shapely(shapely.union_all(shapely.box(first, rows, after, rows + 1)))
