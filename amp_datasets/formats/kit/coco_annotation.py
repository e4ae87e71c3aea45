"""One category or annotation of a COCO JSON, with the mistakes that tools make in it repaired or counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from amp_datasets.formats.kit.entries import simple_values
from amp_datasets.formats.kit.reading import Reading, category_name, finite, points
from amp_datasets.geometry import shapes as geometry
from amp_datasets.geometry.rle import parse_rle
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


@dataclass
class LabelReader:
    """Reads annotations of one file, whose category ids mean `names`; problems go to `reading`."""

    reading: Reading
    names: Mapping[str, str]
    _ids: set[int] = field(default_factory=set)
    _silent: Counter[str] = field(default_factory=Counter)

    def read(self, raw: Mapping[str, Any], label: str, declared: Size | None) -> Annotation | None:
        """One label, called `label` in reports; None, and counted as dropped, if it has no category or no place."""
        try:
            key = entry_key(raw.get("category_id"))
            if key not in self.names:
                raise ValueError(f"category_id {key} is not in `categories`")
            iscrowd = self._iscrowd(raw)
            polygons, mask = self._outline(raw.get("segmentation"), label)
            if mask is not None and declared is not None and mask.size != declared:
                raise ValueError(f"the mask is {mask.size[0]}x{mask.size[1]}, its image {declared[0]}x{declared[1]}")
            box = self._box(raw.get("bbox"), polygons, mask, label)
        except (ValueError, TypeError) as error:
            self.reading.drop(label, "label cannot be read", str(error))
            return None
        return Annotation(
            self.names[key],
            box,
            polygons=polygons,
            mask=mask,
            keypoints=self._keypoints(raw.get("keypoints"), label),
            iscrowd=iscrowd,
            id=self._id(raw.get("id"), label),
            attributes=_attributes(raw),
        )

    def finish(self, file: str) -> None:
        """Report what was repaired so often that it is counted by file."""
        for rule, count in self._silent.items():
            self.reading.repair(file, rule, f"{count} labels")

    def _iscrowd(self, raw: Mapping[str, Any]) -> bool:
        value = raw.get("iscrowd")
        if value == 0:  # nearly always: spare it what follows
            return False
        if value is None:
            self._silent["missing iscrowd taken as 0"] += 1
            return False
        number = int(value) if isinstance(value, bool) else finite(value)
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
            return (self._polygons(value, label), None) if isinstance(value, list) else ((), None)
        except (ValueError, TypeError) as error:
            self.reading.drop(f"{label} segmentation", "outline cannot be read", str(error))
            return (), None

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

    def _box(self, value: object, polygons: Sequence[Polygon], mask: Mask | None, label: str) -> Box:
        extent = _extent(polygons, mask)
        try:
            box = _xyxy(value)
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


def _xyxy(value: object) -> Box:
    if not isinstance(value, list) or len(value) != 4:
        raise ValueError("missing" if value is None else f"{str(value)[:40]} is not [x, y, width, height]")
    return geometry.xywh_to_xyxy([finite(number) for number in value])


def _attributes(raw: Mapping[str, Any]) -> dict[str, str | int | float | bool]:
    if raw.keys() <= _WITHOUT_ATTRIBUTES:
        return {}
    nested = raw.get("attributes")
    others = {key: value for key, value in raw.items() if key not in _STANDARD}
    return simple_values({**others, **(nested if isinstance(nested, Mapping) else {})})
