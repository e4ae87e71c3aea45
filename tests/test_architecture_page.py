"""The page on the architecture is true: what it names exists, and every wing is on it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from test_architecture import WINGS

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PLACES = sorted(set(re.findall(r"`((?:amp_datasets|plugins)/[\w/]+\.py)(?:::([\w.]+))?`", PAGE)))


def names_in(file: Path) -> set[str]:
    """Functions, classes, methods and constants of a file: `Class.method`, `function`, `NAME`."""
    found: set[str] = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
            found |= {f"{node.name}.{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef)}
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


@pytest.mark.parametrize(("file", "name"), PLACES)
def test_what_is_named_exists(file: str, name: str) -> None:
    """A reader who follows the page finds the function in the file."""
    assert (ROOT / file).is_file()
    assert not name or name in names_in(ROOT / file)


def test_every_wing_is_named_in_its_order() -> None:
    """The table of wings is that of the rules, from the ground up."""
    table = PAGE.partition("## The wings")[2].partition("## Where is")[0]
    rows = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`([\w.]+)`", row)]
    assert named == list(WINGS), "say in docs/architecture.md what each wing is for"


def test_the_page_answers_where_things_are() -> None:
    """The questions of everybody who comes new have an answer with a file."""
    rows = [row for row in PAGE.partition("## Where is")[2].splitlines() if row.startswith("| ...")]
    assert len(rows) >= 20
    assert all("`amp_datasets/" in row for row in rows)
