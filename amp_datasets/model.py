"""What flows through the program: categories, annotations, samples, and what was dropped.

Coordinates are pixel edges in float64, origin at the top left corner of the upright image: an image spans
[0, width] x [0, height], and the centre of its first pixel is (0.5, 0.5).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Image = NDArray[np.uint8]
Size = tuple[int, int]
"""(width, height) in pixels."""
Box = tuple[float, float, float, float]
"""(x_min, y_min, x_max, y_max)."""


SPLITS = ("train", "validation", "test")
"""The names of splits, in the order in which they are shown."""


@dataclass(frozen=True, slots=True)
class Category:
    """A class. `keypoints` names its points; `skeleton` and `flip_pairs` index them from 0.

    `flip_pairs` are the keypoints that a mirror image exchanges; a pair (i, i) says that i is its own mirror image.
    Empty, nobody knows.
    """

    name: str
    supercategory: str = ""
    keypoints: tuple[str, ...] = ()
    skeleton: tuple[tuple[int, int], ...] = ()
    flip_pairs: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Polygon:
    """One part of an outline: rings of shape (n, 2) without a repeated closing point."""

    exterior: FloatArray
    holes: tuple[FloatArray, ...] = ()

    @property
    def rings(self) -> tuple[FloatArray, ...]:
        """The outer ring, then the holes."""
        return (self.exterior, *self.holes)


@dataclass(frozen=True, slots=True)
class Mask:
    """A pixel mask of the whole image as COCO's compressed run lengths (column-major)."""

    size: Size
    counts: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Annotation:
    """One labelled object.

    `xyxy` is always there; a finer outline is `polygons`, a `mask`, or the four `corners` (4, 2) of an oriented
    box. `keypoints` has shape (k, 3): x, y, visibility (0 not labelled, 1 hidden, 2 visible; COCO). `shape` is what the
    object inside a plain box looks like (ellipse, rect), where others of its class and set have shown it.
    """

    category: str
    xyxy: Box
    polygons: tuple[Polygon, ...] = ()
    mask: Mask | None = None
    corners: FloatArray | None = None
    keypoints: FloatArray | None = None
    iscrowd: bool = False
    id: int | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    shape: Literal["ellipse", "rect"] | None = None


@dataclass(frozen=True, slots=True)
class ImageFile:
    """Where an image's bytes are: a file, a member of a zip archive, or in memory."""

    path: Path
    member: str | None = None
    data: bytes | None = None

    def __str__(self) -> str:
        return str(self.path) if self.member is None else f"{self.path}!{self.member}"


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """An upright image with its annotations.

    `source_id` names it within its set (a relative path). An image is labelled, confirmed empty (`labelled` with
    no annotations), or not labelled at all. `labels` are classes of the image as a whole (classification). Samples
    with one `group` never part over two splits. `turned` says that the stored image has an EXIF orientation, so that
    its bytes as they are do not show what the labels refer to. `tags` are words that people gave the image.
    """

    source_id: str
    image: ImageFile
    size: Size
    annotations: tuple[Annotation, ...] = ()
    labelled: bool = True
    split: str | None = None
    group: str | None = None
    origin: Origin | None = None
    turned: bool = False
    labels: tuple[str, ...] = ()
    tags: frozenset[str] = frozenset()

    @property
    def categories(self) -> frozenset[str]:
        """The classes that its labels name, those of objects and those of the whole image."""
        return frozenset([*(annotation.category for annotation in self.annotations), *self.labels])


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a sample of a build comes from: its source, the variant's name, and as JSON what was applied and drawn."""

    source_id: str
    variant: str
    draw: str = "[]"


UNREADABLE = "file cannot be opened"
"""The reason to drop what the system does not give. `amp check` lists it; a build or an export does not start."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """Something that went in and did not come out: an image, a label or a variant, and why.

    `reason` is short and constant, so that it can be counted; `detail` says what was special here.
    """

    id: str
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Repair:
    """A mistake in a set that was understood and repaired on reading; counted by `rule`."""

    id: str
    rule: str
    detail: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class LabelSet:
    """A whole set in memory (labels only): its categories in order, its samples, and what reading did to it.

    `values` are black and white of its images deeper than 8 bits, if somebody declared them. `provenance` is one line
    about licence and origin, where the set's own files say it.
    """

    categories: tuple[Category, ...]
    samples: Collection[Sample]
    dropped: tuple[Dropped, ...] = ()
    repairs: tuple[Repair, ...] = ()
    name: str = ""
    values: tuple[float, float] | None = None
    provenance: str = ""


def classifies(samples: Iterable[Sample]) -> bool:
    """Whether images are labelled as wholes and none of them has an object: a set for classification, not detection.

    In such a set an image without objects is not an empty one; nobody has looked for objects.
    """
    labelled = False
    for sample in samples:
        if sample.annotations:
            return False
        labelled = labelled or bool(sample.labels)
    return labelled
