"""Supervisely projects: what numbers are, every geometry, graphs, bound parts, and which image an annotation is of."""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import make_sample, make_set, place_image, read_set, reasons, rules, write_files

from amp_datasets.geometry import shapes as geometry
from amp_datasets.model import Annotation, Category, LabelSet
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.storage.folder import open_folder

SUPERVISELY = load_registry().source("supervisely")
META: dict[str, Any] = {
    "classes": [
        {"title": "bolt", "shape": "any", "color": "#FF0000"},
        {
            "title": "person",
            "shape": "graph",
            "geometry_config": {
                "nodes": {"id1": {"label": "nose", "loc": [1, 1]}, "id2": {"label": "eye", "loc": [2, 2]}, "id3": {}},
                "edges": [{"src": "id2", "dst": "id1"}, {"src": "id1", "dst": "gone"}],
            },
        },
    ],
    "tags": [],
}
NOTE = "whole numbers read as pixels"


def ring(*rows: tuple[float, float]) -> dict[str, Any]:
    """The points of a geometry."""
    return {"exterior": [list(row) for row in rows], "interior": []}


def shape(kind: str, title: str = "bolt", **more: Any) -> dict[str, Any]:
    """One object."""
    return {"classTitle": title, "geometryType": kind, "tags": [], **more}


def document(*objects: Any, **more: Any) -> str:
    """The annotation of one image of 64x48."""
    return json.dumps({"description": "", "tags": [], "size": {"height": 48, "width": 64}, "objects": objects, **more})


def one(folder: Path, *objects: Any, **more: Any) -> Path:
    """A project of one image."""
    files = {"meta.json": json.dumps(META), "ds0/img/a.jpg": "", "ds0/ann/a.jpg.json": document(*objects, **more)}
    return write_files(folder, files)


def found(labels: LabelSet) -> list[Annotation]:
    """The labels of the only image."""
    (sample,) = labels.samples
    return list(sample.annotations)


def test_whole_numbers_are_pixels_as_the_library_counts(tmp_path: Path) -> None:
    """Its `Rectangle` of 20, 20, 40, 30 is 21 pixels wide and 11 high; a vertex is a pixel's centre."""
    rectangle = shape("rectangle", points=ring((40, 20), (20, 30)))
    polygon = shape("polygon", points=ring((1, 1), (9, 1), (9, 30)))
    labels = read_set(SUPERVISELY, one(tmp_path, rectangle, polygon))
    assert [annotation.xyxy for annotation in found(labels)] == [(20, 20, 41, 31), (1.5, 1.5, 9.5, 30.5)]
    assert rules(labels) == {NOTE}
    edges = read_set(SUPERVISELY, tmp_path, pixels="edges")
    assert [annotation.xyxy for annotation in found(edges)] == [(20, 20, 40, 30), (1, 1, 9, 30)]


def test_fractions_are_edges_for_the_whole_set(tmp_path: Path) -> None:
    """The labelling tool has them; one is enough to tell."""
    rectangle = shape("rectangle", points=ring((20, 20), (40, 30)))
    labels = read_set(SUPERVISELY, one(tmp_path, rectangle, shape("polygon", points=ring((1, 1.5), (9, 1), (9, 30)))))
    assert [annotation.xyxy for annotation in found(labels)] == [(20, 20, 40, 30), (1, 1, 9, 30)]
    assert rules(labels) == set()


BITMAP = (
    "eJzrDPBz5+WS4mJgYOD19HAJAtLMQMzECCKX7/oSCaTYAnxCXIH0////l96cfxfIYiwJ8gtmcHh2Iw3I4fF0cQypmJNcceABUOMTRsVHp+4AWQwMnq5+"
    "LuucEpoAuc4csg=="
)


def test_bitmaps_are_unpacked_as_the_library_packs_them(tmp_path: Path) -> None:
    """Its own text of row 0, columns 0 to 2, and row 1, column 1; the origin is the first pixel."""
    labels = read_set(SUPERVISELY, one(tmp_path, shape("bitmap", bitmap={"origin": [11, 21], "data": BITMAP})))
    expected = np.zeros((48, 64), dtype=np.bool_)
    expected[21, 11:14] = expected[22, 12] = True
    (mask,) = [annotation.mask for annotation in found(labels)]
    assert mask is not None
    np.testing.assert_array_equal(geometry.decode_mask(mask), expected)


def test_holes_and_parts(tmp_path: Path) -> None:
    """A polygon has holes, a multipolygon parts; polygons of one instance are parts of one object."""
    hole = [[3.5, 3.5], [6, 3], [6, 6]]
    holed = shape("polygon", points={"exterior": [[1, 1], [9, 1], [9, 9], [1, 9]], "interior": [hole]})
    parts = [ring((20, 1), (29, 1), (29, 9)), ring((40, 1), (49, 1), (49, 9))]
    bound = [shape("polygon", points=part, instance="abc") for part in parts]
    labels = read_set(SUPERVISELY, one(tmp_path, holed, shape("multipolygon", parts=parts), *bound))
    assert [(len(a.polygons), len(a.polygons[0].holes)) for a in found(labels)][:2] == [(1, 1), (2, 0)]
    assert len(found(labels)) == 2, "the bound parts are the multipolygon again"
    assert "shapes of one group joined to one object" in rules(labels)


def test_oriented_boxes_turn_clockwise_by_radians(tmp_path: Path) -> None:
    """About their centre."""
    box = shape("oriented_bbox", points=ring((20.0, 20.5), (40.0, 30.5)), angle=np.pi / 2)
    np.testing.assert_allclose(
        found(read_set(SUPERVISELY, one(tmp_path, box)))[0].xyxy, (25, 15.5, 35, 35.5), atol=1e-9
    )


def test_graphs_are_keypoints_in_the_order_of_their_class(tmp_path: Path) -> None:
    """Nodes are named by the class; a disabled one is hidden, one that is not there is not labelled."""
    nodes = {"id2": {"loc": [30, 20], "disabled": True}, "id1": {"loc": [10, 12]}}
    labels = read_set(SUPERVISELY, one(tmp_path, shape("graph", "person", nodes=nodes)))
    assert labels.categories[1] == Category("person", "", ("nose", "eye", "id3"), ((1, 0),))
    np.testing.assert_array_equal(found(labels)[0].keypoints, [(10.5, 12.5, 2), (30.5, 20.5, 1), (0, 0, 0)])


RECTANGLE = shape("rectangle", points=ring((20, 20), (40, 30)))


@pytest.mark.parametrize(
    ("lost", "reason"),
    [
        (shape("point", points=ring((1, 1))), "shape has no area"),
        (shape("line", points=ring((1, 1), (9, 9))), "shape has no area"),
        (shape("cuboid", points=[]), "kind of label is not read"),
        (shape("polygon", points=ring((1, 1), (9, 9))), "label cannot be read"),
        (shape("rectangle", points=ring((1, 1))), "label cannot be read"),
        (shape("rectangle", "", points=ring((1, 1), (9, 9))), "label cannot be read"),
        (shape("bitmap", bitmap={"origin": [0, 0], "data": "no"}), "label cannot be read"),
        (shape("bitmap", bitmap={"origin": [62, 0], "data": BITMAP}), "label cannot be read"),
        (shape("graph", "person", nodes={"other": {"loc": [1, 1]}}), "label cannot be read"),
        (None, "label cannot be read"),
    ],
)
def test_what_cannot_be_a_label_is_counted(lost: Any, reason: str, tmp_path: Path) -> None:
    """One object that is lost leaves the others."""
    labels = read_set(SUPERVISELY, one(tmp_path, lost, RECTANGLE))
    assert reasons(labels) == {reason}
    assert len(found(labels)) == 1


def test_a_bitmap_that_would_unpack_without_end_is_cut(tmp_path: Path) -> None:
    """A gigabyte of zeros in a megabyte: what comes out is limited, and is no image."""
    bomb = base64.b64encode(zlib.compress(bytes(2**28), 9)).decode()
    labels = read_set(SUPERVISELY, one(tmp_path, shape("bitmap", bitmap={"origin": [0, 0], "data": bomb}), RECTANGLE))
    assert reasons(labels) == {"label cannot be read"}


def test_splits_are_data_sets_or_tags(tmp_path: Path) -> None:
    """A tag of the image that is no split is one of its words, which `filter_tag` asks for."""
    files: dict[str, str | bytes] = {"p/meta.json": json.dumps(META)}
    for folder, tags in (("train", []), ("ds1", [{"name": "val"}]), ("ds2", [{"name": "blurred"}])):
        files |= {f"p/{folder}/img/a.jpg": "", f"p/{folder}/ann/a.jpg.json": document(RECTANGLE, tags=tags)}
    labels = read_set(SUPERVISELY, write_files(tmp_path, files))
    assert {(s.source_id, s.split) for s in labels.samples} == {
        ("p/train/img/a.jpg", "train"),
        ("p/ds1/img/a.jpg", "validation"),
        ("p/ds2/img/a.jpg", None),
    }
    assert reasons(labels) == set()
    assert {s.source_id: set(s.tags) for s in labels.samples if s.tags} == {"p/ds2/img/a.jpg": {"blurred"}}


def test_tags_of_objects_are_attributes(tmp_path: Path) -> None:
    """With their values, or that they are there."""
    tags = [{"name": "colour", "value": "red"}, {"name": "rusty", "value": None}]
    labels = read_set(SUPERVISELY, one(tmp_path, {**RECTANGLE, "tags": tags}))
    assert found(labels)[0].attributes == {"colour": "red", "rusty": True}


def test_images_without_objects_are_empty_and_without_annotation_unlabelled(tmp_path: Path) -> None:
    """A damaged annotation drops its image, and no other."""
    files = {f"ds/img/{name}.jpg": "" for name in "abc"} | {"meta.json": json.dumps(META)}
    files |= {"ds/ann/a.jpg.json": document(), "ds/ann/b.jpg.json": document()[:-1]}
    labels = read_set(SUPERVISELY, write_files(tmp_path, files))
    states = {sample.source_id: sample.labelled for sample in labels.samples}
    assert states["ds/img/a.jpg"]
    assert not states["ds/img/c.jpg"]
    assert "label file cannot be read" in reasons(labels)


def test_detection_is_by_keys_in_the_folder_of_annotations(tmp_path: Path) -> None:
    """Elsewhere such a JSON is something else."""
    folder = write_files(tmp_path, {"a.json": document(), "ann/b.json": json.dumps({"text": '"objects" "size"'})})
    assert SUPERVISELY.detect(open_folder(folder)) is None
    assert SUPERVISELY.detect(open_folder(one(tmp_path / "p"))) is not None


def test_exports_are_right_for_a_library_that_rounds_down(tmp_path: Path) -> None:
    """The library takes the floor of each number: of a box of whole pixels that is its first and its last one."""
    annotations = [Annotation("bolt", (3, 4, 30, 40)), Annotation("bolt", (3.25, 4.5, 30.5, 40.25))]
    exporter = load_registry().exporter("supervisely")
    exporter(tmp_path, exporter.options_type(), place_image).write(make_set([make_sample("a.jpg", annotations)]))
    written = json.loads((tmp_path / "train/ann/a.jpg.json").read_text())
    corners = [np.floor(entry["points"]["exterior"]).tolist() for entry in written["objects"]]
    assert corners == [[[3, 4], [29, 39]], [[3, 4], [29, 39]]]
    assert [annotation.xyxy for annotation in found(read_set(SUPERVISELY, tmp_path))] == [a.xyxy for a in annotations]
