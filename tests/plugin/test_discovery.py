"""Plugins come in by folders and entry points that the user names, loudly, and never by a manifest."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from small_builds import ledger, write_manifest, write_set

from amp_datasets.building.api import build
from amp_datasets.building.engines import shards
from amp_datasets.errors import AmpError, ManifestError, PluginError
from amp_datasets.loading.load import load
from amp_datasets.manifest.json_schema import manifest_schema
from amp_datasets.manifest.load import load_manifest
from amp_datasets.plugin import discovery
from amp_datasets.plugin.discovery import load_formats, load_registry, plugin_digest

PLUGIN = '''
from typing import Any, ClassVar
from amp_datasets.filtering.base import PixelFilter, Settings

class Invert(PixelFilter):
    """Negative of the image."""
    name: ClassVar[str] = "invert"
    examples: ClassVar[tuple[dict[str, Any], ...]] = ({"top": 255},)

    class InitSchema(Settings):
        """Settings."""
        top: int

    def __init__(self, top: int = 255, p: float = 1.0) -> None:
        super().__init__(p=p)
        self.top = top

    def apply(self, img, **params):
        return self.top - img

def register(registry):
    registry.add_filter(Invert)
'''


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Registries are kept per process; a test makes its own."""
    monkeypatch.delenv("AMP_PLUGINS_DIR", raising=False)
    load_registry.cache_clear()
    yield
    load_registry.cache_clear()


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    """A folder with one plugin."""
    (tmp_path / "my plugins").mkdir()
    (tmp_path / "my plugins" / "invert.py").write_text(PLUGIN)
    return tmp_path / "my plugins"


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_plugin_of_a_folder_is_like_a_shipped_one(tmp_path: Path, plugins: Path, jobs: int) -> None:
    """In the manifest, its schema, worker processes and the lock."""
    write_set(tmp_path / "set", 2)
    path = write_manifest(tmp_path / "amp.yaml", ["set"], "requires: [invert]\nfilters: {invert: {top: 255}}\n")
    with pytest.raises(AmpError):
        build(path, out=tmp_path / "build", jobs=1)
    report = build(path, out=tmp_path / "build", jobs=jobs, plugin_dirs=[plugins])
    assert report.variants == 2
    registry = load_registry((plugins,))
    assert '"invert"' in json.dumps(manifest_schema(registry))
    assert '"invert"' not in json.dumps(manifest_schema(load_registry()))
    lock = json.loads((tmp_path / "build" / "amp.lock.json").read_text())
    assert lock["plugins"]["invert"] == plugin_digest(registry.filter("invert"))
    assert str(plugins) not in json.dumps(lock)


def test_the_environment_can_name_folders(tmp_path: Path, plugins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several, parted as in PATH; `amp.load` finds them too."""
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "other.py").write_text(PLUGIN.replace("invert", "other").replace("Invert", "Other"))
    monkeypatch.setenv("AMP_PLUGINS_DIR", f"{plugins}:{tmp_path / 'more'}:")
    assert {"invert", "other", "blur"} <= set(load_registry().filters)
    write_set(tmp_path / "set", 1)
    path = write_manifest(tmp_path / "amp.yaml", ["set"], "filters: {invert: }\n", originals="false")
    build(path, out=tmp_path / "build", jobs=1)
    assert load(path)["train"][0]["image"].tobytes() == load(tmp_path / "build")["train"][0]["image"].tobytes()


def test_the_formats_alone_are_the_formats_of_all(plugins: Path) -> None:
    """Without the shipped filters; a folder's plugins are there in both."""
    formats, everything = load_formats((plugins,)), load_registry((plugins,))
    assert formats.sources.keys() == everything.sources.keys()
    assert formats.exporters.keys() == everything.exporters.keys()
    assert formats.filters.keys() == {"invert"}


def test_an_edited_plugin_makes_new_variants(tmp_path: Path, plugins: Path) -> None:
    """From the next process on: its file's digest, as it was loaded, is part of what names a variant."""
    write_set(tmp_path / "set", 1)
    path = write_manifest(tmp_path / "amp.yaml", ["set"], "filters: {invert: }\n", originals="false")
    build(path, out=tmp_path / "build", jobs=1, plugin_dirs=[plugins])
    (before,) = ledger(tmp_path / "build")
    (plugins / "invert.py").write_text(PLUGIN.replace("self.top - img", "img // 2"))
    assert build(path, out=tmp_path / "build", jobs=1, plugin_dirs=[plugins]).reused == 1
    load_registry.cache_clear()
    shards._maker.cache_clear()
    assert build(path, out=tmp_path / "build", jobs=1, plugin_dirs=[plugins]).reused == 0
    (after,) = ledger(tmp_path / "build")
    assert before["sha256"] != after["sha256"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def register(registry:\n", "SyntaxError"),
        ("import not_there_at_all\n", "ModuleNotFoundError: No module named 'not_there_at_all'"),
        ("1 / 0\n", "ZeroDivisionError"),
        ("def register(registry):\n    raise KeyError('x')\n", "KeyError: 'x'"),
        ("def register(registry):\n    registry.add_filter(int)\n", "is no filter: subclass PixelFilter"),
        ("answer = 42\n", "has no `register(registry)`"),
    ],
)
def test_a_broken_plugin_is_an_error_that_names_its_file(tmp_path: Path, text: str, words: str) -> None:
    """Never logged and left out: the manifest would mean something else without it."""
    (tmp_path / "fog.py").write_text(text)
    with pytest.raises(PluginError) as caught:
        load_registry((tmp_path,))
    assert words in caught.value.what
    assert caught.value.where == str(tmp_path / "fog.py")
    assert caught.value.fix


def test_a_plugin_that_takes_a_name_is_an_error_that_names_both_files(plugins: Path) -> None:
    """Of a shipped filter, or of another folder."""
    (plugins / "second.py").write_text(PLUGIN.replace('"invert"', '"blur"'))
    with pytest.raises(PluginError, match=r"two plugins offer the filter `blur`: .*blur\.py and .*second\.py"):
        load_registry((plugins,))


def test_a_missing_folder_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the command line and in the environment."""
    with pytest.raises(PluginError, match="the plugin folder is missing"):
        load_registry((tmp_path / "nowhere",))
    monkeypatch.setenv("AMP_PLUGINS_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(PluginError, match="the plugin folder is missing"):
        load_registry()


def test_installed_plugins_come_through_entry_points(
    tmp_path: Path, plugins: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package of somebody else; a broken one is named by its entry point."""
    monkeypatch.syspath_prepend(plugins)
    points = [EntryPoint("theirs", "invert", discovery.ENTRY_POINTS)]
    monkeypatch.setattr(discovery, "entry_points", lambda group: points if group == discovery.ENTRY_POINTS else [])
    assert "invert" in load_registry().filters
    points.append(EntryPoint("broken", "not_there_at_all", discovery.ENTRY_POINTS))
    load_registry.cache_clear()
    with pytest.raises(PluginError, match="not_there_at_all") as caught:
        load_registry()
    assert caught.value.where == "entry point broken = not_there_at_all"


def test_a_manifest_cannot_load_code(tmp_path: Path, plugins: Path) -> None:
    """By no key, tag or path: manifests come from the internet."""
    (plugins / "ran.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\ndef register(registry): pass\n")
    write_set(tmp_path / "set", 1)
    registry = load_registry()
    for text in (
        f"plugins: [{plugins}]\n",
        f"plugins_dir: {plugins}\n",
        f"plugin_dirs: [{plugins}]\n",
        f"requires: ['{plugins}/ran.py']\n",
        "requires: [ran]\n",
        "filters: {my plugins.ran: }\n",
        "filters: {amp_plugins.filters.blur: }\n",
        f"filters: {{!!python/object/apply:os.system ['touch {tmp_path}/ran']: }}\n",
        f"name: !!python/object/apply:os.system ['touch {tmp_path}/ran']\n",
        "filters: {albumentations.Lambda: }\n",
        "filters: {albumentations.core.composition.Compose: }\n",
    ):
        path = write_manifest(tmp_path / "amp.yaml", ["set"], text)
        if text.startswith("name: "):
            path.write_text(f"sources: [set]\n{text}")
        with pytest.raises(ManifestError):
            load_manifest(path, registry)
    assert not (tmp_path / "ran").exists()


def test_shipped_plugins_need_no_list() -> None:
    """Every file of the folder that has a filter or a format is found."""
    root = Path(str(discovery.amp_plugins.__path__[0]))
    files = {path.stem for path in (root / "filters").glob("*.py")} - {"__init__", "albumentations_family"}
    assert files == set(load_registry().filters)
    code = "from amp_datasets.plugin.discovery import load_registry as l; print(sorted(l().sources))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(sorted(load_registry().sources))
