"""Photos that an EXIF tag turns, from reading to the built set: looked at by their pixels."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
from oracle.verdict import iou
from PIL import Image as PillowImage
from PIL import ImageOps

from amp_datasets import build

MANIFEST = "sources: [photos]\nsplits: {train: 1}\nfilters: {flip: {}}\nexports: [coco]\n"


def turned_photo(path: Path, orientation: int) -> tuple[int, int, int, int]:
    """A stored photo with a bright mark and an EXIF tag; where the mark is in the stored frame, as COCO's xywh."""
    stored = np.full((96, 160, 3), 40, np.uint8)
    stored[16:48, 24:88] = (250, 250, 250)
    exif = PillowImage.Exif()
    exif[0x0112] = orientation
    PillowImage.fromarray(stored).save(path, "JPEG", quality=95, subsampling=0, exif=exif)
    return 24, 16, 64, 32


def bright_box(path: Path) -> tuple[float, ...]:
    """Where the mark is in a written file, which must not ask to be turned; as COCO's xywh."""
    with PillowImage.open(path) as image:
        assert image.getexif().get(0x0112, 1) == 1  # 1 is upright: such a file's bytes are kept
        y, x = np.nonzero(np.asarray(image.convert("L")) > 145)
    return x.min(), y.min(), x.max() + 1 - x.min(), y.max() + 1 - y.min()


def exif_set(root: Path) -> None:
    """Photos of all orientations, labelled as displayed, or as stored where the size tells, and one that is neither.

    Half turns and mirrors keep the size, so no label file can say that it means the stored frame.
    """
    images, labels = [], []
    cases = [*itertools.product(range(1, 9), ["displayed"]), *itertools.product(range(5, 9), ["stored"])]
    for number, (orientation, frame) in enumerate(cases, start=1):
        name = f"{frame}-{orientation}.jpg"
        box = turned_photo(root / name, orientation)
        size = (160, 96)
        if frame == "displayed":
            with PillowImage.open(root / name) as image:
                upright = ImageOps.exif_transpose(image)
            y, x = np.nonzero(np.asarray(upright.convert("L")) > 145)
            box, size = (x.min(), y.min(), x.max() + 1 - x.min(), y.max() + 1 - y.min()), upright.size
        images.append({"id": number, "file_name": name, "width": size[0], "height": size[1]})
        labels.append({"id": number, "image_id": number, "category_id": 1, "bbox": [int(v) for v in box]})
    turned_photo(root / "neither.jpg", 6)
    images.append({"id": 99, "file_name": "neither.jpg", "width": 100, "height": 70})
    labels.append({"id": 99, "image_id": 99, "category_id": 1, "bbox": [10, 10, 20, 20]})
    document = {"images": images, "annotations": labels, "categories": [{"id": 1, "name": "mark"}]}
    (root / "annotations.json").write_text(json.dumps(document), encoding="utf-8")


def test_labels_sit_on_the_mark_whatever_the_orientation(tmp_path: Path) -> None:
    """Built from photos of all eight orientations, labelled in either frame: upright files, no tag, boxes on marks."""
    source = tmp_path / "photos"
    source.mkdir()
    exif_set(source)
    manifest = tmp_path / "amp.yaml"
    manifest.write_text(MANIFEST, encoding="utf-8")
    report = build(manifest, out=tmp_path / "build", jobs=1)
    assert [(loss.reason, loss.count) for loss in report.dropped] == [("label file contradicts the image's size", 1)]
    written = json.loads((tmp_path / "build/annotations/train.json").read_text(encoding="utf-8"))
    files = {image["id"]: image["file_name"] for image in written["images"]}
    assert len(written["annotations"]) == len(files) == 24
    for label in written["annotations"]:
        x, y, width, height = bright_box(tmp_path / "build/images/train" / files[label["image_id"]])
        left, top, across, down = label["bbox"]
        assert iou((x, y, x + width, y + height), (left, top, left + across, top + down)) > 0.99
