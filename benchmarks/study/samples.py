"""Small samples of real sets, and the folders that each way of augmentation trains on.

The test images are the set's own, or drawn once where it has none: the same for every sample, seed and way, and never
augmented. Of files that are the same byte for byte one is taken, so that no test image is trained on.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow.parquet as pq

import amp_datasets as amp
from amp_datasets.model import LabelSet, Sample

DATA = Path(__file__).parents[3] / "shared" / "data"
"""Real sets with their licences, each in a folder of its own; without it there is nothing to train on."""

MANIFESTS = Path(__file__).parents[2] / "manifests"
TESTED = 60
"""How many images are kept for testing where a set has no split of its own."""

SPLIT = "validation"


@dataclass(frozen=True)
class Wanted:
    """One sample: so many training images of a set, drawn by a seed."""

    set: str
    images: int
    seed: int

    @property
    def name(self) -> str:
        """For folders and messages."""
        return f"{self.set}-{self.images}-{self.seed}"


def available() -> list[str]:
    """The sets that are at hand."""
    return sorted(folder.name for folder in DATA.glob("*") if (folder / "LICENSE").exists())


def sample(wanted: Wanted) -> LabelSet:
    """The training images of the sample and all test images, labels as people drew them."""
    labels = amp.read(DATA / wanted.set)
    unique = {_digest(each): each for each in sorted(labels.samples, key=lambda s: s.source_id, reverse=True)}
    samples = sorted(unique.values(), key=lambda s: s.source_id)
    tests = [each for each in samples if each.split == "test"]
    if not tests:
        tests = random.Random(0).sample(samples, TESTED)
    left = {each.source_id for each in tests}
    pool = [each for each in samples if each.source_id not in left and each.split != "validation"]
    train = random.Random(wanted.seed).sample(pool, wanted.images)
    chosen = [replace(each, split="train") for each in train] + [replace(each, split=SPLIT) for each in tests]
    return LabelSet(labels.categories, tuple(chosen), name=wanted.set)


def sources(wanted: Wanted, work: Path) -> Path:
    """A build of the sample as it is."""
    return _built(work / wanted.name / "sources", amp.Recipe(originals=True, splits="keep"), wanted)


def variants(wanted: Wanted, recipe: str, work: Path) -> Path:
    """A build of the sample with the variants of a shipped recipe."""
    given = load_recipe(recipe, wanted.seed)
    return _built(work / wanted.name / recipe, given, wanted)


def load_recipe(name: str, seed: int) -> amp.Recipe:
    """A manifest of ours, for sets with splits of their own.

    `roboflow` gets as many copies as the others (20), so that they differ in what is drawn alone.
    """
    recipe = amp.Recipe.from_yaml(MANIFESTS / f"{name}.yaml")
    changes = {"splits": "keep", "augment": ("train",), "originals": True, "seed": seed, "sources": ()}
    if name == "roboflow":
        changes["mixes"] = {key: mix.model_copy(update={"copies": 20}) for key, mix in recipe.mixes.items()}
    return amp.Recipe.of(recipe.model_copy(update=changes))


def left_in_place(wanted: Wanted, recipe: str, work: Path) -> Path:
    """The same images, with every label where it was in the original: what the program that this grew out of made."""
    build, folder = variants(wanted, recipe, work), work / wanted.name / f"{recipe}-left"
    if folder.exists():
        return folder
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(build, partial, copy_function=os.link)
    rows = pq.read_table(build / "images" / "train" / "metadata.parquet").to_pylist()
    originals = {row["source_id"]: row["objects"] for row in rows if row["variant"] == "original"}
    for row in rows:
        text = "".join(_line(objects, row) for objects in _each(originals[row["source_id"]]))
        place = partial / "labels" / "train" / f"{Path(row['file_name']).stem}.txt"
        place.unlink(missing_ok=True)  # it is a link to the build's
        place.write_text(text, encoding="ascii")
    partial.rename(folder)
    return folder


def _built(folder: Path, recipe: amp.Recipe, wanted: Wanted) -> Path:
    if not folder.exists():
        amp.build(recipe, sources=[sample(wanted)], out=folder, jobs=1)
    return folder


def _digest(each: Sample) -> str:
    return hashlib.sha256(Path(each.image.path).read_bytes()).hexdigest()


def _each(objects: dict) -> list[tuple[int, list[float]]]:
    return list(zip(objects["category"], objects["bbox"], strict=True))


def _line(labelled: tuple[int, list[float]], row: dict) -> str:
    """A box in pixels, cut at the image, as a line of YOLO; nothing where no pixel is left."""
    category, (x, y, width, height) = labelled
    x0, y0 = max(x, 0), max(y, 0)
    x1, y1 = min(x + width, row["width"]), min(y + height, row["height"])
    if x1 - x0 < 1 or y1 - y0 < 1:
        return ""
    w, h = row["width"], row["height"]
    return f"{category} {(x0 + x1) / 2 / w:.6f} {(y0 + y1) / 2 / h:.6f} {(x1 - x0) / w:.6f} {(y1 - y0) / h:.6f}\n"
