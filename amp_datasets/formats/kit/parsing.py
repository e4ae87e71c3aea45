"""Text, JSON, numbers and class names as label files spell them; whatever the bytes are, only our errors come out."""

from __future__ import annotations

import codecs
import json
import math
import re
import reprlib
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

import numpy as np

from amp_datasets.errors import AmpError, SourceError
from amp_datasets.formats.kit.meaning.folder_words import split_name, split_of
from amp_datasets.model import FloatArray
from amp_datasets.shown import is_shown_as_it_is
from amp_datasets.storage.folder import MAX_LABEL_BYTES, Folder

__all__ = [
    "brief",
    "category_name",
    "finite",
    "is_prose",
    "is_readme",
    "looks_like",
    "parse_json",
    "parse_text",
    "plain_number",
    "points",
    "split_name",
    "split_of",
]

MAX_JSON_WEIGHT, MAX_XML_WEIGHT = 400 * 2**20, 640 * 2**20
"""Bytes that the values of a label file may take, before labels are made of them.

A file above the usual size, whose limit the user raised, may have 20 times its size.
"""

MAX_TABLE_ROWS = 500_000
"""Lines of a table; a file whose limit the user raised may have one for every 64 bytes."""

_MAX_RATIO = 20
_ROW_BYTES = 64
_MAP, _LIST, _VALUE, _ELEMENT, _ATTRIBUTE = 240, 64, 40, 380, 160

_MAX_CATEGORY_CHARACTERS = 200
_MAX_SENTENCE_CHARACTERS = 64
_SHORT = reprlib.Repr()
_SHORT.maxlevel = 2
_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_PROSE = re.compile(
    r"^[-*•=]+\s+\S+\s+\S"  # a line of a bullet list
    r"|https?\W{1,3}\w|\bwww\.|\broboflow\.(com|ai)\b"
    rf"|\b({_MONTHS})[a-z]* \d{{1,2}}[,-]? \d{{4}}\b"
    r"|\b(pre-?processing|augmentations?( techniques?)?|transformations?) (was|were) applied"
    r"|\bdataset (includes|was exported)|\bprovided by a roboflow user|^it includes\W*$|^license\W+cc\b",
    re.IGNORECASE,
)


def brief(value: object) -> str:
    """A value as a message shows it: short, however long or deep it is."""
    return _SHORT.repr(value)[:60]


def plain_number(text: str) -> str:
    """A number with a decimal point: `24,5`, `1.024,5` and `1,024.5` are written so too."""
    if "," not in text:
        return text
    if "." in text and text.rindex(".") > text.rindex(","):
        return text.replace(",", "")
    whole, _, fraction = text.rpartition(",")
    return f"{whole.replace('.', '').replace(',', '')}.{fraction}"


def finite(value: object) -> float:
    """A JSON or text value as a finite float; ValueError for anything else (booleans and huge integers too)."""
    if type(value) is float and -math.inf < value < math.inf:  # nearly every number is one: spare it what follows
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{brief(value)} is not a number")
    try:
        number = float(value)
    except (OverflowError, ValueError) as error:
        raise ValueError(f"{brief(value)} is not a number that can be used") from error
    if not math.isfinite(number):
        raise ValueError(f"{brief(value)} is not a finite number")
    return number


def is_number(value: object) -> bool:
    """Whether `finite` takes a value."""
    try:
        finite(value)
    except ValueError:
        return False
    return True


def points(values: Sequence[object]) -> FloatArray:
    """A flat list x1 y1 x2 y2 ... as an (n, 2) array; ValueError if it is not that."""
    if len(values) % 2:
        raise ValueError(f"{len(values)} coordinates are not pairs")
    return np.array([finite(value) for value in values], dtype=np.float64).reshape(-1, 2)


def category_name(value: object) -> str:
    """A class name as text, spaces at its ends cut; ValueError for what cannot be one."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"{brief(value)} is not a class name")
    name = str(value).strip()
    if not name or len(name) > _MAX_CATEGORY_CHARACTERS or not is_shown_as_it_is(name):
        raise ValueError(f"{name[:40]!r} is not a class name")
    if is_prose(name):
        raise ValueError(f"{name[:40]!r} is a line of a text such as a README, not a class name")
    return name


def is_prose(name: str) -> bool:
    """Whether a "class name" is really a line of a README, as re-uploaded exports have them."""
    return _PROSE.search(name) is not None or (len(name) > _MAX_SENTENCE_CHARACTERS and name.count(" ") >= 4)


def is_readme(name: str) -> bool:
    """Whether a file is a README: never a label file, never a list of classes."""
    return name.rpartition("/")[2].lower().startswith("readme")


def parse_text(data: bytes, where: object) -> str:
    """A label file's text: UTF-8 with or without a byte order mark, UTF-16 with one, any line ends."""
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise SourceError(
            f"this is not UTF-8 text (byte {error.start})", where=where, fix="save it as UTF-8"
        ) from error


def first_lines(folder: Folder, name: str, limit: int = 65536) -> list[str]:
    """The lines of a text file's beginning that are not blank, no line cut off; none of a file that is no text."""
    try:
        head = folder.head(name, limit)
        text = parse_text(head if len(head) < limit else head.rpartition(b"\n")[0], name)
    except AmpError:
        return []
    return [line for line in text.split("\n") if line.strip()]


def parse_json(data: bytes, where: object) -> Any:
    """A JSON document; a SourceError with line and column if it is not one."""
    refuse_heavy_json(data, where)
    try:
        return json.loads(parse_text(data, where))
    except json.JSONDecodeError as error:
        raise SourceError(f"this is not JSON: {error.msg}", where=f"{where}:{error.lineno}:{error.colno}") from error
    except RecursionError as error:
        raise SourceError("this JSON is nested too deeply", where=where) from error
    except ValueError as error:  # an integer of more than 4,300 digits
        raise SourceError(f"this JSON cannot be read: {error}", where=where) from error


def parse_xml(data: bytes, where: str) -> ElementTree.Element:
    """An XML document without a document type, so that nothing in it can expand or be fetched; else a SourceError."""
    refuse_heavy_xml(data, where)
    declared = re.match(rb"""\s*<\?xml[^>]*encoding=["']([\w.-]{1,40})["']""", data[:200])
    encoding = declared.group(1).decode() if declared else "utf-8"
    try:
        is_utf8 = codecs.lookup(encoding).name in ("utf-8", "utf-16", "ascii")
        text = parse_text(data, where) if is_utf8 else data.decode(encoding)
    except (LookupError, UnicodeError) as error:
        raise SourceError(f"this XML is not in the encoding it states ({encoding})", where=where) from error
    if re.search(r"<!\s*(DOCTYPE|ENTITY)", text, re.IGNORECASE):
        raise SourceError("an XML with a document type or entities is not read", where=where, fix="remove `<!DOCTYPE`")
    try:
        return ElementTree.fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", text))  # noqa: S314 - no document type, see above
    except (ElementTree.ParseError, ValueError) as error:
        raise SourceError(f"this is not XML: {error}", where=where) from error


def looks_like(folder: Folder, name: str, words: Sequence[bytes], limit: int = 65536) -> bool:
    """Whether a file's beginning contains all these words; False for a file that cannot be read."""
    try:
        head = folder.head(name, limit)
    except AmpError:
        return False
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        head = head.decode("utf-16", errors="replace").encode()
    return all(word in head for word in words)


def refuse_heavy_json(data: bytes, where: object) -> None:
    """A SourceError if a JSON text would take more memory than its kind is given."""
    weight = _MAP * data.count(b"{") + _LIST * data.count(b"[") + _VALUE * data.count(b",")
    _refuse(weight + _VALUE * data.count(b":"), MAX_JSON_WEIGHT, len(data), where)


def refuse_heavy_xml(data: bytes, where: object) -> None:
    """A SourceError if an XML text would take more memory than its kind is given."""
    _refuse(_ELEMENT * data.count(b"<") + _ATTRIBUTE * data.count(b"="), MAX_XML_WEIGHT, len(data), where)


def refuse_long_table(data: bytes, where: object) -> None:
    """A SourceError if a table has more lines than one is given: each costs a thousand bytes once it is read."""
    rows = max(data.count(b"\n"), data.count(b"\r"))
    most = MAX_TABLE_ROWS if len(data) <= MAX_LABEL_BYTES else max(MAX_TABLE_ROWS, len(data) // _ROW_BYTES)
    if rows > most:
        what = f"the table has {rows} lines, more than the limit of {most}"
        raise SourceError(what, where=where, fix="split it into several files")


def _refuse(weight: int, most: int, size: int, where: object) -> None:
    if size > MAX_LABEL_BYTES:
        most = max(most, _MAX_RATIO * size)
    if weight > most:
        what = f"the file holds so many values that they would take {weight / 2**20:.0f} MiB, more than the limit of "
        raise SourceError(f"{what}{most >> 20} MiB", where=where, fix="split it into several files")
