"""Folders of masks: which image a mask is of, what its numbers mean, and what is written for other tools."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import (
    best_source,
    by_name,
    image_bytes,
    make_sample,
    make_set,
    place_image,
    read_set,
    reasons,
    rules,
    write_files,
    write_image,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as PillowImage

from amp_datasets.errors import SourceError
from amp_datasets.geometry import shapes as geometry
from amp_datasets.model import Annotation, Box, LabelSet
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.storage.folder import open_folder

REGISTRY = load_registry()
MASKS = REGISTRY.source("masks")
CAT, DOG = (4.0, 6.0, 20.0, 30.0), (30.0, 10.0, 50.0, 40.0)
Files = Mapping[str, str | bytes]


def mask(
    *regions: tuple[Box, Any], palette: bool = False, kind: str = "PNG", size: tuple[int, int] = (64, 48)
) -> bytes:
    """A mask in which boxes have numbers, or colours."""
    colour = any(isinstance(value, tuple) for _, value in regions)
    deep = not colour and any(value > 255 for _, value in regions)
    pixels = np.zeros((size[1], size[0], 3) if colour else (size[1], size[0]), np.uint16 if deep else np.uint8)
    for (x0, y0, x1, y1), value in regions:
        pixels[int(y0) : int(y1), int(x0) : int(x1)] = value
    image = PillowImage.fromarray(pixels)
    if palette:
        image.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0, 0, 0, 128])
    stream = io.BytesIO()
    image.save(stream, kind)
    return stream.getvalue()


def labels_of(folder: Path, **options: Any) -> dict[str, list[tuple[str, Box]]]:
    """Classes and boxes of each image by its path."""
    return {
        s.source_id: [(a.category, a.xyxy) for a in s.annotations] for s in read_set(MASKS, folder, **options).samples
    }


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("images/a.jpg", "masks/a.png"),
        ("images/train/a.jpg", "masks/train/a.png"),
        ("train/images/a.jpg", "train/masks/a_mask.png"),
        ("train/a.jpg", "train_masks/a_mask.gif"),
        ("train/a.png", "trainannot/a.png"),
        ("a.jpg", "a_mask.png"),
        ("benign (1).png", "benign (1)_mask.png"),
        ("a.jpg", "a.png"),
        ("JPEGImages/a.jpg", "SegmentationClass/a.png"),
        ("PNGImages/a.png", "PedMasks/a_mask.png"),
        ("images/training/a.jpg", "annotations/training/a.png"),
        ("imgs/a.jpg", "labels/a.png"),
        ("imgs/a.png", "imgs/a_L.png"),
    ],
)
def test_masks_are_found_where_people_put_them(image: str, name: str, tmp_path: Path) -> None:
    """Mirrored folders, endings, twins: the mask is none of the set's images, and the set is recognised."""
    data = mask((CAT, 255), kind="GIF" if name.endswith(".gif") else "PNG")
    found = best_source(REGISTRY, write_files(tmp_path, {image: "", name: data}))
    assert found is not None
    assert found[0] == "masks"
    assert labels_of(tmp_path) == {image: [("object", CAT)]}
    assert read_set(MASKS, tmp_path).samples[0].split == ("train" if "train" in image or "train" in name else None)


def test_names_repeat_in_splits(tmp_path: Path) -> None:
    """Each mask is of the image in its own split; one whose image is elsewhere is missing, not misplaced."""
    files = {
        **{f"{split}/images/0.jpg": "" for split in ("train", "val")},
        "train/masks/0.png": mask((CAT, 1)),
        "val/masks/0.png": mask((DOG, 1)),
        "val/masks/9.png": mask((DOG, 1)),
    }
    assert labels_of(write_files(tmp_path, files)) == {
        "train/images/0.jpg": [("object", CAT)],
        "val/images/0.jpg": [("object", DOG)],
    }
    assert reasons(read_set(MASKS, tmp_path)) == {"image is missing"}


@pytest.mark.parametrize(
    "files",
    [
        {"images/a.jpg": "", "images/b.jpg": ""},
        {"masks/a.jpg": "", "masks/b.jpg": ""},
        {"a.jpg": "", "b.png": ""},
        {"images/a.jpg": "", "labels/b.png": ""},
    ],
)
def test_images_alone_are_not_claimed(files: Files, tmp_path: Path) -> None:
    """Nothing there is a mask of anything."""
    assert MASKS.detect(open_folder(write_files(tmp_path, files))) is None


def test_photographs_are_no_masks(tmp_path: Path) -> None:
    """A photograph as JPEG and as PNG are two images, in gray too."""
    noise = np.random.default_rng(0).integers(0, 255, (48, 64), dtype=np.uint8)
    stream = io.BytesIO()
    PillowImage.fromarray(noise).save(stream, "PNG")
    files = write_files(tmp_path, {"a.jpg": "", "a.png": stream.getvalue()})
    assert MASKS.detect(open_folder(files)) is None


@pytest.mark.parametrize(
    ("lists", "values"),
    [
        ({"classes.txt": "background\ncat\ndog\n"}, (1, 2)),
        ({"class_names.txt": "__ignore__\n_background_\ncat\ndog\n"}, (1, 2)),
        ({"labels.txt": "cat\ndog\n"}, (1, 2)),
        ({"masks/_classes.csv": "Pixel Value, Class\n0, background\n7, cat\n3, dog\n"}, (7, 3)),
        ({"labelmap.txt": "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncat:9,0,0::\ndog:0,9,1::\n"},
         ((9, 0, 0), (0, 9, 1))),
        ({"class_dict.csv": "name,r,g,b\ncat,9,0,0\ndog,0,9,1\nvoid,0,0,0\n"}, ((9, 0, 0), (0, 9, 1))),
        ({"label_colors.txt": "0 0 0 background\n9 0 0 cat\n0 9 1 dog\n"}, ((9, 0, 0), (0, 9, 1))),
        ({"label_colors.txt": "0 0 0 background\n9 0 0 cat\n0 9 1 dog\n"}, (1, 2)),
        ({"dataset_meta.json": json.dumps({"label_map": {"0": "background", "1": "cat", "2": "dog"}})}, (1, 2)),
    ],
)  # fmt: skip
def test_lists_name_numbers_and_colours(lists: Files, values: tuple[Any, Any], tmp_path: Path) -> None:
    """The lists of CVAT, labelme, Datumaro, Roboflow and CamVid, each by its own form."""
    data = mask((CAT, values[0]), (DOG, values[1]))
    write_files(tmp_path, {"images/a.jpg": "", "masks/a.png": data, **lists})
    labels = read_set(MASKS, tmp_path)
    assert sorted((a.category, a.xyxy) for a in labels.samples[0].annotations) == [("cat", CAT), ("dog", DOG)]
    assert not labels.dropped


def test_a_palette_is_named_by_its_colours_or_places(tmp_path: Path) -> None:
    """The same PNG with a list of colours, and with one of numbers."""
    data = mask((CAT, 1), (DOG, 2), palette=True)
    for number, text in enumerate(("cat:128,0,0::\ndog:0,128,0::\n", "background:::\ncat:::\ndog:::\n")):
        folder = write_files(tmp_path / str(number), {"images/a.jpg": "", "masks/a.png": data, "labelmap.txt": text})
        assert sorted(labels_of(folder)["images/a.jpg"]) == [("cat", CAT), ("dog", DOG)]


def test_numbers_without_names_are_said(tmp_path: Path) -> None:
    """Several numbers are classes by number; VOC's folder has VOC's classes; 255 beside others is void."""
    data = mask((CAT, 8), (DOG, 12), ((60.0, 0.0, 64.0, 4.0), 255))
    plain = write_files(tmp_path / "plain", {"images/a.jpg": "", "masks/a.png": data})
    assert sorted(labels_of(plain)["images/a.jpg"]) == [("class_12", DOG), ("class_8", CAT)]
    assert rules(read_set(MASKS, plain)) >= {
        "classes without names are called by their number",
        "pixels marked as void left out",
    }
    voc = write_files(tmp_path / "voc", {"JPEGImages/a.jpg": "", "SegmentationClass/a.png": data})
    assert sorted(labels_of(voc)["JPEGImages/a.jpg"]) == [("cat", CAT), ("dog", DOG)]


@pytest.mark.parametrize(
    ("second", "names"), [((64, 128, 0), ["cat", "cow"]), ((1, 2, 3), ["colour_010203", "colour_400000"])]
)
def test_colours_of_voc_are_its_classes(second: tuple[int, int, int], names: list[str], tmp_path: Path) -> None:
    """Its devkit's colour map, where the masks are stored as colours; none of them if one colour is not in it."""
    void = ((60.0, 0.0, 64.0, 4.0), (224, 224, 192))
    regions = [(CAT, (64, 0, 0)), (DOG, second)] + ([void] if names[0] == "cat" else [])
    folder = write_files(tmp_path, {"JPEGImages/a.jpg": "", "SegmentationClass/a.png": mask(*regions)})
    assert sorted(name for name, _ in labels_of(folder)["JPEGImages/a.jpg"]) == names
    assert ("pixels marked as void left out" in rules(read_set(MASKS, folder))) is (names[0] == "cat")


def test_numbers_that_no_list_has_are_counted(tmp_path: Path) -> None:
    """The regions beside stay."""
    files = {"images/a.jpg": "", "masks/a.png": mask((CAT, 1), (DOG, 9)), "classes.txt": "background\ncat\n"}
    labels = read_set(MASKS, write_files(tmp_path, files))
    assert [a.category for a in labels.samples[0].annotations] == ["cat"]
    assert reasons(labels) == {"number of a mask is no class"}


def test_background_alone_is_an_empty_image(tmp_path: Path) -> None:
    """And an image without a mask was never labelled."""
    files = {
        "images/a.jpg": "",
        "images/b.jpg": "",
        "images/c.jpg": "",
        "masks/a.png": mask(),
        "masks/c.png": mask((CAT, 1)),
    }
    states = [(s.labelled, len(s.annotations)) for s in read_set(MASKS, write_files(tmp_path, files)).samples]
    assert states == [(True, 0), (False, 0), (True, 1)]


def test_a_class_is_one_label_or_each_of_its_parts(tmp_path: Path) -> None:
    """Masks of classes do not tell objects apart; `parts` says that they never touch."""
    write_files(tmp_path, {"images/a.jpg": "", "masks/a.png": mask((CAT, 1), (DOG, 1))})
    assert labels_of(tmp_path) == {"images/a.jpg": [("object", (4.0, 6.0, 50.0, 40.0))]}
    assert labels_of(tmp_path, parts=True, category="cat") == {"images/a.jpg": [("cat", CAT), ("cat", DOG)]}


def test_masks_of_objects_take_their_classes_from_masks_of_classes(tmp_path: Path) -> None:
    """Pascal VOC: two objects of one class are two labels; the splits are those of its lists."""
    files: Files = {
        "JPEGImages/a.jpg": "",
        "JPEGImages/b.jpg": "",
        "SegmentationClass/a.png": mask((CAT, 2), (DOG, 2), ((0.0, 0.0, 3.0, 3.0), 1), palette=True),
        "SegmentationObject/a.png": mask((CAT, 1), (DOG, 2), ((0.0, 0.0, 3.0, 3.0), 3), palette=True),
        "labelmap.txt": "background:0,0,0::\ndog:128,0,0::\ncat:0,128,0::\n",
        "ImageSets/Segmentation/val.txt": "a\nb\n",
    }
    labels = read_set(MASKS, write_files(tmp_path, files))
    first = labels.samples[0]
    assert [(a.category, a.xyxy) for a in first.annotations] == [
        ("cat", CAT),
        ("cat", DOG),
        ("dog", (0.0, 0.0, 3.0, 3.0)),
    ]
    assert (first.split, [c.name for c in labels.categories]) == ("validation", ["dog", "cat"])


def test_one_mask_for_each_object(tmp_path: Path) -> None:
    """A folder for each image, as of the 2018 Data Science Bowl; or numbers at the ends of names."""
    bowl = {"x1/images/x1.png": "", "x1/masks/p.png": mask((CAT, 255)), "x1/masks/q.png": mask((DOG, 255))}
    assert labels_of(write_files(tmp_path / "bowl", bowl)) == {"x1/images/x1.png": [("object", CAT), ("object", DOG)]}
    ends = {"a.png": "", "a_mask.png": mask((CAT, 255)), "a_mask_1.png": mask((DOG, 255))}
    assert labels_of(write_files(tmp_path / "ends", ends)) == {"a.png": [("object", CAT), ("object", DOG)]}


def test_a_folder_of_masks_for_each_class(tmp_path: Path) -> None:
    """The folder is the class, unless images have such folders too."""
    files = {"images/a.jpg": "", "masks/cat/a.png": mask((CAT, 255)), "masks/dog/a.png": mask((DOG, 255))}
    assert labels_of(write_files(tmp_path / "a", files)) == {"images/a.jpg": [("cat", CAT), ("dog", DOG)]}
    files = {"images/cam7/a.jpg": "", "masks/cam7/a.png": mask((CAT, 255))}
    assert labels_of(write_files(tmp_path / "b", files)) == {"images/cam7/a.jpg": [("object", CAT)]}


def test_numbers_of_objects_are_told(tmp_path: Path) -> None:
    """Penn-Fudan numbers its people; 16 bits are more than 255 of them."""
    files = {"images/a.jpg": "", "masks/a.png": mask((CAT, 1), (DOG, 300))}
    labels = labels_of(write_files(tmp_path, files), pixels="objects", category="person")
    assert labels == {"images/a.jpg": [("person", CAT), ("person", DOG)]}


def test_objects_whose_class_nobody_says_are_counted(tmp_path: Path) -> None:
    """KITTI and MOTS put the class into the number: without a name for it none is guessed, the loss is said.

    Whoever names the class by the option has settled it.
    """
    files = {"images/a.png": "", "instances/a.png": mask((CAT, 26 * 256 + 1), (DOG, 24 * 256 + 1))}
    folder = write_files(tmp_path, files)
    assert sorted(labels_of(folder)["images/a.png"]) == [("object", CAT), ("object", DOG)]
    said = "labels without a category read as one class"
    assert [r.detail for r in read_set(MASKS, folder).repairs if r.rule == said] == ["2 times"]
    assert said not in rules(read_set(MASKS, folder, category="car"))


def test_soft_edges_are_cut_at_half(tmp_path: Path) -> None:
    """A mask that was saved as JPEG: nothing but black and white was meant."""
    big = (8.0, 8.0, 48.0, 40.0)
    files = {"images/a.jpg": "", "masks/a.jpg": mask((big, 255), kind="JPEG")}
    labels = read_set(MASKS, write_files(tmp_path, files))
    ((annotation,),) = [s.annotations for s in labels.samples]
    assert np.abs(np.subtract(annotation.xyxy, big)).max() <= 1


def test_a_mask_of_another_size_is_no_label(tmp_path: Path) -> None:
    """Nobody knows how it was scaled; one that is upright while its image is stored turned is turned with it."""
    files = {"images/a.jpg": "", "masks/a.png": mask((CAT, 1), size=(32, 24))}
    assert reasons(read_set(MASKS, write_files(tmp_path / "a", files))) == {"label file contradicts the image's size"}
    turned: Files = {"images/a.jpg": image_bytes((64, 48), orientation=6), "masks/a.png": mask((CAT, 1), size=(48, 64))}
    assert labels_of(write_files(tmp_path / "b", turned)) == {"images/a.jpg": [("object", CAT)]}


@pytest.mark.parametrize("data", [b"", b"no image", mask((CAT, 1))[:60]])
def test_masks_that_cannot_be_read_drop_their_image(data: bytes, tmp_path: Path) -> None:
    """The others stay."""
    files = {"images/a.jpg": "", "images/b.jpg": "", "masks/a.png": mask((CAT, 1)), "masks/b.png": data}
    labels = read_set(MASKS, write_files(tmp_path, files))
    assert [s.source_id for s in labels.samples] == ["images/a.jpg"]
    assert reasons(labels) == {"label file cannot be read"}


def test_a_class_that_is_none_is_refused(tmp_path: Path) -> None:
    """The option would name every label so."""
    with pytest.raises(SourceError, match="category"):
        read_set(MASKS, write_files(tmp_path, {"a.jpg": "", "a_mask.png": mask((CAT, 1))}), category=" ")


@st.composite
def apart(draw: st.DrawFn) -> LabelSet:
    """Images whose objects lie in cells of a grid, so that none covers another."""
    samples = []
    for number in range(draw(st.integers(1, 3))):
        cells = draw(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=5, unique=True))
        labels = []
        for column, row in cells:
            pixels = np.zeros((48, 64), np.bool_)
            inner = draw(st.integers(0, 2**16 - 1).filter(bool))
            bits = np.array([inner >> bit & 1 for bit in range(16)], np.bool_).reshape(4, 4)
            pixels[row * 16 + 2 : row * 16 + 6, column * 16 + 3 : column * 16 + 7] = bits
            packed = geometry.encode_mask(pixels)
            labels.append(Annotation(draw(st.sampled_from(["cat", "dog"])), geometry.mask_box(packed), mask=packed))
        split = draw(st.sampled_from(["train", "validation", "test"]))
        samples.append(make_sample(f"{number}.jpg", labels, split=split))
    return make_set(samples, ["cat", "dog"])


@settings(max_examples=40)
@given(labels=apart())
def test_objects_that_are_apart_come_back_exactly(labels: LabelSet, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Written as Pascal VOC and read again: each object's pixels, its class and its image's split."""
    folder = tmp_path_factory.mktemp("voc")
    exporter = REGISTRY.exporter("masks-voc")
    exporter(folder, exporter.options_type(), place_image).write(labels)
    read = by_name(read_set(MASKS, folder))
    for sample in labels.samples:
        again = read[sample.source_id]
        expected = {(a.category, a.mask) for a in sample.annotations}
        assert {(a.category, a.mask) for a in again.annotations} == expected
        assert (again.split, len(again.annotations)) == (sample.split, len(sample.annotations))


def test_masks_of_classes_come_back_as_pixels_of_classes(tmp_path: Path) -> None:
    """Two folders, classes.txt; the small object lies over the large one, and what is covered is counted."""
    labels = [Annotation("cat", CAT), Annotation("dog", (8.0, 10.0, 12.0, 14.0)), Annotation("dog", CAT)]
    exporter = REGISTRY.exporter("masks")(tmp_path, REGISTRY.exporter("masks").options_type(), place_image)
    data = make_set([make_sample("a.jpg", labels), make_sample("b.jpg")], ["cat", "dog"])
    exporter.write(data)
    pixels = np.asarray(PillowImage.open(tmp_path / "masks/train/a.png"))
    assert (pixels[12, 10], pixels[7, 5], pixels[0, 0]) == (2, 2, 0)
    assert exporter.losses(data.samples)["object covered by others"] == 2
    assert (tmp_path / "classes.txt").read_text() == "background\ncat\ndog\n"
    read = by_name(read_set(MASKS, tmp_path))
    assert [a.category for a in read["a.jpg"].annotations] == ["dog"]
    assert (read["b.jpg"].labelled, read["b.jpg"].annotations) == (True, ())


def test_what_labelme_exports_of_each_file(tmp_path: Path) -> None:
    """`labelme_export_json` makes a folder with img.png, label.png, label_viz.png and label_names.txt."""
    names = "_background_\ncat\n"
    files = {"x/img.png": "", "x/label.png": mask((CAT, 1)), "x/label_viz.png": "", "x/label_names.txt": names}
    assert labels_of(write_files(tmp_path, files)) == {"x/img.png": [("cat", CAT)]}
    assert len(read_set(MASKS, tmp_path).samples) == 1


def test_masks_and_images_may_begin_with_what_they_are(tmp_path: Path) -> None:
    """`masks/gt_1.png` is of `images/image_1.png`, and of no other."""
    files = {"images/image_1.png": "", "images/image_2.png": "", "masks/gt_1.png": mask((CAT, 1))}
    labels = read_set(MASKS, write_files(tmp_path, files))
    assert {s.source_id: len(s.annotations) for s in labels.samples if s.labelled} == {"images/image_1.png": 1}


def test_a_mask_of_few_pixels_is_one(tmp_path: Path) -> None:
    """In very small images no two neighbours need be alike."""
    pixels = np.array([[1, 2, 0, 2, 1]], np.uint8)
    stream = io.BytesIO()
    PillowImage.fromarray(pixels).save(stream, "PNG")
    write_files(tmp_path, {"masks/a.png": stream.getvalue()})
    write_image(tmp_path / "images/a.png", (5, 1))
    found = best_source(REGISTRY, tmp_path)
    assert found is not None
    assert found[0] == "masks"


def test_a_class_that_the_list_cannot_say_is_counted(tmp_path: Path) -> None:
    """labelmap.txt separates by colons, so `a:b` becomes `a-b` in it."""
    labels = make_set([make_sample("a.jpg", [Annotation("a:b", CAT), Annotation("c", DOG)])])
    exporter = REGISTRY.exporter("masks-voc")
    writer = exporter(tmp_path, exporter.options_type(), place_image)
    writer.write(labels)
    assert writer.losses(labels.samples) == {"class name": 1}
    assert {c.name for c in read_set(MASKS, tmp_path).categories} == {"a-b", "c"}


def test_ade20k_is_not_taken_for_masks_of_colours(tmp_path: Path) -> None:
    """Its colours are codes of class and object, which its own tables explain."""
    files = {"1.jpg": "", "1_seg.png": mask((CAT, (10, 0, 1))), "1_parts_1.png": mask((CAT, (10, 0, 1)))}
    assert MASKS.detect(open_folder(write_files(tmp_path, files))) is None


def test_places_in_a_list_with_void_are_numbers_from_zero(tmp_path: Path) -> None:
    """CamVid's `codes.txt`: Void stands at a place of its own, so that 0 is the first class, and nothing is background.

    Its masks are called as the images with `_P`, in a folder `labels`.
    """
    pixels = mask(((0, 0, 64, 48), 1), (CAT, 0), (DOG, 2))
    names = {
        "images/a.png": image_bytes(kind="PNG"),
        "labels/a_P.png": pixels,
        "codes.txt": "Animal\nRoad\nVoid\nWall\n",
    }
    folder = write_files(tmp_path, names)
    assert labels_of(folder) == {"images/a.png": [("Animal", CAT), ("Road", (0.0, 0.0, 64.0, 48.0))]}


@pytest.mark.parametrize(
    ("files", "numbers", "names"),
    [
        (("train/images/a.png", "train/instances/a.png"), (1001, 2003), ("car", "pedestrian")),
        (("training/image_2/a.png", "training/instance/a.png"), (26 * 256 + 1, 24 * 256 + 2), ("car", "person")),
    ],
)
def test_numbers_of_objects_hold_their_class(
    files: tuple[str, str], numbers: tuple[int, int], names: tuple[str, str], tmp_path: Path
) -> None:
    """1000 or 256 times the class, and the object: MOTS names classes by its list, KITTI by Cityscapes'."""
    image, masks = files
    listed = (
        {f"{masks.rpartition('/')[0]}/labels.txt": "car\npedestrian\n"} if "car" in names and numbers[0] < 2000 else {}
    )
    pixels = mask((CAT, numbers[0]), (DOG, numbers[1]), ((0, 0, 3, 3), 10_000 if listed else 0))
    folder = write_files(tmp_path, {image: image_bytes(kind="PNG"), masks: pixels, **listed})
    assert sorted(labels_of(folder)[image]) == sorted([(names[0], CAT), (names[1], DOG)])


@pytest.mark.parametrize("numbers", [(1, 2), (1, 300), (256, 1000), (1001, 5700), (769, 1281)])
def test_numbers_that_hold_no_class_for_certain_are_objects(numbers: tuple[int, int], tmp_path: Path) -> None:
    """Counted objects, and numbers that neither way explains."""
    pixels = mask((CAT, numbers[0]), (DOG, numbers[1]))
    folder = write_files(tmp_path, {"images/a.png": image_bytes(kind="PNG"), "instances/a.png": pixels})
    assert labels_of(folder) == {"images/a.png": [("object", CAT), ("object", DOG)]}


@pytest.mark.parametrize("number", [1, 255])
def test_masks_without_any_name_say_that_their_class_is_made_up(number: int, tmp_path: Path) -> None:
    """Black and white, and no list: the class is `object`, and nobody has said so, unless it is chosen."""
    files = {"images/a.png": image_bytes(kind="PNG"), "masks/a.png": mask((CAT, number))}
    folder = write_files(tmp_path, files)
    assert labels_of(folder) == {"images/a.png": [("object", CAT)]}
    said = "labels without a category read as one class"
    assert said in rules(read_set(MASKS, folder))
    assert said not in rules(read_set(MASKS, folder, category="car"))
