"""Text that came from outside, shown safely: on a terminal, in HTML, Markdown, CSV, JSON and logs.

A class, a file or a setting can be called anything. Escape sequences would steer a terminal, marks of writing direction
would show another text than there is, and line breaks would feign lines of ours.
"""

from __future__ import annotations

import html
import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

_JOINERS = "\u200c\u200d"
"""Invisible, and part of many words (Persian, Hindi) and of emoji."""

_ODD = re.compile(r"[^\x20-\x7e]")
_FORMULA = re.compile(r"'*[=+\-@\t\r]")


def is_shown_as_it_is(text: str) -> bool:
    """Whether a text is one line without a character that does more than show itself."""
    return not any(_does_more(letter) for letter in _ODD.findall(text))


def plain(text: str) -> str:
    r"""A text as one line for a terminal or a log: what would do more than show itself as `\x1b` or `\u202e`."""
    return _ODD.sub(lambda found: _escaped(found[0]), text)


def as_html(text: str) -> str:
    """A text inside HTML, also inside a quoted attribute."""
    return html.escape(plain(text), quote=True)


def html_table(head: Sequence[str], rows: Iterable[Sequence[object]], caption: str = "") -> str:
    """A table for a notebook's cell; nothing in it is markup, and a notebook's own style is used."""
    heads = "".join(f"<th>{as_html(name)}</th>" for name in head)
    cells = ("".join(f"<td>{as_html(str(value))}</td>" for value in row) for row in rows)
    title = f"<caption>{as_html(caption)}</caption>" if caption else ""
    body = "".join(f"<tr>{row}</tr>" for row in cells)
    return f"<table>{title}<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


def as_markdown(text: str) -> str:
    """A text inside Markdown, also inside a table: nothing of it is markup."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>|#!~&" else c for c in plain(" ".join(text.split())))


def shortened(text: str, most: int = 24) -> str:
    """A long text cut in its middle, where names of classes and files differ least."""
    if len(text) <= most:
        return text
    head = (most - 1) // 2
    return f"{text[:head]}…{text[-(most - 1 - head) :]}"


def amount(number: int, what: str) -> str:
    """A number with what it counts: `1 label`, `2 labels`, `2 source images`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def as_json(document: Any) -> str:
    """A JSON document for a terminal: the same values, odd characters by their numbers."""
    text = json.dumps(document, ensure_ascii=False, indent=2)
    return _ODD.sub(lambda found: _numbered(found[0]) if found[0] != "\n" and _does_more(found[0]) else found[0], text)


def as_cell(text: str) -> str:
    """A text in a CSV table: a spreadsheet takes one that begins with `=`, `+`, `-` or `@` for a formula and runs it.

    Such a text gets an apostrophe before it, as spreadsheets do themselves; `from_cell` takes it away.
    """
    return f"'{text}" if _FORMULA.match(text) else text


def from_cell(text: str) -> str:
    """The text that `as_cell` was given."""
    return text[1:] if text[:1] == "'" and _FORMULA.match(text) else text


def _does_more(letter: str) -> bool:
    """Controls, marks of direction, invisible signs, line and paragraph separators, halves of characters."""
    return unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and letter not in _JOINERS


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii") if _does_more(letter) else letter


def _numbered(letter: str) -> str:
    return json.dumps(letter)[1:-1]
