"""The laws of a filter: what `draw` and `apply` promise, in a plain Compose and in a ledger."""

from __future__ import annotations

import json
import random
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import albumentations as A  # noqa: N812 - the library's own convention
import numpy as np

from amp_datasets.errors import ArgumentError, CannotApply
from amp_datasets.filtering.base import (
    Draw,
    Filter,
    GeometricFilter,
    HidingFilter,
    JoiningFilter,
    PixelFilter,
    draw,
)
from amp_datasets.filtering.settings import complete_settings, create, settings_schema
from amp_datasets.model import FloatArray, Image
from amp_datasets.testing.geometric import GEOMETRIC_LAWS
from amp_datasets.testing.joining import JOINING_LAWS
from amp_datasets.testing.law import Law, must, must_equal, run_all
from amp_datasets.testing.making import SEED, apply, compose, make
from amp_datasets.testing.scenes import BOXES, make_image

Example = dict[str, Any]
FilterLaw = Callable[[type[Filter], Example], None]

_SIZES = ((1, 1), (1, 7), (7, 1), (10, 3), (2, 200))
_WRONG: tuple[Any, ...] = (-1e9, 1e9, float("nan"), "nonsense", None, [1e9, -1e9], [])


def filter_laws(plugin: type[Filter]) -> list[Law]:
    """Every law of a filter, over each of its `examples`: call them, or give them to pytest's `parametrize`."""
    of_each: list[FilterLaw] = list(JOINING_LAWS if issubclass(plugin, JoiningFilter) else _LAWS)
    if issubclass(plugin, GeometricFilter):
        of_each += GEOMETRIC_LAWS
    laws = [_law(plugin, law, example) for example in plugin.examples for law in of_each]
    return laws + [_law(plugin, law, None) for law in _OF_SETTINGS]


def check_filter(plugin: type[Filter]) -> int:
    """Check every law of a filter, and return how many there are. Raises BrokenLawError, which names the law."""
    return run_all(filter_laws(plugin))


def _law(plugin: type[Filter], check: Callable[..., None], example: Example | None) -> Law:
    text = (check.__doc__ or "").splitlines()[0]
    name = str(getattr(plugin, "name", plugin.__name__))
    if example is None:
        return Law(name, check.__name__, "", partial(check, plugin), text)
    return Law(name, check.__name__, json.dumps(example, default=str), partial(check, plugin, example), text)


def works_in_a_plain_compose(plugin: type[Filter], example: Example) -> None:
    """Image, mask, boxes and keypoints go through `A.Compose` and come out in agreement about the size."""
    image = make_image()
    mask = np.zeros(image.shape[:2], np.uint8)
    mask[20:45, 30:62] = 7
    given: dict[str, Any] = {"image": image, "mask": mask, "bboxes": BOXES, "ids": [1, 2]}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Got processor for .*, but no transform to process it", UserWarning)
        result = compose(make(plugin, example))(**given, keypoints=np.array([[40.0, 30], [60, 50]]))
    must(result["image"].dtype == np.uint8, f"the image has dtype {result['image'].dtype}, not uint8")
    must(result["image"].shape[:2] == result["mask"].shape, "image and mask come out in different sizes")
    must(set(np.unique(result["mask"])) <= {0, 7}, "the mask has values that were not in it")
    must(len(result["bboxes"]) == len(result["ids"]) <= 2, "there are more boxes than went in")
    must(len(result["keypoints"]) == 2, "keypoints are lost")
    if issubclass(plugin, PixelFilter):
        must_equal(result["mask"], mask, "a filter of values moves the mask")
        must(np.allclose(result["bboxes"], BOXES, atol=1e-4), "a filter of values moves boxes")


def round_trips_through_json(plugin: type[Filter], example: Example) -> None:
    """`A.to_dict`, as JSON, brings back a filter with the same settings and the same results."""
    first = make(plugin, example)
    saved = json.loads(json.dumps(A.to_dict(first)))
    second = A.from_dict(saved)
    second.set_random_state(np.random.default_rng(SEED), random.Random(SEED))
    must(type(second) is plugin, "another class comes back")
    must(json.loads(json.dumps(A.to_dict(second))) == saved, "other settings come back")
    image = make_image()
    one, other = (apply(each, image, draw(each, image, BOXES)) for each in (first, second))
    must_equal(one, other, "what comes back makes another image")


def recorded_draw_rebuilds_the_image(plugin: type[Filter], example: Example) -> None:
    """A draw is JSON, holds nothing that was not chosen, and is all that an image depends on."""
    image = make_image()
    transform, other = make(plugin, example), make(plugin, example, seed=99)
    choice = draw(transform, image, BOXES)
    loaded = json.loads(json.dumps(choice))
    settings = {"shape", "fill", "interpolation"} & set(choice)
    must(not settings, f"the draw holds what is not chosen: {settings}")
    must_equal(apply(other, image, loaded), apply(transform, image, choice), "`apply` depends on more than the draw")


def same_generators_give_the_same_draw(plugin: type[Filter], example: Example) -> None:
    """Nothing but the two generators decides, and `apply` takes nothing from them."""
    image = make_image()
    first, second = make(plugin, example), make(plugin, example)
    choices = [draw(first, image, BOXES)]
    apply(first, image, choices[0])
    choices.append(draw(first, image, BOXES))
    again = [draw(second, image, BOXES), draw(second, image, BOXES)]
    must(choices == again, f"the draws differ: {choices} and {again}")


def input_stays_untouched(plugin: type[Filter], example: Example) -> None:
    """A read-only image goes in; what comes out is another one: contiguous, 8 bits, three channels."""
    image = make_image()
    image.setflags(write=False)
    transform = make(plugin, example)
    result = apply(transform, image, draw(transform, image, BOXES))
    must(not np.shares_memory(result, image), "the result is the input, or a view of it")
    must_be_image(result)
    must(result.flags.c_contiguous, "the result is not contiguous: np.ascontiguousarray makes it so")


def changes_the_image(plugin: type[Filter], example: Example) -> None:
    """No example, and so no default, draws the identity: a visible share of the values moves visibly."""
    image = make_image()
    for seed in range(5):
        transform = make(plugin, example, seed)
        result = apply(transform, image, draw(transform, image, BOXES))
        if result.shape == image.shape:
            change = float(np.abs(result.astype(int) - image).mean())
            must(change > 0.5, f"with seed {seed} values change by {change:.2f} of 255 on average")


def tiny_images_work_or_are_refused(plugin: type[Filter], example: Example) -> None:
    """The smallest images give an image or a CannotApply that says what to do, never a crash."""
    for size in _SIZES:
        image, transform = make_image(*size), make(plugin, example)
        boxes: FloatArray = np.array([[0.0, 0, min(1, size[0]), min(1, size[1])]])
        try:
            result = apply(transform, image, draw(transform, image, boxes))
        except CannotApply as error:
            must(error.fix, f"{size} is refused without saying what to do")
            continue
        must_be_image(result)
        moves = isinstance(transform, GeometricFilter)
        must(moves or result.shape == image.shape, f"{size} becomes {result.shape[1::-1]}, though no point moves")


def must_be_image(result: Image) -> None:
    """An (h, w, 3) array of uint8."""
    must(isinstance(result, np.ndarray), f"the result is a {type(result).__name__}, not an array")
    must(result.dtype == np.uint8, f"the result has dtype {result.dtype}, not uint8")
    must(result.ndim == 3 and result.shape[2] == 3, f"the result has shape {result.shape}, not (h, w, 3)")


def wrong_settings_are_refused_by_name(plugin: type[Filter]) -> None:
    """Each setting refuses a value of a wrong kind or far out of bounds, and the message names it."""
    for name in plugin.InitSchema.model_fields:
        for wrong in _WRONG if name not in ("p", "strict") else ():
            _must_refuse(plugin, {name: wrong}, name)


def pairs_must_be_in_order(plugin: type[Filter]) -> None:
    """A range given as [high, low] is a mistake, not a range."""
    for example in plugin.examples:
        for name, value in example.items():
            if isinstance(value, tuple) and len(value) == 2 and value[0] < value[1] and name not in {"degrees", "size"}:
                _must_refuse(plugin, {**example, name: value[::-1]}, name)


def defaults_are_complete(plugin: type[Filter]) -> None:
    """A filter can be named without settings, and its defaults pass its own schema and come through a manifest."""
    completed = json.loads(json.dumps(complete_settings(plugin, {})))
    same = A.to_dict(create(plugin, completed)) == A.to_dict(plugin())
    must(same, "the defaults of `__init__` are not those of the schema")
    described = settings_schema(plugin)["properties"].keys()
    must(described == completed.keys(), f"the schema describes {sorted(described)}, settings are {sorted(completed)}")


def says_what_it_is(plugin: type[Filter]) -> None:
    """Class and settings have docstrings, there are examples, and a severity of 1 to 3."""
    must(plugin.__doc__, "the class has no docstring")
    must(plugin.InitSchema.__doc__, "`InitSchema` has no docstring")
    must(plugin.examples, "there are no `examples`, over which the laws are checked")
    must(plugin.severity in (1, 2, 3), f"`severity` is {plugin.severity}, not 1, 2 or 3")
    known = issubclass(plugin, PixelFilter | GeometricFilter | HidingFilter | JoiningFilter)
    must(known, "it is of none of the four kinds: PixelFilter, GeometricFilter, HidingFilter, JoiningFilter")


def _must_refuse(plugin: type[Filter], settings: Draw, name: str) -> None:
    try:
        plugin(**settings)
    except ArgumentError as error:
        must(name in str(error), f"the refusal of {settings} does not name `{name}`: {error}")
        return
    must(False, f"{settings} is taken")


_LAWS: tuple[FilterLaw, ...] = (
    works_in_a_plain_compose,
    round_trips_through_json,
    recorded_draw_rebuilds_the_image,
    same_generators_give_the_same_draw,
    input_stays_untouched,
    changes_the_image,
    tiny_images_work_or_are_refused,
)
_OF_SETTINGS: tuple[Callable[[type[Filter]], None], ...] = (
    wrong_settings_are_refused_by_name,
    pairs_must_be_in_order,
    defaults_are_complete,
    says_what_it_is,
)
