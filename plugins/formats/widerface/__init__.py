"""WIDER FACE: one text list a split; for each image its path, a number of faces, and a row for each.

http://shuoyang1213.me/WIDERFACE (readme of wider_face_split):

    WIDER_train/images/0--Parade/a.jpg   wider_face_split/wider_face_train_bbx_gt.txt
        0--Parade/a.jpg
        1
        x y width height blur expression illumination invalid occlusion pose [class]

An image without faces has the number 0 and one row of zeros. Faces that are marked as invalid are kept as crowds, which
trainers leave out. Attributes are kept where they say something. The class is `face` (option `category`), unless a row
has one at its end, as Datumaro and CVAT write it.
"""

from __future__ import annotations

from amp_datasets.plugin.registry import Registry

from .export import WiderFaceExporter
from .source import WiderFaceSource


def register(registry: Registry) -> None:
    """Offer both sides of the format."""
    registry.add_source(WiderFaceSource)
    registry.add_exporter(WiderFaceExporter)
