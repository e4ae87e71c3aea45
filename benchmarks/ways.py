"""The ways of making 20 variants of each image of a set that `build.py` compares, each run in a process of its own.

All write the same number of JPEG files with the same quality and the subsampling of the source, with one thread.
"""

from __future__ import annotations

import os

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import measuring
import numpy as np
from numpy.typing import NDArray

QUALITY, VARIANTS = 95, 20
MANIFEST = Path(__file__).parents[1] / "manifests" / "seed20.yaml"
Image = NDArray[np.uint8]
Box = tuple[float, float, float, float]


def boxes_of(folder: Path) -> Mapping[str, Sequence[Box]]:
    """Boxes x0, y0, x1, y1 by the image's name, from CreateML or COCO; as little code as a script would have."""
    (file,) = folder.rglob("*.json")
    document = json.loads(file.read_bytes())
    found: dict[str, list[Box]] = {}
    if isinstance(document, list):
        for entry in document:
            for label in entry["annotations"]:
                x, y, w, h = (label["coordinates"][key] for key in ("x", "y", "width", "height"))
                found.setdefault(entry["image"], []).append((x - w / 2, y - h / 2, x + w / 2, y + h / 2))
        return found
    names = {image["id"]: Path(image["file_name"]).name for image in document["images"]}
    for label in document["annotations"]:
        x, y, w, h = label["bbox"]
        found.setdefault(names[label["image_id"]], []).append((x, y, x + w, y + h))
    return found


def amp(folder: Path, out: Path, jobs: int) -> None:
    """`amp build`."""
    import sys

    sys.modules.setdefault("albumentations.pytorch", None)  # as the `amp` command does
    from amp_datasets.building.api import build
    from amp_datasets.plugin.discovery import load_registry

    load_registry()
    measuring.mark()
    build(MANIFEST, out=out, sources=[folder], jobs=jobs)


def floor(folder: Path, out: Path) -> None:
    """Decode once, then kernel, encode, write; nothing else."""
    import kernels
    import simplejpeg

    cv2.setNumThreads(1)
    measuring.mark()
    out.mkdir()
    boxes = boxes_of(folder)
    for file in _files(folder):
        data = file.read_bytes()
        subsampling = simplejpeg.decode_jpeg_header(data)[3]
        image = simplejpeg.decode_jpeg(data)
        for name, kernel in kernels.KERNELS.items():
            call = partial(kernels.crop_to, window=_window(boxes[file.name], image)) if name == "crop" else kernel
            _write(call(image), out / f"{file.stem}__{name}.jpg", subsampling)


def own_kernels(folder: Path, out: Path) -> None:
    """The floor with the images that amp makes: its filters' `apply`, and nothing around them."""
    import simplejpeg

    from amp_datasets.filtering.base import draw
    from amp_datasets.filtering.settings import create
    from amp_datasets.manifest.load import load_manifest
    from amp_datasets.plugin.discovery import load_registry

    registry = load_registry()
    manifest = load_manifest(MANIFEST, registry, sources=[str(folder)])
    chains = {
        spec.name: [create(registry.filter(step.filter), step.settings) for step in spec.steps]
        for spec in manifest.variants()
    }
    cv2.setNumThreads(1)
    measuring.mark()
    out.mkdir()
    boxes = boxes_of(folder)
    for file in _files(folder):
        data = file.read_bytes()
        subsampling = simplejpeg.decode_jpeg_header(data)[3]
        image = simplejpeg.decode_jpeg(data)
        for name, chain in chains.items():
            changed = image
            for transform in chain:
                choice = draw(transform, changed, np.asarray(boxes[file.name]))
                changed = transform.apply(changed, **choice, shape=changed.shape)
            _write(changed, out / f"{file.stem}__{name}.jpg", subsampling)


def original(folder: Path, out: Path) -> None:
    """A pass over the set for each filter: read, filter in plain NumPy and OpenCV, write; labels as JSON beside it."""
    import passes

    cv2.setNumThreads(1)
    measuring.mark()
    files, boxes = _files(folder), boxes_of(folder)
    for name, (base, function) in passes.PASSES.items():
        target = out / name
        target.mkdir(parents=True)
        entries = []
        for file in files:
            # The mixes read what an earlier pass wrote.
            read = file if base is None else out / base / file.name
            image = cv2.imread(str(read))
            changed = function(image, boxes[file.name])
            cv2.imwrite(str(target / file.name), changed, _cv2_options(file))
            entries.append({"image": file.name, "annotations": boxes[file.name]})
        (target / "labels.json").write_text(json.dumps(entries), encoding="utf-8")


def albumentations(folder: Path, out: Path) -> None:
    """A careful loop: transforms built once, decoded once, boxes through Compose, one YOLO file a variant."""
    import augmenters

    pipelines = augmenters.pipelines()
    cv2.setNumThreads(1)
    measuring.mark()
    out.mkdir()
    boxes = boxes_of(folder)
    for file in _files(folder):
        image = cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB)
        height, width = image.shape[:2]
        inside = np.clip(boxes[file.name], 0, [width, height, width, height])
        for name, pipeline in pipelines.items():
            made = pipeline(image=image, bboxes=inside, ids=np.zeros(len(inside)))
            target = out / f"{file.stem}__{name}.jpg"
            cv2.imwrite(str(target), cv2.cvtColor(made["image"], cv2.COLOR_RGB2BGR), _cv2_options(file))
            rows = _yolo_rows(made["bboxes"], made["image"].shape)
            target.with_suffix(".txt").write_text(rows, encoding="ascii")


def datasets_map(folder: Path, out: Path) -> None:
    """`datasets.map` with images in and out as PIL objects, once for each filter, saved as JPEG at the end."""
    import augmenters
    from datasets import Dataset, Image, disable_caching, disable_progress_bars
    from PIL import Image as PillowImage

    disable_progress_bars()
    disable_caching()
    pipelines = augmenters.pipelines()
    cv2.setNumThreads(1)
    measuring.mark()
    out.mkdir()
    boxes, files = boxes_of(folder), _files(folder)
    source = Dataset.from_dict({"image": [str(f) for f in files], "boxes": [list(boxes[f.name]) for f in files]})
    source = source.cast_column("image", Image())
    for name, pipeline in pipelines.items():

        def change(row: dict[str, Any], pipeline: Any = pipeline) -> dict[str, Any]:
            image = np.array(row["image"].convert("RGB"))
            limits = (image.shape[1], image.shape[0]) * 2
            inside = np.clip(row["boxes"], 0, limits)
            made = pipeline(image=image, bboxes=inside, ids=np.zeros(len(row["boxes"])))
            return {"image": PillowImage.fromarray(made["image"]), "boxes": made["bboxes"].tolist()}

        for file, row in zip(files, source.map(change), strict=True):
            target = out / f"{file.stem}__{name}.jpg"
            row["image"].save(target, quality=QUALITY, subsampling=2 if _subsampling(file) == "420" else 0)
            rows = _yolo_rows(row["boxes"], row["image"].size[::-1])
            target.with_suffix(".txt").write_text(rows, encoding="ascii")


def torchvision(folder: Path, out: Path) -> None:
    """torchvision v2 on tensors with boxes; what it does not have is done by OpenCV. simplejpeg reads and writes."""
    import simplejpeg
    import tensors
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    pipelines = tensors.pipelines()
    measuring.mark()
    out.mkdir()
    boxes = boxes_of(folder)
    for file in _files(folder):
        data = file.read_bytes()
        subsampling = simplejpeg.decode_jpeg_header(data)[3]
        image = simplejpeg.decode_jpeg(data)
        for name, pipeline in pipelines.items():
            made, moved = pipeline(image, boxes[file.name])
            target = out / f"{file.stem}__{name}.jpg"
            _write(made, target, subsampling)
            target.with_suffix(".txt").write_text(_yolo_rows(moved, made.shape), encoding="ascii")


WAYS: dict[str, Callable[[Path, Path], None]] = {
    "amp -j 1": partial(amp, jobs=1),
    "amp -j 2": partial(amp, jobs=2),
    "floor": floor,
    "amp's filters, bare": own_kernels,
    "original's way": original,
    "Albumentations loop": albumentations,
    "torchvision v2 loop": torchvision,
    "datasets.map with PIL": datasets_map,
}


def _files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.jpg"))


def _window(boxes: Sequence[Box], image: Image) -> tuple[int, int, int, int]:
    """The window of seed20's crop."""
    x0, y0 = np.min(boxes, axis=0)[:2]
    x1, y1 = np.max(boxes, axis=0)[2:]
    dx, dy, (height, width) = 0.1 * (x1 - x0), 0.1 * (y1 - y0), image.shape[:2]
    return max(0, int(x0 - dx)), max(0, int(y0 - dy)), min(width, int(x1 + dx) + 1), min(height, int(y1 + dy) + 1)


def _write(image: Image, target: Path, subsampling: str) -> None:
    import simplejpeg

    target.write_bytes(simplejpeg.encode_jpeg(image, QUALITY, colorsubsampling=subsampling, fastdct=False))


def _cv2_options(file: Path) -> list[int]:
    sampling = (
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420 if _subsampling(file) == "420" else (cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)
    )
    return [cv2.IMWRITE_JPEG_QUALITY, QUALITY, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]


def _subsampling(file: Path) -> str:
    import simplejpeg

    return str(simplejpeg.decode_jpeg_header(file.read_bytes())[3])


def _yolo_rows(boxes: Any, shape: Sequence[int]) -> str:
    return "".join(_yolo_lines(boxes, shape[0], shape[1]))


def _yolo_lines(boxes: Any, height: int, width: int) -> Iterator[str]:
    for x0, y0, x1, y1 in (box[:4] for box in boxes):
        cx, cy, w, h = (x0 + x1) / 2 / width, (y0 + y1) / 2 / height, (x1 - x0) / width, (y1 - y0) / height
        yield f"0 {cx:.6f} {cy:.6f} {w:.6f} {h:.6f}\n"
