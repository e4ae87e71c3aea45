"""Label Studio JSON and JSON-MIN: rectangles that may be turned, ellipses, polygons, brushes and keypoints.

https://labelstud.io/guide/export

    [{"id": 1, "data": {"image": "/data/upload/1/1a2b3c4d-a.jpg"},
      "annotations": [{"result": [{"type": "rectanglelabels", "original_width": 160, "original_height": 120,
        "value": {"x": 12.5, "y": 20, "width": 50, "height": 50, "rotation": 0, "rectanglelabels": ["fish"]}}]}]}]

Uploads get eight digits before their name, and lose spaces. A task whose annotation is empty is an empty image, one
that was skipped or never opened is unlabelled. Keypoints belong to the region that is their parent.
"""

from __future__ import annotations

from amp_datasets.plugin.registry import Registry

from .export import LabelStudioExporter
from .source import LabelStudioSource


def register(registry: Registry) -> None:
    """Offer both sides of the format."""
    registry.add_source(LabelStudioSource)
    registry.add_exporter(LabelStudioExporter)
