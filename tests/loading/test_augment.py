"""Datasets in, datasets out: the same type and columns, variants as a build makes them, in every shape of the hub."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Image, IterableDataset, List, Value

import amp_datasets as amp
from amp_datasets.demo.write import demo_set, write_demo
from amp_datasets.loading.augment import augment
from amp_datasets.loading.columns import BoxForm, from_xyxy
from amp_datasets.loading.epochs import EpochDataset

SIZE = (160, 120)
LABELS = demo_set(4, SIZE)
NAMES = [category.name for category in LABELS.categories]
RECIPE = amp.Recipe([amp.Flip(), amp.Rotate(degrees=10), amp.Blur()], seed=3)


def dataset(shape: str = "columns", form: BoxForm = "xywh", named: bool = True) -> Dataset:
    """The drawn set in one of the shapes found on the hub."""
    kind = ClassLabel(names=NAMES) if named else Value("string")
    types: dict[str, Any] = {"bbox": List(Value("float32")), "category": kind, "area": Value("float32")}
    listed = {name: List(value) for name, value in types.items()}
    objects = {"columns": {"objects": listed}, "records": {"objects": List(types)}, "flat": listed}[shape]
    features = Features({"image": Image(), "image_id": Value("int64"), "note": Value("string"), **objects})
    rows = []
    for number, sample in enumerate(LABELS.samples):
        entries = [
            {
                "bbox": from_xyxy(a.xyxy, form, SIZE),
                "category": NAMES.index(a.category) if named else a.category,
                "area": 1.0,
            }
            for a in sample.annotations
        ]
        columns = {name: [entry[name] for entry in entries] for name in types}
        held = {"columns": {"objects": columns}, "records": {"objects": entries}, "flat": columns}[shape]
        rows.append({"image": {"bytes": sample.image.data, "path": None}, "image_id": number, "note": "n", **held})
    return Dataset.from_list(rows, features=features)


def boxes(row: dict[str, Any], form: BoxForm = "xywh") -> np.ndarray[Any, Any]:
    """A row's boxes (n, 4) as xyxy in pixels."""
    from amp_datasets.loading.columns import to_xyxy

    objects = row.get("objects", row)
    listed = [o["bbox"] for o in objects] if isinstance(objects, list) else objects["bbox"]
    return np.array([to_xyxy(box, form, SIZE) for box in listed])


@pytest.mark.parametrize("shape", ["columns", "records", "flat"])
@pytest.mark.parametrize("form", ["xywh", "xyxy", "cxcywh", "xywhn", "xyxyn", "cxcywhn"])
def test_every_shape_gives_the_same_labels_in_its_own_form(shape: str, form: BoxForm) -> None:
    """What the numbers mean is found from the rows, and the new rows are of the same form."""
    reference = augment(dataset(), RECIPE)
    made = augment(dataset(shape, form), RECIPE)
    assert made.features == dataset(shape, form).features
    assert len(made) == len(reference) == 4 * (1 + 3)
    for ours, theirs in zip(made, reference, strict=True):
        assert np.allclose(boxes(ours, form), boxes(theirs), atol=0.01)
        assert ours["note"] == "n"


def test_a_flip_moves_boxes_with_the_pixels() -> None:
    """x becomes width - x, in labels and in the image alike."""
    original, flipped = augment(dataset(), amp.Recipe([amp.Flip()]))[:2]["image"]
    rows = augment(dataset(), amp.Recipe([amp.Flip()]))
    old, new = boxes(rows[0]), boxes(rows[1])
    assert np.allclose(new[:, [2, 1, 0, 3]] * (-1, 1, -1, 1) + (SIZE[0], 0, SIZE[0], 0), old, atol=0.01)
    assert np.abs(np.asarray(original)[:, ::-1].astype(int) - np.asarray(flipped)).mean() < 2


def test_variants_are_those_of_a_build(tmp_path: Path) -> None:
    """The same images, bit for bit: source bytes, settings and seed decide, nothing else."""
    write_demo(tmp_path / "set", images=4, size=SIZE)
    amp.build(RECIPE, sources=[tmp_path / "set"], out=tmp_path / "build")
    built = {hashlib.sha256(f.read_bytes()).hexdigest() for f in (tmp_path / "build/images").rglob("*.jpg")}
    raw = augment(dataset(), RECIPE).cast_column("image", Image(decode=False))
    made = {hashlib.sha256(row["image"]["bytes"]).hexdigest() for row in raw}
    pixel = amp.Recipe([amp.Blur()], seed=3)
    assert made & built >= {
        hashlib.sha256(row["image"]["bytes"]).hexdigest()
        for row in augment(dataset(), pixel).cast_column("image", Image(decode=False))
    }


def test_the_cache_serves_again_and_a_seed_makes_new_rows() -> None:
    """One fingerprint for one dataset and recipe."""
    first, again = augment(dataset(), RECIPE), augment(dataset(), RECIPE)
    other = augment(dataset(), RECIPE.model_copy(update={"seed": 4}))
    assert first._fingerprint == again._fingerprint != other._fingerprint


def test_iterable_and_split_datasets_keep_their_type() -> None:
    """Lazily for one; for the other only the splits that get variants."""
    lazy = augment(dataset().to_iterable_dataset(), RECIPE)
    assert isinstance(lazy, IterableDataset)
    assert len(list(lazy)) == 16
    both = augment(DatasetDict(train=dataset(), validation=dataset()), RECIPE)
    assert {split: len(rows) for split, rows in both.items()} == {"train": 16, "validation": 4}


def test_a_dataset_is_a_source_of_a_build(tmp_path: Path) -> None:
    """As a path is; a set in memory too."""
    report = amp.build(RECIPE, sources=[dataset(), LABELS], out=tmp_path / "build")
    assert (report.sources, report.variants) == (8, 24)


@pytest.mark.parametrize("missing", ["image", "objects"])
def test_a_dataset_without_images_or_boxes_is_an_error(missing: str) -> None:
    """It says what there is and what to do."""
    with pytest.raises(amp.AmpError, match="no column has"):
        augment(dataset().remove_columns(missing), RECIPE)


def test_every_epoch_draws_anew_and_the_same_again() -> None:
    """(seed, epoch, image) decide; the order of rows does not."""
    rows = dataset()
    transform = RECIPE.transform(rows, epoch=1)
    epochs = []
    for epoch in (1, 2, 1):
        transform.set_epoch(epoch)
        epochs.append([np.asarray(row["image"]) for row in rows.with_transform(transform)])
    assert all(np.array_equal(a, b) for a, b in zip(epochs[0], epochs[2], strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(epochs[0], epochs[1], strict=True))
    transform.set_epoch(1)
    backwards = [np.asarray(rows.with_transform(transform)[i]["image"]) for i in (3, 2, 1, 0)]
    assert all(np.array_equal(a, b) for a, b in zip(epochs[0], backwards[::-1], strict=True))


def test_boxes_that_contradict_what_is_assumed_are_an_error() -> None:
    """Without the dataset nothing is guessed: a box outside of its image says so."""
    rows = dataset(form="xyxy").with_transform(RECIPE.transform())
    with pytest.raises(amp.AmpError, match="lies outside of its image as xywh") as caught:
        list(rows)
    assert "boxes='xyxy'" in str(caught.value.fix)


@pytest.mark.parametrize("workers", [0, 2])
def test_loaders_with_workers_give_the_same_rows(workers: int) -> None:
    """Any number of workers, and the epoch reaches those that live on."""
    torch = pytest.importorskip("torch")
    data = EpochDataset(dataset(), RECIPE.transform(dataset()))
    loader = torch.utils.data.DataLoader(
        data, batch_size=None, num_workers=workers, persistent_workers=workers > 0, multiprocessing_context=None
    )
    seen = []
    for epoch in (0, 5):
        data.set_epoch(epoch)
        seen.append([np.asarray(row["image"]).tobytes() for row in loader])
    plain = EpochDataset(dataset(), RECIPE.transform(dataset(), epoch=5))
    assert seen[1] == [np.asarray(plain[i]["image"]).tobytes() for i in range(4)]
    assert seen[0] != seen[1]


def test_rows_of_a_build_keep_their_outlines(tmp_path: Path) -> None:
    """Polygons in our own rows, holes included, move as COCO's do."""
    write_demo(tmp_path / "set", images=2, size=SIZE)
    amp.build(amp.Recipe(originals=True), sources=[tmp_path / "set"], out=tmp_path / "build")
    rows = amp.load(tmp_path / "build")["train"]
    made = augment(rows, amp.Recipe([amp.Flip()]))
    assert made.features == rows.features
    old, new = made[0]["objects"]["segmentation"], made[1]["objects"]["segmentation"]
    for before, after in zip(old, new, strict=True):
        x_before, x_after = np.array(before[0][0])[::2], np.array(after[0][0])[::2]
        assert np.allclose(np.sort(SIZE[0] - x_before), np.sort(x_after), atol=0.01)
