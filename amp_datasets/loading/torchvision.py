"""Rows for torchvision's detection models and transforms v2: images and boxes as `tv_tensors`.

    train = amp.load("build")["train"].with_transform(amp.TvTensors())
    image, target = train[0]["image"], train[0]["target"]

https://docs.pytorch.org/vision/stable/tv_tensors.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from amp_datasets.errors import AmpError
from amp_datasets.loading.columns import BoxForm, columns_of_row


class TvTensors:
    """Turns batches of rows into `image` (uint8, 3 x h x w) and `target` with `boxes` (XYXY), `labels`, `image_id`.

    `transform` is one of torchvision.transforms.v2, called with image and target. `first_label` is 1 for models that
    keep 0 for the background (torchvision's own), 0 otherwise.
    """

    def __init__(
        self,
        transform: Callable[[Any, dict[str, Any]], tuple[Any, dict[str, Any]]] | None = None,
        *,
        first_label: int = 1,
        boxes: BoxForm = "xywh",
    ) -> None:
        self.transform = transform
        self.first_label = first_label
        self.boxes = boxes

    def __call__(self, batch: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
        """Images and targets of some rows."""
        names = list(batch)
        rows = [dict(zip(names, values, strict=True)) for values in zip(*batch.values(), strict=True)]
        pairs = [self._pair(row) for row in rows]
        return {"image": [image for image, _ in pairs], "target": [target for _, target in pairs]}

    def _pair(self, row: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        import torch
        from torchvision import tv_tensors

        columns = columns_of_row(row, self.boxes)
        pixels = np.asarray(row[columns.image].convert("RGB"))
        height, width = pixels.shape[:2]
        annotations = columns.annotations(row, (width, height))
        corners = torch.tensor([a.xyxy for a in annotations], dtype=torch.float32).reshape(-1, 4)
        try:
            labels = [int(a.category) + self.first_label for a in annotations]
        except ValueError as error:
            raise AmpError(
                "the classes of these rows have names, not numbers", fix="load them with amp.load"
            ) from error
        target = {
            "boxes": tv_tensors.BoundingBoxes(corners, format="XYXY", canvas_size=(height, width)),
            "labels": torch.tensor(labels, dtype=torch.int64),
            "image_id": int(row.get("image_id") or 0),
        }
        image = tv_tensors.Image(torch.from_numpy(pixels.transpose(2, 0, 1).copy()))
        return (image, target) if self.transform is None else self.transform(image, target)
