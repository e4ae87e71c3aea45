"""Preprocessing: what is done to every image of every split before any filter, and the pieces that it makes of one.

Which pieces there are, and their labels, follows from the size of an image and its labels; only the pixels need pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from amp_datasets.errors import CannotApply
from amp_datasets.filtering.base import Draw, Filter, GeometricFilter, PixelFilter, SplittingFilter, draw
from amp_datasets.geometry.warp import Warp, identity, resample_image
from amp_datasets.model import Annotation, FloatArray, Size
from amp_datasets.variants.borders import SEEN_TWICE, SMEARED
from amp_datasets.variants.labels import Judged, Known, LabelPolicy, judge, visible_objects
from amp_datasets.variants.recipe import Step
from amp_datasets.variants.seeding import Generators, Key
from amp_datasets.variants.steps import Original, record_of
from amp_datasets.variants.visibility import NO_HOLES, Opening

ELSEWHERE = "in another piece of the image"
_GREY = (114, 114, 114)
_SPACING_PX, _SLACK_PX2 = 16.0, 1e-6
"""How finely an earlier frame is followed under a later step, and what rounding may take of it."""


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """What preprocessing makes of an image: which part, by what steps, where points go, and the labels that it has.

    `name` is empty where there is only one. `empty_share` of its like are kept where no object is in them. `category`
    is the class of a piece that is of one object, where that is all it is to say.
    """

    name: str
    steps: tuple[tuple[Step, Filter, Draw | None], ...]
    warp: Warp
    judged: Judged
    empty_share: float = 1.0
    category: str | None = None

    @property
    def changes_nothing(self) -> bool:
        """Whether the image and its labels stay what they are, to the last bit."""
        if self.category is not None:
            return False
        matrix = self.warp.matrix
        same = self.warp.size == self.warp.size_in and matrix is not None and bool(np.array_equal(matrix, np.eye(3)))
        return same and all(choice is not None for _, _, choice in self.steps)


@dataclass(frozen=True, slots=True)
class _Path:
    """A piece on its way through the steps."""

    warp: Warp
    names: tuple[str, ...] = ()
    draws: tuple[Draw | None, ...] = ()
    empty_share: float = 1.0
    object: int | None = None
    """The number of the annotation that this is the image of."""
    seen: shapely.Geometry | None = None
    """What of the frame shows the image, where an edge was added after a cut: a label must not reach into the edge."""

    @property
    def opening(self) -> Opening | None:
        """The same for the judge of labels."""
        return None if self.seen is None else Opening(self.seen, shapely.Polygon())

    def then(self, warp: Warp) -> _Path:
        """The same path after one more move."""
        seen = shapely.box(0, 0, *self.warp.size) if self.seen is None else self.seen
        if self.warp.maps:  # until now each point of the frame may be one that an earlier step has cut off
            moved = shapely.transform(shapely.segmentize(seen, _SPACING_PX), warp)
            frame = shapely.box(0, 0, *warp.size)
            seen = shapely.make_valid(moved).intersection(frame)
            seen = None if seen.area >= frame.area - _SLACK_PX2 else seen
        else:
            seen = None
        return replace(self, warp=self.warp.then(warp), seen=seen)


@dataclass(frozen=True)
class Preprocessing:
    """The steps of a recipe with their filters, which draw from one pair of generators."""

    steps: Sequence[tuple[Step, Filter]]
    generators: Generators
    seed: int
    policy: LabelPolicy

    def pieces(self, size: Size, annotations: Sequence[Annotation], sha256: str) -> list[Piece]:
        """All pieces of an image, in order. A pure function of size, labels and the digest of the file."""
        paths = [_Path(identity(size))]
        for number, (step, transform) in enumerate(self.steps):
            key = Key(self.seed, sha256, f"preprocess {number} {step.filter}")
            paths = [longer for path in paths for longer in self._next(path, transform, annotations, key)]
        return [self._piece(path, annotations) for path in paths]

    def apply(self, original: Original, name: str) -> Original:
        """A piece of a source, as what variants are made from. Raises CannotApply if there is no such piece."""
        found = [p for p in self.pieces(original.size, original.annotations, original.sha256) if p.name == name]
        if not found:
            raise CannotApply(f"preprocessing makes no piece `{name}` of this image", fix="build it again")
        (piece,) = found
        if piece.changes_nothing:
            return replace(original, piece=name, before=self.records(piece))
        layers = _Layers(original)
        for number, (step, transform, choice) in enumerate(piece.steps):
            if choice is not None and isinstance(transform, GeometricFilter):
                layers.warp(transform.warp(layers.size, **choice), piece.warp)
            elif isinstance(transform, PixelFilter):
                self.generators.reseed(Key(self.seed, original.sha256, f"preprocess {number} {step.filter}"))
                layers.change(transform, draw(transform, layers.image, _NO_BOXES))
        sides = self.policy.sides if piece.warp.mirrors else {}
        labels = original.labels if piece.category is None else (piece.category,)
        return replace(
            original,
            image=layers.image,
            deep=layers.deep,
            alpha=layers.alpha,
            annotations=piece.judged.annotations,
            known=piece.judged.known,
            labels=tuple(sides.get(label, label) for label in labels),
            piece=name,
            before=self.records(piece),
            lost=dict(piece.judged.dropped),
        )

    def records(self, piece: Piece) -> tuple[dict[str, Any], ...]:
        """The steps for the ledger; what a filter of values draws is left to the seed."""
        return tuple({**record_of(step, choice or {}), "stage": "preprocess"} for step, _, choice in piece.steps)

    def _next(self, path: _Path, transform: Filter, annotations: Sequence[Annotation], key: Key) -> Iterator[_Path]:
        if isinstance(transform, PixelFilter):
            yield replace(path, draws=(*path.draws, None))
            return
        size = path.warp.size
        boxes, numbers = visible_objects(annotations, path.warp, self.policy, opening=path.opening)
        if isinstance(transform, SplittingFilter):
            for number, (name, choice) in enumerate(transform.pieces(size, boxes)):
                longer = path.then(transform.warp(size, **choice))
                share = min(path.empty_share, transform.empty_share)
                of = numbers[number] if transform.classifies else path.object
                names, draws = (*path.names, name), (*path.draws, choice)
                yield replace(longer, names=names, draws=draws, empty_share=share, object=of)
        elif isinstance(transform, GeometricFilter):
            self.generators.reseed(key)
            choice = draw(transform, np.broadcast_to(np.uint8(0), (size[1], size[0], 3)), boxes)
            yield replace(path.then(transform.warp(size, **choice)), draws=(*path.draws, choice))

    def _piece(self, path: _Path, annotations: Sequence[Annotation]) -> Piece:
        warp = path.warp
        opening = path.opening
        judged = (
            judge(annotations, warp, NO_HOLES, self.policy, (), opening) if warp.maps else Judged(tuple(annotations))
        )
        unsure = opening is not None and isinstance(warp.fill, str) and bool(annotations)
        if unsure or judged.unclear in (SEEN_TWICE, SMEARED):  # a grey edge shows nothing without a label
            warp = replace(warp, fill=_GREY)
            judged = judge(annotations, warp, NO_HOLES, self.policy, (), opening)
        known = tuple(Known(k.outline, k.share, k.share, k.turned_deg) for k in judged.known)
        dropped = {ELSEWHERE if path.names and why == "not visible" else why: n for why, n in judged.dropped.items()}
        steps = tuple(
            (step, transform, choice) for (step, transform), choice in zip(self.steps, path.draws, strict=True)
        )
        name, judged = "-".join(path.names), replace(judged, known=known, dropped=dropped)
        if path.object is None:
            return Piece(name, steps, warp, judged, path.empty_share)
        others = {ELSEWHERE: len(annotations) - 1} if len(annotations) > 1 else {}
        return Piece(name, steps, warp, Judged((), dropped=others), 1.0, annotations[path.object].category)


_NO_BOXES: FloatArray = np.zeros((0, 4))


class _Layers:
    """An image, and what of its depth and transparency is carried along."""

    def __init__(self, original: Original) -> None:
        self.image, self.deep, self.alpha = original.image, original.deep, original.alpha

    @property
    def size(self) -> Size:
        """(width, height)."""
        return (self.image.shape[1], self.image.shape[0])

    def warp(self, warp: Warp, whole: Warp) -> None:
        """Move all of it; `whole` says with what the border is filled."""
        if not warp.maps:
            return
        warp = replace(warp, fill=whole.fill)
        deep, alpha = self.deep, self.alpha
        self.image = resample_image(self.image, warp)
        if deep is not None:
            self.deep = _any_depth(deep, warp if isinstance(warp.fill, str) else replace(warp, fill="replicate"))
        if alpha is not None:
            self.alpha = _any_depth(alpha, warp if isinstance(warp.fill, str) else replace(warp, fill=(255, 255, 255)))

    def change(self, transform: PixelFilter, choice: Draw) -> None:
        """Change the values. Raises CannotApply where that would need 8 bits."""
        if self.deep is not None:
            if not transform.any_depth:
                raise CannotApply(f"`{transform.name}` works on 8 bits only", fix="write `encode: {depth: 8}`")
            self.deep = transform.apply(self.deep, **choice, shape=self.deep.shape)
        self.image = transform.apply(self.image, **choice, shape=self.image.shape)


def _any_depth(pixels: NDArray[Any], warp: Warp) -> NDArray[Any]:
    return np.asarray(resample_image(pixels, warp), dtype=pixels.dtype)
