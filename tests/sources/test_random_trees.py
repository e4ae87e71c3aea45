"""Whatever tree it is, a label lies on the image that it was written for, or on none.

The writer here shares nothing with the readers: it lays out sets in folders of its own choice, gives each label a class
that names its image, and then takes images away. What is read must be right or refused.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from builders import write_image
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amp_datasets.errors import AmpError
from amp_datasets.formats.kit.meaning.resolver import BY_BARE_NAME
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
    """One set: its top folder, format, layout, images as (part, stem), how lists name images, and which are lost.

    `splits` are those that lists at its top give to its images, if it has lists; `names` is how it lists its classes.
    """

    top: str
    kind: str
    layout: str
    images: tuple[tuple[str, str, str], ...]
    naming: str
    lost: frozenset[int]
    splits: tuple[str, ...] = ()
    names: str = "classes.txt"

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
    kind = draw(st.sampled_from(sorted(WRITERS)))
    splits = draw(st.one_of(st.just(()), st.tuples(*[st.sampled_from(("train", "validation"))] * len(images))))
    namings = ("path", "foreign", "windows", "root")
    if len({part for part, _ in found}) == 1:
        namings = (*namings, "bare")
    layout, naming = draw(st.sampled_from(sorted(LAYOUTS))), draw(st.sampled_from(namings))
    return Drawn(top, kind, layout, images, naming, lost, splits, draw(st.sampled_from(sorted(CLASS_LISTS))))


def write_tree(root: Path, sets: list[Drawn]) -> tuple[dict[str, str], dict[str, str]]:
    """Write all sets; the class of every image that is there, and the split of those that a list names."""
    classes: dict[str, str] = {}
    splits: dict[str, str] = {}
    for number, one in enumerate(sets):
        names = [f"class {number} {index}" for index in range(len(one.images))]
        for index, name in enumerate(names):
            if index not in one.lost:
                write_image(root / one.image(index), SIZE)
                classes[one.image(index)] = name
                splits.update({one.image(index): one.splits[index]} if one.splits else {})
        WRITERS[one.kind](root, one, names)
        write_splits(root, one)
    return classes, splits


def write_splits(root: Path, one: Drawn) -> None:
    """A list for each split at the set's top, of paths from there."""
    for split in dict.fromkeys(one.splits):
        places = [
            joined(LAYOUTS[one.layout][0], part, f"{stem}{suffix}")
            for (part, stem, suffix), own in zip(one.images, one.splits, strict=True)
            if own == split
        ]
        put(root / joined(one.top, f"{split}.txt"), "".join(f"{place}\n" for place in places))


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
    put(root / joined(one.top, one.names), CLASS_LISTS[one.names](names))


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


def write_labelme(root: Path, one: Drawn, names: list[str]) -> None:
    """A JSON for each image, in the same parts of the folder for labels; it states the bare name."""
    for (part, stem, suffix), name in zip(one.images, names, strict=True):
        shape = {"label": name, "points": [[4, 5], [20, 30]], "shape_type": "rectangle"}
        document = {"shapes": [shape], "imagePath": f"{stem}{suffix}", "imageData": None}
        put(root / joined(one.top, labels_folder(one), part, f"{stem}.json"), json.dumps(document))


def write_csv(root: Path, one: Drawn, names: list[str]) -> None:
    """One table of all images of a set."""
    rows = [f"{reference(one, i)},{name},4,5,20,30\n" for i, name in enumerate(names)]
    text = "filename,class,xmin,ymin,xmax,ymax\n" + "".join(rows)
    put(root / joined(one.top, LAYOUTS[one.layout][1], "labels.csv"), text)


def write_cvat(root: Path, one: Drawn, names: list[str]) -> None:
    """CVAT's XML of all images of a set."""
    box = '<box label="{}" xtl="4" ytl="5" xbr="20" ybr="30"/>'
    images = [
        f'<image id="{i}" name="{reference(one, i)}" width="{SIZE[0]}" height="{SIZE[1]}">{box.format(name)}</image>'
        for i, name in enumerate(names)
    ]
    text = f"<annotations><version>1.1</version>{''.join(images)}</annotations>"
    put(root / joined(one.top, LAYOUTS[one.layout][1], "annotations.xml"), text)


def write_datumaro(root: Path, one: Drawn, names: list[str]) -> None:
    """Datumaro's JSON of all images of a set."""
    box = {"type": "bbox", "bbox": [4, 5, 16, 25], "attributes": {}, "group": 0}
    items = [
        {
            "id": one.images[i][1],
            "image": {"path": reference(one, i), "size": list(SIZE[::-1])},
            "annotations": [{**box, "id": i, "label_id": i}],
        }
        for i in range(len(names))
    ]
    labels = [{"name": name, "parent": "", "attributes": []} for name in names]
    document = {"info": {}, "categories": {"label": {"labels": labels, "attributes": []}}, "items": items}
    put(root / joined(one.top, LAYOUTS[one.layout][1], "default.json"), json.dumps(document))


WRITERS = {
    "voc": write_voc,
    "yolo": write_yolo,
    "coco": write_coco,
    "createml": write_createml,
    "labelme": write_labelme,
    "csv": write_csv,
    "cvat": write_cvat,
    "datumaro": write_datumaro,
}
CLASS_LISTS: dict[str, Callable[[list[str]], str]] = {
    "classes.txt": "\n".join,
    "obj.names": "\n".join,
    "notes.json": lambda names: json.dumps({"categories": [{"id": i, "name": n} for i, n in enumerate(names)]}),
    "classes.yaml": lambda names: f"names: {json.dumps(names)}\n",
}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sets=drawn_sets())
def test_no_label_is_ever_read_for_another_image(sets: list[Drawn]) -> None:
    """Each label's class is that of its image; where a label is not read, the tree is refused or something counted."""
    with tempfile.TemporaryDirectory() as folder:
        classes, splits = write_tree(Path(folder), sets)
        try:
            labels, _ = read_source(SourceSettings(path=folder), REGISTRY, Limits())
        except AmpError:
            return
    found = {sample.source_id: [a.category for a in sample.annotations] for sample in labels.samples}
    wrong = {name: own for name, own in found.items() if set(own) - {classes[name]}}
    assert not wrong, (wrong, classes)
    assert labels.dropped or all(found.get(name) == [own] for name, own in classes.items()), (found, classes)
    listed = {sample.source_id: sample.split for sample in labels.samples if sample.source_id in splits}
    others = {name: split for name, split in listed.items() if split != splits[name]}
    strange = {name: split for name, split in others.items() if split is not None and "train/" not in name}
    said = any(item.rule == BY_BARE_NAME for item in labels.repairs)
    assert said or not strange, (strange, splits)
    assert labels.dropped or labels.repairs or not others, (others, splits)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(one=st.sampled_from(TOPS).flatmap(one_set))
def test_a_set_without_losses_is_read_whole(one: Drawn) -> None:
    """Where nothing is missing, every label is on its image and nothing is set aside."""
    with tempfile.TemporaryDirectory() as folder:
        classes, splits = write_tree(Path(folder), [replace(one, lost=frozenset())])
        labels, _ = read_source(SourceSettings(path=folder), REGISTRY, Limits())
    assert {sample.source_id: [a.category for a in sample.annotations] for sample in labels.samples} == {
        name: [own] for name, own in classes.items()
    }
    assert not labels.dropped
    assert all(sample.split == splits.get(sample.source_id, sample.split) for sample in labels.samples)
