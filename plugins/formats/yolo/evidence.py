"""What the rows of a whole YOLO set say, where no file says it: poses, confidences, and where classes count from.

A row alone cannot tell: `x y` pairs may be an outline or keypoints, and a sixth value a confidence or a slip.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import shapely
from pydantic import Field

from amp_datasets.errors import AmpError
from amp_datasets.formats.base import Options
from amp_datasets.formats.kit.reading import Reading, parse_json
from amp_datasets.geometry.shapes import bounds
from amp_datasets.model import FloatArray
from amp_datasets.storage.folder import Folder

from .data_yaml import YoloYaml

NOTES = "notes.json"
"""Label Studio's file beside a YOLO export: the classes, with their keypoints."""
_SLACK = 0.02
"""How far a keypoint may lie out of its box, as a share of the image."""
_FEWEST_ROWS = 2


class YoloOptions(Options):
    """`task`: what rows of four points are; `auto` takes tilted rectangles throughout for oriented boxes.

    `kpt_shape`: how many keypoints of how many values, as data.yaml has it, where none says so. `min_confidence`: the
    labels are predictions, and less sure ones are left out. `first_class`: the number of the first class in the rows.
    `unlabelled`: an image without a label file, beside images that have one, is background, as the trainer has it; with
    `skip` it was never labelled.
    """

    task: Literal["auto", "detect", "segment", "pose", "obb"] = "auto"
    kpt_shape: tuple[Annotated[int, Field(ge=1, le=10_000)], Literal[2, 3]] | None = None
    min_confidence: Annotated[float, Field(ge=0, le=1)] | None = None
    first_class: Literal["auto", 0, 1] = "auto"
    unlabelled: Literal["background", "skip"] = "background"


@dataclass(frozen=True, slots=True)
class RowsOfASet:
    """Rows of a set as far as they are numbers: the class, then the values."""

    rows: tuple[tuple[float, ...], ...]

    @classmethod
    def of(cls, texts: Iterable[Sequence[str]]) -> RowsOfASet:
        """Those rows that are numbers throughout."""
        found = []
        for parts in texts:
            try:
                found.append(tuple(map(float, parts)))
            except ValueError:
                continue
        return cls(tuple(found))

    def keypoints(self) -> tuple[int, int] | None:
        """How many keypoints of how many values the rows have behind their box; None where that is not evident.

        Three values: each third one is a visibility (0, 1 or 2). Two values: the points lie in the box that the first
        four values are, in each row, and as outline some row would cross itself.
        """
        longer = [row[1:] for row in self.rows if len(row) > 5]
        counts = {len(values) for values in longer}
        if len(counts) != 1 or not np.isfinite(longer).all():
            return None
        (count,) = counts
        values = np.array(longer, dtype=np.float64)
        if (count - 4) % 3 == 0 and _has_visibilities(values):
            return ((count - 4) // 3, 3)
        if (count - 4) % 2 == 0 and len(values) >= _FEWEST_ROWS and _has_points_in_boxes(values):
            return ((count - 4) // 2, 2)
        return None

    def has_confidences(self) -> bool:
        """Whether each row ends with a confidence, as predictions that were saved do: one value too many, a share."""
        return bool(self.rows) and all(len(row) >= 6 and len(row) % 2 == 0 and 0 <= row[-1] <= 1 for row in self.rows)

    def class_numbers(self) -> frozenset[int]:
        """The classes that the rows name."""
        return frozenset(int(row[0]) for row in self.rows if row and row[0].is_integer())


def keypoint_shape(
    yaml: YoloYaml | None, evidence: RowsOfASet, options: YoloOptions, reading: Reading
) -> tuple[int, int] | None:
    """How many keypoints of how many values rows have: as told, as data.yaml says, else as the rows show (said)."""
    if options.kpt_shape is not None:
        return options.kpt_shape
    if yaml is not None and yaml.keypoints is not None:
        return yaml.keypoints
    if options.task not in ("auto", "pose") or (yaml is not None and yaml.task is not None):
        return None
    shape = evidence.keypoints()
    if shape is not None:
        detail = f"no file says kpt_shape, and all rows look like {list(shape)}: read so"
        reading.repair("labels", "pose rows without kpt_shape", detail)
    return shape


def keypoint_names(folder: Folder, yaml: YoloYaml | None, shape: tuple[int, int] | None) -> tuple[str, ...]:
    """The names of keypoints in data.yaml or Label Studio's notes, if they are as many; else numbers."""
    if shape is None:
        return ()
    if yaml is not None and len(yaml.keypoint_names) == shape[0]:
        return yaml.keypoint_names
    if NOTES in folder:
        try:
            notes = parse_json(folder.read(NOTES, 2**24), folder.path(NOTES))
        except AmpError:
            notes = None
        categories = notes.get("categories") if isinstance(notes, dict) else None
        for entry in categories if isinstance(categories, list) else ():
            names = entry.get("keypoints") if isinstance(entry, dict) else None
            if isinstance(names, list) and len(names) == shape[0] and all(isinstance(name, str) for name in names):
                return tuple(names)
    return tuple(f"keypoint_{number}" for number in range(shape[0]))


def from_first_class(
    names: list[str], yaml: YoloYaml | None, numbers: frozenset[int], options: YoloOptions, reading: Reading
) -> list[str]:
    """Names so that the numbers of the rows are their indices, also where the names or the rows count from 1.

    What is written stands, unless the rows contradict it: rows of class 0 under names from 1, or rows of exactly the
    classes 1 to n under n names from 0.
    """
    named_from_one = yaml is not None and yaml.counts_from_one
    plain = names[1:] if named_from_one else names
    if options.first_class != "auto":
        return ["", *plain] if options.first_class == 1 else plain
    if named_from_one and 0 in numbers:
        detail = f"names from 1, labels from 0: 0 is read as {plain[0]}"
    elif named_from_one and len(plain) not in numbers:
        detail = f"names from 1, and no label is {len(plain)}: 1 is read as {plain[0]}"
    elif not named_from_one and names and numbers == set(range(1, len(names) + 1)):
        detail = f"names from 0, and labels of the classes 1 to {len(names)}: 1 is read as {plain[0]}"
    else:
        return names
    reading.repair("classes", "classes are numbered from 0 and from 1", detail)
    return plain if named_from_one and 0 in numbers else ["", *plain]


def _has_visibilities(values: FloatArray) -> bool:
    points = values[:, 4:].reshape(len(values), -1, 3)
    known = np.isin(points[:, :, 2], (0, 1, 2)).all() and (np.abs(points[:, :, :2] - 0.5) <= 0.5 + _SLACK).all()
    return bool(known and ((points[:, :, 2] == 2).any() or points[:, :, 2].size > 1))


def _has_points_in_boxes(values: FloatArray) -> bool:
    centre, half = values[:, None, :2], values[:, None, 2:4] / 2
    points = values[:, 4:].reshape(len(values), -1, 2)
    absent = (points <= 0).all(axis=2)
    inside = (np.abs(points - centre) <= half + _SLACK).all(axis=2) | absent
    in_image = (values[:, :2] - values[:, 2:4] / 2 >= -_SLACK).all() and (
        values[:, :2] + values[:, 2:4] / 2 <= 1 + _SLACK
    ).all()
    return bool(inside.all() and in_image and any(map(_crosses_itself, values)))


def _crosses_itself(values: FloatArray) -> bool:
    ring = values.reshape(-1, 2)
    return bounds([ring]) != (0, 0, 0, 0) and not shapely.Polygon(ring).is_simple
