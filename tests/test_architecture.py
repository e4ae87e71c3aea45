"""The rules of the house: who may import whom, who may reach the network, how long things may get."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "amp_datasets"
PLUGINS = ROOT / "plugins"
MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 45

FROM_TOP_TO_BOTTOM = """
    errors progress collector model geometry rle warp seeding recipe splits
    losses file_names placing folder image probe parsing pictures cleaning reading formats
    class_meaning filter_parts filter registry discovery settings filters
    yaml_file labels applied variants rows table parquet_file arrow_rows
    coco_file coco_label csv_file yolo_rows yolo_yaml yolo_splits conversation
    manifest complaints manifest_reading manifest_writing schema
    hub_source sources source_finder duplicates classes consolidate
    label_checks audit_rules audit_labels audit_pictures audit_report audit
    ledger making remaking lazy built workspace report card engines
    export preparing preview finishing building replay verify diff
    merge loading hub training catalogue starting
    console commands cli __main__
    scenery demo
"""
ORDER = FROM_TOP_TO_BOTTOM.split()
"""A module may import those before it, nothing after it. A new module gets its place here."""

CONTRACTS = {"class_meaning", "errors", "filter", "folder", "formats", "geometry", "image", "model", "reading"}
CONTRACTS |= {"registry", "warp"}
FORMAT_PARTS = {"cleaning", "conversation", "parsing", "pictures", "probe", "rle", "rows", "table"}
FORMAT_PARTS |= {"arrow_rows", "coco_file", "coco_label", "csv_file", "parquet_file"}
FORMAT_PARTS |= {"source_finder", "yolo_rows", "yolo_splits", "yolo_yaml"}
"""What several formats share; none of it imports a plugin."""

NETWORK = {"aiohttp", "ftplib", "http", "httpx", "huggingface_hub", "requests", "socket", "urllib.request", "urllib3"}
HEAVY = ("albumentations", "cv2", "datasets", "numpy", "pandas", "pyarrow", "shapely", "torch")

MODULES = sorted(PACKAGE.rglob("*.py"))
PLUGIN_MODULES = sorted(PLUGINS.rglob("*.py"))
SOURCES = [*MODULES, *PLUGIN_MODULES, ROOT / "cli.py", *sorted((ROOT / "docs").glob("*.py"))]
SOURCES += sorted((ROOT / "benchmarks").rglob("*.py"))


def label(file: Path) -> str:
    """A file's path in the checkout, for test ids and messages."""
    return file.relative_to(ROOT).as_posix()


def imports(file: Path) -> Iterator[tuple[str, int]]:
    """Every module that a file imports when it runs, anywhere in it, with the line; for types only does not count."""
    package = [*file.relative_to(ROOT).parent.parts]
    for node in run_time_nodes(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((f"{module}.{alias.name}", node.lineno) for alias in node.names)


def run_time_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but the bodies of `if TYPE_CHECKING:`."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            yield from (node for other in child.orelse for node in (other, *run_time_nodes(other)))
            continue
        yield child
        yield from run_time_nodes(child)


def room(file: Path) -> str:
    """The name in ORDER that a file of the package stands under: its module, or its folder."""
    return file.relative_to(PACKAGE).with_suffix("").parts[0]


def own_imports(file: Path) -> set[str]:
    """The rooms of the package that a file uses."""
    names = {name.split(".")[1] for name, _ in imports(file) if name.startswith("amp_datasets.")}
    return {name for name in names if (PACKAGE / f"{name}.py").exists() or (PACKAGE / name).is_dir()}


@pytest.mark.parametrize("file", [f for f in MODULES if room(f) != "__init__"], ids=label)
def test_imports_point_one_way(file: Path) -> None:
    """A module uses what stands above it in ORDER, nothing below."""
    assert room(file) in ORDER, (
        f"{label(file)} has no place yet: add `{room(file)}` to ORDER in {label(Path(__file__))}"
    )
    place = ORDER.index(room(file))
    unknown = own_imports(file) - set(ORDER)
    assert not unknown, f"{label(file)} imports {unknown}, which ORDER lacks"
    upward = {name for name in own_imports(file) if name != room(file) and ORDER.index(name) > place}
    assert not upward, f"{label(file)} imports {upward}, which stand below it in ORDER"


@pytest.mark.parametrize("file", PLUGIN_MODULES, ids=label)
def test_plugins_use_the_contracts_only(file: Path) -> None:
    """A shipped plugin lives on what an outsider's plugin gets, and knows no other plugin."""
    assert own_imports(file) <= CONTRACTS | FORMAT_PARTS
    assert not [name for name, _ in imports(file) if name.split(".")[0] in {"amp_plugins", "plugins"}]


@pytest.mark.parametrize("file", MODULES, ids=label)
def test_only_discovery_knows_where_plugins_are(file: Path) -> None:
    """Everybody else asks the registry."""
    if label(file) != "amp_datasets/discovery.py":
        assert not [name for name, _ in imports(file) if name.split(".")[0] in {"amp_plugins", "plugins"}]


@pytest.mark.parametrize("file", [*MODULES, *PLUGIN_MODULES], ids=label)
def test_only_the_hub_reaches_the_network(file: Path) -> None:
    """No module but hub*.py imports a library that opens connections."""
    if not file.name.startswith("hub"):
        dotted = {".".join(name.split(".")[:n]) for name, _ in imports(file) for n in (1, 2)}
        assert not dotted & NETWORK


@pytest.mark.parametrize("file", SOURCES, ids=label)
def test_files_and_functions_stay_short(file: Path) -> None:
    """One idea a file, one thing a function."""
    text = file.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_FILE_LINES
    functions = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    long = {f.name: f.end_lineno - f.lineno + 1 for f in functions if f.end_lineno is not None}
    assert {name: lines for name, lines in long.items() if lines > MAX_FUNCTION_LINES} == {}


def test_no_module_is_a_drawer_for_odds_and_ends() -> None:
    """A module is named after its idea."""
    stems = {part for file in SOURCES for part in file.relative_to(ROOT).with_suffix("").parts}
    assert not stems & {"utils", "util", "helpers", "helper", "common", "misc"}


def test_order_names_no_module_twice() -> None:
    """Otherwise a place would be ambiguous."""
    assert len(set(ORDER)) == len(ORDER)


def command_line(*arguments: str) -> str:
    """The code of a program that runs a command of ours."""
    return (
        f"import sys; sys.argv = {['amp', *arguments]!r}; from amp_datasets.cli import main\n"
        "try: main()\nexcept SystemExit as end: assert not end.code, end.code"
    )


@pytest.mark.parametrize("code", ["import amp_datasets", command_line("--help")], ids=["import", "help"])
def test_start_is_light(code: str) -> None:
    """Neither the bare import nor `amp --help` loads the libraries that take seconds."""
    assert heavy_modules(code) == set()


def test_a_conversion_starts_without_the_libraries_of_a_build(tmp_path: Path, demo_folder: Path) -> None:
    """`amp export` reads and writes labels: it needs neither the filters nor `datasets`."""
    code = command_line("export", str(demo_folder), "--to", "yolo", "-o", str(tmp_path / "out"))
    assert heavy_modules(code) <= {"cv2", "numpy", "pyarrow", "shapely"}


def heavy_modules(code: str) -> set[str]:
    """Which of the heavy libraries a program has loaded at its end."""
    report = f"\nimport json, sys; print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code + report], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))
