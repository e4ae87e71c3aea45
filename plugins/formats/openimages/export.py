"""Writes OpenImages' tables: `images/<split>`, a table of boxes for each split, and the names of the classes."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import ClassVar

from amp_datasets.formats.base import Exporter, Feature, Options
from amp_datasets.model import LabelSet, Sample

from .columns import FLAGS, TITLE

_HEADER = (
    *("ImageID", "Source", "LabelName", "Confidence", "XMin", "XMax", "YMin", "YMax"),
    *("IsOccluded", "IsTruncated", "IsGroupOf", "IsDepiction", "IsInside"),
)


class OpenImagesExporter(Exporter[Options]):
    """Writes boxes; an image without any is left out, for the tables could not say that it is empty."""

    name: ClassVar[str] = "openimages"
    title: ClassVar[str] = TITLE
    holds: ClassVar[frozenset[Feature]] = frozenset({"crowd", "split"})

    def write(self, labels: LabelSet) -> None:
        """Write images, one table a split, and a code `/m/amp0`, `/m/amp1` ... for each class."""
        codes = {category.name: f"/m/amp{number}" for number, category in enumerate(labels.categories)}
        rows: dict[str, list[tuple[object, ...]]] = {}
        for sample in labels.samples:
            if sample.annotations:
                split = str(sample.split)
                rows.setdefault(split, []).extend(_rows(sample, codes))
                self.place(sample, self.target / "images" / split / sample.source_id)
        folder = self.target / "annotations"
        folder.mkdir(parents=True, exist_ok=True)
        names = [("LabelName", "DisplayName"), *((code, name) for name, code in codes.items())]
        tables: dict[str, Sequence[Iterable[object]]] = {"oidv6-class-descriptions.csv": names}
        tables |= {f"oidv6-{split}-annotations-bbox.csv": [_HEADER, *table] for split, table in rows.items()}
        for file, table in tables.items():
            with (folder / file).open("w", encoding="utf-8", newline="") as stream:
                csv.writer(stream, lineterminator="\n").writerows(table)

    def losses(self, samples: Iterable[Sample]) -> Counter[str]:
        """The flags of the tables are kept; other attributes are lost."""
        return super().losses(map(_without_flags, samples))


def _rows(sample: Sample, codes: dict[str, str]) -> Iterator[tuple[object, ...]]:
    width, height = sample.size
    for annotation in sample.annotations:
        x0, y0, x1, y1 = annotation.xyxy
        flags = {name: int(bool(annotation.attributes.get(name))) for name in FLAGS.values()}
        yield (
            *(PurePosixPath(sample.source_id).stem, "amp", codes[annotation.category], 1),
            *(repr(float(share)) for share in (x0 / width, x1 / width, y0 / height, y1 / height)),
            *(flags["occluded"], flags["truncated"], int(annotation.iscrowd), flags["depiction"], flags["inside"]),
        )


def _without_flags(sample: Sample) -> Sample:
    kept = frozenset(FLAGS.values())
    annotations = (
        replace(a, attributes={key: value for key, value in a.attributes.items() if key not in kept})
        for a in sample.annotations
    )
    return replace(sample, annotations=tuple(annotations))
