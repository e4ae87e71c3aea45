"""DOTA and labelTxt: one text file an image, the four corners of each oriented box in pixels, then its class.

https://captain-whu.github.io/DOTA/dataset.html (annotation format), also what Roboflow calls "YOLOv5 OBB":

    images/P0000.png   labelTxt/P0000.txt
        imagesource:GoogleEarth
        gsd:0.146
        x1 y1 x2 y2 x3 y3 x4 y4 category difficult

The two lines at the head may be missing, and so may `difficult`. A file without rows confirms an empty image.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

import numpy as np

from amp_datasets.formats.base import Detection, Exporter, Feature, Options, Source
from amp_datasets.formats.kit.documents import first_text, is_called_as_an_image, text_files
from amp_datasets.formats.kit.entries import one_word, words_of
from amp_datasets.formats.kit.reading import (
    category_name,
    class_list,
    is_number,
    points,
    split_of,
)
from amp_datasets.geometry import shapes as geometry
from amp_datasets.model import Annotation, Category, FloatArray, LabelSet, Sample
from amp_datasets.plugin.registry import Registry
from amp_datasets.storage.folder import Folder

_HEADER = re.compile(r"\s*(imagesource|gsd)\s*:", re.IGNORECASE)
_FLAGS = ("0", "1", "2")
_ROWS = "eight coordinates and a class"


class DotaSource(Source[Options]):
    """Reads every text file of a folder that has corners and classes."""

    name: ClassVar[str] = "dota"
    title: ClassVar[str] = "DOTA and labelTxt, corners of oriented boxes and a class a row"

    @classmethod
    def detect(cls, folder: Folder) -> Detection | None:
        """A text file whose rows are eight numbers and a name, or with DOTA's two lines at its head."""
        file = first_text(folder, _is_dota)
        return Detection(f"{file} has rows of {_ROWS}", 82, file) if file is not None else None

    def read(self) -> LabelSet:
        """The set; rows of wrong shape are dropped one by one."""
        names = dict.fromkeys(name for name in class_list(self.reading) if name)
        words = words_of(names)
        for file, text in text_files(self.reading, _is_dota, _ROWS):
            rows = _rows(text)
            if rows is not None and (rows or is_called_as_an_image(self.reading, file)):
                self._read_file(file, rows, words, names)
        return self.reading.finish([Category(name) for name in names])

    def _read_file(
        self, file: str, rows: list[tuple[int, list[str]]], words: Mapping[str, str], names: dict[str, None]
    ) -> None:
        image = self.reading.image_for(file)
        if image is None:
            return
        annotations = []
        for line, parts in rows:
            try:
                annotations.append(_annotation(parts, words))
            except ValueError as error:
                self.reading.drop(f"{image}#{line}", "label cannot be read", str(error)[:100])
        names.update(dict.fromkeys(annotation.category for annotation in annotations))
        if rows and not annotations:
            self.reading.drop(image, "no usable label", f"all {len(rows)} labels were dropped")
            return
        split = self.reading.splits.of(image) or split_of(file)
        self.reading.add(image, annotations, split=split, label_file=file)


class DotaExporter(Exporter[Options]):
    """Writes `<split>/images` and `<split>/labelTxt`, and the classes in classes.txt."""

    name: ClassVar[str] = "dota"
    title: ClassVar[str] = "DOTA and labelTxt, corners of oriented boxes and a class a row"
    holds: ClassVar[frozenset[Feature]] = frozenset({"corners", "empty", "split", "classes"})

    def write(self, labels: LabelSet) -> None:
        """Write images and rows; a class name of several words gets `_` for its spaces, as DOTA's own kit needs."""
        for sample in labels.samples:
            if not sample.labelled:
                continue
            folder = self.target / str(sample.split)
            self.place(sample, folder / "images" / sample.source_id)
            file = folder / "labelTxt" / f"{_stem(sample.source_id)}.txt"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("".join(_lines(sample)), encoding="utf-8", newline="\n")
        names = "".join(f"{category.name}\n" for category in labels.categories)
        (self.target / "classes.txt").write_text(names, encoding="utf-8", newline="\n")


def _lines(sample: Sample) -> Iterator[str]:
    yield "imagesource:\ngsd:\n"
    for annotation in sample.annotations:
        values = " ".join(repr(float(value)) for value in _corners(annotation).ravel())
        difficult = annotation.attributes.get("difficult", 0)
        yield f"{values} {one_word(annotation.category)} {difficult if str(difficult) in _FLAGS else 0}\n"


def _corners(annotation: Annotation) -> FloatArray:
    """The oriented box of a label; around an outline the smallest one."""
    if annotation.corners is not None:
        return annotation.corners
    if not annotation.polygons and annotation.mask is None:
        return geometry.rectangle(annotation.xyxy)
    return geometry.min_area_rectangle(np.concatenate([p.exterior for p in geometry.outline(annotation, "rect")]))


def _stem(name: str) -> str:
    return name.rpartition("/")[2].rpartition(".")[0]


def _is_dota(lines: Sequence[str]) -> bool:
    """Whether a file has DOTA's lines at its head, or rows that can be nothing else."""
    if lines and _HEADER.match(lines[0]):
        return True
    return bool(lines) and 2 * sum(_is_row(line.split()) for line in lines) >= len(lines)


def _rows(text: str) -> list[tuple[int, list[str]]] | None:
    """The rows of a file with their lines' numbers; None if it is a file of another kind."""
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    rows = [(number, line.split()) for number, line in lines if not _HEADER.match(line)]
    if rows and len(rows) == len(lines) and not any(_is_row(parts) for _, parts in rows):
        return None
    return rows


def _is_row(parts: list[str]) -> bool:
    """Eight numbers and a word that is none."""
    return len(parts) >= 9 and all(map(is_number, parts[:8])) and not is_number(parts[8])


def _annotation(parts: list[str], words: Mapping[str, str]) -> Annotation:
    if len(parts) < 9:
        raise ValueError(f"{len(parts)} values are not eight coordinates and a class")
    flag = parts[-1] if len(parts) > 9 and parts[-1] in _FLAGS else ""
    word = " ".join(parts[8:-1] if flag else parts[8:])
    corners = points(parts[:8])
    attributes = {"difficult": int(flag)} if flag in _FLAGS[1:] else {}
    return Annotation(
        category_name(words.get(word, word)), geometry.bounds([corners]), corners=corners, attributes=attributes
    )


def register(registry: Registry) -> None:
    """Offer both sides of the format."""
    registry.add_source(DotaSource)
    registry.add_exporter(DotaExporter)
