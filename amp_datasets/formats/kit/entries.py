"""One image or label as an entry of a widespread label file: pure functions that several exporters share."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from amp_datasets.geometry import shapes as geometry
from amp_datasets.model import Sample
from amp_datasets.shown import as_cell

CSV_HEADER = ("filename", "width", "height", "class", "xmin", "ymin", "xmax", "ymax")
"""The columns that Roboflow and TensorFlow's object detection tools use."""


def createml_entry(sample: Sample, name: str | None = None) -> dict[str, Any]:
    """One image as CreateML describes it: each box by its centre in pixels; `name` if the file is called otherwise."""
    labels = []
    for annotation in sample.annotations:
        x, y, width, height = geometry.xyxy_to_cxcywh(annotation.xyxy)
        coordinates = {"x": x, "y": y, "width": width, "height": height}
        labels.append({"label": annotation.category, "coordinates": coordinates})
    return {"image": name or sample.source_id, "annotations": labels}


def write_createml(path: Path, entries: Iterable[dict[str, Any]]) -> None:
    """Write a CreateML file, one image a line."""
    lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries)
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8", newline="\n")


def csv_rows(sample: Sample, name: str | None = None, *, integers: bool = False) -> list[tuple[object, ...]]:
    """One row a label under `CSV_HEADER`, exact or in whole pixels; an image without labels has none."""
    number: Callable[[float], float] = round if integers else _plain
    return [(name or sample.source_id, *sample.size, a.category, *map(number, a.xyxy)) for a in sample.annotations]


def write_csv(path: Path, rows: Iterable[tuple[object, ...]], *, formulas: bool = False) -> None:
    """Write a table under `CSV_HEADER`; unless `formulas` says so, no text is one to a spreadsheet (`as_cell`)."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(CSV_HEADER)
        for row in rows:
            writer.writerow(row if formulas else [as_cell(cell) if isinstance(cell, str) else cell for cell in row])


def _plain(value: float) -> float:
    """A number as short as it can be written exactly."""
    return int(value) if float(value).is_integer() else float(value)


def simple_values(mapping: Mapping[str, Any]) -> dict[str, str | int | float | bool]:
    """The entries whose values are text, booleans or finite numbers."""
    return {
        key: value
        for key, value in mapping.items()
        if isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))
    }


def one_word(name: str) -> str:
    """A class name for label files whose values are separated by spaces: `_` in the place of each space."""
    return "_".join(name.split())


def words_of(names: Iterable[str]) -> dict[str, str]:
    """What the words of a label file mean where a list has the `names`: those that `one_word` wrote, and themselves."""
    names = list(names)
    words = [one_word(name) for name in names]
    return {word: name for word, name in zip(words, names, strict=True) if words.count(word) == 1} | dict(
        zip(names, names, strict=True)
    )
