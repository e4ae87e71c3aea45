"""What was found out about Albumentations' transforms in 2.0.8: which are right, within which bounds, and why not.

The tests paint objects and look where they are afterwards: the centre may be off by half a pixel, IoU is at least 0.97.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

CROPS = ("Crop", "CenterCrop", "RandomCrop", "AtLeastOneBBoxRandomCrop")
_CUTS = (*CROPS, "RandomCropFromBorders", "BBoxSafeRandomCrop", "Pad", "PadIfNeeded")
_TURNS = ("HorizontalFlip", "VerticalFlip", "Transpose", "RandomRotate90", "D4", "SquareSymmetry")
EXACT = frozenset((*_CUTS, *_TURNS))
"""Geometric transforms that move whole pixels and nothing else."""


_REFUSED_GROUPS: tuple[tuple[str, str, str], ...] = (
    ("Rotate", "its boxes enclose the turned corners of the old boxes, not the objects", "use `rotate`"),
    ("SafeRotate", "its boxes lie half a pixel beside the image", "use `rotate`"),
    (
        "Affine ShiftScaleRotate",
        "its boxes enclose the turned corners of the old boxes, and lie up to a pixel beside it with fit_output",
        "use `rotate`",
    ),
    ("Perspective", "its boxes lie up to 0.75 pixels beside the image", "use `rotate` or `elastic`"),
    (
        "ElasticTransform GridDistortion OpticalDistortion PiecewiseAffine ThinPlateSpline GridElasticDeform",
        "it misplaces keypoints by pixels and keeps the boxes of objects that have left the image",
        "use `elastic`",
    ),
    (
        "CoarseDropout ConstrainedCoarseDropout Erasing GridDropout MaskDropout XYMasking TimeMasking FrequencyMasking",
        "it cuts the coordinates of every box down to whole pixels, also where nothing is hidden",
        "use `cutout`",
    ),
    ("PixelDropout", "it takes single pixels out of the labels' masks too", "use `noise`"),
    (
        "Morphological",
        "its boxes grow in one direction only, and images wider than 128 pixels make it fail",
        "use `blur`",
    ),
    ("RandomGridShuffle", "it tears objects apart, each piece a box with the same label", "use `crop`"),
    (
        "Resize LongestMaxSize SmallestMaxSize RandomScale RandomResizedCrop RandomSizedCrop RandomSizedBBoxSafeCrop "
        "CropAndPad",
        "it resizes, which moves keypoints and masks up to several pixels beside the image",
        "leave resizing to the trainer; cut with `crop` or `albumentations.RandomCrop`",
    ),
    ("CropNonEmptyMaskIfExists RandomCropNearBBox", "it needs data that a manifest cannot give", "use `crop`"),
    (
        "FDA HistogramMatching PixelDistributionAdaptation Mosaic OverlayElements TextImage",
        "it needs other images or data that a manifest cannot give",
        "write a filter of your own, see CONTRIBUTING.md",
    ),
    (
        "CenterCrop3D CoarseDropout3D CubicSymmetry Pad3D PadIfNeeded3D RandomCrop3D ToTensor3D Transform3D",
        "it is made for volumes",
        "take the transform of the same name for images",
    ),
    (
        "Normalize ToFloat FromFloat ToTensorV2 ToRGB",
        "it does not make an image with three 8-bit channels out of one",
        "leave this to the trainer",
    ),
    ("Lambda", "it is made of code, which a manifest does not hold", "write a filter of your own, see CONTRIBUTING.md"),
    ("ZoomBlur", "it moves objects by up to 18 pixels, and the labels stay", "use `blur`"),
    ("ChromaticAberration", "it moves two of the three colours by up to a hundredth of the width", "use `hue`"),
    ("GlassBlur", "it swaps pixels in one direction, which moves objects by up to 1.5 pixels", "use `blur` or `noise`"),
    ("Emboss", "its relief moves the edges of objects by up to 1.9 pixels", "use `albumentations.Sharpen`"),
    (
        "Superpixels",
        "its patches move the edges of objects by up to 3.5 pixels",
        "use `albumentations.Posterize`",
    ),
    ("Downscale", "it moves objects by up to 2.5 pixels", "use `blur` or `albumentations.ImageCompression`"),
    ("NoOp", "it changes nothing", "write `originals: true`"),
    ("TimeReverse", "it is made for spectrograms", "use `flip`"),
    ("BasicTransform DualTransform ImageOnlyTransform", "it is only a base class", "`amp filters` lists all"),
)
REFUSED = {name: (reason, fix) for names, reason, fix in _REFUSED_GROUPS for name in names.split()}
"""Class name to what is wrong with its labels, and what to use instead."""


@dataclass(frozen=True)
class Bounds:
    """Within which settings a transform leaves objects where they are; `otherwise` says what happens beyond."""

    otherwise: str
    limits: Mapping[str, tuple[float, float] | str]
    """Setting -> the least and the most of each of its numbers, or the one text that is allowed."""

    def complaint(self, name: str, given: Any) -> str | None:
        """What a setting must be and why, if it is not; None if it is within bounds."""
        limit = self.limits[name]
        if isinstance(limit, str):
            return None if given == limit else f"must be {limit}: {self.otherwise}"
        within = all(limit[0] <= number <= limit[1] for number in _numbers(given))
        return None if within else f"must be {_wording(limit)}: {self.otherwise}"


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, tuple | list):
        for item in value:
            yield from _numbers(item)
    elif isinstance(value, int | float):
        yield value


def _wording(limit: tuple[float, float]) -> str:
    low, high = limit
    if low == high == 0:
        return "false, or [0, 0]"
    return f"at most {high:g}" if low == 0 else f"from {low:g} to {high:g}"


_MELTS = "beyond, objects melt away: their visible edges are no longer where the labels say"
BOUNDS: dict[str, Bounds] = {
    "MotionBlur": Bounds(
        "a one-sided or shifted kernel moves objects by up to half its length",
        {"allow_shifted": (0, 0), "direction_range": (0, 0), "blur_limit": (0, 31)},
    ),
    "RandomFog": Bounds("denser fog moves edges by pixels", {"fog_coef_range": (0, 0.5), "alpha_coef": (0, 0.1)}),
    "Sharpen": Bounds("it wraps values around along every edge, three pixels wide", {"method": "kernel"}),
    "AdvancedBlur": Bounds(_MELTS, {"blur_limit": (0, 31), "noise_limit": (0.5, 1.5)}),
    "Blur": Bounds(_MELTS, {"blur_limit": (0, 31)}),
    "Defocus": Bounds(_MELTS, {"radius": (0, 15)}),
    "GaussianBlur": Bounds(_MELTS, {"blur_limit": (0, 73), "sigma_limit": (0, 12)}),
    "MedianBlur": Bounds(_MELTS, {"blur_limit": (0, 31)}),
    "RingingOvershoot": Bounds(_MELTS, {"blur_limit": (0, 31)}),
    "CLAHE": Bounds("it brings out more noise than objects", {"clip_limit": (1, 40)}),
    "ISONoise": Bounds("it leaves more noise than objects", {"intensity": (0, 1)}),
    "ImageCompression": Bounds("objects fall to blocks of 8 pixels", {"quality_range": (5, 100)}),
    "PlasmaBrightnessContrast": Bounds(
        "objects vanish in black and white", {"brightness_range": (-0.5, 0.5), "contrast_range": (-0.5, 0.5)}
    ),
    "ShotNoise": Bounds("it leaves more noise than objects", {"scale_range": (0, 0.5)}),
}
"""Transforms of values that mix neighbouring pixels, as far as objects stay where they are."""

EXAMPLES: dict[str, dict[str, Any]] = {
    "MotionBlur": {"blur_limit": (7, 15), "allow_shifted": False, "direction_range": (0.0, 0.0)},
    "RandomFog": {"fog_coef_range": (0.3, 0.5)},
}
"""Settings to show, where the library's own defaults are out of bounds."""
