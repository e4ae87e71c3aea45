"""What two label files say of one image: together where they complement each other, once where they agree.

one says     the other says        together
cat A        dog B                 cat A, dog B      a file for each class, a task for each kind of object
cat A        cat A                 cat A             twice in two formats; the finer outline is kept
cat A        cat A, cat B          cat A, cat B      one of them was labelled further
cat A        cat A'                contradiction     one object with two boxes (an overlap of half or more)
cat A        dog A                 contradiction     one object with two classes, unless only one file knows each
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from amp_datasets.geometry.shapes import box_area
from amp_datasets.model import Annotation, Box

CONTRADICTION = "label files contradict each other"
BACKGROUND = "image without a label file taken as background"
LISTED_TWICE = "image is listed twice with other labels"

_SAME_PX = 1.01
"""Two boxes no side of which is further apart are one, rounded by a tool."""
_SAME_IOU = 0.95
_ONE_OBJECT_IOU = 0.5


@dataclass(frozen=True, slots=True)
class Said:
    """Which file speaks of an image, the classes that it knows (None: those that it uses), and the split it says.

    `loosely` is how it names the image, if the stated folder is not there.
    """

    file: str = ""
    known: Collection[str] | None = None
    split: str | None = None
    loosely: str = ""

    def classes(self, labels: Sequence[Annotation]) -> frozenset[str]:
        """The classes that the file could have used for an image where it has these labels."""
        return frozenset(self.known or (label.category for label in labels))


def not_meant(folder_split: str | None, first: Said, second: Said) -> list[Said]:
    """Those of two files that do not mean an image, though they name one that is called so.

    Where a file names an image by a folder that is not there, it does not mean the one that another names as it is,
    and of two such files nobody knows. Of two files for different splits, one means an image in the other's folder.
    """
    if first.loosely != second.loosely:
        return [said for said in (first, second) if said.loosely]
    splits = {first.split, second.split}
    if len(splits) < 2 or None in splits or folder_split not in splits:
        return []
    return [said for said in (first, second) if said.split != folder_split]


def said_by_both(
    some: Sequence[Annotation], others: Sequence[Annotation], first: Said, second: Said
) -> list[Annotation] | None:
    """The labels of an image after two files; of one file that names it twice, the two must be the same."""
    joint = joined(some, others, first.classes(some), second.classes(others))
    if first.file == second.file and joint is not None and not len(some) == len(others) == len(joint):
        return None
    return joint


def joined(
    some: Sequence[Annotation],
    others: Sequence[Annotation],
    known: Collection[str] | None = None,
    others_known: Collection[str] | None = None,
) -> list[Annotation] | None:
    """The labels of both; None where they contradict each other.

    `known` and `others_known` are the classes that each file could have used: by default those that it used.
    """
    known = known or {label.category for label in some}
    others_known = others_known or {label.category for label in others}
    result, free = list(some), set(range(len(some)))
    new: list[Annotation] = []
    for other in others:
        twin = next((i for i in sorted(free) if _is_same(result[i], other)), None)
        if twin is None:
            new.append(other)
        else:
            free.discard(twin)
            result[twin] = _finer(result[twin], other)
    for other in new:
        for i in free:
            both_know = other.category in known and result[i].category in others_known
            if (other.category == result[i].category or both_know) and _iou(result[i].xyxy, other.xyxy) >= (
                _ONE_OBJECT_IOU
            ):
                return None
    return result + new


def says_more(annotation: Annotation) -> int:
    """How much a label says beyond its box."""
    outline = bool(annotation.polygons) or annotation.mask is not None or annotation.corners is not None
    return 2 * outline + (annotation.keypoints is not None) + bool(annotation.attributes)


def is_placeholder(name: str) -> bool:
    """Whether a class is called by its number because no list gives it a name."""
    head, _, number = name.rpartition("_")
    return head == "class" and number.isdecimal()


def _is_same(one: Annotation, other: Annotation) -> bool:
    if one.category != other.category and not (is_placeholder(one.category) or is_placeholder(other.category)):
        return False
    if max(abs(a - b) for a, b in zip(one.xyxy, other.xyxy, strict=True)) <= _SAME_PX:
        return True
    return _iou(one.xyxy, other.xyxy) >= _SAME_IOU


def _finer(one: Annotation, other: Annotation) -> Annotation:
    """The label that says more, under the name that says more."""
    best = other if says_more(other) > says_more(one) else one
    names = [each.category for each in (one, other) if not is_placeholder(each.category)]
    return best if not names or best.category == names[0] else replace(best, category=names[0])


def _iou(one: Box, other: Box) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (box_area(one) + box_area(other) - shared)
