"""What a text will weigh in memory once it is parsed, known before it is: small files can hold millions of values.

Each count is one pass of the C library over the bytes. The weights are upper bounds for CPython 3.11 to 3.13, measured.
"""

from __future__ import annotations

from amp_datasets.errors import SourceError

MAX_WEIGHT = 640 * 2**20
"""Bytes that the values of a label file may take; of one above the usual limit so many times its size."""

MAX_TABLE_ROWS = 500_000
"""Lines of a table; of one above the usual size one for every 64 bytes."""

_MAX_RATIO = 20
_ROW_BYTES = 64
_MAP, _LIST, _VALUE, _ELEMENT, _ATTRIBUTE = 240, 64, 40, 380, 160


def refuse_heavy_json(data: bytes, where: object) -> None:
    """A SourceError if a JSON text would take more memory than its kind is given."""
    weight = _MAP * data.count(b"{") + _LIST * data.count(b"[") + _VALUE * data.count(b",")
    _refuse(weight + _VALUE * data.count(b":"), len(data), where)


def refuse_heavy_xml(data: bytes, where: object) -> None:
    """A SourceError if an XML text would take more memory than its kind is given."""
    _refuse(_ELEMENT * data.count(b"<") + _ATTRIBUTE * data.count(b"="), len(data), where)


def refuse_long_table(data: bytes, where: object) -> None:
    """A SourceError if a table has more lines than one is given: each costs a thousand bytes once it is read."""
    rows, most = max(data.count(b"\n"), data.count(b"\r")), max(MAX_TABLE_ROWS, len(data) // _ROW_BYTES)
    if rows > most:
        what = f"the table has {rows} lines, more than the limit of {most}"
        raise SourceError(what, where=where, fix="split it into several files")


def _refuse(weight: int, size: int, where: object) -> None:
    if weight > max(MAX_WEIGHT, _MAX_RATIO * size):
        what = f"the file holds so many values that they would take {weight / 2**20:.0f} MiB, more than the limit of "
        raise SourceError(f"{what}{MAX_WEIGHT >> 20} MiB", where=where, fix="split it into several files")
