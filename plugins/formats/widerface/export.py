"""Writes WIDER FACE: boxes in whole pixels, as its readers take nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import ClassVar

from amp_datasets.formats.base import Exporter, Feature, Options
from amp_datasets.formats.kit.entries import one_word
from amp_datasets.model import Annotation, LabelSet, Sample

TITLE = "WIDER FACE, lists of images and faces"
FACE = "face"
ATTRIBUTES = ("blur", "expression", "illumination", "invalid", "occlusion", "pose")
"""What follows the box of a row, each a whole number."""
_EVENT = "0--All"
_NAMES = {"train": "train", "validation": "val", "test": "test"}


class WiderFaceExporter(Exporter[Options]):
    """Writes `WIDER_<split>/images/0--All` and one list a split."""

    name: ClassVar[str] = "widerface"
    title: ClassVar[str] = TITLE
    holds: ClassVar[frozenset[Feature]] = frozenset({"crowd", "empty", "split"})

    def write(self, labels: LabelSet) -> None:
        """Write images and lists; the class stands at the end of each row that is not of a face."""
        lists: dict[str, list[str]] = {}
        for sample in (sample for sample in labels.samples if sample.labelled):
            split = _NAMES.get(str(sample.split), str(sample.split))
            place = f"{_EVENT}/{sample.source_id}"
            self.place(sample, self.target / f"WIDER_{split}" / "images" / place)
            lists.setdefault(split, []).extend([place, str(len(sample.annotations)), *_rows(sample)])
        folder = self.target / "wider_face_split"
        folder.mkdir(parents=True, exist_ok=True)
        for split, lines in lists.items():
            text = "".join(f"{line}\n" for line in lines)
            (folder / f"wider_face_{split}_bbx_gt.txt").write_text(text, encoding="utf-8", newline="\n")

    def losses(self, samples: Iterable[Sample]) -> Counter[str]:
        """Also the boxes that are rounded to whole pixels; the attributes of the format are kept."""
        rounded: Counter[str] = Counter()

        def watched() -> Iterator[Sample]:
            for sample in samples:
                for annotation in sample.annotations:
                    if not all(float(value).is_integer() for value in annotation.xyxy):
                        rounded["box not in whole pixels"] += 1
                yield replace(sample, annotations=tuple(map(_without_flags, sample.annotations)))

        return super().losses(watched()) + rounded


def _rows(sample: Sample) -> Iterator[str]:
    if not sample.annotations:
        yield " ".join(["0"] * 10)
    for annotation in sample.annotations:
        x0, y0, x1, y1 = (round(value) for value in annotation.xyxy)
        values = {name: annotation.attributes.get(name, 0) for name in ATTRIBUTES}
        values["invalid"] = int(annotation.iscrowd)
        flags = [value if isinstance(value, int) else 0 for value in values.values()]
        word = [] if annotation.category == FACE else [one_word(annotation.category)]
        yield " ".join(map(str, (x0, y0, max(x1 - x0, 1), max(y1 - y0, 1), *map(int, flags), *word)))


def _without_flags(annotation: Annotation) -> Annotation:
    others = {k: v for k, v in annotation.attributes.items() if k not in ATTRIBUTES or not isinstance(v, int)}
    return replace(annotation, attributes=others)
