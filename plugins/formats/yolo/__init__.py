"""YOLO: a reader for every layout of its sets, and a writer for each of its tasks, and for whichever fits."""

from amp_datasets.plugin.registry import Registry

from .chosen import YoloExporter
from .export import YoloDetectExporter, YoloObbExporter, YoloPoseExporter, YoloSegmentExporter
from .source import YoloSource


def register(registry: Registry) -> None:
    """Offer the reader and the five writers."""
    registry.add_source(YoloSource)
    for exporter in (YoloExporter, YoloDetectExporter, YoloSegmentExporter, YoloPoseExporter, YoloObbExporter):
        registry.add_exporter(exporter)
