"""Classification: labels of whole images, by the folder that each image lies in or by a table."""

from amp_datasets.plugin.registry import Registry

from .export import ImageFolderExporter, YoloClassifyExporter
from .source import ImageFolderSource


def register(registry: Registry) -> None:
    """Offer the reader and both exporters."""
    registry.add_source(ImageFolderSource)
    registry.add_exporter(ImageFolderExporter)
    registry.add_exporter(YoloClassifyExporter)
