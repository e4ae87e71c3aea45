"""The fuzzing harness runs at every test run, on the same few inputs: only errors of ours come out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from amp_datasets.audit.api import audit_path
from amp_datasets.plugin.discovery import load_registry

FOLDER = Path(__file__).parents[1] / "benchmarks" / "fuzz"
OTHERS = ("manifest", "image", "zip", "parquet-ledger", "ledger", "lock", "rows", "labels", "names")
MAX_CORPUS_BYTES = 10**6


@pytest.fixture(scope="module", autouse=True)
def _harness() -> Iterator[None]:
    """The harness's modules; benchmarks are no package."""
    sys.path.insert(0, str(FOLDER))
    yield
    sys.path.remove(str(FOLDER))


@pytest.mark.parametrize("name", [*sorted(load_registry().sources), *OTHERS])
def test_damaged_input_gives_errors_of_ours(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A few dozen inputs a target, the same ones each time; a finding prints itself with its input."""
    from fuzz import run

    assert run(name, inputs=25 if name in {"ledger", "lock", "parquet-ledger"} else 60, seconds=60, seed=1) == 0


def test_the_harness_knows_every_target() -> None:
    """A new one is run here too, and the inputs that are kept belong to one."""
    from targets import CORPUS, names

    assert set(names()) == {*load_registry().sources, *OTHERS}
    assert {path.name for path in CORPUS.iterdir()} <= set(names())
    assert sum(path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()) < MAX_CORPUS_BYTES


@pytest.mark.parametrize("name", sorted(load_registry().sources))
def test_a_set_of_every_format_is_found_and_said(name: str, tmp_path: Path) -> None:
    """`amp check -v` of the set that fuzzing starts from names its format, why it was found, and labels."""
    from targets import write_set

    folder = tmp_path / "set"
    write_set(name, folder)
    report = audit_path(folder, load_registry())
    (line, *_) = report.as_text(True)
    assert f"{name}: " in line
    assert sum(report.classes.values())
