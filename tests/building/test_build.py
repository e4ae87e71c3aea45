"""A variant is a pure function of its source and settings: nothing else in a build changes a byte of it."""

from __future__ import annotations

import base64
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as PillowImage
from small_builds import FILTERS, ledger, rebuild, small_build, tree, variants, write_manifest, write_set

import amp_datasets as amp
from amp_datasets.building.api import build
from amp_datasets.errors import AmpError, BuildError, SourceError
from amp_datasets.ledger import keys
from amp_datasets.ledger.verify import verify


def built(folder: Path, sources: list[Path], name: str, jobs: int = 1, more: str = FILTERS, **settings: Any) -> Path:
    """A build of some sources, in a folder of its own."""
    write_manifest(folder / f"{name}.yaml", sources, more, **settings)
    build(folder / f"{name}.yaml", out=folder / name, jobs=jobs)
    return folder / name


def test_any_number_of_workers_gives_the_same_tree(tmp_path: Path) -> None:
    """Every file of it, ledger, lock and card included."""
    source = write_set(tmp_path / "set", 9)
    first = tree(built(tmp_path, [source], "build"))
    shutil.rmtree(tmp_path / "build")
    for jobs in (2, 3):
        assert tree(built(tmp_path, [source], "build", jobs=jobs)) == first
        shutil.rmtree(tmp_path / "build")


def test_a_second_run_gives_the_same_tree_and_makes_nothing(tmp_path: Path) -> None:
    """Everything is reused, by whatever number of workers."""
    first = tree(small_build(tmp_path))
    for jobs in (1, 2):
        report = rebuild(tmp_path, jobs=jobs)
        assert report.reused == len(ledger(tmp_path / "build"))
        assert tree(tmp_path / "build") == first


def test_the_order_of_sources_changes_no_variant(tmp_path: Path) -> None:
    """Nor does another source beside them, nor another image in one of them."""
    sets = [write_set(tmp_path / name, 3, seed) for seed, name in enumerate(("one", "two", "three"))]
    first = variants(built(tmp_path, sets[:2], "first"))
    assert variants(built(tmp_path, sets[1::-1], "turned")) == first
    more = variants(built(tmp_path, sets, "more"))
    assert more.items() > first.items()
    write_set(tmp_path / "longer" / "one", 4, seed=0)
    longer = variants(built(tmp_path, [tmp_path / "longer" / "one", sets[1]], "longer-build"))
    assert longer.items() > first.items()


def test_a_source_may_lie_anywhere_under_any_name(tmp_path: Path) -> None:
    """Paths and file names are no part of a variant."""
    source = write_set(tmp_path / "set", 2)
    first = variants(built(tmp_path, [source], "first"))
    moved = tmp_path / "far" / "away"
    shutil.copytree(source, moved)
    text = (moved / "annotations" / "train.json").read_text()
    (moved / "annotations" / "train.json").write_text(text.replace("demo_00", "renamed "))
    for file in sorted(moved.rglob("*.jpg")):
        file.rename(file.with_name(file.name.replace("demo_00", "renamed ")))
    assert variants(built(tmp_path, [moved], "second")) == first


def test_another_filter_changes_no_other_variant(tmp_path: Path) -> None:
    """Wherever it stands in the manifest; and a mix with the same steps under another name is drawn by itself."""
    source = write_set(tmp_path / "set", 3)
    first = variants(built(tmp_path, [source], "first"))
    more = FILTERS.replace("filters:\n", "filters:\n  sobel:\n")
    second = variants(built(tmp_path, [source], "second", more=more + "  three: [rotate: {degrees: [5, 15]}]\n"))
    assert second.items() > first.items()
    assert not {sha for (_, name), sha in second.items() if name == "three"} & {
        sha for (_, name), sha in second.items() if name == "rotate"
    }


def test_another_seed_changes_what_is_drawn_only(tmp_path: Path) -> None:
    """A filter without chances does not care."""
    source = write_set(tmp_path / "set", 2)
    one, other = (variants(built(tmp_path, [source], f"s{seed}", seed=seed)) for seed in (1, 2))
    same = {name for (sha, name), image in one.items() if other[sha, name] == image}
    assert same == {"original", "flip", "brightness"}


def test_a_changed_manifest_keeps_what_it_does_not_touch(tmp_path: Path) -> None:
    """In place: the kept variants are the same files, and the tree is that of a build from nothing."""
    small_build(tmp_path, images=3)
    before = variants(tmp_path / "build")
    inodes = {file.name: file.stat().st_ino for file in (tmp_path / "build").rglob("*.jpg")}
    write_manifest(tmp_path / "amp.yaml", ["set"], FILTERS.replace("percent: 30", "percent: 40"))
    report = rebuild(tmp_path)
    assert report.reused == len(before) - 3
    after = {file.name: file.stat().st_ino for file in (tmp_path / "build").rglob("*.jpg")}
    assert {name for name in inodes if inodes[name] != after[name]} == {
        f"demo_00{n}__brightness.jpg" for n in (1, 2, 3)
    }
    changed = tree(tmp_path / "build")
    shutil.rmtree(tmp_path / "build")
    rebuild(tmp_path)
    assert tree(tmp_path / "build") == changed


def turn(path: Path) -> None:
    """Give an image an EXIF orientation."""
    exif = PillowImage.Exif()
    exif[0x0112] = 3
    stream = io.BytesIO()
    with PillowImage.open(path) as image:
        image.transpose(PillowImage.Transpose.ROTATE_180).save(stream, "JPEG", exif=exif)
    path.write_bytes(stream.getvalue())


def test_reuse_gives_what_a_build_from_nothing_gives(tmp_path: Path) -> None:
    """Also for originals that are encoded anew, for copies of an image, and after a renaming."""
    write_set(tmp_path / "set", 3)
    images = tmp_path / "set" / "images" / "train"
    turn(images / "demo_001.jpg")
    shutil.copytree(tmp_path / "set", tmp_path / "copy")
    write_manifest(tmp_path / "amp.yaml", ["set", "copy"])
    rebuild(tmp_path)
    (images / "demo_002.jpg").rename(images / "demo_002.jpeg")
    text = (tmp_path / "set" / "annotations" / "train.json").read_text()
    (tmp_path / "set" / "annotations" / "train.json").write_text(text.replace("demo_002.jpg", "demo_002.jpeg"))
    for settings in ({"encode": "{quality: 60}"}, {"encode": "{quality: 60}", "originals": "false"}, {}):
        write_manifest(tmp_path / "amp.yaml", ["set", "copy"], **settings)
        rebuild(tmp_path)
        reused = tree(tmp_path / "build")
        shutil.rmtree(tmp_path / "build")
        rebuild(tmp_path)
        assert tree(tmp_path / "build") == reused


def test_one_bad_image_is_dropped_and_counted(tmp_path: Path) -> None:
    """The others are built as if it were not there."""
    source = write_set(tmp_path / "set", 3)
    first = variants(built(tmp_path, [source], "first"))
    bad = source / "images" / "train" / "demo_002.jpg"
    sha256 = next(row["source_sha256"] for row in ledger(tmp_path / "first") if "demo_002" in row["source_id"])
    bad.write_bytes(b"no image")
    write_manifest(tmp_path / "second.yaml", [source])
    report = build(tmp_path / "second.yaml", out=tmp_path / "second", jobs=1)
    assert [(loss.reason, loss.count) for loss in report.dropped] == [("image cannot be read", 1)]
    kept = {key: value for key, value in first.items() if key[0] != sha256}
    assert variants(tmp_path / "second") == kept


def broken_png(path: Path) -> None:
    """Zeros from the middle on, where a lenient decoder sees black."""
    stream = io.BytesIO()
    with PillowImage.open(path) as image:
        image.save(stream, "PNG")
    data = stream.getvalue()
    end = b"\x00\x00\x00\x00IEND\xaeB`\x82"
    path.write_bytes(data[: len(data) // 2] + bytes(len(data) // 2) + end)


def broken_jpeg(path: Path) -> None:
    """Cut off in the middle, and ended there, as programs do that repair what they do not understand."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] + b"\xff\xd9")


@pytest.mark.parametrize("spoil", [broken_png, broken_jpeg])
def test_a_image_that_breaks_in_its_middle_is_counted(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    """Its header is right, so only decoding tells: the source is dropped once, with the reason."""
    source = write_set(tmp_path / "set", 2)
    spoil(source / "images" / "train" / "demo_001.jpg")
    write_manifest(tmp_path / "amp.yaml", [source])
    report = rebuild(tmp_path)
    rows = [row for row in ledger(tmp_path / "build") if "demo_001" in row["source_id"]]
    assert {loss.reason: loss.count for loss in report.dropped} == {"image cannot be decoded": 1}
    assert report.refused_variants == []
    assert [(row["variant"], row["status"]) for row in rows] == [("", "dropped")]
    assert report.originals == report.sources == 1
    assert verify(tmp_path / "build", replay="all").findings == []


@pytest.mark.parametrize("content", ["file", "folder", "link"])
def test_a_target_that_is_no_build_is_left_alone(tmp_path: Path, content: str) -> None:
    """Whatever -o names, nothing of the user's is removed or replaced."""
    write_set(tmp_path / "set", 1)
    write_manifest(tmp_path / "amp.yaml", ["set"])
    target, other = tmp_path / "build", tmp_path / "other"
    other.mkdir()
    if content == "file":
        target.write_text("mine")
    elif content == "link":
        target.symlink_to(other)
    else:
        target.mkdir()
        (target / "thesis.txt").write_text("mine")
    before = tree(tmp_path)
    with pytest.raises(BuildError):
        rebuild(tmp_path)
    assert tree(tmp_path) == before


def test_an_empty_folder_may_become_the_build(tmp_path: Path) -> None:
    """As `mkdir build` before leaves one."""
    write_set(tmp_path / "set", 1)
    write_manifest(tmp_path / "amp.yaml", ["set"])
    (tmp_path / "build").mkdir()
    assert rebuild(tmp_path).originals == 1


@pytest.mark.parametrize("target", ["set", "set/inside", "."])
def test_a_target_in_a_source_or_around_it_is_refused(tmp_path: Path, target: str) -> None:
    """A build would read itself, or remove its source."""
    write_set(tmp_path / "set", 1)
    write_manifest(tmp_path / "amp.yaml", ["set"])
    before = tree(tmp_path)
    with pytest.raises(BuildError, match="source"):
        build(tmp_path / "amp.yaml", out=tmp_path / target, jobs=1)
    assert tree(tmp_path) == before


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    """And says what would be made."""
    write_set(tmp_path / "set", 2)
    write_manifest(tmp_path / "amp.yaml", ["set"])
    before = tree(tmp_path)
    report = rebuild(tmp_path, dry_run=True)
    assert (report.originals, report.variants) == (2, 10)
    assert tree(tmp_path) == before


def test_a_set_of_which_nothing_is_left_keeps_its_place_in_the_lock(tmp_path: Path) -> None:
    """The next source must not be taken for it."""
    from amp_datasets.ledger.lock import read_lock
    from amp_datasets.ledger.replay import replay

    for name, seed in (("one", 0), ("two", 1)):
        write_set(tmp_path / name, 1, seed)
    text = (tmp_path / "one" / "annotations" / "train.json").read_text()
    (tmp_path / "one" / "annotations" / "train.json").write_text(text.replace("demo_001.jpg", "gone.jpg"))
    folder = built(tmp_path, [tmp_path / "one", tmp_path / "two"], "build")
    found = [(source["images"], source["source"]["path"]) for source in read_lock(folder)["sources"]]
    assert found == [(0, "../one"), (1, "../two")]
    assert replay(folder, ledger(folder)[1]["file_name"], tmp_path / "again.jpg").same_image


def test_nothing_to_build_is_an_error(tmp_path: Path) -> None:
    """Not an empty folder."""
    write_set(tmp_path / "set", 1)
    write_manifest(tmp_path / "amp.yaml", ["set"], "filters: {}\n", originals="false")
    with pytest.raises(SourceError, match="nothing to make"):
        rebuild(tmp_path)
    next((tmp_path / "set").rglob("*.jpg")).write_bytes(b"")
    write_manifest(tmp_path / "amp.yaml", ["set"])
    with pytest.raises(AmpError):
        rebuild(tmp_path)
    assert not (tmp_path / "build").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["amp.yaml", "set"]


def test_other_drawing_code_makes_all_variants_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands in the target must not decide what a build holds: variants of an older version do not serve."""
    small_build(tmp_path, images=1)
    assert rebuild(tmp_path).reused > 0
    monkeypatch.setattr(keys, "ALGORITHM_VERSION", 0)
    assert rebuild(tmp_path).reused == 0


def test_a_image_inside_its_label_file_is_built(tmp_path: Path) -> None:
    """LabelMe keeps images as text; what is read of one must not be the label file."""
    image = tmp_path / "image.png"
    PillowImage.effect_noise((64, 48), 90).convert("RGB").save(image)
    shape = {"label": "cat", "shape_type": "rectangle", "points": [[4, 5], [40, 30]]}
    document = {"imagePath": "gone.png", "imageWidth": 64, "imageHeight": 48, "shapes": [shape]}
    document["imageData"] = base64.b64encode(image.read_bytes()).decode()
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "gone.json").write_text(json.dumps(document))
    write_manifest(tmp_path / "amp.yaml", ["set"], "filters: {flip: {how: horizontal}}\n")
    report = rebuild(tmp_path)
    assert (report.originals, report.variants) == (1, 1)
    (copy,) = (tmp_path / "build" / "images" / "train").glob("gone.png")
    assert copy.read_bytes() == image.read_bytes()
    lazy = amp.load(tmp_path / "amp.yaml")["train"]
    assert [row["image"].size for row in lazy] == [(64, 48), (64, 48)]
    assert verify(tmp_path / "build", replay="all").findings == []
