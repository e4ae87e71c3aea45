"""Tables of labels in CSV files: their rows, and what single cells say."""

from __future__ import annotations

import csv
import io
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, replace

from amp_datasets.errors import SourceError
from amp_datasets.formats.kit.parsing import finite, parse_text, plain_number, refuse_long_table, split_name
from amp_datasets.model import Size
from amp_datasets.shown import from_cell
from amp_datasets.storage.folder import Folder

from .columns import Columns, columns_of, headerless

Row = list[str]


@dataclass(frozen=True, slots=True)
class Table:
    """A file's rows, with the numbers of their lines, and what its columns hold."""

    columns: Columns
    rows: list[tuple[int, Row]]
    header: Row

    def cell(self, row: Row, at: int | None) -> str:
        """A cell without spaces around it or an apostrophe before a formula; empty if there is none."""
        return from_cell(row[at].strip()) if at is not None and at < len(row) else ""

    def image(self, row: Row) -> str:
        """What a row calls its image."""
        return self.cell(row, self.columns.images[0])

    def flag(self, row: Row, name: str) -> bool:
        """Whether a flag is set."""
        return self.cell(row, self.columns.flags.get(name)).lower() in ("1", "true", "yes")

    def split(self, row: Row) -> str | None:
        """The split that a row names, if the table has a column for it."""
        return split_name(self.cell(row, self.columns.split))

    def is_background(self, row: Row) -> bool:
        """Whether a row names an image and no box."""
        return not any(self.cell(row, at) for at in self.columns.coordinates)

    def numbers(self, row: Row) -> list[float]:
        """The four numbers of a row's box as they are written; ValueError if there are none."""
        if self.columns.box is not None:
            return [finite(plain_number(self.cell(row, at))) for at in self.columns.box]
        values = self.cell(row, self.columns.bbox).strip("[](){} ").replace(",", " ").replace(";", " ").split()
        if len(values) != 4:
            raise ValueError(f"bbox has {len(values)} values")
        return [finite(value) for value in values]

    def area(self, row: Row) -> str | None:
        """The area that a row states."""
        return self.cell(row, self.columns.area) or None

    def with_columns(self, columns: Columns) -> Table:
        """The same rows, read by other columns."""
        return replace(self, columns=columns)

    def declared_size(self, row: Row) -> Size | None:
        """The size of its image that a row states; None if it states none that can be."""
        if self.columns.size is None:
            return None
        try:
            width, height = (finite(self.cell(row, at)) for at in self.columns.size)
        except ValueError:
            return None
        usable = width.is_integer() and height.is_integer() and width >= 1 and height >= 1
        return (int(width), int(height)) if usable else None


def parse_table(data: bytes, where: str) -> Table | None:
    """The rows of a file; None if its columns are none that we know; a SourceError if it is no table."""
    refuse_long_table(data, where)
    text = parse_text(data, where)
    first = text.lstrip("\n").split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    try:
        lines = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True)
        rows = [(lines.line_num, row) for row in lines if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise SourceError(f"this is no CSV table: {error}", where=where) from error
    if not rows:
        return None
    columns = columns_of(rows[0][1])
    if columns is not None:
        return Table(columns, rows[1:], rows[0][1])
    columns = headerless(rows[0][1])
    return None if columns is None else Table(columns, rows, [])


def class_names(folder: Folder) -> tuple[dict[int, str], dict[str, str]]:
    """Lists of classes: names by number of `name,0` (keras-retinanet), by code of `/m/0abc,Name` (OpenImages).

    OpenImages calls its file `class-descriptions-boxable.csv`, its tools put `oidv6-` and the like before that.
    """
    numbered: dict[int, str] = {}
    coded: dict[str, str] = {}
    for file in folder.with_suffix(".csv", ".tsv"):
        if not is_class_list(file):
            continue
        for line in parse_text(folder.read(file, 2**24), folder.path(file)).split("\n"):
            first, _, second = (cell.strip().strip('"') for cell in line.partition(","))
            if second.isdecimal() and len(second) < 7:
                numbered.setdefault(int(second), first)
            elif first and second and "," not in second:
                coded[first] = second
    return dict(sorted(numbered.items())), coded


def is_class_list(file: str) -> bool:
    """Whether a file is called as lists of classes are."""
    bare = posixpath.basename(file).lower().replace("_", "-")
    return bare.startswith("class") or "class-descriptions" in bare


def first_lines(head: bytes) -> bytes:
    """Whole characters of a file's beginning, and whole lines where that is easily told."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return head[: len(head) // 2 * 2]
    return head.rpartition(b"\n")[0] or head


def values(table: Table, at: int) -> Iterator[str]:
    """What stands in one column, without the empty cells."""
    return (text for _, row in table.rows if (text := table.cell(row, at)))
