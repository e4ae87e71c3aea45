"""The regions of an image of labels: all pixels of one number, or each connected part of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from amp_datasets.geometry import shapes as geometry
from amp_datasets.images.label_image import LabelImage
from amp_datasets.model import Annotation, Mask

_MOST_NUMBERS = 1024
_ALIKE_SHARE = 0.7
_TOO_FEW = 64
_SOFT = 16
_HARD_SHARE = 0.9
_SOFT_NUMBERS = 8
_RARE_SHARE = 0.02
_HALF = 128
_VOC_VOID = 255


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """Pixels of one number, or one colour; `colour` is that of the number in the mask's palette."""

    value: int
    mask: Mask
    is_colour: bool = False
    colour: int | None = None

    @property
    def said(self) -> str:
        """The number as people write it."""
        return f"#{self.value:06x}" if self.is_colour else str(self.value)

    def annotation(self, category: str) -> Annotation:
        """A label of these pixels."""
        return Annotation(category, geometry.mask_box(self.mask), mask=self.mask)

    def class_among(self, named: Sequence[tuple[Region, str]]) -> str | None:
        """The class that most of these pixels have; empty where that is void, None where it is nothing."""
        here, votes = geometry.decode_mask(self.mask), Counter[str]()
        for region, name in named:
            if region.mask.size == self.mask.size:
                votes[name] += int((here & geometry.decode_mask(region.mask)).sum())
        best = votes.most_common(1)
        return best[0][0] if best and best[0][1] else None


def looks_like_labels(image: LabelImage) -> bool:
    """Whether pixels can be numbers: not too many different ones, and most like the one beside them.

    In photographs, gray ones too, hardly any two neighbours are the same. A few pixels tell nothing.
    """
    values = image.values
    alike = (values[:, 1:] == values[:, :-1]).mean() if values.size > _TOO_FEW else 1.0
    return bool(alike >= _ALIKE_SHARE) and len(_different(values)) <= _MOST_NUMBERS


def without_soft_edges(image: LabelImage, *, lossy: bool) -> LabelImage:
    """An image of black, white and some gray between, as black and white alone.

    A smooth brush leaves many numbers between, each on few pixels; a `lossy` file may have any.
    """
    if image.is_colour or image.palette:
        return image
    numbers, counts = np.unique(image.values, return_counts=True)
    if len(numbers) < 3 or numbers[-1] < 256 - _SOFT or numbers[-1] > 255:
        return image
    soft = (numbers > _SOFT) & (numbers < 256 - _SOFT)
    white = counts[numbers >= 256 - _SOFT].sum()
    gradual = soft.sum() >= _SOFT_NUMBERS and counts[soft].max() < _RARE_SHARE * white
    if counts[soft].sum() > (1 - _HARD_SHARE) * counts.sum() or not (lossy or gradual):
        return image
    return LabelImage(np.where(image.values >= _HALF, 255, 0).astype(np.uint32))


def regions_in(image: LabelImage, *, parts: bool, whole: bool, zero: bool = False) -> list[Region]:
    """The regions of every number but 0 (and of every colour but black); `whole`: all of them as one.

    `zero`: 0 is the number of a class too.
    """
    values = (image.values > 0).astype(np.uint32) if whole else image.values
    found = []
    for value in _different(values).tolist():
        if value == 0 and (not zero or whole or image.is_colour):
            continue
        here = values == value
        colour = None if whole else image.palette.get(value)
        cut = _parts(here) if parts else (here,)
        is_colour = image.is_colour and not whole
        found += [Region(value, geometry.encode_mask(part), is_colour, colour) for part in cut]
    return found


def objects_in(regions: Iterable[Region]) -> Iterator[Region]:
    """The regions of a mask of objects; Pascal VOC's void, the last place of a palette, is none."""
    return (region for region in regions if region.colour is None or region.value != _VOC_VOID)


def _different(values: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """The different numbers, in order; counting is ten times faster than sorting where they are small."""
    if values.size and int(values.max()) < 2**16:
        return np.flatnonzero(np.bincount(values.ravel())).astype(np.uint32)
    return np.unique(values)


def _parts(mask: NDArray[np.bool_]) -> Iterator[NDArray[np.bool_]]:
    """The connected parts, pixels that touch by a corner included."""
    number, labelled = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    return (labelled == part for part in range(1, number))
