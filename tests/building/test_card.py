"""The dataset card: what it says is true, what it names is there, what nobody said is not stated."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from builders import write_files
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from small_builds import small_build, write_manifest, write_set

import amp_datasets as amp
from amp_datasets.building.cards.licences import HUB_LICENCES, licence_id, licence_metadata
from amp_datasets.building.cards.sheet import MAX_BYTES

EXPORTS = ["[]", "[yolo]", "[coco]", "[yolo, coco, hf]"]


def card_of(build: Path) -> tuple[dict[str, Any], str]:
    """The metadata and the text of a card."""
    _, header, text = (build / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(header), text


@pytest.mark.parametrize("exports", EXPORTS)
def test_only_what_is_there_is_named(tmp_path: Path, exports: str) -> None:
    """Whatever is exported."""
    build = small_build(tmp_path, images=2, exports=exports)
    _, text = card_of(build)
    named = set(re.findall(r"`([\w.-]+(?:/[\w.<>-]+)*\.\w+)`", text)) | set(re.findall(r"\]\(([^)]+)\)", text))
    assert {"amp.yaml", "ledger.parquet", ".card/contact-sheet.webp"} <= named
    assert ("data.yaml" in text, "annotations/" in text) == ("yolo" in exports, "coco" in exports)
    for name in named - {"annotations/<split>.json"}:
        assert (build / name).is_file(), name


def test_the_sheet_shows_the_build(tmp_path: Path) -> None:
    """A WebP below 300 kB with images of it, sealed like every other file; a lazy set has none."""
    build = small_build(tmp_path, images=6)
    sheet = build / ".card" / "contact-sheet.webp"
    assert sheet.stat().st_size < MAX_BYTES == 300_000
    with Image.open(sheet) as image:
        assert (image.format, image.width > 1000) == ("WEBP", True)
    assert amp.verify(build).findings == []
    amp.build(tmp_path / "amp.yaml", out=tmp_path / "lazy", lazy=True, jobs=1)
    assert "contact-sheet" not in (tmp_path / "lazy" / "README.md").read_text()
    assert amp.verify(tmp_path / "lazy").findings == []


def test_the_sheet_is_small_for_large_noise(tmp_path: Path) -> None:
    """The worst images that there are."""
    import numpy as np

    (tmp_path / "set").mkdir()
    rows = ["filename,width,height,class,xmin,ymin,xmax,ymax"]
    for number in range(16):
        pixels = np.random.default_rng(number).integers(0, 256, (500, 700, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "set" / f"{number}.png")
        rows.append(f"{number}.png,700,500,cat,5,5,300,300")
    (tmp_path / "set" / "labels.csv").write_text("\n".join(rows) + "\n")
    amp.build({"splits": {"train": 1.0}}, sources=[tmp_path / "set"], out=tmp_path / "build", jobs=1)
    assert (tmp_path / "build" / ".card" / "contact-sheet.webp").stat().st_size < MAX_BYTES


def test_what_nobody_said_is_not_stated(tmp_path: Path) -> None:
    """Neither a licence, nor who labelled, nor from where; the tasks follow from the labels."""
    metadata, _ = card_of(small_build(tmp_path, images=2))
    assert not {"license", "annotations_creators", "source_datasets"} & set(metadata)
    assert metadata["task_categories"] == ["object-detection", "image-segmentation"]


def test_boxes_alone_are_for_detection(tmp_path: Path) -> None:
    """No outline, no keypoint: nothing else is promised."""
    rows = "filename,width,height,class,xmin,ymin,xmax,ymax\na.png,64,48,cat,5,5,30,30\n"
    write_files(tmp_path / "set", {"a.png": "", "labels.csv": rows})
    amp.build({"splits": {"train": 1.0}}, sources=[tmp_path / "set"], out=tmp_path / "build", jobs=1)
    assert card_of(tmp_path / "build")[0]["task_categories"] == ["object-detection"]


@pytest.mark.parametrize(
    ("licences", "expected"),
    [
        (["CC BY 4.0"], {"license": "cc-by-4.0"}),
        (["CC BY 4.0", "CC BY 4.0"], {"license": "cc-by-4.0"}),
        (["CC BY 4.0", "MIT"], {}),
        (["CC BY 4.0", ""], {}),
        (["Public Domain"], {"license": "other", "license_name": "Public Domain"}),
    ],
)
def test_the_licence_is_the_sources_own(tmp_path: Path, licences: list[str], expected: dict[str, str]) -> None:
    """Where all of them say the same; as the hub calls it."""
    sets = []
    for number, licence in enumerate(licences):
        folder = write_set(tmp_path / f"set{number}", 2, seed=number)
        if licence:
            (folder / "README.dataset.txt").write_text(f"# drums\n\nProvided by a Roboflow user\nLicense: {licence}\n")
        sets.append(folder)
    write_manifest(tmp_path / "amp.yaml", sets, "")
    amp.build(tmp_path / "amp.yaml", out=tmp_path / "build", jobs=1)
    metadata, _ = card_of(tmp_path / "build")
    assert {key: value for key, value in metadata.items() if key.startswith("license")} == expected


@given(st.one_of(st.none(), st.text(max_size=60), st.sampled_from(["MIT License", "cc-by-4.0", "CC BY-NC-SA 4.0"])))
def test_a_licence_is_always_one_of_the_hubs(words: str | None) -> None:
    """Whatever a manifest says."""
    assert licence_metadata(words, []).get("license", "other") in HUB_LICENCES
    assert licence_id("The MIT License") == "mit"


def test_sets_of_the_hub_are_named() -> None:
    """Which dataset it was made of; of a local folder nobody knows."""
    from amp_datasets.building.cards.card import source_datasets

    sources = [{"source": {"path": p}} for p in ("hf://datasets/me/drums@main", "photos", "hf://datasets/me/drums")]
    assert source_datasets(sources) == ["me/drums"]
