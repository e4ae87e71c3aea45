"""Conversations for multimodal trainers, and preference pairs: text about images and their boxes."""

from amp_datasets.plugin.registry import Registry

from .multimodal import MultimodalExporter
from .preference import PreferenceExporter


def register(registry: Registry) -> None:
    """Offer the two writers."""
    registry.add_exporter(MultimodalExporter)
    registry.add_exporter(PreferenceExporter)
