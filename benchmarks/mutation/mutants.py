"""Small faults put into a module: those that once survived the tests, and any number drawn at random."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator
from dataclasses import dataclass

_SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.And: ast.Or,
    ast.Or: ast.And,
}


@dataclass(frozen=True)
class Mutant:
    """A file's text with one fault in it."""

    file: str
    name: str
    text: str


def drawn(file: str, source: str, count: int, draw: random.Random) -> Iterator[Mutant]:
    """That many different faults: an operator exchanged, a condition turned round, a number changed."""
    places = len(_places(ast.parse(source)))
    for number in sorted(draw.sample(range(places), min(count, places))):
        tree = ast.parse(source)
        yield Mutant(file, _change(_places(tree)[number]), ast.unparse(tree))


def replaced(file: str, source: str, old: str, new: str) -> Mutant:
    """A fault that is written down; a ValueError if the code has moved on."""
    if source.count(old) != 1:
        raise ValueError(f"{file} has {source.count(old)} times `{old}`: write the fault down anew")
    return Mutant(file, f"`{old}` -> `{new}`", source.replace(old, new))


def _places(tree: ast.AST) -> list[ast.AST]:
    """Every node that can be changed, in an order that is the same at each parse."""
    return [node for node in ast.walk(tree) if _can_change(node)]


def _can_change(node: ast.AST) -> bool:
    if isinstance(node, ast.Compare):
        return type(node.ops[0]) in _SWAPS
    if isinstance(node, ast.BinOp | ast.BoolOp):
        return type(node.op) in _SWAPS and not isinstance(getattr(node, "left", None), ast.Constant | ast.JoinedStr)
    if isinstance(node, ast.Constant):
        return isinstance(node.value, int | float) and not isinstance(node.value, bool)
    return isinstance(node, ast.IfExp | ast.If)


def _change(node: ast.AST) -> str:
    """Put the fault in; returns what it is and where."""
    before = ast.unparse(node).partition("\n")[0]
    if isinstance(node, ast.Compare):
        node.ops[0] = _SWAPS[type(node.ops[0])]()  # type: ignore[call-overload]
    elif isinstance(node, ast.BinOp | ast.BoolOp):
        node.op = _SWAPS[type(node.op)]()  # type: ignore[assignment]
    elif isinstance(node, ast.Constant):
        node.value = node.value + 1 if isinstance(node.value, int) else node.value * 1.5 + 0.01  # type: ignore[operator]
    elif isinstance(node, ast.IfExp | ast.If):
        node.test = ast.UnaryOp(ast.Not(), node.test)
    after = ast.unparse(node).partition("\n")[0]
    return f"line {getattr(node, 'lineno', 0)}: `{before}` -> `{after}`"
