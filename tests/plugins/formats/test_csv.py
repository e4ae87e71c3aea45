"""CSV tables in each known set of columns, and with the mistakes that people make in them."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import by_name, make_sample, make_set, place_image, read_set, reasons, rules, write_files, write_image

from amp_datasets.errors import SourceError
from amp_datasets.model import Annotation
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.storage.folder import open_folder

CSV = load_registry().source("csv")
HEADER = "filename,width,height,class,xmin,ymin,xmax,ymax\n"
BOX = (24.0, 12.0, 40.0, 36.0)


def table(folder: Path, text: str | bytes, name: str = "train/_annotations.csv") -> Path:
    """A set of two images of 64x48 with one table."""
    return write_files(folder, {"train/a.jpg": "", "train/b.jpg": "", name: text})


@pytest.mark.parametrize(
    "text",
    [
        HEADER + "a.jpg,64,48,cat,24,12,40,36\n",
        HEADER + "a.jpg,64,48,cat,0.375,0.25,0.625,0.75\n",
        "a.jpg,24,12,40,36,cat\nb.jpg,,,,,\n",
        '"image","xmin","ymin","xmax","ymax","label"\n"a.jpg",24,12,40,36,"cat"\n',
        "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf\n"
        "a,xclick,cat,1,0.375,0.625,0.25,0.75,0,1,0\n",
        "filename;class;xmin;ymin;xmax;ymax\r\na.jpg;cat;24,0;12,0;40,0;36,0\r\n",
        "\ufeff" + HEADER + "\r\ntrain\\a.jpg , 64, 48, cat , 24, 12, 40, 36\r\n",
        (HEADER + "a.jpg,64,48,cat,24,12,40,36\n").encode("utf-16"),
    ],
)
def test_known_tables_say_the_same(text: str | bytes, tmp_path: Path) -> None:
    """One box, written in eight ways."""
    labels = read_set(CSV, table(tmp_path, text))
    sample = by_name(labels)["a.jpg"]
    assert [(a.category, a.xyxy) for a in sample.annotations] == [("cat", BOX)]
    assert sample.split == "train"
    assert not labels.dropped
    detection = CSV.detect(open_folder(tmp_path))
    assert detection is not None
    assert detection.certainty == 70


def test_background_and_unlisted_images_differ(tmp_path: Path) -> None:
    """keras-retinanet's empty row confirms an empty image; an image that no row names is unlabelled, unless told."""
    table(tmp_path, "a.jpg,24,12,40,36,cat\nb.jpg,,,,,\n")
    write_files(tmp_path, {"train/c.jpg": ""})
    assert [s.labelled for s in read_set(CSV, tmp_path).samples] == [True, True, False]
    assert [s.labelled for s in read_set(CSV, tmp_path, unlisted="empty").samples] == [True, True, True]


def test_wheat_boxes_are_corner_and_size(tmp_path: Path) -> None:
    """A list in one cell, a name without ending, no column for the class."""
    text = 'image_id,width,height,bbox,source\na,64,48,"[24.0, 12.0, 16.0, 24.0]",x\na,64,48,"[1, 2]",x\n'
    labels = read_set(CSV, table(tmp_path, text), category="wheat")
    assert [(a.category, a.xyxy) for a in by_name(labels)["a.jpg"].annotations] == [("wheat", BOX)]
    assert reasons(labels) == {"label cannot be read"}


def test_open_images_codes_groups_and_flags(tmp_path: Path) -> None:
    """Codes become names, groups crowds."""
    text = (
        "ImageID,LabelName,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf\na,/m/01,0.375,0.625,0.25,0.75,1,0,1\n"
    )
    write_files(tmp_path, {"class-descriptions-boxable.csv": "/m/01,Cat\n/m/02,Dog\n"})
    labels = read_set(CSV, table(tmp_path, text))
    (annotation,) = by_name(labels)["a.jpg"].annotations
    assert (annotation.category, annotation.iscrowd, dict(annotation.attributes)) == ("Cat", True, {"occluded": 1})


@pytest.mark.parametrize(
    ("files", "names"),
    [
        ({"classes.csv": "dog,1\ncat,0\nbird,2\n"}, ["cat", "dog", "bird"]),
        ({"classes.txt": "dog\ncat\n"}, ["dog", "cat"]),
        ({}, ["cat"]),
    ],
)
def test_order_of_classes(files: dict[str, str | bytes], names: list[str], tmp_path: Path) -> None:
    """A list of classes gives the order, else their first appearance."""
    write_files(tmp_path, files)
    labels = read_set(CSV, table(tmp_path, "a.jpg,24,12,40,36,cat\n"))
    assert [c.name for c in labels.categories] == names


def test_values_can_be_told(tmp_path: Path) -> None:
    """A box within the first pixel looks like shares; the option says what it is."""
    table(tmp_path, HEADER + "a.jpg,64,48,cat,0,0,1,1\n")
    assert by_name(read_set(CSV, tmp_path))["a.jpg"].annotations[0].xyxy == (0, 0, 64, 48)
    assert by_name(read_set(CSV, tmp_path, values="pixels"))["a.jpg"].annotations[0].xyxy == (0, 0, 1, 1)


def test_bad_rows_are_dropped_one_by_one(tmp_path: Path) -> None:
    """Each row that cannot be used is counted, the image keeps the others; repeated rows are merged."""
    rows = [
        "a.jpg,64,48,cat,24,12,40,36",
        "a.jpg,64,48,cat,24,12,40,36",
        "a.jpg,64,48,cat,nan,12,40,36",
        "a.jpg,64,48,cat,24",
        f"a.jpg,64,48,cat,{'9' * 400},12,40,36",
        "a.jpg,64,48,,24,12,40,36",
        "a.jpg,64,48,cat,40,12,24,36",
        "a.jpg,64,48,- see https://roboflow.com,24,12,40,36",
        ",64,48,cat,24,12,40,36",
        "gone.jpg,64,48,cat,24,12,40,36",
        "b.jpg,100,100,cat,24,12,40,36",
    ]
    labels = read_set(CSV, table(tmp_path, HEADER + "\n".join(rows)))
    assert [a.xyxy for a in by_name(labels)["a.jpg"].annotations] == [BOX]
    assert "b.jpg" not in by_name(labels)
    assert reasons(labels) == {
        "label cannot be read",
        "box has a negative width or height",
        "row names no image",
        "image is missing",
        "label file contradicts the image's size",
    }
    assert len(labels.dropped) == 9
    assert rules(labels) == {"duplicate label removed"}


def test_labels_of_the_stored_image_are_turned(tmp_path: Path) -> None:
    """The stated size tells that the labels are of the image before its EXIF orientation."""
    table(tmp_path, HEADER + "a.jpg,64,48,cat,24,12,40,36\n")
    write_image(tmp_path / "train/a.jpg", (64, 48), orientation=6)
    sample = by_name(read_set(CSV, tmp_path))["a.jpg"]
    assert (sample.size, sample.annotations[0].xyxy) == ((48, 64), (12.0, 24.0, 36.0, 40.0))


def test_same_name_in_two_folders(tmp_path: Path) -> None:
    """A table means the image beside it; a table that could mean either is counted, not guessed."""
    for split, name in (("train", "cat"), ("valid", "dog")):
        write_files(tmp_path, {f"{split}/x.jpg": "", f"{split}/t.csv": HEADER + f"x.jpg,64,48,{name},24,12,40,36\n"})
    write_files(tmp_path, {"all.csv": HEADER + "x.jpg,64,48,bird,1,1,9,9\n"})
    labels = read_set(CSV, tmp_path)
    assert [(s.split, s.annotations[0].category) for s in labels.samples] == [("train", "cat"), ("validation", "dog")]
    assert reasons(labels) == {"image name is not unique in the set"}


@pytest.mark.parametrize("text", [b"\xff" * 40, b"a,\xe9\n", HEADER.encode() + b'"' + b"x" * 200_000])
def test_what_is_no_text_or_table_refuses_the_set(text: bytes, tmp_path: Path) -> None:
    """Bytes that are no UTF-8, and a quote that never ends."""
    with pytest.raises(SourceError):
        read_set(CSV, table(tmp_path, text))


def test_other_tables_are_left_alone(tmp_path: Path) -> None:
    """Training logs, README tables and lists of classes are not labels."""
    table(tmp_path, "epoch,loss\n1,2\n", "results.csv")
    write_files(tmp_path, {"README.csv": HEADER, "empty.csv": ""})
    assert not read_set(CSV, tmp_path).dropped
    (tmp_path / "README.csv").unlink()
    assert CSV.detect(open_folder(tmp_path)) is None


def test_integers_are_an_option(tmp_path: Path) -> None:
    """Exact decimals by default, whole pixels for readers that take nothing else; names are quoted as CSV does."""
    labels = make_set([make_sample("a,b.jpg", [Annotation('c"d', (1.0, 2.25, 30.5, 40.75))])])
    exporter = load_registry().exporter("csv")
    for integers, row in ((False, "1,2.25,30.5,40.75"), (True, "1,2,30,41")):
        folder = tmp_path / str(integers)
        folder.mkdir()
        exporter(folder, exporter.options_type(integers=integers), place_image).write(labels)
        text = (folder / "train/_annotations.csv").read_bytes().decode()
        assert text == f'{HEADER}"a,b.jpg",64,48,"c""d",{row}\n'


def test_tables_with_tabs_are_read(tmp_path: Path) -> None:
    """`.tsv` files are tables too."""
    text = "filename\tclass\txmin\tymin\txmax\tymax\na.jpg\tcat\t4\t5\t20\t30\n"
    labels = read_set(CSV, write_files(tmp_path, {"a.jpg": "", "labels.tsv": text}))
    assert [(a.category, a.xyxy) for a in labels.samples[0].annotations] == [("cat", (4, 5, 20, 30))]


def test_numbers_that_no_list_names_are_said(tmp_path: Path) -> None:
    """A column of numbers alone is kept as it is, with a warning."""
    text = "filename,category_id,xmin,ymin,xmax,ymax\na.jpg,3,4,5,20,30\n"
    labels = read_set(CSV, write_files(tmp_path, {"a.jpg": "", "labels.csv": text}))
    assert [a.category for a in labels.samples[0].annotations] == ["3"]
    assert "classes without names are called by their number" in rules(labels)
