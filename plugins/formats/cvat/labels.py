"""The labels that the `meta` of a CVAT XML lists: classes, and the keypoints of those that are skeletons."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from xml.etree import ElementTree

from amp_datasets.formats.kit.reading import Reading, category_name
from amp_datasets.model import Category

_NODE = re.compile(r"""<circle\b[^>]*>""")
_EDGE = re.compile(r"""<line\b[^>]*>""")
_VALUE = re.compile(r"""([\w-]+)\s*=\s*["']([^"']*)["']""")


def read_labels(root: ElementTree.Element, reading: Reading, file: str) -> dict[str, Category]:
    """The classes by name, in order. A label with a `parent` is a keypoint of that class."""
    found: dict[str, Category] = {}
    parts: dict[str, list[str]] = {}
    drawings: dict[str, str] = {}
    for node in root.iterfind("meta//label"):
        try:
            name = category_name(node.findtext("name") or "")
        except ValueError as error:
            reading.drop(f"{file}: label", "class name is not usable", str(error))
            continue
        parent = (node.findtext("parent") or "").strip()
        if parent:
            parts.setdefault(parent, []).append(name)
            continue
        if (node.findtext("type") or "").strip() != "tag":
            found.setdefault(name, Category(name))
            drawings.setdefault(name, node.findtext("svg") or "")
    for name, points in parts.items():
        if name in found:
            names = tuple(dict.fromkeys(points))
            found[name] = replace(found[name], keypoints=names, skeleton=_skeleton(drawings[name], names))
    return found


def skeletons(categories: Mapping[str, Category]) -> dict[str, tuple[str, ...]]:
    """The names of the keypoints of each class that has some."""
    return {name: category.keypoints for name, category in categories.items() if category.keypoints}


def _skeleton(drawing: str, names: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    """The edges of a skeleton's drawing (SVG) as pairs of keypoints; those that name no keypoint are left out."""
    nodes: dict[str, int] = {}
    for values in map(_values, _NODE.findall(drawing)):
        if values.get("data-label-name") in names:
            nodes[values.get("data-node-id", "")] = names.index(values["data-label-name"])
    ends = ((values.get("data-node-from", ""), values.get("data-node-to", "")) for values in _edges(drawing))
    return tuple((nodes[start], nodes[end]) for start, end in ends if start in nodes and end in nodes)


def _edges(drawing: str) -> list[dict[str, str]]:
    return [_values(text) for text in _EDGE.findall(drawing)]


def _values(element: str) -> dict[str, str]:
    return dict(_VALUE.findall(element))
