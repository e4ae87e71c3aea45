"""Every part of a recipe counts where rows are augmented, or is refused with what to do instead."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import Dataset, Image

import amp_datasets as amp
from amp_datasets.demo.write import write_demo

SIZE = (160, 120)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn set, and its originals as rows. Read it, never write to it."""
    folder = tmp_path_factory.mktemp("rows")
    write_demo(folder / "set", images=5, size=SIZE)
    amp.build(amp.Recipe(originals=True), sources=[folder / "set"], out=folder / "rows")
    return folder


@pytest.fixture
def rows(place: Path) -> Dataset:
    """The set as a dataset with outlines."""
    dataset: Dataset = amp.load(place / "rows")["train"]
    return dataset


def digests(dataset: Any) -> list[str]:
    """Of the images' files."""
    raw = dataset.cast_column("image", Image(decode=False))
    data = [row["image"]["bytes"] or Path(row["image"]["path"]).read_bytes() for row in raw]
    return [hashlib.sha256(each).hexdigest() for each in data]


def built(place: Path, recipe: amp.Recipe, out: Path) -> Any:
    """The rows of a build of the same set."""
    amp.build(recipe, sources=[place / "set"], out=out)
    return amp.load(out)["train"]


RECIPES = {
    "resize": amp.Recipe([amp.Flip()], preprocess=[amp.Resize(size=(80, 80))], seed=4),
    "tiles": amp.Recipe([amp.Flip()], preprocess=[amp.Tile(rows=2, columns=2)], seed=4),
    "values": amp.Recipe([amp.Flip()], preprocess=[amp.Grayscale()], originals=True),
}


@pytest.mark.parametrize("name", RECIPES)
def test_preprocessing_makes_the_images_of_a_build(place: Path, rows: Dataset, tmp_path: Path, name: str) -> None:
    """Originals and variants, and their boxes; tiles of one row are rows of their own."""
    expected = built(place, RECIPES[name], tmp_path / "build")
    made = amp.augment(rows, RECIPES[name])
    assert sorted(digests(made)) == sorted(digests(expected))
    theirs = dict(zip(digests(expected), expected, strict=True))
    for digest, row in zip(digests(made), made, strict=True):
        same = theirs[digest]
        assert (row["width"], row["height"]) == row["image"].size == same["image"].size
        assert row["objects"]["category"] == same["objects"]["category"]
        assert np.allclose(row["objects"]["bbox"], same["objects"]["bbox"], atol=0.02)


@pytest.mark.parametrize("joining", [amp.Mosaic(), amp.CopyPaste()])
def test_rows_join_with_other_rows(rows: Dataset, joining: Any) -> None:
    """Labels of other rows come with their class, area and outline, in the types of the dataset."""
    made = amp.augment(rows, amp.Recipe([joining], originals=False, seed=1))
    assert made.features == rows.features
    assert len(made) > 2
    counts = [len(row["objects"]["bbox"]) for row in made]
    assert max(counts) > 0
    for row in made:
        objects, boxes = row["objects"], np.reshape(row["objects"]["bbox"], (-1, 4))
        assert (boxes[:, :2] >= -0.01).all()
        assert (boxes[:, :2] + boxes[:, 2:] <= np.array(SIZE) + 0.01).all()
        assert len(objects["bbox"]) == len(objects["category"]) == len(objects["area"])
        for box, rings in zip(objects["bbox"], objects["segmentation"], strict=True):
            if rings:
                points = np.concatenate([np.reshape(ring, (-1, 2)) for part in rings for ring in part])
                low, high = points.min(axis=0), points.max(axis=0)
                assert np.allclose([*low, *(high - low)], box, atol=0.05)
    again = amp.augment(rows, amp.Recipe([joining], originals=False, seed=1))
    assert digests(made) == digests(again)


def test_only_leaves_rows_without_the_class_alone(rows: Dataset) -> None:
    """In new rows and in those of an epoch."""
    names = rows.features["objects"]["category"].feature.names
    shown = [{names[c] for c in row["objects"]["category"]} for row in rows]
    wanted = next(name for name in names if 0 < sum(name in each for each in shown) < len(shown))
    mix = {"turned": amp.Mix([amp.Flip(how="vertical")], only={"classes": [wanted]})}
    recipe = amp.Recipe(mixes=mix, originals=False)
    assert len(amp.augment(rows, recipe)) == sum(wanted in each for each in shown)
    fresh = rows.with_transform(recipe.transform(rows))
    for old, new, each in zip(rows, fresh, shown, strict=True):
        assert np.array_equal(np.asarray(old["image"]), np.asarray(new["image"])) == (wanted not in each)


def test_an_epoch_preprocesses_every_row(rows: Dataset) -> None:
    """Also one that stays as it is; boxes follow."""
    recipe = amp.Recipe([amp.Flip()], preprocess=[amp.Resize(size=(80, 60))])
    for epoch in range(3):
        fresh = rows.with_transform(recipe.transform(rows, epoch=epoch))
        assert {row["image"].size for row in fresh} == {(80, 60)}
        for old, new in zip(rows, fresh, strict=True):
            assert len(new["objects"]["bbox"]) == len(old["objects"]["bbox"])
            assert np.allclose(np.array(old["objects"]["bbox"])[:, 2:] / 2, np.array(new["objects"]["bbox"])[:, 2:])


REFUSED = {
    "balance": amp.Recipe([amp.Flip()], mixes={"m": amp.Mix([amp.Blur()], copies=2)}, balance={"to": "max"}),
    "filter_null": amp.Recipe([amp.Flip()], preprocess=[{"filter_null": {"percent": 50}}]),
    "isolate_objects": amp.Recipe([amp.Flip()], preprocess=[amp.IsolateObjects(classify=True)]),
    "filter_tag": amp.Recipe([amp.Flip()], preprocess=[{"filter_tag": {"require": ["x"]}}]),
}
ONE_ROW = {"mosaic": amp.Recipe([amp.Mosaic()]), "tile": RECIPES["tiles"]}


@pytest.mark.parametrize("name", [*REFUSED, *ONE_ROW])
def test_what_rows_cannot_give_is_refused(rows: Dataset, name: str) -> None:
    """With the name of what it is, and what to do; nothing is left out in silence."""
    recipe = (REFUSED | ONE_ROW)[name]
    with pytest.raises(amp.AmpError, match=name) as caught:
        recipe.transform(rows)
    assert caught.value.fix
    if name in REFUSED:
        with pytest.raises(amp.AmpError, match=name):
            amp.augment(rows, recipe)
    if name == "mosaic":
        with pytest.raises(amp.AmpError, match="iterable dataset"):
            amp.augment(rows.to_iterable_dataset(), recipe)
