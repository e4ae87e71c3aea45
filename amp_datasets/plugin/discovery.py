"""Finds plugins and lets them register: the shipped folder, entry points, and folders named on the command line.

Only the command line and the environment can name a folder; a manifest never loads code.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.util
import os
import pkgutil
import sys
from collections.abc import Iterator
from importlib import resources
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

import amp_plugins

from amp_datasets.errors import PluginError, said
from amp_datasets.plugin.registry import Registry

ENTRY_POINTS = "amp_datasets.plugins"
ALGORITHM_VERSION = 4
"""Names what amp's own code makes of a source. Raise it when a golden digest of the tests changes, and say so in the
changelog: every variant is then made anew."""

_digests: dict[str, str] = {}
"""The code of plugins as it was when it was loaded: modules are the process's, and so is what they were made of."""


@functools.lru_cache(maxsize=8)
def load_registry(plugin_dirs: tuple[Path, ...] = ()) -> Registry:
    """Every plugin there is, once per process: shipped ones, installed ones, then those in folders.

    Folders are `plugin_dirs` and those in the environment variable AMP_PLUGINS_DIR.
    """
    return _load(amp_plugins.__name__, plugin_dirs)


@functools.lru_cache(maxsize=8)
def load_formats(plugin_dirs: tuple[Path, ...] = ()) -> Registry:
    """The same without the shipped filters, whose libraries take seconds to import and which only a build needs.

    So a plugin in a folder that has the name of a shipped filter is no error here.
    """
    return _load(f"{amp_plugins.__name__}.formats", plugin_dirs)


def _load(package: str, plugin_dirs: tuple[Path, ...]) -> Registry:
    registry = Registry()
    named = tuple(Path(folder) for folder in os.environ.get("AMP_PLUGINS_DIR", "").split(os.pathsep) if folder)
    local = (module for folder in (*named, *plugin_dirs) for module in _in_folder(folder))
    for module in (*_shipped(package), *_installed(), *local):
        _register(module, registry)
    return registry


def shipped_manifests() -> dict[str, Path]:
    """The manifests that come with amp, by name."""
    folder = Path(str(resources.files("amp_plugins.manifests")))
    return {file.stem: file for file in sorted(folder.glob("*.yaml"))}


def plugin_digest(plugin: type) -> str:
    """sha256 of the file that defines a plugin, so that an edited one makes new variants.

    It is of the file as it was loaded: an edit counts from the next process on, as the code does. A shipped plugin
    answers with `ALGORITHM_VERSION` instead: its bytes are pinned by tests, and a comment in it changes no image.
    """
    if plugin.__module__.startswith(f"{amp_plugins.__name__}."):
        return f"amp-datasets algorithm {ALGORITHM_VERSION}"
    module = sys.modules[plugin.__module__]
    return _digests.get(module.__name__) or _file_digest(module)


def _file_digest(module: ModuleType) -> str:
    return hashlib.sha256(Path(str(module.__file__)).read_bytes()).hexdigest()


def _shipped(package: str) -> Iterator[ModuleType]:
    """The modules and packages in the plugin folders; what lies inside a package of one plugin is its own matter."""
    kinds = [package] if package != amp_plugins.__name__ else [f"{package}.filters", f"{package}.formats"]
    for kind in kinds:
        for info in pkgutil.iter_modules(importlib.import_module(kind).__path__, f"{kind}."):
            yield _import(info.name, info.name)


def _installed() -> Iterator[ModuleType]:
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name):
        yield _import(point.module, f"entry point {point.name} = {point.value}")


def _in_folder(folder: Path) -> Iterator[ModuleType]:
    if not folder.is_dir():
        raise PluginError("the plugin folder is missing", where=folder, fix="give an existing folder of .py files")
    for file in sorted(folder.glob("*.py")):
        name = f"amp_plugins_local_{hashlib.sha256(str(file.resolve()).encode()).hexdigest()[:12]}_{file.stem}"
        spec = importlib.util.spec_from_file_location(name, file)
        if spec is None or spec.loader is None:
            raise PluginError("this plugin cannot be loaded", where=file)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException as error:
            raise _broken(file, error) from error
        yield module


def _import(name: str, where: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except PluginError:
        raise
    except BaseException as error:
        raise _broken(where, error) from error


def _register(module: ModuleType, registry: Registry) -> None:
    where = module.__file__ or module.__name__
    register = getattr(module, "register", None)
    if register is None:
        raise PluginError("this plugin has no `register(registry)`", where=where, fix="add it at the end of the file")
    if module.__file__ is not None:
        _digests[module.__name__] = _file_digest(module)
    try:
        register(registry)
    except PluginError:
        raise
    except BaseException as error:
        raise _broken(where, error) from error


def _broken(where: object, error: BaseException) -> PluginError:
    """What is said of a plugin that raises anything, also one that ends the process (`sys.exit` in a script)."""
    if isinstance(error, KeyboardInterrupt | MemoryError):
        raise error
    return PluginError(f"this plugin fails to load: {said(error)}", where=where, fix="repair or remove the plugin")
