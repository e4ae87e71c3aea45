"""docs/quirks.md names tests that exist, for every row; and small tests of what no other file proves."""

from __future__ import annotations

import ast
import functools
import hashlib
import io
import re
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage
from PIL import JpegImagePlugin
from small_builds import ledger, small_build

from amp_datasets.building.api import build
from amp_datasets.errors import PluginError
from amp_datasets.filtering.settings import complete_settings
from amp_datasets.geometry import shapes as geometry
from amp_datasets.geometry.warp import Affine, Warp
from amp_datasets.model import Annotation, Category, Image, Polygon
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.variants.labels import LabelPolicy, judge
from amp_datasets.variants.maker import Planned, Refused, VariantMaker, render
from amp_datasets.variants.mirror import side_pairs
from amp_datasets.variants.recipe import CategoryRules, LabelSettings, Recipe, Step, VariantSpec
from amp_datasets.variants.steps import Original
from amp_datasets.variants.visibility import NO_HOLES

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "quirks.md"
ROWS = range(1, 47)
SIZE = (120, 90)
ROW = re.compile(r"^\| *(\d+) *\|([^|]+)\|([^|]+)\|([^|]+)\|$", re.MULTILINE)


def rows() -> dict[int, list[str]]:
    """The numbers of the table, each with the tests that it names."""
    found = ROW.findall(DOCUMENT.read_text(encoding="utf-8"))
    return {int(number): re.findall(r"`([^`]+::[^`]+)`", tests) for number, _, _, tests in found}


@functools.cache
def names_in(file: str) -> frozenset[str]:
    """The names of the tests in a file."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def test_every_row_is_answered_once() -> None:
    """No row is missing, none is there twice, and each names at least one test."""
    numbers = [int(match[0]) for match in ROW.findall(DOCUMENT.read_text(encoding="utf-8"))]
    assert numbers == list(ROWS)
    assert [number for number, tests in rows().items() if not tests] == []


@pytest.mark.parametrize("number", ROWS)
def test_named_tests_exist(number: int) -> None:
    """A row's proof can be run."""
    for name in rows()[number]:
        file, _, test = name.partition("::")
        assert (ROOT / file).is_file(), name
        assert test in names_in(file), name


def photo(seed: int = 0) -> Image:
    """A smooth image without black or white."""
    coarse = np.random.default_rng(seed).integers(60, 200, (9, 12, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, SIZE, interpolation=cv2.INTER_CUBIC).clip(40, 220), dtype=np.uint8)


def maker(*specs: VariantSpec, rules: CategoryRules | None = None, **labels: float) -> VariantMaker:
    """What makes these variants."""
    return VariantMaker(Recipe(0, specs, LabelSettings(**labels), categories=rules or CategoryRules()))  # type: ignore[arg-type]


def spec(
    name: str, *steps: tuple[str, dict[str, object]], copies: int = 1, pick: int | None = None, severity: int = 9
) -> VariantSpec:
    """A kind of variant with completed settings."""
    registry = load_registry()
    full = tuple(Step(each, complete_settings(registry.filter(each), given)) for each, given in steps)
    return VariantSpec(name, full, copies, pick, severity)


def original(*annotations: Annotation, image: Image | None = None) -> Original:
    """A source with one object in the middle, or these."""
    labels = annotations or (Annotation("cat", (45.0, 30.0, 75.0, 60.0)),)
    return Original(photo() if image is None else image, "ab" * 32, labels)


def plan(source: Original, made: VariantSpec, rules: CategoryRules | None = None) -> list[Planned | Refused]:
    """The variants of one kind."""
    return list(maker(made, rules=rules).plan_all(source))


def turn(degrees: float) -> Affine:
    """A rotation about the image's centre."""
    angle, (x, y) = np.radians(degrees), (SIZE[0] / 2, SIZE[1] / 2)
    cos, sin = np.cos(angle), np.sin(angle)
    return Affine(np.array([[cos, -sin, x - cos * x + sin * y], [sin, cos, y - sin * x - cos * y], [0, 0, 1]]))


@pytest.mark.parametrize("degrees", [5.0, 33.0, 45.0])
def test_turning_there_and_back_gives_the_box_again(degrees: float) -> None:
    """A chain is one map, and the box is taken last: nothing grows on the way."""
    label = Annotation("cat", (45.0, 30.0, 75.0, 60.0))
    there = Warp((turn(degrees),), SIZE, SIZE)
    judged = judge([label], there.then(Warp((turn(-degrees),), SIZE, SIZE)), NO_HOLES, LabelPolicy())
    assert judged.annotations[0].xyxy == pytest.approx(label.xyxy, abs=0.01)


@pytest.mark.parametrize("degrees", [-15.0, 7.0, 30.0])
def test_oriented_box_keeps_its_angle(degrees: float) -> None:
    """Four corners go along with the rotation, with their sides' lengths."""
    label = Annotation("cat", (40.0, 35.0, 80.0, 55.0), corners=geometry.rectangle((40, 35, 80, 55)))
    (moved,) = judge([label], Warp((turn(degrees),), SIZE, SIZE), NO_HOLES, LabelPolicy()).annotations
    assert moved.corners is not None
    along = moved.corners[1] - moved.corners[0]
    assert np.degrees(np.arctan2(along[1], along[0])) == pytest.approx(degrees, abs=1e-6)
    assert np.hypot(*along) == pytest.approx(40)


def test_looseness_of_corners_is_avoided() -> None:
    """At 15 degrees the box of a round object's label does not grow; that of its corners would grow by half."""
    label = Annotation("cat", (45.0, 30.0, 75.0, 60.0))
    (moved,) = judge([label], Warp((turn(15),), SIZE, SIZE), NO_HOLES, LabelPolicy()).annotations
    assert geometry.box_area(moved.xyxy) == pytest.approx(900, rel=0.01)
    (corners,) = judge([label], Warp((turn(15),), SIZE, SIZE), NO_HOLES, LabelPolicy(outline="rect")).annotations
    assert geometry.box_area(corners.xyxy) == pytest.approx(1350, rel=0.01)


def test_mirror_image_swaps_left_and_right() -> None:
    """Keypoints of a pair and categories with a side change places; twice is as before."""
    flip = Warp((Affine(np.array([[-1.0, 0, SIZE[0]], [0, 1, 0], [0, 0, 1]])),), SIZE, SIZE)
    eyes = np.array([[50.0, 40, 2], [70.0, 40, 1]])
    label = Annotation("left_hand", (45.0, 30.0, 75.0, 60.0), keypoints=eyes)
    sides, _ = side_pairs(["left_hand", "right_hand"])
    categories = {name: Category(name, flip_pairs=((0, 1),)) for name in sides}
    policy = LabelPolicy(sides=sides, categories=categories)
    (once,) = judge([label], flip, NO_HOLES, policy).annotations
    assert once.category == "right_hand"
    assert once.keypoints is not None
    assert once.keypoints.tolist() == [[50, 40, 1], [70, 40, 2]]
    (twice,) = judge([once], flip, NO_HOLES, policy).annotations
    assert twice.category == "left_hand"
    assert twice.keypoints is not None
    assert twice.keypoints.tolist() == eyes.tolist()


def test_flip_is_refused_where_a_side_has_no_counterpart() -> None:
    """A mirrored `left_turn` would be a right turn that no class names."""
    rules = CategoryRules(one_sided=("left_turn",))
    (made,) = plan(original(Annotation("left_turn", (45.0, 30.0, 75.0, 60.0))), spec("flip", ("flip", {})), rules)
    assert isinstance(made, Refused)
    assert made.reason == "a mirror image would exchange left and right"
    (turned,) = plan(original(Annotation("left_turn", (45.0, 30.0, 75.0, 60.0))), spec("r", ("rotate90", {})), rules)
    assert isinstance(turned, Planned)


def test_no_black_corners() -> None:
    """What a rotation uncovers is filled from the border; black is nowhere."""
    (made,) = plan(original(), spec("rotate", ("rotate", {"degrees": 15})))
    assert isinstance(made, Planned)
    assert render(photo(), made).min() >= 35


@pytest.mark.parametrize("order", [("rotate", "brightness"), ("brightness", "rotate")])
def test_values_change_before_corners_are_filled(order: tuple[str, str]) -> None:
    """In whatever order a mix names them, the fill has the very colour that was asked for."""
    settings: dict[str, dict[str, object]] = {
        "rotate": {"degrees": 20, "fill": [255, 0, 255]},
        "brightness": {"percent": 50},
    }
    (made,) = plan(original(), spec("mix", *((name, settings[name]) for name in order)))
    assert isinstance(made, Planned)
    image = render(photo(), made)
    assert image[0, 0].tolist() == [255, 0, 255]
    assert image[-1, -1].tolist() == [255, 0, 255]


def test_chain_is_resampled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two rotations and a crop cost the sharpness of one interpolation."""
    calls: list[str] = []
    for name in ("warpAffine", "remap"):
        real = getattr(cv2, name)
        monkeypatch.setattr(cv2, name, lambda *a, _real=real, _name=name, **k: (calls.append(_name), _real(*a, **k))[1])
    steps = (("rotate", {"degrees": 10}), ("crop", {"margin": 0.5}), ("rotate", {"degrees": 5}))
    (made,) = plan(original(), spec("mix", *steps))
    assert isinstance(made, Planned)
    calls.clear()
    render(photo(), made)
    assert calls == ["warpAffine"]


def test_copies_differ_from_the_source_and_from_each_other() -> None:
    """Twenty copies of one mix: no two of them, and none and the source, are the same image."""
    steps = (("flip", {}), ("rotate", {"degrees": [3, 15]}), ("brightness", {"percent": [5, 25]}), ("blur", {}))
    made = plan(original(), spec("mix", *steps, copies=20, pick=2))
    assert all(isinstance(each, Planned) for each in made)
    images = [photo(), *(render(photo(), each) for each in made if isinstance(each, Planned))]
    for one, other in combinations(images, 2):
        assert cv2.absdiff(one, other).mean() > 0.2


def test_shortfall_is_refused_copy_by_copy_with_its_reason() -> None:
    """There is only one mirror image: of five copies one is made, four are reported."""
    made = plan(original(), spec("flip", ("flip", {"how": "horizontal"}), copies=5))
    assert [type(each) for each in made] == [Planned, *[Refused] * 4]
    assert {each.reason for each in made if isinstance(each, Refused)} == {"the image would equal another copy"}


def test_severity_of_a_mix_is_capped() -> None:
    """Strong filters do not come together: the sum of their severities stays below the cap in every draw."""
    steps = tuple((name, {}) for name in ("canny", "elastic", "hue", "blur", "flip", "cutout"))
    limited = spec("mix", *steps, copies=60, pick=2, severity=3)
    made = [each for each in plan(original(), limited) if isinstance(each, Planned)]
    assert len(made) > 20
    sums = [sum(applied.transform.severity for applied in each.steps) for each in made]
    assert max(sums) == 3


@pytest.mark.parametrize("name", ["Mosaic", "Resize", "RandomResizedCrop", "LongestMaxSize", "CoarseDropout"])
def test_what_pastes_or_resizes_wrongly_is_refused(name: str) -> None:
    """Albumentations' own; ours keep labels exact, and `mixup`, whose labels cannot be stated, is not there."""
    registry = load_registry()
    with pytest.raises(PluginError, match="is refused"):
        registry.filter(f"albumentations.{name}")
    assert "mixup" not in registry.filters


def test_originals_are_the_very_files(tmp_path: Path) -> None:
    """Each source once, byte for byte, beside its variants; and every file can be traced by the ledger."""
    build = small_build(tmp_path, images=3)
    made = ledger(build)
    sources = {hashlib.sha256(file.read_bytes()).hexdigest() for file in (tmp_path / "set").rglob("*.jpg")}
    kept = [row for row in made if row["spec"] == "original"]
    assert len(kept) == 3
    files = [hashlib.sha256(file.read_bytes()).hexdigest() for file in (build / "images").rglob("*.jpg")]
    assert {digest: files.count(digest) for digest in sources} == dict.fromkeys(sources, 1)
    assert {row["source_id"] for row in made} == {row["source_id"] for row in kept}


@pytest.mark.parametrize(("kind", "sampling"), [("JPEG", 0), ("JPEG", 2), ("PNG", None)])
def test_variants_keep_format_and_subsampling(tmp_path: Path, kind: str, sampling: int | None) -> None:
    """PNG stays PNG; a JPEG keeps its chroma, with the quantisation tables of quality 95."""
    folder = tmp_path / "set"
    folder.mkdir()
    own = {"quality": 70, "subsampling": sampling} if kind == "JPEG" else {}
    PillowImage.effect_noise((64, 48), 90).convert("RGB").save(folder / f"a.{kind.lower()}", kind, **own)
    labels = "filename,width,height,class,xmin,ymin,xmax,ymax\n"
    (folder / "labels.csv").write_text(f"{labels}a.{kind.lower()},64,48,cat,5,6,45,36\n")
    manifest = tmp_path / "amp.yaml"
    manifest.write_text("sources: [set]\noriginals: false\nfilters: {flip: }\n")
    build(manifest, out=tmp_path / "out", jobs=1)
    (file,) = (tmp_path / "out" / "images" / "train").glob("a__flip.*")
    reference = io.BytesIO()
    PillowImage.new("RGB", (8, 8)).save(reference, "JPEG", quality=95)
    with PillowImage.open(file) as made, PillowImage.open(reference) as wanted:
        assert made.format == kind
        if kind == "JPEG":
            assert JpegImagePlugin.get_sampling(made) == sampling
            assert made.quantization == wanted.quantization


def test_card_warns_of_augmenting_twice(tmp_path: Path) -> None:
    """The card names what to turn down in the trainer."""
    text = (small_build(tmp_path, images=2) / "README.md").read_text(encoding="utf-8")
    assert "augmented already" in text
    assert "mosaic=0" in text


def test_polygon_gives_the_exact_box() -> None:
    """The box of a turned triangle is that of its turned corners, neither looser nor tighter."""
    ring = np.array([[45.0, 30], [75, 35], [50, 60]])
    label = Annotation("cat", geometry.bounds([ring]), polygons=(Polygon(ring),))
    (moved,) = judge([label], Warp((turn(25),), SIZE, SIZE), NO_HOLES, LabelPolicy()).annotations
    assert moved.xyxy == pytest.approx(geometry.bounds([turn(25)(ring)]), abs=1e-9)
