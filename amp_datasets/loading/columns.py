"""Anybody's rows with boxes: which columns they are in, what the numbers mean, and rows of the same form written back.

The shapes found on the hub: `objects` (or `annotations`) as a map of lists or a list of maps, or the lists as columns
of their own; boxes as xywh, xyxy or centre with size, in pixels or as shares of the image. What the numbers mean is
settled by all rows that are looked at, by the same judge as in sets that are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from amp_datasets.errors import SourceError
from amp_datasets.formats.kit.box_form import BoxEvidence, Form
from amp_datasets.geometry import shapes as geometry
from amp_datasets.model import Annotation, Box, FloatArray, Polygon, Size
from amp_datasets.rows.schema import class_names

if TYPE_CHECKING:
    from datasets import Features

BoxForm = Literal["xywh", "xyxy", "cxcywh", "xywhn", "xyxyn", "cxcywhn"]
"""What four numbers are; with `n`, as shares of the image's width and height."""

_AS_SHARES: Mapping[Form, BoxForm] = {"xywh": "xywhn", "xyxy": "xyxyn", "cxcywh": "cxcywhn"}

_OBJECTS = ("objects", "annotations", "annotation", "labels", "targets")
_BOX = ("bbox", "bboxes", "boxes", "box")
_CATEGORY = (
    "category",
    "categories",
    "category_id",
    "class",
    "classes",
    "class_label",
    "class_labels",
    "label",
    "labels",
)
_WIDTH, _HEIGHT = ("width", "image_width"), ("height", "image_height")
_MOVES = ("mask", "rle", "polygon", "points", "corners", "obb", "rotation", "angle")

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Columns:
    """Where a dataset has its image, boxes and classes. `objects` is None where boxes are a column of the rows."""

    image: str
    objects: str | None
    box: str
    category: str | None
    form: BoxForm = "xywh"
    names: tuple[str, ...] = ()
    as_records: bool = False
    """Whether `objects` is a list of maps rather than a map of lists."""

    def annotations(self, row: Row, size: Size) -> tuple[Annotation, ...]:
        """The labels of a row, each with its place in the row as `id`. Raises ValueError for what is no box."""
        entries = list(self.entries(row))
        return tuple(self._annotation(entry, index, size) for index, entry in enumerate(entries))

    def row(
        self,
        row: Row,
        annotations: Sequence[Annotation],
        size: Size,
        others: Mapping[int, dict[str, Any]] | None = None,
    ) -> dict[str, Any]:
        """The row with other labels, of an image of this size; each comes from the label that its `id` names.

        That is a place in the row, or a key of `others`, which are labels of other rows.
        """
        entries = {**dict(enumerate(self.entries(row))), **(others or {})}
        new = [self._entry(entries[a.id or 0], a, size) for a in annotations]
        keys = self._keys(row)
        changed: dict[str, Any] = {name: size[0] for name in _WIDTH if name in row}
        changed |= {name: size[1] for name in _HEIGHT if name in row}
        if self.objects is None:
            return {**row, **changed, **{key: [entry[key] for entry in new] for key in keys}}
        held: Any = new if self.as_records else {key: [entry[key] for entry in new] for key in keys}
        return {**row, **changed, self.objects: held}

    def _keys(self, row: Row) -> list[str]:
        if self.objects is None:
            return [name for name in (self.box, self.category) if name is not None]
        held = row[self.objects]
        return list(held) if isinstance(held, Mapping) else list(held[0]) if held else []

    def entries(self, row: Row) -> Iterator[dict[str, Any]]:
        """The objects of a row one by one, whichever way it holds them."""
        held = row if self.objects is None else row[self.objects]
        if isinstance(held, Mapping):
            count = len(held[self.box] or ())
            for index in range(count):
                yield {key: held[key][index] for key in self._keys(row)}
        else:
            yield from map(dict, held or ())

    def _annotation(self, entry: Row, index: int, size: Size) -> Annotation:
        name = self._name(entry.get(self.category) if self.category else None)
        polygons = _polygons(entry.get("segmentation"))
        keypoints = entry.get("keypoints")
        points = np.asarray(keypoints, dtype=np.float64).reshape(-1, 3) if keypoints else None
        crowd = bool(entry.get("iscrowd") or entry.get("is_crowd"))
        box = geometry.clip_box(to_xyxy(entry[self.box], self.form, size), size)
        return Annotation(name, box, polygons, keypoints=points, iscrowd=crowd, id=index)

    def _name(self, value: Any) -> str:
        if value is None:
            return "object"
        if isinstance(value, int) and self.names:
            return self.names[value]
        return str(value)

    def _category(self, annotation: Annotation, old: Any) -> Any:
        if isinstance(old, int):
            return self.names.index(annotation.category) if self.names else int(annotation.category)
        return old if old is None else annotation.category

    def _entry(self, old: dict[str, Any], annotation: Annotation, size: Size) -> dict[str, Any]:
        new: dict[str, Any] = {**old, self.box: from_xyxy(annotation.xyxy, self.form, size)}
        if self.category is not None:
            new[self.category] = self._category(annotation, old[self.category])
        if old.get("area") is not None:
            new["area"] = type(old["area"])(geometry.area(annotation))
        if old.get("segmentation"):
            new["segmentation"] = _segmentation(annotation.polygons, parted=_is_parted(old["segmentation"]))
        if annotation.keypoints is not None:
            new["keypoints"] = _shaped_like(old["keypoints"], annotation.keypoints)
        return new


def find_columns(
    features: Features, rows: Iterable[Row], sizes: Iterable[Size], form: BoxForm | None = None
) -> Columns:
    """The columns of a dataset by their types, and by some `rows` with the `sizes` of their images what boxes mean.

    Raises SourceError where there is no image or no box, and where objects have something that amp cannot move along.
    """
    from datasets import Image

    image = next((name for name, kind in features.items() if isinstance(kind, Image)), None)
    if image is None:
        raise SourceError("no column has images", fix="cast one: dataset.cast_column('image', datasets.Image())")
    objects = next((name for name in _OBJECTS if name in features and _inner(features[name])), None)
    inner: Mapping[str, Any] = features if objects is None else _inner(features[objects])
    box = next((name for name in _BOX if name in inner), None)
    if box is None:
        listed = ", ".join(inner)
        raise SourceError(f"no column has boxes; there are: {listed}", fix="name it `bbox`, or put it into `objects`")
    if objects is not None:
        _refuse_what_moves(inner, objects)
    category = next((name for name in _CATEGORY if name in inner and name != box), None)
    names = class_names(inner[category]) if category is not None else ()
    as_records = objects is not None and not isinstance(features[objects], Mapping) and _is_list(features[objects])
    found = Columns(image, objects, box, category, form or "xywh", names, as_records)
    return found if form is not None else replace(found, form=_form_of(found, rows, sizes))


def columns_of_row(row: Row, form: BoxForm) -> Columns:
    """The columns of a row whose image is decoded, by their names alone. Raises SourceError without image or boxes."""
    image = next((name for name, value in row.items() if hasattr(value, "convert")), None)
    objects = next((name for name in _OBJECTS if isinstance(row.get(name), Mapping | list)), None)
    held: Any = row if objects is None else row[objects]
    inner = held if isinstance(held, Mapping) else held[0] if held else {}
    box = next((name for name in _BOX if name in inner), "bbox")
    category = next((name for name in _CATEGORY if name in inner), "category")
    if image is None or (objects is None and box not in row):
        raise SourceError(f"a row has no image or no boxes; it has: {', '.join(row)}", fix="give the dataset too")
    return Columns(image, objects, box, category, form, as_records=isinstance(held, list))


def to_xyxy(box: Sequence[float], form: BoxForm, size: Size) -> Box:
    """Four numbers as (x_min, y_min, x_max, y_max) in pixels. Raises ValueError for what is no box."""
    if form not in get_args(BoxForm):
        raise ValueError(f"`{form}` is not a form of boxes; there are: {', '.join(get_args(BoxForm))}")
    values = np.asarray(box, dtype=np.float64)
    if values.shape != (4,) or not np.isfinite(values).all():
        raise ValueError(f"a box has four numbers (got {box!r})")
    if form.endswith("n"):
        values = values * (*size, *size)
    a, b, c, d = values.tolist()
    kind = form.rstrip("n")
    if kind == "xyxy":
        return a, b, c, d
    return geometry.xywh_to_xyxy([a, b, c, d]) if kind == "xywh" else geometry.cxcywh_to_xyxy((a, b, c, d))


def from_xyxy(box: Box, form: BoxForm, size: Size) -> list[float]:
    """The opposite of `to_xyxy`."""
    x0, y0, x1, y1 = box
    kind = form.rstrip("n")
    width, height = x1 - x0, y1 - y0
    values = {"xyxy": box, "xywh": (x0, y0, width, height), "cxcywh": (x0 + width / 2, y0 + height / 2, width, height)}
    scale = (*size, *size) if form.endswith("n") else (1, 1, 1, 1)
    return [float(v / s) for v, s in zip(values[kind], scale, strict=True)]


def _form_of(columns: Columns, rows: Iterable[Row], sizes: Iterable[Size]) -> BoxForm:
    """What the boxes of some rows are, judged as in a set that is read: COCO's form unless the rows prove otherwise."""
    evidence = BoxEvidence()
    for row, size in zip(rows, sizes, strict=False):
        for entry in columns.entries(row):
            plain = not entry.get("segmentation")  # else the area is the outline's
            evidence.see(np.asarray(entry[columns.box]).tolist(), size, entry.get("area") if plain else None)
    judged = evidence.judge()
    return _AS_SHARES[judged.form] if judged.shares else judged.form


def _inner(feature: Any) -> Mapping[str, Any]:
    """The types inside `objects`: of a map of lists, or of a list of maps."""
    inner = getattr(feature, "feature", feature[0] if isinstance(feature, list) and feature else feature)
    return inner if isinstance(inner, Mapping) else {}


def _is_list(feature: Any) -> bool:
    """Whether rows hold a list of maps; a `Sequence` of a map holds a map of lists."""
    return isinstance(feature, list) or type(feature).__name__ in {"List", "LargeList"}


def _refuse_what_moves(inner: Mapping[str, Any], objects: str) -> None:
    stray = [name for name in inner if name.lower() in _MOVES]
    if stray:
        raise SourceError(
            f"`{objects}.{stray[0]}` would have to move with the image, and amp does not know its form",
            fix="remove it, or write it as COCO's `segmentation` or `keypoints`",
        )


def _polygons(value: Any) -> tuple[Polygon, ...]:
    """COCO's polygons (flat lists, or one), or those of our own rows: parts of an outer ring and its holes."""
    if not value:
        return ()
    if isinstance(value, Mapping):
        raise ValueError("a mask as run lengths cannot be moved here; write it as polygons, or build the set instead")
    if isinstance(value[0], int | float):
        value = [value]
    parts = value if _is_parted(value) else [[ring] for ring in value]
    rings = [[np.asarray(ring, dtype=np.float64).reshape(-1, 2) for ring in part] for part in parts]
    return tuple(Polygon(part[0], tuple(part[1:])) for part in rings if part)


def _is_parted(value: Any) -> bool:
    """Whether polygons are parts of rings, as in our own rows, rather than COCO's flat lists."""
    return isinstance(value[0], list | tuple) and bool(value[0]) and isinstance(value[0][0], list | tuple)


def _segmentation(polygons: Sequence[Polygon], *, parted: bool) -> list[Any]:
    """Polygons in the form in which they came; COCO's has no holes."""
    if parted:
        return [[ring.ravel().tolist() for ring in polygon.rings] for polygon in polygons]
    return [polygon.exterior.ravel().tolist() for polygon in polygons]


def _shaped_like(old: Any, points: FloatArray) -> Any:
    return points.tolist() if old and isinstance(old[0], list | tuple) else points.ravel().tolist()
