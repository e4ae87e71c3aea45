"""The objects of an example: lists of equal length, one for each thing that is said of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from amp_datasets.formats.kit.reading import category_name
from amp_datasets.geometry.shapes import encode_mask
from amp_datasets.images.codec import Limits
from amp_datasets.images.header import probe
from amp_datasets.images.label_image import read_label_image
from amp_datasets.model import Annotation, FloatArray, ImageFile, Mask, Size

from .example import Example

OBJECT = "image/object/"
_SIDES = ("xmin", "ymin", "xmax", "ymax")
_KEYPOINT = ("x", "y", "visibility", "text")


@dataclass(frozen=True)
class Columns:
    """The objects of an example: lists of equal length."""

    example: Example
    size: Size
    count: int = field(init=False)

    def __post_init__(self) -> None:
        lengths = {len(self.example.get(f"{OBJECT}bbox/{side}", [])) for side in _SIDES}
        if len(lengths) != 1:
            raise ValueError(f"sides of boxes differ in number: {sorted(lengths)}")
        object.__setattr__(self, "count", lengths.pop())

    def label(self, index: int, names: Mapping[int, str]) -> Annotation:
        """One object; ValueError if it has no class or no box."""
        shares = [self._number(f"bbox/{side}", index) for side in _SIDES]
        if not np.isfinite(shares).all():
            raise ValueError("a side is not a finite number")
        width, height = self.size
        x0, y0, x1, y1 = shares
        flags = {name: int(self._flag(name, index)) for name in ("difficult", "truncated")}
        return Annotation(
            self._category(index, names),
            (x0 * width, y0 * height, x1 * width, y1 * height),
            mask=self._mask(index),
            iscrowd=bool(self._flag("is_crowd", index)),
            attributes={name: value for name, value in flags.items() if value},
        )

    def keypoints(self, index: int) -> tuple[FloatArray | None, tuple[str, ...]]:
        """The keypoints (n, 3) of an object in pixels, and their names; None where all are said to be missing.

        Every object has as many places as the others, as the API's own converter of COCO writes it.
        """
        xs, ys, seen, texts = (self.example.get(f"{OBJECT}keypoint/{key}", []) for key in _KEYPOINT)
        places = len(xs) // self.count
        if not xs or places * self.count != len(xs) or len(ys) != len(xs):
            if xs:
                raise ValueError(f"{len(xs)} and {len(ys)} numbers of keypoints for {self.count} boxes")
            return None, ()
        own = slice(index * places, (index + 1) * places)
        rows = np.zeros((places, 3))
        rows[:, :2] = np.array([xs[own], ys[own]], dtype=np.float64).T * self.size
        if not np.isfinite(rows).all():
            raise ValueError("a keypoint is not a finite number")
        there = (rows[:, :2] != 0).any(axis=1)
        rows[:, 2] = np.clip(np.array(seen[own], dtype=np.float64), 0, 2) if len(seen) == len(xs) else 2.0 * there
        rows[rows[:, 2] == 0] = 0
        names = [decoded(text) for text in texts[own]] if len(texts) == len(xs) else [""] * places
        last = max((n for n, name in enumerate(names, start=1) if name), default=places)
        named = tuple(name or f"keypoint_{n}" for n, name in enumerate(names[:last]))
        return (rows[:last], named) if rows[:last, 2].any() else (None, ())

    def _category(self, index: int, names: Mapping[int, str]) -> str:
        texts, numbers = (self.example.get(f"{OBJECT}class/{kind}", []) for kind in ("text", "label"))
        if len(texts) == self.count:
            return category_name(decoded(texts[index]))
        if len(numbers) != self.count:
            raise ValueError(f"{len(numbers)} classes for {self.count} boxes")
        return category_name(names.get(int(numbers[index]), str(int(numbers[index]))))

    def _number(self, name: str, index: int) -> float:
        value = self.example[f"{OBJECT}{name}"][index]
        if isinstance(value, bytes):
            raise ValueError(f"{name} is text")
        return float(value)

    def _flag(self, name: str, index: int) -> float:
        there = len(self.example.get(f"{OBJECT}{name}", [])) == self.count
        return self._number(name, index) if there else 0.0

    def _mask(self, index: int) -> Mask | None:
        """The mask of an object, if all have one: a PNG in which the object is not black."""
        masks = self.example.get(f"{OBJECT}mask", [])
        value = masks[index] if len(masks) == self.count else None
        if not isinstance(value, bytes):
            return None
        file = ImageFile(Path("mask.png"), data=value)
        if probe(file, Limits()).size != self.size:
            raise ValueError("a mask has another size than the image")
        pixels = read_label_image(file, Limits()).values > 0
        return encode_mask(pixels) if pixels.any() else None


def decoded(value: object) -> str:
    """A text of an example; ValueError for a number."""
    if not isinstance(value, bytes):
        raise ValueError("a text is a number")
    return value.decode("utf-8")
