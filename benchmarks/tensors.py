"""The 20 variants with torchvision v2 on tensors with boxes; what it does not have is a direct OpenCV call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import kernels
import numpy as np
import torch
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F  # noqa: N812 - the library's own convention

Boxes = Sequence[tuple[float, float, float, float]]
Pipeline = Callable[[kernels.Image, Boxes], tuple[kernels.Image, Any]]


def pipelines() -> dict[str, Pipeline]:
    """By variant: each takes an array and boxes, and gives both."""
    blur = v2.GaussianBlur(15, 2.5)
    brighter, contrast = v2.ColorJitter(brightness=(1.5, 1.5)), v2.ColorJitter(contrast=(1.4, 1.4))
    grey, more = v2.Grayscale(3), v2.ColorJitter(saturation=(1.8, 1.8))
    own: dict[str, v2.Transform] = {
        "blur": blur,
        "brightness": brighter,
        "contrast": contrast,
        "crop": v2.RandomIoUCrop(),
        "elastic": v2.ElasticTransform(100.0, 10.0),
        "exposure": v2.Lambda(lambda image: F.adjust_gamma(image, 1 / 1.5), tv_tensors.Image),
        "flip": v2.RandomHorizontalFlip(1.0),
        "grayscale": grey,
        "hue": v2.ColorJitter(hue=(0.4167, 0.4167)),
        "rotate": v2.RandomRotation((15, 15), v2.InterpolationMode.BILINEAR),
        "saturation": more,
        "mix1": v2.Compose([blur, grey]),
        "mix2": v2.Compose([contrast, brighter]),
        "mix3": v2.Compose([brighter, more]),
    }
    return {
        name: partial(_on_tensors, own[name]) if name in own else partial(_on_array, kernel)
        for name, kernel in kernels.KERNELS.items()
    }


def _on_tensors(transform: v2.Transform, image: kernels.Image, boxes: Boxes) -> tuple[kernels.Image, Any]:
    pixels = tv_tensors.Image(torch.from_numpy(image).permute(2, 0, 1).contiguous())
    held = tv_tensors.BoundingBoxes(torch.tensor(boxes), format="XYXY", canvas_size=image.shape[:2])
    made, moved = transform(pixels, held)
    return np.ascontiguousarray(made.permute(1, 2, 0).numpy()), moved.tolist()


def _on_array(kernel: kernels.Kernel, image: kernels.Image, boxes: Boxes) -> tuple[kernels.Image, Any]:
    return kernel(image), boxes
