"""An export holds what the source holds, in another format, and says what that format cannot hold."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import image_bytes, make_sample, write_files
from PIL import Image as PillowImage
from PIL import ImageOps
from small_builds import rebuild, small_build, tree, write_manifest, write_set

from amp_datasets.errors import AmpError, BuildError, PluginError, SourceError
from amp_datasets.exchange.conversion import ExportReport, export, export_zip, named
from amp_datasets.images.codec import Limits
from amp_datasets.manifest.model import SourceSettings
from amp_datasets.model import LabelSet
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.sources.open import read_source
from amp_datasets.storage.target import GrowingFolder

REGISTRY = load_registry()
OF_OBJECTS = sorted(name for name, plugin in REGISTRY.exporters.items() if not plugin.classifies)
READABLE = {name: name.split("-")[0] for name in OF_OBJECTS if name.split("-")[0] in REGISTRY.sources}
READABLE["parquet"] = "huggingface"
FLAT = {"coco_panoptic", "masks", "masks-voc", "widerface"}
"""Formats of one label a pixel, or of boxes in whole numbers: their round trips have tests of their own."""
OF_BUILDS = {"seed"}
"""Exporters that lay out the variants of a build."""


def read(folder: Path) -> LabelSet:
    """Any set."""
    return read_source(SourceSettings(path=str(folder)), REGISTRY, Limits())[0]


def boxes(labels: LabelSet) -> Counter[tuple[str | None, str, tuple[float, ...]]]:
    """Every label by split, class and box."""
    found = ((s.split, a.category, tuple(round(v, 2) for v in a.xyxy)) for s in labels.samples for a in s.annotations)
    return Counter(found)


def classes(labels: LabelSet) -> Counter[tuple[str | None, str]]:
    """Every label by split and class."""
    return Counter(key[:2] for key in boxes(labels).elements())


def run(what: Path | str, to: str, out: Path, **more: Any) -> ExportReport:
    """An export with all plugins."""
    return export(what, to, out, REGISTRY, **more)


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build. Read it, never write to it."""
    return small_build(tmp_path_factory.mktemp("export"), images=3, splits="{train: 0.7, validation: 0.3}")


@pytest.mark.parametrize("to", sorted(set(READABLE) - FLAT))
def test_a_build_exported_and_read_again_has_its_labels(build: Path, tmp_path: Path, to: str) -> None:
    """Every registered format that can be read, recognised by itself: each label in its split, with its box."""
    report = run(build, to, tmp_path / "out")
    before, after = read(build), read(tmp_path / "out")
    assert report.images == len(before.samples) == len(after.samples)
    assert "unlabelled" not in report.lost
    holds = REGISTRY.exporter(to).holds
    if "corners" in holds and "polygon" not in holds:  # an oriented box has other bounds than its polygon
        assert classes(after) == classes(before)
    else:
        assert boxes(after) == boxes(before)


@pytest.mark.parametrize("to", sorted(set(OF_OBJECTS) - {"parquet", "tfrecord", "webdataset"}))
def test_images_are_links_or_copies_byte_for_byte(build: Path, tmp_path: Path, to: str) -> None:
    """Links by default, which cost nothing; `copy` makes files of their own. Never is an image encoded again."""
    before = {file.read_bytes(): file.stat().st_ino for file in (build / "images").rglob("*.jpg")}
    for copy in (False, True):
        out = tmp_path / f"out-{copy}"
        run(build, to, out, copy=copy)
        files = list(out.rglob("*.jpg"))
        assert {file.read_bytes() for file in files} <= set(before)
        assert len({file.read_bytes() for file in files}) >= len(before) - (3 if to in OF_BUILDS else 0)
        assert all((file.stat().st_ino == before[file.read_bytes()]) is not copy for file in files)


def test_exporting_changes_nothing_in_the_source(build: Path, tmp_path: Path) -> None:
    """Links are safe as long as nobody writes into them, and no exporter does."""
    before = tree(build)
    for to in OF_OBJECTS:
        run(build, to, tmp_path / to)
    assert tree(build) == before


@pytest.mark.parametrize("place", ["set", "set/inside", ".", "full", "file", "link"])
def test_targets_in_the_source_or_in_use_are_refused(tmp_path: Path, place: str) -> None:
    """The source itself, a folder in it, a folder around it; one that is not empty; a file; a link."""
    write_set(tmp_path / "set", 1)
    write_files(tmp_path, {"full/thesis.txt": "years", "file": "text"})
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    before = tree(tmp_path)
    with pytest.raises(BuildError, match=r"its own source|there already and not empty"):
        run(tmp_path / "set", "yolo", tmp_path / place)
    assert tree(tmp_path) == before


def test_an_empty_folder_is_a_target(tmp_path: Path) -> None:
    """Somebody made it for this purpose."""
    write_set(tmp_path / "set", 1)
    (tmp_path / "out").mkdir()
    assert run(tmp_path / "set", "yolo", tmp_path / "out").images == 1


@pytest.mark.parametrize(
    ("to", "more", "kind", "words"),
    [
        ("yollo", {}, PluginError, "did you mean `yolo`"),
        ("coco", {"source_format": "cocoo"}, PluginError, "did you mean `coco`"),
        ("csv", {"options": {"integer": True}}, PluginError, "did you mean `integers`"),
        ("csv", {"options": {"integers": "perhaps"}}, SourceError, "the option `integers` of csv"),
        ("yolo", {"options": {"a": 1}}, PluginError, "its options are: task"),
        ("coco", {"source_format": "voc"}, SourceError, "not one labelled image"),
    ],
)
def test_bad_input_is_told_and_leaves_nothing(
    tmp_path: Path, to: str, more: dict[str, Any], kind: type[AmpError], words: str
) -> None:
    """Not even the folder above the target."""
    write_set(tmp_path / "set", 1)
    before = tree(tmp_path)
    with pytest.raises(kind, match=words):
        run(tmp_path / "set", to, tmp_path / "new" / "out", **more)
    assert tree(tmp_path) == before


def test_a_set_without_labels_is_refused(tmp_path: Path) -> None:
    """There is nothing to convert."""
    rows = "filename,width,height,class,xmin,ymin,xmax,ymax\n"
    write_files(tmp_path / "set", {"a.jpg": "", "labels.csv": rows})
    with pytest.raises(SourceError, match="not one labelled image"):
        run(tmp_path / "set", "coco", tmp_path / "out", source_format="csv")
    assert not (tmp_path / "out").exists()


def test_an_export_that_breaks_off_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image vanishes, the disk is full, the user presses Ctrl-C: no target, no work folder; and again it works."""
    source = write_set(tmp_path / "set", 3)
    image = next(source.rglob("*_002.jpg"))

    def vanish(_what: str, _done: int, _total: int) -> None:
        image.unlink(missing_ok=True)

    def interrupt(_what: str, _done: int, _total: int) -> None:
        raise KeyboardInterrupt

    content = image.read_bytes()
    for progress, kind in ((vanish, AmpError), (interrupt, KeyboardInterrupt)):
        with pytest.raises(kind):
            run(source, "voc", tmp_path / "out", progress=progress)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["set"]
        image.write_bytes(content)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfileobj", full)
        with pytest.raises(BuildError, match="No space left on device"):
            run(source, "voc", tmp_path / "out", copy=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set"]
    (tmp_path / ".out.amp-work" / "tree").mkdir(parents=True)
    assert run(source, "voc", tmp_path / "out").images == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "set"]


def test_losses_are_counted_and_told(build: Path, tmp_path: Path) -> None:
    """What YOLO boxes cannot hold of polygons, and what a reader set aside."""
    report = run(build, "yolo-detect", tmp_path / "out")
    labels = sum(len(sample.annotations) for sample in read(build).samples)
    assert (report.labels, report.lost["polygon"]) == (labels, labels)
    assert f"lost: {labels} x polygon (yolo-detect cannot hold it)" in report.as_text()
    assert run(build, "coco", tmp_path / "coco").lost == {}
    rows = "filename,width,height,class,xmin,ymin,xmax,ymax\na.jpg,64,48,cat,5,6,25,36\ngone.jpg,64,48,cat,5,6,25,36\n"
    write_files(tmp_path / "set", {"a.jpg": "", "bare.jpg": "", "labels.csv": rows})
    report = run(tmp_path / "set", "voc", tmp_path / "voc")
    assert (report.images, report.lost) == (1, {"unlabelled": 1})
    assert any("gone.jpg" in line for line in report.as_text())
    assert report.to_json()["dropped"][0]["count"] == 1


def test_options_reach_the_exporter(build: Path, tmp_path: Path) -> None:
    """Integers instead of exact numbers, in a CSV."""
    run(build, "csv", tmp_path / "out", options={"integers": True})
    rows = [row.split(",") for file in (tmp_path / "out").rglob("*.csv") for row in file.read_text().splitlines()[1:]]
    assert rows
    assert all(value.isdigit() for row in rows for value in row[-4:])


def test_a_zip_is_exported_like_its_folder(tmp_path: Path) -> None:
    """Its images are unpacked one by one to where they belong."""
    write_set(tmp_path / "set", 2)
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for file in sorted((tmp_path / "set").rglob("*")):
            archive.write(file, file.relative_to(tmp_path / "set"))
    run(tmp_path / "set", "yolo", tmp_path / "from-folder")
    run(tmp_path / "set.zip", "yolo", tmp_path / "from-zip")
    assert tree(tmp_path / "from-zip") == tree(tmp_path / "from-folder")


@pytest.mark.parametrize("seconds", [-62_135_596_800, -1_000_000_000, 0, 4_354_819_200, 32_503_680_000])
def test_a_clock_that_is_wrong_changes_nothing(tmp_path: Path, seconds: int) -> None:
    """Files of the year 1, 1938, 1970, 2108 and 3000 are zipped (a zip knows 1980 to 2107) and built alike."""
    for name in ("usual", "wrong"):
        write_set(tmp_path / name / "set", 2)
        write_manifest(tmp_path / name / "amp.yaml", ["set"], "filters: {flip: {}}\n")
    for path in (tmp_path / "wrong" / "set").rglob("*"):
        os.utime(path, (seconds, seconds))
    for name in ("usual", "wrong"):
        export_zip(tmp_path / name / "set", "yolo", tmp_path / name / "out", REGISTRY)
        rebuild(tmp_path / name)
    zips = [(tmp_path / name / "out.zip").read_bytes() for name in ("usual", "wrong")]
    assert zips[0] == zips[1]
    assert tree(tmp_path / "usual" / "build") == tree(tmp_path / "wrong" / "build")


def test_a_zip_is_written_whole_and_the_same_each_time(tmp_path: Path) -> None:
    """Its bytes do not tell when it was made, nothing lies beside it, and one that is there is left alone."""
    write_set(tmp_path / "set", 2)
    for name in ("one", "two"):
        export_zip(tmp_path / "set", "yolo", tmp_path / name / "set", REGISTRY)
        for file in (tmp_path / "set").rglob("*.jpg"):
            os.utime(file, (10**9, 10**9))
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["set.zip"]
    run(tmp_path / "set", "yolo", tmp_path / "folder")
    with zipfile.ZipFile(tmp_path / "one" / "set.zip") as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    files = [path for path in (tmp_path / "folder").rglob("*") if path.is_file()]
    assert found == {f"set/{path.relative_to(tmp_path / 'folder').as_posix()}": path.read_bytes() for path in files}
    with pytest.raises(BuildError, match="there already"):
        export_zip(tmp_path / "set", "coco", tmp_path / "one" / "set.zip", REGISTRY)
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_an_export_killed_at_its_last_step_is_tidied_by_the_next(tmp_path: Path) -> None:
    """The tree stands, the empty work folder too: the next run refuses the target and removes that."""
    write_set(tmp_path / "set", 2)
    run(tmp_path / "set", "yolo", tmp_path / "out")
    with GrowingFolder(tmp_path / "other"):
        (tmp_path / ".other.amp-work").rename(tmp_path / ".out.amp-work")
    with pytest.raises(BuildError, match="there already"):
        run(tmp_path / "set", "yolo", tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "set"]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_a_turned_image_is_turned_upright(tmp_path: Path, orientation: int, suffix: str) -> None:
    """Its pixels lie as its labels do, so a trainer that ignores EXIF sees what one that honours it sees."""
    exif = PillowImage.Exif()
    exif[0x0112] = orientation
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[:20, :40] = (250, 30, 30)
    (tmp_path / "set").mkdir()
    PillowImage.fromarray(pixels).save(tmp_path / "set" / f"a.{suffix}", exif=exif, quality=98)
    with PillowImage.open(tmp_path / "set" / f"a.{suffix}") as image:
        upright = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    rows, columns = np.nonzero(upright[..., 0] > 150)
    box = f"{columns.min()},{rows.min()},{columns.max() + 1},{rows.max() + 1}"
    size = f"{upright.shape[1]},{upright.shape[0]}"
    text = f"filename,width,height,class,xmin,ymin,xmax,ymax\na.{suffix},{size},cat,{box}\n"
    (tmp_path / "set" / "labels.csv").write_text(text)
    report = run(tmp_path / "set", "coco", tmp_path / "out")
    assert report.turned == (0 if orientation == 1 else 1)
    assert any("turned upright" in line for line in report.as_text()) is (orientation != 1)
    (file,) = (tmp_path / "out").rglob(f"*.{suffix}")
    with PillowImage.open(file) as image:
        assert image.getexif().get(0x0112, 1) == 1
        found = np.asarray(image.convert("RGB"))
    assert found.shape == upright.shape
    assert np.abs(found.astype(int) - upright).max() < (60 if suffix == "jpg" else 1)
    ((x0, y0, x1, y1),) = [a.xyxy for s in read(tmp_path / "out").samples for a in s.annotations]
    assert f"{x0:g},{y0:g},{x1:g},{y1:g}" == box


ODD = ("with space.jpg", "é(1).jpg", "50%20off.jpg", "日本.JPG", "it's.jpg", "a.b.c.jpg", "x[1].jpeg", "UPPER.PNG")


@pytest.mark.parametrize("to", sorted(READABLE))
def test_odd_names_arrive(tmp_path: Path, to: str) -> None:
    """Spaces, accents, percent signs, quotes, brackets, capital endings: every image has its own labels again."""
    rows = ["filename,width,height,class,xmin,ymin,xmax,ymax"]
    for number, name in enumerate(ODD):
        kind = "PNG" if name.lower().endswith("png") else "JPEG"
        write_files(tmp_path / "set", {name: image_bytes((64 + 2 * number, 48), kind)})
        rows.append(f"{name},{64 + 2 * number},48,cat,{number},6,{number + 20},36")
    (tmp_path / "set" / "labels.csv").write_text("\n".join(rows), encoding="utf-8")
    report = run(tmp_path / "set", to, tmp_path / "out")
    assert report.images == len(ODD)
    found = {s.size[0]: a.xyxy[0] for s in read(tmp_path / "out").samples for a in s.annotations}
    assert {width: round(x, 3) for width, x in found.items()} == {64 + 2 * n: n for n in range(len(ODD))}


def test_names_become_flat_and_unique() -> None:
    """Two endings or two folders share a stem; every sample gets a split."""
    names = ["a.jpg", "a.PNG", "one/a.jpg", "a-2.jpg", "A.jpeg", "train station.jpg", ".jpg"]
    found = named([make_sample(name, split=None) for name in names])
    files = [sample.source_id for sample in found]
    assert files[0] == "a.jpg"
    assert len({Path(file).stem.casefold() for file in files}) == len(names)
    assert not any("/" in file for file in files)
    assert [Path(file).suffix for file in files[:5]] == [".jpg", ".png", ".jpg", ".jpg", ".jpeg"]
    assert {sample.split for sample in found} == {"train"}


def test_the_same_stem_with_two_endings_stays_two_images(tmp_path: Path) -> None:
    """In YOLO both would share one label file."""
    rows = "filename,width,height,class,xmin,ymin,xmax,ymax\na.jpg,64,48,cat,5,6,25,36\na.png,64,48,dog,1,2,11,12\n"
    write_files(tmp_path / "set", {"a.jpg": "", "a.png": "", "labels.csv": rows})
    run(tmp_path / "set", "yolo", tmp_path / "out")
    assert boxes(read(tmp_path / "out")) == {("train", "cat", (5, 6, 25, 36)): 1, ("train", "dog", (1, 2, 11, 12)): 1}


def test_progress_is_told(build: Path, tmp_path: Path) -> None:
    """From nothing on, with the number of all images."""
    told: list[tuple[str, int, int]] = []
    report = run(build, "voc", tmp_path / "out", progress=lambda *step: told.append(step))
    assert told[0] == ("writing voc", 0, report.images)


def test_a_link_to_itself_is_told(tmp_path: Path) -> None:
    """As source and as target."""
    (tmp_path / "loop").symlink_to("loop")
    for what, out in ((tmp_path / "loop", tmp_path / "out"), (tmp_path, tmp_path / "loop")):
        with pytest.raises(AmpError):
            run(what, "coco", out)
