"""What a wheel of the project holds, and that nothing else comes with it."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[1]
SHIPPED = ("amp_datasets", "plugins", "manifests", "pyproject.toml", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """A wheel built from a copy of the checkout with setuptools' warnings turned into errors."""
    copy, target = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("wheel")
    for name in SHIPPED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy(source, copy / name)
    code = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(target)], cwd=copy, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (file,) = target.glob("*.whl")
    return zipfile.ZipFile(file)


def test_wheel_owns_two_names(wheel: zipfile.ZipFile) -> None:
    """Nothing at the top but the two packages and the metadata: no `cli`, no `tests`, no `plugins`."""
    tops = {PurePosixPath(name).parts[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"amp_datasets", "amp_plugins"}


def test_wheel_holds_every_module_and_manifest(wheel: zipfile.ZipFile) -> None:
    """Each file of the checkout that runs or is read at run time, under its new name."""
    folders = {"amp_datasets": "amp_datasets", "plugins": "amp_plugins", "manifests": "amp_plugins/manifests"}
    expected = {
        f"{new}/{file.relative_to(ROOT / old).as_posix()}"
        for old, new in folders.items()
        for pattern in ("*.py", "*.yaml", "*.j2", "py.typed", "static/*")
        for file in (ROOT / old).rglob(pattern)
    }
    assert {"amp_datasets/py.typed", "amp_plugins/manifests/quickstart.yaml"} <= expected
    assert {n for n in wheel.namelist() if ".dist-info/" not in n} == expected


def test_both_commands_start_the_same_program(wheel: zipfile.ZipFile) -> None:
    """`amp`, and `amp-datasets` where another tool owns `amp`."""
    parser = configparser.ConfigParser()
    parser.read_string(_metadata(wheel, "entry_points.txt"))
    assert dict(parser["console_scripts"]) == {"amp": "amp_datasets.cli:main", "amp-datasets": "amp_datasets.cli:main"}


def test_metadata_says_licence_and_python(wheel: zipfile.ZipFile) -> None:
    """MIT with its text, Python 3.11 to 3.13."""
    fields = Parser().parsestr(_metadata(wheel, "METADATA"))
    assert fields["License-Expression"] == "MIT"
    assert set(fields["Requires-Python"].split(",")) == {">=3.11", "<3.14"}
    assert "Permission is hereby granted" in _metadata(wheel, "licenses/LICENSE")


def test_every_dependency_has_both_bounds() -> None:
    """An open range is a break that waits for its day; an exact pin is a range too."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    open_ended = [text for text in project["dependencies"] if "==" not in text and not (">=" in text and "<" in text)]
    assert open_ended == []


def test_version_is_the_packages(wheel: zipfile.ZipFile) -> None:
    """One version, in the metadata, the package, and as the newest of the changelog's that has a date."""
    import amp_datasets

    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d{2}-\d{2}$", changelog, re.MULTILINE)
    assert newest is not None

    assert Parser().parsestr(_metadata(wheel, "METADATA"))["Version"] == amp_datasets.__version__
    assert newest[1] == amp_datasets.__version__


def _metadata(wheel: zipfile.ZipFile, name: str) -> str:
    (path,) = (entry for entry in wheel.namelist() if entry.endswith(f".dist-info/{name}"))
    return wheel.read(path).decode("utf-8")
