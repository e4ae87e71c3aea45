"""The rules of `amp check`: stable ids, how grave each is, and what to do about it.

A rule's id never changes its meaning, so that scripts can rely on it. What readers set aside or repair on their own has
a rule here too: nothing that happened on reading is left out of an audit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from amp_datasets.model import UNREADABLE, Dropped, Repair

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""The gravest first. An error loses or falsifies labels, a warning may, a note is good to know and fails no check."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of problem."""

    id: str
    severity: Severity
    title: str
    fix: str

    def to_json(self) -> dict[str, Any]:
        """All fields by name."""
        return asdict(self)

    def as_text(self) -> list[str]:
        """What `amp explain` prints."""
        return [f"{self.id} ({self.severity}): {self.title}", f"    fix: {self.fix}"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem: which rule, in which file (`image#3` is its third label), what it is, how to repair it."""

    rule: str
    file: str
    what: str
    fix: str
    severity: Severity

    def to_json(self) -> dict[str, Any]:
        """All fields by name."""
        return asdict(self)


_REDRAW = "draw this label again, or delete it"
_TABLE: tuple[tuple[str, Severity, str, str], ...] = (
    ("AMP001", "error", "source cannot be used", "repair what the message says"),
    ("AMP101", "error", "label outside the image", f"{_REDRAW}; often the label belongs to another image"),
    (
        "AMP102",
        "warning",
        "label reaches over the image's border",
        "it is cut at the border; check the tool's rounding",
    ),
    ("AMP103", "error", "label without area", _REDRAW),
    ("AMP104", "warning", "very small label", "check that it is an object and no slip of the mouse"),
    ("AMP105", "warning", "label over nearly the whole image", "check that the box is meant for one object"),
    ("AMP106", "warning", "object labelled twice with one class", "delete one of the two"),
    ("AMP107", "warning", "object labelled with two classes", "decide for one of the two classes"),
    ("AMP108", "error", "coordinate is not a finite number", _REDRAW),
    ("AMP109", "warning", "polygon crosses itself", "draw the outline again; until then its parts are joined"),
    ("AMP110", "note", "polygon was tidied", "nothing: points that repeat and parts without area are left out"),
    ("AMP111", "warning", "box does not match its outline", "export the boxes again from the outlines"),
    ("AMP112", "warning", "keypoint outside the image", "move the point, or mark it as not labelled"),
    ("AMP113", "error", "label cannot be read", "repair or delete this row of the label file"),
    ("AMP114", "error", "mask has another size than the image", "export the mask in the image's own size"),
    (
        "AMP115",
        "note",
        "outline or box was repaired",
        "nothing: what it means is clear; export again to be rid of this",
    ),
    ("AMP201", "warning", "class names that differ by case or spaces only", "merge them: `classes: {name: [alias]}`"),
    ("AMP202", "error", "class name looks like a line of text", "correct the list of classes; is it a README?"),
    ("AMP203", "note", "class without labels", "nothing if it is meant; its number is kept"),
    ("AMP204", "note", "class says left or right", "its mirror image has the other name: see `labels.sides`"),
    ("AMP205", "note", "class says text, digits or arrows", "do not use filters that mirror or turn far"),
    ("AMP206", "note", "class says a colour", "do not use filters that change hue, saturation or take colour away"),
    ("AMP207", "warning", "class is listed twice", "remove one of the two from the list"),
    ("AMP208", "warning", "classes have no names", "give them names in data.yaml or classes.txt"),
    ("AMP209", "error", "category cannot be read", "repair its entry in the label file"),
    ("AMP210", "note", "class is not wanted", "nothing if it is meant; add it to `classes` otherwise"),
    ("AMP211", "error", "class number has no name", "correct the number, or complete the list of classes"),
    ("AMP301", "error", "image cannot be read", "replace or remove the file"),
    ("AMP302", "error", "labels for a image that is missing", "add the image, or remove its labels"),
    ("AMP303", "warning", "image is listed twice", "remove one of the two entries; the first is used"),
    ("AMP304", "error", "label file contradicts the image's size", "find the image that was labelled"),
    ("AMP305", "note", "image is stored turned (EXIF)", "nothing here; trainers that ignore EXIF see it lying down"),
    (
        "AMP306",
        "warning",
        "labels refer to the image as stored (EXIF)",
        "they were turned upright; check one of them",
    ),
    ("AMP307", "warning", "image is smaller than 10 pixels", "remove it: trainers refuse it"),
    ("AMP308", "error", "image is larger than the limits", "raise `limits`, or make it smaller"),
    ("AMP309", "warning", "image was never labelled", "label it, or confirm that it is empty (`unlabelled: empty`)"),
    ("AMP310", "error", "image has labels, but no usable one", "label it again; it is set aside until then"),
    ("AMP311", "warning", "same file under two names", "remove one of the two, or set `duplicates: drop`"),
    ("AMP312", "error", "same file in two splits", "remove it from one of them: validation measures memory"),
    ("AMP313", "note", "images look the same", "nothing within a split: video frames and copies do"),
    ("AMP314", "error", "images of two splits look the same", "put them in one split, or split anew by `splits:`"),
    ("AMP315", "error", "copies of one image in two splits", "split anew by `splits:`, which keeps copies together"),
    ("AMP316", "error", "entry of a label file cannot be read", "repair the entry"),
    ("AMP317", "note", "label file is odd about its image", "nothing: the image itself tells"),
    ("AMP401", "warning", "class is missing in a split", "split anew by `splits:`, or label more images"),
    ("AMP402", "note", "class has very few images", "label more of them before trusting its score"),
    ("AMP403", "warning", "splits are not what the files say", "correct the paths of the splits"),
    (
        "AMP501",
        "warning",
        "boxes and polygons in one label file",
        "export again in one form: trainers misread this one",
    ),
    ("AMP502", "note", "dummy root category", "nothing: it is left out"),
    ("AMP503", "warning", "pixel origin of the boxes is not clear", "give it by the format's options"),
    ("AMP504", "warning", "label file names another image", "check that the two belong together"),
    ("AMP505", "note", "parts of the labels are not read", "nothing: this kind of label is not for detection"),
    (
        "AMP520",
        "warning",
        "boxes are not what the format says",
        "look at them by `amp preview`; `--option boxes=xywh` (or xyxy, cxcywh) says what they are",
    ),
    (
        "AMP521",
        "warning",
        "form of the boxes is not clear",
        "look at them by `amp preview`; `--option boxes=xywh` (or xyxy, cxcywh) says what they are",
    ),
    (
        "AMP522",
        "warning",
        "every label is a crowd",
        "`--option crowds=objects` says that they are single objects, `crowds=keep` that they are crowds",
    ),
    ("AMP523", "note", "box was turned by its rotation", "nothing: it is an oriented box"),
    (
        "AMP524",
        "warning",
        "labels are predictions",
        "check them; `--option min_confidence=0.5` says which are sure enough to be labels",
    ),
    (
        "AMP525",
        "warning",
        "keypoints are guessed from the rows",
        "say `kpt_shape` in data.yaml, or by `--option kpt_shape=[K, 2]` (or 3); `task=segment` for outlines",
    ),
    (
        "AMP526",
        "warning",
        "classes are numbered from 0 and from 1",
        "`--option first_class=0` (or 1) says which number in the labels is the first class",
    ),
    ("AMP527", "note", "label is left out as asked", "nothing: change the option to read it"),
    (
        "AMP528",
        "warning",
        "column of classes is a guess",
        "`--option class_column=NAME` says which it is, `category=NAME` that all are of one class",
    ),
    ("AMP530", "warning", "mask image lacks an object", "export the masks again; until then its box is the label"),
    ("AMP531", "error", "pixels of a mask have no class", "add their number or colour to the list of classes"),
    ("AMP532", "note", "mask has pixels that are no label", "nothing: void and soft edges are left out"),
    ("AMP533", "warning", "list of classes has no background", "look at one; `first_value: 0` counts from 0"),
    ("AMP540", "warning", "kind of label that is not read", "draw these objects as boxes or polygons if they matter"),
    ("AMP541", "warning", "frames of a video are found by numbers", "check one; see `first_image` and `frames`"),
    ("AMP542", "note", "image is left out as asked", "nothing: change the option to read it"),
    ("AMP543", "warning", "class is read from one of several places", "check it; see the options of the format"),
    ("AMP544", "warning", "several people labelled one image", "choose whose labels to read by `completed_by`"),
    ("AMP545", "warning", "predictions are not read", "accept or correct them in the tool, which makes labels of them"),
    ("AMP590", "error", "something else was set aside on reading", "see what it says"),
    ("AMP591", "note", "something else was repaired on reading", "see what it says"),
)
RULES: dict[str, Rule] = {row[0]: Rule(*row) for row in _TABLE}
"""Every rule by its id."""

_OF_READERS: dict[str, tuple[str, ...]] = {
    "AMP101": ("box is outside the image", "polygon is outside the image"),
    "AMP102": ("box clipped to the image",),
    "AMP103": ("box has a negative width or height", "box has no area", "shape has no area",
        "point belongs to no object"),
    "AMP106": ("duplicate label removed", "repeated annotation id removed"),
    "AMP108": ("label has a coordinate that is not a finite number", "row has a value that is not a finite number"),
    "AMP110": ("repeated polygon point removed", "polygon part without area removed"),
    "AMP112": ("keypoint outside the image removed",),
    "AMP113": ("label cannot be read", "keypoints cannot be read", "outline cannot be read",
        "coordinates are not shares of the image", "keypoint visibility is not 0, 1 or 2",
        "row has a value that is not a number", "row has a wrong number of values"),
    "AMP211": ("class id is not a number", "class id is out of range"),
    "AMP114": ("mask has another size than the image",),
    "AMP531": ("number of a mask is no class", "object of a mask has no class"),
    "AMP532": ("soft edges of a mask cut at half", "pixels marked as void left out"),
    "AMP533": ("numbers of masks counted from a list without background",),
    "AMP530": ("mask image is missing", "segment that is not in the mask image"),
    "AMP115": (
        "box taken from the outline",
        "odd polygon value removed",
        "polygon as a list of points",
        "polygon not in a list of parts",
        "rounded box replaced by its polygon's extent",
        "pair of keypoints that do not exist removed",
        "commas between values read as spaces",
        "missing iscrowd taken as 0",
        "run lengths in a list read as a mask",
        "ellipse read as a polygon",
        "shapes of one group joined to one object",
        "box taken from the keypoints",
    ),
    "AMP201": ("class names differ only in case or spaces",),
    "AMP202": ("class name is not usable",),
    "AMP203": ("class without labels kept",),
    "AMP207": ("class is listed twice",),
    "AMP208": ("classes without names are called by their number", "labels without a category read as one class"),
    "AMP209": ("category cannot be read",),
    "AMP301": ("image cannot be read", "file name is not UTF-8", UNREADABLE),
    "AMP302": ("image is missing", "image name is not unique in the set", "label of an unknown image"),
    "AMP303": ("image is listed twice", "image id is used twice", "repeated image entry removed"),
    "AMP304": ("label file contradicts the image's size",),
    "AMP306": ("labels turned upright",),
    "AMP309": ("image has no label",),
    "AMP310": ("no usable label",),
    "AMP311": ("exact copy of another image",),
    "AMP316": (
        "entry has no image or no list of annotations",
        "image entry cannot be read",
        "image entry has no file name",
        "label file cannot be read",
        "label file has no list of shapes",
        "row cannot be read",
        "row names no image",
    ),
    "AMP403": (
        "all splits are the same folder: read as not split",
        "folder is in two splits, the first is kept",
        "image is in two splits, the first is kept",
        "split without a folder ignored",
    ),
    "AMP501": ("box and polygon rows in one file",),
    "AMP502": ("dummy root category removed",),
    "AMP503": (
        "boxes counted from 1 moved to pixel edges",
        "boxes look counted from 0, read from 1 as asked",
        "boxes look counted from 1, read from 0",
    ),
    "AMP504": ("label file names another image", "two images share one label file"),
    "AMP210": ("class is not in `classes`",),
    "AMP317": ("number of boxes is wrong", "unusable image size ignored", "image taken from the label file",
        "image found without the prefix of its upload"),
    "AMP520": ("boxes are not what the format says",),
    "AMP521": ("form of the boxes is not clear",),
    "AMP522": ("every label is a crowd",),
    "AMP523": ("box turned by its rotation",),
    "AMP524": ("rows have a confidence, as predictions do",),
    "AMP525": ("pose rows without kpt_shape",),
    "AMP526": ("classes are numbered from 0 and from 1",),
    "AMP527": ("prediction of too little confidence",),
    "AMP528": ("class column found by what stands in it",),
    "AMP544": ("several annotations of one image, the latest is read",),
    "AMP545": ("predictions are not read",),
    "AMP540": ("kind of label is not read",),
    "AMP541": ("frames found by the numbers in the images' names",),
    "AMP543": ("class taken from one of several attributes", "class taken from the attribute's name"),
    "AMP542": ("frame is not wanted",),
    "AMP505": ("label file of another task not read", "parts of an object are not read", "shape of no class left out",
        "region that nobody labelled"),
}  # fmt: skip
_RULE_OF = {reason: rule for rule, reasons in _OF_READERS.items() for reason in reasons}


def finding(rule: str, file: str, what: str = "", severity: Severity | None = None) -> Finding:
    """A finding of a rule; without `what` its title says it all."""
    known = RULES[rule]
    return Finding(rule, file, what or known.title, known.fix, severity or known.severity)


def of_reading(items: Iterable[Dropped | Repair]) -> list[Finding]:
    """What a reader set aside or repaired, each as a finding of its rule."""
    return [_of_reading(item) for item in items]


def _of_reading(item: Dropped | Repair) -> Finding:
    dropped = isinstance(item, Dropped)
    reason = item.reason if isinstance(item, Dropped) else item.rule
    rule = _RULE_OF.get(reason, "AMP590" if dropped else "AMP591")
    if rule == "AMP301" and " the limit of " in item.detail:
        rule = "AMP308"
    return finding(rule, item.id, f"{reason}: {item.detail}" if item.detail else reason)
