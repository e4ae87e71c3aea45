"""The public names: listed, documented, typed, and what the command line shows is what they return."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest
from small_builds import write_set

import amp_datasets as amp
from amp_datasets.plugin.discovery import load_registry


def test_dir_shows_what_users_call() -> None:
    """Public names and the filters, and nothing of how they are found."""
    filters = {plugin.__name__ for plugin in load_registry().filters.values()}
    assert set(dir(amp)) == {*amp.__all__, *filters}, "write a new filter's class into amp_datasets/__init__.py"
    assert not [name for name in dir(amp) if name in {"importlib", "os", "annotations", "Any", "TYPE_CHECKING"}]


@pytest.mark.parametrize("name", [name for name in amp.__all__ if name != "__version__"])
def test_every_public_name_is_documented(name: str) -> None:
    """And stands in the table of contents that `help(amp)` shows."""
    assert inspect.getdoc(getattr(amp, name))
    assert f"`{name}`" in str(amp.__doc__)


def test_an_unknown_name_says_what_there_is() -> None:
    """Filters by their class names; everything else as Python has it."""
    with pytest.raises(AttributeError, match=r"there is no filter 'Rotato'; there are: .*Rotate"):
        amp.Rotato  # noqa: B018
    with pytest.raises(AttributeError, match="has no attribute"):
        amp.biuld  # noqa: B018


def test_the_command_line_shows_what_the_functions_return(tmp_path: Path) -> None:
    """The same documents, key by key."""
    write_set(tmp_path / "set", 2)

    def command(*words: str) -> object:
        """What a command prints as JSON."""
        done = subprocess.run(
            [sys.executable, "-m", "amp_datasets", *words, "--json"], capture_output=True, check=False, cwd=tmp_path
        )
        return json.loads(done.stdout)

    here = str(tmp_path / "set")
    build = amp.build(amp.Recipe([amp.Flip()]), sources=[here], out=tmp_path / "build")
    assert build.variants > 0
    pairs = [
        (("check", here), amp.check(here)),
        (("filters",), amp.filters()),
        (("filters", "blur"), amp.describe("blur")),
        (("verify", "build"), amp.verify(tmp_path / "build")),
        (("diff", "build", "build"), amp.diff(tmp_path / "build", tmp_path / "build")),
    ]
    for words, report in pairs:
        shown = json.dumps(command(*words), sort_keys=True).replace(str(tmp_path) + "/", "")
        assert shown == json.dumps(report.to_json(), sort_keys=True).replace(str(tmp_path) + "/", ""), words
    assert len(amp.read(here).samples) == 2
    assert amp.convert(here, to="voc", out=tmp_path / "voc").images == 2
    assert [rule.id for rule in amp.explain("amp309")] == ["AMP309"]


def test_an_export_can_be_one_zip(tmp_path: Path) -> None:
    """It reads back as the folder does, and is never overwritten."""
    write_set(tmp_path / "set", 2)
    report = amp.convert(tmp_path / "set", to="coco", out=tmp_path / "packed", zipped=True)
    assert report.out == str(tmp_path / "packed.zip")
    assert len(amp.read(tmp_path / "packed.zip").samples) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["packed.zip", "set"]
    with pytest.raises(amp.AmpError, match="there already"):
        amp.convert(tmp_path / "set", to="coco", out=tmp_path / "packed", zipped=True)
