"""One category or annotation of a COCO JSON, with the mistakes that tools make in it repaired or counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from amp_datasets.formats.kit.box_form import AS_STATED, BoxForm
from amp_datasets.formats.kit.entries import simple_values
from amp_datasets.formats.kit.reading import Reading, category_name, finite, points
from amp_datasets.geometry import shapes as geometry
from amp_datasets.geometry.rle import parse_rle, rasterise, union
from amp_datasets.model import Annotation, Box, Category, FloatArray, Mask, Polygon, Size

_STANDARD = frozenset({"id", "image_id", "category_id", "bbox", "area", "segmentation", "iscrowd"}) | {
    "keypoints",
    "num_keypoints",
    "attributes",
}
_WITHOUT_ATTRIBUTES = _STANDARD - {"attributes"}
_ROUNDED_PX = 1.0
"""A box less than this from its polygon's extent is that extent, rounded by the tool."""
_NOISE_PX = 0.01
_FLAGS: Mapping[str, object] = {"false": 0, "true": 1, "no": 0, "yes": 1}


def entry_key(value: object) -> str:
    """An id in one spelling, so that 1, 1.0 and "1" are the same; ValueError for what cannot be an id."""
    if type(value) is int:  # nearly always
        return str(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(f"{str(value)[:40]} is not an id")
    return str(value).strip()


def read_category(entry: Mapping[str, Any], reading: Reading) -> Category:
    """A class with its keypoints; ValueError or KeyError if it has no usable name."""
    name, above = category_name(entry["name"]), entry.get("supercategory")
    supercategory = above.strip() if isinstance(above, str) else ""
    keypoints = tuple(category_name(point) for point in entry.get("keypoints") or ())
    return Category(
        name,
        "" if supercategory in {"none", name} else supercategory,
        keypoints,
        _pairs(entry.get("skeleton"), 1, len(keypoints), name, reading),
        _pairs(entry.get("flip_pairs"), 0, len(keypoints), name, reading) or _left_and_right(keypoints),
    )


def _pairs(value: object, first: int, count: int, name: str, reading: Reading) -> tuple[tuple[int, int], ...]:
    """Pairs of keypoints, counted from 0; those that name no keypoint are counted and left out."""
    kept = []
    for pair in value if isinstance(value, list) else ():
        if isinstance(pair, list) and len(pair) == 2 and all(type(p) is int and 0 <= p - first < count for p in pair):
            kept.append((pair[0] - first, pair[1] - first))
        else:
            reading.repair(name, "pair of keypoints that do not exist removed", str(pair)[:40])
    return tuple(kept)


def _left_and_right(keypoints: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """The pairs that a mirror exchanges, where the names say so: `left_eye` and `right_eye`."""
    numbers = {name: number for number, name in enumerate(keypoints)}
    pairs = ((number, numbers.get(name.replace("left", "right"))) for name, number in numbers.items() if "left" in name)
    return tuple((left, right) for left, right in pairs if right is not None)


def turn(annotation: Annotation) -> Annotation | None:
    """A label whose attribute `rotation` (degrees, clockwise on screen) turns its box; None if none does.

    The attribute goes into the corners. An outline that is not the box itself shows the rotation already.
    """
    try:
        angle_deg = finite(annotation.attributes.get("rotation")) % 360
    except ValueError:
        return None
    rings = [part.exterior for part in annotation.polygons]
    is_box = not rings or (len(rings) == 1 and _is_rectangle(rings[0], annotation.xyxy))
    if not angle_deg or not is_box or annotation.mask is not None or annotation.corners is not None:
        return None
    corners = geometry.turned_rectangle(annotation.xyxy, angle_deg)
    attributes = {key: value for key, value in annotation.attributes.items() if key != "rotation"}
    return replace(annotation, xyxy=geometry.bounds([corners]), corners=corners, polygons=(), attributes=attributes)


def _is_rectangle(ring: FloatArray, xyxy: Box) -> bool:
    """Whether a ring is the four corners of a box, from whichever it starts."""
    found = {(round(x, 1), round(y, 1)) for x, y in ring.tolist()}
    return found == {(round(x, 1), round(y, 1)) for x, y in geometry.rectangle(xyxy).tolist()}


@dataclass
class LabelReader:
    """Reads annotations of one file, whose category ids mean `names`; problems go to `reading`.

    `boxes` says what the four numbers of a box are; `unnamed` is the class of labels without a category id (None: such
    a label is dropped); with `keep_crowds` off no label is a crowd.
    """

    reading: Reading
    names: Mapping[str, str]
    boxes: BoxForm = AS_STATED
    unnamed: str | None = None
    keep_crowds: bool = True
    _ids: set[int] = field(default_factory=set)
    _silent: Counter[str] = field(default_factory=Counter)

    def read(self, raw: Mapping[str, Any], label: str, declared: Size | None) -> Annotation | None:
        """One label, called `label` in reports; None, and counted as dropped, if it has no category or no place.

        `declared` is the size of its image as the file states it.
        """
        try:
            category = self._category(raw.get("category_id"))
            iscrowd = self._iscrowd(raw) and self.keep_crowds
            polygons, mask = self._outline(raw.get("segmentation"), label)
            if mask is not None and declared is not None and mask.size != declared:
                raise ValueError(f"the mask is {mask.size[0]}x{mask.size[1]}, its image {declared[0]}x{declared[1]}")
            box = self._box(raw.get("bbox"), polygons, mask, label, declared)
        except (ValueError, TypeError) as error:
            self.reading.drop(label, "label cannot be read", str(error))
            return None
        annotation = Annotation(
            category,
            box,
            polygons=polygons,
            mask=mask,
            keypoints=self._keypoints(raw.get("keypoints"), label),
            iscrowd=iscrowd,
            id=self._id(raw.get("id"), label),
            attributes=_attributes(raw),
        )
        return self._turned(annotation, label) if "rotation" in annotation.attributes else annotation

    def finish(self, file: str) -> None:
        """Report what was repaired so often that it is counted by file."""
        for rule, count in self._silent.items():
            self.reading.repair(file, rule, f"{count} labels")

    def _category(self, value: object) -> str:
        if value is None:
            if self.unnamed is None:
                raise ValueError("it has no category_id")
            self._silent["labels without a category read as one class"] += 1
            return self.unnamed
        key = entry_key(value)
        if key not in self.names:
            raise ValueError(f"category_id {key} is not in `categories`")
        return self.names[key]

    def _turned(self, annotation: Annotation, label: str) -> Annotation:
        """A box that CVAT wrote upright, with its `rotation` in degrees clockwise: an oriented box.

        https://github.com/cvat-ai/cvat/issues/4745. An outline of its own shows the rotation already.
        """
        turned = turn(annotation)
        if turned is None:
            return annotation
        self.reading.repair(label, "box turned by its rotation", f"{annotation.attributes['rotation']} degrees")
        return turned

    def _iscrowd(self, raw: Mapping[str, Any]) -> bool:
        value = raw.get("iscrowd")
        if value == 0:  # nearly always: spare it what follows
            return False
        if value is None:
            self._silent["missing iscrowd taken as 0"] += 1
            return False
        number = _FLAGS.get(value.strip().lower(), value) if isinstance(value, str) else value
        number = int(number) if isinstance(number, bool) else finite(number)
        if number not in (0, 1):
            raise ValueError(f"iscrowd is {value}")
        return bool(number)

    def _id(self, value: object, label: str) -> int | None:
        if type(value) is not int:
            return None
        if value in self._ids:
            self.reading.repair(label, "repeated annotation id removed", str(value)[:40])
            return None
        self._ids.add(value)
        return value

    def _outline(self, value: object, label: str) -> tuple[tuple[Polygon, ...], Mask | None]:
        """Polygons or a mask; an outline that cannot be read is counted, and its label keeps its box."""
        if value is None or value == []:  # a box alone
            return (), None
        try:
            if isinstance(value, Mapping):
                return (), parse_rle(value)
            if isinstance(value, list) and any(isinstance(part, Mapping) for part in value):
                self._silent["run lengths in a list read as a mask"] += 1
                return (), self._mask_of_parts(value, label)
            return (self._polygons(value, label), None) if isinstance(value, list) else ((), None)
        except (ValueError, TypeError) as error:
            self.reading.drop(f"{label} segmentation", "outline cannot be read", str(error))
            return (), None

    def _mask_of_parts(self, value: list[Any], label: str) -> Mask:
        """Run lengths in a list, where rings are expected; rings between them take part."""
        masks = [parse_rle(part) for part in value if isinstance(part, Mapping)]
        rings = [part for part in value if not isinstance(part, Mapping)]
        polygons = self._polygons(rings, label) if rings else ()
        return union([*masks, *([rasterise(polygons, masks[0].size)] if polygons else [])])

    def _polygons(self, value: list[Any], label: str) -> tuple[Polygon, ...]:
        parts = []
        for flat in self._parts(value, label):
            if len(flat) % 2:
                self.reading.repair(label, "odd polygon value removed", f"{len(flat)} values")
            ring = points(flat[: len(flat) // 2 * 2])
            if len(ring) >= 3:
                parts.append(Polygon(ring))
            else:
                self.reading.repair(label, "polygon part without area removed", f"{len(ring)} points")
        return tuple(parts)

    def _parts(self, value: list[Any], label: str) -> list[list[Any]]:
        """The flat rings in whatever nesting a tool chose."""
        if value and not any(isinstance(part, list) for part in value):
            self.reading.repair(label, "polygon not in a list of parts")
            return [value]
        if not all(isinstance(part, list) for part in value):
            raise ValueError("a polygon part is not a list")
        if len(value) >= 3 and all(len(part) == 2 for part in value):
            self.reading.repair(label, "polygon as a list of points")
            return [[number for point in value for number in point]]
        return value

    def _box(self, value: object, polygons: Sequence[Polygon], mask: Mask | None, label: str, size: Size | None) -> Box:
        extent = _extent(polygons, mask)
        try:
            box = self.boxes.xyxy(value, size)
        except (ValueError, TypeError) as error:
            if extent is None:
                raise ValueError(f"bbox: {error}") from error
            self.reading.repair(label, "box taken from the outline", str(error)[:60])
            return extent
        if not polygons or extent is None:
            return box
        apart = max(abs(a - b) for a, b in zip(box, extent, strict=True))
        if apart >= _ROUNDED_PX or box == extent:
            return box
        if apart > _NOISE_PX:
            self.reading.repair(label, "rounded box replaced by its polygon's extent", f"{apart:.3f} px apart")
        return extent

    def _keypoints(self, value: object, label: str) -> FloatArray | None:
        """Rows of x, y, visibility; None where no point is labelled."""
        if not isinstance(value, list) or not value:
            return None
        try:
            rows = np.array([finite(number) for number in value], dtype=np.float64).reshape(-1, 3)
            if not np.isin(rows[:, 2], (0, 1, 2)).all():
                raise ValueError("a visibility is not 0, 1 or 2")
        except ValueError as error:
            self.reading.drop(f"{label} keypoints", "keypoints cannot be read", str(error))
            return None
        return rows if rows[:, 2].any() else None


def _extent(polygons: Sequence[Polygon], mask: Mask | None) -> Box | None:
    if polygons:
        return geometry.bounds(polygon.exterior for polygon in polygons)
    if mask is None:
        return None
    if not geometry.mask_area(mask):
        raise ValueError("the mask is empty")
    return geometry.mask_box(mask)


def _attributes(raw: Mapping[str, Any]) -> dict[str, str | int | float | bool]:
    if raw.keys() <= _WITHOUT_ATTRIBUTES:
        return {}
    nested = raw.get("attributes")
    others = {key: value for key, value in raw.items() if key not in _STANDARD}
    return simple_values({**others, **(nested if isinstance(nested, Mapping) else {})})
