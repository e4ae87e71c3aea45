"""The laws that plugin authors run find what is wrong, and say it; the registry refuses what cannot work."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from small_builds import write_manifest, write_set

import amp_datasets as amp
from amp_datasets.errors import PluginError
from amp_datasets.filtering.base import Draw, PixelFilter, Settings, TableFilter
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.plugin.registry import Registry
from amp_datasets.testing import BrokenLawError, check_filter, check_format, filter_laws

ROOT = Path(__file__).parents[2]


class Negative(PixelFilter):
    """Turn every value round."""

    name: ClassVar[str] = "invert"
    examples: ClassVar[tuple[dict[str, Any], ...]] = ({},)

    class InitSchema(Settings):
        """Settings."""

    def __init__(self, p: float = 1.0) -> None:
        super().__init__(p=p)

    def get_params(self) -> Draw:
        """Nothing to draw."""
        return {}

    def apply(self, img: Any, **_: Any) -> Any:
        """The negative."""
        return np.ascontiguousarray(255 - img)


class Floats(Negative):
    """Forgets the type."""

    def apply(self, img: Any, **_: Any) -> Any:
        """Floats."""
        return 255.0 - img


class InPlace(Negative):
    """Writes into its input."""

    def apply(self, img: Any, **_: Any) -> Any:
        """The input."""
        return img


class Lucky(Negative):
    """Draws where nobody sees it."""

    def apply(self, img: Any, **_: Any) -> Any:
        """Another image each time."""
        return np.clip(img.astype(int) + self.py_random.randrange(5, 200), 0, 255).astype(np.uint8)


class Shrinks(Negative):
    """Changes the size."""

    def apply(self, img: Any, **_: Any) -> Any:
        """Half of it."""
        return np.ascontiguousarray(img[::2])


@pytest.mark.parametrize(
    ("plugin", "message"),
    [
        (Floats, "dtype float64, not uint8"),
        (InPlace, "the result is the input"),
        (Lucky, "depends on more than the draw"),
        (Shrinks, "different sizes|becomes"),
    ],
)
def test_what_is_wrong_is_named(plugin: type[PixelFilter], message: str) -> None:
    """At least one law says it in words; the law's name and the example stand beside it."""
    told = []
    for law in filter_laws(plugin):
        try:
            law()
        except BrokenLawError as error:
            told.append(str(error))
        except Exception as error:  # what Albumentations itself refuses
            told.append(repr(error))
    assert any(re.search(message, text) for text in told), told


def test_a_filter_that_keeps_them_passes() -> None:
    """All laws are run; nothing is skipped."""
    assert check_filter(Negative) == len(filter_laws(Negative)) >= 10


def test_a_format_of_ours_passes_and_a_wrong_claim_is_found() -> None:
    """An exporter that says it holds what it drops does not come through."""
    registry = load_registry()
    assert check_format(registry.exporter("createml"), registry.source("createml")) > 10

    class Boasting(registry.exporter("createml")):  # type: ignore[misc]
        """Says that it keeps outlines."""

        holds = registry.exporter("createml").holds | {"polygon"}

    with pytest.raises(BrokenLawError, match="an outline has 0 parts"):
        check_format(Boasting, registry.source("createml"))


class NoTable(TableFilter):
    """Has forgotten its table."""

    name: ClassVar[str] = "no_table"
    examples: ClassVar[tuple[dict[str, Any], ...]] = ({},)

    class InitSchema(Settings):
        """Settings."""

    def __init__(self, p: float = 1.0) -> None:
        super().__init__(p=p)


class NoApply(PixelFilter):
    """Has forgotten what it does."""

    name: ClassVar[str] = "no_apply"
    examples: ClassVar[tuple[dict[str, Any], ...]] = ({},)

    class InitSchema(Settings):
        """Settings."""

    def __init__(self, p: float = 1.0) -> None:
        super().__init__(p=p)


@pytest.mark.parametrize(("plugin", "what"), [(NoTable, "`table`"), (NoApply, "`apply`")])
def test_what_cannot_work_is_refused_when_it_registers(plugin: Any, what: str) -> None:
    """Before any image is touched, with the file."""
    with pytest.raises(PluginError, match=what) as caught:
        Registry().add_filter(plugin)
    assert caught.value.fix


PLUGIN = '''
import numpy as np
from amp_datasets.filtering.base import PixelFilter, Settings

class Broken(PixelFilter):
    """Gives the wrong thing."""
    name = "broken"
    examples = ({},)

    class InitSchema(Settings):
        """Settings."""

    def __init__(self, p=1.0): super().__init__(p=p)
    def get_params(self): return {}
    def apply(self, img, **_): return RESULT

def register(registry): registry.add_filter(Broken)
'''


@pytest.mark.parametrize(
    ("result", "told"),
    [("img / 2", "gives float64"), ("None", "gives a NoneType"), ("img[:, :, 0]", "of shape"), ("img[2:]", "size")],
)
def test_a_build_says_what_a_filter_gives(tmp_path: Path, result: str, told: str) -> None:
    """An error that names the filter: a mistake in code is its author's to repair, and nothing is half written."""
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "broken.py").write_text(PLUGIN.replace("RESULT", result))
    write_set(tmp_path / "set", 2)
    manifest = write_manifest(tmp_path / "amp.yaml", ["set"], "filters: {broken: {}, flip: {how: horizontal}}\n")
    with pytest.raises(amp.AmpError, match=told) as caught:
        amp.build(manifest, out=tmp_path / "build", plugin_dirs=[tmp_path / "plugins"], jobs=1)
    assert "`broken`" in str(caught.value)
    assert not (tmp_path / "build").exists()


def test_an_unknown_filter_says_where_ones_own_are_found(tmp_path: Path) -> None:
    """The option and the variable, where no other name is near."""
    with pytest.raises(PluginError) as caught:
        load_registry().filter("my_own_thing")
    assert "--plugins-dir" in str(caught.value.fix)
    assert "AMP_PLUGINS_DIR" in str(caught.value.fix)
    done = subprocess.run([sys.executable, "-m", "amp_datasets", "build", "--help"], capture_output=True, text=True)
    assert "AMP_PLUGINS_DIR" in re.sub(r"\W*\n\W*", " ", done.stdout)


def test_laws_work_as_documented(tmp_path: Path) -> None:
    """The plugin of docs/plugins.md keeps the contract, run by pytest as the page says."""
    text = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
    plugin, test = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[:2]
    (tmp_path / "posterize.py").write_text(plugin, encoding="utf-8")
    (tmp_path / "test_posterize.py").write_text(test, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert int(json.loads(re.findall(r"(\d+) passed", done.stdout)[0])) >= 10
