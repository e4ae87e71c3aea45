"""Small valid sets of the formats that are only read: label files for the fuzzer to damage."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

from PIL import Image

SIZE = (64, 48)
RUNS = {"size": [48, 64], "counts": "^17Q1O1N2N2O1N2000000000000000001O1N2N2O1NTi0"}
_SEGMENTS = [{"id": 7, "category_id": 1, "bbox": [10, 5, 10, 10], "area": 100, "iscrowd": 0}]
_PANOPTIC = {
    "images": [{"id": 1, "file_name": "a.jpg", "width": 64, "height": 48}],
    "annotations": [{"image_id": 1, "file_name": "a.png", "segments_info": _SEGMENTS}],
    "categories": [{"id": 1, "name": "cat", "isthing": 1}, {"id": 2, "name": "sky", "isthing": 0}],
}
_SA1B = {
    "image": {"image_id": 1, "width": 64, "height": 48, "file_name": "a.jpg"},
    "annotations": [{"id": 1, "segmentation": RUNS, "bbox": [10, 5, 10, 10], "area": 100, "predicted_iou": 0.9}],
}
_OPENIMAGES = (
    "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside\n"
    "a,xclick,/m/01,1,0.25,0.5,0.125,0.75,1,0,0,-1,0\nb,xclick,/m/02,1,0.1,0.9,0.2,0.7,0,0,1,0,0\n"
)
_WIDER = "0--P/a.jpg\n2\n10 20 30 25 2 0 1 0 0 1 \n1 2 8 8 0 0 0 1 2 0 \n0--P/b.jpg\n0\n0 0 0 0 0 0 0 0 0 0 \n"


def _image(kind: str = "JPEG", number: int = 0) -> bytes:
    """A plain image; as PNG one whose left upper part has a number, as a mask has."""
    image = Image.new("L" if number else "RGB", SIZE)
    if number:
        image.paste(number, (10, 5, 20, 15))
    stream = io.BytesIO()
    image.save(stream, kind)
    return stream.getvalue()


def _write(folder: Path, files: dict[str, str | bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def _coco_panoptic(folder: Path) -> None:
    mask = _image("PNG", 7)
    document = json.dumps(_PANOPTIC)
    _write(folder, {"val/a.jpg": _image(), "panoptic_val.json": document, "panoptic_val/a.png": mask})


def _sa1b(folder: Path) -> None:
    _write(folder, {"a.jpg": _image(), "a.json": json.dumps(_SA1B)})


def _openimages(folder: Path) -> None:
    names = "LabelName,DisplayName\n/m/01,Apple\n/m/02,Pear\n"
    tables = {"train-annotations-bbox.csv": _OPENIMAGES, "class-descriptions-boxable.csv": names}
    _write(folder, {"train/a.jpg": _image(), "train/b.jpg": _image(), **tables})


def _oid_toolkit(folder: Path) -> None:
    text = "Coffee cup 20.5 20.0 60.0 40.0\nApple 1 2 30 40\n"
    _write(folder, {"train/Apple/a.jpg": _image(), "train/Apple/Label/a.txt": text})


def _widerface(folder: Path) -> None:
    images = {f"WIDER_train/images/0--P/{name}.jpg": _image() for name in "ab"}
    _write(folder, {**images, "wider_face_split/wider_face_train_bbx_gt.txt": _WIDER})


def _imagefolder(folder: Path) -> None:
    tables = {"labels.csv": "filename,label,split\na.jpg,0,train\nb.jpg,1,val\n", "classes.txt": "cat\ndog\n"}
    _write(
        folder, {"a.jpg": _image(), "b.jpg": _image(), "more/_classes.csv": "filename,cat,dog\nb.jpg,1,0\n", **tables}
    )


def _labelme_xml(folder: Path) -> None:
    corners = "".join(f"<pt><x>{x}</x><y>{y}</y></pt>" for x, y in ((4, 5), (20, 5), (20, 30)))
    about = "<name>cat</name><deleted>0</deleted><attributes>a=b, c</attributes>"
    thing = f"<object>{about}<polygon>{corners}</polygon></object>"
    masked = "<object><name>dog</name><segm><mask>a_mask_0.png</mask></segm></object>"
    size = "<imagesize><nrows>48</nrows><ncols>64</ncols></imagesize>"
    text = f"<annotation><filename>a.jpg</filename><folder>x</folder>{size}{thing}{masked}</annotation>"
    _write(folder, {"a.jpg": _image(), "a.xml": text, "Masks/a_mask_0.png": _image("PNG", 1)})


FIXTURES: dict[str, Callable[[Path], None]] = {
    "coco_panoptic": _coco_panoptic,
    "imagefolder": _imagefolder,
    "labelme-xml": _labelme_xml,
    "oid_toolkit": _oid_toolkit,
    "openimages": _openimages,
    "sa1b": _sa1b,
    "widerface": _widerface,
}
"""What writes a set of each format, for readers that no exporter of ours writes for."""


def sealed(name: str, data: bytes) -> bytes:
    """Damaged bytes as their reader lets them in: records get right checksums, or no damage would come further."""
    if name != "tfrecord" or len(data) < 16:
        return data
    from amp_plugins.formats.tfrecord.records import framed

    return framed(data[12:-4])
