"""Drawn steps applied to an image, and what tells the results apart without making them in full."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import albumentations as A  # noqa: N812 - the library's own convention
import cv2
import numpy as np
from numpy.typing import NDArray

from amp_datasets.errors import PluginError
from amp_datasets.filtering.base import Draw, Filter, HidingFilter, PixelFilter, TableFilter, look_up
from amp_datasets.geometry.warp import Warp
from amp_datasets.model import Annotation, FloatArray, Image, Size
from amp_datasets.variants.recipe import Step, VariantSpec
from amp_datasets.variants.visibility import Holes, Known

_THUMBNAIL_SIDE = 96
_BLOCK = 12
_GRID = np.stack(np.meshgrid(np.linspace(0.05, 0.95, 9), np.linspace(0.05, 0.95, 9)), axis=-1).reshape(-1, 2)
_MIN_SHIFT_PX = 0.5
"""Two variants whose points lie closer than this on average have the same geometry."""


Beside = Callable[[VariantSpec, int, int], "Sequence[Original]"]
"""For a copy of a kind of variant, and the number of a step that joins images among those that do: other sources."""


@dataclass(frozen=True, eq=False)
class Original:
    """A decoded source: the upright image, the digest of its file, its labels, and those of the image as a whole.

    Where they are kept, `deep` are its values in 16 bits, (h, w) or (h, w, 3), and `alpha` its transparency (h, w).
    """

    image: Image
    sha256: str
    annotations: tuple[Annotation, ...]
    labels: tuple[str, ...] = ()
    one_sided: frozenset[str] = frozenset()
    """Classes that a mirror image would make wrong, because this source's set has no counterpart of them."""
    known: tuple[Known, ...] = ()
    """What is known of each label, where something was cut before: by preprocessing, or by another image over it."""
    piece: str = ""
    """Which part of its source it is, where preprocessing makes several of one."""
    before: tuple[dict[str, Any], ...] = ()
    """What preprocessing did, step by step, for the ledger."""
    lost: Mapping[str, int] = field(default_factory=dict)
    """How many labels preprocessing took away, by reason."""
    beside: Beside | None = None
    """The other images that each copy of a kind of variant may take parts of."""
    deep: NDArray[np.uint16] | None = None
    alpha: NDArray[np.uint8] | None = None

    @property
    def size(self) -> Size:
        """(width, height)."""
        return (self.image.shape[1], self.image.shape[0])

    @functools.cached_property
    def thumbnail(self) -> Image:
        """It at most 96 pixels a side; a variant that is known, and only made again, needs none."""
        return _thumbnail_of(self.image)

    @property
    def signature(self) -> Signature:
        """What tells it from its variants. It refers to the image: kept here, both would wait for the collector."""
        return Signature(self.size, _GRID * self.size, self.thumbnail, lambda: self.detail)

    @functools.cached_property
    def detail(self) -> Image:
        """The window of at most 96 pixels a side, as large as life, in which most is to be seen."""
        return self.detail_of(self.image)

    def detail_of(self, image: Image) -> Image:
        """The same window of an image that was made of this one, and has its size."""
        return np.ascontiguousarray(image[self._window])

    @functools.cached_property
    def _window(self) -> tuple[slice, slice]:
        """The rows and columns around where the thumbnail has most contrast."""
        grey = self.thumbnail.astype(np.float32).mean(axis=2)
        busy = cv2.blur(grey * grey, (9, 9)) - cv2.blur(grey, (9, 9)) ** 2
        place = np.unravel_index(int(busy.argmax()), busy.shape)
        centres = (np.array(place) + 0.5) * np.array(self.image.shape[:2]) / grey.shape
        spans = []
        for centre, side in zip(centres.tolist(), self.image.shape[:2], strict=True):
            start = min(max(0, round(centre - _THUMBNAIL_SIDE / 2)), max(0, side - _THUMBNAIL_SIDE))
            spans.append(slice(start, start + _THUMBNAIL_SIDE))
        return spans[0], spans[1]


@dataclass(frozen=True, slots=True, eq=False)
class Applied:
    """A step that was drawn: the transform, its settings and its choices."""

    step: Step
    transform: Filter
    draw: Draw

    def record(self) -> dict[str, Any]:
        """The step for the ledger."""
        return record_of(self.step, self.draw)


def record_of(step: Step, choice: Draw | None, **more: Any) -> dict[str, Any]:
    """A step for the ledger, also one that chance left out (no choice)."""
    record = {"filter": step.filter, "settings": step.settings, **step.conditions()}
    return {**record, "applied": False} if choice is None else {**record, "draw": plain_draw(choice), **more}


def plain_draw(choice: Draw) -> Any:
    """A draw as JSON; choices that are none (of foreign transforms) are left to the seed."""
    return _jsonable(choice)


def change_values(image: Image, steps: Iterable[Applied]) -> Image:
    """The pixel filters in order; neighbouring tables become one, which gives the same values in one pass."""
    table: NDArray[np.uint8] | None = None
    for applied in steps:
        transform = applied.transform
        if not isinstance(transform, PixelFilter):
            continue
        if isinstance(transform, TableFilter):
            following = transform.table(**applied.draw)
            table = following if table is None else following[table]
            continue
        if table is not None:
            image, table = look_up(image, table), None
        shape = image.shape
        image = transform.apply(image, **applied.draw, shape=shape)
        _refuse_other_form(image, shape, applied.step.filter)
    return image if table is None else look_up(image, table)


def _refuse_other_form(image: Any, shape: tuple[int, ...], name: str) -> None:
    """A filter of values that gives anything but an image of the same size and kind is a mistake of its author."""
    if not isinstance(image, np.ndarray):
        raise PluginError(
            f"`{name}` gives a {type(image).__name__}, not an image", fix="return it at the end of `apply`"
        )
    if image.shape[:2] != shape[:2]:
        raise PluginError(
            f"`{name}` changes the image's size, which a pixel filter must not", fix="make it a GeometricFilter"
        )
    if image.shape != shape or image.dtype != np.uint8:
        raise PluginError(
            f"`{name}` gives {image.dtype} of shape {image.shape}, not uint8 of shape {shape}",
            fix="convert it at the end of `apply`",
        )


@dataclass(frozen=True, eq=False)
class Signature:
    """What tells two variants of a source apart: where its points went, and how values changed.

    They are compared in a thumbnail and, where that shows nothing, in a detail as large as life: a blur that a
    photograph of 12 megapixels shows has vanished in its thumbnail. What counts is the place where most has changed.
    """

    size: Size
    points: FloatArray
    thumbnail: Image
    look: Callable[[], Image]

    @functools.cached_property
    def detail(self) -> Image:
        """A part of the image as large as life; made when it is asked for."""
        return self.look()

    def differs(self, other: Signature, min_levels: float) -> bool:
        """Whether sizes, places or values differ by what can be seen."""
        if self.size != other.size or float(np.abs(self.points - other.points).mean()) >= _MIN_SHIFT_PX:
            return True
        if _most_changed(self.thumbnail, other.thumbnail) >= min_levels:
            return True
        return _most_changed(self.detail, other.detail) >= min_levels


def signature_of(original: Original, steps: Sequence[Applied], warp: Warp, holes: Holes) -> Signature:
    """What a drawn variant does, measured on a thumbnail and a grid of points."""
    thumbnail = original.thumbnail
    pixel = [a for a in steps if isinstance(a.transform, PixelFilter)]
    if pixel:
        foreign = any(_foreign(a.transform) for a in pixel)
        thumbnail = _of_full_image(original, pixel) if foreign else change_values(thumbnail, pixel)
    if len(holes):
        thumbnail = _with_holes(thumbnail, steps, warp.size, holes)
    return Signature(warp.size, warp.back(_GRID * warp.size), thumbnail, lambda: _changed_detail(original, pixel))


def _changed_detail(original: Original, pixel: Sequence[Applied]) -> Image:
    """The detail of an image after the steps that change values."""
    if any(_foreign(applied.transform) for applied in pixel):
        return original.detail_of(change_values(original.image, pixel))
    return change_values(original.detail, pixel)


def _most_changed(one: Image, other: Image) -> float:
    """The mean difference, in levels of 255, in the block of 12 pixels a side that differs most."""
    if one.shape != other.shape:
        return float("inf")
    apart = cv2.absdiff(one, other).astype(np.float32).mean(axis=2)
    blocks = (math.ceil(apart.shape[1] / _BLOCK), math.ceil(apart.shape[0] / _BLOCK))
    return float(cv2.resize(apart, blocks, interpolation=cv2.INTER_AREA).max())


def _with_holes(thumbnail: Image, steps: Iterable[Applied], size: Size, holes: Holes) -> Image:
    """The thumbnail with what is hidden painted over, in the colour of the last step that hides."""
    colours = [a.transform.paint(**a.draw) for a in steps if isinstance(a.transform, HidingFilter)]
    painted = thumbnail.copy()
    height, width = thumbnail.shape[:2]
    for x0, y0, x1, y1 in np.rint(holes * (np.array([width, height] * 2) / np.array([*size] * 2))).astype(int):
        painted[y0:y1, x0:x1] = colours[-1]
    return painted


def _of_full_image(original: Original, steps: Iterable[Applied]) -> Image:
    """Transforms of other libraries may draw whole arrays for the full image, so they cannot run on a thumbnail."""
    return _thumbnail_of(change_values(original.image, steps))


def _thumbnail_of(image: Image) -> Image:
    """The image with at most 96 pixels a side.

    OpenCV shrinks by a whole factor in a third of the time, for which up to a twentieth of a side may be left out.
    """
    factor = math.ceil(max(image.shape[:2]) / _THUMBNAIL_SIDE)
    height, width = (side - side % factor for side in image.shape[:2])
    if 20 * height >= 19 * image.shape[0] and 20 * width >= 19 * image.shape[1]:
        image = image[:height, :width]
    size = (max(1, image.shape[1] // factor), max(1, image.shape[0] // factor))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _foreign(transform: A.BasicTransform) -> bool:
    return "." in transform.name


def _jsonable(value: Any) -> Any:
    """A draw without what is no JSON; NumPy scalars become plain numbers."""
    try:
        return json.loads(json.dumps(value, default=_scalar))
    except (TypeError, ValueError):
        if not isinstance(value, dict):
            return None
        return {key: _jsonable(item) for key, item in value.items() if _jsonable(item) is not None}


def _scalar(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(type(value).__name__)
