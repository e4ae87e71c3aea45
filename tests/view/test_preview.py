"""Previews: every variant has its tile, what is asked for is shown, and what cannot be made says why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image as PillowImage
from small_builds import small_build

import amp_datasets as amp
from amp_datasets.errors import AmpError, BuildError
from amp_datasets.view.preview import preview

MANIFEST: dict[str, Any] = {"splits": {"train": 1.0}, "filters": {"flip": None, "grayscale": None, "rotate90": None}}


def test_every_variant_has_a_tile(tmp_path: Path, demo_folder: Path) -> None:
    """The original and three variants, for as many sources as asked for."""
    one = preview(MANIFEST, sources=[demo_folder])
    two = preview(MANIFEST, sources=[demo_folder], images=2)
    assert (len(one.tiles), len(two.tiles)) == (4, 8)
    one.save(tmp_path / "one.png")
    with PillowImage.open(tmp_path / "one.png") as sheet:
        assert (sheet.width, sheet.height > 225) == (4 * 308 + 8, True)


def test_a_set_alone_is_shown_with_its_labels(demo_folder: Path) -> None:
    """No variants: what somebody labelled."""
    shown = preview(demo_folder)
    assert len(shown.tiles) == 5
    assert all(tile.annotations for tile in shown.tiles)


def test_a_build_is_shown_as_it_is(tmp_path: Path) -> None:
    """Its own images, variants included."""
    small_build(tmp_path, images=2)
    shown = preview(tmp_path / "build", images=500)
    files = {path.name for path in (tmp_path / "build" / "images").rglob("*.jpg")}
    assert {tile.title.rpartition("/")[2] for tile in shown.tiles} == files


def test_what_is_asked_for_is_shown(demo_folder: Path) -> None:
    """By name, class and filter; at random by a seed, the same again."""
    (one,) = preview(demo_folder, name="demo_003").tiles
    assert "demo_003" in one.title
    fish = preview(demo_folder, category="fish")
    assert all(any(a.category == "fish" for a in tile.annotations) for tile in fish.tiles)
    flips = preview(MANIFEST, sources=[demo_folder], filters=["flip"])
    assert [tile.title.partition(" ")[0] for tile in flips.tiles][1:] == ["flip"]
    chosen = [[t.title for t in preview(demo_folder, images=3, seed=seed).tiles] for seed in (1, 1, 2)]
    assert chosen[0] == chosen[1] != chosen[2]


@pytest.mark.parametrize(
    ("asked", "fix"),
    [
        ({"category": "fihs"}, "did you mean `fish`?"),
        ({"filters": ["flp"]}, "did you mean `flip`?"),
        ({"name": "x"}, ""),
    ],
)
def test_what_is_not_there_is_told(demo_folder: Path, asked: dict[str, Any], fix: str) -> None:
    """With the nearest name."""
    target: Any = MANIFEST if "filters" in asked else demo_folder
    with pytest.raises(AmpError) as caught:
        preview(target, sources=[demo_folder] if target is MANIFEST else [], **asked)
    assert fix in str(caught.value.fix)


def test_a_variant_that_cannot_be_made_says_why(demo_folder: Path) -> None:
    """It keeps its place in the sheet."""
    impossible = {**MANIFEST, "labels": {"min_difference": 255}}
    tiles = preview(impossible, sources=[demo_folder]).tiles
    assert any(tile.image is None and "not made" in tile.note for tile in tiles)


def test_a_broken_image_says_so(tmp_path: Path) -> None:
    """The others are shown."""
    small_build(tmp_path, images=2)
    broken = next((tmp_path / "set").rglob("*.jpg"))
    broken.write_bytes(broken.read_bytes()[:200])
    assert [tile.note for tile in preview(tmp_path / "set").tiles if tile.image is None] or len(
        preview(tmp_path / "set").tiles
    ) == 1


def test_a_wrong_ending_is_told(tmp_path: Path, demo_folder: Path) -> None:
    """No file is left."""
    with pytest.raises(BuildError, match=r"no preview has the ending `\.nope`"):
        preview(demo_folder).save(tmp_path / "sheet.nope")
    assert list(tmp_path.iterdir()) == []


def test_nothing_to_augment_is_told(demo_folder: Path) -> None:
    """All images are in a split that gets no variants."""
    with pytest.raises(BuildError, match="no source image gets variants"):
        preview({**MANIFEST, "augment": ["test"]}, sources=[demo_folder])


@pytest.mark.parametrize("ending", [".jpg", ".png", ".webp", ".html"])
def test_every_ending_gives_its_format(tmp_path: Path, demo_folder: Path, ending: str) -> None:
    """HTML is one file without addresses of others."""
    path = preview(MANIFEST, sources=[demo_folder]).save(tmp_path / f"sheet{ending}")
    if ending == ".html":
        text = path.read_text(encoding="utf-8")
        assert text.count("<figure>") == 4
        assert "http" not in text
    else:
        with PillowImage.open(path) as image:
            assert image.format == {".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP"}[ending]


@pytest.mark.parametrize("ending", [".jpg", ".png", ".webp", ".html"])
def test_a_file_that_is_no_preview_stays(tmp_path: Path, demo_folder: Path, ending: str) -> None:
    """An older preview is replaced; a photo of that name, or anything else, is the user's."""
    gallery = preview(demo_folder)
    path = gallery.save(tmp_path / f"sheet{ending}")
    assert gallery.save(path) == path
    photo = next(demo_folder.rglob("*.jpg")).read_bytes()
    for content in (photo, b""):
        path.write_bytes(content)
        with pytest.raises(BuildError, match="no preview of amp's"):
            gallery.save(path)
        assert path.read_bytes() == content


def test_notebooks_show_it(demo_folder: Path) -> None:
    """As an image and as HTML."""
    shown = amp.preview(demo_folder)
    assert shown._repr_png_().startswith(b"\x89PNG")
    assert shown._repr_html_().startswith("<img ")
