"""Every transform that Albumentations exports is either usable with right labels or refused with a reason."""

from __future__ import annotations

import inspect
import json
import random
import warnings
from typing import Any

import albumentations as A  # noqa: N812
import numpy as np
import pytest

from amp_datasets.errors import ArgumentError, CannotApply, PluginError
from amp_datasets.filtering.base import GeometricFilter, PixelFilter, draw
from amp_datasets.filtering.settings import complete_settings, create, settings_schema
from amp_datasets.plugin.discovery import load_registry

REGISTRY = load_registry()
FAMILY = REGISTRY.families["albumentations"]
EXPORTED = sorted(n for n, v in vars(A).items() if inspect.isclass(v) and issubclass(v, A.BasicTransform))
USABLE = sorted(FAMILY.names())
GEOMETRIC = [name for name in USABLE if issubclass(FAMILY.resolve(name), GeometricFilter)]
VALUES = [name for name in USABLE if name not in GEOMETRIC]
IMAGE = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
BOXES = np.array([[8.0, 10, 30, 40]])
ARGUMENTS: dict[str, dict[str, Any]] = {
    "Pad": {"padding": (3, 5, 7, 9), "fill": (10, 20, 30)},
    "PadIfNeeded": {"min_height": 60, "min_width": 100, "border_mode": 1},
    "Crop": {"x_min": 5, "y_min": 7, "x_max": 40, "y_max": 30},
}


def make(name: str, seed: int = 0, **settings: Any) -> Any:
    """A transform of the family, by the road that a manifest takes."""
    plugin = REGISTRY.filter(f"albumentations.{name}")
    given = settings or ARGUMENTS.get(name, plugin.examples[0])
    completed = json.loads(json.dumps(complete_settings(plugin, json.loads(json.dumps(given)))))
    transform = create(REGISTRY.filter(f"albumentations.{name}"), completed)
    transform.set_random_state(np.random.default_rng(seed), random.Random(seed))
    return transform


def original(name: str) -> A.BasicTransform:
    """The library's own transform with the settings of the example and the same generators."""
    transform = getattr(A, name)(p=1, **FAMILY.resolve(name).examples[0])
    transform.set_random_state(np.random.default_rng(0), random.Random(0))
    return transform


@pytest.mark.parametrize("name", EXPORTED)
def test_none_is_forgotten(name: str) -> None:
    """Usable, or refused with what is wrong and what to use instead."""
    if name in USABLE:
        assert issubclass(FAMILY.resolve(name), PixelFilter | GeometricFilter)
        return
    with pytest.raises(PluginError, match=f"`albumentations.{name}` is refused: it") as caught:
        REGISTRY.filter(f"albumentations.{name}")
    assert caught.value.fix


def test_geometry_is_usable_only_where_it_moves_whole_pixels() -> None:
    """The list of trusted geometric transforms is short and closed; all else that moves labels is refused."""
    exact = (
        "AtLeastOneBBoxRandomCrop BBoxSafeRandomCrop CenterCrop Crop D4 HorizontalFlip Pad PadIfNeeded RandomCrop "
        "RandomCropFromBorders RandomRotate90 SquareSymmetry Transpose VerticalFlip"
    )
    assert " ".join(GEOMETRIC) == exact
    assert all(issubclass(getattr(A, name), A.ImageOnlyTransform) for name in VALUES)


@pytest.mark.parametrize("name", VALUES)
def test_values_keep_shape_and_equal_the_library(name: str) -> None:
    """A pixel transform with default settings gives the library's own image, size and type; the source stays."""
    image = IMAGE.copy()
    image.setflags(write=False)
    transform = make(name)
    choice = draw(transform, image, BOXES)
    assert "shape" not in choice
    result = transform.apply(image, **choice, shape=image.shape)
    assert (result.shape, result.dtype) == (IMAGE.shape, np.uint8)
    np.testing.assert_array_equal(image, IMAGE)
    np.testing.assert_array_equal(result, original(name)(image=IMAGE)["image"])


@pytest.mark.parametrize("name", VALUES)
def test_values_apply_is_pure(name: str) -> None:
    """All chance is in the draw: applying it twice gives the same image."""
    transform = make(name)
    choice = draw(transform, IMAGE, BOXES)
    first = transform.apply(IMAGE, **choice, shape=IMAGE.shape)
    np.testing.assert_array_equal(transform.apply(IMAGE, **choice, shape=IMAGE.shape), first)


@pytest.mark.parametrize("name", GEOMETRIC)
@pytest.mark.parametrize("seed", range(8))
def test_warp_is_what_the_library_does_to_pixels(name: str, seed: int) -> None:
    """The map read off three keypoints moves every pixel as the transform itself does, value by value."""
    transform = make(name, seed)
    choice = draw(transform, IMAGE, BOXES)
    json.dumps(choice)
    parameters = transform.update_transform_params(dict(choice), {"image": IMAGE})
    expected = getattr(A, name).apply(transform, IMAGE, **parameters)
    result = transform.apply(IMAGE, **choice, shape=IMAGE.shape)
    np.testing.assert_array_equal(result, expected)
    warp = transform.warp((64, 48), **choice, shape=IMAGE.shape)
    assert warp.size == (expected.shape[1], expected.shape[0])


@pytest.mark.parametrize("name", USABLE)
def test_runs_in_compose_and_round_trips(name: str) -> None:
    """In a plain Compose with boxes, and back from JSON, under a name of its own."""
    first = make(name)
    saved = json.loads(json.dumps(A.to_dict(first)))
    assert saved["transform"]["__class_fullname__"] == f"amp_datasets.albumentations.{name}"
    second = A.from_dict(saved)
    assert type(second) is type(first)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Got processor for")
        composed = A.Compose([second], bbox_params=A.BboxParams("pascal_voc", label_fields=["ids"]))
        result = composed(image=IMAGE, bboxes=BOXES, ids=[1])
    assert result["image"].dtype == np.uint8


@pytest.mark.parametrize("name", USABLE)
def test_is_described_and_always_applied(name: str) -> None:
    """One paragraph of documentation, a JSON Schema with the library's settings, and p = 1 unless told otherwise."""
    plugin = REGISTRY.filter(f"albumentations.{name}")
    assert plugin is REGISTRY.filter(f"albumentations.{name}")
    assert plugin.name == f"albumentations.{name}"
    assert plugin.__doc__
    assert "\n\n" not in plugin.__doc__
    schema = settings_schema(plugin)
    assert "p" not in schema["properties"]
    assert json.dumps(schema)
    assert plugin(**plugin.examples[0]).p == 1.0


def test_mistyped_name_suggests_the_nearest() -> None:
    """As everywhere in a manifest."""
    with pytest.raises(PluginError) as caught:
        REGISTRY.filter("albumentations.Clahe")
    assert "did you mean `albumentations.CLAHE`?" in str(caught.value.fix)
    with pytest.raises(PluginError, match="`Qqqqq` is not a transform of Albumentations"):
        REGISTRY.filter("albumentations.Qqqqq")


def test_unknown_setting_is_an_error() -> None:
    """The library would warn and take its default instead."""
    with pytest.raises(ArgumentError, match=r"`clip_limits`: `albumentations.CLAHE` has no such setting") as caught:
        FAMILY.resolve("CLAHE")(clip_limits=3)
    assert "did you mean `clip_limit`?" in str(caught.value.fix)


def test_wrong_value_is_an_error() -> None:
    """The library's own schema speaks."""
    with pytest.raises(ValueError, match="clip_limit"):
        FAMILY.resolve("CLAHE")(clip_limit=-3)


@pytest.mark.parametrize(("name", "mode"), [("Pad", 2), ("PadIfNeeded", 4), ("RandomCrop", 3)])
def test_mirror_images_at_the_border_are_refused(name: str, mode: int) -> None:
    """A reflected or wrapped border shows objects that have no label."""
    settings = {"height": 9, "width": 9} if name == "RandomCrop" else {}
    with pytest.raises(PluginError, match="must not fill with mirror images"):
        FAMILY.resolve(name)(border_mode=mode, **settings)


def test_crop_larger_than_the_image_is_a_reason() -> None:
    """What the library raises in its own words becomes a reason to count."""
    for name in ("RandomCrop", "CenterCrop"):
        with pytest.raises(CannotApply):
            draw(make(name, height=100, width=100), IMAGE, BOXES)
    transform = make("Crop", x_max=100, y_max=100)
    choice = draw(transform, IMAGE, BOXES)
    with pytest.raises(CannotApply):
        transform.warp((64, 48), **choice)


def test_box_moves_with_the_crop() -> None:
    """Boxes come from our point map, not from the library."""
    composed = A.Compose(
        [make("Crop", x_min=5, y_min=7, x_max=40, y_max=45)],
        bbox_params=A.BboxParams("pascal_voc", label_fields=["ids"]),
        keypoint_params=A.KeypointParams("xy"),
    )
    result = composed(image=IMAGE, bboxes=BOXES, ids=[1], keypoints=[(20, 20)])
    np.testing.assert_allclose(result["bboxes"], [(3, 3, 25, 33)], atol=1e-4)
    np.testing.assert_allclose(result["keypoints"], [(15, 13)], atol=1e-4)
