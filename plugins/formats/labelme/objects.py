"""The objects of a LabelMe file: shapes that belong together by their `group_id`, with their keypoints.

A group is made of shapes with an area, whose parts of one label are one object, and of points, which are keypoints of
the one object in the group (https://github.com/wkentaro/labelme/issues/925). The label of a point is its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from amp_datasets.errors import AmpError
from amp_datasets.formats.kit.reading import Reading, category_name, points
from amp_datasets.geometry import shapes as geometry
from amp_datasets.geometry.rle import rasterise, union
from amp_datasets.model import Annotation, Category, Size

from .shapes import shape_to_annotation

KEYPOINT_NAMES = "keypoint_names"
"""What our own files call the names of each class's keypoints, those too that no image shows; LabelMe keeps it."""
NOT_CLASSES = frozenset({"__ignore__", "_background_"})
"""Labels that LabelMe's own lists begin with: what is called so is no object."""
_NO_AREA = frozenset({"points", "line", "linestrip"})
_HIDDEN = frozenset({"occluded", "hidden", "invisible"})


class ObjectReader:
    """Reads the shapes of image after image; `all_documents` gives the whole set, `listed` its list of labels."""

    def __init__(
        self, reading: Reading, all_documents: Callable[[], Iterable[Mapping[str, Any]]], listed: Sequence[str] = ()
    ) -> None:
        self._reading = reading
        self._all_documents = all_documents
        self._listed = listed
        self._keypoints: dict[str, tuple[str, ...]] | None = None

    def read(self, image: str, shapes: Sequence[Any], size: Size) -> list[Annotation]:
        """The objects of an image; shapes that are none are counted."""
        objects: dict[object, list[Annotation]] = {}
        dots: list[tuple[str, str, Mapping[str, Any]]] = []
        for number, shape in enumerate(shapes, start=1):
            label, group = f"{image}#{number}", _group(shape)
            kind = shape.get("shape_type") if isinstance(shape, dict) else None
            if is_no_class(shape):
                self._reading.repair(label, "shape of no class left out", str(shape["label"]))
            elif kind == "point" and group is not None:
                dots.append((label, group, shape))
            elif isinstance(kind, str) and (kind in _NO_AREA or kind == "point"):
                self._reading.drop(label, "shape has no area", kind)
            else:
                try:
                    annotation = shape_to_annotation(shape, size)
                except (ValueError, KeyError, TypeError, AttributeError, AmpError) as error:
                    self._reading.drop(label, "label cannot be read", f"{type(error).__name__}: {error}"[:100])
                    continue
                objects.setdefault((annotation.category, group) if group is not None else number, []).append(annotation)
        joined = {key: _joined(parts, size) for key, parts in objects.items()}
        return [*(self._with_keypoints(joined, dots) if dots else joined).values()]

    def categories(self, names: Iterable[str]) -> list[Category]:
        """Classes with their keypoints; a label of points alone is none."""
        known = self._keypoints or {}
        dots = {name for point_names in known.values() for name in point_names}
        used = (
            {
                shape.get("label")
                for document in self._all_documents()
                for shape in map(_as_dict, document["shapes"])
                if shape.get("shape_type") != "point"
            }
            if known
            else set()
        )
        return [Category(name, keypoints=known.get(name, ())) for name in names if name not in dots or name in used]

    def _with_keypoints(
        self, objects: dict[object, Annotation], dots: Sequence[tuple[str, str, Mapping[str, Any]]]
    ) -> dict[object, Annotation]:
        if self._keypoints is None:
            self._keypoints = self._find_keypoints()
        found: dict[object, dict[str, list[float]]] = {}
        for label, group, shape in dots:
            owners = [key for key in objects if isinstance(key, tuple) and key[1] == group]
            try:
                if len(owners) != 1:
                    raise ValueError(f"its group {group} has {len(owners)} objects")
                place, name = _place(shape), category_name(shape.get("label"))
                if name in found.setdefault(owners[0], {}):
                    raise ValueError(f"`{name}` is there twice")
            except (ValueError, TypeError) as error:
                self._reading.drop(label, "point belongs to no object", str(error)[:100])
                continue
            found[owners[0]][name] = place
        for key, places in found.items():
            names = self._keypoints[objects[key].category]
            rows = np.array([places.get(name, [0.0, 0.0, 0.0]) for name in names], dtype=np.float64)
            objects[key] = replace(objects[key], keypoints=rows)
        return objects

    def _find_keypoints(self) -> dict[str, tuple[str, ...]]:
        """The names of the points of each class in the whole set, as the set lists them, then as they appear."""
        names: dict[str, dict[str, None]] = {}
        for document in self._all_documents():
            stated = document.get(KEYPOINT_NAMES)
            for owner, listed in stated.items() if isinstance(stated, dict) else ():
                names.setdefault(owner, {}).update(dict.fromkeys(map(str, listed if isinstance(listed, list) else ())))
            owners: dict[str, set[str]] = {}
            for shape in map(_as_dict, document["shapes"]):
                group = _group(shape)
                if group is not None and shape.get("shape_type") not in {*_NO_AREA, "point"}:
                    owners.setdefault(group, set()).add(str(shape.get("label")).strip())
            for name, group in _points_of(document["shapes"]):
                for owner in owners.get(group, ()):
                    names.setdefault(owner, {})[name] = None
        order = {name: number for number, name in enumerate(self._listed)}
        return {
            owner: tuple(sorted(found, key=lambda name: order.get(name, len(order)))) for owner, found in names.items()
        }


def is_no_class(shape: Any) -> bool:
    """Whether a shape is called as what is no class."""
    return isinstance(shape, dict) and isinstance(shape.get("label"), str) and shape["label"] in NOT_CLASSES


def _points_of(shapes: Sequence[Any]) -> Iterator[tuple[str, str]]:
    """Name and group of each point that belongs to a group."""
    for shape in map(_as_dict, shapes):
        group = _group(shape)
        if shape.get("shape_type") == "point" and group is not None:
            yield str(shape.get("label")).strip(), group


def _as_dict(shape: Any) -> dict[str, Any]:
    return shape if isinstance(shape, dict) else {}


def _group(shape: Any) -> str | None:
    group = shape.get("group_id") if isinstance(shape, dict) else None
    return str(group) if isinstance(group, int | str) and not isinstance(group, bool) else None


def _place(shape: Mapping[str, Any]) -> list[float]:
    """x, y and visibility of a point: 1 where a flag or the description says that it is hidden."""
    ((x, y),) = points([value for point in shape["points"] for value in point]).tolist()
    flags = shape.get("flags")
    hidden = isinstance(flags, dict) and any(flags.get(flag) for flag in _HIDDEN)
    return [x, y, 1.0 if hidden or str(shape.get("description")).strip() == "1" else 2.0]


def _joined(parts: list[Annotation], size: Size) -> Annotation:
    """The parts of one object: a mask where one of them is, else polygons; a plain box takes part with its corners."""
    if len(parts) == 1:
        return parts[0]
    polygons = tuple(polygon for part in parts for polygon in _outline(part))
    masks = [part.mask for part in parts if part.mask is not None]
    if masks:
        mask = union([*masks, *([rasterise(polygons, size)] if polygons else [])])
        return replace(parts[0], xyxy=geometry.mask_box(mask), polygons=(), corners=None, mask=mask)
    box = geometry.bounds(polygon.exterior for polygon in polygons)
    return Annotation(parts[0].category, box, polygons=polygons, attributes=parts[0].attributes)


def _outline(part: Annotation) -> tuple[Any, ...]:
    return () if part.mask is not None else geometry.outline(part, "rect")
