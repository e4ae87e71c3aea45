"""What a label becomes under a warp and behind holes: moved, cut to what is visible, and judged once.

Visibility is the share of the object's own outline that can still be seen, measured once at the end of a chain against
the whole transformed outline. Nothing here draws anything at random.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from amp_datasets.geometry.shapes import Outline
from amp_datasets.geometry.warp import Warp
from amp_datasets.model import Annotation, Box, Category, FloatArray
from amp_datasets.variants.borders import border_problem
from amp_datasets.variants.mirror import mirrored
from amp_datasets.variants.visibility import NO_HOLES, Holes, Known, Opening, Seen, View, is_plain, see, turn_of

__all__ = [
    "NO_HOLES",
    "Holes",
    "Judged",
    "Known",
    "LabelPolicy",
    "Opening",
    "judge",
    "knows_its_mirror",
    "visible_boxes",
]

_TOO_SMALL = "too small"
_SAME_SHARE = 1e-6
_TURNED_DEG = 0.01
_MOST_UNCOVERED = 0.25
"""How much of what is visible an oriented box may leave out; there is no other that covers no fill."""
UNFIT = "no oriented box holds most of it and nothing of the fill beside it: `fill: crop` leaves no fill"
TURNED_TOO_FAR = "a box would be turned too far for an object of unknown shape"


@dataclass(frozen=True, slots=True)
class LabelPolicy:
    """How labels are judged. `sides` swaps categories in a mirror image; `one_sided` have none to swap with."""

    min_visibility: float = 0.4
    drop_below: float = 0.1
    min_side_px: float = 2.0
    outline: Outline = "ellipse"
    outlines: Mapping[str, Outline] = field(default_factory=dict)
    sides: Mapping[str, str] = field(default_factory=dict)
    one_sided: frozenset[str] = frozenset()
    categories: Mapping[str, Category] = field(default_factory=dict)
    ordered: frozenset[str] = frozenset()
    """Categories whose keypoints have names without sides, so that a mirror image keeps their order."""
    assumed: bool = False
    max_box_rotation_deg: float = 15.0
    """By how much a box may be turned, if `outline` is only assumed of what is in it."""

    def outline_of(self, annotation: Annotation) -> Outline:
        """The shape inside a plain box: what the manifest says of its class, what others of its class show, or that."""
        return self.outlines.get(annotation.category) or annotation.shape or self.outline

    def forbids(self, annotation: Annotation, turned_deg: float) -> bool:
        """Whether a plain box is turned too far for a shape that nobody knows."""
        known = annotation.shape is not None or annotation.category in self.outlines or annotation.iscrowd
        return self.assumed and not known and turned_deg > self.max_box_rotation_deg + _SAME_SHARE


@dataclass(frozen=True, slots=True)
class Judged:
    """The labels of a variant, `labels` those of the whole image.

    `dropped` counts reasons; `unclear` says what forbids keeping or dropping as it is, and `in_between` counts the
    objects of which that is true.
    """

    annotations: tuple[Annotation, ...]
    dropped: Mapping[str, int] = field(default_factory=dict)
    partial: int = 0
    unclear: str | None = None
    labels: tuple[str, ...] = ()
    known: tuple[Known, ...] = ()
    in_between: int = 0
    estimated: int = 0
    """Boxes whose object was turned, so that its new box follows from the shape that it is taken to have."""


def judge(
    annotations: Sequence[Annotation],
    warp: Warp,
    holes: Holes,
    policy: LabelPolicy,
    known: Sequence[Known] = (),
    opening: Opening | None = None,
) -> Judged:
    """Move all labels of an image and keep those that stay visible enough.

    An object between `drop_below` and `min_visibility` makes the whole image `unclear`: kept it would label a remnant,
    dropped it would leave an object without label. It is kept and counted as `partial`, in case nothing else can be
    drawn. One cut to less than `min_side_px` is dropped. `known` says what was left before; an `opening`, what is seen.
    """
    view = View(warp, holes, opening)
    kept: list[Annotation] = []
    left: list[Known] = []
    dropped: dict[str, int] = {}
    unclear: str | None = None
    partial = in_between = 0
    turns = _turns(annotations, warp, known)
    for number, annotation in enumerate(annotations):
        before = known[number] if known else None
        seen = see(annotation, view, policy.outline_of(annotation), before)
        reason = _drop_reason(seen, policy)
        if reason is not None:
            dropped[reason] = dropped.get(reason, 0) + 1
            if reason == _TOO_SMALL:
                in_between += 1
                unclear = unclear or f"{annotation.category} is cut to less than {policy.min_side_px:g} px"
            continue
        if seen.visibility < policy.min_visibility and not annotation.iscrowd:
            partial += 1
            if before is None or seen.visibility < before.given - _SAME_SHARE:
                unclear = unclear or f"{annotation.category} is {seen.visibility:.0%} visible"
                in_between += 1
        if seen.uncovered > _MOST_UNCOVERED:
            unclear = unclear or f"{annotation.category} is cut slantwise, and {UNFIT}"
            in_between += 1
        kept.append(seen.annotation if not warp.mirrors else mirrored(seen.annotation, policy.sides, policy.categories))
        left.append(Known(seen.outline, seen.visibility, 1.0 if before is None else before.given, turns[number]))
    if opening is None:  # what is laid over another image has no border of its own
        unclear = border_problem(annotations, warp) or unclear
    unclear = _too_far(annotations, turns, policy) or unclear
    return Judged(tuple(kept), dropped, partial, unclear, (), tuple(left), in_between, _estimates(kept, left, warp))


def _too_far(annotations: Sequence[Annotation], turns: Sequence[float], policy: LabelPolicy) -> str | None:
    """Why no image must be made: a plain box would be turned too far for a shape that nobody knows."""
    pairs = zip(annotations, turns, strict=True)
    return TURNED_TOO_FAR if any(policy.forbids(a, turn) for a, turn in pairs if is_plain(a)) else None


def _turns(annotations: Sequence[Annotation], warp: Warp, known: Sequence[Known]) -> list[float]:
    """By how many degrees the plain box of each label has been turned, this warp included; 0 for other labels."""
    before = [each.turned_deg for each in known] if known else [0.0] * len(annotations)
    return [
        was + turn_of(annotation, warp) if is_plain(annotation) and warp.maps else was
        for was, annotation in zip(before, annotations, strict=True)
    ]


def _estimates(kept: Sequence[Annotation], known: Sequence[Known], warp: Warp) -> int:
    """How many plain boxes are turned, here or before: they follow from a shape that is assumed."""
    pairs = zip(kept, known, strict=True)
    return sum(turn_of(a, warp.back) > _TURNED_DEG or k.turned_deg > _TURNED_DEG for a, k in pairs if is_plain(a))


def knows_its_mirror(annotation: Annotation, policy: LabelPolicy) -> bool:
    """Whether it is known which of a label's keypoints a mirror image exchanges."""
    points = annotation.keypoints
    if points is None or len(points) < 2 or annotation.category in policy.ordered:
        return True
    category = policy.categories.get(annotation.category)
    return category is not None and bool(category.flip_pairs)


def visible_boxes(
    annotations: Sequence[Annotation], warp: Warp, policy: LabelPolicy, known: Sequence[Known] = ()
) -> FloatArray:
    """The xyxy boxes (n, 4) of what a warp leaves in the frame, for filters that look for objects."""
    return visible_objects(annotations, warp, policy, known)[0]


def visible_objects(
    annotations: Sequence[Annotation],
    warp: Warp,
    policy: LabelPolicy,
    known: Sequence[Known] = (),
    opening: Opening | None = None,
) -> tuple[FloatArray, list[int]]:
    """The xyxy boxes (n, 4) of what a warp leaves in the frame, and of which annotations they are."""
    view = View(warp, NO_HOLES, opening)
    seen = [
        see(annotation, view, policy.outline_of(annotation), known[i] if known else None)
        for i, annotation in enumerate(annotations)
    ]
    numbers = [number for number, each in enumerate(seen) if each.visibility > 0]
    return np.array([seen[n].annotation.xyxy for n in numbers], dtype=np.float64).reshape(-1, 4), numbers


def _drop_reason(seen: Seen, policy: LabelPolicy) -> str | None:
    crowd = seen.annotation.iscrowd
    if seen.visibility <= (0.0 if crowd else policy.drop_below):
        return "not visible" if seen.visibility == 0 else "hardly visible"
    cut_small = _shorter_side(seen.annotation.xyxy) < policy.min_side_px <= _shorter_side(seen.whole)
    return _TOO_SMALL if cut_small and seen.visibility < 1 and not crowd else None


def _shorter_side(box: Box) -> float:
    return min(box[2] - box[0], box[3] - box[1])
