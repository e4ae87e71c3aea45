"""Hugging Face sets for the tests: small datasets on disk, and ways to read and write them."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from datasets import ClassLabel, Dataset, Features, Image, List, Value
from PIL import Image as PillowImage

from amp_datasets.formats.kit.reading import Reading
from amp_datasets.geometry import shapes as geometry
from amp_datasets.model import Annotation, Category, ImageFile, LabelSet, Origin, Polygon, Sample
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.storage.folder import Folder

SIZE = (64, 48)
NAMES = ("мышь", "big dog", "unused")
ROW = {"bbox": [[10.0, 12.0, 20.0, 15.0]], "category": [1]}


def jpeg(colour: int = 90) -> bytes:
    """A small image's file."""
    stream = io.BytesIO()
    PillowImage.new("RGB", SIZE, (colour, 120, 60)).save(stream, "JPEG")
    return stream.getvalue()


def write_image(path: Path, colour: int = 90) -> Path:
    """A small JPEG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(jpeg(colour))
    return path


def read(root: Path, **options: Any) -> LabelSet:
    """The set as the source reads it."""
    source = load_registry().source("huggingface")
    folder = Folder(root)
    return source(folder, source.options_type(**options), Reading(folder)).read()


def reasons(labels: LabelSet) -> set[str]:
    """Why things were dropped."""
    return {dropped.reason for dropped in labels.dropped}


def export(target: Path, labels: LabelSet, name: str, **options: Any) -> Path:
    """The folder that an exporter writes."""
    exporter = load_registry().exporter(name)
    target.mkdir()

    def place(sample: Sample, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(sample.image.path, path)

    exporter(target, exporter.options_type(**options), place).write(labels)
    return target


def a_set(root: Path) -> LabelSet:
    """Every kind of label in train; a validation split of background only; an unlabelled image."""
    polygon = Polygon(
        np.array([(4.5, 4.0), (40.0, 4.0), (40.0, 40.0)]), (np.array([(20.0, 10.0), (30.0, 10.0), (30.0, 20.0)]),)
    )
    mask = np.zeros(SIZE[::-1], dtype=bool)
    mask[20:40, 30:60] = True
    annotations = (
        Annotation("big dog", (4.5, 4.0, 40.0, 40.0), polygons=(polygon,), attributes={"occluded": True}),
        Annotation("мышь", (30, 20, 60, 40), mask=geometry.encode_mask(mask), iscrowd=True),
        Annotation("мышь", (1.25, 2.5, 9.0, 8.0), keypoints=np.array([(2.0, 3.0, 2.0), (0.0, 0.0, 0.0)])),
        Annotation(
            "big dog", (10, 10, 30, 30), corners=np.array([(20.0, 10.0), (30.0, 20.0), (20.0, 30.0), (10.0, 20.0)])
        ),
    )
    categories = (Category("мышь", "animal", ("nose", "tail"), ((0, 1),)), Category("big dog"), Category("unused"))
    origin = Origin("мышь 1.jpg", "blur", '[{"filter":"blur"}]')

    def sample(name: str, split: str, *labels: Annotation, **more: Any) -> Sample:
        return Sample(name, ImageFile(write_image(root / name, len(name))), SIZE, labels, split=split, **more)

    return LabelSet(
        categories,
        (
            sample("мышь 1__blur.jpg", "train", *annotations, origin=origin),
            sample("b.jpg", "train"),
            sample("c.jpg", "validation"),
            sample("unknown.jpg", "train", labelled=False),
        ),
        name="tiny",
    )


def metadata(root: Path, *rows: Any) -> Path:
    """A folder of one image `a.jpg` with these lines of metadata."""
    write_image(root / "a.jpg")
    (root / "metadata.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    return root


def row(**objects: Any) -> dict[str, Any]:
    """A line for `a.jpg`."""
    return {"file_name": "a.jpg", "objects": {**ROW, **objects}}


TYPES = Features(
    {
        "image": Image(),
        "objects": {"bbox": List(List(Value("float32"), length=4)), "category": List(ClassLabel(names=list(NAMES)))},
    }
)


def a_dataset() -> Dataset:
    """Two rows with the images inside, one of them empty."""
    rows = [
        {"image": {"bytes": jpeg(), "path": "a.jpg"}, "objects": ROW},
        {"image": {"bytes": jpeg(4), "path": None}, "objects": {"bbox": [], "category": []}},
    ]
    return Dataset.from_list(rows, features=TYPES)
