"""CVAT for images: every kind of shape, groups, skeletons and subsets, as the documentation has them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from builders import by_name, make_sample, make_set, place_image, read_set, reasons, rules, write_files, write_image
from hypothesis import given
from hypothesis import strategies as st

from amp_datasets.errors import SourceError
from amp_datasets.geometry import shapes as geometry
from amp_datasets.model import Annotation, Category, LabelSet, Sample
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.storage.folder import open_folder

CVAT = load_registry().source("cvat")
LABELS = "<labels><label><name>cat</name></label><label><name>dog</name></label></labels>"


def xml(images: str, labels: str = LABELS) -> str:
    """A whole file with some `<image>` elements."""
    head = '<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version>'
    return f"{head}<meta><task><id>3</id>{labels}</task></meta>{images}</annotations>"


def one(folder: Path, shapes: str, labels: str = LABELS) -> Path:
    """A set of one image of 64x48 with some shapes."""
    image = f'<image id="0" name="a.jpg" width="64" height="48">{shapes}</image>'
    return write_files(folder, {"images/a.jpg": "", "annotations.xml": xml(image, labels)})


def only(labels: LabelSet) -> Annotation:
    """The only label of the only image."""
    (sample,) = labels.samples
    (annotation,) = sample.annotations
    return annotation


def test_coordinates_are_pixel_edges(tmp_path: Path) -> None:
    """A box is read as it is written, with its attributes; z_order and source are of no object."""
    box = '<box label="cat" source="manual" occluded="1" xtl="3.00" ytl="4.50" xbr="30.00" ybr="40.00" z_order="2">'
    labels = read_set(CVAT, one(tmp_path, f'{box}<attribute name="colour">red</attribute></box>'))
    assert only(labels).xyxy == (3.0, 4.5, 30.0, 40.0)
    assert only(labels).attributes == {"colour": "red", "occluded": 1}
    assert [category.name for category in labels.categories] == ["cat", "dog"]


def test_a_box_is_turned_clockwise_about_its_centre(tmp_path: Path) -> None:
    """Its rotation is in degrees; these corners are those that CVAT's own library computes from such a box."""
    shape = '<box label="cat" occluded="0" xtl="20" ytl="20" xbr="40" ybr="30" rotation="30.00"/>'
    found = only(read_set(CVAT, one(tmp_path, shape)))
    corners = [(23.8397, 15.6699), (41.1603, 25.6699), (36.1603, 34.3301), (18.8397, 24.3301)]
    np.testing.assert_allclose(found.corners, corners, atol=1e-4)
    np.testing.assert_allclose(found.xyxy, (18.8397, 15.6699, 41.1603, 34.3301), atol=1e-4)


def test_an_ellipse_becomes_a_polygon_that_is_said(tmp_path: Path) -> None:
    """Centre and radii; a turn by a right angle exchanges its extents."""
    shape = '<ellipse label="cat" occluded="0" cx="30" cy="20" rx="16" ry="8" rotation="90"/>'
    labels = read_set(CVAT, one(tmp_path, shape))
    np.testing.assert_allclose(only(labels).xyxy, (22, 4, 38, 36), atol=1e-9)
    assert geometry.area(only(labels)) == pytest.approx(np.pi * 16 * 8, rel=1e-3)
    assert rules(labels) == {"ellipse read as a polygon"}


def test_the_runs_of_a_mask_go_row_by_row_in_its_box(tmp_path: Path) -> None:
    """The documentation's own mask, a disc: its pixels, counted where they are."""
    runs = "3, 5, 7, 7, 5, 9, 3, 11, 2, 11, 2, 12, 1, 12, 1, 26, 1, 12, 1, 12, 2, 11, 3, 9, 5, 7, 7, 5, 3"
    counts = [int(run) for run in runs.split(",")]
    assert sum(counts) == 13 * 15
    shape = f'<mask label="cat" occluded="0" rle="{runs}" left="7" top="8" width="13" height="15" z_order="0"/>'
    found = only(read_set(CVAT, one(tmp_path, shape)))
    assert found.mask is not None
    pixels = geometry.decode_mask(found.mask)
    assert pixels.sum() == sum(counts[1::2])
    assert pixels[8, 7:20].tolist() == [False] * 3 + [True] * 5 + [False] * 5
    assert found.xyxy == (7, 8, 20, 23)


SKELETON = """<labels><label><name>person</name><type>skeleton</type><svg>&lt;line data-type="edge" data-node-from="2"
 data-node-to="1"&gt;&lt;/line&gt;&lt;circle data-node-id="1" data-label-name="nose"&gt;&lt;/circle&gt;&lt;circle
 data-node-id="2" data-label-name="eye"&gt;&lt;/circle&gt;</svg></label>
<label><name>nose</name><type>points</type><parent>person</parent></label>
<label><name>eye</name><type>points</type><parent>person</parent></label>
<label><name>tail</name><type>points</type><parent>person</parent></label></labels>"""
POINTS = """<points label="eye" occluded="1" outside="0" points="20.5,30.0"/>
<points label="nose" occluded="0" outside="0" points="10.0,12.0"/>
<points label="tail" occluded="0" outside="1" points="50.0,40.0"/>"""


def test_skeletons_are_keypoints_in_the_order_of_their_labels(tmp_path: Path) -> None:
    """Occluded points are hidden, those outside are not labelled; edges come from the drawing."""
    labels = read_set(CVAT, one(tmp_path, f'<skeleton label="person" z_order="0">{POINTS}</skeleton>', SKELETON))
    assert labels.categories == (Category("person", "", ("nose", "eye", "tail"), ((1, 0),)),)
    np.testing.assert_array_equal(only(labels).keypoints, [(10, 12, 2), (20.5, 30, 1), (0, 0, 0)])
    assert only(labels).xyxy == (10, 12, 20.5, 30)
    assert rules(labels) == {"box taken from the keypoints"}


def test_shapes_of_one_group_and_label_are_one_object(tmp_path: Path) -> None:
    """Two polygons are parts, a skeleton belongs to its box; two boxes stay two, and so do other labels."""
    box = '<box label="{}" occluded="0" group_id="{}" xtl="1" ytl="1" xbr="40" ybr="40"/>'
    part = '<polygon label="cat" occluded="0" group_id="1" points="{}"/>'
    shapes = part.format("1,1;9,1;9,9") + part.format("20,20;30,20;30,30") + box.format("dog", 1).replace("40", "20")
    shapes += box.format("person", 2) + f'<skeleton label="person" group_id="2">{POINTS}</skeleton>'
    shapes += box.format("dog", 3) + box.format("dog", 3).replace("40", "30")
    labels = read_set(CVAT, one(tmp_path, shapes, SKELETON))
    (sample,) = labels.samples
    assert [(a.category, len(a.polygons), a.keypoints is not None) for a in sample.annotations] == [
        ("cat", 2, False),
        ("dog", 0, False),
        ("person", 0, True),
        ("dog", 0, False),
        ("dog", 0, False),
    ]
    assert sample.annotations[0].xyxy == (1, 1, 30, 30)
    assert sample.annotations[2].xyxy == (1, 1, 40, 40)
    assert "shapes of one group joined to one object" in rules(labels)
    apart = read_set(CVAT, tmp_path, groups=False)
    assert [len(sample.annotations) for sample in apart.samples] == [7]


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ('<polyline label="cat" points="1,1;9,9"/>', "shape has no area"),
        ('<points label="cat" points="1,1;9,9"/>', "shape has no area"),
        ('<cuboid label="cat" xtl1="1" ytl1="1"/>', "kind of label is not read"),
        ('<polygon label="cat" points="1,1;9,9"/>', "label cannot be read"),
        ('<polygon label="cat" points="1,1;9,x;3,4"/>', "label cannot be read"),
        ('<box label="" xtl="1" ytl="1" xbr="9" ybr="9"/>', "label cannot be read"),
        ('<box label="cat" xtl="1" ytl="1" xbr="nan" ybr="9"/>', "label cannot be read"),
        ('<mask label="cat" rle="1, 5" left="0" top="0" width="3" height="3"/>', "label cannot be read"),
        ('<mask label="cat" rle="0, 9" left="62" top="0" width="3" height="3"/>', "label cannot be read"),
        ('<skeleton label="cat"></skeleton>', "label cannot be read"),
    ],
)
def test_what_cannot_be_a_label_is_counted(shape: str, reason: str, tmp_path: Path) -> None:
    """One shape that is lost leaves the others of its image, and says why."""
    box = '<box label="cat" xtl="1" ytl="1" xbr="9" ybr="9"/>'
    labels = read_set(CVAT, one(tmp_path, shape + box))
    assert reasons(labels) == {reason}
    assert only(labels).xyxy == (1, 1, 9, 9)


def test_an_image_without_shapes_is_empty_and_one_with_lost_ones_is_not(tmp_path: Path) -> None:
    """Listed is looked at; an image whose every shape was lost is set aside, and a tag is no shape."""
    images = "".join(
        f'<image id="{n}" name="{name}.jpg" width="64" height="48">{shapes}</image>'
        for n, (name, shapes) in enumerate(
            {"a": "", "b": '<tag label="good"/>', "c": '<cuboid label="cat"/>'}.items(), start=0
        )
    )
    files = {f"images/{name}.jpg": "" for name in "abcd"}
    found = by_name(read_set(CVAT, write_files(tmp_path, files | {"annotations.xml": xml(images)})))
    assert {name: (sample.labelled, len(sample.annotations)) for name, sample in found.items()} == {
        "a.jpg": (True, 0),
        "b.jpg": (True, 0),
        "d.jpg": (False, 0),
    }


def test_subsets_of_a_project_are_splits_and_keep_equal_names_apart(tmp_path: Path) -> None:
    """Each image of a name is the one in the folder of its subset."""
    box = '<box label="cat" occluded="0" xtl="{0}" ytl="1" xbr="40" ybr="40"/>'
    image = '<image id="0" name="a.jpg" subset="{1}" task_id="1" width="64" height="48">' + box + "</image>"
    files: dict[str, str | bytes] = {f"images/{subset}/a.jpg": "" for subset in ("Train", "Validation", "Test")}
    files["annotations.xml"] = xml(image.format(1, "Train") + image.format(2, "Validation") + image.format(3, "Test"))
    labels = read_set(CVAT, write_files(tmp_path, files))
    assert {(s.source_id, s.split, s.annotations[0].xyxy[0]) for s in labels.samples} == {
        ("images/Train/a.jpg", "train", 1.0),
        ("images/Validation/a.jpg", "validation", 2.0),
        ("images/Test/a.jpg", "test", 3.0),
    }


def test_an_attribute_can_be_the_class(tmp_path: Path) -> None:
    """With `class_attribute` its value is; a shape without it is counted."""
    box = '<box label="cat" xtl="{}" ytl="1" xbr="40" ybr="40">{}</box>'
    shapes = box.format(1, '<attribute name="breed">tabby</attribute>') + box.format(2, "")
    labels = read_set(CVAT, one(tmp_path, shapes), class_attribute="breed")
    assert only(labels).category == "tabby"
    assert reasons(labels) == {"label cannot be read"}


def test_detection_is_by_the_root_element(tmp_path: Path) -> None:
    """Neither a VOC file nor a text with the word is CVAT's; a broken file of CVAT's is still, and is an error."""
    folder = write_files(tmp_path / "voc", {"a.xml": "<annotation><filename>annotations</filename></annotation>"})
    write_files(folder, {"b.xml": "<notes><annotations/></notes>", "c.xml": "annotations <image"})
    assert CVAT.detect(open_folder(folder)) is None
    broken = write_files(tmp_path / "cvat", {"annotations.xml": xml('<image id="0" name="a.jpg">')})
    assert CVAT.detect(open_folder(broken)) is not None
    with pytest.raises(SourceError, match="not XML"):
        read_set(CVAT, broken)


def test_entities_are_refused(tmp_path: Path) -> None:
    """A document type could expand without end, or fetch; such a file is recognised, and then an error."""
    text = xml('<image name="&b;">').replace("<annotations>", '<!DOCTYPE a [<!ENTITY b "c">]><annotations>')
    write_files(tmp_path, {"annotations.xml": text})
    assert CVAT.detect(open_folder(tmp_path)) is not None
    with pytest.raises(SourceError, match="document type"):
        read_set(CVAT, tmp_path)


def test_labels_of_a_turned_photo_refer_to_what_is_shown(tmp_path: Path) -> None:
    """The size that the XML states tells that CVAT showed it upright."""
    write_image(tmp_path / "images/a.jpg", (48, 64), orientation=6)
    image = (
        '<image id="0" name="a.jpg" width="64" height="48"><box label="cat" xtl="1" ytl="2" xbr="60" ybr="40"/></image>'
    )
    labels = read_set(CVAT, write_files(tmp_path, {"annotations.xml": xml(image)}))
    assert only(labels).xyxy == (1, 2, 60, 40)


@given(angle=st.floats(-180, 180), width=st.floats(2, 20), height=st.floats(2, 20))
def test_an_oriented_box_is_turned_back_exactly(angle: float, width: float, height: float) -> None:
    """Corners give the box and the angle that give the corners."""
    box = (30 - width, 24 - height, 30 + width, 24 + height)
    corners = geometry.rotated(geometry.rectangle(box), angle, (30, 24))
    found = geometry.oriented_box(corners)
    assert found is not None
    again = geometry.rotated(geometry.rectangle(found[0]), found[1], (30, 24))
    np.testing.assert_allclose(again, corners, atol=1e-9)


def test_four_corners_that_are_no_rectangle_stay_what_they_are(tmp_path: Path) -> None:
    """They are written as a polygon, not squeezed into a turned box."""
    corners = np.array([(1.0, 1.0), (40.0, 5.0), (38.0, 30.0), (3.0, 20.0)])
    sample: Sample = make_sample("a.jpg", [Annotation("cat", (1, 1, 40, 30), corners=corners)])
    exporter = load_registry().exporter("cvat")
    exporter(tmp_path, exporter.options_type(), place_image).write(make_set([sample]))
    np.testing.assert_array_equal(only(read_set(CVAT, tmp_path)).polygons[0].exterior, corners)


def test_tags_beside_shapes_are_words_of_the_image(tmp_path: Path) -> None:
    """They are no classes, and `filter_tag` asks for them."""
    labels = read_set(CVAT, one(tmp_path, '<tag label="good"/><box label="cat" xtl="1" ytl="1" xbr="9" ybr="9"/>'))
    (sample,) = labels.samples
    assert (sample.tags, sample.labels) == (frozenset({"good"}), ())
    assert "good" not in {category.name for category in labels.categories}


def test_tags_are_classes_of_images_where_there_are_no_shapes(tmp_path: Path) -> None:
    """A set for classification: no image of it is an empty one."""
    labels = read_set(CVAT, one(tmp_path, '<tag label="sunny"/><tag label="dog"/>'))
    assert [sample.labels for sample in labels.samples] == [("sunny", "dog")]
    assert [category.name for category in labels.categories] == ["cat", "dog", "sunny"]
