"""One image or label as an entry of a widespread label file: pure functions that several exporters share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from amp_datasets import geometry
from amp_datasets.model import Sample

CSV_HEADER = ("filename", "width", "height", "class", "xmin", "ymin", "xmax", "ymax")
"""The columns that Roboflow and TensorFlow's object detection tools use."""


def createml_entry(sample: Sample, name: str | None = None) -> dict[str, Any]:
    """One image as CreateML describes it: each box by its centre in pixels; `name` if the file is called otherwise."""
    labels = []
    for annotation in sample.annotations:
        x, y, width, height = geometry.xyxy_to_cxcywh(annotation.xyxy)
        coordinates = {"x": x, "y": y, "width": width, "height": height}
        labels.append({"label": annotation.category, "coordinates": coordinates})
    return {"image": name or sample.source_id, "annotations": labels}


def csv_rows(sample: Sample, name: str | None = None) -> list[tuple[str | int | float, ...]]:
    """One row a label under `CSV_HEADER`; an image without labels has none."""
    return [(name or sample.source_id, *sample.size, a.category, *a.xyxy) for a in sample.annotations]


def simple_values(mapping: Mapping[str, Any]) -> dict[str, str | int | float | bool]:
    """The entries whose values are text, booleans or finite numbers."""
    return {
        key: value
        for key, value in mapping.items()
        if isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))
    }
