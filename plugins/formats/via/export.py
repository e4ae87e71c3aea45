"""Writes VIA 2's projects, one a split, each with its images beside it."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from amp_datasets.formats.base import Exporter, Feature, Options
from amp_datasets.formats.kit.entries import simple_values
from amp_datasets.geometry import shapes as geometry
from amp_datasets.model import Annotation, LabelSet, Sample

_CLASS = "class"


class ViaExporter(Exporter[Options]):
    """Writes a folder a split with the images and `via_project.json`, whose attribute `class` lists the classes."""

    name: ClassVar[str] = "via"
    title: ClassVar[str] = "VGG Image Annotator, JSON or CSV"
    holds: ClassVar[frozenset[Feature]] = frozenset({"polygon", "attributes", "empty", "split", "classes"})

    def write(self, labels: LabelSet) -> None:
        """Write images and projects."""
        options = {category.name: "" for category in labels.categories}
        projects: dict[str, dict[str, Any]] = {}
        for sample in labels.samples:
            if not sample.labelled:
                continue
            split = str(sample.split)
            path = self.target / split / sample.source_id
            self.place(sample, path)
            entry = _entry(sample, path.stat().st_size)  # VIA finds an image by its name and bytes
            projects.setdefault(split, {})[f"{sample.source_id}{entry['size']}"] = entry
        for split, entries in projects.items():
            attribute = {"type": "dropdown", "description": "", "options": options, "default_options": {}}
            project = {
                "_via_settings": {"core": {"default_filepath": ""}, "project": {"name": split}},
                "_via_img_metadata": entries,
                "_via_attributes": {"region": {_CLASS: attribute}, "file": {}},
                "_via_data_format_version": "2.0.10",
                "_via_image_id_list": list(entries),
            }
            text = json.dumps(project, ensure_ascii=False, indent=1)
            (self.target / split / "via_project.json").write_text(text + "\n", encoding="utf-8", newline="\n")


def _entry(sample: Sample, size: int) -> dict[str, Any]:
    regions = [
        {"shape_attributes": _shape(annotation), "region_attributes": _attributes(annotation)}
        for annotation in sample.annotations
    ]
    return {"filename": sample.source_id, "size": size, "regions": regions, "file_attributes": {}}


def _attributes(annotation: Annotation) -> dict[str, Any]:
    others = {key: str(value) for key, value in simple_values(annotation.attributes).items() if key != _CLASS}
    return {_CLASS: annotation.category, **others}


def _shape(annotation: Annotation) -> dict[str, Any]:
    """One region for an object: its outline if that is one ring, else its box."""
    ring = annotation.polygons[0].exterior if len(annotation.polygons) == 1 else annotation.corners
    if ring is not None:
        xs, ys = ring.T.tolist()
        return {"name": "polygon", "all_points_x": xs, "all_points_y": ys}
    x, y, width, height = geometry.xyxy_to_xywh(annotation.xyxy)
    return {"name": "rect", "x": x, "y": y, "width": width, "height": height}
