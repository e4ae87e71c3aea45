"""What is written of a variant: 8-bit RGB as filters see it, or, if the manifest asks, 16 bits or transparency."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amp_datasets.errors import CannotApply
from amp_datasets.filtering.base import HidingFilter, PixelFilter
from amp_datasets.geometry.warp import Warp, resample_image
from amp_datasets.images.codec import Encoding, Header, Limits, ValueRange, decode_layers
from amp_datasets.images.opening import check_size
from amp_datasets.rows.schema import load_annotations, load_image_labels
from amp_datasets.variants.maker import Planned, render
from amp_datasets.variants.steps import Original, change_values

_LUMA = (0.299, 0.587, 0.114)
"""The weights of red, green and blue in grey (ITU-R BT.601)."""


def load_original(
    data: bytes,
    header: Header,
    encoding: Encoding,
    *,
    sha256: str,
    labels: str,
    values: ValueRange | None,
    where: object,
    one_sided: Iterable[str] = (),
) -> Original:
    """A source's file decoded as far as an encoding keeps it, with its labels. Raises ImageError."""
    layers = decode_layers(data, header, encoding, where, values)
    known = load_annotations(labels), load_image_labels(labels)
    return Original(layers.image, sha256, *known, frozenset(one_sided), deep=layers.deep, alpha=layers.alpha)


def unchanged_pixels(original: Original, encoding: Encoding, limits: Limits) -> NDArray[Any]:
    """The source itself, as `encode` takes it. Raises ImageError if writing it would cost too much."""
    check_size(original.size, limits, kind=encoding.format)
    if encoding.depth == 16 and original.deep is not None:
        return original.deep
    if encoding.alpha and original.alpha is not None:
        return np.dstack([original.image, original.alpha])
    return original.image


def variant_pixels(original: Original, planned: Planned, encoding: Encoding, limits: Limits) -> NDArray[Any]:
    """The variant, as `encode` takes it.

    Raises CannotApply for a step that does not keep what is to be kept, ImageError if it would have too many pixels.
    """
    check_size(planned.warp.size, limits, kind=encoding.format)
    keeps = (encoding.depth == 16 and original.deep is not None) or (encoding.alpha and original.alpha is not None)
    if keeps and planned.base is not None and planned.base.image is not original.image:
        what = "16 bits" if encoding.depth == 16 else "transparency"
        raise CannotApply(
            f"a step inside of boxes does not keep {what}", fix="write `encode: {depth: 8, alpha: flatten}`"
        )
    if encoding.depth == 16 and original.deep is not None:
        return _deep(original.deep, planned, encoding.values or (0.0, 65535.0))
    if encoding.alpha and original.alpha is not None:
        return _transparent(original.image, original.alpha, planned)
    return render(original.image, planned)


def _deep(deep: NDArray[np.uint16], planned: Planned, values: ValueRange) -> NDArray[np.uint16]:
    image: NDArray[Any] = deep
    for applied in planned.steps:
        if not applied.transform.any_depth:
            raise CannotApply(
                f"`{applied.step.filter}` works on 8 bits only",
                fix="leave it out, or write `encode: {depth: 8}`",
            )
        if isinstance(applied.transform, PixelFilter):
            image = applied.transform.apply(image, **applied.draw, shape=image.shape)
    warp = planned.warp
    if warp.maps:
        fill = warp.fill if isinstance(warp.fill, str) else _deep_colour(warp.fill, values, image.ndim)
        image = resample_image(image, replace(warp, fill=fill))
    image = image.copy() if len(planned.holes) else image
    for applied in planned.steps:
        if isinstance(applied.transform, HidingFilter):
            colour = _deep_colour(applied.transform.paint(**applied.draw), values, image.ndim)
            for x0, y0, x1, y1 in applied.transform.holes(warp.size, **applied.draw).tolist():
                image[y0:y1, x0:x1] = colour[0] if image.ndim == 2 else colour
    return image


def _deep_colour(colour: tuple[int, int, int], values: ValueRange, dimensions: int) -> tuple[int, int, int]:
    """An 8-bit colour between black and white of a set; its grey where there is only one channel."""
    shares = np.array(colour) / 255
    shares = shares if dimensions == 3 else np.full(3, shares @ _LUMA)
    red, green, blue = np.clip(np.rint(values[0] + shares * (values[1] - values[0])), 0, 65535).astype(int).tolist()
    return red, green, blue


def _transparent(image: NDArray[np.uint8], alpha: NDArray[np.uint8], planned: Planned) -> NDArray[np.uint8]:
    """(h, w, 4): holes and fill are opaque."""
    colours = change_values(image, planned.steps)
    if planned.warp.maps:
        colours, alpha = _warped(colours, alpha, planned.warp)
    for applied in planned.steps:
        if isinstance(applied.transform, HidingFilter):
            colours = applied.transform.apply(colours, **applied.draw, shape=colours.shape)
    if len(planned.holes):
        alpha = alpha.copy()
        for x0, y0, x1, y1 in planned.holes.astype(int).tolist():
            alpha[y0:y1, x0:x1] = 255
    return np.dstack([colours, alpha])


def _warped(
    colours: NDArray[np.uint8], alpha: NDArray[np.uint8], warp: Warp
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Colours weighted by what can be seen of them, so that nothing hidden bleeds into the edge of an object."""
    weight = alpha.astype(np.float32) / 255
    seen: Any = colours * weight[..., None]
    opaque = warp if isinstance(warp.fill, str) else replace(warp, fill=(1, 1, 1))
    weight, seen = np.asarray(resample_image(weight, opaque)), resample_image(seen, warp)  # type: ignore[arg-type] # float
    visible = weight > 0
    new = np.full(seen.shape, 255, dtype=np.uint8)
    new[visible] = np.clip(np.rint(seen[visible] / weight[visible][:, None]), 0, 255)
    return new, np.clip(np.rint(weight * 255), 0, 255).astype(np.uint8)
