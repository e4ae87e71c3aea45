"""Tables of labels in CSV files: which known set of columns a file has, its rows, and the boxes in them."""

from __future__ import annotations

import csv
import io
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass

from amp_datasets.errors import SourceError
from amp_datasets.formats.kit.parsing import finite, parse_text
from amp_datasets.geometry.shapes import xywh_to_xyxy
from amp_datasets.model import Box, Size
from amp_datasets.storage.folder import Folder

_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "image": ("filename", "image", "imageid", "imagename", "path", "file", "filepath", "imagepath"),
    "class": ("class", "label", "labelname", "category", "classname", "name"),
    "xmin": ("xmin", "x1", "left"),
    "ymin": ("ymin", "y1", "top"),
    "xmax": ("xmax", "x2", "right"),
    "ymax": ("ymax", "y2", "bottom"),
    "bbox": ("bbox",),
    "width": ("width", "imagewidth"),
    "height": ("height", "imageheight"),
    "crowd": ("isgroupof",),
    "occluded": ("isoccluded", "occluded"),
    "truncated": ("istruncated", "truncated"),
}
_HEADERLESS = {"image": 0, "xmin": 1, "ymin": 2, "xmax": 3, "ymax": 4, "class": 5}
_SIDES = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True, slots=True)
class Table:
    """A file's rows, with the numbers of their lines, and in which column each value stands."""

    columns: Mapping[str, int]
    rows: list[tuple[int, list[str]]]
    decimal_comma: bool = False

    def value(self, row: list[str], column: str) -> str:
        """A row's value without spaces around it; empty if there is none."""
        at = self.columns.get(column, len(row))
        text = row[at].strip() if at < len(row) else ""
        return text.replace(",", ".") if self.decimal_comma and column in _SIDES else text


def parse_table(data: bytes, where: str) -> Table | None:
    """The rows of a file; None if its columns are none that we know; a SourceError if it is no table."""
    text = parse_text(data, where)
    first = text.lstrip("\n").split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    try:
        lines = csv.reader(io.StringIO(text), delimiter=delimiter)
        rows = [(lines.line_num, row) for row in lines if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise SourceError(f"this is no CSV table: {error}", where=where) from error
    if not rows:
        return None
    columns = _header(rows[0][1])
    if columns is not None:
        return Table(columns, rows[1:], delimiter == ";")
    return Table(_HEADERLESS, rows, delimiter == ";") if _is_headerless(rows[0][1]) else None


def _header(row: list[str]) -> dict[str, int] | None:
    """Where each known column stands, if there are columns for a image and for a box."""
    names = [cell.strip().lower().replace("_", "").replace(" ", "") for cell in row]
    columns = {
        column: min(names.index(alias) for alias in aliases if alias in names)
        for column, aliases in _COLUMNS.items()
        if any(alias in names for alias in aliases)
    }
    has_box = "bbox" in columns or all(side in columns for side in _SIDES)
    return columns if has_box and "image" in columns else None


def _is_headerless(row: list[str]) -> bool:
    if len(row) != 6 or "." not in row[0]:
        return False
    try:
        return not any(cell.strip() for cell in row[1:]) or len([finite(cell) for cell in row[1:5]]) == 4
    except ValueError:
        return False


def is_background(table: Table, row: list[str]) -> bool:
    """Whether a row names a image and no box."""
    return not any(table.value(row, column) for column in (*_SIDES, "bbox"))


def box_of(table: Table, row: list[str]) -> Box:
    """A row's box as it is written (pixels or shares); ValueError if there is none."""
    if "bbox" in table.columns:
        values = [finite(value) for value in table.value(row, "bbox").strip("[]() ").replace(",", " ").split()]
        if len(values) != 4:
            raise ValueError(f"bbox has {len(values)} values")
        return xywh_to_xyxy(values)
    x0, y0, x1, y1 = (finite(table.value(row, side)) for side in _SIDES)
    return (x0, y0, x1, y1)


def are_shares(table: Table) -> bool:
    """Whether no coordinate of a file is above 1."""
    found = False
    for _, row in table.rows:
        try:
            if is_background(table, row):
                continue
            if max(box_of(table, row)) > 1:
                return False
            found = True
        except ValueError:
            continue
    return found


def declared_size(table: Table, rows: list[tuple[int, list[str]]]) -> Size | None:
    """The size that a image's first row states; None if it states none that can be."""
    try:
        width, height = (finite(table.value(rows[0][1], side)) for side in ("width", "height"))
    except ValueError:
        return None
    usable = width.is_integer() and height.is_integer() and width >= 1 and height >= 1
    return (int(width), int(height)) if usable else None


def class_names(folder: Folder) -> tuple[list[str], dict[str, str]]:
    """Lists of classes: names of `name,0` in order (keras-retinanet), names by code of `/m/0abc,Name` (OpenImages)."""
    numbered: dict[int, str] = {}
    coded: dict[str, str] = {}
    for file in folder.with_suffix(".csv"):
        if not posixpath.basename(file).lower().startswith("class"):
            continue
        for line in parse_text(folder.read(file, 2**24), folder.path(file)).split("\n"):
            first, _, second = (cell.strip().strip('"') for cell in line.partition(","))
            if second.isdecimal() and len(second) < 7:
                numbered.setdefault(int(second), first)
            elif first and second and "," not in second:
                coded[first] = second
    return [numbered[number] for number in sorted(numbered)], coded


def first_lines(head: bytes) -> bytes:
    """Whole characters of a file's beginning, and whole lines where that is easily told."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return head[: len(head) // 2 * 2]
    return head.rpartition(b"\n")[0] or head
