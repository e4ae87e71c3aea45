"""Writes tasks that Label Studio imports, with the configuration of a project for them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any, ClassVar, TextIO
from urllib.parse import quote

from amp_datasets.formats.base import Exporter, Feature, Options
from amp_datasets.geometry import shapes as geometry
from amp_datasets.model import Annotation, FloatArray, LabelSet, Sample

from .brush import encode_brush
from .config import config_text
from .regions import HIDDEN

_LOCAL = "/data/local-files/?d="


class LabelStudioExportOptions(Options):
    """`root`: what stands before an image's path in the tasks; the default is for a storage of local files."""

    root: str = _LOCAL


class LabelStudioExporter(Exporter[LabelStudioExportOptions]):
    """Writes `<split>.json`, `images/<split>/` and `label_config.xml`, to import in a project with local files."""

    name: ClassVar[str] = "labelstudio"
    title: ClassVar[str] = "Label Studio JSON and JSON-MIN"
    options_type: ClassVar[type[Options]] = LabelStudioExportOptions
    holds: ClassVar[frozenset[Feature]] = frozenset(
        {"polygon", "mask", "corners", "keypoints", "empty", "unlabelled", "split", "classes"}
    )

    def write(self, labels: LabelSet) -> None:
        """Write images, a task a line, and the configuration."""
        points = {category.name: category.keypoints for category in labels.categories}
        numbers: dict[tuple[str, ...], str] = {}
        with ExitStack() as stack:
            streams: dict[str, TextIO] = {}
            for number, sample in enumerate(labels.samples, start=1):
                split = str(sample.split)
                first = split not in streams
                if first:
                    path = self.target / f"{split}.json"
                    streams[split] = stack.enter_context(path.open("w", encoding="utf-8", newline="\n"))
                task = {"id": number, "data": {"image": self._reference(split, sample)}, "annotations": []}
                if sample.labelled:
                    results = list(_results(sample, points, numbers))
                    task["annotations"] = [{"id": number, "result": results, "was_cancelled": False}]
                streams[split].write(f"{'[' if first else ','}\n{json.dumps(task, ensure_ascii=False)}")
                self.place(sample, self.target / "images" / split / sample.source_id)
            for stream in streams.values():
                stream.write("\n]\n")
        names = [category.name for category in labels.categories]
        controls = {name: keypoints for keypoints, name in numbers.items()}
        text = config_text(names, controls)
        (self.target / "label_config.xml").write_text(text, encoding="utf-8", newline="\n")

    def _reference(self, split: str, sample: Sample) -> str:
        return f"{self.options.root}{quote(f'images/{split}/{sample.source_id}')}"


def _results(
    sample: Sample, points: Mapping[str, tuple[str, ...]], numbers: dict[tuple[str, ...], str]
) -> Iterator[dict[str, Any]]:
    """The regions of an image: one an object, and one for each of its keypoints. `numbers` names the controls."""
    width, height = sample.size
    shared = {"to_name": "image", "original_width": width, "original_height": height, "image_rotation": 0}
    for number, annotation in enumerate(sample.annotations):
        key = f"r{number}"
        kind, control, value = _region(annotation, sample)
        value[kind] = [annotation.category]
        yield {"id": key, "type": kind, "from_name": control, "value": value, **shared}
        if annotation.keypoints is None:
            continue
        names = points.get(annotation.category) or tuple(str(n + 1) for n in range(len(annotation.keypoints)))
        control = numbers.setdefault(names, f"keypoints{len(numbers) or ''}")
        for index, (x, y, visibility) in enumerate(annotation.keypoints.tolist()[: len(names)]):
            if visibility:
                place = {"x": x / width * 100, "y": y / height * 100, "width": 0.5, "keypointlabels": [names[index]]}
                result = {"id": f"{key}k{index}", "type": "keypointlabels", "from_name": control, "parentID": key}
                hidden = {"meta": {"text": [HIDDEN]}} if visibility == 1 else {}
                yield {**result, "value": place, **hidden, **shared}


def _region(annotation: Annotation, sample: Sample) -> tuple[str, str, dict[str, Any]]:
    """The kind of a region, its control, and its place."""
    width, height = sample.size
    if annotation.mask is not None:
        rle = encode_brush(geometry.decode_mask(annotation.mask))
        return "brushlabels", "brush", {"format": "rle", "rle": rle}
    if len(annotation.polygons) == 1:
        return "polygonlabels", "polygon", _polygon(annotation.polygons[0].exterior, sample)
    turned = None if annotation.corners is None else geometry.oriented_box(annotation.corners)
    if annotation.corners is not None and turned is None:
        return "polygonlabels", "polygon", _polygon(annotation.corners, sample)
    (x0, y0, x1, y1), angle_deg = turned or (annotation.xyxy, 0.0)
    left, top = geometry.turned_rectangle((x0, y0, x1, y1), angle_deg)[0].tolist() if angle_deg else (x0, y0)
    place = {"x": left / width * 100, "y": top / height * 100}
    extent = {"width": (x1 - x0) / width * 100, "height": (y1 - y0) / height * 100, "rotation": angle_deg % 360}
    return "rectanglelabels", "box", place | extent


def _polygon(ring: FloatArray, sample: Sample) -> dict[str, Any]:
    width, height = sample.size
    return {"points": [[x / width * 100, y / height * 100] for x, y in ring.tolist()], "closed": True}
