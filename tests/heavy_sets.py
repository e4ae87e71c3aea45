"""Label files that hold as much as they may: for each limit the input that costs most of memory and time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from PIL import Image

MIB = 2**20
IMAGE = (4096, 4096)


def _boxes(row: Callable[[int, int], str]) -> Iterator[str]:
    """Rows of boxes that all differ: equal ones would be found to be copies of each other."""
    return (row(number % 3000, number // 3000) for number in range(10**8))


def _fill(size: int, rows: Iterator[str], between: str, head: str = "", tail: str = "") -> str:
    parts, left = [], size - len(head) - len(tail)
    for row in rows:
        left -= len(row) + len(between)
        if left < 0:
            break
        parts.append(row)
    return head + between.join(parts) + tail


def _all(word: str) -> Iterator[str]:
    while True:
        yield word


COCO = (
    '{"images":[{"id":1,"file_name":"a.png","width":4096,"height":4096}],"categories":[{"id":1,"name":"c"}],'
    '"annotations":['
)
TABLE = "filename,class,xmin,ymin,xmax,ymax\n"
OPEN = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside\n"
VOC = "<annotation><filename>a.png</filename><size><width>4096</width><height>4096</height></size>"
YAML = "train: images\nnames: [c]\n"
STUDIO = '[{"data":{"image":"a.png"},"annotations":[{"result":['

Files = dict[str, str]


def _coco(size: int, row: Callable[[int, int], str]) -> Files:
    return {"a.json": _fill(size, _boxes(row), ",", COCO, "]}")}


HEAVY: dict[str, Callable[[int], Files]] = {
    "COCO boxes": lambda size: _coco(size, lambda x, y: f'{{"image_id":1,"category_id":1,"bbox":[{x},{y},9,9]}}'),
    "COCO outlines": lambda size: _coco(
        size, lambda x, y: f'{{"image_id":1,"category_id":1,"segmentation":[[{x},{y},{x + 9},{y},{x},{y + 9}]]}}'
    ),
    "COCO one outline": lambda size: {
        "a.json": _fill(
            size,
            _boxes(lambda x, y: f"{x},{y}"),
            ",",
            COCO + '{"image_id":1,"category_id":1,"segmentation":[[',
            "]]}]}",
        )
    },
    "COCO classes": lambda size: {
        "a.json": _fill(
            size,
            (f'{{"id":{n},"name":"c{n}"}}' for n in range(10**8)),
            ",",
            '{"images":[{"id":1,"file_name":"a.png"}],"annotations":[{"image_id":1,"category_id":1,"bbox":[0,0,9,9]}],'
            '"categories":[',
            "]}",
        )
    },
    "COCO lists": lambda size: {"a.json": _fill(size, _all("[]"), ",", COCO, "]}")},
    "COCO maps": lambda size: {"a.json": _fill(size, _all('{"a":{"a":{"a":{}}}}'), ",", COCO, "]}")},
    "JSON keys": lambda size: {"a.json": _fill(size, (f'"{n:x}":1' for n in range(10**8)), ",", COCO + "],", "}")},
    "Label Studio": lambda size: {
        "t.json": _fill(
            size,
            _boxes(
                lambda x, y: (
                    f'{{"type":"rectanglelabels","original_width":4096,"original_height":4096,"value":{{"x":{x / 40:g},'
                    f'"y":{y / 40:g},"width":1,"height":1,"rotation":0,"rectanglelabels":["c"]}}}}'
                )
            ),
            ",",
            STUDIO,
            "]}]}]",
        )
    },
    "CVAT": lambda size: {
        "a.xml": _fill(
            size,
            _boxes(lambda x, y: f'<box label="c" xtl="{x}" ytl="{y}" xbr="{x + 9}" ybr="{y + 9}"/>'),
            "",
            '<annotations><image name="a.png" width="4096" height="4096">',
            "</image></annotations>",
        )
    },
    "XML nodes": lambda size: {"a.xml": _fill(size, _all('<a b=""/>'), "", "<annotations>", "</annotations>")},
    "VOC": lambda size: {
        "a.xml": _fill(
            size,
            _boxes(
                lambda x, y: (
                    f"<object><name>c</name><bndbox><xmin>{x}</xmin><ymin>{y}</ymin><xmax>{x + 9}</xmax>"
                    f"<ymax>{y + 9}</ymax></bndbox></object>"
                )
            ),
            "",
            VOC,
            "</annotation>",
        )
    },
    "VOC nodes": lambda size: {
        "a.xml": _fill(size, _all("<a/>"), "", f"{VOC}<object><name>c</name></object>", "</annotation>")
    },
    "YOLO": lambda size: {
        "data.yaml": YAML,
        "labels/a.txt": _fill(size, _boxes(lambda x, y: f"0 {x / 4096:.4f} {y / 4096:.4f} .01 .01"), "\n"),
    },
    "YOLO outline": lambda size: {
        "data.yaml": YAML,
        "labels/a.txt": _fill(size, _boxes(lambda x, y: f".{x} .{y}"), " ", "0 "),
    },
    "YOLO damaged": lambda size: {"data.yaml": YAML, "labels/a.txt": _fill(size, _all("x"), "\n", "0 .5 .5 .1 .1\n")},
    "CSV": lambda size: {
        "a.csv": _fill(size, _boxes(lambda x, y: f"images/a.png,c,{x},{y},{x + 9},{y + 9}"), "\n", TABLE)
    },
    "CSV damaged": lambda size: {"a.csv": _fill(size, _all("images/a.png,c,x,x,x,x"), "\n", TABLE)},
    "CSV cells": lambda size: {"a.csv": _fill(size, _all("ab,ab,ab,ab,ab,ab,ab"), "\n", TABLE)},
    "OpenImages": lambda size: {
        "class-descriptions-boxable.csv": "/m/01,c\n",
        "train-annotations-bbox.csv": _fill(
            size, _boxes(lambda x, y: f"a,x,/m/01,1,{x / 4096:.4f},1,{y / 4096:.4f},1,0,0,0,0,0"), "\n", OPEN
        ),
    },
    "class list": lambda size: {
        "data.yaml": _fill(size, (f"c{n}" for n in range(10**8)), ",", "train: images\nnames: [", "]\n"),
        "labels/a.txt": "0 .5 .5 .1 .1\n",
    },
    "JSON lines": lambda size: {
        "images/metadata.jsonl": _fill(
            size // 2,
            _boxes(lambda x, y: f"[{x},{y},9,9]"),
            ",",
            '{"file_name":"a.png","objects":{"bbox":[',
            '],"category":[' + ",".join("0" * (size // 30)) + "]}}\n",
        )
    },
}
"""Files by their path in the set, of about so many bytes. Every set has the image `images/a.png` besides."""


def write_heavy(folder: Path, kind: str, size: int) -> Path:
    """A set with one label file of a size."""
    for name, text in HEAVY[kind](size).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "images").mkdir(exist_ok=True)
    Image.new("1", IMAGE).save(folder / "images" / "a.png")
    return folder
