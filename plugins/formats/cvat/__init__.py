"""CVAT XML 1.1, for images and for video: boxes that may be turned, ellipses, polygons, masks, skeletons, tracks.

https://docs.cvat.ai/docs/dataset_management/formats/format-cvat/

    annotations.xml   images/a.jpg   images/Train/a.jpg (of a project with subsets)   images/frame_000000.PNG

    <annotations><version>1.1</version><meta>... <label><name>cat</name></label> ...</meta>
      <image id="0" name="a.jpg" width="160" height="120">
        <box label="cat" occluded="0" xtl="20.00" ytl="20.00" xbr="80.00" ybr="70.00" rotation="30.00" z_order="0"/>
      </image>
      <track id="0" label="cat"><box frame="0" keyframe="1" outside="0" occluded="0" xtl=.../></track>
    </annotations>

Polygons, masks and skeletons of one label and `group_id` are one object, as in CVAT's own exports to COCO. An image
that is listed without shapes is confirmed empty, and so is a frame of a task that no track is on.
"""

from __future__ import annotations

from amp_datasets.plugin.registry import Registry

from .exporter import CvatExporter
from .source import CvatSource


def register(registry: Registry) -> None:
    """Offer both sides of the format."""
    registry.add_source(CvatSource)
    registry.add_exporter(CvatExporter)
