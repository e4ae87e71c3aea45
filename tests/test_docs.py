"""The documentation is true: its commands run, its code is code, its reference is what the program says."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_builds import write_set

import amp_datasets as amp
from amp_datasets.cli import run
from amp_datasets.plugin.discovery import load_registry

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
sys.path.insert(0, str(DOCS))

import reference  # noqa: E402
import strips  # noqa: E402

REGISTRY = load_registry()
PAGES = sorted(page for page in DOCS.rglob("*.md") if page.parent.name != "reference")
GUIDES = ("start", "consolidate", "multimodal", "publishing", "lazy", "plugins", "es/index")
SMALL = ["-s", "filters={flip: {how: horizontal}}", "-s", "mixes={}"]
SMALL += ["-s", "splits={train: 0.34, validation: 0.33, test: 0.33}", "-j", "1"]
"""Makes a build that is described elsewhere small; what it shows does not depend on it."""
ELSEWHERE = {"ultralytics", "transformers", "rfdetr", "posterize"}
"""Trainers, and the plugin of a page: what imports one is compiled here, and run by those tests that have it."""


def blocks(page: Path, language: str) -> list[str]:
    """The code blocks of a language."""
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(page: Path) -> Iterator[list[str]]:
    """Every command line of the bash blocks, without its comment."""
    for block in blocks(page, "bash"):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            if words:
                yield words


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the guides speak of: sets, a build, a plugin."""
    for seed, name in enumerate(("my_photos", "mis_fotos", "data/drums", "data/horns")):
        write_set(tmp_path / name, 3, seed)
    (tmp_path / "my_plugins").mkdir()
    (plugin,) = (text for text in blocks(DOCS / "plugins.md", "python") if "def register" in text)
    (tmp_path / "my_plugins" / "posterize.py").write_text(plugin, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path / "my_plugins")
    monkeypatch.chdir(tmp_path)
    amp.build("quickstart", sources=["my_photos"], out="build", settings=SMALL[1:-2:2], jobs=1)
    (tmp_path / "amp.yaml").write_text(
        "sources: [my_photos]\nfilters: {flip: {}}\nsplits: {train: 0.34, validation: 0.33, test: 0.33}\n"
    )
    return tmp_path


@pytest.mark.parametrize("name", GUIDES)
def test_the_commands_of_a_guide_run_in_their_order(name: str, place: Path) -> None:
    """As a new user types them, with a small set in place of the reader's own."""
    if name in {"start", "es/index"}:
        (place / "amp.yaml").unlink()
        shutil.rmtree(place / "build")
    seen = 0
    for words in commands(DOCS / f"{name}.md"):
        if words[0] == "amp":
            more = SMALL if words[1] == "build" and "--dry-run" not in words else []
            code = run([*words[1:], *more])
            assert code == 0 or (words[1] == "check" and code == 1), words
            seen += 1
    assert seen


@pytest.mark.parametrize("name", GUIDES)
def test_the_python_of_a_guide_runs(name: str, place: Path) -> None:
    """Block by block, each in one namespace of its own; those for trainers are compiled."""
    if name == "lazy":
        assert run(["build", "amp.yaml", "-o", "lazy", "--lazy", "-j", "1"]) == 0
    for text in blocks(DOCS / f"{name}.md", "python"):
        tree = ast.parse(text)
        imported = {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
        if {module.partition(".")[0] for module in imported} & ELSEWHERE or "load_dataset" in text:
            continue
        exec(compile(tree, f"{name}.md", "exec"), {"__name__": "snippet"})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_python_in_pages_compiles_and_its_names_exist(page: Path) -> None:
    """Also where it is not run."""
    for text in blocks(page, "python"):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("amp_datasets"):
                found: Any = __import__(str(node.module), fromlist=["*"])
                assert all(hasattr(found, alias.name) for alias in node.names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_links_lead_to_files(page: Path) -> None:
    """Those inside the documentation; headings are checked where the site is built."""
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


@pytest.mark.parametrize("name", sorted(reference.pages(REGISTRY)))
def test_the_reference_is_what_the_program_says(name: str) -> None:
    """`python docs/reference.py` writes it anew."""
    assert (DOCS / name).read_text(encoding="utf-8") == reference.pages(REGISTRY)[name]


def test_every_filter_has_a_strip() -> None:
    """`python docs/strips.py` draws them."""
    assert set(strips.LEVELS) == set(REGISTRY.filters)
    assert {path.stem for path in (DOCS / "reference").glob("*.webp")} == set(REGISTRY.filters)


def test_every_page_is_in_the_navigation() -> None:
    """A page that nobody finds is not there."""
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for page in (path for path in DOCS.rglob("*.md")):
        assert f": {page.relative_to(DOCS).as_posix()}\n" in text


def test_the_site_builds_without_warnings(tmp_path: Path) -> None:
    """With all links and headings checked."""
    pytest.importorskip("material")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "site" / "es" / "index.html").is_file()
    assert not re.search(
        r'(src|href)="https?://(?!squidfunk|github|zensical)', (tmp_path / "site/index.html").read_text()
    )
