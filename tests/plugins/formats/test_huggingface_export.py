"""Hugging Face exports: `datasets` loads them, typed, and they read back exactly."""

from __future__ import annotations

from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import ClassLabel, Image, List, Value
from hf_sets import NAMES, SIZE, a_set, export, read
from PIL import Image as PillowImage

from amp_datasets.model import Category, ImageFile, LabelSet, Sample
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.storage.folder import Folder


@pytest.fixture
def _quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The cache of `datasets` in the test's own folder."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


pytestmark = pytest.mark.usefixtures("_quiet")


@pytest.mark.parametrize("exporter", ["huggingface", "parquet"])
def test_load_dataset_gives_typed_splits(tmp_path: Path, exporter: str) -> None:
    """ClassLabel with the names in order, lists of boxes; a split of background only has the same types."""
    labels = a_set(tmp_path / "in")
    target = export(tmp_path / "out", labels, exporter)
    loaded = datasets.load_dataset(str(target), cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in loaded.items()} == {"train": 2, "validation": 1}
    types = loaded["train"].features
    assert loaded["validation"].features == types
    assert types["objects"]["category"] == List(ClassLabel(names=list(NAMES)))
    assert types["objects"]["bbox"] == List(List(Value("float32"), length=4))
    assert isinstance(types["image"], Image)
    row = loaded["train"][0]
    assert row["image"].size == SIZE
    assert row["objects"]["bbox"][2] == [1.25, 2.5, 7.75, 5.5]
    assert row["objects"]["category"] == [1, 0, 0, 1]
    assert loaded["validation"][0]["objects"]["bbox"] == []


@pytest.mark.parametrize("exporter", ["huggingface", "parquet"])
def test_our_own_folder_reads_back_exactly(tmp_path: Path, exporter: str) -> None:
    """Every kind of label, the whole of the categories, the origin; what was unlabelled is not there."""
    labels = a_set(tmp_path / "in")
    target = export(tmp_path / "out", labels, exporter)
    back = read(target)
    assert back.categories == labels.categories
    assert not back.dropped
    assert sorted((s.split, len(s.annotations)) for s in back.samples) == [
        ("train", 0),
        ("train", 4),
        ("validation", 0),
    ]
    (ours,) = (s for s in labels.samples if s.annotations)
    (theirs,) = (s for s in back.samples if s.annotations)
    assert theirs.origin == ours.origin
    assert theirs.group == ours.origin.source_id if ours.origin else False
    for a, b in zip(ours.annotations, theirs.annotations, strict=True):
        assert (a.category, a.iscrowd, a.mask, a.attributes) == (b.category, b.iscrowd, b.mask, b.attributes)
        np.testing.assert_allclose(b.xyxy, a.xyxy, rtol=1e-6)
        for kind in ("keypoints", "corners"):
            np.testing.assert_array_equal(getattr(b, kind), getattr(a, kind))
        rings = [[ring for p in one.polygons for ring in p.rings] for one in (a, b)]
        for mine, other in zip(*rings, strict=True):
            np.testing.assert_array_equal(other, mine)


def test_images_inside_parquet_are_the_very_files(tmp_path: Path) -> None:
    """Byte for byte, and so they come back."""
    labels = a_set(tmp_path / "in")
    target = export(tmp_path / "out", labels, "parquet")
    rows = datasets.load_dataset(str(target), cache_dir=str(tmp_path / "cache"), split="train")
    plain = rows.cast_column("image", Image(decode=False))
    assert plain[0]["image"] == {"bytes": (tmp_path / "in/мышь 1__blur.jpg").read_bytes(), "path": "мышь 1__blur.jpg"}
    sample = next(s for s in read(target).samples if s.annotations)
    assert sample.source_id == "train/мышь 1__blur.jpg"
    assert sample.image.path.read_bytes() == plain[0]["image"]["bytes"]


def test_shards_are_cut_by_size_and_counted_in_their_names(tmp_path: Path) -> None:
    """No file holds more images than asked for, unless one alone does; no row is lost."""
    noise = np.random.default_rng(0).integers(0, 256, (400, 400, 3), dtype=np.uint8)
    samples = []
    for number in range(4):
        path = tmp_path / f"{number}.png"
        PillowImage.fromarray(noise).save(path)
        samples.append(Sample(path.name, ImageFile(path), (400, 400), split="train"))
    target = export(tmp_path / "out", LabelSet((Category("cat"),), samples), "parquet", max_shard_mb=1)
    assert (
        sorted(path.name for path in (target / "data").iterdir())
        == [f"train-{n:05d}-of-00002.parquet" for n in range(2)] + []
    )
    rows = datasets.load_dataset(str(target), cache_dir=str(tmp_path / "cache"), split="train")
    assert rows["image_id"][:] == [1, 2, 3, 4]


def test_no_file_of_this_machine_is_named_in_an_export(tmp_path: Path) -> None:
    """Paths in shared files tell who made them."""
    for exporter in ("huggingface", "parquet"):
        target = export(tmp_path / exporter, a_set(tmp_path / "in"), exporter)
        assert not [p for p in target.rglob("*") if p.is_file() and str(tmp_path).encode() in p.read_bytes()]


def test_an_amp_build_is_recognised_as_such(tmp_path: Path) -> None:
    """With the lock file the certainty is above that of the other formats lying around the same images."""
    target = export(tmp_path / "out", a_set(tmp_path / "in"), "huggingface")
    source = load_registry().source("huggingface")
    detection = source.detect(Folder(target))
    assert detection is not None
    assert (detection.certainty, "metadata.parquet" in detection.reason) == (90, True)
    (target / "amp.lock.json").write_text("{}")
    detection = source.detect(Folder(target))
    assert detection is not None
    assert detection.certainty == 95


def test_a_forged_file_of_ours_never_reaches_the_mask_code(tmp_path: Path) -> None:
    """Run lengths that do not fill their image drop the row."""
    target = export(tmp_path / "out", a_set(tmp_path / "in"), "huggingface")
    path = target / "images/train/metadata.parquet"
    table = pq.read_table(path)
    rows = table.to_pylist()
    rows[0]["objects"]["mask"][1] = "0" * 10
    rows[1]["objects"] = {**rows[0]["objects"], "mask": [""] * 4, "category": [9, 9, 9, 9]}
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)
    labels = read(target)
    assert [d.reason for d in labels.dropped] == ["row cannot be read"] * 2
    assert not any(sample.annotations for sample in labels.samples)
