"""Writes COCO panoptic: a pixel belongs to one segment, so smaller objects lie over larger ones."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from amp_datasets.formats.base import Exporter, Feature, Options
from amp_datasets.formats.kit.entries import simple_values
from amp_datasets.geometry import shapes as geometry
from amp_datasets.geometry.rle import rasterise
from amp_datasets.model import LabelSet, Sample

TITLE = "COCO panoptic, a JSON and images of segments"
_NAMES = {"train": "train", "validation": "val", "test": "test"}


class PanopticExporter(Exporter[Options]):
    """Writes `images/<split>`, `annotations/panoptic_<split>.json` and the folder of segments beside it."""

    name: ClassVar[str] = "coco_panoptic"
    title: ClassVar[str] = TITLE
    holds: ClassVar[frozenset[Feature]] = frozenset(
        {"polygon", "multipart", "hole", "mask", "crowd", "empty", "split", "classes"}
    )

    def __init__(self, target: Path, options: Options, place: Any) -> None:
        super().__init__(target, options, place)
        self._covered = 0

    def write(self, labels: LabelSet) -> None:
        """Write images, segments and one JSON a split; ids start at 1."""
        ids = {category.name: number for number, category in enumerate(labels.categories, start=1)}
        things = _things(labels)
        listed = [{"id": n, "name": name, "supercategory": "", "isthing": things[name]} for name, n in ids.items()]
        documents: dict[str, dict[str, list[Any]]] = {}
        for number, sample in enumerate((sample for sample in labels.samples if sample.labelled), start=1):
            split = _NAMES.get(str(sample.split), str(sample.split))
            document = documents.setdefault(split, {"images": [], "annotations": [], "categories": listed})
            self.place(sample, self.target / "images" / split / sample.source_id)
            segments, pixels = self._segments(sample, ids)
            file = f"{PurePosixPath(sample.source_id).stem}.png"
            _save(pixels, self.target / "annotations" / f"panoptic_{split}" / file)
            width, height = sample.size
            image = {"id": number, "file_name": sample.source_id, "width": width, "height": height}
            document["images"].append(image)
            document["annotations"].append({"image_id": number, "file_name": file, "segments_info": segments})
        for split, document in documents.items():
            path = self.target / "annotations" / f"panoptic_{split}.json"
            path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8", newline="\n")

    def losses(self, samples: Iterable[Sample]) -> Counter[str]:
        """As of every format, with the objects of which others cover all or a part."""
        return super().losses(samples) + Counter({"object covered by others": self._covered})

    def _segments(self, sample: Sample, ids: dict[str, int]) -> tuple[list[dict[str, Any]], NDArray[np.uint32]]:
        """The entries of an image, in the order of its labels, and the number of the segment at each pixel (h, w)."""
        pixels = np.zeros(sample.size[::-1], np.uint32)
        numbered = list(enumerate(sample.annotations, start=1))
        for number, annotation in sorted(numbered, key=lambda each: -geometry.area(each[1])):
            mask = annotation.mask or rasterise(geometry.outline(annotation, "rect"), sample.size)
            pixels[geometry.decode_mask(mask)] = number
        entries = []
        for number, annotation in numbered:
            here = pixels == number
            whole = annotation.mask or rasterise(geometry.outline(annotation, "rect"), sample.size)
            self._covered += int(here.sum() < geometry.mask_area(whole) or not here.any())
            if here.any():
                x0, y0, x1, y1 = geometry.mask_box(geometry.encode_mask(here))
                entry = {"id": number, "category_id": ids[annotation.category], "area": int(here.sum())}
                box = [int(x0), int(y0), int(x1 - x0), int(y1 - y0)]
                entries.append({**entry, "bbox": box, "iscrowd": int(annotation.iscrowd)})
        return entries, pixels


def _things(labels: LabelSet) -> dict[str, int]:
    """Whether each class is of objects: 0 for what the panoptic reader found to be stuff."""
    found = {category.name: 1 for category in labels.categories}
    for annotation in (annotation for sample in labels.samples for annotation in sample.annotations):
        if simple_values(annotation.attributes).get("isthing") == 0:
            found[annotation.category] = 0
    return found


def _save(pixels: NDArray[np.uint32], path: Path) -> None:
    """Numbers as colours: R + 256 G + 65536 B."""
    path.parent.mkdir(parents=True, exist_ok=True)
    colours = np.stack([pixels & 255, pixels >> 8 & 255, pixels >> 16 & 255], axis=-1).astype(np.uint8)
    stream = io.BytesIO()
    PillowImage.fromarray(colours).save(stream, "PNG")
    path.write_bytes(stream.getvalue())
