"""The base classes of a filter: Albumentations transforms with a manifest name, a recorded draw and one point map.

A filter makes every choice in `get_params` or `get_params_dependent_on_data`, from `self.py_random`, and returns it as
JSON values: the *draw*. Everything else is a pure function of image and draw, so a recorded draw rebuilds the variant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import albumentations as A  # noqa: N812 - the library's own convention
import cv2
import numpy as np
from numpy.typing import NDArray

from amp_datasets.errors import CannotApply
from amp_datasets.filtering.joining import Placement, Scene
from amp_datasets.filtering.named import NamedFilter, StrictArguments
from amp_datasets.filtering.types import (
    BorderSetting,
    Colour,
    Draw,
    FillSetting,
    Mode,
    Percent,
    Positive,
    Range,
    Settings,
    Signed,
    SignedStrength,
    Strength,
    Table,
    directed,
    draw_seed,
    fill_of,
    in_runs,
    in_strips,
    look_up,
    random_bytes,
    refuse_nothing_left,
    rounded,
    sign,
    size_of,
    uniform,
)
from amp_datasets.geometry import shapes as geometry
from amp_datasets.geometry.warp import Affine, Warp, resample_image, resample_mask
from amp_datasets.model import FloatArray, Image, Polygon, Size

__all__ = [
    "BorderSetting",
    "CannotApply",
    "Colour",
    "Draw",
    "FillSetting",
    "GeometricFilter",
    "HidingFilter",
    "JoiningFilter",
    "Mode",
    "Percent",
    "PixelFilter",
    "Positive",
    "Range",
    "Settings",
    "Signed",
    "SignedStrength",
    "SplittingFilter",
    "Strength",
    "Table",
    "TableFilter",
    "directed",
    "draw_seed",
    "fill_of",
    "in_runs",
    "in_strips",
    "look_up",
    "looks_at_data",
    "random_bytes",
    "refuse_nothing_left",
    "rounded",
    "sign",
    "size_of",
    "uniform",
]


class PixelFilter(NamedFilter, A.ImageOnlyTransform, metaclass=StrictArguments):  # type: ignore[misc]
    """Changes values, never places: labels are not even looked at. Implement `get_params` and `apply`."""

    to_write: ClassVar[tuple[str, ...]] = ("apply",)


class TableFilter(PixelFilter):
    """A pixel filter that replaces each value on its own; neighbours in a mix are fused into one table."""

    to_write: ClassVar[tuple[str, ...]] = ("table",)

    def table(self, *args: Any, **draw: Any) -> Table:  # *args: lets mypy accept a filter's own keywords
        """The new value for each of the 256 old ones. A pure function."""
        raise NotImplementedError

    def apply(self, img: Image, **params: Any) -> Image:
        """The image through the table."""
        return look_up(img, self.table(**params))


class GeometricFilter(NamedFilter, A.DualTransform, metaclass=StrictArguments):  # type: ignore[misc]
    """Moves points. Implement `get_params*` and `warp`; every kind of label follows from the one point map."""

    to_write: ClassVar[tuple[str, ...]] = ("warp",)

    any_depth: ClassVar[bool] = True
    _targets = (A.core.type_definitions.Targets.IMAGE, *A.core.type_definitions.ALL_TARGETS)

    def warp(self, size: Size, *args: Any, **draw: Any) -> Warp:
        """Where the points of an image of this size go. A pure function."""
        raise NotImplementedError

    def apply(self, img: Image, **params: Any) -> Image:
        """The resampled image."""
        return resample_image(img, self.warp(size_of(params), **params))

    def apply_to_mask(self, mask: NDArray[Any], **params: Any) -> NDArray[Any]:
        """The mask with each new pixel taken from the old pixel under its centre."""
        warp = self.warp(size_of(params), **params)
        moved = np.zeros((warp.size[1], warp.size[0]), dtype=mask.dtype)
        for value in np.unique(mask[mask != 0]):
            moved[resample_mask(mask == value, warp)] = value
        return moved

    def apply_to_bboxes(self, bboxes: NDArray[Any], **params: Any) -> NDArray[Any]:
        """Boxes of the ellipse inside each box, for use in a plain Compose (the manifest offers more)."""
        size = size_of(params)
        warp = self.warp(size, **params)
        moved = np.array(bboxes, dtype=np.float64)
        for row in moved:
            x0, y0, x1, y1 = row[:4] * (*size, *size)
            box = geometry.bounds([warp(geometry.ellipse((x0, y0, x1, y1)))])
            row[:4] = np.divide(box, (*warp.size, *warp.size))
        return moved

    def apply_to_keypoints(self, keypoints: NDArray[Any], **params: Any) -> NDArray[Any]:
        """Keypoints, which Albumentations counts from pixel centres."""
        moved = np.array(keypoints, dtype=np.float64)
        warp = self.warp(size_of(params), **params)
        moved[:, :2] = warp(moved[:, :2] + 0.5) - 0.5
        return moved


class SplittingFilter(GeometricFilter):
    """Cuts an image into several. Implement `pieces`: preprocessing makes all of them, a filter one at random."""

    to_write: ClassVar[tuple[str, ...]] = ("pieces",)

    def pieces(self, size: Size, boxes: FloatArray) -> list[tuple[str, Draw]]:
        """The pieces of an image with (n, 4) xyxy `boxes` in pixels: a short name and a `window` for each."""
        raise NotImplementedError

    @property
    def classifies(self) -> bool:
        """Whether each piece is of one box, in their order, and its class that of the piece as a whole."""
        return False

    @property
    def empty_share(self) -> float:
        """How many of the pieces without an object preprocessing keeps."""
        return 1.0

    def get_params_dependent_on_data(self, params: Mapping[str, Any], data: Mapping[str, Any]) -> Draw:
        """Draw one of the pieces."""
        size = size_of(params)
        given = data.get("bboxes")
        boxes = np.zeros((0, 4)) if given is None or not len(given) else np.asarray(given, dtype=np.float64)[:, :4]
        limit = np.array((*size, *size))
        found = self.pieces(size, np.minimum(np.maximum(boxes * limit, 0), limit))
        if not found:
            raise CannotApply("there is no object to cut out", fix="leave the image, or this filter, out")
        chosen: Draw = self.py_random.choice(found)[1]
        return chosen

    def warp(self, size: Size, *, window: list[int], **_: Any) -> Warp:
        """The translation that puts the window's corner at the origin."""
        x0, y0, x1, y1 = window
        return Warp((Affine(np.array([(1.0, 0, -x0), (0, 1, -y0), (0, 0, 1)])),), size, (x1 - x0, y1 - y0))


class HidingFilter(NamedFilter, A.DualTransform, metaclass=StrictArguments):  # type: ignore[misc]
    """Paints over parts of the image. Implement `get_params*` and `holes`; labels keep what stays visible."""

    to_write: ClassVar[tuple[str, ...]] = (
        "holes",
        "paint",
    )

    any_depth: ClassVar[bool] = True
    _targets = (A.core.type_definitions.Targets.IMAGE, *A.core.type_definitions.ALL_TARGETS)

    def holes(self, size: Size, *args: Any, **draw: Any) -> NDArray[np.int64]:
        """The hidden rectangles (n, 4) as whole pixels x0, y0, x1, y1. A pure function."""
        raise NotImplementedError

    def paint(self, **draw: Any) -> tuple[int, int, int]:
        """The RGB colour of the holes."""
        raise NotImplementedError

    def apply(self, img: Image, **params: Any) -> Image:
        """A copy of the image with the holes painted."""
        painted = img.copy()
        colour = self.paint(**params)
        for x0, y0, x1, y1 in self.holes(size_of(params), **params).tolist():
            if x0 < x1 and y0 < y1:
                cv2.rectangle(painted, (x0, y0), (x1 - 1, y1 - 1), colour, cv2.FILLED)
        return painted

    def apply_to_mask(self, mask: NDArray[Any], **params: Any) -> NDArray[Any]:
        """The mask without what the holes hide."""
        visible = mask.copy()
        for x0, y0, x1, y1 in self.holes(size_of(params), **params):
            visible[y0:y1, x0:x1] = 0
        return visible

    def apply_to_bboxes(self, bboxes: NDArray[Any], **params: Any) -> NDArray[Any]:
        """Boxes of what stays visible of each box; a box that is hidden altogether collapses and is filtered."""
        width, height = size_of(params)
        scale = np.array([width, height, width, height], dtype=np.float64)
        holes = geometry.to_shapely(
            [Polygon(geometry.rectangle(tuple(hole))) for hole in self.holes((width, height), **params)]
        )
        moved = np.array(bboxes, dtype=np.float64)
        for row in moved:
            whole = geometry.to_shapely([Polygon(geometry.rectangle(tuple(row[:4] * scale)))])
            visible = whole.difference(holes)
            row[:4] = 0 if visible.is_empty else np.asarray(visible.bounds) / scale
        return moved

    def apply_to_keypoints(self, keypoints: NDArray[Any], **params: Any) -> NDArray[Any]:  # noqa: ARG002
        """Keypoints stay where they are; that they are hidden has no place in Albumentations' form."""
        return keypoints


class JoiningFilter(NamedFilter, A.DualTransform, metaclass=StrictArguments):  # type: ignore[misc]
    """Makes one image of several. Implement `partners`, `draw_for` and `place`.

    It works in a manifest alone: a plain Compose has no other images of the split to give.
    """

    to_write: ClassVar[tuple[str, ...]] = (
        "partners",
        "draw_for",
        "place",
    )

    _targets = (A.core.type_definitions.Targets.IMAGE, *A.core.type_definitions.ALL_TARGETS)

    @property
    def partners(self) -> int:
        """How many other images it takes."""
        raise NotImplementedError

    @property
    def wants_outlines(self) -> bool:
        """Whether only images help that show an object with a whole outline."""
        return False

    def draw_for(self, scenes: Sequence[Scene]) -> Draw:
        """Every choice, as JSON, for the source and the others. Raises CannotApply if there is nothing to choose."""
        raise NotImplementedError

    def place(self, sizes: Sequence[Size], *args: Any, **draw: Any) -> tuple[Size, list[Placement]]:
        """The size of the new image, and where everything goes. A pure function."""
        raise NotImplementedError

    def apply(self, img: Image, **params: Any) -> Image:  # noqa: ARG002
        """There is nothing to join. Raises CannotApply."""
        raise CannotApply(f"`{self.name}` needs other images", fix="use it in a manifest, with `amp build`")


Filter = PixelFilter | GeometricFilter | HidingFilter | JoiningFilter


def looks_at_data(transform: A.BasicTransform | type[A.BasicTransform]) -> bool:
    """Whether a transform's choices depend on the image or its boxes; most of ours do not."""
    plugin: Any = transform if isinstance(transform, type) else type(transform)
    return bool(plugin.get_params_dependent_on_data is not NamedFilter.get_params_dependent_on_data)


def draw(transform: A.BasicTransform, image: Image, boxes: FloatArray) -> Draw:
    """Everything that a transform chooses for an image with (n, 4) xyxy `boxes` in pixels, by its own generators."""
    if not looks_at_data(transform):
        chosen: Draw = transform.get_params()
        return chosen
    height, width = image.shape[:2]
    data = {"image": image, "bboxes": boxes / (width, height, width, height)}
    chosen = transform.get_params()
    params = transform.update_transform_params(params=dict(chosen), data=data)
    return {**chosen, **transform.get_params_dependent_on_data(params, data)}
