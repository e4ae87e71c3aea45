"""What a ledger says of an image, and how the labels in a file differ from it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from amp_datasets.errors import DAMAGE, BuildError

TOLERANCE_PX = 0.01
"""Label files round: YOLO to nine decimals of the image's size, the rows to float32."""

Label = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Something in a build that is not as it was made: the rule it breaks, where, what, and how to repair it."""

    rule: str
    file: str
    what: str
    fix: str = "build it again"


class Comparable(NamedTuple):
    """One label as two label files can be compared by it; `outline` is empty where it is not compared."""

    category: str | None
    bbox: object
    crowd: object
    outline: list[float]


@dataclass(frozen=True, slots=True)
class Expected:
    """What the ledger says of one image."""

    split: str
    file_name: str
    width: int
    height: int
    source_id: str
    variant: str
    labels: str

    def parsed(self) -> list[Label]:
        """The labels of objects; a BuildError if the ledger's text is not what a build writes."""
        return self._both()[0]

    def of_the_image(self) -> list[str]:
        """The labels of the whole image; a BuildError as with `parsed`."""
        return self._both()[1]

    def _both(self) -> tuple[list[Label], list[str]]:
        try:
            document = json.loads(self.labels)
            labels: list[Label] = document["annotations"] if isinstance(document, dict) else document
            whole: list[str] = document["labels"] if isinstance(document, dict) else []
            if all("category" in label and len(label["xyxy"]) == 4 for label in labels) and isinstance(whole, list):
                return labels, whole
        except DAMAGE:
            pass
        raise BuildError("the ledger's labels cannot be read", where=self.file_name, fix="build it again")


def comparable(label: Label, outline: list[float]) -> Comparable:
    """A label of the ledger as comparable values."""
    return Comparable(label["category"], _xywh(label["xyxy"]), int(label.get("iscrowd", False)), outline)


def flat(label: Label) -> list[float]:
    """The outline's coordinates, if COCO writes them as polygons: no mask, no holes."""
    parts = label.get("polygons", [])
    if "mask" in label or any(len(rings) > 1 for rings in parts):
        return []
    return [value for rings in parts for point in rings[0] for value in point]


def differences(
    rule: str,
    name: str,
    image: Expected,
    size: tuple[int, int],
    there: Sequence[Comparable],
    wanted: Sequence[Comparable],
) -> Iterator[Mismatch]:
    """What is different between the labels in a file and those of the ledger, for one image."""
    if size != (image.width, image.height):
        yield Mismatch(rule, name, f"{image.file_name} is said to be {size[0]}x{size[1]}")
    if len(there) != len(wanted):
        yield Mismatch(rule, name, f"{image.file_name} has {len(there)} labels, in the ledger {len(wanted)}")
        return
    for number, (one, other) in enumerate(zip(there, wanted, strict=True), start=1):
        same = (one.category, one.crowd) == (other.category, other.crowd)
        if not same or not close(one.bbox, other.bbox) or not close(one.outline, other.outline):
            yield Mismatch(rule, name, f"label {number} of {image.file_name} is not the ledger's ({other.category})")


def names_differ(rule: str, name: str, found: Iterable[str], expected: Mapping[str, Expected]) -> Iterator[Mismatch]:
    """The images that a file does not list, or lists without need."""
    files = set(found)
    for file_name in sorted(expected.keys() - files):
        yield Mismatch(rule, name, f"{file_name} is not listed")
    for file_name in sorted(files - expected.keys()):
        yield Mismatch(rule, name, f"{file_name} is listed, but not in the ledger")


def _xywh(xyxy: Sequence[float]) -> list[float]:
    return [xyxy[0], xyxy[1], xyxy[2] - xyxy[0], xyxy[3] - xyxy[1]]


def clipped(values: Sequence[float], size: tuple[int, int]) -> list[float]:
    """Coordinates x, y, x, y ... moved into an image of a size (width, height)."""
    return [min(max(value, 0.0), float(size[i % 2])) for i, value in enumerate(values)]


def close(one: object, other: object) -> bool:
    """Whether two lists of coordinates are the same but for rounding."""
    if not isinstance(one, list) or not isinstance(other, list) or len(one) != len(other):
        return False
    try:
        return all(abs(a - b) <= TOLERANCE_PX for a, b in zip(one, other, strict=True))
    except TypeError:
        return False


def brief(value: object) -> str:
    """A value in at most a hundred letters."""
    text = " ".join(str(value).split())
    return text if len(text) <= 100 else f"{text[:97]}..."
