"""The rules of `amp check`: stable ids, how grave each is, and what to do about it.

A rule's id never changes its meaning, so that scripts can rely on it. What readers set aside or repair on their own has
a rule here too: nothing that happened on reading is left out of an audit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from amp_datasets.audit.image_rules import IMAGE_RULES
from amp_datasets.audit.reasons import RULE_OF
from amp_datasets.model import Dropped, Repair
from amp_datasets.shown import html_table

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

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return html_table(["", "rule", "file", "what", "to do"], [[*(getattr(self, n) for n in _COLUMNS)]])


_COLUMNS = ("severity", "rule", "file", "what", "fix")
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
    ("AMP212", "warning", "two lists of classes differ", "delete the one that is wrong; the first is used"),
    ("AMP301", "error", "image cannot be read", "replace or remove the file"),
    ("AMP302", "error", "labels for an image that is missing", "add the image, or remove its labels"),
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
    ("AMP318", "note", "image is not where its label file says", "nothing: no other image can be meant"),
    ("AMP319", "error", "label file is not read", "export it in a format that amp reads: `amp env` lists them"),
    ("AMP320", "error", "label files contradict each other", "decide for one of them, and remove the other"),
    ("AMP321", "note", "image is labelled by several files", "nothing: their labels are joined"),
    ("AMP322", "note", "image without a label file", "nothing if it is background; see the format's options otherwise"),
    ("AMP323", "warning", "folder of an image is not there", "check that no other image is meant"),
    ("AMP324", "warning", "masks beside other labels are not read", "`--format masks` reads them, and them alone"),
    ("AMP325", "warning", "split has no label file at all", "add its labels; its images are taken as never labelled"),
    ("AMP326", "error", "image has too many labels", "look at its label file: ten thousand objects are an accident"),
    ("AMP401", "warning", "class is missing in a split", "split anew by `splits:`, or label more images"),
    ("AMP402", "note", "class has very few images", "label more of them before trusting its score"),
    ("AMP403", "warning", "splits are not what the files say", "correct the paths of the splits"),
    ("AMP404", "note", "split of an image is not that of its folder", "nothing: the label file says so"),
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
    ("AMP534", "error", "records of a file are damaged", "write or download the file again"),
    ("AMP533", "warning", "list of classes has no background", "look at one; `first_value: 0` counts from 0"),
    ("AMP540", "warning", "kind of label that is not read", "draw these objects as boxes or polygons if they matter"),
    ("AMP541", "warning", "frames of a video are found by numbers", "check one; see `first_image` and `frames`"),
    ("AMP542", "note", "image is left out as asked", "nothing: change the option to read it"),
    ("AMP543", "warning", "class is read from one of several places", "check it; see the options of the format"),
    ("AMP544", "warning", "several people labelled one image", "choose whose labels to read by `completed_by`"),
    ("AMP545", "warning", "predictions are not read", "accept or correct them in the tool, which makes labels of them"),
    (
        "AMP601",
        "warning",
        "variant shows less than a tenth of its image",
        "a smaller `percent` of `zoom`, a larger `margin` of `crop`, or `pick` fewer steps",
    ),
    (
        "AMP602",
        "warning",
        "objects of a variant are smaller than 12 pixels",
        "shrink less: detectors learn little from specks; larger images, or `preprocess: [tile]`, help",
    ),
    ("AMP546", "note", "image has tags", "nothing: `preprocess: [filter_tag]` selects by them; no export keeps them"),
    ("AMP590", "error", "something else was set aside on reading", "see what it says"),
    ("AMP591", "note", "something else was repaired on reading", "see what it says"),
)
RULES: dict[str, Rule] = {row[0]: Rule(*row) for row in sorted((*_TABLE, *IMAGE_RULES))}
"""Every rule by its id."""


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
    rule = RULE_OF.get(reason, "AMP590" if dropped else "AMP591")
    if rule == "AMP301" and " the limit of " in item.detail:
        rule = "AMP308"
    return finding(rule, item.id, f"{reason}: {item.detail}" if item.detail else reason)
