"""Tables of files and classes: one row an image, its class by name or number, or a column of 0 and 1 for each class."""

from __future__ import annotations

import csv
import io
import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from amp_datasets.errors import AmpError, SourceError
from amp_datasets.formats.kit.image_lookup import ImageLookup
from amp_datasets.formats.kit.parsing import parse_text, refuse_long_table
from amp_datasets.storage.folder import Folder

_IMAGE = ("filename", "file", "image", "imagename", "path", "filepath", "imagepath", "img", "imageid", "id", "name")
_CLASS = ("label", "class", "labels", "category", "labelname", "classname", "target", "species", "breed", "type")
_SPLIT = ("split", "set", "subset", "dataset", "partition")
_BOX = frozenset({"xmin", "ymin", "xmax", "ymax", "bbox", "x1", "y1", "x2", "y2", "x", "y", "width", "height"})
_LOOKED_AT = 2000


@dataclass(frozen=True, slots=True)
class ClassTable:
    """The rows of a table, the columns of image, class and split; or the names of the columns of 0 and 1."""

    rows: list[tuple[int, list[str]]]
    image: int
    category: int | None
    split: int | None
    marks: dict[int, str]

    def classes_of(self, row: Sequence[str]) -> list[str]:
        """The classes that a row gives its image."""
        if self.category is None:
            return [name for at, name in self.marks.items() if at < len(row) and row[at].strip() in ("1", "1.0")]
        text = row[self.category].strip() if self.category < len(row) else ""
        return [text] if text else []


def class_tables(folder: Folder, images: ImageLookup) -> Iterator[tuple[str, ClassTable]]:
    """The tables of a folder that give classes to its images; what cannot be read is none of them."""
    left = {*forms(folder)}
    for file in (name for name in folder.with_suffix(".csv", ".tsv") if name not in left):
        try:
            table = _table(folder.read(file), file, images)
        except AmpError:
            continue
        if table is not None:
            yield file, table


def forms(folder: Folder) -> list[str]:
    """The tables that competitions give as examples of what to hand in: the classes in them are no labels."""
    return [name for name in folder.with_suffix(".csv") if "submission" in posixpath.basename(name).lower()]


def _table(data: bytes, file: str, images: ImageLookup) -> ClassTable | None:
    refuse_long_table(data, file)
    text = parse_text(data, file)
    first = text.lstrip("\n").split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    try:
        reader = csv.reader(io.StringIO(text), delimiter=delimiter)
        rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise SourceError(f"this is no CSV table: {error}", where=file) from error
    if len(rows) < 2:
        return None
    names = [cell.strip().lower().replace("_", "").replace(" ", "") for cell in rows[0][1]]
    image = _column(names, _IMAGE)
    if image is None or _BOX & {*names} or len({*names}) != len(names):
        return None
    split = _column(names, _SPLIT)
    others = [at for at in range(len(names)) if at not in (image, split)]
    category = _column([name if at in others else "" for at, name in enumerate(names)], _CLASS)
    if category is None and len(others) == 1:
        category = others[0]
    if not others:
        return None
    marks = {at: rows[0][1][at].strip() for at in others} if category is None else {}
    table = ClassTable(rows[1:], image, category, split, marks)
    return table if _names_images(table, file, images) and (not marks or _are_marks(table)) else None


def _column(names: Sequence[str], known: Sequence[str]) -> int | None:
    return next((names.index(name) for name in known if name in names), None)


def _names_images(table: ClassTable, file: str, images: ImageLookup) -> bool:
    """Whether one of the first rows names an image of the set."""
    first = [row[table.image] for _, row in table.rows[:_LOOKED_AT] if table.image < len(row)]
    return any(name.strip() and images.find(name.strip(), posixpath.dirname(file)) for name in first)


def _are_marks(table: ClassTable) -> bool:
    """Whether all columns of all rows are 0 or 1: other numbers say something else."""
    values = {row[at].strip() if at < len(row) else "" for _, row in table.rows for at in table.marks}
    return len(table.marks) > 1 and values <= {"0", "1", "0.0", "1.0"}
