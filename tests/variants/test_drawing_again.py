"""When a draw is taken, drawn again, or given up: judged where the change is, and by what was drawn anew."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from oracle.scenes import Scene, paint
from oracle.survey import REGISTRY, plans, step

from amp_datasets.geometry import shapes as geometry
from amp_datasets.model import Annotation, Polygon
from amp_datasets.variants.maker import Planned, Refused, VariantMaker
from amp_datasets.variants.recipe import LabelSettings, Recipe, Step, VariantSpec
from amp_datasets.variants.steps import Original

TURN = step("rotate", degrees=20, direction="clockwise", fill=(0, 0, 0))
CASES: dict[str, list[Step]] = {
    "alone": [TURN],
    "with a fixed hue": [TURN, step("hue", degrees=40)],
    "with a drawn hue": [TURN, step("hue", degrees=[20, 60])],
    "with noise": [TURN, step("noise", amount=0.02)],
    "with brightness": [TURN, step("brightness", percent=[10, 40], mode="both")],
}


@pytest.mark.parametrize("name", CASES)
def test_a_fixed_turn_is_made_whatever_else_is_drawn(name: str) -> None:
    """Values that are drawn anew do not change what a fixed turn cuts: it keeps its label, and is counted."""
    corner, middle = geometry.rectangle((4.0, 4.0, 34.0, 34.0)), geometry.rectangle((90.0, 60.0, 120.0, 90.0))
    scene = paint("corner", (200, 150), [("convex", (corner,)), ("convex", (middle,))])
    (planned,) = plans(scene, [VariantSpec("mix", tuple(CASES[name]))])
    assert isinstance(planned, Planned)
    assert planned.judged.partial == 1


def photograph(width: int = 4000, height: int = 3000) -> Original:
    """Twelve megapixels, smooth but for fine texture at one place, and an object there."""
    ramp = np.linspace(60, 180, width, dtype=np.float32)[None].repeat(height, axis=0)
    image = np.dstack([ramp, ramp[:, ::-1], np.full_like(ramp, 90)]).astype(np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, (400, 400, 3), dtype=np.uint8)
    image[1200:1600, 2200:2600] = cv2.GaussianBlur(noise, (0, 0), 1)
    image[1250:1550, 2280:2290] = 255
    box = (2200.0, 1200.0, 2600.0, 1600.0)
    return Original(image, "e" * 64, (Annotation("a", box, polygons=(Polygon(geometry.rectangle(box)),)),))


@pytest.mark.parametrize(
    ("steps", "made"),
    [
        (step("blur", sigma=1.5), True),
        (step("cutout", count=1, percent=1), True),
        (step("albumentations.RGBShift", r_shift_limit=0, g_shift_limit=0, b_shift_limit=0), False),
    ],
    ids=["blur", "cutout", "nothing"],
)
def test_a_change_is_looked_for_where_it_is(steps: Step, made: bool) -> None:
    """A blur of 12 megapixels, invisible in any thumbnail, is a change; so is a small hole; nothing is none."""
    recipe = Recipe(1, (VariantSpec("one", (steps,)),))
    (planned,) = VariantMaker(recipe, REGISTRY).plan_all(photograph())
    assert isinstance(planned, Planned) == made
    if isinstance(planned, Refused):
        assert planned.reason == "the image would not change"


def crowd(count: int) -> Original:
    """A scene of that many small objects, side by side, also along the edges."""
    columns = int(np.ceil(np.sqrt(count * 4 / 3)))
    cell = 24
    image = np.full((cell * -(-count // columns), cell * columns, 3), 60, np.uint8)
    labels = []
    for number in range(count):
        x, y = number % columns * cell + 2.0, number // columns * cell + 2.0
        box = (x, y, x + 18, y + 16)
        image[int(y) : int(y) + 16, int(x) : int(x) + 18] = (40 * number % 256, 200, number % 251)
        labels.append(Annotation("seed", box, polygons=(Polygon(geometry.rectangle(box)),)))
    return Original(image, "d" * 64, tuple(labels))


@pytest.mark.parametrize("count", [150, 400])
@pytest.mark.parametrize(
    "chain",
    [[step("rotate", degrees=[5, 15], fill=(0, 0, 0))], [step("crop", margin=8.0, around="one")]],
    ids=["turn", "crop"],
)
def test_a_crowd_gets_its_variants(count: int, chain: list[Any]) -> None:
    """Of hundreds of objects some are always cut: up to one in twenty keeps its label, and is counted."""
    recipe = Recipe(1, (VariantSpec("one", tuple(chain), copies=5),))
    made = [p for p in VariantMaker(recipe, REGISTRY).plan_all(crowd(count)) if isinstance(p, Planned)]
    assert len(made) == 5
    assert all(p.judged.partial <= count // 20 for p in made)


def few(cut: float) -> Scene:
    """Two things, one of which a window cuts to that share."""
    left = geometry.rectangle((10.0, 10.0, 110.0, 60.0))
    return paint(f"few {cut}", (300, 120), [("convex", (left,)), ("convex", (left + np.array([150, 0]),))])


def test_a_refusal_says_which_settings_help() -> None:
    """Where too much is in between at every draw, the reason names the two thresholds."""
    window = step("albumentations.Crop", x_min=85, x_max=300, y_min=0, y_max=120)
    (refused,) = plans(few(0.25), [VariantSpec("cut", (window, step("rotate", degrees=[0.1, 0.11])))])
    assert isinstance(refused, Refused)
    assert "labels.min_visibility" in refused.detail
    assert "labels.drop_below" in refused.detail


def test_one_of_few_objects_is_still_drawn_again() -> None:
    """The rule for crowds does not weaken that for ordinary images."""
    assert LabelSettings().attempts == 10
    scene = few(0.25)
    for planned in plans(scene, [VariantSpec("crop", (step("rotate", degrees=[5, 30], fill=(0, 0, 0)),), copies=5)]):
        assert isinstance(planned, Refused) or planned.judged.partial == 0
