"""A manifest's text changed in place: only the words of what changes are replaced, all else stays byte for byte.

Libraries that keep comments write the whole document anew: lists are indented differently and aligned comments move.
Here the position of every value in the text is known (YAML's own marks), and a change is a splice at that position.
Whatever was spliced is read again, and must then say exactly what was asked for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from amp_datasets.errors import ManifestError
from amp_datasets.storage.yaml import KeyPath, parse_yaml

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_SPOKEN = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}


def with_value(text: str, path: KeyPath, value: Any) -> str:
    """The text with `value` at `path`, maps on the way made where there are none. Raises ManifestError."""
    found = _parsed(text)
    return _checked(text, _laid(found, path, value), lambda: _set(text, path, value))


def without(text: str, path: KeyPath) -> str:
    """The text without what stands at `path`; a map that becomes empty stays as `{}`. Raises ManifestError."""
    found = _parsed(text)
    return _checked(text, _taken(found, path), lambda: _delete(text, path))


def written(value: Any) -> str:
    """A value in one line of YAML, as people write it: `{degrees: [5, 15]}`, `[flip, rotate: {degrees: 5}]`."""
    if isinstance(value, dict):
        return "{" + ", ".join(_pair(key, inner) for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_item(inner) for inner in value) + "]"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return json.dumps(value)


def _pair(key: object, value: Any) -> str:
    return f"{_text(str(key))}:" if value is None else f"{_text(str(key))}: {written(value)}"


def _item(value: Any) -> str:
    if isinstance(value, dict) and len(value) == 1:
        key, inner = next(iter(value.items()))
        return _text(str(key)) if inner in (None, {}) else _pair(key, inner)
    return written(value)


def _text(value: str) -> str:
    if _PLAIN.fullmatch(value) and value.lower() not in _SPOKEN:
        return value
    quoted = json.dumps(value, ensure_ascii=False)
    return "".join(letter if letter.isprintable() else _escaped(ord(letter)) for letter in quoted)


def _escaped(number: int) -> str:
    """An odd character in double quotes; YAML knows no surrogate pairs, which JSON's own escapes are made of."""
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _parsed(text: str) -> Any:
    return parse_yaml(text.encode(), Path("manifest")).value or {}


def _checked(text: str, expected: Any, change: Any) -> str:
    """What a change gives, if it says what is `expected`; else every key that differs is written anew."""
    try:
        result = str(change())
        if _says(result, expected):
            return result
    except (ManifestError, yaml.YAMLError, IndexError, ValueError):
        pass
    result = _rewritten(text, expected)
    if _says(result, expected):
        return result
    raise ManifestError("this manifest cannot be changed by a click", fix="change its text instead")


def _says(text: str, expected: Any) -> bool:
    return bool(_bare(_parsed(text)) == _bare(expected))


def _bare(value: Any) -> Any:
    """A document without what says nothing: a step without settings is its name."""
    if isinstance(value, dict):
        return {str(key): _bare(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        items = [_bare(inner) for inner in value]
        return [next(iter(i)) if isinstance(i, dict) and len(i) == 1 and not next(iter(i.values())) else i
                for i in items]  # fmt: skip
    return value


def _laid(document: Any, path: KeyPath, value: Any) -> Any:
    if not path:
        return value
    key = path[0]
    if isinstance(key, int):
        items = list(document or [])
        items[key : key + 1] = [_laid(items[key] if key < len(items) else None, path[1:], value)]
        return items
    if not isinstance(document, dict | None):
        raise ManifestError(f"`{key}` has no place where the manifest has {written(document)}", fix="change its text")
    inner = document or {}
    return {**inner, key: _laid(inner.get(key), path[1:], value)}


def _taken(document: Any, path: KeyPath) -> Any:
    key = path[0]
    there = range(len(document)) if isinstance(document, list) else document if isinstance(document, dict) else ()
    if key not in there:
        raise ManifestError(f"there is no `{key}` to take away", fix="look at the manifest again")
    if len(path) > 1:
        return _laid(document, (key,), _taken(document[key], path[1:]))
    if isinstance(document, dict):
        return {name: value for name, value in document.items() if name != key}
    return [value for index, value in enumerate(document) if index != key]


def _set(text: str, path: KeyPath, value: Any) -> str:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if root is None:
        return text + ("" if not text or text.endswith("\n") else "\n") + _line(str(path[0]), _nested(path[1:], value))
    node, depth = root, 0
    while depth < len(path):
        inner = _child(node, path[depth])
        if inner is None:
            return _insert(text, node, path, depth, _nested(path[depth + 1 :], value))
        node, depth = inner, depth + 1
    return _replace(text, node, path, value)


def _replace(text: str, node: yaml.Node, path: KeyPath, value: Any) -> str:
    """Only what differs inside of a value is replaced, so that its comments stay."""
    if isinstance(node, yaml.MappingNode) and isinstance(value, dict) and node.value and value:
        was = {str(key.value): inner for key, inner in node.value}
        now = _parsed(text)
        for part in path:
            now = now[part]
        for name in [name for name in was if name not in value]:
            text = _delete(text, (*path, name))
        for name, inner in value.items():
            if name not in was or _bare(now[name]) != _bare(inner):
                text = _set(text, (*path, name), inner)
        return text
    start, end = node.start_mark.index, _end(node, text)
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        start = text.rindex(":", 0, start) + 1
        return f"{text[:start]} {written(value)}{text[end:]}"
    space = " " if start == end and text[start - 1 : start] != " " else ""
    new = f"{space}{written(value)}"
    return f"{text[:start]}{new}{_aligned(text[end:], len(new) - (end - start))}"


def _aligned(rest: str, longer: int) -> str:
    """What follows on a line, with a comment that stood in a column of its own still there, if there is room."""
    gap = len(rest) - len(rest.lstrip(" "))
    if gap < 2 or rest[gap : gap + 1] != "#":
        return rest
    return " " * max(2, gap - longer) + rest[gap:]


def _insert(text: str, node: Any, path: KeyPath, depth: int, value: Any) -> str:
    """A new entry at the end of a map or list."""
    key = path[depth]
    new = _item(value) if isinstance(key, int) else _pair(key, value)
    filled = isinstance(node, yaml.CollectionNode) and bool(node.value)
    if not filled:
        start, end = node.start_mark.index, _end(node, text)
        if isinstance(key, int):
            return f"{text[:start].rstrip(' ')} [{new}]{text[end:]}"
        if depth == 1:
            return f"{text[:start].rstrip(' ')}{_comment_then(text[end:], f'  {new}')}"
        return f"{text[:start].rstrip(' ')} {{{new}}}{text[end:]}"
    last = node.value[-1]
    at = _end(last[1], text) if isinstance(last, tuple) else _end(last, text)
    if node.flow_style:
        return f"{text[:at]}, {new}{text[at:]}"
    stop = text.find("\n", at)
    stop = len(text) if stop < 0 else stop
    first = node.value[0][0] if isinstance(node, yaml.MappingNode) else node.value[0]
    indent = " " * (first.start_mark.column - (2 if isinstance(key, int) else 0))
    if depth == 0:
        new = _line(str(key), value).rstrip("\n")
    return f"{text[:stop]}\n{indent}{'- ' if isinstance(key, int) else ''}{new}{text[stop:]}"


def _comment_then(rest: str, line: str) -> str:
    """What follows on a line, then a line below it."""
    here, break_, after = rest.partition("\n")
    return f"{here}\n{line}{break_}{after}"


def _delete(text: str, path: KeyPath) -> str:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    parent: Any = root
    for key in path[:-1]:
        parent = _child(parent, key)
    entries = parent.value
    wanted = path[-1]
    index = next(i for i, entry in enumerate(entries) if wanted in (i, getattr(entry[0], "value", None)
                 if isinstance(entry, tuple) else i))  # fmt: skip
    entry = entries[index]
    first, last = entry if isinstance(entry, tuple) else (entry, entry)
    start, end = first.start_mark.index, _end(last, text)
    if len(entries) == 1 and parent is not root:
        return _replaced_by_nothing(text, parent)
    if parent.flow_style:
        if index + 1 < len(entries):
            after = entries[index + 1]
            return text[:start] + text[(after[0] if isinstance(after, tuple) else after).start_mark.index :]
        before = entries[index - 1]
        return text[: _end(before[1] if isinstance(before, tuple) else before, text)] + text[end:]
    line = text.rfind("\n", 0, start) + 1
    if text[line:start].strip(" ") not in {"", "-"}:
        raise ValueError("another entry stands on the same line")
    stop = text.find("\n", end)
    return text[:line] + ("" if stop < 0 else text[stop + 1 :])


def _replaced_by_nothing(text: str, node: yaml.CollectionNode) -> str:
    nothing = "{}" if isinstance(node, yaml.MappingNode) else "[]"
    start, end = node.start_mark.index, _end(node, text)
    if not node.flow_style:
        start = text.rindex(":", 0, start) + 1
        return f"{text[:start]} {nothing}{text[end:]}"
    return f"{text[:start]}{nothing}{text[end:]}"


def _end(node: yaml.Node, text: str) -> int:
    """Where a value's own words end; YAML's mark of a block is where the next one begins."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last, text)
    end = int(node.end_mark.index)
    return len(text[:end].rstrip()) if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">") else end


def _child(node: yaml.Node, key: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((inner for name, inner in node.value if name.value == str(key)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        return node.value[key]  # type: ignore[no-any-return] # PyYAML has no types for it
    return None


def _nested(path: Sequence[str | int], value: Any) -> Any:
    for key in reversed(path):
        value = [value] if isinstance(key, int) else {key: value}
    return value


def _line(key: str, value: Any) -> str:
    """A key of the manifest itself; filters and mixes get a line each."""
    if isinstance(value, dict) and value and key in {"filters", "mixes"}:
        return f"{key}:\n" + "".join(f"  {_pair(name, inner)}\n" for name, inner in value.items())
    return f"{_pair(key, value)}\n"


def _rewritten(text: str, expected: Any) -> str:
    """Every top-level key that differs written anew at its old place, or at the end."""
    found = _parsed(text)
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    for name, node in reversed(_entries(root)):
        start, end = name.start_mark.index, _end(node, text)
        if name.value not in expected:
            text = text[:start] + text[end:].lstrip("\n")
        elif _bare(found[name.value]) != _bare(expected[name.value]):
            text = text[:start] + _line(name.value, expected[name.value]).rstrip("\n") + text[end:]
    new = [_line(key, value) for key, value in expected.items() if key not in found]
    return (text if text.endswith("\n") or not text else f"{text}\n") + "".join(new)


def _entries(root: Any) -> list[tuple[Any, Any]]:
    entries: Iterable[tuple[Any, Any]] = root.value if isinstance(root, yaml.MappingNode) else ()
    return list(entries)
