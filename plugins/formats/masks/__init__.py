"""Images of labels: folders of masks, and Pascal VOC's segmentation."""

from amp_datasets.plugin.registry import Registry

from .export import MaskExporter, VocMaskExporter
from .source import MaskSource


def register(registry: Registry) -> None:
    """Offer the reader and both exporters."""
    registry.add_source(MaskSource)
    registry.add_exporter(MaskExporter)
    registry.add_exporter(VocMaskExporter)
