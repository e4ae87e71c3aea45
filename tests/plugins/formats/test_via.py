"""VGG Image Annotator: JSON and CSV of its versions, every shape, and which attribute is the class."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import by_name, make_sample, make_set, place_image, read_set, reasons, rules, write_files

from amp_datasets.errors import SourceError
from amp_datasets.geometry import shapes as geometry
from amp_datasets.model import Annotation, LabelSet
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.storage.folder import open_folder

VIA = load_registry().source("via")
RECT = {"name": "rect", "x": 3, "y": 4, "width": 20, "height": 30}
HEADER = "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes"


def region(shape: Any, **attributes: Any) -> dict[str, Any]:
    """One region."""
    return {"shape_attributes": shape, "region_attributes": attributes}


def entries(*regions: Any, name: str = "a.jpg") -> dict[str, Any]:
    """The JSON of one image."""
    return {f"{name}5000": {"filename": name, "size": 5000, "regions": list(regions), "file_attributes": {}}}


def one(folder: Path, document: Any, file: str = "via.json") -> Path:
    """A set of one image of 64x48 and a file."""
    return write_files(folder, {"a.jpg": "", file: document if isinstance(document, str) else json.dumps(document)})


def found(labels: LabelSet) -> list[Annotation]:
    """The labels of the only image."""
    (sample,) = labels.samples
    return list(sample.annotations)


@pytest.mark.parametrize("layout", ["list", "object", "project"])
def test_regions_are_read_from_each_version(layout: str, tmp_path: Path) -> None:
    """Version 2 has a list, version 1 an object, a project the same below `_via_img_metadata`."""
    document = entries(region(RECT, kind="cat", colour="red"))
    if layout == "object":
        document["a.jpg5000"]["regions"] = {"0": document["a.jpg5000"]["regions"][0]}
    if layout == "project":
        document = {"_via_settings": {"ui": {}}, "_via_img_metadata": document, "_via_attributes": {"region": {}}}
    labels = read_set(VIA, one(tmp_path, document), attribute="kind")
    assert [(a.category, a.xyxy, a.attributes) for a in found(labels)] == [("cat", (3, 4, 23, 34), {"colour": "red"})]
    assert VIA.detect(open_folder(tmp_path)) is not None


def test_every_shape_that_has_an_area(tmp_path: Path) -> None:
    """A circle by centre and radius, an ellipse turned clockwise by radians, a polygon by two lists."""
    circle = {"name": "circle", "cx": 30, "cy": 20, "r": 10}
    ellipse = {"name": "ellipse", "cx": 30, "cy": 20, "rx": 16, "ry": 8, "theta": np.pi / 2}
    polygon = {"name": "polygon", "all_points_x": [1, 9, 9], "all_points_y": [2, 2, 30]}
    labels = read_set(VIA, one(tmp_path, entries(*(region(s, label="cat") for s in (circle, ellipse, polygon)))))
    boxes = [annotation.xyxy for annotation in found(labels)]
    np.testing.assert_allclose(boxes, [(20, 10, 40, 30), (22, 4, 38, 36), (1, 2, 9, 30)], atol=1e-9)
    assert geometry.area(found(labels)[0]) == pytest.approx(np.pi * 100, rel=1e-3)
    assert rules(labels) == {"ellipse read as a polygon"}


@pytest.mark.parametrize(
    ("shape", "attributes", "reason"),
    [
        ({"name": "point", "cx": 3, "cy": 4}, {"label": "cat"}, "shape has no area"),
        ({"name": "polyline", "all_points_x": [1, 2], "all_points_y": [1, 2]}, {"label": "cat"}, "shape has no area"),
        ({"name": "polygon", "all_points_x": [1, 2], "all_points_y": [1, 2]}, {"label": "cat"}, "label cannot be read"),
        ({"name": "polygon", "all_points_x": [1], "all_points_y": []}, {"label": "cat"}, "label cannot be read"),
        ({"name": "circle", "cx": 1, "cy": 2}, {"label": "cat"}, "label cannot be read"),
        ({"name": "star"}, {"label": "cat"}, "label cannot be read"),
        (RECT, {}, "label cannot be read"),
        (RECT, {"label": {"cat": True, "dog": True}}, "label cannot be read"),
        (None, {"label": "cat"}, "label cannot be read"),
        (RECT, None, "label cannot be read"),
    ],
)
def test_what_cannot_be_a_label_is_counted(shape: Any, attributes: Any, reason: str, tmp_path: Path) -> None:
    """One region that is lost leaves the others."""
    lost = {"shape_attributes": shape, "region_attributes": attributes}
    labels = read_set(VIA, one(tmp_path, entries(lost, region(RECT, label="dog"))))
    assert reasons(labels) == {reason}
    assert [annotation.category for annotation in found(labels)] == ["dog"]


def test_ticked_boxes_are_classes_too(tmp_path: Path) -> None:
    """A checkbox says true of one."""
    labels = read_set(VIA, one(tmp_path, entries(region(RECT, label={"cat": True, "dog": False}))))
    assert found(labels)[0].category == "cat"


def test_which_attribute_is_the_class(tmp_path: Path) -> None:
    """The only one; of several the one with choices, or the one that is usually called so; else nobody knows."""
    several = entries(region(RECT, Label="cat", size="big"))
    labels = read_set(VIA, one(tmp_path / "usual", several))
    assert found(labels)[0].category == "cat"
    assert rules(labels) == {"class taken from one of several attributes"}

    attributes = {
        "region": {"size": {"type": "dropdown", "options": {"small": "", "big": ""}}, "Label": {"type": "text"}}
    }
    project = {"_via_img_metadata": several, "_via_attributes": attributes}
    labels = read_set(VIA, one(tmp_path / "choices", project))
    assert [category.name for category in labels.categories] == ["small", "big"]

    unclear = one(tmp_path / "unclear", entries(region(RECT, colour="red", size="big")))
    with pytest.raises(SourceError, match="colour, size"):
        read_set(VIA, unclear)
    assert found(read_set(VIA, unclear, attribute="colour"))[0].category == "red"


def test_regions_without_attributes_need_a_class_from_outside(tmp_path: Path) -> None:
    """As in the balloons that everybody learns with: never a made-up class."""
    folder = one(tmp_path, entries(region(RECT)))
    with pytest.raises(SourceError, match="no region here") as error:
        read_set(VIA, folder)
    assert "class_name" in str(error.value.fix)
    assert found(read_set(VIA, folder, class_name="balloon"))[0].category == "balloon"


def test_an_attribute_without_a_value_can_be_the_class_itself(tmp_path: Path) -> None:
    """Where each region has one, and it is not called `label` or the like, which nobody filled in."""
    labels = read_set(VIA, one(tmp_path / "keys", entries(region(RECT, bike=""))))
    assert found(labels)[0].category == "bike"
    assert rules(labels) == {"class taken from the attribute's name"}
    with pytest.raises(SourceError, match="no region here"):
        read_set(VIA, one(tmp_path / "unfilled", entries(region(RECT, label=""))))


@pytest.mark.parametrize("mark", ["", "#"])
def test_tables_have_a_row_a_region(mark: str, tmp_path: Path) -> None:
    """And one without a region for an empty image; VIA 1.0 begins with a hash sign."""
    shape, name = json.dumps(RECT).replace('"', '""'), '{""name"":""cat""}'
    rows = [
        f'a.jpg,5000,"{{}}",2,0,"{shape}","{name}"',
        'b.jpg,5000,"{}",0,0,"{}","{}"',
        'a.jpg,5000,"{}",2,1,"{x","{}"',
    ]
    write_files(tmp_path, {"a.jpg": "", "b.jpg": "", "c.jpg": "", "via.csv": "\r\n".join([mark + HEADER, *rows])})
    labels = read_set(VIA, tmp_path)
    samples = by_name(labels)
    assert [annotation.xyxy for annotation in samples["a.jpg"].annotations] == [(3, 4, 23, 34)]
    assert (samples["b.jpg"].labelled, samples["c.jpg"].labelled) == (True, False)
    assert reasons(labels) == {"entry has no image or no list of annotations"}
    assert VIA.detect(open_folder(tmp_path)) is not None
    assert load_registry().source("csv").detect(open_folder(tmp_path)) is None


VERSION3: dict[str, Any] = {
    "project": {"pid": "x", "data_format_version": "3.1.1", "vid_list": ["1", "2"]},
    "config": {"file": {"loc_prefix": {"1": ""}}},
    "attribute": {"1": {"aname": "Class", "anchor_id": "FILE1_Z0_XY1", "type": 3, "options": {"K": "sky", "C": "car"}}},
    "file": {str(n): {"fid": n, "fname": name, "type": 2, "loc": 1} for n, name in ((1, "a.jpg"), (2, "b.jpg"))},
    "metadata": {
        "m1": {"vid": "1", "flg": 0, "z": [], "xy": [2, 3, 4, 20, 30], "av": {"1": "C"}},
        "m2": {"vid": "1", "flg": 0, "z": [], "xy": [7, 1, 2, 9, 2, 9, 30], "av": {"1": "K"}},
        "m3": {"vid": "1", "flg": 0, "z": [], "xy": [8, 5, 1, 9, 7, 3, 9, 1, 4], "av": {"1": "K"}},
        "m4": {"vid": "1", "flg": 0, "z": [], "xy": [1, 5, 5], "av": {"1": "K"}},
        "m5": {"vid": "1", "flg": 0, "z": [0.5, 2], "xy": [], "av": {"1": "K"}},
    },
    "view": {"1": {"fid_list": [1]}, "2": {"fid_list": [2]}},
}


def test_projects_of_version_3(tmp_path: Path) -> None:
    """Shapes have numbers, attributes have ids, options have texts; a point and a span of time are counted."""
    labels = read_set(VIA, write_files(tmp_path, {"a.jpg": "", "b.jpg": "", "via.json": json.dumps(VERSION3)}))
    samples = by_name(labels)
    assert [(a.category, a.xyxy) for a in samples["a.jpg"].annotations] == [
        ("car", (3, 4, 23, 34)),
        ("sky", (1, 2, 9, 30)),
        ("sky", (1, 1, 9, 9)),
    ]
    assert samples["b.jpg"].labelled
    assert [category.name for category in labels.categories] == ["sky", "car"]
    assert reasons(labels) == {"shape has no area", "kind of label is not read"}
    assert VIA.detect(open_folder(tmp_path)) is not None


def test_tables_of_version_3(tmp_path: Path) -> None:
    """Their comments name the attributes."""
    lines = [
        "# Exported using VGG Image Annotator (http://www.robots.ox.ac.uk/~vgg/software/via)",
        f"# ATTRIBUTE = {json.dumps(VERSION3['attribute'])}",
        "# CSV_HEADER = metadata_id,file_list,flags,temporal_coordinates,spatial_coordinates,metadata",
        '"1_x","[""a.jpg""]",0,"[]","[2,3,4,20,30]","{""1"":""C""}"',
        '"1_y","[""a.jpg"",""b.jpg""]",0,"[]","[2,3,4,20,30]","{""1"":""C""}"',
    ]
    labels = read_set(VIA, one(tmp_path, "\n".join(lines), "export.csv"))
    assert [(a.category, a.xyxy) for a in found(labels)] == [("car", (3, 4, 23, 34))]
    assert reasons(labels) == {"entry has no image or no list of annotations"}
    assert VIA.detect(open_folder(tmp_path)) is not None


def test_detection_is_by_the_keys_of_the_entries(tmp_path: Path) -> None:
    """Not by the words: here they are at other places."""
    folder = write_files(
        tmp_path,
        {
            "a.json": json.dumps({"regions": 1, "filename": "a.jpg"}),
            "b.json": json.dumps([{"regions": [], "filename": "a.jpg"}]),
            "c.json": json.dumps({"x": {"text": '"regions" "filename"'}}),
            "d.csv": "filename,x,region_count\n",
        },
    )
    assert VIA.detect(open_folder(folder)) is None


def test_exports_are_keyed_as_via_finds_images(tmp_path: Path) -> None:
    """By name and number of bytes, else VIA leaves the entry out; the choices hold every class."""
    annotation = Annotation("cat", (1, 2, 30, 40), attributes={"label": "x", "occluded": 1})
    exporter = load_registry().exporter("via")
    exporter(tmp_path, exporter.options_type(), place_image).write(
        make_set([make_sample("a.jpg", [annotation])], ["dog", "cat"])
    )
    project = json.loads((tmp_path / "train/via_project.json").read_text())
    size = (tmp_path / "train/a.jpg").stat().st_size
    assert list(project["_via_img_metadata"]) == project["_via_image_id_list"] == [f"a.jpg{size}"]
    assert project["_via_img_metadata"][f"a.jpg{size}"]["size"] == size
    assert list(project["_via_attributes"]["region"]["class"]["options"]) == ["dog", "cat"]
    assert found(read_set(VIA, tmp_path))[0].attributes == {"label": "x", "occluded": "1"}
