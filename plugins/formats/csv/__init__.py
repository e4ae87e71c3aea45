"""CSV tables with one row an object, in the column sets that tools and competitions use.

    filename,width,height,class,xmin,ymin,xmax,ymax      TensorFlow and Roboflow (`_annotations.csv`); what we write
    path,x1,y1,x2,y2,class                               keras-retinanet: no header; `path,,,,,` is an empty image
    image,xmin,ymin,xmax,ymax,label                      VoTT
    image_id,width,height,bbox,source                    Kaggle's wheat heads: bbox is "[x, y, w, h]", one class
    ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,...   OpenImages, shares of the image

Values are pixels, or shares where none of a file is above 1. A table cannot list an image without objects (except the
second form), so images of the folder that it does not name are taken as unlabelled.
"""

from __future__ import annotations

from amp_datasets.plugin.registry import Registry

from .export import CsvExporter, CsvExportOptions
from .source import CsvOptions, CsvSource

__all__ = ["CsvExportOptions", "CsvExporter", "CsvOptions", "CsvSource", "register"]


def register(registry: Registry) -> None:
    """Offer both sides of the format."""
    registry.add_source(CsvSource)
    registry.add_exporter(CsvExporter)
