"""Reads a manifest: the file, what the command line lays over it, and where its paths start."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from amp_datasets.errors import ManifestError
from amp_datasets.manifest.messages import complaints
from amp_datasets.manifest.model import Manifest, is_address
from amp_datasets.plugin.discovery import shipped_manifests
from amp_datasets.plugin.registry import Registry
from amp_datasets.storage.yaml import YamlFile, parse_yaml, read_yaml


def load_manifest(
    path: Path, registry: Registry, *, sources: Sequence[str] = (), settings: Sequence[str] = ()
) -> Manifest:
    """The manifest in a file, with `sources` in place of its own and `settings` (key.path=value) laid over it.

    A bare name for which there is no file (`seed20`) is a manifest that comes with amp.
    """
    if not path.exists():
        path = shipped_manifests().get(str(path), path)
    return _manifest_in(read_yaml(path), registry, sources, settings)


def parse_manifest(text: str, path: Path, registry: Registry) -> Manifest:
    """The manifest that a text is, as if it stood in the file `path`, which need not be there."""
    return _manifest_in(parse_yaml(text.encode(), path), registry, (), ())


def _manifest_in(document: YamlFile, registry: Registry, sources: Sequence[str], settings: Sequence[str]) -> Manifest:
    value = document.value if document.value is not None else {}
    if not isinstance(value, dict):
        raise ManifestError("a manifest is a map of settings", where=document.where(()))
    value = _laid_over(value, settings, document.path.parent)
    value = _with_absolute_sources(value, document.path.parent, sources)
    return validate(value, registry, document)


def manifest_of(
    value: Mapping[str, Any], registry: Registry, sources: Sequence[str], settings: Sequence[str] = ()
) -> Manifest:
    """A manifest that is in no file, with `sources` and `settings` as `load_manifest` takes them."""
    document = YamlFile(Path("settings"), dict(value), {})
    laid = _laid_over(document.value, settings, Path.cwd())
    return validate(_with_absolute_sources(laid, Path.cwd(), sources), registry, document)


def validate(value: Mapping[str, Any], registry: Registry, document: YamlFile) -> Manifest:
    """Check a manifest's content; all problems are raised together."""
    try:
        return Manifest.model_validate(value, context={"registry": registry})
    except ValidationError as error:
        raise ManifestError.of(complaints(error, document)) from error


def _laid_over(value: dict[str, Any], settings: Sequence[str], base: Path) -> dict[str, Any]:
    """A manifest with settings of the command line; sources among them are paths from the current directory."""
    value = _with_absolute_sources(value, base, ())
    for setting in settings:
        _lay_over(value, setting)
        if setting.partition("=")[0].strip().partition(".")[0] == "sources":
            value = _with_absolute_sources(value, Path.cwd(), ())
    return value


def _lay_over(value: dict[str, Any], setting: str) -> None:
    """Apply one `-s key.path=value`."""
    keys, equals, text = setting.partition("=")
    if not equals or not keys.strip():
        raise ManifestError(f"`{setting}` is not of the form key=value", fix="for example -s filters.blur.sigma=3")
    *parents, last = keys.strip().split(".")
    for key in parents:
        inner = value.setdefault(key, {})
        if not isinstance(inner, dict):
            raise ManifestError(f"`{key}` has no settings of its own", where=f"-s {setting}")
        value = inner
    value[last] = parse_yaml(text.encode(), Path(f"-s {setting}")).value


def _with_absolute_sources(value: dict[str, Any], base: Path, replacement: Sequence[str]) -> dict[str, Any]:
    """Paths in the manifest are relative to it, those of the command line to the current directory."""
    given = value.get("sources")
    listed = list(replacement) or ([given] if isinstance(given, str) else given)
    if not isinstance(listed, list):
        return value
    origin = Path.cwd() if replacement else base
    return {**value, "sources": [_absolute(source, origin) for source in listed]}


def _absolute(source: Any, base: Path) -> Any:
    if isinstance(source, dict) and isinstance(source.get("path"), str):
        return {**source, "path": _absolute(source["path"], base)}
    if not isinstance(source, str) or is_address(source):
        return source
    if "\0" in source:
        raise ManifestError(f"{source!r} is no path: it holds a zero byte", fix="write the path of a set")
    return os.path.realpath(base / os.path.expanduser(source))  # noqa: PTH111 - Path raises for users who are not there
