"""Builders and strategies that tests share: images, samples, sets with every kind of label."""

from __future__ import annotations

import functools
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from PIL import Image as PillowImage

from amp_datasets.formats.base import Detection, Source
from amp_datasets.formats.kit.reading import Reading, category_name
from amp_datasets.geometry import shapes as geometry
from amp_datasets.model import Annotation, Category, ImageFile, LabelSet, Polygon, Sample, Size
from amp_datasets.plugin.registry import Registry
from amp_datasets.storage.folder import open_folder

FOLDER_NAMES = ("cat", "no", "12", "Zürich 1", "it's", "{a}", "日本", "null", "a,b", "v1.0")
"""Class names that can be folders."""
KEYPOINTS = ("left eye", "right eye", "nose")
STEMS = ("plain", "a b", "é(1)", "50%20off", "it's", "x[1].y", "日本", "UPPER", 'a"b', "a.b.c", "-dash", "comma,x")
NAMES = ("cat", "no", "12", "Zürich: #1", 'quo"te', "back\\slash", "it's", "{a}", "日本", "- x", "~", "null", "a,b")


@functools.lru_cache(maxsize=64)
def image_bytes(size: Size = (64, 48), kind: str = "JPEG", orientation: int = 1) -> bytes:
    """A small image's file; `size` is that of the stored pixels."""
    stream = io.BytesIO()
    image = PillowImage.new("RGB", size, (90, 120, 40))
    extra: dict[str, Any] = {}
    if orientation != 1:
        exif = PillowImage.Exif()
        exif[0x0112] = orientation
        extra["exif"] = exif
    image.save(stream, kind, **extra)
    return stream.getvalue()


def write_image(path: Path, size: Size = (64, 48), orientation: int = 1) -> Path:
    """Write a small image; the ending tells the format."""
    kind = "PNG" if path.suffix.lower() == ".png" else "JPEG"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(image_bytes(size, kind, orientation))
    return path


def write_files(folder: Path, files: dict[str, str | bytes]) -> Path:
    """Write texts and bytes below a folder, and a small image for every image's name with an empty text."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content == "" and path.suffix.lower() in {".jpg", ".jpeg", ".png"}:
            write_image(path)
        elif isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_bytes(content.encode())
    return folder


def make_sample(source_id: str, annotations: Sequence[Annotation] = (), **more: Any) -> Sample:
    """A sample in the training split, 64x48 unless told."""
    values = {"size": (64, 48), "split": "train", "image": ImageFile(Path(source_id))} | more
    return Sample(source_id=source_id, annotations=tuple(annotations), **values)


def make_set(samples: Sequence[Sample], names: Sequence[str] | None = None) -> LabelSet:
    """A set whose categories are `names`, or the labels' in the order of their appearance."""
    found = names or list(dict.fromkeys(a.category for sample in samples for a in sample.annotations))
    return LabelSet(tuple(Category(name) for name in found), tuple(samples))


def place_image(sample: Sample, path: Path) -> None:
    """Put an image of the sample's size at a path, as exporters ask for it."""
    write_image(path, sample.size)


def best_source(registry: Registry, folder: Path) -> tuple[str, Detection] | None:
    """The source that is surest to know a folder, and why."""
    opened = open_folder(folder)
    found = [(name, source.detect(opened)) for name, source in sorted(registry.sources.items())]
    known = [(name, detection) for name, detection in found if detection is not None]
    return max(known, key=lambda item: item[1].certainty, default=None)


def read_set(source: type[Source[Any]], folder: Path, **options: Any) -> LabelSet:
    """A folder read by a source."""
    opened = open_folder(folder)
    return source(opened, source.options_type(**options), Reading(opened)).read()


def reasons(labels: LabelSet) -> set[str]:
    """Why things were dropped."""
    return {item.reason for item in labels.dropped}


def rules(labels: LabelSet) -> set[str]:
    """What was repaired or noted, without notes about classes that have no labels."""
    return {item.rule for item in labels.repairs} - {"class without labels kept"}


def by_name(labels: LabelSet) -> dict[str, Sample]:
    """A set's samples by their bare file names."""
    return {sample.source_id.rpartition("/")[2]: sample for sample in labels.samples}


def boxes(size: Size) -> st.SearchStrategy[tuple[float, float, float, float]]:
    """Boxes inside an image, sides of at least 2 pixels, that end past the first 2 pixels."""
    width, height = size

    def span(length: int) -> st.SearchStrategy[tuple[float, float]]:
        low = st.floats(0, length - 4)
        return low.flatmap(lambda a: st.floats(a + 2, length).map(lambda b: (a, b)))

    return st.tuples(span(width), span(height)).map(lambda xy: (xy[0][0], xy[1][0], xy[0][1], xy[1][1]))


@st.composite
def annotations(draw: st.DrawFn, size: Size, names: Sequence[str]) -> Annotation:
    """One label of any kind."""
    category, box = draw(st.sampled_from(names)), draw(boxes(size))
    kind = draw(st.sampled_from(["box", "box", "polygon", "multipart", "hole", "mask", "corners", "keypoints"]))
    x0, y0, x1, y1 = box
    width, height = x1 - x0, y1 - y0
    if kind == "mask":
        pixels = np.zeros((size[1], size[0]), dtype=np.bool_)
        pixels[int(y0) : int(y1), int(x0) : int(x1)] = True
        pixels[int(y0), int(x0)] = draw(st.booleans())
        mask = geometry.encode_mask(pixels)
        return Annotation(category, geometry.mask_box(mask), mask=mask, iscrowd=draw(st.booleans()))
    if kind == "keypoints":
        share = st.floats(0, 1)
        rows = [(x0 + draw(share) * width, y0 + draw(share) * height, 2.0) for _ in KEYPOINTS]
        rows[-1] = draw(st.sampled_from([rows[-1], (0.0, 0.0, 0.0), (*rows[-1][:2], 1.0)]))
        points = np.minimum(np.array(rows), (*size, 2.0))
        return Annotation(category, box, keypoints=points)
    if kind == "corners":
        t = draw(st.floats(0.1, 0.4)) * min(width, height)
        angle = np.arctan2(t, min(width, height) * 2)
        side = np.array([np.cos(angle), np.sin(angle)])
        normal = np.array([-side[1], side[0]])
        a, b = side * min(width, height) * 0.6, normal * min(width, height) * 0.3
        centre = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
        ring = centre + np.array([-a - b, a - b, a + b, b - a]) / 2
        return Annotation(category, geometry.bounds([ring]), corners=ring)
    if kind == "box":
        return Annotation(category, box)
    polygons = {
        "polygon": (Polygon(np.array([(x0, y0), (x1, y0 + height / 3), (x0 + width / 3, y1)])),),
        "multipart": (
            Polygon(geometry.rectangle((x0, y0, x0 + width / 3, y1))),
            Polygon(geometry.rectangle((x1 - width / 3, y0, x1, y1))),
        ),
        "hole": (
            Polygon(
                geometry.rectangle(box),
                (geometry.rectangle((x0 + width / 3, y0 + height / 3, x1 - width / 3, y1 - height / 3)),),
            ),
        ),
    }[kind]
    return Annotation(category, geometry.bounds(p.exterior for p in polygons), polygons=polygons)


@st.composite
def label_sets(draw: st.DrawFn) -> LabelSet:
    """Sets with odd names, every kind of label, empty and unlabelled images, in any of the three splits."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True))
    assert all(category_name(name) == name for name in names)
    categories = tuple(Category(name, keypoints=KEYPOINTS, flip_pairs=((0, 1),)) for name in names)
    samples = []
    for stem in draw(st.lists(st.sampled_from(STEMS), min_size=1, max_size=4, unique=True)):
        size = draw(st.sampled_from([(64, 48), (33, 100), (50, 50)]))
        labelled = draw(st.integers(0, 9)) > 0
        found = draw(st.lists(annotations(size, names), max_size=3)) if labelled else []
        unique = {(a.category, tuple(round(v, 3) for v in a.xyxy)): a for a in found}
        suffix = draw(st.sampled_from([".jpg", ".png", ".JPG"]))
        split = draw(st.sampled_from(["train", "validation", "test"]))
        more: dict[str, Any] = {"size": size, "labelled": labelled, "split": split}
        samples.append(make_sample(stem + suffix, list(unique.values()), **more))
    return LabelSet(categories, tuple(samples))


@st.composite
def classified_sets(draw: st.DrawFn) -> LabelSet:
    """Sets of whole images with one label or two, unlabelled ones among them, in any of the three splits."""
    names = draw(st.lists(st.sampled_from(FOLDER_NAMES), min_size=2, max_size=4, unique=True))
    samples = []
    for number, stem in enumerate(draw(st.lists(st.sampled_from(STEMS), min_size=2, max_size=6, unique=True))):
        labels = tuple(draw(st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True)))
        more = {"labels": names[number : number + 1] if number < 2 else labels}
        if number > 1 and draw(st.integers(0, 9)) == 0:
            more = {"labels": (), "labelled": False}
        split = draw(st.sampled_from(["train", "validation", "test"]))
        samples.append(make_sample(stem + ".jpg", split=split, **{**more, "labels": tuple(more["labels"])}))
    return LabelSet(tuple(map(Category, names)), tuple(samples))
