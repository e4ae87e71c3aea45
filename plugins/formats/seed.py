"""The layout of results of the program that this one grew out of: a folder a filter, and one folder with all.

    temp_set/blur_2.5/a__blur.jpg  ...  temp_set/blur_2.5/blur_2.5.json
    total_set/Accordion_1.jpg  ...  total_set/Accordion_200.jpg  total_set/Accordion.json

Annotation files are CreateML JSON (x, y are the box's centre) or CSV (filename, width, height, class, corners).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, Literal

from amp_datasets.formats.base import Exporter, Feature, Options
from amp_datasets.formats.kit.entries import createml_entry, csv_rows, write_createml, write_csv
from amp_datasets.model import LabelSet, Sample
from amp_datasets.plugin.registry import Registry

_Steps = tuple[tuple[str, Mapping[str, Any]], ...]

_SEPIA = ((0.393, 0.769, 0.189), (0.349, 0.686, 0.168), (0.272, 0.534, 0.131))
_BLUR = ("blur", {"sigma": 2.5})
_GRAYSCALE = ("grayscale", {"percent": 100})
_BRIGHTNESS = ("brightness", {"percent": 50, "mode": "positive"})
_CONTRAST = ("contrast", {"percent": 40})
_SATURATION = ("saturation", {"percent": 80})
FOLDERS: dict[str, _Steps] = {
    "blur_2.5": (_BLUR,),
    "canny_50_75": (("canny", {"low": 50, "high": 75}),),
    "brightness_50": (_BRIGHTNESS,),
    "contrast_40": (_CONTRAST,),
    "cropping_0.5": (("crop", {"margin": 0.5}),),
    "cutout_15_5": (("cutout", {"count": 5, "percent": 15}),),
    "gauss_sel_90": (("selective_blur", {"threshold": 90}),),
    "elastic_100_10": (("elastic", {"alpha": 100, "sigma": 10}),),
    "exposure_50": (("exposure", {"percent": 50}),),
    "flip_horizontal": (("flip", {"how": "horizontal"}),),
    "gray_scale_100": (_GRAYSCALE,),
    "hue_150": (("hue", {"degrees": 150}),),
    "noise_0.25": (("noise", {"amount": 0.25}),),
    "rotation_15": (("rotate", {"degrees": 15}),),
    "saturation_80": (_SATURATION,),
    "sepia": (("color_matrix", {"matrix": _SEPIA}),),
    "sobel": (("sobel", {}),),
    "mix1_": (_BLUR, _GRAYSCALE),
    "mix2_": (_CONTRAST, _BRIGHTNESS),
    "mix3_": (_BRIGHTNESS, _SATURATION),
}
"""The original's set folders in its order, with the filters and settings that make them."""


class SeedOptions(Options):
    """`annotation`: the kind of label file; `title`: what the images in `total_set` are called."""

    annotation: Literal["json", "csv"] = "json"
    title: str | None = None


class SeedExporter(Exporter[SeedOptions]):
    """Writes `temp_set/<set folder>/` and `total_set/`, numbered by set folder, then by source."""

    name: ClassVar[str] = "seed"
    title: ClassVar[str] = "Layout of the original program (temp_set, total_set)"
    options_type: ClassVar[type[Options]] = SeedOptions
    holds: ClassVar[frozenset[Feature]] = frozenset({"empty"})

    def write(self, labels: LabelSet) -> None:
        """Write both folders; unlabelled images, which it cannot tell from empty ones, are left out."""
        order = list(FOLDERS)

        def place_of(sample: Sample) -> tuple[int, str, str, str]:
            folder = set_folder(sample)
            number = order.index(folder) if folder in FOLDERS else len(order)
            return number, folder, sample.origin.source_id if sample.origin else "", sample.source_id

        samples = sorted((sample for sample in labels.samples if sample.labelled), key=place_of)
        for folder, members in groupby(samples, key=set_folder):
            here = self.target / "temp_set" / folder
            self._write_set(here, folder, [(sample, sample.source_id) for sample in members])
        title = _file_name(self.options.title or _title(labels))
        numbered = [(s, f"{title}_{n}{PurePosixPath(s.source_id).suffix}") for n, s in enumerate(samples, start=1)]
        self._write_set(self.target / "total_set", title, numbered)

    def losses(self, samples: Iterable[Sample]) -> Counter[str]:
        """What is lost; a CSV has no line for an empty image."""
        lost: Counter[str] = Counter()
        for sample in samples:
            lost += super().losses([sample])
            if self.options.annotation == "csv" and sample.labelled and not sample.annotations:
                lost["empty"] += 1
        return lost

    def _write_set(self, folder: Path, name: str, members: Sequence[tuple[Sample, str]]) -> None:
        """Images under the names given, and their label file."""
        folder.mkdir(parents=True, exist_ok=True)
        for sample, file in members:
            self.place(sample, folder / file)
        if self.options.annotation == "json":
            write_createml(folder / f"{name}.json", (createml_entry(s, file) for s, file in members))
            return
        write_csv(folder / f"{name}.csv", (row for sample, file in members for row in csv_rows(sample, file)))


def set_folder(sample: Sample) -> str:
    """The original's name for what was done to an image, if it did just that; else the variant's own name."""
    if sample.origin is None:
        return "original"
    try:
        steps = [(step["filter"], step["settings"]) for step in json.loads(sample.origin.draw)]
    except (ValueError, KeyError, TypeError):
        steps = []
    for folder, expected in FOLDERS.items():
        if len(steps) == len(expected) and all(map(_same, steps, expected)):
            return folder
    return _file_name(sample.origin.variant)


def _same(step: tuple[str, Mapping[str, Any]], expected: tuple[str, Mapping[str, Any]]) -> bool:
    """Whether a step is the original's: a setting that is not stated has its default, which is the original's value."""
    if step[0] != expected[0]:
        return False
    return all(_listed(step[1].get(name, value)) == _listed(value) for name, value in expected[1].items())


def _listed(value: Any) -> Any:
    return [_listed(item) for item in value] if isinstance(value, list | tuple) else value


def _title(labels: LabelSet) -> str:
    """The only class, after which the original calls its sets; else the set's name."""
    return labels.categories[0].name if len(labels.categories) == 1 else labels.name or "set"


def _file_name(text: str) -> str:
    """A name with nothing in it that a file system takes for something else."""
    return re.sub(r'[\x00-\x1f/\\:*?"<>|]', "_", text).strip(". ") or "set"


def register(registry: Registry) -> None:
    """Offer the exporter."""
    registry.add_exporter(SeedExporter)
