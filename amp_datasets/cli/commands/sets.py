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
from amp_datasets.cli.console import EXIT_PROBLEMS, command, emit, emit_json, emit_report, next_step, progress_bar, say


@command
def init(
    sets: Annotated[list[str] | None, typer.Argument(help="Sets: folders, zips, hf:// addresses.")] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="The manifest to write; amp.yaml by default.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the dataset.")] = None,
    from_roboflow: Annotated[
        Path | None,
        typer.Option(
            "--from-roboflow",
            metavar="FILE",
            help="Settings of Roboflow: its API's JSON, or an export's README.roboflow.txt.",
        ),
    ] = None,
    json_: Json = False,
) -> None:
    """Look at a set and write a first manifest beside it, never into it."""
    with progress_bar(quiet=json_):
        from amp_datasets.interface.starter import init as run

        started = run(sets or (), out, name=name, from_roboflow=from_roboflow)
    if json_:
        emit_json(started.to_json())
        return
    emit(started.found)
    say(f"wrote {started.manifest} and {started.schema}")
    next_step(f"amp build {started.manifest}" if sets else f"put your set into `sources:` of {started.manifest}")


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
    with progress_bar(quiet=json_) as progress:
        from amp_datasets.interface.commands import check as run

        report = run(
            target,
            format=format_,
            options=read_options(option),
            sources=source or (),
            settings=settings or (),
            ignore=ignore or (),
            plugin_dirs=plugin_dirs or (),
            progress=progress,
        )
    if json_:
        emit_json(report.to_json())
    else:
        emit(report.as_text(verbose))
        rule = next((each.rule for each in report.findings), "AMP101")
        next_step(f"amp explain {rule} says what a rule means" if report.failed else f"amp build {target}")
    if report.failed:
        raise typer.Exit(EXIT_PROBLEMS)


@command
def filters(
    name: Annotated[str | None, typer.Argument(help="Show the settings of this filter.")] = None,
    json_: Json = False,
    plugin_dirs: PluginDirs = None,
) -> None:
    """List the filters, or describe one."""
    from amp_datasets.interface import commands as api

    found: Any
    if name is None:
        found = api.filters(plugin_dirs=plugin_dirs or ())
    else:
        found = api.describe(name, plugin_dirs=plugin_dirs or ())
    then = "amp filters NAME shows one filter's settings" if name is None else "put it under `filters:` in amp.yaml"
    emit_report(found, in_json=json_, then=then)


@command
def explain(
    rule: Annotated[str | None, typer.Argument(help="A rule, like AMP309; all without.")] = None,
    json_: Json = False,
) -> None:
    """Say what a rule of `amp check` means and what to do about it."""
    from amp_datasets.interface.commands import explain as run

    rules = run(rule)
    if json_:
        emit_json([each.to_json() for each in rules])
        return
    emit(line for each in rules for line in each.as_text())


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
        from amp_datasets.storage.files import write_file

        write_file(out, (json.dumps(document, indent=2) + "\n").encode())
        next_step(f"add `# yaml-language-server: $schema={out}` as the first line of amp.yaml")


@command
def env(json_: Json = False, plugin_dirs: PluginDirs = None) -> None:
    """Show versions, plugins and the machine, for bug reports."""
    from amp_datasets.interface.commands import environment

    document = environment(plugin_dirs=plugin_dirs or ())
    if json_:
        emit_json(document)
    else:
        emit(f"{key}: {', '.join(map(str, v)) if isinstance(v, list) else v}" for key, v in document.items())
