"""A finished build as the page shows it: its images by variant, each beside its source, with its line of the ledger."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amp_datasets.building.workspace import is_build
from amp_datasets.errors import BuildError
from amp_datasets.ledger.lock import read_lock
from amp_datasets.ledger.replay import Replayer, image_difference
from amp_datasets.ledger.schema import MADE, read_ledger
from amp_datasets.model import Category, Size
from amp_datasets.plugin.registry import Registry
from amp_datasets.rows.schema import load_annotations
from amp_datasets.storage.files import read_file
from amp_datasets.storage.names import inside
from amp_datasets.studio.rendering import drawn, file_image

_COLUMNS = ("status", "spec", "variant", "split", "file_name", "source_id", "reason", "labels_out")
_MAX_BYTES = 2**28


@dataclass(frozen=True, slots=True)
class Line:
    """What the grid needs of a line of the ledger."""

    number: int
    status: str
    spec: str
    variant: str
    split: str
    file_name: str
    source_id: str
    reason: str
    labels_out: int


class Result:
    """One build on disk. Raises BuildError if the folder is none."""

    def __init__(self, folder: Path, registry: Registry) -> None:
        if not is_build(folder):
            raise BuildError("this folder is not a build", where=folder, fix="build it, or name another folder")
        self.folder = folder
        self.registry = registry
        self.lock = read_lock(folder)
        self.categories = tuple(Category(str(category["name"])) for category in self.lock["categories"])
        rows = read_ledger(folder, _COLUMNS)
        self.lines = [Line(number, **{name: row[name] for name in _COLUMNS}) for number, row in enumerate(rows)]
        self._labels: list[str] = []
        self._originals = {line.source_id: line for line in self.lines if line.spec == "original"}

    def summary(self) -> dict[str, Any]:
        """How many of each kind of variant and split, and what was not made, with reasons."""
        made = [line for line in self.lines if line.status == MADE]
        return {
            "folder": str(self.folder),
            "images": len(made),
            "variants": dict(Counter(line.spec for line in made)),
            "splits": dict(Counter(line.split for line in made)),
            "refused": dict(Counter(f"{line.variant}: {line.reason}" for line in self.lines if line.status != MADE)),
            "lazy": bool(self.lock["lazy"]),
        }

    def chosen(self, spec: str, split: str, name: str) -> list[Line]:
        """The images that were made of a kind of variant, in a split, with a text in their names; "" for any."""
        return [
            line
            for line in self.lines
            if line.status == MADE
            and spec in ("", line.spec)
            and split in ("", line.split)
            and name.lower() in line.file_name.lower()
        ]

    def row(self, number: int) -> Mapping[str, Any]:
        """The ledger's line with this number."""
        for index, row in enumerate(read_ledger(self.folder)):
            if index == number:
                return row
        raise BuildError("the ledger has no such line", where=self.folder, fix="look at the build again")

    def line(self, number: int) -> dict[str, Any]:
        """A line for people: what was drawn, what happened to the labels, and which image it was before."""
        row = self.row(number)
        original = self._originals.get(row["source_id"])
        told = {name: value for name, value in row.items() if name not in {"source_labels", "labels", "steps"}}
        return {
            "line": told,
            "steps": json.loads(row["steps"] or "[]"),
            "labels": len(load_annotations(row["labels"])) if row["labels"] else 0,
            "before": None if original is None or original.status != MADE else original.number,
        }

    def image(self, number: int, size: Size, labels: bool) -> bytes:
        """A made image with its labels, shrunk. Raises BuildError."""
        if not 0 <= number < len(self.lines) or self.lines[number].status != MADE:
            raise BuildError("there is no such image", where=self.folder, fix="look at the build again")
        if not self._labels:  # by themselves they are small enough to be kept, and asked for with every image
            self._labels = [row["labels"] for row in read_ledger(self.folder, ("labels",))]
        text = self._labels[number] if labels else ""
        annotations = load_annotations(text) if text else ()
        return drawn(file_image(self.file(self.lines[number])), annotations, self.categories, size)

    def file(self, line: Line) -> bytes:
        """The bytes of a line's image."""
        path = inside(self.folder, f"images/{line.split}/{line.file_name}")
        try:
            return read_file(path, _MAX_BYTES)
        except OSError as error:
            raise BuildError(f"the image cannot be read: {error}", where=path, fix="build it again") from error

    def again(self, number: int) -> dict[str, Any]:
        """Make an image once more from its source and its line, and say whether it is the same."""
        row = self.row(number)
        replayer = Replayer(self.folder)
        made = replayer.make(row)
        differences = replayer.differences()
        if not made.same_image:
            differences.append(image_difference(made.data, self.file(self.lines[number])))
        return {"same_image": made.same_image, "same_labels": made.same_labels, "differences": differences}
