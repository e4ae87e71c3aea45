"""Rows of a build for training code in the manner of DETR: a transform for `with_transform`, a collate function, names.

    processor = AutoImageProcessor.from_pretrained(checkpoint)
    train = amp.load("build")["train"].with_transform(DetrTransform(processor))
    Trainer(model, args, train_dataset=train, data_collator=collate).train()

torch is imported when a batch is put together, transformers never: the processor is the caller's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from amp_datasets.errors import AmpError
from amp_datasets.formats.kit.arrow_reader import IMAGE_LABELS, OBJECTS
from amp_datasets.images.decoding import rgb_of
from amp_datasets.rows.schema import class_names

Row = Mapping[str, Any]


class DetrTransform:
    """Turns batches of rows into what DETR-like models take; a class, so that workers of any start method get it.

    `processor` is an image processor of transformers (DETR, RT-DETR, YOLOS ...). `augment`, if given, is an
    `albumentations.Compose` with `BboxParams(format="coco", label_fields=["category"])`.
    """

    def __init__(self, processor: Any, augment: Callable[..., Mapping[str, Any]] | None = None) -> None:
        self.processor = processor
        self.augment = augment

    def __call__(self, batch: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        """Pixel values and labels of some rows, padded to one size."""
        columns = ("image_id", "image", "objects")
        rows = [dict(zip(columns, values, strict=True)) for values in zip(*(batch[c] for c in columns), strict=True)]
        pairs = [self._pair(row) for row in rows]
        images, annotations = [image for image, _ in pairs], [labels for _, labels in pairs]
        return dict(self.processor(images=images, annotations=annotations, return_tensors="pt"))

    def _pair(self, row: Row) -> tuple[np.ndarray[Any, Any], dict[str, Any]]:
        image = rgb_of(row["image"])
        if self.augment is None:
            return image, to_coco_annotations(row)
        objects = row["objects"]
        crowds = objects.get("iscrowd") or [False] * len(objects["bbox"])
        kept = [index for index, crowd in enumerate(crowds) if not crowd]
        boxes, categories = ([objects[key][index] for index in kept] for key in ("bbox", "category"))
        new = self.augment(image=image, bboxes=boxes, category=categories)
        labels = {"bbox": new["bboxes"], "category": new["category"]}  # areas of the old boxes would be wrong
        return np.asarray(new["image"]), to_coco_annotations({"image_id": row["image_id"], "objects": labels})


def to_coco_annotations(row: Row) -> dict[str, Any]:
    """A row's labels as image processors of transformers expect them; categories count from 0, as in the row."""
    objects = row["objects"]
    boxes = [[float(value) for value in box] for box in objects["bbox"]]
    areas = objects.get("area") or [width * height for _, _, width, height in boxes]
    crowds = objects.get("iscrowd") or [False] * len(boxes)
    number = row["image_id"]
    annotations = [
        {"image_id": number, "category_id": int(category), "bbox": box, "area": float(area), "iscrowd": int(crowd)}
        for category, box, area, crowd in zip(objects["category"], boxes, areas, crowds, strict=True)
    ]
    return {"image_id": number, "annotations": annotations}


def collate(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Transformed rows as one batch; smaller ones are padded at the right and bottom, and their boxes with them."""
    import torch

    height = max(row["pixel_values"].shape[-2] for row in rows)
    width = max(row["pixel_values"].shape[-1] for row in rows)
    padded = [_padded(row, height, width) for row in rows]
    batch: dict[str, Any] = {"labels": [row["labels"] for row in padded]}
    for name in ("pixel_values", "pixel_mask"):
        if name in padded[0]:
            batch[name] = torch.stack([row[name] for row in padded])
    return batch


def id2label(dataset: Any) -> dict[int, str]:
    """The classes of a dataset, or of the first split of several, by their numbers from 0."""
    features = dataset.features if hasattr(dataset, "features") else next(iter(dataset.values())).features
    names = class_names({name: features[name] for name in (*OBJECTS, *IMAGE_LABELS) if name in (features or {})})
    if not names:
        raise AmpError("this dataset has no named classes", fix="load it with `amp.load`, or from a build's folder")
    return dict(enumerate(names))


def label2id(dataset: Any) -> dict[str, int]:
    """The numbers of a dataset's classes by their names."""
    return {name: number for number, name in id2label(dataset).items()}


def _padded(row: Mapping[str, Any], height: int, width: int) -> dict[str, Any]:
    """A row enlarged at the right and bottom; its boxes, shares of its size, become shares of the new one."""
    import torch

    values, labels = row["pixel_values"], row["labels"]
    high, wide = values.shape[-2:]
    if (high, wide) == (height, width):
        return dict(row)
    margins = (0, width - wide, 0, height - high)
    scale = torch.tensor([wide / width, high / height] * 2)
    new = {**labels, "boxes": labels["boxes"] * scale}
    if "masks" in labels:
        new["masks"] = torch.nn.functional.pad(labels["masks"], margins)
    seen = row["pixel_mask"] if "pixel_mask" in row else torch.ones((high, wide), dtype=torch.int64)
    pad = torch.nn.functional.pad
    return {**row, "pixel_values": pad(values, margins), "pixel_mask": pad(seen, margins), "labels": new}
