"""Commands around a build: start, audit, look things up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from amp_datasets.cli.commands.options import (
    Format,
    Json,
    PluginDirs,
    ReadOptions,
    Settings,
    Sources,
    read_options,
    registry_of,
)
from amp_datasets.cli.console import EXIT_PROBLEMS, command, emit, emit_json, next_step, say


@command
def init(
    folder: Annotated[Path, typer.Argument(help="Where to write amp.yaml.")] = Path(),
    source: Annotated[list[str] | None, typer.Option("--source", help="A set to build from; repeatable.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the dataset.")] = None,
    json_: Json = False,
) -> None:
    """Write a first manifest, and its schema for editors."""
    from amp_datasets.cli.starter import write_starter

    path = write_starter(folder, source or (), name)
    schema_path = path.with_name("amp.schema.json")
    if json_:
        emit_json({"manifest": str(path), "schema": str(schema_path)})
        return
    say(f"wrote {path} and {schema_path}")
    next_step(f"amp build {path} --dry-run")


@command
def check(
    target: Annotated[str, typer.Argument(help="A set (folder or zip) or a manifest.")],
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Also say which format was found, and why.")] = False,
    ignore: Annotated[list[str] | None, typer.Option(help="Leave out this rule, like AMP313; repeatable.")] = None,
    format_: Format = None,
    option: ReadOptions = None,
    source: Sources = None,
    settings: Settings = None,
    json_: Json = False,
    plugin_dirs: PluginDirs = None,
) -> None:
    """Audit the labels of a set: exit code 1 if there are findings (notes do not count)."""
    from amp_datasets.audit.api import audit_path

    report = audit_path(
        target,
        registry_of(plugin_dirs),
        format=format_,
        options=read_options(option),
        sources=source or (),
        settings=settings or (),
        ignore=ignore or (),
    )
    if json_:
        emit_json(report.to_json())
    else:
        emit(report.as_text(verbose))
        next_step("repair the findings, or see how each is treated in docs/quirks.md" if report.failed else "amp build")
    if report.failed:
        raise typer.Exit(EXIT_PROBLEMS)


@command
def filters(
    name: Annotated[str | None, typer.Argument(help="Show the settings of this filter.")] = None,
    json_: Json = False,
    plugin_dirs: PluginDirs = None,
) -> None:
    """List the filters, or describe one."""
    from amp_datasets.cli.catalogue import describe_filter, list_filters

    registry = registry_of(plugin_dirs)
    found: Any = list_filters(registry) if name is None else describe_filter(registry, name)
    if json_:
        emit_json(found.to_json())
        return
    emit(found.as_text())
    next_step("amp filters NAME shows one filter's settings" if name is None else "put it under `filters:` in amp.yaml")


@command
def schema(
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Write it to this file.")] = None,
    plugin_dirs: PluginDirs = None,
) -> None:
    """Print the JSON Schema of the manifest, all plugins included."""
    from amp_datasets.manifest.json_schema import manifest_schema

    document = manifest_schema(registry_of(plugin_dirs))
    if out is None:
        emit_json(document)
    else:
        out.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        next_step(f"add `# yaml-language-server: $schema={out}` as the first line of amp.yaml")


@command
def env(json_: Json = False, plugin_dirs: PluginDirs = None) -> None:
    """Show versions, plugins and the machine, for bug reports."""
    from amp_datasets.cli.catalogue import environment

    document = environment(registry_of(plugin_dirs))
    if json_:
        emit_json(document)
    else:
        emit(f"{key}: {', '.join(map(str, v)) if isinstance(v, list) else v}" for key, v in document.items())
