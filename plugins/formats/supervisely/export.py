"""Writes a Supervisely project, whose data sets are the splits."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

from amp_datasets.formats.base import Exporter, Feature, Options
from amp_datasets.formats.kit.entries import simple_values
from amp_datasets.geometry import shapes as geometry
from amp_datasets.model import Annotation, LabelSet, Polygon, Sample

from .objects import packed_bitmap

EXACT = "fractions of pixels; the last corner of a rectangle is its last pixel"
"""What an annotation of ours says of its numbers: the library rounds them down, and so finds the right pixels."""

_COLOURS = (
    "#E6194B",
    "#3CB44B",
    "#4363D8",
    "#F58231",
    "#911EB4",
    "#46F0F0",
    "#F032E6",
    "#BCF60C",
    "#008080",
    "#9A6324",
)


class SuperviselyExporter(Exporter[Options]):
    """Writes `meta.json`, `<split>/img/` and `<split>/ann/`."""

    name: ClassVar[str] = "supervisely"
    title: ClassVar[str] = "Supervisely project"
    holds: ClassVar[frozenset[Feature]] = frozenset(
        {"polygon", "multipart", "hole", "mask", "attributes", "empty", "split", "classes"}
    )

    def write(self, labels: LabelSet) -> None:
        """Write images and annotations, then the project's classes and tags."""
        tags: dict[str, None] = {}
        for sample in labels.samples:
            if not sample.labelled:
                continue
            folder = self.target / str(sample.split)
            self.place(sample, folder / "img" / sample.source_id)
            (folder / "ann").mkdir(parents=True, exist_ok=True)
            _write(folder / "ann" / f"{sample.source_id}.json", _annotation(sample, tags))
        classes = [
            {"title": category.name, "shape": "any", "color": _COLOURS[number % len(_COLOURS)], "geometry_config": {}}
            for number, category in enumerate(labels.categories)
        ]
        metas = [{"name": name, "value_type": "any_string", "color": "#7F7F7F"} for name in tags]
        _write(self.target / "meta.json", {"classes": classes, "tags": metas, "projectType": "images"})


def _write(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8", newline="\n")


def _annotation(sample: Sample, tags: dict[str, None]) -> dict[str, Any]:
    """One image; `tags` takes in the names of all attributes."""
    objects = []
    for number, annotation in enumerate(sample.annotations):
        values = simple_values(annotation.attributes)
        tags.update(dict.fromkeys(values))
        shared = {
            "description": "",
            "classTitle": annotation.category,
            "tags": [{"name": name, "value": str(value)} for name, value in values.items()],
        }
        shapes = list(_shapes(annotation))
        if len(shapes) > 1:
            shared["instance"] = uuid.uuid5(uuid.NAMESPACE_URL, f"{sample.source_id}#{number}").hex
        objects += [{**shared, **shape} for shape in shapes]
    width, height = sample.size
    return {
        "description": "",
        "name": sample.source_id,
        "size": {"height": height, "width": width},
        "tags": [],
        "objects": objects,
        "customBigData": {"pixels": EXACT},
    }


def _shapes(annotation: Annotation) -> Iterator[dict[str, Any]]:
    """The shapes of one object: several where it has several parts, which then share an `instance`."""
    if annotation.mask is not None:
        yield {"geometryType": "bitmap", "bitmap": packed_bitmap(annotation.mask)}
    elif annotation.polygons or annotation.corners is not None:
        for polygon in geometry.outline(annotation, "rect"):
            yield {"geometryType": "polygon", "points": _rings(polygon)}
    else:
        x0, y0, x1, y1 = annotation.xyxy
        corners: Iterable[list[float]] = [[x0, y0], [x1 - 1, y1 - 1]]
        yield {"geometryType": "rectangle", "points": {"exterior": corners, "interior": []}}


def _rings(polygon: Polygon) -> dict[str, Any]:
    return {"exterior": polygon.exterior.tolist(), "interior": [hole.tolist() for hole in polygon.holes]}
