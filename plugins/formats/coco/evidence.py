"""What a whole COCO file says of its labels, whatever the format says of each: which task, what boxes, which crowds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import PurePosixPath
from typing import Any, Literal

from amp_datasets.formats.base import Options
from amp_datasets.formats.kit.box_form import BoxEvidence, BoxForm, GivenForm
from amp_datasets.formats.kit.coco_annotation import LabelReader, entry_key
from amp_datasets.formats.kit.reading import Reading, finite, points
from amp_datasets.geometry import shapes as geometry
from amp_datasets.model import Box, Size

Task = Literal["objects", "images", "captions", "panoptic", "classes of images"]

ALL_CROWDS = "every label is a crowd"
_IMAGE_INFO = re.compile(r"^image[_-]?info", re.IGNORECASE)
_PLACES = ("bbox", "segmentation", "keypoints")
_FEWEST_CROWDS = 2
_IMAGES = 500
"""About how many images are looked at to judge what boxes are."""


class CocoOptions(Options):
    """`files`: a pattern of the label files to read; by default all, or of COCO's own set `instances_*`.

    `boxes`: what the four numbers are, COCO's corner and size unless the file proves otherwise. `crowds`: whether
    labels marked so are crowds; by default they are, unless all of a file are masks of crowds, as CVAT writes single
    objects. `category`: the class of labels that have none.
    """

    files: str | None = None
    boxes: GivenForm = "auto"
    crowds: Literal["auto", "keep", "objects"] = "auto"
    category: str = "object"


def task_of(file: str, document: Mapping[str, Any]) -> Task:
    """What the annotations of a file are: objects (also where there are none of them), or something else.

    COCO's own sets and tools that follow it lay `captions_*`, `labels_*`, `panoptic_*` and `image_info_*` beside the
    file of the objects: https://cocodataset.org/#format-data.
    """
    entries = document.get("annotations")
    found = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    if not found:
        is_list_of_images = entries is None or _IMAGE_INFO.match(PurePosixPath(file).name) is not None
        return "images" if is_list_of_images else "objects"
    if any(entry.get(key) for entry in found for key in _PLACES):
        return "objects"
    if any("segments_info" in entry for entry in found):
        return "panoptic"
    if any("caption" in entry for entry in found):
        return "captions"
    has_no_place = not any(key in entry for entry in found for key in _PLACES)
    return "classes of images" if has_no_place and any("category_id" in entry for entry in found) else "objects"


def all_are_crowds(labels: Iterable[Sequence[Mapping[str, Any]]]) -> bool:
    """Whether every label is a crowd with run lengths: CVAT's way to write masks of single objects.

    https://github.com/cvat-ai/cvat/issues/7030. Crowds mark what nobody counted, so a set of nothing else is none.
    """
    count = 0
    for entry in (entry for entries in labels for entry in entries):
        outline = entry.get("segmentation")
        is_mask = isinstance(outline, dict) or (isinstance(outline, list) and any(isinstance(p, dict) for p in outline))
        if not is_mask or str(entry.get("iscrowd")).lower() not in ("1", "1.0", "true", "yes"):
            return False
        count += 1
    return count >= _FEWEST_CROWDS


def box_form(
    images: Mapping[str, Mapping[str, Any]], labels: Mapping[str, Sequence[Mapping[str, Any]]], given: GivenForm
) -> BoxForm:
    """What the boxes of a file are, from those of some hundred images."""
    evidence = BoxEvidence()
    for key, entries in islice(labels.items(), 0, None, max(1, len(labels) // _IMAGES)):
        size = stated_size(images.get(key, {}))
        for entry in entries:
            extent = _extent(entry.get("segmentation"))
            area = None if entry.get("segmentation") else entry.get("area")
            evidence.see(entry.get("bbox"), size, area, extent)
    return evidence.judge(given)


def label_reader(
    file: str,
    names: dict[str, str],
    images: Mapping[str, Mapping[str, Any]],
    labels: Mapping[str, Sequence[Mapping[str, Any]]],
    options: CocoOptions,
    reading: Reading,
) -> LabelReader:
    """What reads the labels of a file, as the evidence of all of them says; whatever is odd about them is counted.

    Its `names` are made up where the file has no categories, and its class of labels without one is set where no label
    has one.
    """
    form = box_form(images, labels, options.boxes)
    if form.rule:
        reading.repair(file, form.rule, form.detail)
    crowds = options.crowds != "objects"
    if options.crowds == "auto" and all_are_crowds(labels.values()):
        crowds = False
        reading.repair(file, ALL_CROWDS, "every one has run lengths, as CVAT writes masks: read as single objects")
    has_ids = any(entry.get("category_id") is not None for entries in labels.values() for entry in entries)
    if not names and has_ids:
        names = names_by_number(labels.values())
        detail = f"{file} has no `categories`, and its labels {len(names)} numbers of them"
        reading.repair("classes", "classes without names are called by their number", detail)
    unnamed = None
    if labels and not has_ids:
        unnamed = next(iter(names.values())) if len(names) == 1 else options.category
    return LabelReader(reading, names, form, unnamed, crowds)


def names_by_number(labels: Iterable[Sequence[Mapping[str, Any]]]) -> dict[str, str]:
    """Names for the category ids of a file without categories."""
    keys: set[str] = set()
    for entry in (entry for entries in labels for entry in entries):
        try:
            keys.add(entry_key(entry.get("category_id")))
        except ValueError:
            continue
    ordered = sorted(keys, key=lambda key: (not key.isdecimal(), int(key) if key.isdecimal() else 0, key))
    return {key: f"class_{key}" if key.isdecimal() else key for key in ordered}


def stated_size(entry: Mapping[str, Any]) -> Size | None:
    """The size that an image's entry states; None if it states none that can be."""
    try:
        width, height = finite(entry.get("width")), finite(entry.get("height"))
    except ValueError:
        return None
    return (int(width), int(height)) if width >= 1 and height >= 1 and not width % 1 and not height % 1 else None


def _extent(outline: object) -> Box | None:
    """The box of an outline of rings, in whatever nesting; None for any other, which tells nothing here."""
    if not isinstance(outline, list) or not outline:
        return None
    parts = outline if all(isinstance(part, list) for part in outline) else [outline]
    if len(parts) >= 3 and all(len(part) == 2 for part in parts):  # points, not rings
        parts = [[number for point in parts for number in point]]
    try:
        rings = [points(part[: len(part) // 2 * 2]) for part in parts]
    except ValueError:
        return None
    rings = [ring for ring in rings if len(ring) >= 3]
    return geometry.bounds(rings) if rings else None
