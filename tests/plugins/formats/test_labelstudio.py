"""Label Studio: percents, turns, keypoints, both kinds of export, uploads' names, and who labelled what."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import by_name, make_sample, make_set, place_image, read_set, reasons, rules, write_files, write_image
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from amp_datasets.geometry import shapes as geometry
from amp_datasets.model import Annotation, Category, LabelSet
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.storage.folder import open_folder

STUDIO = load_registry().source("labelstudio")
PLACE = {"x": 12.5, "y": 25.0, "width": 50.0, "height": 25.0, "rotation": 0}
BOX = (8.0, 12.0, 40.0, 24.0)


def result(kind: str, value: Any, label: str = "cat", **more: Any) -> dict[str, Any]:
    """One result on an image of 64x48."""
    value = {**value, kind: [label]} if isinstance(value, dict) else value
    size = {"original_width": 64, "original_height": 48, "image_rotation": 0}
    return {
        "id": f"r{label}{kind}",
        "type": kind,
        "from_name": "label",
        "to_name": "image",
        **size,
        "value": value,
        **more,
    }


def task(*results: Any, image: str = "/data/upload/1/1a2b3c4d-a.jpg", **more: Any) -> dict[str, Any]:
    """One task with one annotation."""
    annotation = {"id": 10, "completed_by": 1, "result": list(results), "was_cancelled": False, **more}
    return {"id": 1, "data": {"image": image}, "annotations": [annotation], "predictions": []}


def one(folder: Path, *results: Any) -> Path:
    """A set of one image."""
    return write_files(folder, {"images/1a2b3c4d-a.jpg": "", "project-1.json": json.dumps([task(*results)])})


def found(labels: LabelSet) -> list[Annotation]:
    """The labels of the only image."""
    (sample,) = labels.samples
    return list(sample.annotations)


def test_numbers_are_percents(tmp_path: Path) -> None:
    """Of the width and of the height."""
    labels = read_set(STUDIO, one(tmp_path, result("rectanglelabels", PLACE)))
    assert [(a.category, a.xyxy) for a in found(labels)] == [("cat", BOX)]


def test_a_rectangle_turns_about_its_top_left_corner_in_pixels(tmp_path: Path) -> None:
    """These corners are those of the tool's own converter to oriented YOLO boxes, for this rectangle."""
    value = {
        "x": 37.24960306586814,
        "y": 32.64556871057877,
        "width": 31.25,
        "height": 20.833333333333336,
        "rotation": 30,
    }
    corners = [
        (0.3724960306586814, 0.3264556871057877),
        (0.6431289693413185, 0.5347890204391209),
        (0.5650039693413185, 0.7152109795608791),
        (0.2943710306586814, 0.5068776462275458),
    ]
    annotation = found(read_set(STUDIO, one(tmp_path, result("rectanglelabels", value))))[0]
    np.testing.assert_allclose(annotation.corners, np.array(corners) * (64, 48), atol=1e-9)


def test_ellipses_turn_about_their_centre(tmp_path: Path) -> None:
    """Radii are percents too: 25 percent of 64 across, of 48 down."""
    value = {"x": 50, "y": 50, "radiusX": 25, "radiusY": 25, "rotation": 90}
    labels = read_set(STUDIO, one(tmp_path, result("ellipselabels", value)))
    np.testing.assert_allclose(found(labels)[0].xyxy, (32 - 12, 24 - 16, 32 + 12, 24 + 16), atol=1e-9)
    assert "ellipse read as a polygon" in rules(labels)


BRUSH = [0, 0, 0, 80, 57, 27, 254, 23, 0, 183, 255, 108, 2, 63, 252, 54, 0]


def test_brushes_are_decoded_as_the_tools_own_converter_does(tmp_path: Path) -> None:
    """These bytes are what its `mask2rle` makes of row 1, columns 1 to 3, and row 2, column 2, of 5x4 pixels."""
    brush = result("brushlabels", {"format": "rle", "rle": BRUSH}, original_width=5, original_height=4)
    write_files(tmp_path, {"project.json": json.dumps([task(brush, image="a.png")])})
    write_image(tmp_path / "a.png", (5, 4))
    annotation = found(read_set(STUDIO, tmp_path))[0]
    expected = np.zeros((4, 5), dtype=np.bool_)
    expected[1, 1:4] = expected[2, 2] = True
    assert annotation.mask is not None
    np.testing.assert_array_equal(geometry.decode_mask(annotation.mask), expected)
    assert annotation.xyxy == (1, 1, 4, 3)


@given(mask=arrays.arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9)).filter(lambda s: s != (0, 0))))
def test_brushes_survive_a_round_trip(mask: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Any mask with a pixel in it, written and read again."""
    if not mask.any():
        return
    folder = tmp_path_factory.mktemp("brush")
    packed = geometry.encode_mask(mask)
    sample = make_sample("a.png", [Annotation("cat", geometry.mask_box(packed), mask=packed)], size=packed.size)
    exporter = load_registry().exporter("labelstudio")
    exporter(folder, exporter.options_type(), place_image).write(make_set([sample]))
    assert found(read_set(STUDIO, folder))[0].mask == packed


def test_values_that_do_not_repeat_stand_one_by_one(tmp_path: Path) -> None:
    """The tool in the browser writes soft edges so: here one pixel of 1x1 with four values."""
    bits = f"{4:032b}{7:05b}" + "".join(f"{size - 1:04b}" for size in (3, 4, 8, 16)) + f"000{3:03b}"
    bits += "".join(f"{value:08b}" for value in (9, 8, 7, 6))
    rle = [int(bits[at : at + 8].ljust(8, "0"), 2) for at in range(0, len(bits), 8)]
    brush = result("brushlabels", {"format": "rle", "rle": rle}, original_width=1, original_height=1)
    write_files(tmp_path, {"project.json": json.dumps([task(brush, image="a.png")])})
    write_image(tmp_path / "a.png", (1, 1))
    assert found(read_set(STUDIO, tmp_path))[0].xyxy == (0, 0, 1, 1)


def test_keypoints_belong_to_their_parent(tmp_path: Path) -> None:
    """Their labels name them; one without a parent has no area."""
    parent = result("rectanglelabels", PLACE, "person", id="p")
    points = [
        result("keypointlabels", {"x": 25, "y": 50, "width": 0.5}, "nose", parentID="p"),
        result("keypointlabels", {"x": 50, "y": 25, "width": 0.5}, "eye", parentID="p"),
        result("keypointlabels", {"x": 50, "y": 25, "width": 0.5}, "lost"),
    ]
    labels = read_set(STUDIO, one(tmp_path, *points, parent, {"type": "relation", "from_id": "p", "to_id": "x"}))
    assert labels.categories == (Category("person", keypoints=("nose", "eye")),)
    np.testing.assert_array_equal(found(labels)[0].keypoints, [(16, 24, 2), (32, 12, 2)])
    assert found(labels)[0].xyxy == BOX
    assert reasons(labels) == {"shape has no area"}


def test_regions_that_are_told_in_several_results(tmp_path: Path) -> None:
    """A shape and its label, a choice about it, one region with two labels."""
    shape = {**result("rectangle", PLACE), "id": "x", "value": PLACE}
    label = {**result("labels", PLACE, "dog"), "id": "x"}
    both = result("rectanglelabels", {**PLACE, "x": 0}, "cat")
    both["value"]["rectanglelabels"] = ["cat", "dog"]
    labels = read_set(STUDIO, one(tmp_path, shape, label, both))
    assert sorted((a.category, a.xyxy[0]) for a in found(labels)) == [("cat", 0.0), ("dog", 0.0), ("dog", 8.0)]


@pytest.mark.parametrize(
    ("lost", "reason"),
    [
        (result("rectanglelabels", {**PLACE, "width": None}), "label cannot be read"),
        (result("rectanglelabels", {**PLACE, "width": -5}), "label cannot be read"),
        (result("polygonlabels", {"points": [[1, 1], [9, 9]]}), "label cannot be read"),
        (result("brushlabels", {"rle": BRUSH}), "label cannot be read"),
        (result("brushlabels", {"rle": [1, 300]}), "label cannot be read"),
        (result("brushlabels", {"rle": "text"}), "label cannot be read"),
        ({**result("rectanglelabels", PLACE), "value": PLACE}, "label cannot be read"),
        (result("textarea", {"text": ["hi"]}), "kind of label is not read"),
        (5, "kind of label is not read"),
    ],
)
def test_what_cannot_be_a_label_is_counted(lost: Any, reason: str, tmp_path: Path) -> None:
    """One result that is lost leaves the others."""
    labels = read_set(
        STUDIO, one(tmp_path, lost, result("polygonlabels", {"points": [[0, 0], [50, 0], [0, 50]]}, "dog"))
    )
    assert reasons(labels) == {reason}
    assert [annotation.category for annotation in found(labels)] == ["dog"]


def test_uploads_names_are_understood(tmp_path: Path) -> None:
    """Eight digits before the name, underscores for spaces; what is in the set under its upload's name is that."""
    names = ["/data/upload/1/0f0f0f0f-my_cat_1.jpg", "/data/upload/1/1a2b3c4d-b.jpg", "s3://bucket/c.jpg?x=1"]
    names.append("/data/local-files/?d=photos%2Fd%20e.jpg")
    tasks = [task(result("rectanglelabels", PLACE), image=name) for name in names]
    files: dict[str, str | bytes] = dict.fromkeys(("my cat (1).jpg", "1a2b3c4d-b.jpg", "b.jpg", "c.jpg", "d e.jpg"), "")
    labels = read_set(STUDIO, write_files(tmp_path, files | {"p.json": json.dumps(tasks)}))
    labelled = {name for name, sample in by_name(labels).items() if sample.annotations}
    assert labelled == {"my cat (1).jpg", "1a2b3c4d-b.jpg", "c.jpg", "d e.jpg"}
    assert "image found without the prefix of its upload" in rules(labels)
    missing = read_set(STUDIO, write_files(tmp_path / "no", {"other.jpg": "", "p.json": json.dumps(tasks[:1])}))
    assert reasons(missing) == {"image is missing"}


def test_tasks_are_labelled_empty_or_neither(tmp_path: Path) -> None:
    """An annotation without results says that there is nothing; a skipped task and a guess say nothing."""
    tasks = [
        task(image="a.jpg"),
        task(image="b.jpg", was_cancelled=True),
        {"data": {"image": "c.jpg"}, "annotations": []},
    ]
    tasks[2]["predictions"] = [{"result": [result("rectanglelabels", PLACE)]}]
    labels = read_set(STUDIO, write_files(tmp_path, {f"{n}.jpg": "" for n in "abc"} | {"p.json": json.dumps(tasks)}))
    assert {name: sample.labelled for name, sample in by_name(labels).items()} == {
        "a.jpg": True,
        "b.jpg": False,
        "c.jpg": False,
    }
    assert reasons(labels) == {"predictions are not read"}


def test_of_several_annotations_the_truth_or_the_latest_is_read(tmp_path: Path) -> None:
    """And that they differ is said; two that agree are one."""
    document = task(result("rectanglelabels", PLACE, "old"), updated_at="2024-01-02T00:00:00Z")
    other = task(result("rectanglelabels", PLACE, "new"), updated_at="2024-01-03T00:00:00Z", completed_by={"id": 7})
    document["annotations"] += other["annotations"]
    folder = write_files(tmp_path, {"1a2b3c4d-a.jpg": "", "p.json": json.dumps([document])})
    labels = read_set(STUDIO, folder)
    assert found(labels)[0].category == "new"
    assert "several annotations of one image, the latest is read" in rules(labels)
    assert found(read_set(STUDIO, folder, completed_by=1))[0].category == "old"
    document["annotations"][0]["ground_truth"] = True
    write_files(tmp_path, {"p.json": json.dumps([document])})
    assert found(read_set(STUDIO, folder))[0].category == "old"
    document["annotations"] = document["annotations"][:1] * 2
    write_files(tmp_path, {"p.json": json.dumps([document])})
    assert rules(read_set(STUDIO, folder)) == {"image found by the end of its path"}


MINIMAL: list[dict[str, Any]] = [
    {
        "image": f"/data/upload/1/1a2b3c4d-{name}.jpg",
        "id": 1,
        "label": [{**PLACE, "rectanglelabels": ["cat"], "original_width": 64, "original_height": 48}]
        if name == "a"
        else [],
        "annotator": 1,
        "annotation_id": 3 if name != "c" else None,
        "created_at": "2024-01-30T02:40:43.893565Z",
        "updated_at": "2024-01-30T02:40:43.893578Z",
        "lead_time": 8.65,
    }
    for name in "abc"
]


def test_minimal_exports_have_regions_below_the_controls_names(tmp_path: Path) -> None:
    """As the tool's own converter writes them; a record without regions is empty, one without annotation is not."""
    files = {f"1a2b3c4d-{name}.jpg": "" for name in "abc"} | {"result.json": json.dumps(MINIMAL)}
    labels = read_set(STUDIO, write_files(tmp_path, files))
    samples = by_name(labels)
    assert samples["1a2b3c4d-a.jpg"].annotations[0].xyxy == BOX
    assert (samples["1a2b3c4d-b.jpg"].labelled, samples["1a2b3c4d-c.jpg"].labelled) == (True, False)
    assert STUDIO.detect(open_folder(tmp_path)) is not None
    nothing = read_set(STUDIO, write_files(tmp_path, {"result.json": json.dumps(MINIMAL[1:2])}))
    assert reasons(nothing) == {"entry has no image or no list of annotations"}


def test_a_storage_has_a_file_an_annotation(tmp_path: Path) -> None:
    """With its task inside."""
    entry = {
        "id": 5,
        "result": [result("rectanglelabels", PLACE)],
        "task": {"id": 1, "data": {"image": "s3://b/a.jpg"}},
    }
    labels = read_set(STUDIO, write_files(tmp_path, {"a.jpg": "", "5.json": json.dumps(entry)}))
    assert found(labels)[0].xyxy == BOX
    assert STUDIO.detect(open_folder(tmp_path)) is not None


def test_sets_of_choices_alone_are_of_whole_images(tmp_path: Path) -> None:
    """Classification: no image of it is an empty one."""
    choice = {"id": "c", "type": "choices", "from_name": "c", "to_name": "image", "value": {"choices": ["sunny"]}}
    labels = read_set(STUDIO, one(tmp_path, choice))
    assert [sample.labels for sample in labels.samples] == [("sunny",)]
    assert [category.name for category in labels.categories] == ["sunny"]


def test_choices_beside_objects_are_words_of_the_image(tmp_path: Path) -> None:
    """They are no classes, and `filter_tag` asks for them."""
    choice = {"id": "c", "type": "choices", "from_name": "c", "to_name": "image", "value": {"choices": ["sunny"]}}
    labels = read_set(STUDIO, one(tmp_path, choice, result("rectanglelabels", PLACE)))
    (sample,) = labels.samples
    assert (sample.tags, sample.labels, reasons(labels)) == (frozenset({"sunny"}), (), set())


def test_labels_of_a_turned_photo_refer_to_what_is_shown(tmp_path: Path) -> None:
    """The stated size is that of the upright image."""
    write_image(tmp_path / "1a2b3c4d-a.jpg", (48, 64), orientation=6)
    labels = read_set(STUDIO, write_files(tmp_path, {"p.json": json.dumps([task(result("rectanglelabels", PLACE))])}))
    assert found(labels)[0].xyxy == BOX


@pytest.mark.parametrize("turn_deg", [90, 180, 270])
@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("rectanglelabels", PLACE),
        ("rectanglelabels", {**PLACE, "rotation": 30}),
        ("polygonlabels", {"points": [[10, 10], [60, 20], [30, 70]]}),
        ("ellipselabels", {"x": 50, "y": 50, "radiusX": 10, "radiusY": 20, "rotation": 15}),
    ],
)
def test_a_view_that_was_turned_in_the_tool_moves_no_label(
    kind: str, value: dict[str, Any], turn_deg: int, tmp_path: Path
) -> None:
    """`image_rotation` says how the image was shown; numbers are of the image as it is stored, whose size is stated."""
    plain, turned = (
        read_set(STUDIO, one(tmp_path / str(turn), result(kind, value, image_rotation=turn))) for turn in (0, turn_deg)
    )
    assert [a.xyxy for a in found(turned)] == [a.xyxy for a in found(plain)]
    assert len(found(turned)) == 1
    assert not turned.dropped


def test_a_turn_beside_the_value_is_one(tmp_path: Path) -> None:
    """Some programs write `rotation` of a region outside its value."""
    place = {key: value for key, value in PLACE.items() if key != "rotation"}
    beside = read_set(STUDIO, one(tmp_path / "1", result("rectanglelabels", place, rotation=30)))
    inside = read_set(STUDIO, one(tmp_path / "2", result("rectanglelabels", {**PLACE, "rotation": 30})))
    assert [a.xyxy for a in found(beside)] == [a.xyxy for a in found(inside)]
    assert found(beside)[0].corners is not None


def test_the_sides_of_the_turned_view_contradict_the_image(tmp_path: Path) -> None:
    """A file that states the size of the view was written by another program, whose frame nobody knows."""
    swapped = {"original_width": 48, "original_height": 64}
    labels = read_set(STUDIO, one(tmp_path, result("rectanglelabels", PLACE, image_rotation=90, **swapped)))
    assert not labels.samples
    assert reasons(labels) == {"label file contradicts the image's size"}


def test_detection_is_by_the_keys_of_tasks(tmp_path: Path) -> None:
    """Not by their words at other places."""
    folder = write_files(
        tmp_path,
        {"a.json": json.dumps([{"image": "a.jpg", "annotations": [{"data": 1}]}]), "b.json": json.dumps({"data": [1]})},
    )
    assert STUDIO.detect(open_folder(folder)) is None
