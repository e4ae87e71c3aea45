"""COCO sets for the tests: small files with chosen mistakes, and ways to read, write and judge them."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as PillowImage
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from amp_datasets.formats.kit.reading import Reading
from amp_datasets.model import Annotation, Category, ImageFile, LabelSet, Polygon, Sample
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.storage.folder import Folder

SIZE = (64, 48)
SQUARE = [10, 10, 30, 10, 30, 25, 10, 25]
DONUT = Polygon(
    np.array([(4.0, 4.0), (40.0, 4.0), (40.0, 40.0), (4.0, 40.0)]),
    (np.array([(14.0, 14.0), (30.0, 14.0), (30.0, 30.0), (14.0, 30.0)]),),
)
PERSON = Category("person", "", ("nose", "left_eye", "right_eye"), ((0, 1), (0, 2)), ((1, 2),))


def write_image(path: Path, size: tuple[int, int] = SIZE, orientation: int = 1) -> Path:
    """A small JPEG, whose EXIF tag turns it if asked to."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = PillowImage.new("RGB", size, (90, 120, 60))
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(path, "JPEG", exif=exif)
    return path


def document(**changes: Any) -> dict[str, Any]:
    """A COCO file of one image `a.jpg` with one square of category `cat`."""
    return {
        "images": [{"id": 1, "file_name": "a.jpg", "width": SIZE[0], "height": SIZE[1]}],
        "annotations": [label()],
        "categories": [{"id": 1, "name": "cat", "supercategory": "animal"}],
        **changes,
    }


def label(**changes: Any) -> dict[str, Any]:
    """One annotation."""
    plain = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 10, 20, 15], "area": 300, "iscrowd": 0}
    return {**plain, **changes}


def write(root: Path, content: object, name: str = "annotations.json") -> Path:
    """A label file beside the image `a.jpg`."""
    if not (root / "a.jpg").exists():
        write_image(root / "a.jpg")
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(json.dumps(content), encoding="utf-8")
    return root


def read(root: Path, **options: Any) -> LabelSet:
    """The set as the COCO source reads it."""
    source = load_registry().source("coco")
    folder = Folder(root)
    return source(folder, source.options_type(**options), Reading(folder)).read()


def only(labels: LabelSet) -> Annotation:
    """The one annotation of a set of one image."""
    (sample,) = labels.samples
    (annotation,) = sample.annotations
    return annotation


def rules(labels: LabelSet) -> set[str]:
    """What was repaired."""
    return {repair.rule for repair in labels.repairs}


def reasons(labels: LabelSet) -> set[str]:
    """Why things were dropped."""
    return {dropped.reason for dropped in labels.dropped}


def export(target: Path, labels: LabelSet, name: str = "coco", **options: Any) -> Path:
    """The folder that an exporter writes, with images copied."""
    exporter = load_registry().exporter(name)

    def place(sample: Sample, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(sample.image.path.read_bytes())

    exporter(target, exporter.options_type(**options), place).write(labels)
    return target


def a_set(root: Path, *annotations: Annotation, categories: tuple[Category, ...] = (Category("cat"),)) -> LabelSet:
    """One labelled and one confirmed empty image."""
    files = [ImageFile(write_image(root / name)) for name in ("a.jpg", "b ü.jpg")]
    samples = (
        Sample("a.jpg", files[0], SIZE, annotations, split="train"),
        Sample("b ü.jpg", files[1], SIZE, (), split="train"),
    )
    return LabelSet(categories, samples, name="tiny")


def loaded(path: Path) -> COCO:
    """The file in pycocotools."""
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


def self_evaluation(truth: COCO, kind: str) -> float:
    """AP of the ground truth taken as detections."""
    found = [{**a, "score": 1.0} for a in truth.loadAnns(truth.getAnnIds())]
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(truth, truth.loadRes(found), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0])
