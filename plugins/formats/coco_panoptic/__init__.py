"""COCO panoptic: one JSON a split, and an image of colours for each image, whose pixels are numbers of segments.

https://cocodataset.org/#format-data (5. panoptic segmentation):

    annotations/panoptic_train2017.json   annotations/panoptic_train2017/000001.png   train2017/000001.jpg
        annotations: [{image_id, file_name: "000001.png", segments_info: [{id, category_id, bbox, area, iscrowd}]}]

The number of a segment is R + 256 G + 65536 B of its pixels. Every segment becomes a mask of its class: things are
objects, and "stuff" (`isthing: 0`, as sky) is kept with that attribute unless `stuff: drop` is given.
"""

from __future__ import annotations

from amp_datasets.plugin.registry import Registry

from .export import PanopticExporter
from .source import PanopticSource


def register(registry: Registry) -> None:
    """Offer both sides of the format."""
    registry.add_source(PanopticSource)
    registry.add_exporter(PanopticExporter)
