"""Tables whose columns are called as somebody liked: each of them says the same one box."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import by_name, read_set, write_files

from amp_datasets.audit.rules import of_reading
from amp_datasets.errors import SourceError
from amp_datasets.model import LabelSet
from amp_datasets.plugin.discovery import load_registry

CSV = load_registry().source("csv")
BOX = (24.0, 12.0, 40.0, 36.0)
"""In images of 64x48."""


def table(folder: Path, *lines: str, name: str = "labels.csv") -> Path:
    """Two images and a table."""
    return write_files(folder, {"a.jpg": "", "b.jpg": "", name: "\n".join(lines) + "\n"})


def warned(labels: LabelSet) -> set[str]:
    """The rules of `amp check` that fail the set; that an image is not in the table is none of this."""
    return {each.rule for each in of_reading([*labels.dropped, *labels.repairs]) if each.severity != "note"}


def only(labels: LabelSet, image: str = "a.jpg") -> tuple[str, tuple[float, ...]]:
    """The class and box of an image's one label."""
    (annotation,) = by_name(labels)[image].annotations
    return annotation.category, annotation.xyxy


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("image_id,x,y,w,h,label", "a.jpg,24,12,16,24,cat"),
        ("filename,x,y,width,height,class", "a.jpg,24,12,16,24,cat"),
        ("filename,image_width,image_height,x,y,width,height,class", "a.jpg,64,48,24,12,16,24,cat"),
        ("img,x1,y1,w,h,species", "a.jpg,24,12,16,24,cat"),
        ("image,bbox_x,bbox_y,bbox_width,bbox_height,labels", "a.jpg,24,12,16,24,cat"),
        ("image_name,bbx_xtl,bbx_ytl,bbx_xbr,bbx_ybr,image_label", "a.jpg,24,12,40,36,cat"),
        ("filename,cell_type,xmin,xmax,ymin,ymax", "a.jpg,cat,24,40,12,36"),
        ("Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassName", "a.jpg;64;48;24;12;40;36;cat"),
        ("image_path,xmin,ymin,xmax,ymax,category_id,category_name", "a.jpg,24,12,40,36,7,cat"),
        ("path,x0,y0,x1,y1,category", "a.jpg,24,12,40,36,cat"),
        ("file,left,top,right,bottom,object", "a.jpg,24,12,40,36,cat"),
        ("file,left,top,width,height,name", "a.jpg,24,12,16,24,cat"),
        ("image_id,filename,xmin,ymin,xmax,ymax,label", "17,a.jpg,24,12,40,36,cat"),
        ("filename,image_id,xmin,ymin,xmax,ymax,label", "17,a.jpg,24,12,40,36,cat"),
        ("file,x_center,y_center,width,height,label", "a.jpg,32,24,16,24,cat"),
        ("file,cx,cy,w,h,label", "a.jpg,0.5,0.5,0.25,0.5,cat"),
        ("filename,xmin,ymin,xmax,ymax,class", 'a.jpg,"24,0","12,0","40,0","36,0",cat'),
        ("filename,xmin,ymin,xmax,ymax,class", 'a.jpg,"0,375","0,25","0,625","0,75",cat'),
        ("filename,class,bbox", 'a.jpg,cat,"24 12 16 24"'),
        ("filename, xmin, ymin, xmax, ymax, class", 'a.jpg, 24, 12, 40, 36, "cat"'),
    ],
)
def test_columns_by_other_names_say_the_same(header: str, row: str, tmp_path: Path) -> None:
    """Read without a doubt, but where nothing is named at all."""
    labels = read_set(CSV, table(tmp_path, header, row))
    assert only(labels) == ("cat", BOX)
    assert warned(labels) <= {"AMP521", "AMP528"}
    assert ("AMP528" in warned(labels)) is ("image_label" in header)


@pytest.mark.parametrize(
    "row",
    [
        "a.jpg,24,12,40,36,cat",
        "a.jpg,cat,24,12,40,36",
        "cat,24,12,16,24,a.jpg,64,48",
        "a.jpg,64,48,cat,24,12,40,36",
    ],
)
def test_tables_without_a_header(row: str, tmp_path: Path) -> None:
    """keras-retinanet's, make-sense's, and others that tell by where numbers and names stand."""
    labels = read_set(CSV, table(tmp_path, row, row.replace("a.jpg", "b.jpg")))
    assert only(labels) == only(labels, "b.jpg") == ("cat", BOX)
    assert not warned(labels)


def test_an_unknown_column_of_words_is_the_class(tmp_path: Path) -> None:
    """Never all `object`: the one column of words that nothing else needs, said; two of them are an error."""
    header, rows = "filename,weed,xmin,ymin,xmax,ymax", ("a.jpg,thistle,24,12,40,36", "b.jpg,dock,24,12,40,36")
    labels = read_set(CSV, table(tmp_path, header, *rows))
    assert (only(labels)[0], only(labels, "b.jpg")[0]) == ("thistle", "dock")
    assert warned(labels) == {"AMP528"}
    assert not warned(read_set(CSV, tmp_path, class_column="weed"))
    assert only(read_set(CSV, tmp_path, category="plant"))[0] == "plant"
    with pytest.raises(SourceError, match="there is no column"):
        read_set(CSV, tmp_path, class_column="wed")
    table(tmp_path, f"{header},stage", *(f"{row},young" for row in rows))
    with pytest.raises(SourceError, match="weed, stage"):
        read_set(CSV, tmp_path)
    assert only(read_set(CSV, tmp_path, class_column="stage"))[0] == "young"


def test_a_table_of_no_class_is_said(tmp_path: Path) -> None:
    """One class called `object`, a warning; given by the option, none."""
    table(tmp_path, "filename,xmin,ymin,xmax,ymax,score", "a.jpg,24,12,40,36,0.5")
    assert only(read_set(CSV, tmp_path))[0] == "object"
    assert warned(read_set(CSV, tmp_path)) == {"AMP208"}
    assert not warned(read_set(CSV, tmp_path, category="cat"))


def test_class_numbers_get_the_names_of_the_list(tmp_path: Path) -> None:
    """In the order of classes.txt; without a list a number is its own name."""
    table(tmp_path, "filename,xmin,ymin,xmax,ymax,category_id", "a.jpg,24,12,40,36,1", "b.jpg,24,12,40,36,0")
    assert only(read_set(CSV, tmp_path))[0] == "1"
    write_files(tmp_path, {"classes.txt": "cat\ndog\n"})
    assert (only(read_set(CSV, tmp_path))[0], only(read_set(CSV, tmp_path), "b.jpg")[0]) == ("dog", "cat")


@pytest.mark.parametrize("prefix", ["", "oidv6-", "oidv7-"])
def test_open_images_lists_by_every_name(prefix: str, tmp_path: Path) -> None:
    """Codes become names, and the table's name is its split."""
    write_files(
        tmp_path,
        {
            f"{prefix}class-descriptions.csv": "LabelName,DisplayName\n/m/01,Cat\n",
            "b.jpg": "",
            f"{prefix}validation-annotations-bbox.csv": "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax\n"
            "b,x,/m/01,1,0.375,0.625,0.25,0.75\n",
        },
    )
    labels = read_set(CSV, tmp_path)
    assert only(labels, "b.jpg") == ("Cat", BOX)
    assert by_name(labels)["b.jpg"].split == "validation"
    assert not warned(labels)


def test_a_tables_name_or_column_is_its_split(tmp_path: Path) -> None:
    """`train_labels.csv` and `test_labels.csv` beside one folder of images, or a column `split`."""
    header = "filename,width,height,class,xmin,ymin,xmax,ymax"
    for split, image in (("train", "a"), ("test", "b")):
        write_files(
            tmp_path / "one",
            {f"images/{image}.jpg": "", f"data/{split}_labels.csv": f"{header}\n{image}.jpg,64,48,cat,24,12,40,36\n"},
        )
    table(
        tmp_path / "two",
        f"{header},split",
        "a.jpg,64,48,cat,24,12,40,36,train",
        "b.jpg,64,48,cat,24,12,40,36,test",
    )
    for folder in ("one", "two"):
        labels = by_name(read_set(CSV, tmp_path / folder))
        assert [labels[name].split for name in ("a.jpg", "b.jpg")] == ["train", "test"]


def test_units_are_judged_over_the_whole_table(tmp_path: Path) -> None:
    """One share above 1 by rounding makes no pixels of the others, a box in the first pixel no shares."""
    header = "filename,class,xmin,ymin,xmax,ymax"
    shares = table(tmp_path / "shares", header, "a.jpg,cat,0.375,0.25,0.625,0.75", "b.jpg,cat,0.6,0.5,1.000001,0.9")
    assert only(read_set(CSV, shares)) == ("cat", BOX)
    assert only(read_set(CSV, shares), "b.jpg")[1] == pytest.approx((38.4, 24, 64, 43.2))
    pixels = table(tmp_path / "pixels", header, "a.jpg,cat,24,12,40,36", "b.jpg,cat,0,0,1,1")
    assert only(read_set(CSV, pixels)) == ("cat", BOX)
    assert only(read_set(CSV, pixels), "b.jpg")[1] == (0, 0, 1, 1)


def test_lists_in_a_cell_may_be_corners(tmp_path: Path) -> None:
    """As many sets have them; told by where the boxes lie, and said."""
    rows = [f'a.jpg,cat,"[{x}, {y}, {x + 8}, {y + 6}]"' for x, y in ((40, 30), (50, 36), (20, 25), (4, 3))]
    labels = read_set(CSV, table(tmp_path, "filename,class,bbox", *rows))
    boxes = [a.xyxy for a in by_name(labels)["a.jpg"].annotations]
    assert boxes == [(40, 30, 48, 36), (50, 36, 58, 42), (20, 25, 28, 31), (4, 3, 12, 9)]
    assert warned(labels) == {"AMP520"}
    assert not warned(read_set(CSV, tmp_path, boxes="xyxy"))


def test_the_file_of_an_image_has_short_names_too(tmp_path: Path) -> None:
    """`img_fName` and `bbx_xtl`, of a published set."""
    text = "img_fName,img_w,img_h,class_label,bbx_xtl,bbx_ytl,bbx_xbr,bbx_ybr\na.jpg,64,48,culex,4,5,20,30\n"
    labels = read_set(CSV, write_files(tmp_path, {"a.jpg": "", "mosquitos.csv": text}))
    assert [(a.category, a.xyxy) for s in labels.samples for a in s.annotations] == [("culex", (4.0, 5.0, 20.0, 30.0))]
