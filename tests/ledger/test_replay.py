"""One image is made again from its source and one line of the ledger, and is the same to the last bit."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest
from PIL import Image as PillowImage
from small_builds import copy_of, ledger, small_build, write_manifest, write_set

from amp_datasets.building.api import build
from amp_datasets.errors import BuildError, SourceError
from amp_datasets.ledger import replay as replaying
from amp_datasets.ledger.replay import image_difference, replay


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a set, a manifest and a build. Copy it before you spoil it."""
    folder = tmp_path_factory.mktemp("replay")
    small_build(folder, images=3, exports="[yolo-detect, coco]")
    return folder


def test_every_image_is_made_again(home: Path, tmp_path: Path) -> None:
    """Originals, single filters and copies of mixes alike; its labels are the ledger's."""
    for row in ledger(home / "build"):
        target = tmp_path / row["file_name"]
        report = replay(home / "build", row["file_name"], target)
        assert report.same_image
        assert report.same_labels
        assert target.read_bytes() == (home / "build" / "images" / row["split"] / row["file_name"]).read_bytes()
        document = json.loads(target.with_suffix(".json").read_text())
        assert document["labels"] == json.loads(row["labels"])
        rows = (home / "build" / "labels" / row["split"] / target.with_suffix(".txt").name).read_text()
        assert target.with_suffix(".txt").read_text() == rows


@pytest.mark.parametrize(
    "name",
    [
        "demo_002__two-2",
        "demo_002__two-2.jpg",
        "train/demo_002__two-2",
        "images/train/demo_002__two-2.jpg",
        "set/images/train/demo_002.jpg two-2",
    ],
)
def test_an_image_has_several_names(home: Path, tmp_path: Path, name: str) -> None:
    """The file's, with or without ending and split, and the source's with the variant's."""
    assert replay(home / "build", name, tmp_path / "again.jpg").variant == "two-2"


def test_a_misspelt_name_gets_the_nearest(home: Path, tmp_path: Path) -> None:
    """Nothing is written for it."""
    with pytest.raises(BuildError) as error:
        replay(home / "build", "demo_002__rotat.jpg", tmp_path / "again.jpg")
    assert error.value.fix == "did you mean `demo_002__rotate.jpg`?"
    assert list(tmp_path.iterdir()) == []


def test_out_may_be_a_folder_or_lack_its_ending(home: Path, tmp_path: Path) -> None:
    """The ending is the image's own; another one is refused, for it would be wrong."""
    assert replay(home / "build", "demo_001__flip", tmp_path).image == str(tmp_path / "demo_001__flip.jpg")
    assert replay(home / "build", "demo_001__flip", tmp_path / "new" / "x").image == str(tmp_path / "new" / "x.jpg")
    with pytest.raises(BuildError, match="this image is a"):
        replay(home / "build", "demo_001__flip", tmp_path / "x.png")


def test_nothing_is_written_into_the_build(home: Path) -> None:
    """It would be a stray file there."""
    with pytest.raises(BuildError, match="does not write into the build"):
        replay(home / "build", "demo_001__flip", home / "build" / "x.jpg")


def test_a_target_that_cannot_be_written_is_an_error_of_ours(home: Path, tmp_path: Path) -> None:
    """A file where a folder should be."""
    (tmp_path / "file").write_text("")
    with pytest.raises(BuildError, match="cannot be written"):
        replay(home / "build", "demo_001__flip", tmp_path / "file" / "x.jpg")


def test_a_variant_that_was_not_made_says_why(tmp_path: Path) -> None:
    """The ledger has a line for it too."""
    write_set(tmp_path / "set", 1)
    write_manifest(
        tmp_path / "amp.yaml", ["set"], "filters:\n  brightness: {percent: 1}\n  flip:\n", labels="{min_difference: 9}"
    )
    build(tmp_path / "amp.yaml", out=tmp_path / "build", jobs=1)
    assert any(row["status"] == "dropped" for row in ledger(tmp_path / "build"))
    with pytest.raises(BuildError, match="was not made: the image would not change"):
        replay(tmp_path / "build", "set/images/train/demo_001.jpg brightness", tmp_path / "x.jpg")


def test_a_source_that_moved_is_named_on_the_command_line(home: Path, tmp_path: Path) -> None:
    """The digest decides whether it is the right one."""
    folder = copy_of(home, tmp_path / "copy")
    (folder / "set").rename(tmp_path / "moved")
    with pytest.raises(SourceError, match="not there any more"):
        replay(folder / "build", "demo_001__flip", tmp_path / "x.jpg")
    assert not (tmp_path / "x.jpg").exists()
    assert replay(folder / "build", "demo_001__flip", tmp_path / "x.jpg", sources=[tmp_path / "moved"]).same_image
    write_set(tmp_path / "other", 3, seed=9)
    with pytest.raises(SourceError, match="not there any more"):
        replay(folder / "build", "demo_001__flip", tmp_path / "y.jpg", sources=[tmp_path / "other"])


def test_a_source_in_an_archive_is_found(home: Path, tmp_path: Path) -> None:
    """Also when the set was a folder at the time of the build."""
    folder = copy_of(home, tmp_path / "copy")
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for file in sorted((folder / "set").rglob("*")):
            archive.write(file, file.relative_to(folder / "set"))
    assert replay(folder / "build", "demo_001__flip", tmp_path / "x.jpg", sources=[tmp_path / "set.zip"]).same_image


@pytest.mark.parametrize("orientation", [1, 6])
def test_an_original_that_was_turned_upright_is_made_again(tmp_path: Path, orientation: int) -> None:
    """An image with an EXIF orientation is written anew; one without keeps its bytes."""
    write_set(tmp_path / "set", 2)
    path = tmp_path / "set" / "images" / "train" / "demo_001.jpg"
    exif = PillowImage.Exif()
    exif[0x0112] = orientation
    with PillowImage.open(path) as image:
        stream = io.BytesIO()
        turned = image.transpose(PillowImage.Transpose.ROTATE_90) if orientation == 6 else image
        turned.save(stream, "JPEG", exif=exif)
    path.write_bytes(stream.getvalue())
    write_manifest(tmp_path / "amp.yaml", ["set"])
    build(tmp_path / "amp.yaml", out=tmp_path / "build", jobs=1)
    assert replay(tmp_path / "build", "demo_001", tmp_path / "again.jpg").same_image
    assert ((tmp_path / "again.jpg").read_bytes() == path.read_bytes()) is (orientation == 1)
    assert replay(tmp_path / "build", "demo_001__rotate", tmp_path / "turned.jpg").same_image


def test_an_image_that_comes_out_otherwise_is_said_to_differ(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report says so, and what is not as it was when the build was made."""
    row = replaying.find_row(home / "build", "demo_001__flip")
    monkeypatch.setattr(replaying, "find_row", lambda *_: {**row, "sha256": "0", "labels": "[]"})
    monkeypatch.setattr(replaying, "machine", lambda: {"python": "2.7"})
    report = replay(home / "build", "demo_001__flip", tmp_path / "x.jpg")
    assert not report.same_image
    assert not report.same_labels
    text = "\n".join(report.as_text())
    assert "NOT what the ledger says" in text
    assert "became 2.7" in text
    assert report.to_json()["same_image"] is False


def image(value: int, size: tuple[int, int] = (8, 4), kind: str = "PNG", **options: object) -> bytes:
    """An image of one grey value."""
    stream = io.BytesIO()
    PillowImage.new("RGB", size, (value, value, value)).save(stream, kind, **options)
    return stream.getvalue()


def test_differences_of_images_are_measured() -> None:
    """At most and on average, or in size, or in nothing but the coding."""
    assert image_difference(image(10), image(13)) == "pixels differ by at most 3 and on average 3.000 of 255"
    assert image_difference(image(10), image(10, (9, 4))) == "8x4 instead of 9x4 pixels"
    assert image_difference(image(10), image(10, compress_level=0)) == "the same pixels in other bytes"
    assert "cannot be decoded" in image_difference(b"no image", image(10))
