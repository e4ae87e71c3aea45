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
MAX_WING_FILES = 12

KNOWN_TO_ALL = {"errors", "model", "progress", "shown"}
ABOVE = "everything that stands above it"
WINGS: dict[str, set[str] | str] = {
    "shown": set(),
    "errors": set(),
    "model": set(),
    "progress": set(),
    "storage": set(),
    "geometry": set(),
    "images": {"storage"},
    "images.drawing": {"storage", "geometry"},
    "filtering": {"geometry"},
    "rows": {"geometry"},
    "formats.kit": {"storage", "geometry", "images", "rows"},
    "formats": {"storage", "geometry", "images", "formats.kit"},
    "plugin": {"filtering", "formats"},
    "variants": {"geometry", "images", "filtering", "rows", "plugin"},
    "manifest": {"plugin", "storage", "images", "filtering", "variants"},
    "manifest.roboflow": {"storage"},
    "sources": ABOVE,
    "audit": ABOVE,
    "ledger": ABOVE,
    "building": ABOVE,
    "loading": ABOVE,
    "view": ABOVE,
    "exchange": ABOVE,
    "interface": ABOVE,
    "studio": ABOVE,
    "cli": ABOVE,
    "demo": ABOVE,
    "testing": ABOVE,
}
"""Every wing, from the ground up, and which others it may import. A new wing gets its place here."""

CONTRACT = KNOWN_TO_ALL | {"plugin", "storage", "geometry", "images", "filtering", "rows", "formats.kit", "formats"}
"""What a plugin may import, shipped or not, beside the other files of its own package."""

NETWORK = {"aiohttp", "ftplib", "http", "httpx", "huggingface_hub", "requests", "socket", "urllib.request", "urllib3"}
LISTENS = {"amp_datasets/studio/serving.py": {"socket"}}
"""Who waits for connections of this machine's browser, and opens none."""
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


def wing(module: str) -> str:
    """The wing that a dotted module belongs to; the bare package is none."""
    names = [name for name in WINGS if f"{module}.".startswith(f"amp_datasets.{name}.")]
    return max(names, key=len, default="")


def wing_of(file: Path) -> str:
    """The wing that a file of the package lies in."""
    return wing(".".join(file.relative_to(ROOT).with_suffix("").parts))


def used_wings(file: Path) -> set[str]:
    """The wings that a file imports from."""
    return {wing(name) for name, _ in imports(file) if name.startswith("amp_datasets.")} - {""}


@pytest.mark.parametrize("file", [f for f in MODULES if f.parent != PACKAGE or wing_of(f)], ids=label)
def test_no_wing_imports_one_above_it(file: Path) -> None:
    """A file imports from its own wing, from what all know, and from the wings that the table grants it."""
    own = wing_of(file)
    assert own, f"{label(file)} lies in no wing: give it a place in WINGS of {label(Path(__file__))}"
    names = list(WINGS)
    above = set(names[: names.index(own)])
    granted = above if WINGS[own] == ABOVE else set(WINGS[own])
    assert granted <= above, f"WINGS grants {own} what stands below it: {granted - above}"
    assert used_wings(file) <= {own, *KNOWN_TO_ALL, *granted}


@pytest.mark.parametrize("folder", sorted({f.parent for f in MODULES}), ids=label)
def test_wings_stay_small_and_say_what_they_are_for(folder: Path) -> None:
    """At most twelve files, and a docstring that says the purpose, what is offered, and whom the wing may import."""
    assert len([f for f in folder.glob("*.py") if f.name != "__init__.py"]) <= MAX_WING_FILES
    text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or ""
    assert folder == PACKAGE or ("Offers " in text and "May import: " in text)


@pytest.mark.parametrize("file", MODULES, ids=label)
def test_private_names_stay_at_home(file: Path) -> None:
    """Nobody imports a name that begins with an underscore from another module of ours."""
    names = [name for name, _ in imports(file) if name.startswith("amp_datasets.")]
    assert not [name for name in names if any(part[:1] == "_" and part[:2] != "__" for part in name.split("."))]


@pytest.mark.parametrize("file", PLUGIN_MODULES, ids=label)
def test_plugins_use_the_contract_only(file: Path) -> None:
    """A shipped plugin lives on what an outsider's plugin gets, and knows no other plugin."""
    assert used_wings(file) <= CONTRACT
    own = ".".join(file.relative_to(ROOT).parent.parts)
    others = [name for name, _ in imports(file) if name.split(".")[0] in {"amp_plugins", "plugins"}]
    assert not [name for name in others if own.count(".") < 2 or not name.startswith(f"{own}.")]


@pytest.mark.parametrize("file", MODULES, ids=label)
def test_only_discovery_knows_where_plugins_are(file: Path) -> None:
    """Everybody else asks the registry."""
    if label(file) != "amp_datasets/plugin/discovery.py":
        assert not [name for name, _ in imports(file) if name.split(".")[0] in {"amp_plugins", "plugins"}]


@pytest.mark.parametrize("file", [*MODULES, *PLUGIN_MODULES], ids=label)
def test_only_the_hub_reaches_the_network(file: Path) -> None:
    """No module but hub*.py imports a library that opens connections."""
    if not file.name.startswith("hub"):
        dotted = {".".join(name.split(".")[:n]) for name, _ in imports(file) for n in (1, 2)}
        assert not dotted & NETWORK - LISTENS.get(label(file), set())


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
