"""Classification sets: which folders are classes, tables of classes, rows, and what is written for trainers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from builders import best_source, by_name, make_sample, make_set, place_image, read_set, reasons, write_files
from datasets import ClassLabel, load_dataset

from amp_datasets.errors import SourceError
from amp_datasets.exchange.conversion import export
from amp_datasets.model import Annotation, LabelSet
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.storage.folder import open_folder

REGISTRY = load_registry()
FOLDERS = REGISTRY.source("imagefolder")


def labels_of(labels: LabelSet) -> dict[str, tuple[str, ...]]:
    """The labels of each image by its path."""
    return {sample.source_id: sample.labels for sample in labels.samples}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["cat/a.jpg", "dog/a.jpg"], [(None, "cat"), (None, "dog")]),
        (["train/cat/a.jpg", "val/dog/b.jpg"], [("train", "cat"), ("validation", "dog")]),
        (["pets/train/cat/a.jpg", "pets/test/dog/b.jpg"], [("train", "cat"), ("test", "dog")]),
        (["pets/cat/old/a.jpg", "pets/dog/b.jpg"], [(None, "cat"), (None, "dog")]),
        (["train/cat/a.jpg", "train/dog/b.jpg", "test/c.jpg"], [("train", "cat"), ("train", "dog"), ("test", None)]),
        (
            ["cat/a.jpg", "dog/b.jpg", "dog/c.jpg", "d.jpg"],
            [(None, "cat"), (None, "dog"), (None, "dog"), (None, None)],
        ),
        (
            ["pets/train/cat/a.jpg", "pets/val/dog/b.jpg", "pets/val/cat/c.jpg", "pets/d.jpg"],
            [("train", "cat"), ("validation", "dog"), ("validation", "cat"), (None, None)],
        ),
    ],
)
def test_folders_are_classes_below_the_splits(
    names: list[str], expected: list[tuple[str | None, str | None]], tmp_path: Path
) -> None:
    """Splits are found wherever all images have one above them; images in no class's folder are unlabelled."""
    write_files(tmp_path, dict.fromkeys(names, ""))
    found = best_source(REGISTRY, tmp_path)
    assert found is not None
    assert found[0] == "imagefolder"
    samples = {sample.source_id: sample for sample in read_set(FOLDERS, tmp_path).samples}
    assert [(samples[n].split, *samples[n].labels) for n in names] == [(s, *([c] if c else [])) for s, c in expected]
    assert [samples[n].labelled for n in names] == [c is not None for _, c in expected]


@pytest.mark.parametrize(
    "names",
    [
        ["cat/a.jpg", "dog/a.jpg", "dog/a.txt"],
        ["cat/a.jpg", "dog/a.jpg", "annotations.json"],
        ["train/cat/a.jpg", "train/dog/a.jpg", "train/dog/a.xml"],
        ["images/a.jpg", "masks/a.png"],
        ["JPEGImages/a.jpg", "SegmentationClass/a.png"],
        ["train/images/a.jpg", "val/images/a.jpg"],
        ["cam1/a.jpg", "cam2/a.jpg"],
        ["benign/a.png", "benign/a_mask.png", "malignant/b.png"],
        ["train/a.jpg", "val/b.jpg"],
        ["cat/a.jpg", "dog/b.jpg", "c.jpg"],
        ["cat/a.jpg", "dog/b.jpg", "c.jpg", "d.jpg", "e.jpg"],
        ["cat/a.jpg"],
    ],
)
def test_other_trees_are_not_claimed(names: list[str], tmp_path: Path) -> None:
    """Label files of any kind, masks, cameras, splits alone, one folder alone: none of these are classes."""
    write_files(tmp_path, {name: "" if name.endswith(("g",)) else "{}" for name in names})
    found = best_source(REGISTRY, tmp_path)
    assert found is None or found[0] != "imagefolder"


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("filename,label\na.jpg,cat\nb.jpg,dog\n", {"a.jpg": ("cat",), "b.jpg": ("dog",)}),
        ("id,breed\na,cat\nb,dog\n", {"a.jpg": ("cat",), "b.jpg": ("dog",)}),
        ("image;age;species\na.jpg;3;cat\nb.jpg;4;dog\n", {"a.jpg": ("cat",), "b.jpg": ("dog",)}),
        ("filename, cat, dog\na.jpg,1,1\nb.jpg,0,1\n", {"a.jpg": ("cat", "dog"), "b.jpg": ("dog",)}),
        ("filename,label\na.jpg,cat\na.jpg,dog\n", {"a.jpg": ("cat", "dog"), "b.jpg": ()}),
    ],
)
def test_tables_give_images_classes(table: str, expected: dict[str, tuple[str, ...]], tmp_path: Path) -> None:
    """By name, by name without its ending, by any one other column, by columns of 0 and 1, by several rows."""
    write_files(tmp_path, {"a.jpg": "", "b.jpg": "", "labels.csv": table})
    labels = read_set(FOLDERS, tmp_path)
    assert labels_of(labels) == expected
    assert not labels.dropped


def test_tables_say_splits_and_numbers_mean_the_listed_classes(tmp_path: Path) -> None:
    """A column `split`, and classes.txt; what names no image, or is none, is counted."""
    table = "path,class,split\nx/a.jpg,1,val\nx/b.jpg,0,train\ngone.jpg,1,train\n,1,train\n"
    write_files(tmp_path, {"x/a.jpg": "", "x/b.jpg": "", "labels.csv": table, "classes.txt": "cat\ndog\n"})
    labels = read_set(FOLDERS, tmp_path)
    assert [(s.split, s.labels) for s in labels.samples] == [("validation", ("dog",)), ("train", ("cat",))]
    assert [c.name for c in labels.categories] == ["cat", "dog"]
    assert reasons(labels) == {"image is missing", "row names no image"}


def test_a_table_against_the_folders_of_its_own_classes_is_said(tmp_path: Path) -> None:
    """Which of the two is right nobody knows: the image is set aside, and both are named."""
    files = {"cat/a.jpg": "", "dog/b.jpg": "", "dog/c.jpg": "", "new/d.jpg": ""}
    table = "filename,label\na.jpg,cat\nb.jpg,cat\nc.jpg,dog\nd.jpg,dog\n"
    labels = read_set(FOLDERS, write_files(tmp_path, {**files, "labels.csv": table}))
    assert labels_of(labels) == {"cat/a.jpg": ("cat",), "dog/c.jpg": ("dog",), "new/d.jpg": ("dog",)}
    assert [(lost.id, lost.reason) for lost in labels.dropped] == [("dog/b.jpg", "label files contradict each other")]
    assert labels.dropped[0].detail == "labels.csv says cat, its folder says dog"


def test_a_part_of_a_set_is_known_by_any_of_its_rows(tmp_path: Path) -> None:
    """Whoever keeps a few images of thousands keeps the whole table: its first rows name none of them."""
    rows = "".join(f"gone{number}.jpg,0,1\n" for number in range(300))
    table = f"filename,cat,dog\n{rows}a.jpg,1,0\n"
    labels = read_set(FOLDERS, write_files(tmp_path, {"a.jpg": "", "_classes.csv": table}))
    assert labels_of(labels) == {"a.jpg": ("cat",)}
    assert len(labels.dropped) == 300


def test_forms_for_predictions_are_no_labels(tmp_path: Path) -> None:
    """A competition's example of what to hand in has the same columns, and classes that say nothing."""
    tables = {"train.csv": "id,label\na,cat\n", "sample_submission.csv": "id,label\nb,cat\n"}
    labels = read_set(FOLDERS, write_files(tmp_path, {"a.jpg": "", "b.jpg": "", **tables}))
    assert labels_of(labels) == {"a.jpg": ("cat",), "b.jpg": ()}
    assert reasons(labels) == {"label file of another task not read"}


@pytest.mark.parametrize(
    "table",
    [
        "filename,xmin,ymin,xmax,ymax,label\na.jpg,1,2,3,4,cat\n",
        "filename,height_cm,age\na.jpg,3.5,7\n",
        "filename,label\nother.jpg,cat\n",
        "name,price\ncat,3\n",
        "ImageID,Subset\na,train\n",
    ],
)
def test_other_tables_are_not_claimed(table: str, tmp_path: Path) -> None:
    """Tables with boxes, with measures, or about other things."""
    write_files(tmp_path, {"a.jpg": "", "some.csv": table})
    assert FOLDERS.detect(open_folder(tmp_path)) is None


def test_metadata_beside_images_gives_them_labels(tmp_path: Path) -> None:
    """Hugging Face's image folder with a `label` in its metadata, as text."""
    rows = [{"file_name": "a.jpg", "label": "cat"}, {"file_name": "b.jpg", "label": "dog"}]
    write_files(
        tmp_path,
        {"train/a.jpg": "", "train/b.jpg": "", "train/metadata.jsonl": "\n".join(map(json.dumps, rows))},
    )
    found = best_source(REGISTRY, tmp_path)
    assert found is not None
    labels = read_set(REGISTRY.source(found[0]), tmp_path)
    assert labels_of(labels) == {"train/a.jpg": ("cat",), "train/b.jpg": ("dog",)}


def test_parquet_with_numbers_means_the_names_of_its_type(tmp_path: Path) -> None:
    """A set as the Hub has them: image bytes and a ClassLabel; -1 is no label."""
    from builders import image_bytes
    from datasets import Dataset, Features, Image

    rows = [
        {"image": {"bytes": image_bytes(), "path": f"{n}.jpg"}, "label": label} for n, label in enumerate((1, 0, -1))
    ]
    types = Features({"image": Image(), "label": ClassLabel(names=["cat", "dog"])})
    Dataset.from_list(rows, features=types).to_parquet(str(tmp_path / "train-00000-of-00001.parquet"))
    labels = read_set(REGISTRY.source("huggingface"), tmp_path)
    assert [s.labels for s in labels.samples] == [("dog",), ("cat",), ()]
    assert [s.labelled for s in labels.samples] == [True, True, False]
    assert [c.name for c in labels.categories] == ["cat", "dog"]


def test_imagefolder_loads_typed(tmp_path: Path) -> None:
    """`datasets` gives a ClassLabel in the set's own order of classes."""
    samples = [make_sample("a.jpg", labels=("zebra",)), make_sample("b.jpg", labels=("ant",), split="validation")]
    exporter = REGISTRY.exporter("imagefolder")
    exporter(tmp_path, exporter.options_type(), place_image).write(make_set(samples, ["zebra", "ant"]))
    loaded = load_dataset(str(tmp_path), cache_dir=str(tmp_path / "cache"))
    assert loaded["train"].features["label"] == ClassLabel(names=["zebra", "ant"])
    assert (loaded["train"]["label"], loaded["validation"]["label"]) == ([0], [1])
    assert "objects" not in loaded["train"].features


def test_yolo_classify_numbers_classes_alike_in_all_splits(tmp_path: Path) -> None:
    """Its trainer numbers the folders of each split by itself: a class without images has an empty one."""
    samples = [make_sample("a.jpg", labels=("cat",)), make_sample("b.jpg", labels=("dog",), split="validation")]
    exporter = REGISTRY.exporter("yolo-classify")
    exporter(tmp_path, exporter.options_type(), place_image).write(make_set(samples, ["cat", "dog"]))
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")}
    assert found >= {"train/cat/a.jpg", "train/dog", "val/cat", "val/dog/b.jpg"}


@pytest.mark.parametrize("to", ["coco", "yolo", "voc", "csv", "createml"])
def test_formats_for_detection_refuse_labels_of_whole_images(to: str, tmp_path: Path) -> None:
    """Written there, every image would count as an empty one; the error names formats that do."""
    write_files(tmp_path / "set", {"cat/a.jpg": "", "dog/b.jpg": ""})
    with pytest.raises(SourceError, match="classification") as caught:
        export(tmp_path / "set", to, tmp_path / "out", REGISTRY)
    assert "imagefolder" in (caught.value.fix or "")
    assert not (tmp_path / "out").exists()


def test_formats_for_classification_refuse_objects_alone(tmp_path: Path) -> None:
    """Nobody said what the images are as a whole."""
    source = tmp_path / "set"
    exporter = REGISTRY.exporter("voc")
    source.mkdir()
    exporter(source, exporter.options_type(), place_image).write(
        make_set([make_sample("a.jpg", [Annotation("cat", (1.0, 2.0, 30.0, 40.0))])])
    )
    with pytest.raises(SourceError, match="yolo-classify"):
        export(source, "yolo-classify", tmp_path / "out", REGISTRY)


def test_exports_count_what_is_lost(tmp_path: Path) -> None:
    """The second label of an image has no place in a tree of folders."""
    table = "filename,cat,dog\na.jpg,1,1\nb.jpg,0,1\n"
    write_files(tmp_path / "set", {"a.jpg": "", "b.jpg": "", "labels.csv": table})
    report = export(tmp_path / "set", "yolo-classify", tmp_path / "out", REGISTRY)
    assert (report.images, report.labels, report.lost) == (2, 3, {"several image labels": 1})
    assert by_name(read_set(FOLDERS, tmp_path / "out"))["a.jpg"].labels == ("cat",)


@pytest.mark.parametrize(
    "names",
    [
        ["RGB/1.png", "Depth/1.png", "SemSeg/1.png"],
        ["RGBLeft/1.png", "DepthLeft/1.png"],
        ["HR/1.png", "LR_x2/1.png"],
        ["bounding_box_train/1.jpg", "bounding_box_test/2.jpg", "query/3.jpg"],
        ["gtFine/train/a/1.png", "leftImg8bit/train/a/1.png"],
        ["cars/train/1.png", "boats/val/2.png"],
    ],
)
def test_other_views_and_uses_of_images_are_no_classes(names: list[str], tmp_path: Path) -> None:
    """Folders for depth, masks, sizes, or with splits below them say what kind of file lies there."""
    assert FOLDERS.detect(open_folder(write_files(tmp_path, dict.fromkeys(names, "")))) is None


@pytest.mark.parametrize(
    ("names", "claimed"),
    [
        (["label_0/a.jpg", "label_1/b.jpg"], True),
        (["train/label_0/a.jpg", "train/label_1/b.jpg", "val/label_0/a.jpg", "val/label_1/b.jpg"], True),
        (["label_0/a.png", "label_1/a.png"], False),
        (["images/a.jpg", "label_1/a.png"], False),
        (["photos/a.jpg", "label_1/b.png"], False),
    ],
)
def test_folders_of_numbered_labels_are_classes_unless_of_the_same_images(
    names: list[str], claimed: bool, tmp_path: Path
) -> None:
    """Whoever has no names numbers the classes; files of one name in two folders are of one image."""
    folder = write_files(tmp_path, dict.fromkeys(names, ""))
    assert (best_source(REGISTRY, folder) is not None) is claimed


def test_words_for_views_within_class_names_are_classes(tmp_path: Path) -> None:
    """`depth` alone is a view; a `depth gauge` is a thing, and so are `left` and `right`."""
    names = ["depth gauge/1.jpg", "left/1.jpg", "right/2.jpg"]
    assert (
        REGISTRY.source("imagefolder").detect(open_folder(write_files(tmp_path, dict.fromkeys(names, "")))) is not None
    )


def test_a_class_that_cannot_be_a_folder_is_counted(tmp_path: Path) -> None:
    """The folder is all that says the class."""
    labels = make_set([make_sample("a.jpg", labels=("a/b",)), make_sample("b.jpg", labels=("c",))], ["a/b", "c"])
    exporter = REGISTRY.exporter("yolo-classify")
    writer = exporter(tmp_path, exporter.options_type(), place_image)
    writer.write(labels)
    assert writer.losses(labels.samples) == {"class name": 1}
