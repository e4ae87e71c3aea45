"""Commands on finished builds: prove, rebuild, compare, publish."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from amp_datasets.cli.commands.options import Json, PluginDirs, Sources
from amp_datasets.cli.console import EXIT_PROBLEMS, command, emit_report, progress_bar
from amp_datasets.errors import AmpError


@command
def verify(
    build: Annotated[Path, typer.Argument(help="The build.")],
    replay: Annotated[str, typer.Option(help="Make so many variants again and compare, or `all`.")] = "0",
    source: Sources = None,
    json_: Json = False,
    plugin_dirs: PluginDirs = None,
) -> None:
    """Read a build again and prove that nothing changed: exit code 1 if something did."""
    count: Any = replay if replay == "all" else _number(replay)
    with progress_bar(quiet=json_) as progress:
        from amp_datasets.ledger.verify import verify as run

        report = run(build, replay=count, sources=source or (), plugin_dirs=plugin_dirs or (), progress=progress)
    emit_report(report, in_json=json_)
    if report.findings:
        raise typer.Exit(EXIT_PROBLEMS)


@command
def replay(
    build: Annotated[Path, typer.Argument(help="The build.")],
    variant: Annotated[str, typer.Argument(help="A file name of the build.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The file to write; its labels go beside it.")],
    source: Sources = None,
    json_: Json = False,
    plugin_dirs: PluginDirs = None,
) -> None:
    """Make one image and its labels again, from its source and one line of the ledger."""
    from amp_datasets.ledger.replay import replay as run

    report = run(build, variant, out, sources=source or (), plugin_dirs=plugin_dirs or ())
    emit_report(report, in_json=json_)


@command
def diff(
    first: Annotated[Path, typer.Argument(help="A build.")],
    second: Annotated[Path, typer.Argument(help="Another build.")],
    json_: Json = False,
) -> None:
    """Say what changed between two builds: exit code 1 if anything did."""
    from amp_datasets.ledger.diff import diff as run

    report = run(first, second)
    emit_report(report, in_json=json_)
    if report.changed:
        raise typer.Exit(EXIT_PROBLEMS)


@command
def publish(
    build: Annotated[Path, typer.Argument(help="The build.")] = Path("build"),
    repo: Annotated[str | None, typer.Option(help="owner/name on the hub; else the manifest's `hub.repo`.")] = None,
    public: Annotated[bool, typer.Option("--public", help="Let everybody see it.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be pushed, without the network.")] = False,
    max_shard_mb: Annotated[int, typer.Option(help="Megabytes of images in one parquet file.")] = 500,
    json_: Json = False,
) -> None:
    """Push a build to the Hugging Face hub with its card. The token comes from `hf auth login` or HF_TOKEN.

    Parquet files with the images inside are made and uploaded one by one; after a cut the same command goes on. A lazy
    set (`amp build --lazy`) is pushed as it is: its sources and its ledger.
    """
    from amp_datasets.exchange.hub import publish as run

    with progress_bar(quiet=json_) as progress:
        private = False if public else None
        options: dict[str, Any] = {"dry_run": dry_run, "max_shard_mb": max_shard_mb, "progress": progress}
        report = run(build, repo=repo, private=private, **options)
    emit_report(report, in_json=json_)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise AmpError(f"--replay takes a number or `all` (got {text!r})")
    return int(text)
