"""The README is true: its commands run, its code is code, its manifest builds, its links lead somewhere."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from small_builds import ledger, write_set

from amp_datasets.cli import run
from amp_datasets.plugin.catalogue import kind_of
from amp_datasets.plugin.discovery import load_registry

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
REGISTRY = load_registry()
SMALL = ["-s", "filters={flip: {how: horizontal}}", "-s", "mixes={}"]
SMALL += ["-s", "splits={train: 0.34, validation: 0.33, test: 0.33}"]
"""Makes a build that is described elsewhere small; what it shows does not depend on it."""


def blocks(language: str) -> list[str]:
    """The code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def commands(first: str) -> Iterator[list[str]]:
    """Every command line of the bash blocks that begins with a word, without its comment."""
    for block in blocks("bash"):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            if words and words[0] == first:
                yield words


def inline_commands() -> list[str]:
    """What stands in the text and tables as `amp ...`."""
    prose = re.sub(r"^```.*?^```", "", README, flags=re.MULTILINE | re.DOTALL)
    return [text for text in re.findall(r"`(amp [^`]+)`", prose) if len(text.split()) > 1]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sets that the README speaks of; its bash commands have run there in their order."""
    folder = tmp_path_factory.mktemp("readme")
    for seed, name in enumerate(("my_photos", "A", "B")):
        write_set(folder / name, 3, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for words in commands("amp"):
            small = [*SMALL, "-j", "1"] if words[1] == "build" else []
            code = run([*words[1:], *small])
            assert code == 0 or (words[1] == "check" and code == 1), words
    shutil.copytree(folder / "build", folder / "build-1")
    shutil.copytree(folder / "build", folder / "build-2")
    return folder


def test_the_commands_make_a_build(place: Path) -> None:
    """Manifest, schema and build are there after the shell lines."""
    assert {"amp.yaml", "amp.schema.json", "build"} <= {path.name for path in place.iterdir()}
    assert len(ledger(place / "build")) == 3 + 1  # one image in each split, and a variant of the one in train


@pytest.mark.parametrize("text", inline_commands())
def test_commands_in_text_and_tables_run(place: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """With real names in place of the capital words."""
    monkeypatch.chdir(place)
    made = next(row["file_name"] for row in ledger(place / "build") if row["spec"] == "flip")
    names = {"SET": "my_photos", "NAME": made, "FILE": "again.jpg", "ALL": "all"}
    words = [names.get(word, word) for word in shlex.split(text)]
    if words[1] == "filters":
        words = ["amp", "filters", "blur"]
    if words[1] == "publish":
        words.append("--dry-run")
    if words[1] == "studio":  # the real one serves until it is stopped: tests/studio goes through it
        words.append("--help")
    if words[1] == "init":
        (place / "settings.json").write_text('{"augmentation": {"blur": {"pixels": 2}}}', encoding="utf-8")
        words = ["settings.json" if word == "again.jpg" else word for word in words] + ["-o", "like_there.yaml"]
    code = run(words[1:])
    assert code == 0 or (words[1] == "check" and code == 1)


def test_make_targets_exist() -> None:
    """`make -n` knows what it would do; CI runs them."""
    targets = [words[1] for words in commands("make")]
    assert targets
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    for target in targets:
        done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip()


def test_the_package_is_called_as_the_project() -> None:
    """What pip is asked for is what is published, and named extras exist."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert ["pip", "install", project["name"]] in list(commands("pip"))
    extras = re.findall(rf"{project['name']}\[(\w+)\]", README)
    assert extras
    assert set(extras) <= set(project["optional-dependencies"])


def test_the_short_manifest_is_five_lines_and_builds(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it stands there, with every filter that it names."""
    (text,) = blocks("yaml")
    assert len(text.splitlines()) == 5
    monkeypatch.chdir(place)
    (place / "short.yaml").write_text(text, encoding="utf-8")
    assert run(["build", "short.yaml", "-o", "short", "-j", "1"]) == 0
    assert {row["spec"] for row in ledger(place / "short")} == {"original", *yaml.safe_load(text)["filters"]}


def test_python_is_python_and_its_names_exist() -> None:
    """Every snippet compiles; what it imports from us is there."""
    assert len(blocks("python")) >= 3
    for text in blocks("python"):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("amp_datasets"):
                found: Any = __import__(str(node.module), fromlist=["*"])
                assert all(hasattr(found, alias.name) for alias in node.names)
    for module, name in re.findall(r"`from (amp_datasets[\w.]*) import (\w+)`", README):
        assert hasattr(__import__(module, fromlist=["*"]), name)


def test_the_lines_for_datasets_run(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A build and its manifest give the same rows, as the comments say."""
    monkeypatch.chdir(place)
    (text,) = (text for text in blocks("python") if "amp.load" in text)
    names: dict[str, Any] = {}
    exec(compile(text, "README.md", "exec"), names)
    assert set(names["dataset"]) == {"train", "validation", "test"}
    assert names["lazy"]["train"].features == names["dataset"]["train"].features
    assert (place / "build" / "data.yaml").is_file()


LINKS = [link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]


@pytest.mark.parametrize("link", LINKS)
def test_links_lead_to_files(link: str) -> None:
    """Those into the repository."""
    assert (ROOT / link).is_file()


def test_every_filter_is_in_the_table_once_under_its_kind() -> None:
    """And nothing that is none."""
    rows = re.findall(r"^\| ([a-z0-9_, ]+) \| [^|]+ \| ([a-z, ]+) \|$", README, re.MULTILINE)
    listed = [(name, labels) for names, labels in rows for name in names.split(", ") if name != "filter"]
    assert sorted(name for name, _ in listed) == sorted(REGISTRY.filters)
    words = {"pixels": "stay", "geometry": "move", "hides": "keep what is visible", "joins": "join"}
    for name, labels in listed:
        assert labels.startswith(words[kind_of(REGISTRY.filters[name])]), name


def test_every_format_that_is_read_is_named() -> None:
    """By the name that people know."""
    (text,) = re.findall(r"^Reads (.*?)\n\n", README, re.MULTILINE | re.DOTALL)
    known = {"voc": "Pascal VOC", "huggingface": "Hugging Face"}
    for name in REGISTRY.sources:
        assert known.get(name, name).lower() in text.lower()


class Taken:
    """Stands in for a trainer, its model and its processor: remembers what it was given, and looks at two rows."""

    def __init__(self, *given: Any, **settings: Any) -> None:
        self.given, self.settings = given, settings

    def __call__(self, *, images: Any, annotations: Any, return_tensors: str) -> dict[str, Any]:
        """As an image processor of transformers is called."""
        assert return_tensors == "pt"
        return {"pixel_values": images, "labels": annotations}

    def train(self, data: str = "") -> None:
        """As Ultralytics takes a file, or as transformers takes a dataset and a collate function."""
        if data:
            assert yaml.safe_load(Path(data).read_text(encoding="utf-8"))["names"]
            return
        batch = self.settings["train_dataset"][:1]
        assert len(batch["pixel_values"]) == len(batch["labels"]) == 1
        assert callable(self.settings["data_collator"])


def test_every_python_snippet_runs(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, each from a fresh start after the one that loads, with stand-ins for trainers."""
    monkeypatch.chdir(place)
    shutil.rmtree(place / "flipped", ignore_errors=True)
    for module, offered in (("ultralytics", ["YOLO"]), ("transformers", ["Trainer", "TrainingArguments"])):
        trainers = ModuleType(module)
        trainers.__dict__.update(dict.fromkeys(offered, Taken))
        monkeypatch.setitem(sys.modules, module, trainers)
    sys.modules["transformers"].__dict__["PreTrainedTokenizerBase"] = type("Tokenizer", (), {})  # datasets looks for it
    names: dict[str, Any] = {"processor": Taken(), "model": Taken()}
    for text in blocks("python"):
        exec(compile(text, "README.md", "exec"), names)
    assert "train" in names
