"""A tree of several sets and formats is read whole, and what nobody reads is named."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from builders import write_files, write_image
from PIL import Image as PillowImage

from amp_datasets.errors import SourceError
from amp_datasets.images.codec import Limits
from amp_datasets.manifest.model import SourceSettings
from amp_datasets.model import LabelSet
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.sources.open import read_source
from amp_datasets.sources.tree import MASKS_BESIDE

REGISTRY = load_registry()
XML = (
    "<annotation><filename>{}</filename><object><name>{}</name><bndbox>"
    "<xmin>4</xmin><ymin>5</ymin><xmax>20</xmax><ymax>30</ymax></bndbox></object></annotation>"
)


def read(path: Path | str) -> tuple[LabelSet, str]:
    """A set, and how it was found."""
    labels, detection = read_source(SourceSettings(path=str(path)), REGISTRY, Limits())
    return labels, detection.reason


def labels_of(labels: LabelSet) -> dict[str, list[str]]:
    """The classes on each labelled image."""
    return {s.source_id: sorted(a.category for a in s.annotations) for s in labels.samples if s.labelled}


def createml(image: str, label: str) -> str:
    """A CreateML file of one image."""
    coordinates = {"x": 20, "y": 20, "width": 10, "height": 12}
    return json.dumps([{"image": image, "annotations": [{"label": label, "coordinates": coordinates}]}])


def half_and_half(folder: Path) -> Path:
    """Four folders that all have an `a.jpg`, two in one format and two in another."""
    for number in range(4):
        write_image(folder / f"set{number}" / "a.jpg")
    files = {f"set{n}/a.xml": XML.format("a.jpg", f"voc{n}") for n in range(2)}
    return write_files(folder, files | {f"set{n}/labels.json": createml("a.jpg", f"apple{n}") for n in (2, 3)})


def test_each_folder_is_read_in_its_own_format(tmp_path: Path) -> None:
    """Every label lies on the image of its own folder, whatever the neighbours' format is."""
    labels, reason = read(half_and_half(tmp_path))
    expected = {"set0/a.jpg": ["voc0"], "set1/a.jpg": ["voc1"], "set2/a.jpg": ["apple2"], "set3/a.jpg": ["apple3"]}
    assert labels_of(labels) == expected
    assert not labels.dropped
    assert all(word in reason for word in ("voc", "createml", "set0"))


def test_a_pattern_names_several_folders(tmp_path: Path) -> None:
    """`*` takes what it matches and nothing else; a pattern that matches nothing is an error."""
    labels, _ = read(half_and_half(tmp_path) / "set[12]")
    assert labels_of(labels) == {"set1/a.jpg": ["voc1"], "set2/a.jpg": ["apple2"]}
    with pytest.raises(SourceError, match="matches nothing"):
        read(tmp_path / "other*")


def test_two_formats_of_one_image_complement_each_other(tmp_path: Path) -> None:
    """The labels of both files are on the image; what both say is there once."""
    write_image(tmp_path / "a.jpg")
    write_files(tmp_path, {"a.xml": XML.format("a.jpg", "cat"), "labels.json": createml("a.jpg", "dog")})
    labels, _ = read(tmp_path)
    assert labels_of(labels) == {"a.jpg": ["cat", "dog"]}


def test_two_formats_that_contradict_set_the_image_aside(tmp_path: Path) -> None:
    """One object with two boxes: nobody knows which, so the image is an error that names both."""
    write_image(tmp_path / "a.jpg")
    write_image(tmp_path / "b.jpg")
    files = {"a.xml": XML.format("a.jpg", "cat"), "b.xml": XML.format("b.jpg", "cat")}
    shifted = createml("a.jpg", "cat").replace('"x": 20', '"x": 11').replace('"width": 10', '"width": 16')
    shifted = shifted.replace('"y": 20', '"y": 19').replace('"height": 12', '"height": 25')
    labels, _ = read(write_files(tmp_path, {**files, "labels.json": shifted}))
    assert labels_of(labels) == {"b.jpg": ["cat"]}
    assert [(d.id, d.reason) for d in labels.dropped] == [("a.jpg", "label files contradict each other")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("b.xml", "<map><point>b.jpg</point></map>"),
        ("b.txt", "hello there"),
        ("list.csv", "picture;what\nb.jpg;a cat\n"),
        ("points.json", '{"pictures": [{"name": "b.jpg", "what": "cat"}]}'),
        ("b.json", "{"),
    ],
)
def test_no_label_file_is_left_in_silence(name: str, text: str, tmp_path: Path) -> None:
    """A file that nobody reads is an error, and the image that it may be about is not called unlabelled."""
    for image in ("a.jpg", "b.jpg"):
        write_image(tmp_path / image)
    write_files(tmp_path, {"a.xml": XML.format("a.jpg", "cat"), name: text})
    labels, _ = read(tmp_path)
    assert labels_of(labels) == {"a.jpg": ["cat"]}
    assert [s.source_id for s in labels.samples] == ["a.jpg"]
    assert (name, "label file is not read") in [(d.id, d.reason) for d in labels.dropped]


def test_what_is_no_label_file_is_left_alone(tmp_path: Path) -> None:
    """READMEs, notes and settings are nobody's labels."""
    write_image(tmp_path / "a.jpg")
    others = {"README.txt": "a.jpg", "info.json": '{"images": 2, "annotations": 1}', "notes.txt": "call Ada"}
    labels, _ = read(write_files(tmp_path, {"a.xml": XML.format("a.jpg", "cat"), **others}))
    assert labels_of(labels) == {"a.jpg": ["cat"]}
    assert not labels.dropped


def test_an_unknown_format_is_named_with_what_was_seen(tmp_path: Path) -> None:
    """The error says which file looks like labels, and what is in it."""
    write_image(tmp_path / "a.jpg")
    write_files(tmp_path, {"a.json": '{"sky": 1}'})
    with pytest.raises(SourceError, match=r"no known label format.*a\.json \(objects with `sky`\)"):
        read(tmp_path)


@pytest.mark.parametrize("inside", ["", "train/"])
def test_archives_in_a_set_of_the_hub_are_read(inside: str, tmp_path: Path) -> None:
    """`data/train.zip` and `data/valid.zip` with images and their COCO file are two splits of one set."""
    for split in ("train", "valid"):
        folder = write_files(
            tmp_path / f"loose/{split}", {f"{split}.jpg": "", "_annotations.coco.json": coco(f"{split}.jpg")}
        )
        (tmp_path / "set/data").mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(tmp_path / f"set/data/{split}.zip", "w") as archive:
            for file in folder.iterdir():
                archive.write(file, f"{inside and split + '/'}{file.name}")
    write_files(tmp_path / "set", {"README.md": "# a set", "set.py": "import datasets"})
    labels, _ = read(tmp_path / "set")
    assert {sample.split: [a.category for a in sample.annotations] for sample in labels.samples} == {
        "train": ["cat"],
        "validation": ["cat"],
    }
    assert not labels.dropped


def test_archives_beside_images_stay_closed(tmp_path: Path) -> None:
    """A copy of a set that lies beside it is not read twice."""
    write_files(tmp_path, {"a.jpg": "", "a.xml": XML.format("a.jpg", "cat")})
    with zipfile.ZipFile(tmp_path / "backup.zip", "w") as archive:
        archive.write(tmp_path / "a.jpg", "a.jpg")
    assert len(read(tmp_path)[0].samples) == 1


def coco(image: str) -> str:
    """A COCO file of one image with one label."""
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [4, 5, 16, 25], "area": 400, "iscrowd": 0}
    images = [{"id": 1, "file_name": image, "width": 64, "height": 48}]
    return json.dumps({"images": images, "annotations": [box], "categories": [{"id": 1, "name": "cat"}]})


def mask_of_a_cat() -> bytes:
    """A mask of 64x48: 1 in the box 4, 6, 20, 30."""
    pixels = np.zeros((48, 64), np.uint8)
    pixels[6:30, 4:20] = 1
    stream = io.BytesIO()
    PillowImage.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def test_masks_beside_other_label_files_are_read_or_counted(tmp_path: Path) -> None:
    """An image that masks alone label is labelled by them; one with an XML too keeps that, and its mask is counted."""
    files = {
        "Annotations/a.xml": XML.format("a.jpg", "dog"),
        **{f"SegmentationClass/{name}.png": mask_of_a_cat() for name in "ab"},
        **{f"JPEGImages/{name}.jpg": "" for name in "abc"},
    }
    labels, reason = read(write_files(tmp_path, files))
    assert labels_of(labels) == {"JPEGImages/a.jpg": ["dog"], "JPEGImages/b.jpg": ["aeroplane"]}
    assert [s.source_id for s in labels.samples if not s.labelled] == ["JPEGImages/c.jpg"]
    assert [(r.rule, r.detail) for r in labels.repairs if r.rule == MASKS_BESIDE] == [
        (MASKS_BESIDE, "1 images, such as JPEGImages/a.jpg")
    ]
    assert "voc" in reason
    assert "masks" in reason


def test_the_law_holds_where_the_format_is_given(tmp_path: Path) -> None:
    """With `format`, too, a label file of another format is named, and its image was not "never labelled"."""
    files = {"a.xml": XML.format("a.jpg", "cat"), "labels.json": createml("b.jpg", "dog")}
    write_files(tmp_path, {**files, "a.jpg": "", "b.jpg": "", "c.jpg": ""})
    labels, _ = read_source(SourceSettings(path=str(tmp_path), format="voc"), REGISTRY, Limits())
    assert labels_of(labels) == {"a.jpg": ["cat"]}
    assert ("labels.json", "label file is not read") in {(d.id, d.reason) for d in labels.dropped}
    assert not [s.source_id for s in labels.samples if not s.labelled]


def test_one_format_for_all_leaves_nothing_to_name(tmp_path: Path) -> None:
    """With `format` and no other label file, images without a label were never labelled."""
    write_files(tmp_path, {"a.xml": XML.format("a.jpg", "cat"), "a.jpg": "", "b.jpg": ""})
    labels, _ = read_source(SourceSettings(path=str(tmp_path), format="voc"), REGISTRY, Limits())
    assert [(s.source_id, s.labelled) for s in labels.samples] == [("a.jpg", True), ("b.jpg", False)]
    assert not labels.dropped


def test_oriented_boxes_beside_a_data_yaml(tmp_path: Path) -> None:
    """Roboflow's YOLO OBB: the rows are DOTA's, the classes and splits those of data.yaml, and nothing is odd."""
    files = {
        "data.yaml": "train: ../train/images\nval: ../valid/images\nnc: 2\nnames: ['dog', 'cat']\n",
        **{f"{split}/images/{split}.jpg": "" for split in ("train", "valid")},
        **{f"{split}/labelTxt/{split}.txt": "0 0 2 0 2 2 0 2 cat 0\n" for split in ("train", "valid")},
    }
    labels, _ = read(write_files(tmp_path, files))
    assert {s.source_id: s.split for s in labels.samples} == {
        "train/images/train.jpg": "train",
        "valid/images/valid.jpg": "validation",
    }
    assert all(a.category == "cat" and a.corners is not None for s in labels.samples for a in s.annotations)
    assert [c.name for c in labels.categories] == ["dog", "cat"]
    assert not labels.dropped
    assert [r.detail for r in labels.repairs] == ["dog"]


def test_an_image_that_is_perhaps_labelled_was_not_never_labelled(tmp_path: Path) -> None:
    """Where a label file may mean either of two images, neither of them is confirmed empty by anybody's option."""
    images = dict.fromkeys(["x/a.jpg", "y/a.jpg", "y/b.jpg"], "")
    labels, _ = read(write_files(tmp_path, {**images, "xml/a.xml": XML.format("a.jpg", "cat")}))
    assert [(s.source_id, s.labelled) for s in labels.samples] == [("y/b.jpg", False)]
    assert {d.id for d in labels.dropped} == {"xml/a.xml", "x/a.jpg", "y/a.jpg"}


def test_two_formats_that_know_both_classes_contradict_over_one_box(tmp_path: Path) -> None:
    """The same box is a cat in one file and a dog in the other, and each file could have said either."""
    files = {"labels/a.txt": "0 0.1875 0.364583 0.25 0.520833\n", "xml/a.xml": XML.format("a.jpg", "dog")}
    labels, _ = read(write_files(tmp_path, {**files, "classes.txt": "cat\ndog\n", "images/a.jpg": ""}))
    assert not labels.samples
    assert {d.reason for d in labels.dropped} == {"label files contradict each other"}


def test_a_png_that_is_labelled_is_no_mask_of_its_twin(tmp_path: Path) -> None:
    """`a.png` with labels of its own beside `a.jpg` is an image."""
    write_files(tmp_path, {"a.jpg": "", "a.png": mask_of_a_cat(), "a.xml": XML.format("a.png", "cat")})
    labels, _ = read(tmp_path)
    assert {s.source_id: s.labelled for s in labels.samples} == {"a.jpg": False, "a.png": True}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("x.json", {"assets": {}, "tags": []}, ("VoTT", "`assets`")),
        ("r.json", [{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}], ("predictions", "score")),
        ("d.json", {"version": "2.0", "item": {"name": "a.jpg"}, "annotations": []}, ("V7 Darwin", "`item`")),
        ("s.manifest", {"source-ref": "s3://x/a.jpg"}, ("SageMaker", "source-ref")),
        ("q.json", {"hello": 1}, ("`hello`",)),
    ],
)
def test_what_is_not_read_is_named_with_the_way_out(
    name: str, content: object, words: tuple[str, ...], tmp_path: Path
) -> None:
    """The error says what was seen, and what to export from the tool that wrote it, with or without images there."""
    for images in ({}, {"a.jpg": ""}):
        write_files(tmp_path, {name: json.dumps(content), **images})
        with pytest.raises(SourceError) as caught:
            read(tmp_path)
        assert all(word in str(caught.value) for word in words)
        assert ("not one image" in str(caught.value)) is not bool(images)


def test_a_split_without_one_label_file_is_said(tmp_path: Path) -> None:
    """Its images are not taken for background, and nobody overlooks that its labels may be lost."""
    files = {"data.yaml": "train: images/train\nval: images/val\nnames: [cat]\n", "images/train/a.jpg": ""}
    labels, _ = read(write_files(tmp_path, {**files, "labels/train/a.txt": "0 .5 .5 .1 .1\n", "images/val/b.jpg": ""}))
    assert [(s.split, s.labelled) for s in labels.samples] == [("train", True), ("validation", False)]
    assert ("validation", "split without one label file") in {(r.id, r.rule) for r in labels.repairs}


def test_an_archive_beside_loose_images_is_named(tmp_path: Path) -> None:
    """What lies in it is not read, and not lost in silence; a zip of what lies there already says nothing."""
    write_files(tmp_path, {"a.jpg": "", "a.xml": XML.format("a.jpg", "cat")})
    for name, member in (("more.zip", "b.jpg"), ("same.zip", "a.jpg")):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr(member, (tmp_path / "a.jpg").read_bytes())
    labels, _ = read(tmp_path)
    assert [(d.id, d.reason) for d in labels.dropped] == [("more.zip", "label file is not read")]


def test_texts_that_two_images_are_called_as_are_named(tmp_path: Path) -> None:
    """A text beside an image and its mask is about one of them: it is no class list, and it is not passed over."""
    mask = np.zeros((48, 64), np.uint8)
    mask[5:20, 5:30] = 3
    PillowImage.fromarray(mask).save(
        write_files(tmp_path, {"RGB/1.png": "", "GT/x.md": "", "GTTXT/1.txt": "8 11 11 3 3"}) / "GT/1.png"
    )
    labels, _ = read(tmp_path)
    assert [(item.id, item.reason) for item in labels.dropped if item.id.endswith(".txt")] == [
        ("GTTXT/1.txt", "label file is not read")
    ]


@pytest.mark.parametrize("label_file", ["yolo", "coco", "voc", "none"])
def test_images_that_cannot_be_decoded_are_not_called_missing(label_file: str, tmp_path: Path) -> None:
    """A HEIC is there: it is said so, once, with how to convert it; the other images go on."""
    write_files(tmp_path, {"b.jpg": "", "a.HEIC": b"\0\0\0\x18ftypheic"})
    entry = {"bbox": [4, 5, 6, 7], "area": 42, "iscrowd": 0, "category_id": 1}
    coco = {
        "images": [
            {"id": n, "file_name": name, "width": 64, "height": 48} for n, name in enumerate(("a.HEIC", "b.jpg"))
        ],
        "annotations": [{"id": n, "image_id": n, **entry} for n in range(2)],
        "categories": [{"id": 1, "name": "cat"}],
    }
    row = "0 .5 .5 .2 .2\n"
    files: dict[str, dict[str, str | bytes]] = {
        "yolo": {"a.txt": row, "b.txt": row},
        "coco": {"all.json": json.dumps(coco)},
        "voc": {"a.xml": XML.format("a.HEIC", "cat"), "b.xml": XML.format("b.jpg", "cat")},
        "none": {"b.xml": XML.format("b.jpg", "cat")},
    }
    labels, _ = read(write_files(tmp_path, files[label_file]))
    assert list(labels_of(labels)) == ["b.jpg"]
    assert {item.reason for item in labels.dropped} == {"image format is not decoded"}
    assert len(labels.dropped) == 1
    assert "convert it to JPEG or PNG" in labels.dropped[0].detail


def test_a_set_of_nothing_but_such_images_says_so(tmp_path: Path) -> None:
    """Not that there is no image."""
    with pytest.raises(SourceError, match=r"a\.heic cannot \(convert it to JPEG or PNG"):
        read(write_files(tmp_path, {"a.heic": b"x", "a.txt": "0 .5 .5 .2 .2\n"}))


def test_a_mask_beside_a_labelled_image_is_no_background(tmp_path: Path) -> None:
    """`a_mask.png` beside `a.jpg` in a YOLO set has no label file, and is no image: it is counted as a mask."""
    mask = np.zeros((48, 64), np.uint8)
    mask[5:20, 5:30] = 1
    PillowImage.fromarray(mask).save(
        write_files(tmp_path, {"a.jpg": "", "c.jpg": "", "a.txt": "0 .5 .5 .2 .2\n"}) / "a_mask.png"
    )
    labels, _ = read(tmp_path)
    assert [(s.source_id, len(s.annotations)) for s in labels.samples] == [("a.jpg", 1), ("c.jpg", 0)]
    assert MASKS_BESIDE in {repair.rule for repair in labels.repairs}
