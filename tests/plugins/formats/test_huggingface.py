"""Hugging Face datasets as people have them on disk are read, and what is wrong in them is counted."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import DatasetDict
from hf_sets import NAMES, ROW, a_dataset, metadata, read, reasons, row, write_image
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amp_datasets.errors import AmpError, SourceError
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.storage.folder import Folder


@pytest.fixture
def _quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The cache of `datasets` in the test's own folder."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


pytestmark = pytest.mark.usefixtures("_quiet")


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
@pytest.mark.parametrize("category", ["category", "categories", "label"])
def test_metadata_beside_images(tmp_path: Path, kind: str, category: str) -> None:
    """In each split folder, of any of the three kinds; images without a row are unlabelled."""
    for split in ("train", "val"):
        write_image(tmp_path / split / "a b.jpg")
        objects = {"bbox": ROW["bbox"], category: ["cat"]}
        path = tmp_path / split / f"metadata.{kind}"
        if kind == "jsonl":
            path.write_text(json.dumps({"file_name": "a b.jpg", "objects": objects}) + "\n\n")
        elif kind == "csv":
            text = json.dumps(objects).replace('"', '""')
            path.write_text(f'file_name,objects\r\na b.jpg,"{text}"\r\n')
        else:
            pq.write_table(pa.Table.from_pylist([{"file_name": "a b.jpg", "objects": objects}]), path)
    write_image(tmp_path / "train/unknown.jpg")
    labels = read(tmp_path)
    assert [(s.source_id, s.split, s.labelled) for s in labels.samples] == [
        ("train/a b.jpg", "train", True),
        ("train/unknown.jpg", "train", False),
        ("val/a b.jpg", "validation", True),
    ]
    assert [[(a.category, a.xyxy) for a in s.annotations] for s in labels.samples if s.labelled] == [
        [("cat", (10, 12, 30, 27))]
    ] * 2


def test_metadata_speaks_of_its_own_folder_only(tmp_path: Path) -> None:
    """An image that only another split has is missing, and does not change sides."""
    metadata(tmp_path / "train", {"file_name": "only in val.jpg", "objects": ROW})
    write_image(tmp_path / "val/only in val.jpg")
    labels = read(tmp_path)
    assert reasons(labels) == {"image is missing"}
    assert not any(sample.labelled for sample in labels.samples)


def test_bare_numbers_are_named_by_the_option_or_by_themselves(tmp_path: Path) -> None:
    """In numeric order; nobody's names are made up."""
    boxes = [[1.0, 1.0, 5.0, 5.0], [20.0, 1.0, 5.0, 5.0]]
    root = metadata(tmp_path, row(bbox=boxes, category=[10, 2]))
    assert [c.name for c in read(root).categories] == ["2", "10"]
    named = read(root, names=[f"class {n}" for n in range(11)])
    assert [a.category for s in named.samples for a in s.annotations] == ["class 10", "class 2"]
    assert len(named.categories) == 11


def test_a_number_without_a_name_is_dropped(tmp_path: Path) -> None:
    """Class 1 of a list of one."""
    labels = read(metadata(tmp_path, row()), names=["only"])
    assert reasons(labels) == {"label cannot be read", "no usable label"}


@pytest.mark.parametrize(("boxes", "numbers"), [("xyxy", [10, 12, 30, 27]), ("cxcywh", [20, 19.5, 20, 15])])
def test_other_boxes_by_option(tmp_path: Path, boxes: str, numbers: list[float]) -> None:
    """The file does not say which they are."""
    (sample,) = read(metadata(tmp_path, row(bbox=[numbers])), boxes=boxes).samples
    assert sample.annotations[0].xyxy == (10, 12, 30, 27)


def test_objects_as_a_list_of_mappings(tmp_path: Path) -> None:
    """The form of older sets; COCO polygons in it are understood."""
    square = [10, 12, 30, 12, 30, 27, 10, 27]
    one = {"bbox": [10, 12, 20, 15], "category": "cat", "segmentation": [square], "area": 300}
    (sample,) = read(metadata(tmp_path, {"file_name": "a.jpg", "objects": [one]})).samples
    assert len(sample.annotations[0].polygons[0].exterior) == 4


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (row(bbox=[[1, 2, 3]]), "label cannot be read"),
        (row(bbox=[[float("nan"), 2, 3, 4]]), "label cannot be read"),
        (row(category=[None]), "label cannot be read"),
        (row(category=[1, 2]), "row cannot be read"),
        ({"file_name": "a.jpg", "objects": [3]}, "row cannot be read"),
        ({"file_name": "a.jpg", "objects": 3}, "row cannot be read"),
        ({"file_name": "missing.jpg", "objects": ROW}, "image is missing"),
        ({"file_name": "../secret.jpg", "objects": ROW}, "image is missing"),
        ({"file_name": None, "objects": ROW}, "image is missing"),
        ({**row(), "width": 640, "height": 480}, "label file contradicts the image's size"),
    ],
)
def test_bad_rows_are_dropped_and_counted(tmp_path: Path, bad: dict[str, Any], reason: str) -> None:
    """The good row in the other image stays."""
    write_image(tmp_path / "secret.jpg")
    write_image(tmp_path / "set/good.jpg")
    labels = read(metadata(tmp_path / "set", bad, {"file_name": "good.jpg", "objects": ROW}))
    assert reason in reasons(labels)
    assert [s.source_id for s in labels.samples if s.annotations] == ["good.jpg"]


@pytest.mark.parametrize("splits", [True, False])
def test_saved_datasets(tmp_path: Path, splits: bool) -> None:
    """`save_to_disk` of one dataset or of several splits; all declared classes, also those without labels."""
    saved = DatasetDict({"train": a_dataset(), "validation": a_dataset()}) if splits else a_dataset()
    saved.save_to_disk(str(tmp_path / "set"))
    labels = read(tmp_path / "set")
    assert [c.name for c in labels.categories] == list(NAMES)
    assert [(s.split, [a.category for a in s.annotations]) for s in labels.samples] == (
        [("train", []), ("train", ["big dog"]), ("validation", []), ("validation", ["big dog"])]
        if splits
        else [(None, []), (None, ["big dog"])]
    )
    assert all(sample.image.path.is_file() for sample in labels.samples)


def test_parquet_shards_of_others_also_in_a_zip(tmp_path: Path) -> None:
    """Images of one name in one split stay two; the same bytes are spooled once."""
    (tmp_path / "set/data").mkdir(parents=True)
    for number in range(2):
        a_dataset().to_parquet(str(tmp_path / f"set/data/train-0000{number}-of-00002.parquet"))
    labels = read(tmp_path / "set")
    assert len(labels.samples) == 4
    assert {sample.split for sample in labels.samples} == {"train"}
    assert len({sample.image.path for sample in labels.samples}) == 2
    archive = Path(shutil.make_archive(str(tmp_path / "zipped"), "zip", tmp_path / "set"))
    assert [s.source_id for s in read(archive).samples] == [s.source_id for s in labels.samples]


def test_files_of_rows_without_objects_are_something_else(tmp_path: Path) -> None:
    """A table of numbers, a ledger, a damaged file: not a labelled set."""
    pq.write_table(pa.table({"file_name": ["a.jpg"], "price": [1.5]}), tmp_path / "metadata.parquet")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 not really")
    (tmp_path / "state.json").write_text("[]")
    assert load_registry().source("huggingface").detect(Folder(tmp_path)) is None
    with pytest.raises(SourceError, match="no file has rows"):
        read(tmp_path)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_fields = st.sampled_from(("width", "height", "file_name", "image"))
_objects = st.dictionaries(st.sampled_from(("bbox", "category", "segmentation", "iscrowd", "keypoints")), _json)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    objects=_objects | _json, more=st.dictionaries(st.sampled_from(("width", "height", "file_name", "image")), _json)
)
def test_whatever_the_rows_only_our_errors_come_out(tmp_path: Path, objects: Any, more: dict[str, Any]) -> None:
    """Wrong types anywhere."""
    with contextlib.suppress(AmpError):
        read(metadata(tmp_path, row(), {"file_name": "a.jpg", "objects": objects, **more}))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 4000), noise=st.binary(min_size=1, max_size=20), kind=st.sampled_from(("arrow", "parquet")))
def test_whatever_the_bytes_only_our_errors_come_out(tmp_path: Path, at: int, noise: bytes, kind: str) -> None:
    """Damage anywhere in a binary file."""
    root = tmp_path / kind
    file = root / ("data-00000-of-00001.arrow" if kind == "arrow" else "train.parquet")
    if not root.exists():
        if kind == "arrow":
            a_dataset().save_to_disk(str(root))
        else:
            root.mkdir()
            a_dataset().to_parquet(str(file))
        shutil.copyfile(file, tmp_path / f"{kind}.good")
    good = (tmp_path / f"{kind}.good").read_bytes()
    file.write_bytes(good[:at] + noise + good[at + len(noise) :])
    with contextlib.suppress(AmpError):
        read(root)
