"""Writes Datumaro's JSON, a file a subset and an item a line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import PurePosixPath
from typing import Any, ClassVar, TextIO

from amp_datasets.formats.base import Exporter, Feature, Options
from amp_datasets.formats.kit.entries import simple_values
from amp_datasets.geometry import shapes as geometry
from amp_datasets.model import Annotation, Category, LabelSet, Sample

_SUBSETS = {"validation": "val"}


class DatumaroExporter(Exporter[Options]):
    """Writes `annotations/<subset>.json` and `images/<subset>/`; turned boxes, which it cannot say, as polygons."""

    name: ClassVar[str] = "datumaro"
    title: ClassVar[str] = "Datumaro JSON, one file a subset"
    holds: ClassVar[frozenset[Feature]] = frozenset(
        {"polygon", "multipart", "mask", "keypoints", "crowd", "attributes", "empty", "split", "classes"}
    )

    def write(self, labels: LabelSet) -> None:
        """Write images and label files, an item a line."""
        (self.target / "annotations").mkdir(parents=True, exist_ok=True)
        ids = {category.name: number for number, category in enumerate(labels.categories)}
        with ExitStack() as stack:
            streams: dict[str, TextIO] = {}
            for number, sample in enumerate(labels.samples):
                if not sample.labelled:
                    continue
                subset = _SUBSETS.get(str(sample.split), str(sample.split))
                first = subset not in streams
                if first:
                    path = self.target / "annotations" / f"{subset}.json"
                    streams[subset] = stack.enter_context(path.open("w", encoding="utf-8", newline="\n"))
                    streams[subset].write(_head(labels.categories))
                item = json.dumps(_item(sample, number, ids), ensure_ascii=False)
                streams[subset].write(f"{'' if first else ','}\n{item}")
                self.place(sample, self.target / "images" / subset / sample.source_id)
            for stream in streams.values():
                stream.write("\n]}\n")


def _head(categories: Iterable[Category]) -> str:
    """The beginning of a file, up to its list of items."""
    labels = [{"name": category.name, "parent": category.supercategory, "attributes": []} for category in categories]
    kinds: dict[str, Any] = {"label": {"labels": labels, "label_groups": [], "attributes": []}}
    items = [
        {
            "label_id": number,
            "labels": list(category.keypoints),
            "joints": [[start + 1, end + 1] for start, end in category.skeleton],
            "positions": [],
        }
        for number, category in enumerate(categories)
        if category.keypoints
    ]
    if items:
        kinds["points"] = {"items": items}
    text = json.dumps(
        {"dm_format_version": "1.0", "media_type": 2, "infos": {}, "categories": kinds}, ensure_ascii=False
    )
    return f'{text[:-1]}, "items": ['


def _item(sample: Sample, number: int, ids: Mapping[str, int]) -> dict[str, Any]:
    shapes: list[dict[str, Any]] = []
    for group, annotation in enumerate(sample.annotations, start=1):
        parts = list(_shapes(annotation))
        attributes = simple_values(annotation.attributes) | ({"is_crowd": True} if annotation.iscrowd else {})
        shared = {"attributes": attributes, "group": group if len(parts) > 1 else 0, "z_order": 0}
        for part in parts:
            shapes.append({"id": len(shapes) + 1, "label_id": ids[annotation.category], **shared, **part})
    image = {"path": sample.source_id, "size": [sample.size[1], sample.size[0]]}
    return {"id": PurePosixPath(sample.source_id).stem, "annotations": shapes, "attr": {"id": number}, "image": image}


def _shapes(annotation: Annotation) -> Iterator[dict[str, Any]]:
    """The shapes of one object; where there are several they form a group."""
    if annotation.mask is not None:
        width, height = annotation.mask.size
        yield {"type": "mask", "rle": {"counts": annotation.mask.counts.decode("ascii"), "size": [height, width]}}
    elif annotation.polygons or annotation.corners is not None:
        for polygon in geometry.outline(annotation, "rect"):
            yield {"type": "polygon", "points": polygon.exterior.ravel().tolist()}
    else:
        yield {"type": "bbox", "bbox": list(geometry.xyxy_to_xywh(annotation.xyxy))}
    if annotation.keypoints is not None:
        seen = [int(state) for state in annotation.keypoints[:, 2].tolist()]
        yield {"type": "points", "points": annotation.keypoints[:, :2].ravel().tolist(), "visibility": seen}
