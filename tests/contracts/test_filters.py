"""The contract of a filter, held against every registered one over its own examples."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

import albumentations as A  # noqa: N812
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from amp_datasets.errors import ArgumentError, CannotApply
from amp_datasets.filtering.base import (
    Filter,
    GeometricFilter,
    HidingFilter,
    JoiningFilter,
    PixelFilter,
    SplittingFilter,
    draw,
)
from amp_datasets.filtering.joining import Scene
from amp_datasets.filtering.settings import complete_settings, create, settings_schema
from amp_datasets.plugin.discovery import load_registry

REGISTRY = load_registry()
CASES = [
    pytest.param(plugin, example, id=f"{name}-{index}")
    for name, plugin in sorted(REGISTRY.filters.items())
    for index, example in enumerate(plugin.examples)
    if not issubclass(plugin, JoiningFilter)
]
JOINING = [
    pytest.param(plugin, example, id=f"{name}-{index}")
    for name, plugin in sorted(REGISTRY.filters.items())
    for index, example in enumerate(plugin.examples)
    if issubclass(plugin, JoiningFilter)
]
GEOMETRIC = [case for case in CASES if issubclass(case.values[0], GeometricFilter)]
SIZES = [(1, 1), (1, 7), (7, 1), (10, 3), (2, 200)]
SEED = 3

every_case = pytest.mark.parametrize(("plugin", "example"), CASES)
every_geometric_case = pytest.mark.parametrize(("plugin", "example"), GEOMETRIC)
every_filter = pytest.mark.parametrize("plugin", [plugin for _, plugin in sorted(REGISTRY.filters.items())])


def make_image(width: int = 120, height: int = 90) -> np.ndarray:
    """A colourful image with gradients, edges and texture."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    waves = [128 + 90 * np.sin(x / a + y / b) for a, b in ((9, 20), (15, 7), (30, 11))]
    image = np.stack(waves, axis=2) + rng.normal(0, 12, (height, width, 3))
    image[height // 3 : height // 2, width // 4 : width // 2] = (200, 40, 90)
    return np.clip(image, 0, 255).astype(np.uint8)


BOXES = np.array([[30.0, 20, 62, 45], [50, 40, 80, 70]])


def make(plugin: type[Filter], example: dict[str, Any], seed: int = SEED) -> Any:
    """A filter with generators of its own."""
    transform = plugin(**example)
    transform.set_random_state(np.random.default_rng(seed), random.Random(seed))
    return transform


def apply(transform: Any, image: np.ndarray, choice: dict[str, Any]) -> np.ndarray:
    """The image under a recorded draw."""
    return transform.apply(image, **choice, shape=image.shape)


def recorded(transform: Any, image: np.ndarray, boxes: np.ndarray = BOXES) -> dict[str, Any]:
    """A draw as it comes back from a ledger."""
    return json.loads(json.dumps(draw(transform, image, boxes)))


def compose(transform: Any) -> A.Compose:
    """What a user of Albumentations writes around a filter."""
    composed = A.Compose(
        [transform],
        bbox_params=A.BboxParams("pascal_voc", label_fields=["ids"]),
        keypoint_params=A.KeypointParams("xy", remove_invisible=False),
    )
    composed.set_random_state(np.random.default_rng(SEED), random.Random(SEED))
    return composed


@pytest.mark.filterwarnings("ignore:Got processor for .*, but no transform to process it:UserWarning")
@every_case
def test_works_in_a_plain_compose_with_all_targets(plugin: type[Filter], example: dict[str, Any]) -> None:
    """Image, mask, boxes and keypoints go through `A.Compose` and come out in agreement about the size."""
    image = make_image()
    mask = np.zeros(image.shape[:2], np.uint8)
    mask[20:45, 30:62] = 7
    result = compose(make(plugin, example))(
        image=image, mask=mask, bboxes=BOXES, ids=[1, 2], keypoints=np.array([[40.0, 30], [60, 50]])
    )
    assert result["image"].dtype == np.uint8
    assert result["image"].shape[:2] == result["mask"].shape
    assert result["mask"].dtype == np.uint8
    assert set(np.unique(result["mask"])) <= {0, 7}
    assert len(result["bboxes"]) == len(result["ids"]) <= 2
    assert len(result["keypoints"]) == 2
    if issubclass(plugin, PixelFilter):
        np.testing.assert_array_equal(result["mask"], mask)
        np.testing.assert_allclose(result["bboxes"], BOXES, atol=1e-4)


@every_case
def test_round_trips_through_json(plugin: type[Filter], example: dict[str, Any]) -> None:
    """`A.to_dict`, as JSON, brings back a filter with the same settings and the same results."""
    first = make(plugin, example)
    saved = json.loads(json.dumps(A.to_dict(first)))
    second = A.from_dict(saved)
    second.set_random_state(np.random.default_rng(SEED), random.Random(SEED))
    assert type(second) is plugin
    assert json.loads(json.dumps(A.to_dict(second))) == saved
    image = make_image()
    np.testing.assert_array_equal(
        apply(second, image, draw(second, image, BOXES)), apply(first, image, draw(first, image, BOXES))
    )


@every_case
def test_recorded_draw_rebuilds_the_image(plugin: type[Filter], example: dict[str, Any]) -> None:
    """A draw is JSON, holds nothing that was not chosen, and is all that an image depends on."""
    image = make_image()
    transform = make(plugin, example)
    choice = draw(transform, image, BOXES)
    loaded = json.loads(json.dumps(choice))
    assert not {"shape", "fill", "interpolation"} & set(choice)
    other = make(plugin, example, seed=99)
    np.testing.assert_array_equal(apply(other, image, loaded), apply(transform, image, choice))


@every_case
def test_same_generators_give_the_same_draw(plugin: type[Filter], example: dict[str, Any]) -> None:
    """Nothing but the two generators decides, and `apply` takes nothing from them."""
    image = make_image()
    first, second = make(plugin, example), make(plugin, example)
    choices = [draw(first, image, BOXES)]
    apply(first, image, choices[0])
    choices.append(draw(first, image, BOXES))
    assert choices == [draw(second, image, BOXES), draw(second, image, BOXES)]


@every_case
def test_input_stays_untouched(plugin: type[Filter], example: dict[str, Any]) -> None:
    """A read-only image goes in; what comes out is another one: contiguous, 8 bits, three channels."""
    image = make_image()
    image.setflags(write=False)
    transform = make(plugin, example)
    result = apply(transform, image, draw(transform, image, BOXES))
    assert not np.shares_memory(result, image)
    assert result.dtype == np.uint8
    assert result.ndim == 3
    assert result.shape[2] == 3
    assert result.flags.c_contiguous


@every_case
def test_every_example_changes_the_image(plugin: type[Filter], example: dict[str, Any]) -> None:
    """No example, and so no default, draws the identity: a visible share of the values moves visibly."""
    image = make_image()
    for seed in range(5):
        transform = make(plugin, example, seed)
        result = apply(transform, image, draw(transform, image, BOXES))
        if result.shape == image.shape:
            assert np.abs(result.astype(int) - image).mean() > 0.5


@every_geometric_case
def test_point_map_follows_the_pixels(plugin: type[Filter], example: dict[str, Any]) -> None:
    """A red disc is found again, by its pixels, where the point map says that its centre went."""
    transform = make(plugin, example)
    size, boxes = (240, 180), np.array([[60.0, 50, 190, 140]])
    choice = recorded(transform, make_image(*size), boxes)
    warp = transform.warp(size, **choice)
    centres = [(100.0, 80.0), (125.5, 95.0), (150.0, 110.0)]
    if issubclass(plugin, SplittingFilter):  # a piece need not show them
        x, y = warp.back(np.array(warp.size)[None] / 2)[0]
        centres = [(float(x), float(y)), (x + 1.5, y - 2.25)]
    for centre in centres:
        disc = warped_disc(size, centre)
        found = centroid(apply(transform, disc, choice))
        expected = warp(np.array([centre]))[0] if warp.affine is not None else mean_place(warp, size, disc)
        assert np.abs(found - expected).max() < 0.1, (found, expected)


def warped_disc(size: tuple[int, int], centre: tuple[float, float]) -> np.ndarray:
    """A soft red disc on black; its centroid, weighed by redness, is its centre in edge coordinates."""
    y, x = np.mgrid[: size[1], : size[0]] + 0.5
    value = 250 * np.clip(6 - np.hypot(x - centre[0], y - centre[1]), 0, 1)
    return np.stack([np.rint(value), np.zeros_like(value), np.zeros_like(value)], axis=2).astype(np.uint8)


def centroid(image: np.ndarray) -> np.ndarray:
    """The centre of redness in edge coordinates; a grey fill has none."""
    weight = image[:, :, 0].astype(float) - image[:, :, 1]
    y, x = np.mgrid[: image.shape[0], : image.shape[1]] + 0.5
    return np.array([(weight * x).sum(), (weight * y).sum()]) / weight.sum()


def mean_place(warp: Any, size: tuple[int, int], disc: np.ndarray) -> np.ndarray:
    """Where the disc's points go on average, each weighed by the area that the map gives it: a bent disc is no disc."""
    y, x = np.nonzero(disc[:, :, 0])
    points = np.stack([x, y], axis=1) + 0.5
    step = 1e-3
    dx, dy = (warp(points + offset) - warp(points - offset) for offset in ((step, 0), (0, step)))
    area = np.abs(dx[:, 0] * dy[:, 1] - dx[:, 1] * dy[:, 0])
    weight = disc[y, x, 0] * area
    return (warp(points) * weight[:, None]).sum(axis=0) / weight.sum()


@every_geometric_case
@given(points=hnp.arrays(np.float64, (5, 2), elements=st.floats(5, 85)))
def test_warp_and_back_is_identity(plugin: type[Filter], example: dict[str, Any], points: np.ndarray) -> None:
    """The two directions of a point map undo each other to 1e-5 px."""
    transform = make(plugin, example)
    warp = transform.warp((120, 90), **recorded(transform, make_image()))
    assert np.abs(warp.back(warp(points)) - points).max() < 1e-5
    assert np.abs(warp(warp.back(points)) - points).max() < 1e-5


@every_geometric_case
def test_warp_states_the_size_of_the_image(plugin: type[Filter], example: dict[str, Any]) -> None:
    """The map's new size is the size of the image that comes out."""
    transform = make(plugin, example)
    image = make_image()
    choice = recorded(transform, image)
    warp = transform.warp((120, 90), **choice)
    assert warp.size_in == (120, 90)
    assert apply(transform, image, choice).shape[1::-1] == warp.size


@every_case
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_tiny_images_work_or_are_refused(plugin: type[Filter], example: dict[str, Any], size: tuple[int, int]) -> None:
    """The smallest images give an image or a CannotApply that says what to do, never a crash."""
    image = make_image(*size)
    boxes = np.array([[0.0, 0, min(1, size[0]), min(1, size[1])]])
    transform = make(plugin, example)
    try:
        result = apply(transform, image, draw(transform, image, boxes))
    except CannotApply as error:
        refusal = error
    else:
        refusal = None
    if refusal is not None:
        assert refusal.fix
        return
    assert result.shape[2] == 3
    assert result.dtype == np.uint8
    assert isinstance(transform, GeometricFilter) or result.shape == image.shape


@every_filter
def test_wrong_settings_are_refused_by_name(plugin: type[Filter]) -> None:
    """Each setting refuses a value of a wrong kind or far out of bounds, and the message names it."""
    settings = [name for name in plugin.InitSchema.model_fields if name not in ("p", "strict")]
    for name in settings:
        for wrong in (-1e9, 1e9, float("nan"), "nonsense", None, [1e9, -1e9], []):
            with pytest.raises(ArgumentError, match=name):
                plugin(**{name: wrong})


@every_filter
def test_pairs_must_be_in_order(plugin: type[Filter]) -> None:
    """A range given as [high, low] is a mistake, not a range."""
    for example in plugin.examples:
        for name, value in example.items():
            if isinstance(value, tuple) and len(value) == 2 and value[0] < value[1] and name not in {"degrees", "size"}:
                with pytest.raises(ValueError, match=name):
                    plugin(**{**example, name: value[::-1]})


@every_filter
def test_defaults_are_complete(plugin: type[Filter]) -> None:
    """A filter can be named without settings, and its defaults pass its own schema and come through a manifest."""
    completed = json.loads(json.dumps(complete_settings(plugin, {})))
    assert A.to_dict(create(REGISTRY.filter(plugin.name), completed)) == A.to_dict(plugin())
    assert settings_schema(plugin)["properties"].keys() == completed.keys()


@every_filter
def test_filter_is_documented_and_named_after_its_file(plugin: type[Filter]) -> None:
    """Class and schema say what they are; `name` is the file's, so that a reader finds one from the other."""
    assert plugin.__doc__
    assert plugin.InitSchema.__doc__
    assert plugin.examples
    assert plugin.severity in (1, 2, 3)
    assert Path(str(sys.modules[plugin.__module__].__file__)).stem == plugin.name
    assert issubclass(plugin, PixelFilter | GeometricFilter | HidingFilter | JoiningFilter)
    assert A.to_dict(plugin())["transform"]["__class_fullname__"] == f"amp_datasets.{plugin.__name__}"


@pytest.mark.parametrize(("plugin", "example"), JOINING)
def test_joining_filters_draw_json_and_place_by_it(plugin: type[JoiningFilter], example: dict[str, Any]) -> None:
    """The same generators give the same draw, a recorded draw the same placements, and settings survive as JSON."""
    sizes = [(120, 90), (60, 200), (300, 100), (90, 90)]
    scenes = [Scene(size, BOXES / 4 + 1, np.array([True, True])) for size in sizes[: plugin(**example).partners + 1]]
    first, second = make(plugin, example), make(plugin, example)
    choice = first.draw_for(scenes)
    assert choice == second.draw_for(scenes)
    loaded = json.loads(json.dumps(choice))
    size, placements = first.place([scene.size for scene in scenes], **loaded)
    again, others = make(plugin, example, seed=99).place([scene.size for scene in scenes], **choice)
    assert size == again == sizes[0]
    assert {placement.image for placement in placements} == set(range(len(scenes)))
    for one, other in zip(placements, others, strict=True):
        np.testing.assert_array_equal(one.warp(BOXES[:, :2].copy()), other.warp(BOXES[:, :2].copy()))
        assert one.warp.size == size
        assert one.window == other.window
    saved = json.loads(json.dumps(A.to_dict(first)))
    assert json.loads(json.dumps(A.to_dict(A.from_dict(saved)))) == saved


@pytest.mark.parametrize(("plugin", "example"), JOINING)
def test_joining_filters_refuse_a_plain_compose(plugin: type[JoiningFilter], example: dict[str, Any]) -> None:
    """There are no other images, and the message says where there are."""
    with pytest.raises(CannotApply, match="needs other images") as caught:
        compose(make(plugin, example))(image=make_image(), bboxes=BOXES, ids=[1, 2])
    assert caught.value.fix
