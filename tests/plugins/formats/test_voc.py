"""Pascal VOC sets with the habits of the tools that write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from builders import (
    by_name,
    make_sample,
    make_set,
    place_image,
    read_set,
    reasons,
    rules,
    write_files,
    write_image,
)

from amp_datasets.formats.kit.meaning.resolver import BY_BARE_NAME
from amp_datasets.model import Annotation
from amp_datasets.plugin.discovery import load_registry

VOC = load_registry().source("voc")
SIZE = "<size><width>64</width><height>48</height><depth></depth></size>"
BOX = "<bndbox><xmin>24</xmin><xmax>40</xmax><ymin>12</ymin><ymax>36</ymax></bndbox>"


def document(objects: str, filename: str = "a.jpg", size: str = SIZE) -> str:
    """An annotation file."""
    return f"<annotation><filename>{filename}</filename>{size}{objects}</annotation>"


def thing(name: str = "cat", box: str = BOX) -> str:
    """An object."""
    return f"<object><name>{name}</name>{box}</object>"


def one(folder: Path, xml: str | bytes) -> Path:
    """A set of one image with its file beside it, as Roboflow lays it out."""
    return write_files(folder, {"train/a.jpg": "", "train/a.xml": xml})


@pytest.mark.parametrize(("origin", "box"), [(0, (24, 12, 40, 36)), (1, (23, 11, 40, 36))])
def test_numbers_are_taken_as_they_are_unless_told(origin: int, box: tuple[int, ...], tmp_path: Path) -> None:
    """Edges from 0, or pixels counted from 1 with the last one included; the choice is on record."""
    labels = read_set(VOC, one(tmp_path, document(thing())), voc_origin=origin)
    assert by_name(labels)["a.jpg"].annotations[0].xyxy == box
    assert rules(labels) == ({"boxes counted from 1 moved to pixel edges"} if origin else set())


@pytest.mark.parametrize(
    ("corners", "origin", "noted"),
    [
        ((1, 1, 64, 48), 0, {"boxes look counted from 1, read from 0"}),
        ((0, 1, 64, 48), 0, set()),
        ((1, 1, 63, 47), 0, set()),
        ((1, 1.5, 64, 48), 0, set()),
        ((0, 1, 64, 48), 1, {"boxes counted from 1 moved to pixel edges", "box clipped to the image"}
         | {"boxes look counted from 0, read from 1 as asked"}),
    ],
)  # fmt: skip
def test_where_pixels_are_counted_from_is_only_hinted(
    corners: tuple[float, ...], origin: int, noted: set[str], tmp_path: Path
) -> None:
    """A set that looks 1-based is read as it is, and says so."""
    box = "".join(f"<{t}>{v}</{t}>" for t, v in zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True))
    labels = read_set(VOC, one(tmp_path, document(thing(box=f"<bndbox>{box}</bndbox>"))), voc_origin=origin)
    assert rules(labels) == noted


@pytest.mark.parametrize(
    "xml",
    [
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + document(thing("&x;")),
        '<!DOCTYPE a [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]>' + document(thing("&b;")),
        ("\ufeff<!doctype x>" + document(thing())).encode("utf-16"),
        document(thing("&unknown;")),
        document(thing())[:-5],
        b"\xff\xfe\x00",
        '<?xml version="1.0" encoding="no-such"?>' + document(thing()),
        "<a>" * 2000,
    ],
)
def test_dangerous_or_broken_xml_drops_its_image(xml: str | bytes, tmp_path: Path) -> None:
    """No entity is ever expanded; the image is counted, not taken for an unlabelled one."""
    one(tmp_path, xml)
    write_files(tmp_path, {"train/b.jpg": "", "train/b.xml": document(thing(), "b.jpg")})
    labels = read_set(VOC, tmp_path)
    assert list(by_name(labels)) == ["b.jpg"]
    assert [(item.id, item.reason) for item in labels.dropped] == [("train/a.jpg", "label file cannot be read")]


@pytest.mark.parametrize(
    "xml",
    [
        document(thing("über")).encode("utf-16"),
        b"\xef\xbb\xbf" + document(thing("über")).encode(),
        ('<?xml version="1.0" encoding="ISO-8859-1"?>\r\n' + document(thing("über"))).encode("latin-1"),
        ('<?xml version="1.0" encoding="utf-8"?>' + document(thing(" über "))).encode(),
    ],
)
def test_encodings(xml: bytes, tmp_path: Path) -> None:
    """Byte order marks and stated encodings."""
    assert [c.name for c in read_set(VOC, one(tmp_path, xml)).categories] == ["über"]


@pytest.mark.parametrize(
    ("filename", "noted"),
    [
        ("a.jpg", set()),
        ("a", set()),
        ("C:\\photos\\a.png", set()),
        ("", set()),
        ("renamed.jpg", {"label file names another image"}),
        ("other.jpg", {"label file names another image"}),
    ],
)
def test_stale_file_names(filename: str, noted: set[str], tmp_path: Path) -> None:
    """The image of the XML's own name is meant, whatever name was written into it before renaming."""
    write_files(tmp_path, {"train/other.jpg": ""})
    labels = read_set(VOC, one(tmp_path, document(thing(), filename)))
    assert by_name(labels)["a.jpg"].annotations
    assert not by_name(labels)["other.jpg"].labelled
    assert rules(labels) == noted


def test_the_stated_image_is_found_where_names_differ(tmp_path: Path) -> None:
    """Without an image of its own name, an XML means the one that it states; without either it is counted."""
    write_files(tmp_path, {"p/x.jpg": "", "l/1.xml": document(thing(), "x.jpg"), "l/2.xml": document(thing(), "y.jpg")})
    labels = read_set(VOC, tmp_path)
    assert by_name(labels)["x.jpg"].annotations
    assert [(item.id, item.reason) for item in labels.dropped] == [("l/2.xml", "image is missing")]


def test_official_layout_and_same_names(tmp_path: Path) -> None:
    """JPEGImages belong to the Annotations beside them; ImageSets give the split, class lists in it do not."""
    for year in ("VOC2007", "VOC2012"):
        files = {
            "JPEGImages/1.jpg": "",
            "Annotations/1.xml": document(thing(year), "1.jpg"),
            "ImageSets/Main/val.txt": "1\r\n",
            "ImageSets/Main/cat_train.txt": "1 -1\n",
        }
        write_files(tmp_path / year, files)
    labels = read_set(VOC, tmp_path)
    assert [(s.source_id, s.annotations[0].category, s.split) for s in labels.samples] == [
        ("VOC2007/JPEGImages/1.jpg", "VOC2007", "validation"),
        ("VOC2012/JPEGImages/1.jpg", "VOC2012", "validation"),
    ]


@pytest.mark.parametrize(("listed", "said"), [("1\n", False), ("cam1/1\n", True)])
def test_lists_of_the_official_layout_are_exact(listed: str, said: bool, tmp_path: Path) -> None:
    """ImageSets name images of the folder above them: that is not worth a word, a folder that is not there is."""
    files = {"JPEGImages/1.jpg": "", "Annotations/1.xml": document(thing(), "1.jpg"), "ImageSets/Main/val.txt": listed}
    labels = read_set(VOC, write_files(tmp_path, files))
    assert [sample.split for sample in labels.samples] == ["validation"]
    assert (BY_BARE_NAME in rules(labels)) is said


def test_empty_unlabelled_and_bad_objects(tmp_path: Path) -> None:
    """No object confirms an empty image, no XML says nothing; bad objects are dropped one by one."""
    bad = [
        thing(""),
        thing(box=""),
        thing(box="<bndbox><xmin>1</xmin></bndbox>"),
        thing(box=BOX.replace("24", "nan")),
        thing(box=BOX.replace("24", "9" * 400)),
        thing("This dataset was exported via roboflow.com"),
    ]
    one(tmp_path, document(thing() + "".join(bad)))
    write_files(tmp_path, {"train/e.jpg": "", "train/e.xml": document("", "e.jpg"), "train/u.jpg": ""})
    labels = read_set(VOC, tmp_path)
    assert {name: (s.labelled, len(s.annotations)) for name, s in by_name(labels).items()} == {
        "a.jpg": (True, 1),
        "e.jpg": (True, 0),
        "u.jpg": (False, 0),
    }
    assert [item.reason for item in labels.dropped] == ["label cannot be read"] * len(bad)


@pytest.mark.parametrize(
    ("size", "dropped", "noted"),
    [
        ("", set(), set()),
        ("<size><width>0</width><height>0</height></size>", set(), {"unusable image size ignored"}),
        (SIZE.replace("64", "640"), {"label file contradicts the image's size"}, set()),
        (SIZE.replace("64", "9" * 31), {"label file contradicts the image's size"}, set()),
        (SIZE.replace("64", "48").replace("<height>48", "<height>64"), set(), {"labels turned upright"}),
    ],
)
def test_stated_sizes(size: str, dropped: set[str], noted: set[str], tmp_path: Path) -> None:
    """No size is fine, an impossible one is ignored, one of the image before turning turns the labels, others lie."""
    one(tmp_path, document(thing(box=BOX.replace("40", "30")), size=size))
    if "labels turned upright" in noted:
        write_image(tmp_path / "train/a.jpg", (48, 64), orientation=8)
    labels = read_set(VOC, tmp_path)
    assert (reasons(labels), rules(labels)) == (dropped, noted)


def test_flags_parts_polygons_and_turned_boxes(tmp_path: Path) -> None:
    """What else stands in objects: flags, parts (counted), Roboflow's polygon, roLabelImg's box with an angle."""
    flags = "<truncated>1</truncated><difficult>0</difficult><occluded>1</occluded>"
    part = f"<part><name>head</name>{BOX}</part>"
    ring = "<polygon><x1>24</x1><y1>12</y1><x2>40</x2><y2>12</y2><x3>24</x3><y3>36</y3></polygon>"
    turned = f"<robndbox><cx>30</cx><cy>20</cy><w>20</w><h>10</h><angle>{np.pi / 2}</angle></robndbox>"
    xml = document(thing(box=BOX + flags + part) + thing("dog", BOX + ring) + thing("eel", turned))
    labels = read_set(VOC, one(tmp_path, xml))
    cat, dog, eel = by_name(labels)["a.jpg"].annotations
    assert dict(cat.attributes) == {"truncated": 1, "occluded": 1}
    assert len(dog.polygons[0].exterior) == 3
    np.testing.assert_allclose(eel.xyxy, (25, 10, 35, 30))
    assert reasons(labels) == {"parts of an object are not read"}


def test_export_keeps_flags_and_says_what_is_lost(tmp_path: Path) -> None:
    """The three flags come back; other attributes count as lost; the list of classes keeps its order."""
    known, other = {"truncated": 1, "difficult": 1}, {"colour": "red"}
    sample = make_sample("a b.jpg", [Annotation("x", (1, 2, 30, 40), attributes=known)])
    more = make_sample("c.jpg", [Annotation("y", (1, 2, 30, 40), attributes=known | other)])
    exporter = load_registry().exporter("voc")(tmp_path, VOC.options_type(voc_origin=1), place_image)
    exporter.write(make_set([sample, more], ["y", "unused", "x"]))
    assert exporter.losses([sample, more]) == {"attributes": 1}
    assert "<xmin>2</xmin>" in (tmp_path / "Annotations/a b.xml").read_text()
    labels = read_set(VOC, tmp_path, voc_origin=1)
    assert [c.name for c in labels.categories] == ["y", "unused", "x"]
    assert dict(by_name(labels)["a b.jpg"].annotations[0].attributes) == known
    assert by_name(labels)["a b.jpg"].annotations[0].xyxy == (1, 2, 30, 40)


def test_a_rotation_turns_the_box_and_attributes_are_kept(tmp_path: Path) -> None:
    """CVAT writes the upright box, and the angle in degrees clockwise among the attributes."""

    def attributes(angle: str) -> str:
        pairs = (("rotation", angle), ("colour", "red"))
        return "".join(f"<attribute><name>{n}</name><value>{v}</value></attribute>" for n, v in pairs)

    turned = thing(box=f"{BOX}<attributes>{attributes('90.0')}</attributes>")
    upright = thing("dog", f"{BOX}<attributes>{attributes('0.0')}</attributes>")
    labels = read_set(VOC, one(tmp_path, document(turned + upright)))
    first, second = by_name(labels)["a.jpg"].annotations
    assert first.corners is not None
    assert (first.xyxy, dict(first.attributes)) == (pytest.approx((20, 16, 44, 32)), {"colour": "red"})
    assert (second.xyxy, second.corners) == ((24, 12, 40, 36), None)
    assert "box turned by its rotation" in rules(labels)


def test_objects_to_be_ignored_are_none(tmp_path: Path) -> None:
    """As LabelMe's converter leaves them; an image with nothing else is empty, not lost."""
    labels = read_set(VOC, one(tmp_path / "a", document(thing("__ignore__") + thing("_background_") + thing())))
    assert [a.category for a in by_name(labels)["a.jpg"].annotations] == ["cat"]
    assert rules(labels) == {"shape of no class left out"}
    assert by_name(read_set(VOC, one(tmp_path / "b", document(thing("__ignore__")))))["a.jpg"].labelled
    write_files(tmp_path / "a", {"class_names.txt": "__ignore__\n_background_\ncat\ndog\n"})
    assert [c.name for c in read_set(VOC, tmp_path / "a").categories] == ["cat", "dog"]
