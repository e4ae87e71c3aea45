"""The original's layout: its folder names for its settings, and one numbering that does not depend on order."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from amp_datasets.model import Annotation, Category, ImageFile, LabelSet, Origin, Sample
from amp_datasets.plugin.discovery import load_registry

ORIGINALS = {
    "blur_2.5": [("blur", {"sigma": 2.5})],
    "cropping_0.5": [("crop", {"margin": 0.5, "around": "all"})],
    "flip_horizontal": [("flip", {"how": "horizontal"})],
    "sepia": [("color_matrix", {"matrix": [[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]]})],
    "sobel": [("sobel", {})],
    "mix1_": [("blur", {"sigma": 2.5}), ("grayscale", {"percent": 100})],
    "mix3_": [("brightness", {"percent": 50, "mode": "positive"}), ("saturation", {"percent": 80.0})],
}


def sample(stem: str, variant: str, steps: list[tuple[str, dict[str, Any]]], boxes: int = 1) -> Sample:
    """One variant of one source, with its record of steps."""
    draw = json.dumps([{"filter": name, "settings": settings, "draw": {}} for name, settings in steps])
    annotations = tuple(Annotation("Accordion", (10.0 + n, 20.0, 40.0, 30.0)) for n in range(boxes))
    name = f"{stem}__{variant}.jpg"
    return Sample(name, ImageFile(Path(name)), (64, 48), annotations, split="train", origin=Origin(stem, variant, draw))


def export(target: Path, samples: list[Sample], *names: str, **options: Any) -> list[str]:
    """The files that the exporter writes; each image holds the name of its sample."""
    kind = load_registry().exporter("seed")
    categories = tuple(Category(name) for name in names or ("Accordion",))

    def place(one: Sample, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(one.source_id)

    kind(target, kind.options_type(**options), place).write(LabelSet(categories, samples, name="instruments"))
    return sorted(path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file())


@pytest.mark.parametrize("folder", ORIGINALS)
def test_the_originals_settings_give_the_originals_folder(tmp_path: Path, folder: str) -> None:
    """Whatever the variant is called; the label file is named after the folder."""
    files = export(tmp_path, [sample("a", "mine", ORIGINALS[folder])])
    assert f"temp_set/{folder}/a__mine.jpg" in files
    assert f"temp_set/{folder}/{folder}.json" in files


@pytest.mark.parametrize(
    "steps",
    [
        [("blur", {"sigma": 2.0})],
        [("blur", {"sigma": [1.0, 2.5]})],
        [("flip", {"how": "vertical"})],
        [("color_matrix", {"matrix": [[1, 0, 0], [0, 1, 0], [0, 0, 1]]})],
        [("grayscale", {"percent": 100}), ("blur", {"sigma": 2.5})],
        [],
    ],
)
def test_other_settings_keep_the_variants_own_name(tmp_path: Path, steps: list[tuple[str, dict[str, Any]]]) -> None:
    """A folder never claims a setting that was not used."""
    assert "temp_set/mine/a__mine.jpg" in export(tmp_path, [sample("a", "mine", steps)])


def test_numbering_is_by_set_then_source_and_does_not_depend_on_order(tmp_path: Path) -> None:
    """The original's order of sets, then the others by name; images, labels and numbers belong together."""
    samples = [sample(stem, folder, steps) for stem in ("b", "a") for folder, steps in ORIGINALS.items()]
    samples += [sample("a", "zoom", []), sample("a", "fog", [], boxes=2)]
    export(tmp_path / "1", samples)
    random.Random(4).shuffle(samples)
    export(tmp_path / "2", samples)
    first, second = (
        {p.relative_to(root).as_posix(): p.read_text() for p in root.rglob("*") if p.is_file()}
        for root in (tmp_path / "1", tmp_path / "2")
    )
    assert first == second
    numbered = [first[f"total_set/Accordion_{n}.jpg"] for n in range(1, 17)]
    assert numbered[:3] == ["a__blur_2.5.jpg", "b__blur_2.5.jpg", "a__cropping_0.5.jpg"]
    assert numbered[-2:] == ["a__fog.jpg", "a__zoom.jpg"]
    entries = json.loads(first["total_set/Accordion.json"])
    assert [entry["image"] for entry in entries] == [f"Accordion_{n}.jpg" for n in range(1, 17)]
    assert [len(entry["annotations"]) for entry in entries] == [1] * 14 + [2, 1]


def test_json_has_the_centre_and_csv_the_corners(tmp_path: Path) -> None:
    """The same box, as each file's readers expect it."""
    export(tmp_path / "json", [sample("a", "mine", [])])
    (entry,) = json.loads((tmp_path / "json/total_set/Accordion.json").read_text())
    box = {"x": 25.0, "y": 25.0, "width": 30.0, "height": 10.0}
    assert entry["annotations"] == [{"label": "Accordion", "coordinates": box}]
    export(tmp_path / "csv", [sample("a", "mine", [])], annotation="csv")
    with (tmp_path / "csv/total_set/Accordion.csv").open(newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert row == {
        "filename": "Accordion_1.jpg",
        "width": "64",
        "height": "48",
        "class": "Accordion",
        "xmin": "10",
        "ymin": "20",
        "xmax": "40",
        "ymax": "30",
    }


def test_the_title_is_the_only_class_else_the_sets_name_and_always_a_file_name(tmp_path: Path) -> None:
    """A class may hold what no file name may."""
    one = [sample("a", "mine", [])]
    assert "total_set/instruments.json" in export(tmp_path / "1", one, "Accordion", "Drum")
    assert "total_set/AC_DC.json" in export(tmp_path / "2", one, "AC/DC")
    assert "total_set/Mine_1.jpg" in export(tmp_path / "3", one, title="Mine")
    assert all(".." not in Path(file).parts for file in export(tmp_path / "4", one, title="../.."))


def test_what_a_csv_cannot_say_is_counted(tmp_path: Path) -> None:
    """An empty image has a JSON entry, but no CSV line."""
    kind = load_registry().exporter("seed")
    empty = [sample("a", "mine", [], boxes=0)]
    losses = {
        a: kind(tmp_path, kind.options_type(annotation=a), lambda _, __: None).losses(empty) for a in ("json", "csv")
    }
    assert losses == {"json": {}, "csv": {"empty": 1}}


def test_the_shipped_manifest_gives_twenty_folders(tmp_path: Path) -> None:
    """The original's names, but for the crop: its margin is another, so its folder does not claim the original's."""
    manifest = yaml.safe_load((Path(__file__).parents[3] / "manifests/seed20.yaml").read_text())
    steps = {name: [(name, settings or {})] for name, settings in manifest["filters"].items()}
    for name, mix in manifest["mixes"].items():
        named = [({step: {}} if isinstance(step, str) else step) for step in mix]
        steps[name] = [(key, value or {}) for step in named for key, value in step.items()]
    files = export(tmp_path, [sample("a", f"my_{name}", own) for name, own in steps.items()])
    folders = {Path(file).parts[1] for file in files if file.startswith("temp_set")}
    assert len(folders) == 20
    assert [folder for folder in folders if folder.startswith("my_")] in ([], ["my_crop"])
