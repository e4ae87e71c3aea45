"""10,000 images with 40,000 boxes from YOLO to COCO and back, without touching a pixel, against other converters.

    python benchmarks/convert.py [--quick] [--images N] [--rounds N] [--python VENV/bin/python]

supervision, datumaro and labelformat are run by the Python given with --python, best one of a virtual environment of
their own; those that it cannot import are skipped. "Work" is what comes after the imports. The others write labels
alone, so a plain loop links their images after it: all end with a set to train on. Only `amp export` reads the header
of every image (a turned one needs turned labels) and checks and counts what it reads.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import measuring

NAMES = ["bell", "drum", "horn", "lute", "pipe"]
SIZE = (64, 48)
BOXES = 4
AMP = "amp export"


def main() -> None:
    """The command line, and the program of the children."""
    parser = argparse.ArgumentParser(description="amp export against other converters.")
    parser.add_argument("--quick", action="store_true", help="20 images, one round")
    parser.add_argument("--images", type=int, default=10_000, metavar="N")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--python", default=sys.executable, metavar="PATH", help="for the other converters")
    parser.add_argument("--child", nargs=4, metavar=("TOOL", "WAY", "SET", "OUT"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        tool, way, source, out = chosen.child
        CONVERTERS[tool][way](Path(source), Path(out))
        if tool != AMP:
            link_images(Path(source), Path(out))
        return
    import sets

    measuring.describe_machine()
    images, rounds = (20, 1) if chosen.quick else (chosen.images, chosen.rounds)
    tools = [tool for tool in CONVERTERS if tool == AMP or _is_there(tool, chosen.python)]
    sets.CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=sets.CACHE) as work:
        sources = {"YOLO to COCO": Path(work) / "yolo", "COCO to YOLO": Path(work) / "coco"}
        write_sets(sources["YOLO to COCO"], sources["COCO to YOLO"], images)
        for way, source in sources.items():
            compare(way, source, Path(work), tools, images, rounds, chosen.python)


def compare(way: str, source: Path, outs: Path, tools: list[str], images: int, rounds: int, python: str) -> None:
    """Print the table of one direction.

    Each run writes into a folder of its own and nothing is deleted in between: ext4 does not use a deleted file's inode
    again for a while, and looking past ten thousand of them makes every new file several times dearer.
    """
    number = itertools.count()

    def run(tool: str) -> measuring.Usage:
        out = outs / f"{way.replace(' ', '-')}-{next(number)}"
        interpreter = sys.executable if tool == AMP else python
        return measuring.measure([interpreter, __file__, "--child", tool, way, str(source), str(out)])

    found = measuring.interleaved(tools, rounds, run)
    measuring.heading(f"{way}: {images} images, {BOXES * images} boxes, medians of {rounds}")
    header = ["tool", "work s", "work CPU s", "of amp's CPU", "wall s with start-up", "labels/s", "peak MB (PSS)"]
    rows = []
    for tool, usage in found.items():
        total = usage.wall_s + usage.start_wall_s
        cost = f"{usage.cpu_s / found[AMP].cpu_s:.1f}"
        speed = f"{BOXES * images / usage.wall_s:,.0f}"
        row = [tool, f"{usage.wall_s:.2f}", f"{usage.cpu_s:.2f}", cost, f"{total:.2f}", speed, f"{usage.peak_mb:.0f}"]
        rows.append(row)
    measuring.table(header, rows)


def write_sets(yolo: Path, coco: Path, images: int) -> None:
    """The same labels in both layouts, with small images."""
    import cv2
    import numpy as np

    image = cv2.imencode(".jpg", np.full((SIZE[1], SIZE[0], 3), 128, np.uint8))[1].tobytes()
    rng = random.Random(0)
    for folder in (yolo / "images" / "train", yolo / "labels" / "train", coco / "train"):
        folder.mkdir(parents=True)
    document: dict[str, list[dict[str, object]]] = {"images": [], "annotations": []}
    document["categories"] = [{"id": i, "name": name} for i, name in enumerate(NAMES, start=1)]
    for number in range(1, images + 1):
        name = f"image_{number:06d}"
        for place in (yolo / "images" / "train", coco / "train"):
            (place / f"{name}.jpg").write_bytes(image)
        document["images"].append({"id": number, "file_name": f"{name}.jpg", "width": SIZE[0], "height": SIZE[1]})
        rows = []
        for _ in range(BOXES):
            w, h, category = rng.uniform(4, 30), rng.uniform(4, 20), rng.randrange(len(NAMES))
            x, y = rng.uniform(0, SIZE[0] - w), rng.uniform(0, SIZE[1] - h)
            values = ((x + w / 2) / SIZE[0], (y + h / 2) / SIZE[1], w / SIZE[0], h / SIZE[1])
            rows.append(f"{category} {' '.join(f'{value:.6f}' for value in values)}\n")
            box = {"bbox": [x, y, w, h], "area": w * h, "iscrowd": 0, "segmentation": []}
            entry = {"id": len(document["annotations"]) + 1, "image_id": number, "category_id": category + 1, **box}
            document["annotations"].append(entry)
        (yolo / "labels" / "train" / f"{name}.txt").write_text("".join(rows), encoding="ascii")
    listed = "".join(f"  {i}: {name}\n" for i, name in enumerate(NAMES))
    text = f"path: {yolo}\ntrain: images/train\nval: images/train\nnc: {len(NAMES)}\nnames:\n{listed}"
    (yolo / "data.yaml").write_text(text, encoding="utf-8")
    (coco / "train" / "_annotations.coco.json").write_text(json.dumps(document), encoding="utf-8")


def amp(source: Path, out: Path, to: str) -> None:
    """`amp export`."""
    from amp_datasets.exchange.conversion import export
    from amp_datasets.plugin.discovery import load_formats

    registry = load_formats()
    measuring.mark()
    export(source, to, out, registry)


def link_images(source: Path, out: Path) -> None:
    """What is left to do after a converter of labels, as cheaply as can be."""
    folder = out / "images" / "train"
    folder.mkdir(parents=True, exist_ok=True)
    with os.scandir(source / "train" if (source / "train").is_dir() else source / "images" / "train") as entries:
        for entry in entries:
            if entry.name.endswith(".jpg"):
                os.link(entry.path, f"{folder}/{entry.name}")


def supervision_to_coco(source: Path, out: Path) -> None:
    """YOLO to COCO."""
    import supervision

    measuring.mark()
    images, labels = source / "images" / "train", source / "labels" / "train"
    read = supervision.DetectionDataset.from_yolo(str(images), str(labels), str(source / "data.yaml"))
    read.as_coco(annotations_path=str(out / "train.json"))


def supervision_to_yolo(source: Path, out: Path) -> None:
    """COCO to YOLO."""
    import supervision

    measuring.mark()
    folder = source / "train"
    read = supervision.DetectionDataset.from_coco(str(folder), str(folder / "_annotations.coco.json"))
    read.as_yolo(annotations_directory_path=str(out / "labels"), data_yaml_path=str(out / "data.yaml"))


def datumaro(source: Path, out: Path, given: str, wanted: str) -> None:
    """By its importers and exporters; its COCO wants `annotations/` and `images/<split>`."""
    from datumaro.components.dataset import Dataset

    measuring.mark()
    if given == "coco":
        place = out.with_name(f"{out.name}-datumaro")
        shutil.rmtree(place, ignore_errors=True)
        (place / "annotations").mkdir(parents=True)
        (place / "images").mkdir()
        (place / "images" / "train").symlink_to(source / "train")
        labels = place / "annotations" / "instances_train.json"
        labels.symlink_to(source / "train" / "_annotations.coco.json")
        source = place
    Dataset.import_from(str(source), given).export(str(out), wanted, save_media=False)


def labelformat_to_coco(source: Path, out: Path) -> None:
    """YOLO to COCO."""
    from labelformat.formats import COCOObjectDetectionOutput, YOLOv8ObjectDetectionInput

    measuring.mark()
    out.mkdir()
    read = YOLOv8ObjectDetectionInput(input_file=source / "data.yaml", input_split="train")
    COCOObjectDetectionOutput(output_file=out / "train.json").save(label_input=read)


def labelformat_to_yolo(source: Path, out: Path) -> None:
    """COCO to YOLO."""
    from labelformat.formats import COCOObjectDetectionInput, YOLOv8ObjectDetectionOutput

    measuring.mark()
    out.mkdir()
    read = COCOObjectDetectionInput(input_file=source / "train" / "_annotations.coco.json")
    YOLOv8ObjectDetectionOutput(output_file=out / "data.yaml", output_split="train").save(label_input=read)


Converter = Callable[[Path, Path], None]
CONVERTERS: dict[str, dict[str, Converter]] = {
    AMP: {
        "YOLO to COCO": lambda source, out: amp(source, out, "coco"),
        "COCO to YOLO": lambda source, out: amp(source, out, "yolo"),
    },
    "supervision": {"YOLO to COCO": supervision_to_coco, "COCO to YOLO": supervision_to_yolo},
    "datumaro": {
        "YOLO to COCO": lambda source, out: datumaro(source, out, "yolo", "coco_instances"),
        "COCO to YOLO": lambda source, out: datumaro(source, out, "coco", "yolo"),
    },
    "labelformat": {"YOLO to COCO": labelformat_to_coco, "COCO to YOLO": labelformat_to_yolo},
}


def _is_there(tool: str, python: str) -> bool:
    if subprocess.run([python, "-c", f"import {tool}"], capture_output=True).returncode == 0:
        return True
    print(f"skipped: {tool}, for {python} cannot import it\n")
    return False


if __name__ == "__main__":
    main()
