"""What Roboflow says of a version becomes a manifest that builds; what has no equal is said; its licence stays."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from small_builds import ledger, write_set
from typer.testing import CliRunner

import amp_datasets as amp
from amp_datasets.building.api import build
from amp_datasets.cli import app
from amp_datasets.errors import AmpError, ManifestError
from amp_datasets.interface.starter import init
from amp_datasets.ledger.verify import verify
from amp_datasets.manifest.load import load_manifest
from amp_datasets.manifest.model import Labels, Manifest
from amp_datasets.manifest.roboflow.settings import read_settings
from amp_datasets.manifest.roboflow.translation import CONTROLS, MAX_BOX_ROTATION, translate
from amp_datasets.manifest.roboflow.writing import written_recipe
from amp_datasets.plugin.discovery import load_registry

ALL: dict[str, dict[str, Any]] = {
    "preprocessing": {
        "auto-orient": True,
        "isolate": False,
        "static-crop": {"x_min": 2, "x_max": 98, "y_min": 0, "y_max": 97},
        "tile": {"rows": 1, "columns": 2},
        "resize": {"width": 48, "height": 48, "format": "Fit (black edges) in"},
        "grayscale": True,
        "contrast": {"type": "Contrast Stretching"},
        "remap": {"drum": "percussion"},
        "filter-null": {"percent": 50},
        "tag": {"blurred": "exclude"},
    },
    "augmentation": {
        "bbblur": {"pixels": 1.5},
        "bbbrightness": {"brighten": True, "darken": False, "percent": 30},
        "bbcrop": {"min": 5, "max": 20},
        "bbexposure": {"percent": 30},
        "bbflip": {"horizontal": True, "vertical": True},
        "bbninety": {"clockwise": True, "counter-clockwise": False, "upside-down": False},
        "bbnoise": {"percent": 5},
        "bbrotate": {"degrees": 15},
        "bbshear": {"horizontal": 5, "vertical": 5},
        "blur": {"pixels": 1.5},
        "brightness": {"brighten": True, "darken": True, "percent": 30},
        "camera-gain": {"gain": 20},
        "crop": {"min": 0, "max": 20},
        "cutout": {"count": 2, "percent": 8},
        "exposure": {"percent": 20},
        "flip": {"horizontal": True, "vertical": False},
        "hue": {"degrees": 25},
        "image": {"versions": 3},
        "mosaic": True,
        "motion-blur": {"length": 7, "angle": 30, "frames": 1},
        "ninety": {"clockwise": True, "counter-clockwise": True, "upside-down": False},
        "noise": {"percent": 2},
        "rgrayscale": {"percent": 25},
        "rotate": {"degrees": 10},
        "saturation": {"percent": 25},
        "shear": {"horizontal": 5, "vertical": 4},
    },
}
"""Every control of its page, but for isolating objects, which would leave nothing to tile."""
TEXT = """
Hands - v4 2024-07-18 2:30pm
=======================
This dataset was exported via roboflow.com on July 18, 2024 at 2:30 PM GMT

Roboflow is an end-to-end computer vision platform that helps you
* collaborate with your team on computer vision projects

The dataset includes 477 images.
Hands are annotated in YOLO v5 PyTorch format.

The following pre-processing was applied to each image:
{preprocessing}

The following augmentation was applied to create 3 versions of each source image:
{augmentation}

The following transformations were applied to the bounding boxes of each image:
{boxes}
"""
DATASET = """Hands > all
https://universe.roboflow.com/some-people/hands-ab1c2

Provided by a Roboflow user
License: CC BY 4.0
"""
PREPROCESSING = {
    "Auto-orientation of pixel data (with EXIF-orientation stripping)": {"auto-orient": True},
    "Resize to 416x320 (Stretch)": {"resize": {"width": 416, "height": 320, "format": "Stretch"}},
    "Resize to 640x640 (Fill (with center crop))": {
        "resize": {"width": 640, "height": 640, "format": "Fill (with center crop)"}
    },
    "Grayscale (CRT phosphor)": {"grayscale": True},
    "Auto-contrast via adaptive equalization": {"contrast": {"type": "adaptive equalization"}},
    "Tile 10 rows x 4 columns": {"tile": {"rows": 10, "columns": 4}},
    "Filter Null: Require at least 40% of images to contain annotations.": {"filter-null": {"percent": 40}},
    "Static Crop: 10-90% Horizontal Region, 5-95% Vertical Region": {
        "static-crop": {"x_min": 10, "x_max": 90, "y_min": 5, "y_max": 95}
    },
}
AUGMENTATION = {
    "50% probability of horizontal flip": {"flip": {"horizontal": True, "vertical": False}},
    "Equal probability of one of the following 90-degree rotations: none, counter-clockwise, upside-down": {
        "ninety": {"clockwise": False, "counter-clockwise": True, "upside-down": True}
    },
    "90° Rotate: Clockwise, Counter-Clockwise": {
        "ninety": {"clockwise": True, "counter-clockwise": True, "upside-down": False}
    },
    "Randomly crop between 0 and 51 percent of the image": {"crop": {"min": 0, "max": 51}},
    "Random rotation of between -24 and +24 degrees": {"rotate": {"degrees": 24}},
    "Random shear of between -5° to +5° horizontally and -0° to +0° vertically": {
        "shear": {"horizontal": 5, "vertical": 0}
    },
    "Random brigthness adjustment of between -20 and 0 percent": {
        "brightness": {"brighten": False, "darken": True, "percent": 20}
    },
    "Random brightness adjustment of between 0 and +10 percent": {
        "brightness": {"brighten": True, "darken": False, "percent": 10}
    },
    "Random exposure adjustment of between -38 and +38 percent": {"exposure": {"percent": 38}},
    "Random Gaussian blur of between 0 and 5.25 pixels": {"blur": {"pixels": 5.25}},
    "Salt and pepper noise was applied to 0.1 percent of pixels": {"noise": {"percent": 0.1}},
    "Hue: Between -25° and +25°": {"hue": {"degrees": 25}},
    "Saturation: Between -30% and +30%": {"saturation": {"percent": 30}},
    "Grayscale: Apply to 15% of images": {"rgrayscale": {"percent": 15}},
    "Cutout: 3 boxes with 10% size each": {"cutout": {"count": 3, "percent": 10}},
    "Mosaic: Applied": {"mosaic": True},
    "Blur: Up to 2.5px": {"blur": {"pixels": 2.5}},
    "Noise: Up to 1.33% of pixels": {"noise": {"percent": 1.33}},
    "Shear: ±10° Horizontal, ±8° Vertical": {"shear": {"horizontal": 10, "vertical": 8}},
    "Crop: 0% Minimum Zoom, 20% Maximum Zoom": {"crop": {"min": 0, "max": 20}},
    "Bounding Box: Rotation: Between -15° and +15°": {"bbrotate": {"degrees": 15}},
    "Bounding Box: Flip: Horizontal, Vertical": {"bbflip": {"horizontal": True, "vertical": True}},
}


def write_text(folder: Path, preprocessing: str = "", augmentation: str = "", boxes: str = "") -> Path:
    """An export's two texts."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = {"preprocessing": preprocessing, "augmentation": augmentation, "boxes": boxes}
    lines = {name: "".join(f"* {line}\n" for line in text.split("|") if line) for name, text in parts.items()}
    (folder / "README.roboflow.txt").write_text(TEXT.format(**lines), encoding="utf-8")
    (folder / "README.dataset.txt").write_text(DATASET, encoding="utf-8")
    return folder / "README.roboflow.txt"


def write_json(path: Path, document: Any = ALL) -> Path:
    """The API's settings."""
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


@pytest.mark.parametrize("sentence", PREPROCESSING)
def test_sentences_of_preprocessing(sentence: str, tmp_path: Path) -> None:
    """Each is read as the setting that it describes."""
    found = read_settings(write_text(tmp_path, preprocessing=sentence))
    assert (found.preprocessing, found.unread) == (PREPROCESSING[sentence], ())


@pytest.mark.parametrize("sentence", AUGMENTATION)
def test_sentences_of_augmentation(sentence: str, tmp_path: Path) -> None:
    """Each is read as the setting that it describes, in the section of boxes as one of boxes."""
    found = read_settings(write_text(tmp_path / "a", augmentation=sentence))
    assert found.augmentation == {"image": {"versions": 3}, **AUGMENTATION[sentence]}
    assert found.unread == ()
    if not sentence.startswith("Bounding"):
        inside = read_settings(
            write_text(tmp_path / "b", boxes=sentence.replace("of the image", "of the bounding box"))
        )
        assert inside.augmentation == {
            "image": {"versions": 3},
            **{f"bb{key}": value for key, value in AUGMENTATION[sentence].items()},
        }


def test_two_flips_are_one_setting_and_what_is_new_is_said(tmp_path: Path) -> None:
    """And the export's licence, address and provider are known."""
    text = "50% probability of horizontal flip|50% probability of vertical flip|Random fog of up to 3 percent"
    found = read_settings(write_text(tmp_path, augmentation=text))
    assert read_settings(tmp_path / "README.dataset.txt") == found == read_settings(tmp_path)
    assert found.augmentation["flip"] == {"horizontal": True, "vertical": True}
    assert found.unread == ("Random fog of up to 3 percent",)
    assert found.provenance.as_text() == (
        "License: CC BY 4.0, provided by Roboflow user, https://universe.roboflow.com/some-people/hands-ab1c2"
    )
    assert translate(found, "x").left_out == ["Random fog of up to 3 percent (not understood)"]


def test_every_control_becomes_a_step(tmp_path: Path) -> None:
    """Nothing of a file with all of them is left out, and each step is one of ours with settings that are valid."""
    known = {key for keys in CONTROLS.values() for key in keys} - {"filter-tag", "grayscale"}
    assert known == {key for section in ALL.values() for key in section} - {"grayscale"}
    made = translate(read_settings(write_json(tmp_path / "rf.json")), "rf.json")
    assert [line for line in made.left_out if "frames" not in line] == []
    assert {name for step in made.preprocess for name in step} == {
        "static_crop", "tile", "resize", "grayscale", "auto_contrast", "filter_null", "filter_tag",
    }  # fmt: skip
    assert {name for step in made.steps for name, s in step.items() if "within" not in s} == {
        "mosaic", "flip", "rotate90", "zoom", "rotate", "shear", "grayscale", "hue", "saturation", "brightness",
        "exposure", "blur", "motion_blur", "camera_gain", "noise", "cutout",
    }  # fmt: skip
    assert {name for step in made.steps for name, s in step.items() if "within" in s} == {
        "flip", "rotate90", "zoom", "rotate", "shear", "brightness", "exposure", "blur", "noise",
    }  # fmt: skip


@pytest.mark.parametrize("wrapped", [ALL, {"workspace": {"name": "x"}, "version": {"id": "a/b/3", **ALL}}])
def test_all_options_build(wrapped: Any, tmp_path: Path) -> None:
    """The manifest of a file with every option makes images of a small set, all of which are made again bit for bit."""
    write_set(tmp_path / "set", 6)
    started = init(
        [str(tmp_path / "set")], tmp_path / "amp.yaml", from_roboflow=write_json(tmp_path / "rf.json", wrapped)
    )
    assert load_manifest(started.manifest, load_registry()).mixes["version"].versions == 3
    report = build(started.manifest, out=tmp_path / "build", jobs=1)
    assert (report.originals, report.variants + sum(r.count for r in report.refused_variants)) == (12, 24)
    assert report.variants >= 8
    assert all(max(row["width"], row["height"]) == 48 for row in ledger(tmp_path / "build") if row["status"] == "made")
    assert verify(tmp_path / "build", replay="all").findings == []


def test_the_command_and_the_function_write_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One manifest, one schema, and the same words on what has no equal, from Python and from the command line."""
    write_set(tmp_path / "set", 6)
    settings = write_json(tmp_path / "rf.json", ALL)
    for folder in ("command", "python"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / "command")
    shown = CliRunner().invoke(app, ["init", "../set", "--name", "x", "--from-roboflow", str(settings), "--json"])
    monkeypatch.chdir(tmp_path / "python")
    started = amp.init(Path("../set"), name="x", from_roboflow=settings)
    assert json.loads(shown.stdout) == started.to_json()
    for name in ("amp.yaml", "amp.schema.json"):
        assert (tmp_path / "command" / name).read_bytes() == (tmp_path / "python" / name).read_bytes()
    assert "version:" in started.manifest.read_text(encoding="utf-8")
    assert f"wrote {started.manifest}" in started.as_text()


def test_classes_are_renamed_merged_and_left_out(tmp_path: Path) -> None:
    """As `remap` says, in the order of the set; what is left out is dropped and counted."""
    write_set(tmp_path / "set", 8)
    first = init([str(tmp_path / "set")], tmp_path / "plain.yaml")
    names = [*(load_manifest(first.manifest, load_registry()).classes or {})]
    remap = {names[0]: "first", names[1]: None}
    settings = write_json(tmp_path / "rf.json", {"preprocessing": {"remap": remap}, "augmentation": {}})
    started = init([str(tmp_path / "set")], tmp_path / "amp.yaml", from_roboflow=settings)
    manifest = load_manifest(started.manifest, load_registry())
    assert manifest.classes == {"first": (names[0],), **dict.fromkeys(names[2:], ())}
    report = build(started.manifest, out=tmp_path / "build", jobs=1)
    assert sum(loss.count for loss in report.unusable_labels if "not in `classes`" in loss.reason) > 0


def test_one_version_is_told(tmp_path: Path) -> None:
    """There one version takes the image's place; here the image stays, and the manifest says how to have it so."""
    settings = write_json(tmp_path / "rf.json", {"augmentation": {"hue": {"degrees": 9}, "image": {"versions": 1}}})
    started = init([], tmp_path / "amp.yaml", from_roboflow=settings)
    assert any("`originals: false`" in line for line in started.found)
    assert load_manifest(started.manifest, load_registry()).copies_of_mix("version") == 1


@pytest.mark.parametrize(
    ("text", "told"),
    {
        "{": "not JSON",
        "{}": "neither `preprocessing` nor `augmentation`",
        '{"augmentation": [3]}': "no map of settings",
        '{"augmentation": {"hue": {"degrees": "much"}}}': "`augmentation.hue.degrees` is no number",
        '{"augmentation": {"hue": {"degrees": NaN}}}': "is no number",
        '{"preprocessing": {"resize": {"width": 3, "height": 4, "format": "squash"}}}': "is none of Roboflow's",
        "Hello.": "says nothing of a version's",
        "\udcff": "it is not UTF-8",
    }.items(),
)
def test_what_is_none_of_it_is_told(text: str, told: str, tmp_path: Path) -> None:
    """In plain words, and nothing is written."""
    path = tmp_path / "settings"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ManifestError) as caught:
        init([], tmp_path / "new" / "amp.yaml", from_roboflow=path)
    assert told in str(caught.value)
    assert str(path) in str(caught.value)
    assert not (tmp_path / "new").exists()


def test_values_beyond_our_range_are_brought_into_it_and_said(tmp_path: Path) -> None:
    """And a control that is new there is named."""
    document = {"augmentation": {"brightness": {"percent": 120}, "sparkle": {"percent": 5}, "blur": {"pixels": 0.2}}}
    made = translate(read_settings(write_json(tmp_path / "rf.json", document)), "x")
    assert made.steps == [{"brightness": {"percent": [-95, 95]}}]
    assert made.notes == ["augmentation.brightness.percent: 120 is brought into 0 .. 95"]
    assert [line.split(" ")[0] for line in made.left_out] == ["augmentation.blur:", "augmentation.sparkle"]


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2),
    max_leaves=3,
)


@given(
    st.dictionaries(
        st.sampled_from([f"{section}.{key}" for section, keys in CONTROLS.items() for key in keys]),
        JSON
        | st.dictionaries(st.sampled_from(["percent", "degrees", "pixels", "min", "max", "width", "format"]), JSON),
        max_size=4,
    )
)
def test_odd_values_are_an_error_of_ours_or_valid_steps(tmp_path_factory: Any, drawn: dict[str, Any]) -> None:
    """Whatever stands in the file: no traceback, and no manifest that does not load."""
    document: dict[str, dict[str, Any]] = {"preprocessing": {}, "augmentation": {}}
    for name, value in drawn.items():
        section, _, key = name.partition(".")
        document[section][key] = value
    folder = tmp_path_factory.mktemp("odd")
    try:
        text = written_recipe(write_json(folder / "rf.json", document), []).text
    except AmpError:
        return
    (folder / "amp.yaml").write_text(text, encoding="utf-8")
    load_manifest(folder / "amp.yaml", load_registry())


def test_the_licence_of_an_export_stays_with_the_build(tmp_path: Path) -> None:
    """In the card and the lock, for an export's texts and for the `roboflow` part of its data.yaml."""
    write_set(tmp_path / "set", 2)
    (tmp_path / "set" / "README.dataset.txt").write_text(DATASET, encoding="utf-8")
    (tmp_path / "amp.yaml").write_text("sources: [set]\n", encoding="utf-8")
    build(tmp_path / "amp.yaml", out=tmp_path / "build", jobs=1)
    assert "License: CC BY 4.0" in (tmp_path / "build" / "README.md").read_text(encoding="utf-8")
    assert (
        "some-people/hands"
        in json.loads((tmp_path / "build" / "amp.lock.json").read_text())["sources"][0]["provenance"]
    )
    assert verify(tmp_path / "build").findings == []
    (tmp_path / "set" / "README.dataset.txt").unlink()
    about = {"roboflow": {"workspace": "w", "license": "MIT", "url": "https://universe.roboflow.com/w/p/dataset/1"}}
    (tmp_path / "set" / "data.yaml").write_text("names: []\n" + yaml.safe_dump(about), encoding="utf-8")
    build(tmp_path / "amp.yaml", out=tmp_path / "again", jobs=1)
    assert "License: MIT, https" in (tmp_path / "again" / "README.md").read_text(encoding="utf-8")


def test_the_command(tmp_path: Path) -> None:
    """`amp init SET --from-roboflow FILE` says what it found and what has no equal, and exits with 2 on a bad file."""
    settings = write_text(tmp_path, augmentation="Random rotation of between -5 and +5 degrees|Random fog")
    ran = CliRunner().invoke(app, ["init", "--from-roboflow", str(settings), "-o", str(tmp_path / "amp.yaml")])
    assert ran.exit_code == 0
    assert "no equal: Random fog (not understood)" in ran.output
    assert "# License: CC BY 4.0" in (tmp_path / "amp.yaml").read_text(encoding="utf-8")
    none = CliRunner().invoke(
        app, ["init", "--from-roboflow", str(tmp_path / "amp.yaml"), "-o", str(tmp_path / "b.yaml")]
    )
    assert none.exit_code == 2


PAGE = Path(__file__).parents[2] / "docs" / "roboflow.md"


def test_the_page_names_every_control_and_what_it_says_is_valid() -> None:
    """Each key of the API has its row with a picture where there is one, and each step in it is one of ours."""
    text = PAGE.read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and "`" in line]
    keys = {row.split("|")[2].strip().strip("`") for row in rows}
    assert keys | {"filter-tag"} >= {key for names in CONTROLS.values() for key in names}
    pictures = {path.stem for path in (PAGE.parent / "roboflow").glob("*.webp")}
    assert {name for row in rows for name in re.findall(r"\(roboflow/([\w-]+)\.webp\)", row)} == pictures
    assert len(pictures) >= 30
    checked = 0
    for row in rows:
        before = (
            "preprocess" if "| `tag`" in row or row.split("|")[2].strip().strip("`") in ALL["preprocessing"] else "mix"
        )
        for snippet in re.findall(
            r"`([a-z_0-9]+: \{[^`]*\})`", row.replace("{require, allow, exclude}", "{require: [a]}")
        ):
            where = (
                {"preprocess": [yaml.safe_load(snippet)]}
                if before == "preprocess"
                else {"mixes": {"m": [yaml.safe_load(snippet)]}}
            )
            Manifest.model_validate(where, context={"registry": load_registry()})
            checked += 1
    assert checked >= 28


@pytest.mark.parametrize(("image", "inside", "told"), [(15, 0, False), (16, 0, True), (10, 6, True), (10, 5, False)])
def test_turns_beyond_what_plain_boxes_bear_are_said_at_once(
    tmp_path: Path, image: float, inside: float, told: bool
) -> None:
    """Else a recipe of Roboflow's gives few variants, and only the build says why."""
    path = tmp_path / "version.json"
    path.write_text(json.dumps({"augmentation": {"rotate": {"degrees": image}, "bbrotate": {"degrees": inside}}}))
    notes = translate(read_settings(path), path).notes
    assert any("turned by at most 15 degrees" in note for note in notes) is told
    assert Labels().max_box_rotation == MAX_BOX_ROTATION
