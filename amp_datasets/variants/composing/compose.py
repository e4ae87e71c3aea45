"""Images laid over each other, and the labels of what is then seen of each.

Filters that work inside boxes, that join several images, or that paste objects all state the same thing: layers, each
an image, a warp and a region. The result is a source again, whose labels remember what was cut of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray

from amp_datasets.geometry import shapes as geometry
from amp_datasets.geometry.maps import Affine
from amp_datasets.geometry.warp import Warp, identity, resample_image
from amp_datasets.model import Annotation, Image, Polygon, Size
from amp_datasets.variants.labels import Judged, Known, LabelPolicy, judge
from amp_datasets.variants.steps import Original
from amp_datasets.variants.visibility import NO_HOLES, Opening

_STRIP_ROWS = 64
Window = tuple[int, int, int, int]
"""x0, y0, x1, y1 in whole pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """An image, some of its labels, where its points go on the canvas, and what is seen of it there.

    It is seen inside `window`, as far as that lies on the canvas, and if an `outline` is given only inside that; its
    edge blends over `blend` pixels with what lies below. An image that is `painted` fills the window as it is.
    """

    image: Image
    annotations: tuple[Annotation, ...]
    known: tuple[Known, ...]
    warp: Warp
    window: Window
    outline: tuple[Polygon, ...] = ()
    blend: float = 0.0
    painted: bool = False


def compose(base: Original, size: Size, layers: Sequence[Layer], policy: LabelPolicy) -> tuple[Original, Judged]:
    """The layers over each other, the first at the bottom, as a source in the place of `base`; and what was judged.

    Where no layer lies the canvas is grey.
    """
    canvas = np.full((size[1], size[0], 3), 114, dtype=np.uint8)
    frame = shapely.box(0, 0, *size)
    covers = shapely.Polygon()
    judged: list[Judged] = []
    for layer in reversed(layers):
        region = shapely.box(*layer.window).intersection(frame)
        if layer.outline:
            region = region.intersection(geometry.to_shapely(layer.outline))
        view = Opening(region, covers)
        judged.insert(0, judge(layer.annotations, layer.warp, NO_HOLES, policy, layer.known, view))
        covers = covers.union(region)
    for layer in layers:
        _lay(canvas, layer, size)
    all_of_it = _together(judged)
    result = replace(base, image=canvas, annotations=all_of_it.annotations, known=all_of_it.known)
    return result, all_of_it


def whole(original: Original) -> Layer:
    """A source as the bottom layer."""
    return Layer(
        original.image, original.annotations, known_of(original), identity(original.size), (0, 0, *original.size)
    )


def known_of(original: Original) -> tuple[Known, ...]:
    """What is known of each label of a source; of one that nothing has cut its outline is still to be found."""
    return original.known or tuple(Known(()) for _ in original.annotations)


def moved(x: float, y: float) -> Affine:
    """A map that moves points."""
    return Affine(np.array([(1.0, 0, x), (0, 1, y), (0, 0, 1)]))


def _lay(canvas: Image, layer: Layer, size: Size) -> None:
    """Paint what is seen of a layer onto the canvas."""
    x0, y0 = max(0, layer.window[0]), max(0, layer.window[1])
    x1, y1 = min(size[0], layer.window[2]), min(size[1], layer.window[3])
    if x0 >= x1 or y0 >= y1:
        return
    if layer.painted:
        canvas[y0:y1, x0:x1] = layer.image
        return
    warp = layer.warp
    if (x0, y0, x1, y1) != (0, 0, *warp.size):
        warp = warp.then(Warp((moved(-x0, -y0),), warp.size, (x1 - x0, y1 - y0), warp.fill))
    seen = resample_image(layer.image, warp) if warp.maps else layer.image
    if not layer.outline:
        canvas[y0:y1, x0:x1] = seen
        return
    cover = _cover(layer.outline, (x0, y0, x1, y1), layer.blend)
    for top in range(0, y1 - y0, _STRIP_ROWS):  # in 16 bits, a large object as a whole would need eight times its size
        rows = slice(top, top + _STRIP_ROWS)
        share, below = cover[rows, :, None].astype(np.uint16), canvas[y0:y1, x0:x1][rows]
        below[:] = ((seen[rows] * share + below.astype(np.uint16) * (255 - share) + 127) // 255).astype(np.uint8)


def _cover(outline: Sequence[Polygon], window: Window, blend: float) -> NDArray[np.uint8]:
    """How much of each pixel of a window an outline covers, of 255; half of that is reached on the outline itself."""
    fine = 4
    size = ((window[2] - window[0]) * fine, (window[3] - window[1]) * fine)
    mask = np.zeros((size[1], size[0]), np.uint8)
    rings = [ring for polygon in outline for ring in polygon.rings]
    shifted = [np.rint(((ring - window[:2]) * fine - 0.5) * 16).astype(np.int32) for ring in rings]
    cv2.fillPoly(mask, shifted, 255, shift=4)
    cover = cv2.resize(mask, (window[2] - window[0], window[3] - window[1]), interpolation=cv2.INTER_AREA)
    if blend > 0:
        cover = cv2.GaussianBlur(cover, (0, 0), blend / 2)
    return np.asarray(cover, dtype=np.uint8)


def _together(judged: Sequence[Judged]) -> Judged:
    dropped: Counter[str] = Counter()
    for each in judged:
        dropped.update(each.dropped)
    return Judged(
        tuple(a for each in judged for a in each.annotations),
        dict(dropped),
        sum(each.partial for each in judged),
        next((each.unclear for each in judged if each.unclear is not None), None),
        known=tuple(k for each in judged for k in each.known),
    )
