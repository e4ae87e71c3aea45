"""What training code gets: typed rows of a build, of a lazy set, of a manifest; always those that are there now."""

from __future__ import annotations

import io
import json
import operator
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from builders import write_files
from datasets import ClassLabel, Dataset, DatasetDict, Image, IterableDatasetDict, List, Value, load_dataset
from PIL import Image as PillowImage
from small_builds import FILTERS, small_build, write_manifest, write_set

import amp_datasets as amp
from amp_datasets.building.api import build
from amp_datasets.errors import AmpError, BuildError, ManifestError

FORKS = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
"""Python 3.12 warns of threads at a fork; torch forks its workers all the same."""

SPLITS = "{train: 0.6, validation: 0.4}"


def plain(dataset: Dataset) -> list[dict[str, Any]]:
    """All rows without their images."""
    return list(dataset.remove_columns("image"))


def images(dataset: Any) -> list[bytes]:
    """The files of all rows, opened as any user of `datasets` would."""
    found = []
    for row in dataset.cast_column("image", Image(decode=False)):
        path, content = row["image"]["path"], row["image"]["bytes"]
        if content is None:
            with fsspec.open(path, "rb") as file:
                content = file.read()
        found.append(content)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set, its manifest and its build. Read them, never write to them."""
    place = tmp_path_factory.mktemp("loading")
    small_build(place, images=5, splits=SPLITS)
    return place


@pytest.fixture(scope="module")
def built(folder: Path) -> DatasetDict:
    """The build's rows."""
    return amp.load(folder / "build")


def test_a_build_is_typed(built: DatasetDict) -> None:
    """Classes with names, boxes of four numbers, images that decode."""
    assert list(built) == ["train", "validation"]
    features = built["train"].features
    assert isinstance(features["image"], Image)
    assert features["image_id"] == Value("int64")
    assert features["objects"]["bbox"] == List(List(Value("float32"), length=4))
    assert isinstance(features["objects"]["category"].feature, ClassLabel)
    row = built["train"][0]
    assert row["image"].size == (row["width"], row["height"])
    assert len({len(values) for values in row["objects"].values()}) == 1


def test_a_build_is_what_the_library_itself_reads(folder: Path, built: DatasetDict) -> None:
    """Our own reading of the rows gives what `load_dataset` gives for the folder: types, order, every value."""
    theirs = load_dataset(str(folder / "build"))
    assert list(theirs) == list(built)
    for split, rows in theirs.items():
        assert built[split].features == rows.features
        assert built[split].split == rows.split
        undecoded = (each.cast_column("image", Image(decode=False)) for each in (built[split], rows))
        ours, known = (list(each) for each in undecoded)
        assert ours == known


def test_a_build_streams_in_shards(folder: Path, built: DatasetDict) -> None:
    """Every row once and in order, cut for as many workers as were asked for."""
    stream = amp.load(folder / "build", streaming=True, shards=3)
    assert stream["train"].num_shards == 3
    assert list(stream["train"].remove_columns("image")) == plain(built["train"])


def test_loading_looks_at_no_image(folder: Path) -> None:
    """The rows of a build say where its images are: not one of a hundred thousand is opened to load them."""
    opened: list[str] = []
    watched = [True]  # an audit hook stays for ever
    sys.addaudithook(lambda event, given: opened.append(str(given[0])) if watched and event == "open" else None)
    amp.load(folder / "build")
    watched.clear()
    assert opened
    assert not [name for name in opened if name.endswith((".jpg", ".jpeg", ".png"))]


@pytest.mark.parametrize("kind", ["path", "text", "streaming"])
def test_a_manifest_gives_what_its_build_holds(folder: Path, built: DatasetDict, kind: str) -> None:
    """Every row: image bytes and all label columns, types included."""
    path = folder / "amp.yaml"
    lazy = amp.load(str(path) if kind == "text" else path, streaming=kind == "streaming")
    assert isinstance(lazy, IterableDatasetDict if kind == "streaming" else DatasetDict)
    assert list(lazy) == list(built)
    for split, rows in built.items():
        assert lazy[split].features == rows.features
        assert list(lazy[split].remove_columns("image")) == plain(rows)
        assert images(lazy[split]) == images(rows)


def test_rows_can_be_read_in_any_order(folder: Path, built: DatasetDict) -> None:
    """Nothing that was made before decides what is made now."""
    lazy, made = amp.load(folder / "amp.yaml")["train"], built["train"]
    order = np.random.default_rng(0).permutation(len(made))
    for index in order:
        assert np.array_equal(np.asarray(lazy[int(index)]["image"]), np.asarray(made[int(index)]["image"]))
    assert images(lazy.select(order[:5])) == images(made.select(order[:5]))


def test_labels_can_be_read_without_making_an_image(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Statistics over a large set cost nothing."""
    from amp_datasets.loading.lazy import LazySet

    def never(*_: Any) -> bytes:
        raise AssertionError("an image was made")

    monkeypatch.setattr(LazySet, "image", never)
    assert len(amp.load(folder / "amp.yaml")["train"]["image_id"]) > 0


@FORKS
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_loader_with_workers_sees_every_row_once(folder: Path, built: DatasetDict, method: str) -> None:
    """Also in processes that were started afresh and know the address of a row only."""
    data = pytest.importorskip("torch.utils.data")
    lazy = amp.load(folder / "amp.yaml")["train"].select_columns(["image", "image_id"])
    if method == "spawn":
        lazy = lazy.select(range(4))
    loader = data.DataLoader(
        lazy, num_workers=2, shuffle=True, collate_fn=operator.itemgetter(0), multiprocessing_context=method
    )
    seen = {row["image_id"]: np.asarray(row["image"]) for row in loader}
    expected = {row["image_id"]: np.asarray(row["image"]) for row in built["train"].select(range(len(lazy)))}
    assert len(loader) == len(seen)
    assert {key: value.tobytes() for key, value in seen.items()} == {k: v.tobytes() for k, v in expected.items()}


@FORKS
def test_a_streamed_loader_with_workers_sees_every_row_once(folder: Path, built: DatasetDict) -> None:
    """The shards are divided among the workers."""
    data = pytest.importorskip("torch.utils.data")
    stream = amp.load(folder / "amp.yaml", streaming=True, shards=3)["train"].select_columns(["image_id"])
    assert stream.num_shards == 3
    seen = [int(row["image_id"]) for row in data.DataLoader(stream, batch_size=None, num_workers=2)]
    assert sorted(seen) == sorted(built["train"]["image_id"])


def test_settings_and_sources_replace_the_manifests(folder: Path, tmp_path: Path) -> None:
    """As on the command line."""
    other = write_set(tmp_path / "other", 2, seed=9)
    lazy = amp.load(folder / "amp.yaml", sources=[other], settings=["originals=false", "splits=keep", "mixes={}"])
    build(folder / "amp.yaml", out=tmp_path / "build", sources=[other], jobs=1,
          settings=["originals=false", "splits=keep", "mixes={}"])  # fmt: skip
    assert images(lazy["train"]) == images(amp.load(tmp_path / "build")["train"])


def test_a_rebuilt_folder_gives_its_new_rows(tmp_path: Path) -> None:
    """`datasets` caches by a folder's name: neither an earlier build nor one of the same name elsewhere comes back."""
    small_build(tmp_path / "a", images=2)
    first = plain(amp.load(tmp_path / "a" / "build")["train"])
    plain_first = plain(load_dataset(str(tmp_path / "a" / "build"))["train"])
    assert first == plain_first
    write_manifest(tmp_path / "a" / "amp.yaml", ["set"], FILTERS, seed=99)
    build(tmp_path / "a" / "amp.yaml", out=tmp_path / "a" / "build", jobs=1)
    second = plain(amp.load(tmp_path / "a" / "build")["train"])
    assert second != first
    assert plain(load_dataset(str(tmp_path / "a" / "build"))["train"]) == second
    small_build(tmp_path / "b", images=3)
    assert len(amp.load(tmp_path / "b" / "build")["train"]) != len(first)
    shutil.copytree(tmp_path / "b" / "build", tmp_path / "c" / "build")
    amp.load(tmp_path / "b" / "build")
    shutil.rmtree(tmp_path / "b")
    assert len(images(amp.load(tmp_path / "c" / "build")["train"])) > 0


def test_changed_classes_of_a_manifest_are_noticed(tmp_path: Path) -> None:
    """Their order decides about ids, though no image changes."""
    write_set(tmp_path / "set", 2)
    names = ["fish", "leaf", "pebble", "starfish"]
    for order in (names, names[::-1]):
        path = write_manifest(tmp_path / "amp.yaml", ["set"], classes=json.dumps(order))
        assert amp.load(path)["train"].features["objects"]["category"].feature.names == order


def test_planning_is_done_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second load takes the plan from the cache."""
    first = amp.load(folder / "amp.yaml")

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("planned again")

    monkeypatch.setattr("amp_datasets.loading.load.make", never)
    assert plain(amp.load(folder / "amp.yaml")["train"]) == plain(first["train"])


def test_a_changed_source_is_an_error_that_says_so(tmp_path: Path) -> None:
    """Not another image under old labels, and nothing unreadable either."""
    write_set(tmp_path / "set", 2)
    write_manifest(tmp_path / "amp.yaml", ["set"])
    lazy = amp.load(tmp_path / "amp.yaml")["train"]
    for image in (tmp_path / "set").rglob("*.jpg"):
        PillowImage.new("RGB", (64, 48)).save(image)
    with pytest.raises(BuildError, match="the source has changed since the build"):
        lazy[0]
    for image in (tmp_path / "set").rglob("*.jpg"):
        image.unlink()
    with pytest.raises(AmpError, match="cannot be read"):
        lazy[len(lazy) - 1]


def test_a_manifest_that_gives_no_image_is_told(tmp_path: Path) -> None:
    """Instead of a dataset without splits."""
    for image in write_set(tmp_path / "set", 2).rglob("*.jpg"):
        image.write_bytes(image.read_bytes()[:-500])
    with pytest.raises(AmpError, match="no usable image is left"):
        amp.load(write_manifest(tmp_path / "amp.yaml", ["set"]))


def test_zips_and_turned_images_are_lazy_too(tmp_path: Path) -> None:
    """Sources that are no plain file give the built bytes as well."""
    exif = PillowImage.Exif()
    exif[0x0112] = 6
    stream = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    PillowImage.fromarray(pixels).save(stream, "JPEG", exif=exif)
    rows = "filename,width,height,class,xmin,ymin,xmax,ymax\na b.jpg,48,64,cat,5,6,25,36\n"
    write_files(tmp_path / "set", {"a b.jpg": stream.getvalue(), "labels.csv": rows})
    shutil.make_archive(str(tmp_path / "é 100%"), "zip", tmp_path / "set")
    path = write_manifest(tmp_path / "amp.yaml", ["é 100%.zip"])
    build(path, out=tmp_path / "build", jobs=1)
    assert images(amp.load(path)["train"]) == images(amp.load(tmp_path / "build")["train"])


def test_what_is_no_set_is_told(tmp_path: Path) -> None:
    """A folder of other things, a missing manifest."""
    with pytest.raises(BuildError, match="neither a build nor a manifest"):
        amp.load(tmp_path)
    with pytest.raises(ManifestError, match="the manifest is missing"):
        amp.load(tmp_path / "amp.yaml")


def test_the_public_names_are_there_and_light() -> None:
    """`import amp_datasets` costs nothing until something is used."""
    assert {"build", "load", "AmpError"} <= set(amp.__all__)
    assert all(getattr(amp, name) is not None for name in amp.__all__)
    with pytest.raises(AttributeError, match="no attribute 'biuld'"):
        amp.biuld  # noqa: B018
    code = "import sys, amp_datasets; sys.exit('numpy' in sys.modules or 'datasets' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
