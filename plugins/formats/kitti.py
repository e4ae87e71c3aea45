"""KITTI: one text file an image, fifteen values a row, of which 2D detection needs the class, the box and two flags.

https://www.cvlibs.net/datasets/kitti/eval_object.php (readme of the object development kit):

    training/image_2/000001.png   training/label_2/000001.txt     also images/ and labels/ (NVIDIA TAO)
        type truncated occluded alpha  left top right bottom  height width length  x y z  rotation_y  [score]

Boxes are pixels counted from 0. `truncated` (0 to 1) and `occluded` (0 to 3) become attributes where they say
something. `DontCare` marks regions in which nobody labelled: they are no objects, and are counted as dropped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from amp_datasets.formats.base import Detection, Exporter, Feature, Options, Source
from amp_datasets.formats.kit.documents import first_text, is_called_as_an_image, text_files
from amp_datasets.formats.kit.entries import one_word, words_of
from amp_datasets.formats.kit.reading import (
    category_name,
    class_list,
    finite,
    is_number,
    split_of,
)
from amp_datasets.model import Annotation, Category, LabelSet, Sample
from amp_datasets.plugin.registry import Registry
from amp_datasets.storage.folder import Folder

_VALUES = 14
_UNKNOWN_3D = "-1 -1 -1 -1000 -1000 -1000 -10"
"""The values that KITTI itself has where an object has no place in space."""
_DONT_CARE = "dontcare"
_CALIBRATION = ("P0:", "calib_time:")
_ROWS = "a class and fourteen values"


class KittiSource(Source[Options]):
    """Reads every text file of a folder that has KITTI's rows, and the empty ones that are called as an image."""

    name: ClassVar[str] = "kitti"
    title: ClassVar[str] = "KITTI, fifteen values a row"

    @classmethod
    def detect(cls, folder: Folder) -> Detection | None:
        """A text file whose rows are a name and fourteen or fifteen numbers."""
        file = first_text(folder, _is_kitti)
        return Detection(f"{file} has rows of {_ROWS}", 82, file) if file is not None else None

    def read(self) -> LabelSet:
        """The set; rows of wrong shape are dropped one by one."""
        names = dict.fromkeys(name for name in class_list(self.reading) if name)
        words = words_of(names)
        for file, text in text_files(self.reading, _is_kitti, _ROWS):
            lines = [line for line in text.split("\n") if line.strip()]
            if lines and lines[0].startswith(_CALIBRATION):  # of the cameras: no labels, though called as the image
                self.reading.use(file)
                continue
            if _is_kitti(lines) or (not lines and is_called_as_an_image(self.reading, file)):
                self._read_file(file, text, words, names)
        return self.reading.finish([Category(name) for name in names])

    def _read_file(self, file: str, text: str, words: Mapping[str, str], names: dict[str, None]) -> None:
        image = self.reading.image_for(file)
        if image is None:
            return
        annotations, lost = [], 0
        for line, parts in ((n, row.split()) for n, row in enumerate(text.split("\n"), start=1) if row.strip()):
            if parts[0].lower() == _DONT_CARE:
                self.reading.drop(f"{image}#{line}", "region that nobody labelled", "DontCare")
                continue
            try:
                annotations.append(_annotation(parts, words))
            except ValueError as error:
                lost += 1
                self.reading.drop(f"{image}#{line}", "label cannot be read", str(error)[:100])
        names.update(dict.fromkeys(annotation.category for annotation in annotations))
        if lost and not annotations:
            self.reading.drop(image, "no usable label", f"all {lost} labels were dropped")
            return
        split = self.reading.splits.of(image) or split_of(file)
        self.reading.add(image, annotations, split=split, label_file=file)


class KittiExporter(Exporter[Options]):
    """Writes `<split>/image_2` and `<split>/label_2`, and the classes in classes.txt."""

    name: ClassVar[str] = "kitti"
    title: ClassVar[str] = "KITTI, fifteen values a row (its place in space is unknown)"
    holds: ClassVar[frozenset[Feature]] = frozenset({"empty", "split", "classes"})

    def write(self, labels: LabelSet) -> None:
        """Write images and rows; a class name of several words gets `_` for its spaces."""
        for sample in labels.samples:
            if not sample.labelled:
                continue
            folder = self.target / str(sample.split)
            self.place(sample, folder / "image_2" / sample.source_id)
            file = folder / "label_2" / f"{_stem(sample.source_id)}.txt"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("".join(_lines(sample)), encoding="utf-8", newline="\n")
        names = "".join(f"{category.name}\n" for category in labels.categories)
        (self.target / "classes.txt").write_text(names, encoding="utf-8", newline="\n")


def _lines(sample: Sample) -> Iterator[str]:
    for annotation in sample.annotations:
        box = " ".join(repr(float(value)) for value in annotation.xyxy)
        yield f"{one_word(annotation.category)} 0.0 0 -10 {box} {_UNKNOWN_3D}\n"


def _stem(name: str) -> str:
    return name.rpartition("/")[2].rpartition(".")[0]


def _is_kitti(lines: Sequence[str]) -> bool:
    """Whether the first row is a class of any words and fourteen values, with a score fifteen."""
    first = lines[0].split() if lines else []
    values = len(first) > _VALUES and all(map(is_number, first[-_VALUES:]))
    return values and (not is_number(first[0]) or first[-7:] == _UNKNOWN_3D.split())


def _annotation(parts: list[str], words: Mapping[str, str]) -> Annotation:
    numbers = next((n for n, part in enumerate(parts) if n and is_number(part)), len(parts))
    if len(parts) - numbers not in (_VALUES, _VALUES + 1):
        raise ValueError(f"{len(parts)} values are not a class and fourteen numbers")
    truncated, occluded, _, *box = (finite(part) for part in parts[numbers : numbers + 7])
    flags = {"truncated": truncated, "occluded": int(occluded)}
    word = " ".join(parts[:numbers])
    x0, y0, x1, y1 = box
    return Annotation(
        category_name(words.get(word, word)),
        (x0, y0, x1, y1),
        attributes={name: value for name, value in flags.items() if value > 0},
    )


def register(registry: Registry) -> None:
    """Offer both sides of the format."""
    registry.add_source(KittiSource)
    registry.add_exporter(KittiExporter)
