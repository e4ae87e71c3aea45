"""Writes CVAT for images 1.1: one XML in the form of a project, whose subsets are the splits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import ClassVar
from xml.etree import ElementTree

import numpy as np

from amp_datasets.formats.base import Exporter, Feature, Options
from amp_datasets.formats.kit.entries import simple_values
from amp_datasets.geometry import shapes as geometry
from amp_datasets.model import Annotation, Category, FloatArray, LabelSet, Mask, Sample

Element = ElementTree.Element
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class CvatExporter(Exporter[Options]):
    """Writes `annotations.xml` and `images/<split>/`, as CVAT exports a project."""

    name: ClassVar[str] = "cvat"
    title: ClassVar[str] = "CVAT XML, for images and for video"
    holds: ClassVar[frozenset[Feature]] = frozenset(
        {"polygon", "multipart", "mask", "corners", "keypoints", "attributes", "empty", "split", "classes"}
    )

    def write(self, labels: LabelSet) -> None:
        """Write images and the XML, an image at a time."""
        (self.target / "images").mkdir(parents=True, exist_ok=True)
        splits = list(dict.fromkeys(str(sample.split) for sample in labels.samples if sample.labelled))
        names = {category.name: category.keypoints for category in labels.categories}
        with (self.target / "annotations.xml").open("w", encoding="utf-8", newline="\n") as stream:
            stream.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n')
            stream.write(f"{_text(_meta(labels.categories, splits, labels.samples))}\n")
            for number, sample in enumerate(s for s in labels.samples if s.labelled):
                task = splits.index(str(sample.split)) + 1
                stream.write(f"{_text(_image(sample, number, task, names))}\n")
                self.place(sample, self.target / "images" / str(sample.split) / sample.source_id)
            stream.write("</annotations>\n")


def _text(element: Element) -> str:
    ElementTree.indent(element, level=1)
    return "  " + ElementTree.tostring(element, encoding="unicode").rstrip()


def _below(parent: Element, tag: str, text: str = "") -> Element:
    element = ElementTree.SubElement(parent, tag)
    element.text = _ILLEGAL.sub("?", text) or None
    return element


def _meta(categories: Iterable[Category], splits: Sequence[str], samples: Iterable[Sample]) -> Element:
    """The project: a task for each split, and the labels in order, those of keypoints with their class as `parent`."""
    meta = Element("meta")
    project = _below(meta, "project")
    _below(project, "name", "amp_datasets")
    tasks = _below(project, "tasks")
    for number, split in enumerate(splits, start=1):
        task = _below(tasks, "task")
        for tag, text in (("id", str(number)), ("name", split), ("mode", "annotation"), ("subset", split)):
            _below(task, tag, text)
    labels = _below(project, "labels")
    unnamed = _unnamed_keypoints(categories, samples)
    for category in categories:
        points = category.keypoints or tuple(str(n + 1) for n in range(unnamed.get(category.name, 0)))
        label = _below(labels, "label")
        _below(label, "name", category.name)
        _below(label, "type", "any")
        _below(label, "attributes")
        if points:
            _below(label, "svg", _drawing(points, category.skeleton))
        for point in points:
            part = _below(labels, "label")
            for tag, text in (("name", point), ("type", "points"), ("attributes", ""), ("parent", category.name)):
                _below(part, tag, text)
    return meta


def _unnamed_keypoints(categories: Iterable[Category], samples: Iterable[Sample]) -> dict[str, int]:
    """How many keypoints there are of each class that does not name them."""
    found: dict[str, int] = {}
    if all(category.keypoints for category in categories):
        return found
    for sample in samples:
        for annotation in sample.annotations:
            if annotation.keypoints is not None:
                number = len(annotation.keypoints)
                found[annotation.category] = max(number, found.get(annotation.category, 0))
    return found


def _drawing(points: Sequence[str], skeleton: Iterable[tuple[int, int]]) -> str:
    """The keypoints on a circle and the edges between them, in the SVG that CVAT keeps skeletons in."""
    turns = np.arange(len(points)) * (2 * np.pi / len(points))
    places = np.column_stack([50 + 40 * np.cos(turns), 50 + 40 * np.sin(turns)]).round(2).tolist()
    root = Element("svg")
    for start, end in skeleton:
        (x1, y1), (x2, y2) = places[start], places[end]
        line = {"x1": x1, "y1": y1, "x2": x2, "y2": y2, "stroke": "black", "data-type": "edge"}
        nodes = {"data-node-from": start + 1, "data-node-to": end + 1}
        ElementTree.SubElement(root, "line", {key: str(value) for key, value in (line | nodes).items()})
    for number, (name, (x, y)) in enumerate(zip(points, places, strict=True), start=1):
        circle = {"r": 1.5, "cx": x, "cy": y, "data-type": "element node", "data-element-id": number}
        circle |= {"data-node-id": number, "data-label-name": _ILLEGAL.sub("?", name)}
        ElementTree.SubElement(root, "circle", {key: str(value) for key, value in circle.items()})
    return "".join(ElementTree.tostring(child, encoding="unicode") for child in root)


def _image(sample: Sample, number: int, task: int, names: dict[str, tuple[str, ...]]) -> Element:
    width, height = sample.size
    stated = {"id": number, "name": _ILLEGAL.sub("?", sample.source_id), "subset": sample.split, "task_id": task}
    image = Element("image", {k: str(v) for k, v in (stated | {"width": width, "height": height}).items()})
    groups = count(1)
    for annotation in sample.annotations:
        shapes = list(_shapes(annotation, names.get(annotation.category, ())))
        group = str(next(groups)) if len(shapes) > 1 else None
        for shape in shapes:
            shape.set("label", _ILLEGAL.sub("?", annotation.category))
            shape.set("source", "manual")
            if shape.tag != "skeleton":
                shape.set("occluded", str(int(bool(annotation.attributes.get("occluded")))))
            shape.set("z_order", "0")
            if group is not None:
                shape.set("group_id", group)
            for key, value in simple_values(annotation.attributes).items():
                if key != "occluded":
                    _below(shape, "attribute", str(value)).set("name", _ILLEGAL.sub("?", key))
            image.append(shape)
    return image


def _shapes(annotation: Annotation, names: Sequence[str]) -> Iterator[Element]:
    """The shapes of one object; where there are several they form a group."""
    if annotation.mask is not None:
        yield Element("mask", _mask(annotation.mask))
    elif annotation.polygons:
        for polygon in annotation.polygons:
            yield Element("polygon", {"points": _points(polygon.exterior)})
    else:
        upright = None if annotation.corners is None else geometry.oriented_box(annotation.corners)
        if annotation.corners is not None and upright is None:  # four corners that are no rectangle
            yield Element("polygon", {"points": _points(annotation.corners)})
        else:
            box, angle_deg = upright or (annotation.xyxy, 0.0)
            sides = zip(("xtl", "ytl", "xbr", "ybr"), box, strict=True)
            turned = {"rotation": repr(angle_deg % 360)} if angle_deg else {}
            yield Element("box", {side: repr(float(value)) for side, value in sides} | turned)
    if annotation.keypoints is not None:
        yield _skeleton(annotation.keypoints, names)


def _skeleton(keypoints: FloatArray, names: Sequence[str]) -> Element:
    skeleton = Element("skeleton")
    for number, (x, y, visibility) in enumerate(keypoints.tolist()):
        name = names[number] if number < len(names) else str(number + 1)
        states = {"outside": str(int(visibility == 0)), "occluded": str(int(visibility == 1))}
        part = {"label": _ILLEGAL.sub("?", name), "source": "manual", **states, "points": f"{x!r},{y!r}"}
        ElementTree.SubElement(skeleton, "points", part)
    return skeleton


def _points(ring: FloatArray) -> str:
    return ";".join(f"{x!r},{y!r}" for x, y in ring.tolist())


def _mask(mask: Mask) -> dict[str, str]:
    """The runs inside the mask's box, row by row, the first one outside the mask."""
    x0, y0, x1, y1 = (round(value) for value in geometry.mask_box(mask))
    pixels = geometry.decode_mask(mask)[y0:y1, x0:x1].ravel()
    changes = np.flatnonzero(np.diff(pixels)) + 1
    runs = np.diff(np.concatenate([[0], changes, [len(pixels)]])).tolist()
    runs = [0, *runs] if len(pixels) and pixels[0] else runs
    sides = {"left": x0, "top": y0, "width": x1 - x0, "height": y1 - y0}
    return {"rle": ", ".join(map(str, runs)), **{key: str(value) for key, value in sides.items()}}
