"""docs/security.md names tests that exist, for every promise, and the limits that the code has."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from amp_datasets.formats.kit import parsing, report
from amp_datasets.geometry import crossing
from amp_datasets.images.codec import Limits
from amp_datasets.ledger import checks, lock
from amp_datasets.storage import folder, members, yaml

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| *(\d+) *\|[^|]+\|([^|]+)\|$", re.MULTILINE)


def test_every_promise_names_tests_that_exist() -> None:
    """Numbered without a gap, each with at least one test that can be run."""
    rows = ROW.findall(TEXT)
    assert [int(number) for number, _ in rows] == list(range(1, len(rows) + 1))
    for number, tests in rows:
        named = re.findall(r"`([^`]+)::([^`]+)`", tests)
        assert named, number
        for file, test in named:
            tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
            assert test in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}, test


def test_the_limits_are_those_of_the_code() -> None:
    """A number that changes in one place changes in the other."""
    assert f"{Limits().max_bytes // 2**20} MiB, {Limits().max_pixels // 10**6} million" in TEXT
    assert (folder.MAX_LABEL_BYTES, folder.MAX_IMAGE_LABEL_BYTES) == (128 * 2**20, 4 * 2**20)
    assert (parsing.MAX_JSON_WEIGHT, parsing.MAX_XML_WEIGHT) == (400 * 2**20, 640 * 2**20)
    assert parsing.MAX_TABLE_ROWS == 500_000
    assert (report.MAX_LABELS, report.MAX_NOTES) == (10_000, 10**6)
    assert (members.MAX_UNPACKED_BYTES, members.MAX_RATIO) == (64 * 2**20, 20)
    assert yaml.MAX_BYTES == 2**20
    assert lock.MAX_LOCK_BYTES == 64 * 2**20
    assert checks.MAX_ROWS == 20 * 10**6
    assert (checks.MAX_LABELS_CHARS, checks.MAX_STEPS_CHARS, checks.MAX_TEXT_CHARS) == (2**24, 2**20, 2**13)
    assert (checks.MAX_VARIANTS, checks.MAX_COPIES, checks.MAX_ATTEMPTS) == (10_000, 1000, 1000)
    assert (crossing.MAX_POINTS, crossing.MAX_CROSSINGS) == (100_000, 1000)
