"""Whatever tree it is, a label lies on the image that it was written for, or on none.

The writer here shares nothing with the readers: it lays out sets in folders of its own choice, gives each label a class
that names its image, and then takes images away. What is read must be right or refused.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from builders import write_image
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amp_datasets.errors import AmpError
from amp_datasets.images.codec import Limits
from amp_datasets.manifest.model import SourceSettings
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.sources.open import read_source

REGISTRY = load_registry()
SIZE = (64, 48)
STEMS = ("a", "b", "0001", "photo 1")
PARTS = ("", "cam1", "cam2", "day/1")
TOPS = ("", "one", "two", "north/site")
LAYOUTS = {
    "beside": ("", ""),
    "images": ("images", "labels"),
    "voc": ("JPEGImages", "Annotations"),
    "below": ("images", ""),
    "train": ("train/images", "train/labels"),
}
"""Where a set has its images and its labels."""


@dataclass(frozen=True)
class Drawn:
    """One set: its top folder, format, layout, images as (part, stem), how lists name images, and which are lost."""

    top: str
    kind: str
    layout: str
    images: tuple[tuple[str, str, str], ...]
    naming: str
    lost: frozenset[int]

    def image(self, index: int) -> str:
        """The path of an image in the tree."""
        part, stem, suffix = self.images[index]
        return joined(self.top, LAYOUTS[self.layout][0], part, f"{stem}{suffix}")


def joined(*parts: str) -> str:
    """A path of the parts that are there."""
    return "/".join(part for part in parts if part)


@st.composite
def drawn_sets(draw: st.DrawFn) -> list[Drawn]:
    """One to three sets in one tree, whose folders and file names are often the same."""
    tops = draw(st.lists(st.sampled_from(TOPS), min_size=1, max_size=3, unique=True))
    return [draw(one_set(top)) for top in tops]


@st.composite
def one_set(draw: st.DrawFn, top: str) -> Drawn:
    """A set with images of which some are gone, and no two of one stem in a folder."""
    places = st.tuples(st.sampled_from(PARTS), st.sampled_from(STEMS))
    found = draw(st.lists(places, min_size=1, max_size=5, unique=True))
    images = tuple((part, stem, draw(st.sampled_from((".jpg", ".png", ".JPG")))) for part, stem in found)
    lost = draw(st.frozensets(st.integers(0, len(images) - 1), max_size=len(images)))
    kind = draw(st.sampled_from(("voc", "yolo", "coco", "createml")))
    namings = ("path", "foreign", "windows", "root")
    if len({part for part, _ in found}) == 1:
        namings = (*namings, "bare")
    return Drawn(top, kind, draw(st.sampled_from(sorted(LAYOUTS))), images, draw(st.sampled_from(namings)), lost)


def write_tree(root: Path, sets: list[Drawn]) -> dict[str, str]:
    """Write all sets; the class of every image that is there."""
    classes: dict[str, str] = {}
    for number, one in enumerate(sets):
        names = [f"class {number} {index}" for index in range(len(one.images))]
        for index, name in enumerate(names):
            if index not in one.lost:
                write_image(root / one.image(index), SIZE)
                classes[one.image(index)] = name
        WRITERS[one.kind](root, one, names)
    return classes


def put(path: Path, text: str) -> None:
    """A text in a folder that may not be there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def reference(one: Drawn, index: int) -> str:
    """How a list names an image: from its own folder, its set's folder on another machine, the top, or bare."""
    part, stem, suffix = one.images[index]
    folder, labels = LAYOUTS[one.layout]
    if one.naming == "bare":
        return f"{stem}{suffix}"
    if one.naming == "foreign":
        return f"/home/me/work/{joined(folder, part, stem)}{suffix}"
    if one.naming == "windows":
        return f"C:\\work\\{joined(folder, part, stem)}{suffix}".replace("/", "\\")
    if one.naming == "root":
        return one.image(index)
    return "../" * (labels.count("/") + 1 if labels else 0) + f"{joined(folder, part, stem)}{suffix}"


def write_voc(root: Path, one: Drawn, names: list[str]) -> None:
    """An XML for each image, in the same parts of the folder for labels; it states the bare name."""
    for (part, stem, suffix), name in zip(one.images, names, strict=True):
        box = "<bndbox><xmin>4</xmin><ymin>5</ymin><xmax>20</xmax><ymax>30</ymax></bndbox>"
        text = f"<annotation><filename>{stem}{suffix}</filename><object><name>{name}</name>{box}</object></annotation>"
        put(root / joined(one.top, labels_folder(one), part, f"{stem}.xml"), text)


def labels_folder(one: Drawn) -> str:
    """Where the label files of single images go: those of YOLO and VOC never lie above their parts."""
    folder, labels = LAYOUTS[one.layout]
    return folder if one.layout == "below" else labels


def write_yolo(root: Path, one: Drawn, names: list[str]) -> None:
    """A row for each image, whose class is the image's number in the list at the set's top."""
    for index, (part, stem, _) in enumerate(one.images):
        put(root / joined(one.top, labels_folder(one), part, f"{stem}.txt"), f"{index} 0.5 0.5 0.25 0.5\n")
    put(root / joined(one.top, "classes.txt"), "".join(f"{name}\n" for name in names))


def write_coco(root: Path, one: Drawn, names: list[str]) -> None:
    """One file for all images of a set."""
    count = range(len(names))
    images = [{"id": i, "file_name": reference(one, i), "width": SIZE[0], "height": SIZE[1]} for i in count]
    labels = [{"id": i + 1, "image_id": i, "category_id": i, "bbox": [4, 5, 16, 25], "area": 400} for i in count]
    document = {"images": images, "annotations": labels, "categories": [{"id": i, "name": names[i]} for i in count]}
    put(root / joined(one.top, LAYOUTS[one.layout][1], "instances.json"), json.dumps(document))


def write_createml(root: Path, one: Drawn, names: list[str]) -> None:
    """One list of all images of a set."""
    place = {"x": 20, "y": 20, "width": 10, "height": 12}
    entries = [
        {"image": reference(one, i), "annotations": [{"label": name, "coordinates": place}]}
        for i, name in enumerate(names)
    ]
    put(root / joined(one.top, LAYOUTS[one.layout][1], "labels.json"), json.dumps(entries))


WRITERS = {"voc": write_voc, "yolo": write_yolo, "coco": write_coco, "createml": write_createml}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sets=drawn_sets())
def test_no_label_is_ever_read_for_another_image(sets: list[Drawn]) -> None:
    """Each label's class is that of its image; where a label is not read, the tree is refused or something counted."""
    with tempfile.TemporaryDirectory() as folder:
        classes = write_tree(Path(folder), sets)
        try:
            labels, _ = read_source(SourceSettings(path=folder), REGISTRY, Limits())
        except AmpError:
            return
    found = {sample.source_id: [a.category for a in sample.annotations] for sample in labels.samples}
    wrong = {name: own for name, own in found.items() if set(own) - {classes[name]}}
    assert not wrong, (wrong, classes)
    assert labels.dropped or all(found.get(name) == [own] for name, own in classes.items()), (found, classes)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(one=st.sampled_from(TOPS).flatmap(one_set))
def test_a_set_without_losses_is_read_whole(one: Drawn) -> None:
    """Where nothing is missing, every label is on its image and nothing is set aside."""
    with tempfile.TemporaryDirectory() as folder:
        classes = write_tree(Path(folder), [replace(one, lost=frozenset())])
        labels, _ = read_source(SourceSettings(path=folder), REGISTRY, Limits())
    assert {sample.source_id: [a.category for a in sample.annotations] for sample in labels.samples} == {
        name: [own] for name, own in classes.items()
    }
    assert not labels.dropped
