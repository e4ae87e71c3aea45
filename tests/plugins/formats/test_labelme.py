"""LabelMe sets: every type of shape, images inside the label file, and the usual mistakes."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import by_name, image_bytes, make_sample, make_set, place_image, read_set, reasons, rules, write_files
from PIL import Image as PillowImage

from amp_datasets.geometry import shapes as geometry
from amp_datasets.model import Annotation, Category, LabelSet, Polygon
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.storage.folder import open_folder

LABELME = load_registry().source("labelme")
RECTANGLE: dict[str, Any] = {"label": "cat", "shape_type": "rectangle", "points": [[40, 36], [24, 12]]}
BOX = (24.0, 12.0, 40.0, 36.0)


def document(*shapes: Any, **more: Any) -> str:
    """A label file of an image of 64x48."""
    size = {"imageWidth": 64, "imageHeight": 48, "imagePath": "a.jpg", "imageData": None}
    return json.dumps({"version": "5.0.1", "flags": {}, "shapes": list(shapes), **size, **more})


def one(folder: Path, text: str | bytes) -> Path:
    """A set of one image with its label file."""
    return write_files(folder, {"a.jpg": "", "a.json": text})


def read_shape(folder: Path, **shape: Any) -> Annotation:
    """The label that one shape becomes."""
    labels = read_set(LABELME, one(folder, document({"label": "cat", **shape})))
    (annotation,) = by_name(labels)["a.jpg"].annotations
    return annotation


def test_a_rectangle_has_any_two_opposite_corners(tmp_path: Path) -> None:
    """From the lower right to the upper left too."""
    assert read_shape(tmp_path, **RECTANGLE).xyxy == BOX
    assert read_shape(tmp_path, **{**RECTANGLE, "points": [[24, 36], [40, 12]]}).xyxy == BOX


def test_a_polygon_is_the_default_type(tmp_path: Path) -> None:
    """Old files leave the type out; a repeated closing point goes."""
    ring = [[1, 2], [30, 2], [30, 40]]
    annotation = read_shape(tmp_path, points=[*ring, ring[0]])
    np.testing.assert_array_equal(annotation.polygons[0].exterior, ring)
    assert annotation.xyxy == (1, 2, 30, 40)


def test_a_circle_is_its_outline(tmp_path: Path) -> None:
    """Centre and a point on the rim; the area is that of the circle, not of its box."""
    annotation = read_shape(tmp_path, shape_type="circle", points=[[30, 20], [30, 30]])
    np.testing.assert_allclose(annotation.xyxy, (20, 10, 40, 30))
    assert geometry.area(annotation) == pytest.approx(np.pi * 100, rel=2e-4)


def test_turned_rectangles_are_oriented_boxes(tmp_path: Path) -> None:
    """As newer tools write them."""
    corners = [[10, 5], [40, 15], [37, 24], [7, 14]]
    annotation = read_shape(tmp_path, shape_type="rotation", points=corners)
    np.testing.assert_array_equal(annotation.corners, corners)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_mask_lies_at_its_first_point(tmp_path: Path) -> None:
    """The PNG covers the box from the first point, both ends included."""
    pixels = np.zeros((48, 64), dtype=np.bool_)
    pixels[10:13, 20:24] = True
    pixels[10, 20] = False
    exporter = load_registry().exporter("labelme")
    mask = geometry.encode_mask(pixels)
    sample = make_sample("a.jpg", [Annotation("cat", (20, 10, 24, 13), mask=mask)])
    exporter(tmp_path, exporter.options_type(), place_image).write(make_set([sample]))
    shape = json.loads((tmp_path / "train/a.json").read_text())["shapes"][0]
    assert (shape["shape_type"], shape["points"]) == ("mask", [[20, 10], [23, 12]])
    (annotation,) = by_name(read_set(LABELME, tmp_path))["a.jpg"].annotations
    np.testing.assert_array_equal(geometry.decode_mask(annotation.mask or mask), pixels)
    assert annotation.mask == mask


@pytest.mark.parametrize("kind", ["point", "points", "line", "linestrip"])
def test_shapes_without_area_are_counted(kind: str, tmp_path: Path) -> None:
    """They are no objects; what is beside them stays."""
    labels = read_set(LABELME, one(tmp_path, document(RECTANGLE, {**RECTANGLE, "shape_type": kind})))
    assert len(by_name(labels)["a.jpg"].annotations) == 1
    assert [(item.reason, item.detail) for item in labels.dropped] == [("shape has no area", kind)]


def test_a_group_is_one_object_of_several_parts(tmp_path: Path) -> None:
    """Shapes of one label and group_id join; the same number of another label does not."""
    part = {"label": "cat", "points": [[1, 1], [9, 1], [9, 9]], "group_id": 0}
    shapes = [part, {**RECTANGLE, "group_id": 0}, {**RECTANGLE, "label": "dog", "group_id": 0}, RECTANGLE]
    labels = read_set(LABELME, one(tmp_path, document(*shapes)))
    cat, dog, single = by_name(labels)["a.jpg"].annotations
    assert (len(cat.polygons), cat.xyxy) == (2, (1, 1, 40, 36))
    assert (dog.category, dog.xyxy, single.category) == ("dog", BOX, "cat")


def test_the_image_inside_is_used_where_the_file_is_missing(tmp_path: Path) -> None:
    """Counted as a repair; bytes that are no image are counted as dropped."""
    data = base64.b64encode(image_bytes((64, 48))).decode()
    text = document(RECTANGLE, imageData=data, imagePath="..\\photos\\inside.jpg")
    labels = read_set(LABELME, write_files(tmp_path, {"x.json": text, "y.json": text.replace(data, "AAAA")}))
    assert rules(labels) == {"image taken from the label file"}
    assert by_name(labels)["inside.jpg"].image.data == image_bytes((64, 48))
    assert by_name(labels)["inside.jpg"].annotations[0].xyxy == BOX
    assert reasons(labels) == {"image cannot be read"}


@pytest.mark.parametrize(("kind", "suffix"), [("JPEG", ".jpg"), ("PNG", ".png")])
def test_a_image_inside_that_has_no_name_gets_one(tmp_path: Path, kind: str, suffix: str) -> None:
    """That of its label file, with the ending of what it is."""
    data = base64.b64encode(image_bytes((64, 48), kind)).decode()
    labels = read_set(LABELME, write_files(tmp_path, {"x.json": document(RECTANGLE, imageData=data, imagePath="")}))
    assert [sample.source_id for sample in labels.samples] == [f"x{suffix}"]


@pytest.mark.parametrize(
    "path", ["..\\images\\é 1%.jpg", "C:\\x\\é 1%.jpg", "../images/e\u0301 1%.jpg", "gone.jpg", ""]
)
def test_paths_of_other_machines(path: str, tmp_path: Path) -> None:
    """Windows paths, accents in two characters, a name that was changed later: the image is found."""
    name = "é 1%"
    labels = read_set(
        LABELME, write_files(tmp_path, {f"{name}.jpg": "", f"{name}.json": document(RECTANGLE, imagePath=path)})
    )
    assert by_name(labels)[f"{name}.jpg"].annotations[0].xyxy == BOX
    assert not labels.dropped


@pytest.mark.parametrize(
    "shape",
    [
        None,
        7,
        {},
        {"label": "cat"},
        {"label": None, "points": [[1, 1], [9, 9], [9, 1]]},
        {"label": "x" * 300, "points": [[1, 1], [9, 9], [9, 1]]},
        {"label": "cat", "points": [[1, 1], [9, 9]]},
        {"label": "cat", "points": [[1, 1, 1], [9, 9], [9, 1]]},
        {"label": "cat", "points": [[1, "x"], [9, 9], [9, 1]]},
        {"label": "cat", "points": [[1, float("nan")], [9, 9], [9, 1]]},
        {"label": "cat", "points": [[1, 10**400], [9, 9], [9, 1]]},
        {"label": "cat", "points": 5},
        {"label": "cat", "points": [[1, 1]], "shape_type": "circle"},
        {"label": "cat", "points": [[1, 1], [9, 9]], "shape_type": ["rectangle"]},
        {"label": "cat", "points": [[1, 1], [9, 9]], "shape_type": "spiral"},
        {"label": "cat", "points": [[1, 1], [9, 9]], "shape_type": "mask"},
        {"label": "cat", "points": [[1, 1], [9, 9]], "shape_type": "mask", "mask": "AAAA"},
        {"label": "cat", "points": [[60, 1], [99, 9]], "shape_type": "mask", "mask": 5},
    ],
)
def test_bad_shapes_are_dropped_one_by_one(shape: Any, tmp_path: Path) -> None:
    """Whatever is wrong with a shape, the one beside it stays."""
    labels = read_set(LABELME, one(tmp_path, document(RECTANGLE, shape)))
    assert [a.xyxy for a in by_name(labels)["a.jpg"].annotations] == [BOX]
    assert reasons(labels) == {"label cannot be read"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"shapes": [', "label file cannot be read"),
        ('{"shapes": ' + "[" * 100_000, "label file cannot be read"),
    ],
)
def test_broken_files_are_counted(text: str, why: str, tmp_path: Path) -> None:
    """A file that cannot be read does not stop the others."""
    write_files(tmp_path, {"b.jpg": "", "b.json": document(RECTANGLE, imagePath="b.jpg")})
    labels = read_set(LABELME, one(tmp_path, text))
    assert by_name(labels)["b.jpg"].annotations
    assert reasons(labels) == {why}


def test_empty_unlabelled_flags_and_order(tmp_path: Path) -> None:
    """No shape confirms an empty image, no file says nothing; labels.txt orders the classes; flags are attributes."""
    shape = {**RECTANGLE, "flags": {"blurred": True}, "attributes": {"age": 3}}
    one(tmp_path, document(shape).encode("utf-8-sig"))
    files = {"e.jpg": "", "e.json": document(imagePath="e.jpg"), "u.JPG": "", "labels.txt": "__ignore__\ndog\r\ncat\n"}
    labels = read_set(LABELME, write_files(tmp_path, files))
    assert [(s.source_id, s.labelled, len(s.annotations)) for s in labels.samples] == [
        ("a.jpg", True, 1),
        ("e.jpg", True, 0),
        ("u.JPG", False, 0),
    ]
    assert dict(labels.samples[0].annotations[0].attributes) == {"blurred": True, "age": 3}
    assert [c.name for c in labels.categories] == ["dog", "cat"]


def test_large_image_data_first_is_still_recognised(tmp_path: Path) -> None:
    """Some writers put the image before the shapes."""
    text = '{"imageData": "' + "A" * 100_000 + '", "imagePath": "a.jpg", "shapes": []}'
    detection = LABELME.detect(open_folder(one(tmp_path, text)))
    assert detection is not None
    assert detection.certainty == 80


def test_parts_and_attributes_come_back(tmp_path: Path) -> None:
    """Two objects of two parts each stay two."""
    halves = tuple(Polygon(geometry.rectangle((x, 1, x + 5, 9))) for x in (1, 20))
    pair = Annotation("cat", (1, 1, 25, 9), polygons=halves, attributes={"a": 1})
    other = Annotation("cat", (1, 20, 25, 40), polygons=tuple(Polygon(np.add(p.exterior, (0, 19))) for p in halves))
    exporter = load_registry().exporter("labelme")
    exporter(tmp_path, exporter.options_type(), place_image).write(make_set([make_sample("a.jpg", [pair, other])]))
    found = by_name(read_set(LABELME, tmp_path))["a.jpg"].annotations
    assert [len(a.polygons) for a in found] == [2, 2]
    assert dict(found[0].attributes) == {"a": 1}


def dot(name: str, x: float, y: float, group: int | None = 0, **more: Any) -> dict[str, Any]:
    """A point of a group."""
    return {"label": name, "shape_type": "point", "points": [[x, y]], "group_id": group, **more}


def mask_of(x0: int, y0: int, rows: list[list[int]], group: int | None = 0) -> dict[str, Any]:
    """A mask whose top left pixel is at x0, y0."""
    stream = io.BytesIO()
    PillowImage.fromarray(np.array(rows, dtype=np.uint8) * 255).save(stream, "PNG")
    corners = [[x0, y0], [x0 + len(rows[0]) - 1, y0 + len(rows) - 1]]
    text = base64.b64encode(stream.getvalue()).decode()
    return {"label": "cat", "shape_type": "mask", "points": corners, "mask": text, "group_id": group}


def test_points_of_a_group_are_keypoints_of_its_object(tmp_path: Path) -> None:
    """In one order for the whole set, with what an image lacks as unlabelled; a hidden one is told by its flag."""
    person = {**RECTANGLE, "label": "person", "group_id": 0}
    first = document(person, dot("nose", 30, 20), dot("left_eye", 28, 18, flags={"occluded": True}))
    second = document(person, dot("right_eye", 34, 18), dot("nose", 30, 20), imagePath="b.jpg")
    files: dict[str, str | bytes] = {"a.jpg": "", "a.json": first, "b.jpg": "", "b.json": second}
    labels = read_set(LABELME, write_files(tmp_path, files))
    assert [(c.name, c.keypoints) for c in labels.categories] == [("person", ("nose", "left_eye", "right_eye"))]
    points = [s.annotations[0].keypoints for s in labels.samples]
    assert [p.tolist() for p in points if p is not None] == [
        [[30, 20, 2], [28, 18, 1], [0, 0, 0]],
        [[30, 20, 2], [0, 0, 0], [34, 18, 2]],
    ]
    assert not labels.dropped
    write_files(tmp_path, {"labels.txt": "__ignore__\n_background_\nperson\nright_eye\nleft_eye\nnose\n"})
    assert [c.keypoints for c in read_set(LABELME, tmp_path).categories] == [("right_eye", "left_eye", "nose")]


@pytest.mark.parametrize(
    ("shapes", "kept"),
    [
        ([RECTANGLE, dot("nose", 30, 20)], 1),
        ([RECTANGLE, dot("nose", 30, 20, None)], 1),
        ([{**RECTANGLE, "group_id": 0}, {**RECTANGLE, "label": "dog", "group_id": 0}, dot("nose", 30, 20)], 2),
        ([{**RECTANGLE, "group_id": 0}, dot("nose", 30, 20), dot("nose", 31, 20)], 1),
        ([{**RECTANGLE, "group_id": 0}, {**dot("nose", 1, 1), "points": [[1]]}], 1),
    ],
)
def test_points_of_no_one_object_are_counted(shapes: list[dict[str, Any]], kept: int, tmp_path: Path) -> None:
    """Without a group, of a group without or with several objects, or twice under one name: the objects stay."""
    labels = read_set(LABELME, one(tmp_path, document(*shapes)))
    assert len(by_name(labels)["a.jpg"].annotations) == kept
    assert reasons(labels) <= {"shape has no area", "point belongs to no object"}
    assert len(labels.dropped) == 1


def test_masks_of_a_group_are_one_mask(tmp_path: Path) -> None:
    """Their pixels together, not their boxes; a polygon of the group takes part."""
    parts = [mask_of(2, 3, [[1, 0], [1, 1]]), mask_of(20, 10, [[1, 1]])]
    (annotation,) = by_name(read_set(LABELME, one(tmp_path / "a", document(*parts))))["a.jpg"].annotations
    assert annotation.mask is not None
    assert (geometry.mask_area(annotation.mask), annotation.xyxy) == (5, (2, 3, 22, 11))
    square = {"label": "cat", "points": [[40, 30], [50, 30], [50, 40], [40, 40]], "group_id": 0}
    (annotation,) = by_name(read_set(LABELME, one(tmp_path / "b", document(*parts, square))))["a.jpg"].annotations
    assert annotation.mask is not None
    assert geometry.mask_area(annotation.mask) == 105


def test_shapes_that_are_to_be_ignored_are_no_objects(tmp_path: Path) -> None:
    """`__ignore__` and `_background_` head LabelMe's lists of labels; the image is not lost with them."""
    for name in ("__ignore__", "_background_"):
        labels = read_set(LABELME, one(tmp_path / name, document({**RECTANGLE, "label": name}, RECTANGLE)))
        assert [a.category for a in by_name(labels)["a.jpg"].annotations] == ["cat"]
        assert rules(labels) == {"shape of no class left out"}
        only = read_set(LABELME, one(tmp_path / f"{name}1", document({**RECTANGLE, "label": name})))
        assert by_name(only)["a.jpg"].labelled


def test_keypoints_are_points_in_the_group_of_their_object(tmp_path: Path) -> None:
    """Each labelled point has its name and its object's group; a name that no image shows is kept all the same."""
    rows = np.array([[10.0, 12.0, 2.0], [14.0, 12.0, 1.0], [0.0, 0.0, 0.0]])
    names = ("left eye", "right eye", "nose")
    sample = make_sample("a.jpg", [Annotation("cat", BOX, keypoints=rows), Annotation("dog", BOX)])
    labels = LabelSet((Category("cat", keypoints=names), Category("dog")), (sample,))
    exporter = load_registry().exporter("labelme")
    exporter(tmp_path, exporter.options_type(), place_image).write(labels)
    shapes = json.loads((tmp_path / "train" / "a.json").read_text())["shapes"]
    assert [(s["label"], s["shape_type"], s["group_id"]) for s in shapes] == [
        ("cat", "rectangle", 0),
        ("left eye", "point", 0),
        ("right eye", "point", 0),
        ("dog", "rectangle", None),
    ]
    again = read_set(LABELME, tmp_path)
    assert [c.keypoints for c in again.categories] == [names, ()]
    found = again.samples[0].annotations[0].keypoints
    assert found is not None
    assert found.tolist() == rows.tolist()


@pytest.mark.parametrize(
    ("points", "boxed"),
    [
        ([[24, 12], [40, 12], [40, 36], [24, 36]], True),
        ([[24, 12], [40, 14], [40, 36], [24, 36]], False),
        ([[24, 12], [40, 36], [40, 12], [24, 12]], False),
    ],
)
def test_a_rectangle_of_four_corners_is_a_box(points: list[list[float]], boxed: bool, tmp_path: Path) -> None:
    """X-AnyLabeling writes all four; where they are no upright box, they are an outline."""
    document = {"shapes": [{"label": "cat", "points": points, "shape_type": "rectangle"}], "imagePath": "a.jpg"}
    write_files(tmp_path, {"a.jpg": "", "a.json": json.dumps(document)})
    (annotation,) = read_set(LABELME, tmp_path).samples[0].annotations
    assert (annotation.polygons == ()) is boxed
    assert annotation.xyxy == BOX


def test_flags_are_classes_only_where_nothing_has_a_shape(tmp_path: Path) -> None:
    """LabelMe's own example of classification is flags alone; beside shapes they are notes about the image."""
    flags = {"cat": True, "dog": False, "__ignore__": True}
    alone = read_set(LABELME, one(tmp_path / "1", document(flags=flags)))
    assert [(s.labels, s.tags, s.labelled) for s in alone.samples] == [(("cat",), frozenset(), True)]
    assert [category.name for category in alone.categories] == ["cat"]
    beside = read_set(LABELME, one(tmp_path / "2", document(RECTANGLE, flags={"blurred": True})))
    assert [(s.labels, s.tags, len(s.annotations)) for s in beside.samples] == [((), frozenset({"blurred"}), 1)]
