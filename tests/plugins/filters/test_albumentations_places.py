"""That a transform of Albumentations changes values only is proven for each one that is accepted, never assumed.

Three proofs, of which each transform has one: it is *local* (a pixel depends on no other), it goes *by colour* (pixels
may change places before or after, so places play no role), or the *edge* of a painted disc stays where it was, over the
range of its settings: the centre within half a pixel, IoU at least 0.97.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from oracle.movement import COLOURS, Pixels, painted, worst

from amp_datasets.filtering.base import PixelFilter, draw
from amp_datasets.filtering.settings import SettingsError, complete_settings, create
from amp_datasets.plugin.discovery import load_registry

FAMILY = load_registry().families["albumentations"]
VALUES = sorted(name for name in FAMILY.names() if issubclass(FAMILY.resolve(name), PixelFilter))
NO_BOXES = np.zeros((0, 4))

LOCAL: dict[str, list[dict[str, Any]]] = {
    "AdditiveNoise": [{}, {"noise_type": "gaussian", "noise_params": {"mean_range": [0, 0], "std_range": [0.5, 0.5]}}],
    "ChannelDropout": [{}],
    "ChannelShuffle": [{}],
    "GaussNoise": [{}, {"std_range": [1, 1]}],
    "HEStain": [{}],
    "HueSaturationValue": [{}, {"hue_shift_limit": 180, "sat_shift_limit": 255, "val_shift_limit": 255}],
    "Illumination": [{}, {"mode": "corner"}, {"mode": "gaussian", "intensity_range": [0.2, 0.2]}],
    "InvertImg": [{}],
    "MultiplicativeNoise": [{}, {"multiplier": [0.1, 3], "per_channel": True, "elementwise": True}],
    "PlanckianJitter": [{}, {"mode": "cied"}],
    "PlasmaShadow": [{}, {"shadow_intensity_range": [1, 1]}],
    "Posterize": [{}, {"num_bits": 1}],
    "RGBShift": [{}, {"r_shift_limit": 255}],
    "RandomBrightnessContrast": [{}, {"brightness_limit": 1, "contrast_limit": 1}],
    "RandomGamma": [{}, {"gamma_limit": [10, 400]}],
    "RandomGravel": [{}, {"number_of_patches": 9}],
    "RandomRain": [{}, {"rain_type": "torrential", "slant_range": [-20, 20], "drop_width": 5, "blur_value": 15}],
    "RandomShadow": [{}, {"num_shadows_limit": [5, 5], "shadow_intensity_range": [1, 1]}],
    "RandomSnow": [{}, {"method": "texture", "snow_point_range": [0.9, 0.9]}],
    "RandomSunFlare": [{}, {"method": "physics_based", "src_radius": 200}],
    "RandomToneCurve": [{}, {"scale": 1}],
    "SaltAndPepper": [{}, {"amount": [0.9, 0.9]}],
    "Solarize": [{}],
    "Spatter": [{}, {"mode": "mud"}],
    "ToSepia": [{}],
}
BY_COLOUR: dict[str, list[dict[str, Any]]] = {
    "AutoContrast": [{}, {"cutoff": 20}],
    "Equalize": [{}, {"by_channels": False}],
    "FancyPCA": [{}, {"alpha": 1}],
    "ToGray": [{}, {"method": "pca"}],
}
EDGE: dict[str, list[dict[str, Any]]] = {
    "AdvancedBlur": [
        {},
        {"blur_limit": [31, 31], "sigma_x_limit": [8, 8], "sigma_y_limit": [4, 8], "noise_limit": [0.5, 1.5]},
    ],
    "Blur": [{}, {"blur_limit": [31, 31]}],
    "CLAHE": [{}, {"clip_limit": [40, 40], "tile_grid_size": [2, 2]}],
    "ColorJitter": [{}, {"brightness": [1, 1], "contrast": [3, 3], "saturation": [3, 3], "hue": [0.5, 0.5]}],
    "Defocus": [{}, {"radius": [15, 15], "alias_blur": [1, 1]}],
    "GaussianBlur": [{}, {"sigma_limit": [12, 12]}],
    "ISONoise": [{}, {"intensity": [1, 1], "color_shift": [0.5, 0.5]}],
    "ImageCompression": [{}, {"quality_range": [5, 5]}, {"quality_range": [5, 5], "compression_type": "webp"}],
    "MedianBlur": [{}, {"blur_limit": [31, 31]}],
    "MotionBlur": [{}, {"blur_limit": [31, 31]}, {"blur_limit": [3, 31]}],
    "PlasmaBrightnessContrast": [{}, {"brightness_range": [-0.5, 0.5], "contrast_range": [-0.5, 0.5]}],
    "RandomFog": [{}, {"fog_coef_range": [0.5, 0.5], "alpha_coef": 0.1}],
    "RingingOvershoot": [{}, {"blur_limit": [31, 31], "cutoff": [0.1, 0.1]}],
    "Sharpen": [{}, {"alpha": [1, 1], "lightness": [1, 1]}],
    "ShotNoise": [{}, {"scale_range": [0.5, 0.5]}],
    "UnsharpMask": [{}, {"blur_limit": [31, 31], "alpha": [1, 1], "threshold": 0}],
}


def cases(table: dict[str, list[dict[str, Any]]]) -> list[Any]:
    """Each transform with its shown example, and with its most extreme settings."""
    return [pytest.param(name, given, id=f"{name}-{n}") for name, s in table.items() for n, given in enumerate(s)]


def make(name: str, settings: dict[str, Any]) -> Any:
    """The transform of a manifest; `settings` are laid over its example."""
    plugin = FAMILY.resolve(name)
    return create(plugin, complete_settings(plugin, {**plugin.examples[0], **settings}))


def drawn(transform: Any, image: Pixels, seed: int) -> dict[str, Any]:
    """What it chooses for an image, by generators of its own."""
    transform.set_random_state(np.random.default_rng(seed), random.Random(seed))
    return draw(transform, image, NO_BOXES)


def test_each_transform_is_proven_once() -> None:
    """None that is accepted is without proof, and no proof is left of one that is not."""
    assert sorted([*LOCAL, *BY_COLOUR, *EDGE]) == VALUES


@pytest.mark.parametrize(("name", "settings"), cases(LOCAL))
def test_a_pixel_depends_on_no_other(name: str, settings: dict[str, Any]) -> None:
    """With one draw, an image with a disc and one without become the same outside the disc, to the last bit."""
    transform = make(name, settings)
    for seed, colours in enumerate(COLOURS):
        with_disc, without = painted(colours), painted((colours[1], colours[1]))
        chosen = drawn(transform, with_disc, seed)
        first, second = (transform.apply(each, **chosen, shape=each.shape) for each in (with_disc, without))
        same = (with_disc == without).all(axis=2)
        assert 0.4 < same.mean() < 0.9
        np.testing.assert_array_equal(first[same], second[same])


@pytest.mark.parametrize(("name", "settings"), cases(BY_COLOUR))
def test_places_play_no_role(name: str, settings: dict[str, Any]) -> None:
    """Pixels that change places before the transform or after it give the same image."""
    transform, image = make(name, settings), painted(COLOURS[0])
    chosen = drawn(transform, image, 0)
    order = np.random.default_rng(0).permutation(image.shape[0] * image.shape[1])

    def shuffled(pixels: Pixels) -> Pixels:
        return np.ascontiguousarray(pixels.reshape(-1, 3)[order].reshape(image.shape))

    before = transform.apply(shuffled(image), **chosen, shape=image.shape)
    np.testing.assert_array_equal(before, shuffled(transform.apply(image, **chosen, shape=image.shape)))


def moved(name: str, settings: dict[str, Any], draws: int = 4) -> tuple[float, float]:
    """How far a disc's centre is off at worst, and the least IoU of what is seen of it."""
    transform = make(name, settings)

    def apply(image: Pixels, seed: int) -> Pixels:
        result: Pixels = transform.apply(image, **drawn(transform, image, seed), shape=image.shape)
        return result

    centre, iou, seen = worst(apply, draws)
    assert seen > 0.5
    return centre, iou


@pytest.mark.parametrize(("name", "settings"), cases(EDGE))
def test_edges_stay_where_they_are(name: str, settings: dict[str, Any]) -> None:
    """A painted disc is found where it was."""
    centre, iou = moved(name, settings)
    assert centre < 0.5
    assert iou >= 0.97


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("MotionBlur", {"allow_shifted": True}),
        ("MotionBlur", {"direction_range": [-1, 1]}),
        ("RandomFog", {"fog_coef_range": [0.3, 1]}),
        ("Sharpen", {"method": "gaussian"}),
        ("GaussianBlur", {"sigma_limit": [1, 20]}),
        ("ImageCompression", {"quality_range": [1, 10]}),
    ],
)
def test_beyond_the_bounds_is_an_error(name: str, settings: dict[str, Any]) -> None:
    """Settings under which objects move are refused in a manifest, with the setting and the reason."""
    plugin = FAMILY.resolve(name)
    with pytest.raises(SettingsError) as caught:
        complete_settings(plugin, {**plugin.examples[0], **settings})
    (problem,) = caught.value.problems
    assert problem.name in settings
    assert problem.what.startswith("must be ")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda image, _: np.roll(image, 1, axis=1),
        lambda image, _: np.roll(image, (-1, 1), axis=(0, 1)),
    ],
)
def test_the_oracle_sees_a_shift_of_a_pixel(spoil: Any) -> None:
    """What the proofs judge by notices an image that lies one pixel beside itself."""
    centre, _, seen = worst(spoil, 1)
    assert seen == 1
    assert centre > 0.9
