"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from amp_datasets.errors import AmpError

Manifest = Annotated[
    Path, typer.Argument(help="A manifest, one of ours (default, roboflow, seed20), or a set for the default recipe.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document, also on failure.")]
PluginDirs = Annotated[
    list[Path] | None,
    typer.Option("--plugins-dir", help="Also load the plugins (.py files) of this folder; AMP_PLUGINS_DIR names more."),
]
Sources = Annotated[
    list[str] | None, typer.Option("--source", help="A set to use instead of the manifest's sources; repeatable.")
]
Settings = Annotated[list[str] | None, typer.Option("-s", "--set", metavar="KEY=VALUE", help="Override a setting.")]
Open = Annotated[bool, typer.Option("--open", help="Show it when it is there.")]
Format = Annotated[str | None, typer.Option("--format", help="The format of the set, if it is not found by itself.")]

ReadOptions = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="KEY=VALUE", help="How to read the set: an option of its format; repeatable."),
]


def registry_of(plugin_dirs: list[Path] | None) -> Any:
    """All plugins, those of folders on the command line included."""
    from amp_datasets.plugin.discovery import load_registry

    return load_registry(tuple(plugin_dirs or ()))


def formats_of(plugin_dirs: list[Path] | None) -> Any:
    """The formats alone: a command that filters nothing starts in a third of a second."""
    from amp_datasets.plugin.discovery import load_formats

    return load_formats(tuple(plugin_dirs or ()))


def key_values(options: Iterable[str], flag: str, example: str) -> dict[str, Any]:
    """`key=value` options by key, values read as YAML; an AmpError that shows `example` for any other form."""
    from amp_datasets.storage.yaml import parse_yaml

    pairs = {}
    for option in options:
        key, equals, text = option.partition("=")
        if not equals or not key.strip():
            raise AmpError(f"`{option}` is not of the form key=value", fix=f"for example {flag} {example}")
        pairs[key.strip()] = parse_yaml(text.encode(), Path(f"{flag} {option}")).value
    return pairs


def read_options(options: list[str] | None) -> dict[str, Any]:
    """What `--option` says of the set that is read."""
    return key_values(options or (), "--option", "boxes=xyxy")
