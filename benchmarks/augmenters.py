"""The 20 variants as Albumentations pipelines with boxes, as a careful user writes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import albumentations as A  # noqa: N812 - the library's own convention
import cv2
import kernels


class _Kernel(A.ImageOnlyTransform):  # type: ignore[misc]
    """What the library has not, as one's own transform."""

    def __init__(self, kernel: Callable[[kernels.Image], kernels.Image]) -> None:
        super().__init__(p=1)
        self.kernel = kernel

    def apply(self, img: kernels.Image, **_: Any) -> kernels.Image:
        """The kernel."""
        return self.kernel(img)


def pipelines() -> dict[str, A.Compose]:
    """By variant: each takes and gives image, bboxes (pixels) and ids."""
    blur = A.GaussianBlur(blur_limit=0, sigma_limit=(2.5, 2.5), p=1)
    brighter = A.RandomBrightnessContrast(0, (0.5, 0.5), p=1)  # its contrast multiplies about 0, through a table
    contrast = A.RandomBrightnessContrast((-0.2, -0.2), (0.4, 0.4), p=1)
    grey, more = A.ToGray(p=1), A.HueSaturationValue((0, 0), (50, 50), (0, 0), p=1)
    chains = {
        "blur": [blur],
        "canny": [_Kernel(kernels.canny)],
        "brightness": [brighter],
        "contrast": [contrast],
        "crop": [A.BBoxSafeRandomCrop(0.0, p=1)],
        "cutout": [A.CoarseDropout((5, 5), (0.15, 0.15), (0.15, 0.15), p=1)],
        "selective_blur": [_Kernel(kernels.selective_blur)],
        "elastic": [A.ElasticTransform(100, 10, noise_distribution="uniform", p=1)],
        "exposure": [A.RandomGamma((67, 67), p=1)],
        "flip": [A.HorizontalFlip(p=1)],
        "grayscale": [grey],
        "hue": [A.HueSaturationValue((75, 75), (0, 0), (0, 0), p=1)],
        "noise": [A.SaltAndPepper((0.25, 0.25), (0.5, 0.5), p=1)],
        "rotate": [A.Rotate((15, 15), border_mode=cv2.BORDER_REPLICATE, p=1)],
        "saturation": [more],
        "color_matrix": [A.ToSepia(p=1)],
        "sobel": [_Kernel(kernels.sobel)],
        "mix1": [blur, grey],
        "mix2": [contrast, brighter],
        "mix3": [brighter, more],
    }
    boxes = A.BboxParams("pascal_voc", label_fields=["ids"], clip=True)
    return {name: A.Compose(chain, bbox_params=boxes) for name, chain in chains.items()}
