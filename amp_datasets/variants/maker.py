"""The pure function of the program: a source image, a kind of variant and a seed give one variant, or why not.

Making one has two parts. `plan` draws, composes the geometry and judges the labels, and draws again where the result
would be wrong; it needs no more of the pixels than a thumbnail. `render` makes the image from the plan.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from amp_datasets.errors import AmpError, CannotApply, ImageError
from amp_datasets.filtering.base import Filter, HidingFilter, JoiningFilter, PixelFilter
from amp_datasets.filtering.settings import create
from amp_datasets.geometry.warp import Warp, resample_image
from amp_datasets.model import Category, Image
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.plugin.registry import Registry
from amp_datasets.variants.borders import SEEN_TWICE, SMEARED
from amp_datasets.variants.breaking import why_not
from amp_datasets.variants.composing.picking import Before, Combinations
from amp_datasets.variants.composing.pieces import Preprocessing
from amp_datasets.variants.drawing import Drawn, Record, stage_of
from amp_datasets.variants.labels import TURNED_TOO_FAR, Holes, Judged, LabelPolicy, judge, knows_its_mirror
from amp_datasets.variants.recipe import Recipe, Step, VariantSpec, canonical
from amp_datasets.variants.seeding import Generators, Key
from amp_datasets.variants.steps import Applied, Original, Signature, change_values, signature_of


@dataclass(frozen=True, slots=True, eq=False)
class Planned:
    """A variant that will be made: what was drawn, at which attempt, and the labels that it will have.

    `steps` are those that work on the whole of an image: of the source, or of `base`, which others have made of it.
    """

    spec: VariantSpec
    copy: int
    attempt: int
    steps: tuple[Applied, ...]
    warp: Warp
    holes: Holes
    judged: Judged
    base: Original | None = None
    records: tuple[Record, ...] = ()
    mirrors: bool = False

    @property
    def places(self) -> str:
        """What was drawn that moves or hides, as canonical JSON; of an image made of others, all that was drawn."""
        if self.base is not None:
            return self.steps_json
        return canonical([a.record() for a in self.steps if not isinstance(a.transform, PixelFilter)])

    @property
    def steps_json(self) -> str:
        """All steps as canonical JSON, also those that chance left out."""
        return canonical(list(self.records))


@dataclass(frozen=True, slots=True)
class Refused:
    """A variant that cannot be made of this source, after all attempts."""

    spec: VariantSpec
    copy: int
    attempts: int
    reason: str
    detail: str = ""


class VariantMaker:
    """Plans and renders the variants of a recipe; one a process, for its filters are built once."""

    def __init__(self, recipe: Recipe, registry: Registry | None = None) -> None:
        self.recipe = recipe
        self.registry = registry or load_registry(tuple(map(Path, recipe.plugin_dirs)))
        self.policy = _policy(recipe)
        self._generators = Generators()
        self._transforms: dict[str, list[tuple[Step, Filter]]] = {}
        self._combinations: dict[str, Combinations] = {}
        own = Generators()  # a variant that fetches another image in the middle of its draws must not see them change
        self.preprocessing = Preprocessing(self._made(recipe.preprocess, own), own, recipe.seed, self.policy)

    def plan_all(self, original: Original) -> Iterator[Planned | Refused]:
        """Every variant of a source, in the manifest's order."""
        shown = {*(a.category for a in original.annotations), *original.labels}
        for spec in (s for s in self.recipe.variants if s.concerns(shown)):
            yield from self.plan_copies(original, spec)

    def plan_copies(
        self, original: Original, spec: VariantSpec, copies: int | None = None
    ) -> Iterator[Planned | Refused]:
        """All copies of one kind of variant, or so many; each differs from those before it."""
        before = Before([original.signature])
        for copy in range(spec.copies if copies is None else copies):
            yield self._plan_or_why_not(original, spec, copy, before)

    def plan_one(self, original: Original, spec: VariantSpec, copy: int) -> Planned | Refused:
        """The copy of any number of a kind of variant, whatever the others look like."""
        return self._plan_or_why_not(original, spec, copy, Before([original.signature]))

    def plan_attempt(self, original: Original, spec: VariantSpec, copy: int, attempt: int) -> Planned:
        """The variant at an attempt that is known to be the right one, from a ledger."""
        drawn = self._draw(original, spec, copy, attempt)
        base, warp, holes = drawn.base, drawn.warp, drawn.holes
        if warp.maps or len(holes) or base.known:
            judged = judge(base.annotations, warp, holes, self.policy, base.known)
        else:  # pixel filters alone: the source's own labels, to the last bit
            judged = Judged(base.annotations)
        if drawn.dropped:
            judged = replace(judged, dropped=dict(drawn.dropped + Counter(judged.dropped)))
        if original.labels:
            judged = replace(judged, labels=self._image_labels(original, warp))
        composed = None if base is original else base
        return Planned(spec, copy, attempt, drawn.steps, warp, holes, judged, composed, drawn.records, drawn.mirrors)

    def _image_labels(self, original: Original, warp: Warp) -> tuple[str, ...]:
        """What an image is as a whole does not depend on what is left of it; in a mirror image left is right."""
        sides = self.policy.sides if warp.mirrors else {}
        return tuple(sides.get(name, name) for name in original.labels)

    def _plan_or_why_not(self, original: Original, spec: VariantSpec, copy: int, before: Before) -> Planned | Refused:
        """As `_plan`; whatever a filter raises concerns this one variant. A BuildError if memory runs out."""
        try:
            return self._plan(original, spec, copy, before)
        except BaseException as error:
            if isinstance(error, AmpError) and not isinstance(error, CannotApply | ImageError):
                raise
            return Refused(spec, copy, 1, *why_not(error, f"{spec.label(copy)} of {original.sha256[:12]}"))

    def _plan(self, original: Original, spec: VariantSpec, copy: int, before: Before) -> Planned | Refused:
        """The first attempt without a problem; its signature joins those `before` it."""
        problem, drawn = ("", ""), list[str]()
        partial: tuple[Planned, Signature] | None = None
        if not self._comes_up(original, spec, copy):
            return Refused(spec, copy, 1, LEFT_OUT, f"p = {spec.steps[0].p:g}")
        attempts = self.recipe.labels.attempts
        for attempt in before.attempts(spec, attempts):
            try:
                planned = self.plan_attempt(original, spec, copy, attempt)
            except CannotApply as error:  # other draws may do: another object, other steps
                problem = (error.what, "")
                continue
            signature = signature_of(planned.base or original, planned.steps, planned.warp, planned.holes)
            found = self._problem(planned, signature, original, before.signatures)
            if found is None:
                before.signatures.append(signature)
                return planned
            problem = found
            drawn.append(planned.places)
            if partial is None and problem[0] == _PARTIAL:
                partial = planned, signature
        if partial is not None and len(set(drawn)) < len(drawn):
            # Places repeat, so there is next to nothing to choose from: a partly visible object keeps its label.
            before.signatures.append(partial[1])
            return partial[0]
        return Refused(spec, copy, attempts, *problem)

    def _problem(
        self, planned: Planned, signature: Signature, original: Original, siblings: list[Signature]
    ) -> tuple[str, str] | None:
        """Why a variant must not be used as drawn: reason and detail."""
        judged = planned.judged
        if original.annotations and not judged.annotations:
            return "no object would stay visible", ", ".join(judged.dropped)
        turned_round = self._mirror_problem(original) if planned.mirrors else None
        if turned_round is not None:
            return turned_round
        if judged.unclear in _FORBIDDEN:
            return judged.unclear, _FORBIDDEN[judged.unclear]
        levels = self.recipe.labels.min_difference
        if not signature.differs(siblings[0], levels):
            return "the image would not change", f"by less than {levels:g} of 255 on average"
        if not all(signature.differs(sibling, levels) for sibling in siblings[1:]):
            return "the image would equal another copy", ""
        if judged.unclear is None or judged.in_between <= len(original.annotations) // _CROWD:
            return None
        return _PARTIAL, f"{judged.unclear}; {_KEEP_OR_DROP}"

    def _mirror_problem(self, original: Original) -> tuple[str, str] | None:
        """Why a source must not be mirrored: a side without counterpart, or a pose of which nobody knows the sides."""
        names = {*(a.category for a in original.annotations), *original.labels}
        one_sided = (self.policy.one_sided | original.one_sided) & names
        if one_sided:
            return "a mirror image would exchange left and right", f"no counterpart of {', '.join(sorted(one_sided))}"
        unknown = {a.category for a in original.annotations if not knows_its_mirror(a, self.policy)}
        if unknown:
            return UNKNOWN_PAIRS, f"{', '.join(sorted(unknown))}: name its keypoints, or say `flip_idx` or `flip_pairs`"
        return None

    def _comes_up(self, original: Original, spec: VariantSpec, copy: int) -> bool:
        """Whether chance makes a variant of a single filter at all; in a mix it leaves out single steps instead."""
        if len(spec.steps) > 1 or spec.steps[0].p >= 1:
            return True
        self._generators.reseed(self._key(original, spec, copy, attempt=-1))
        return self._generators.scalars.random() < spec.steps[0].p

    def _key(self, original: Original, spec: VariantSpec, copy: int, attempt: int) -> Key:
        name = f"{original.piece} {spec.name}" if original.piece else spec.name
        return Key(self.recipe.seed, original.sha256, name, copy, attempt)

    def _draw(self, original: Original, spec: VariantSpec, copy: int, attempt: int) -> Drawn:
        """Draw all steps: what makes another image first, then values, then geometry, then what hides.

        So no filter recolours a filled corner.
        """
        self._generators.reseed(self._key(original, spec, copy, attempt))
        chosen = self._steps(spec) if spec.pick is None else self._pick(original, spec, copy, attempt)
        alone = len(spec.steps) == 1
        joining = [transform for _, transform in self._steps(spec) if isinstance(transform, JoiningFilter)]
        drawn = Drawn(original, self.policy, self._generators.scalars)
        for step, transform in chosen if len(chosen) == 1 else sorted(chosen, key=stage_of):
            if step.p < 1 and not alone and self._generators.scalars.random() >= step.p:
                drawn.leave_out(step)
            elif isinstance(transform, JoiningFilter) and original.beside is not None:
                drawn.add(step, transform, original.beside(spec, copy, joining.index(transform)))
            else:
                drawn.add(step, transform)
        return drawn

    def _pick(self, original: Original, spec: VariantSpec, copy: int, attempt: int) -> list[tuple[Step, Filter]]:
        """As many steps as the mix says, not too severe together, in the manifest's order; each combination in turn."""
        steps = self._steps(spec)
        if spec.name not in self._combinations:
            severities = [transform.severity for _, transform in steps]
            self._combinations[spec.name] = Combinations(severities, spec.pick or 0, spec.max_severity)
        try:
            indices = self._combinations[spec.name].of(self._key(original, spec, 0, -1).digest(), copy, attempt)
        except IndexError as error:
            raise CannotApply(
                f"no {spec.pick} steps of `{spec.name}` stay below a severity of {spec.max_severity}",
                fix="raise `max_severity` of the mix",
            ) from error
        return [steps[index] for index in indices]

    def _steps(self, spec: VariantSpec) -> list[tuple[Step, Filter]]:
        """The steps of a kind of variant with their transforms, which all draw from the one pair of generators."""
        if spec.name not in self._transforms:
            self._transforms[spec.name] = self._made(spec.steps, self._generators)
        return self._transforms[spec.name]

    def _made(self, steps: Sequence[Step], generators: Generators) -> list[tuple[Step, Filter]]:
        made = [(step, create(self.registry.filter(step.filter), step.settings)) for step in steps]
        for _, transform in made:
            transform.set_random_state(generators.arrays, generators.scalars)
        return made


UNKNOWN_PAIRS = "nobody said which keypoints a mirror image exchanges"
LEFT_OUT = "left out by chance"
_PARTIAL = "an object would be cut in a way that is neither visible nor gone"
_KEEP_OR_DROP = "`labels.min_visibility` keeps more of such labels, `labels.drop_below` drops more of them"
_CROWD = 20
"""One object of so many may be cut to what is neither visible nor gone: in a crowd, some object always is."""
_FORBIDDEN = {
    SEEN_TWICE: "set `fill: crop`, or a colour",
    SMEARED: "set `fill: crop`, or a colour",
    TURNED_TOO_FAR: "say by `labels.outline` whether it is more of an ellipse or a rect, or raise "
    "`labels.max_box_rotation`",
}
"""What is never shown, and what helps."""


def render(image: Image, planned: Planned) -> Image:
    """The image of a planned variant, from the source's."""
    image = change_values(image if planned.base is None else planned.base.image, planned.steps)
    if planned.warp.maps:
        image = resample_image(image, planned.warp)
    for applied in planned.steps:
        if isinstance(applied.transform, HidingFilter):
            image = applied.transform.apply(image, **applied.draw, shape=image.shape)
    return image


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
        frozenset(rules.ordered),
        labels.assumed,
        labels.max_box_rotation,
    )
