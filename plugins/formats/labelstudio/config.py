"""The labelling configuration of a project, where a set holds one: classes and keypoints in their order.

https://labelstud.io/guide/setup

Label Studio leaves it out of its exports, so that the order of classes is known only where somebody added it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from xml.etree import ElementTree

from amp_datasets.errors import SourceError
from amp_datasets.formats.kit.reading import Reading, parse_xml
from amp_datasets.formats.kit.structure import xml_elements

_MAX_BYTES = 2**22


@dataclass
class Config:
    """The labels of each control by its name: of keypoints, and of everything else."""

    keypoints: dict[str, list[str]] = field(default_factory=dict)
    classes: dict[str, list[str]] = field(default_factory=dict)


def read_config(reading: Reading) -> Config:
    """What the configurations of a set say together; nothing if there are none."""
    found, folder = Config(), reading.folder
    for file in folder.with_suffix(".xml"):
        if xml_elements(folder, file)[0] != "View":
            continue
        try:
            root = parse_xml(folder.read(file, _MAX_BYTES), folder.path(file))
        except SourceError:  # it is no label file: what it would tell is the order alone
            continue
        reading.use(file)
        for control in root.iter():
            labels = [label.get("value") or "" for label in control.findall("Label")]
            if labels and control.get("name"):
                into = found.keypoints if control.tag == "KeyPointLabels" else found.classes
                into.setdefault(str(control.get("name")), []).extend(label for label in labels if label)
    return found


def config_text(classes: Iterable[str], keypoints: Mapping[str, Iterable[str]]) -> str:
    """A configuration for boxes, polygons and brushes of some classes, and for the keypoints of each control."""
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, "Image", {"name": "image", "value": "$image"})
    names = list(classes)
    for tag, name in (("RectangleLabels", "box"), ("PolygonLabels", "polygon"), ("BrushLabels", "brush")):
        _control(view, tag, name, names)
    for name, points in keypoints.items():
        _control(view, "KeyPointLabels", name, points)
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="unicode") + "\n"


def _control(view: ElementTree.Element, tag: str, name: str, labels: Iterable[str]) -> None:
    control = ElementTree.SubElement(view, tag, {"name": name, "toName": "image"})
    for number, label in enumerate(labels):
        more = {"model_index": str(number)} if tag == "KeyPointLabels" else {}
        ElementTree.SubElement(control, "Label", {"value": label, **more})
