"""The pure function of the program: a source image, a kind of variant and a seed give one variant, or why not.

Making one has two parts. `plan` draws, composes the geometry and judges the labels, and draws again where the result
would be wrong; it needs no more of the pixels than a thumbnail. `render` makes the picture from the plan.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import albumentations as A  # noqa: N812 - the library's own convention
import cv2
import numpy as np
from numpy.typing import NDArray

from amp_datasets.discovery import load_registry
from amp_datasets.errors import CannotApply
from amp_datasets.filter import Draw, Filter, GeometricFilter, HidingFilter, PixelFilter, TableFilter, draw, look_up
from amp_datasets.labels import NO_HOLES, Holes, Judged, LabelPolicy, judge, visible_boxes
from amp_datasets.model import Annotation, Category, FloatArray, Image, Size
from amp_datasets.recipe import Recipe, Step, VariantSpec, canonical
from amp_datasets.registry import Registry
from amp_datasets.seeding import Generators, Key
from amp_datasets.settings import create
from amp_datasets.warp import Warp, identity, resample_image

_THUMBNAIL_SIDE = 96
_GRID = np.stack(np.meshgrid(np.linspace(0.05, 0.95, 9), np.linspace(0.05, 0.95, 9)), axis=-1).reshape(-1, 2)
_MIN_SHIFT_PX = 0.5
"""Two variants whose points lie closer than this on average have the same geometry."""


@dataclass(frozen=True, eq=False)
class Original:
    """A decoded source: the upright picture, the digest of its file, and its labels."""

    image: Image
    sha256: str
    annotations: tuple[Annotation, ...]
    thumbnail: Image = field(init=False, repr=False)

    def __post_init__(self) -> None:
        scale = min(1.0, _THUMBNAIL_SIDE / max(self.size))
        side = (max(1, round(self.size[0] * scale)), max(1, round(self.size[1] * scale)))
        object.__setattr__(self, "thumbnail", cv2.resize(self.image, side, interpolation=cv2.INTER_AREA))

    @property
    def size(self) -> Size:
        """(width, height)."""
        return (self.image.shape[1], self.image.shape[0])


@dataclass(frozen=True, slots=True, eq=False)
class Applied:
    """A step that was drawn: the transform, its settings and its choices."""

    step: Step
    transform: Filter
    draw: Draw

    def record(self) -> dict[str, Any]:
        """The step for the ledger; choices that are no JSON (of foreign transforms) are left to the seed."""
        return {"filter": self.step.filter, "settings": self.step.settings, "draw": _jsonable(self.draw)}


@dataclass(frozen=True, slots=True, eq=False)
class Planned:
    """A variant that will be made: what was drawn, at which attempt, and the labels that it will have."""

    spec: VariantSpec
    copy: int
    attempt: int
    steps: tuple[Applied, ...]
    warp: Warp
    holes: Holes
    judged: Judged
    signature: Signature

    @property
    def steps_json(self) -> str:
        """All steps as canonical JSON."""
        return canonical([applied.record() for applied in self.steps])


@dataclass(frozen=True, slots=True)
class Refused:
    """A variant that cannot be made of this source, after all attempts."""

    spec: VariantSpec
    copy: int
    attempts: int
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Signature:
    """What tells two variants of a source apart: where its points went, and how a thumbnail's values changed."""

    size: Size
    points: FloatArray
    thumbnail: Image

    def differs(self, other: Signature, min_levels: float) -> bool:
        """Whether sizes, places or values differ by what can be seen."""
        if self.size != other.size or float(np.abs(self.points - other.points).mean()) >= _MIN_SHIFT_PX:
            return True
        return float(cv2.absdiff(self.thumbnail, other.thumbnail).mean()) >= min_levels


class VariantMaker:
    """Plans and renders the variants of a recipe; one a process, for its filters are built once."""

    def __init__(self, recipe: Recipe, registry: Registry | None = None) -> None:
        self.recipe = recipe
        self.registry = registry or load_registry(tuple(map(Path, recipe.plugin_dirs)))
        self.policy = _policy(recipe)
        self._generators = Generators()
        self._transforms: dict[str, Filter] = {}

    def plan_all(self, original: Original) -> Iterator[Planned | Refused]:
        """Every variant of a source, in the manifest's order."""
        for spec in self.recipe.variants:
            yield from self.plan_copies(original, spec)

    def plan_copies(
        self, original: Original, spec: VariantSpec, copies: int | None = None
    ) -> Iterator[Planned | Refused]:
        """The first copies of one kind of variant; each differs from those before it."""
        siblings = [signature_of(original, (), identity(original.size), NO_HOLES)]
        for copy in range(spec.copies if copies is None else copies):
            planned = self._plan(original, spec, copy, siblings)
            if isinstance(planned, Planned):
                siblings.append(planned.signature)
            yield planned

    def plan_attempt(self, original: Original, spec: VariantSpec, copy: int, attempt: int) -> Planned:
        """The variant at an attempt that is known to be the right one, from a ledger."""
        steps, warp, holes = self._draw(original, spec, copy, attempt)
        signature = signature_of(original, steps, warp, holes)
        if warp.maps or len(holes):
            judged = judge(original.annotations, warp, holes, self.policy)
        else:  # pixel filters alone: the source's own labels, to the last bit
            judged = Judged(original.annotations)
        return Planned(spec, copy, attempt, steps, warp, holes, judged, signature)

    def _plan(
        self, original: Original, spec: VariantSpec, copy: int, siblings: Sequence[Signature]
    ) -> Planned | Refused:
        problem = ("", "")
        drawn: dict[str, Planned] = {}
        for attempt in range(self.recipe.labels.attempts):
            try:
                planned = self.plan_attempt(original, spec, copy, attempt)
            except CannotApply as error:  # other draws may do: another object, other steps
                problem = (error.what, "")
                continue
            found = self._problem(planned, original, siblings)
            if found is None:
                return planned
            problem = found
            drawn.setdefault(planned.steps_json, planned)
        if len(drawn) == 1 and problem[0] == _PARTIAL:
            # Nothing is drawn here, so every attempt gives the same: a partly visible object keeps its label.
            return next(iter(drawn.values()))
        return Refused(spec, copy, self.recipe.labels.attempts, *problem)

    def _problem(self, planned: Planned, original: Original, siblings: Sequence[Signature]) -> tuple[str, str] | None:
        """Why a variant must not be used as drawn: reason and detail."""
        judged = planned.judged
        if original.annotations and not judged.annotations:
            return "no object would stay visible", ", ".join(judged.dropped)
        one_sided = self.policy.one_sided & {a.category for a in original.annotations}
        if planned.warp.mirrors and one_sided:
            return "a mirror image would exchange left and right", f"no counterpart of {', '.join(sorted(one_sided))}"
        if judged.unclear is not None:
            reflected = planned.warp.fill == "reflect" and not judged.partial
            return (_REFLECTED if reflected else _PARTIAL), judged.unclear
        levels = self.recipe.labels.min_difference
        if not planned.signature.differs(siblings[0], levels):
            return "the picture would not change", f"by less than {levels:g} of 255 on average"
        if not all(planned.signature.differs(sibling, levels) for sibling in siblings[1:]):
            return "the picture would equal another copy", ""
        return None

    def _draw(
        self, original: Original, spec: VariantSpec, copy: int, attempt: int
    ) -> tuple[tuple[Applied, ...], Warp, Holes]:
        """Draw all steps: values first, then geometry, then what hides, so that no filter recolours a filled corner."""
        self._generators.reseed(Key(self.recipe.seed, original.sha256, spec.name, copy, attempt))
        chosen = [(step, self._transform(step)) for step in spec.steps]
        if spec.pick is not None:
            chosen = self._pick(chosen, spec)
        warp, holes, applied = identity(original.size), NO_HOLES, []
        for step, transform in sorted(chosen, key=lambda pair: _stage(pair[1])):
            stage = _stage(transform)
            image = original.image if stage == 0 else np.broadcast_to(np.uint8(0), (warp.size[1], warp.size[0], 3))
            boxes = _NO_BOXES if stage == 0 else visible_boxes(original.annotations, warp, self.policy)
            choice = draw(transform, image, boxes)
            if isinstance(transform, GeometricFilter):
                warp = warp.then(transform.warp(warp.size, **choice))
            elif isinstance(transform, HidingFilter):
                holes = np.concatenate([holes, transform.holes(warp.size, **choice)])
            applied.append(Applied(step, transform, choice))
        return tuple(applied), warp, holes

    def _pick(self, steps: list[tuple[Step, Filter]], spec: VariantSpec) -> list[tuple[Step, Filter]]:
        """As many steps as the mix says, drawn until they are not too severe together; in the manifest's order."""
        for _ in range(1000):
            indices = sorted(self._generators.scalars.sample(range(len(steps)), spec.pick or 0))
            chosen = [steps[i] for i in indices]
            if sum(transform.severity for _, transform in chosen) <= spec.max_severity:
                return chosen
        raise CannotApply(
            f"no {spec.pick} steps of `{spec.name}` stay below a severity of {spec.max_severity}",
            fix="raise `max_severity` of the mix",
        )

    def _transform(self, step: Step) -> Filter:
        key = canonical([step.filter, step.settings])
        if key not in self._transforms:
            transform = create(self.registry, step.filter, step.settings)
            transform.set_random_state(self._generators.arrays, self._generators.scalars)
            self._transforms[key] = transform
        return self._transforms[key]


_NO_BOXES: FloatArray = np.zeros((0, 4))
_PARTIAL = "an object would be cut in a way that is neither visible nor gone"
_REFLECTED = "an object would be seen twice in the reflected border"


def render(image: Image, planned: Planned) -> Image:
    """The picture of a planned variant."""
    image = _change_values(image, planned.steps)
    if planned.warp.maps:
        image = resample_image(image, planned.warp)
    for applied in planned.steps:
        if isinstance(applied.transform, HidingFilter):
            image = applied.transform.apply(image, **applied.draw, shape=image.shape)
    return image


def _change_values(image: Image, steps: Iterable[Applied]) -> Image:
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
        if image.shape != shape:
            raise CannotApply(f"`{applied.step.filter}` changes the picture's size, which a pixel filter must not")
    return image if table is None else look_up(image, table)


def signature_of(original: Original, steps: Iterable[Applied], warp: Warp, holes: Holes) -> Signature:
    """What a drawn variant does, measured on a thumbnail and a grid of points."""
    thumbnail = original.thumbnail
    pixel = [a for a in steps if isinstance(a.transform, PixelFilter)]
    if pixel:
        foreign = any(_foreign(a.transform) for a in pixel)
        thumbnail = _of_full_image(original, pixel) if foreign else _change_values(thumbnail, pixel)
    if len(holes):
        height, width = thumbnail.shape[:2]
        thumbnail = thumbnail.copy()
        scaled = np.rint(holes * (np.array([width, height] * 2) / np.array([*warp.size] * 2))).astype(int)
        for x0, y0, x1, y1 in scaled:
            thumbnail[y0:y1, x0:x1] = 0
    return Signature(warp.size, warp.back(_GRID * warp.size), thumbnail)


def _of_full_image(original: Original, steps: Iterable[Applied]) -> Image:
    """Transforms of other libraries may draw whole arrays for the full picture, so they cannot run on a thumbnail."""
    height, width = original.thumbnail.shape[:2]
    changed = _change_values(original.image, steps)
    return np.asarray(cv2.resize(changed, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _foreign(transform: A.BasicTransform) -> bool:
    return "." in transform.name


def _stage(transform: Filter) -> int:
    return 0 if isinstance(transform, PixelFilter) else 1 if isinstance(transform, GeometricFilter) else 2


def _policy(recipe: Recipe) -> LabelPolicy:
    labels, rules = recipe.labels, recipe.categories
    return LabelPolicy(
        labels.min_visibility,
        labels.drop_below,
        labels.min_side_px,
        labels.outline,
        labels.outlines,
        rules.sides,
        frozenset(rules.one_sided),
        {name: Category(name, flip_pairs=pairs) for name, pairs in rules.flip_pairs.items()},
    )


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
