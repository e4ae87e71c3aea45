"""YAML with the position of every value, and without its dangers: no tags, no aliases, no repeated keys.

Booleans are `true` and `false` only (YAML 1.2), so that a class may be called `no`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from amp_datasets.errors import ManifestError
from amp_datasets.storage.files import read_file

MAX_BYTES = 2**20
_MAX_DEPTH = 50
_BRACKET = re.compile(r"[\[\]{}]")
_OPENING = (
    yaml.BlockMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.FlowSequenceStartToken,
)
_CLOSING = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)
KeyPath = tuple[str | int, ...]


class _Loader(yaml.SafeLoader):
    """SafeLoader with YAML 1.2's booleans and no dates."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _UNWANTED]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    for _UNWANTED in [tuple(f"tag:yaml.org,2002:{kind}" for kind in ("bool", "timestamp", "merge", "int", "float"))]
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


_WHOLE = r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]*|[1-9][0-9_]*)"
_DECIMAL = r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?"
_BEYOND = r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
# YAML 1.1 also has numbers to the base 60: a megabyte of them takes a minute.
for _tag, _pattern in (("int", _WHOLE), ("float", f"{_DECIMAL}|{_BEYOND}")):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list("-+.0123456789"))


@dataclass(frozen=True)
class YamlFile:
    """A YAML document as Python values, and where in the file each of them stands."""

    path: Path
    value: Any
    marks: dict[KeyPath, tuple[int, int]]

    def where(self, path: KeyPath) -> str:
        """`file:line:column` of a value, or of the nearest one around it; the name alone of what is no file."""
        if not self.marks:
            return str(self.path)
        while path and path not in self.marks:
            path = path[:-1]
        line, column = self.marks.get(path, (1, 1))
        return f"{self.path}:{line}:{column}"


def read_yaml(path: Path) -> YamlFile:
    """The document in a file; a ManifestError that points at the problem if it is not usable."""
    try:
        data = read_file(path, MAX_BYTES, follow=True)
    except FileNotFoundError as error:
        raise ManifestError("the manifest is missing", where=path, fix="`amp init` writes one") from error
    except OSError as error:
        raise ManifestError(f"the manifest cannot be read: {error.strerror or error}", where=path) from error
    return parse_yaml(data, path)


def parse_yaml(data: bytes, path: Path) -> YamlFile:
    """The document in some bytes, as `read_yaml` gives it."""
    if len(data) > MAX_BYTES:
        raise ManifestError(f"the manifest has {len(data)} bytes, more than {MAX_BYTES}", where=path)
    marks: dict[KeyPath, tuple[int, int]] = {}
    try:
        loader = _Loader(data.decode("utf-8-sig"))
        _refuse_bombs(data.decode("utf-8-sig"), path)
        node = loader.get_single_node()
        value = None if node is None else _value(loader, node, (), marks, path)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = path if mark is None else f"{path}:{mark.line + 1}:{mark.column + 1}"
        told = str(error.problem or error.context)
        raise ManifestError(f"this is not YAML: {told}", where=where, fix=_remedy(told)) from error
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, OverflowError) as error:
        raise ManifestError(f"this is not YAML: {str(error).splitlines()[0]}", where=path) from error
    except RecursionError as error:
        raise ManifestError("this YAML is nested too deeply", where=path) from error
    return YamlFile(path, value, marks)


def _remedy(told: str) -> str | None:
    """What to do about YAML's commonest stumbling blocks."""
    if "'\\t'" in told:
        return "indent with spaces, not tabs"
    if "escape" in told:
        return "write a Windows path in single quotes, or with forward slashes"
    return None


def find_bomb(text: str, *refused: type[yaml.Token]) -> tuple[str, int, int] | None:
    """What in a YAML text could blow up its reader, with line and column: an alias, great depth, or `refused` tokens.

    Aliases make gigabytes of a small file, and depth costs the square of it.
    """
    if _is_nested(text):
        return ("this YAML is nested too deeply", 1, 1)
    depth = 0
    for token in yaml.scan(text, Loader=_Loader):
        depth += isinstance(token, _OPENING) - isinstance(token, _CLOSING)
        place = (token.start_mark.line + 1, token.start_mark.column + 1)
        if depth > _MAX_DEPTH:
            return ("this YAML is nested too deeply", *place)
        if isinstance(token, (yaml.AliasToken, yaml.AnchorToken, *refused)):
            return ("there must be no anchors, aliases or tags here", *place)
    return None


def _is_nested(text: str) -> bool:
    """Whether brackets open far deeper than they may, seen before the scanner: it takes the square of their depth."""
    depth = 0
    for found in _BRACKET.finditer(text):
        depth += 1 if found[0] in "[{" else -1
        if depth > 4 * _MAX_DEPTH:
            return True
    return False


def _refuse_bombs(text: str, path: Path) -> None:
    found = find_bomb(text, yaml.TagToken)
    if found is not None:
        what, line, column = found
        raise ManifestError(what, where=f"{path}:{line}:{column}", fix="write the value out")


def _value(loader: _Loader, node: yaml.Node, at: KeyPath, marks: dict[KeyPath, tuple[int, int]], path: Path) -> Any:
    marks.setdefault(at, (node.start_mark.line + 1, node.start_mark.column + 1))
    if isinstance(node, yaml.MappingNode):
        result: dict[Any, Any] = {}
        for key, child, key_node in _items(node):
            if key in result:
                mark = key_node.start_mark
                raise ManifestError(
                    f"`{key}` is given twice", where=f"{path}:{mark.line + 1}:{mark.column + 1}", fix="remove one"
                )
            marks[(*at, key)] = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            result[key] = _value(loader, child, (*at, key), marks, path)
        return result
    if isinstance(node, yaml.SequenceNode):
        return [_value(loader, child, (*at, index), marks, path) for index, child in enumerate(node.value)]
    return loader.construct_object(node)


def _items(node: yaml.MappingNode) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
    for key_node, child in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise yaml.MarkedYAMLError(problem="a key must be a plain word", problem_mark=key_node.start_mark)
        yield str(key_node.value), child, key_node
