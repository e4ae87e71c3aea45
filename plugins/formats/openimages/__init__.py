"""OpenImages: tables of boxes as shares of the image, classes by code, and tables that name the codes.

https://storage.googleapis.com/openimages/web/download_v7.html (data formats):

    train/0a1b2c.jpg   oidv6-train-annotations-bbox.csv
        ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside
    train-annotations-object-segmentation.csv: MaskPath,ImageID,LabelName,BoxID,BoxXMin,BoxXMax,BoxYMin,BoxYMax ...
    train-annotations-human-imagelabels.csv: ImageID,Source,LabelName,Confidence
    oidv7-class-descriptions-boxable.csv (also `class-descriptions-boxable.csv`, `classes.csv`): /m/0abc,Apple

An image is named without its suffix. `IsGroupOf` is a crowd. The other flags become attributes where they are 1; -1
says that nobody looked. A mask has a size of its own, and is stretched over its image. Labels of whole images are read
where no table has objects.
"""

from __future__ import annotations

from amp_datasets.plugin.registry import Registry

from .export import OpenImagesExporter
from .source import OpenImagesSource


def register(registry: Registry) -> None:
    """Offer both sides of the format."""
    registry.add_source(OpenImagesSource)
    registry.add_exporter(OpenImagesExporter)
