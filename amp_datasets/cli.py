"""The command line: thin commands over the library. Nothing heavy is imported before a command runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from amp_datasets.console import EXIT_PROBLEMS, command, emit, emit_json, next_step, progress_bar, say
from amp_datasets.errors import AmpError

app = typer.Typer(
    name="amp",
    help="Turn a small labelled image set into a large one whose labels are exact.\n\n"
    "Start with: amp init --source PATH_OF_A_SET, then amp build",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document, also on failure.")]
PluginDirs = Annotated[
    list[Path] | None, typer.Option("--plugins-dir", help="Also load the plugins (.py files) of this folder.")
]
Sources = Annotated[
    list[str] | None, typer.Option("--source", help="A set to use instead of the manifest's sources; repeatable.")
]
Settings = Annotated[list[str] | None, typer.Option("-s", "--set", metavar="KEY=VALUE", help="Override a setting.")]
Format = Annotated[str | None, typer.Option("--format", help="The format of the set, if it is not found by itself.")]
Manifest = Annotated[Path, typer.Argument(help="The manifest.")]


@app.command(epilog="Example: amp init --source photos/ --name drums")
@command
def init(
    folder: Annotated[Path, typer.Argument(help="Where to write amp.yaml.")] = Path(),
    source: Annotated[list[Path] | None, typer.Option("--source", help="A set to build from; repeatable.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the dataset.")] = None,
) -> None:
    """Write a first manifest, and its schema for editors."""
    from amp_datasets.starting import write_starter

    path = write_starter(folder, [str(s) for s in source or ()], name)
    say(f"wrote {path} and {path.with_name('amp.schema.json')}")
    next_step(f"amp build {path} --dry-run")


@app.command(epilog="Example: amp check photos/   or   amp check amp.yaml -v")
@command
def check(
    target: Annotated[str, typer.Argument(help="A set (folder or zip) or a manifest.")],
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Also say which format was found, and why.")] = False,
    format_: Format = None,
    json_: Json = False,
    plugin_dirs: PluginDirs = None,
) -> None:
    """Audit the labels of a set: exit code 1 if there are findings."""
    from amp_datasets.audit import as_text, audit_path

    report = audit_path(Path(target), _registry(plugin_dirs), format=format_)
    if json_:
        emit_json(report.to_json())
    else:
        emit(as_text(report, verbose))
        next_step("mend the findings, or see how each is treated in docs/quirks.md" if report.findings else "amp build")
    if report.findings:
        raise typer.Exit(EXIT_PROBLEMS)


@app.command(epilog="Example: amp filters   or   amp filters rotate")
@command
def filters(
    name: Annotated[str | None, typer.Argument(help="Show the settings of this filter.")] = None,
    json_: Json = False,
    plugin_dirs: PluginDirs = None,
) -> None:
    """List the filters, or describe one."""
    from amp_datasets.catalogue import describe_filter, list_filters

    registry = _registry(plugin_dirs)
    found: Any = list_filters(registry) if name is None else describe_filter(registry, name)
    if json_:
        emit_json(found.to_json())
        return
    emit(found.as_text())
    next_step("amp filters NAME shows one filter's settings" if name is None else "put it under `filters:` in amp.yaml")


@app.command(epilog="Example: amp build amp.yaml -o build -j 4   or   amp build amp.yaml -s filters.blur.sigma=3")
@command
def build(
    manifest: Manifest = Path("amp.yaml"),
    out: Annotated[Path, typer.Option("-o", "--out", help="The folder to build.")] = Path("build"),
    jobs: Annotated[int | None, typer.Option("-j", "--jobs", min=1, help="Workers; all cores by default.")] = None,
    source: Sources = None,
    settings: Settings = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Use only the first so many source images.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and check everything, write nothing.")] = False,
    lazy: Annotated[bool, typer.Option("--lazy", help="Keep sources and ledger; make images when asked for.")] = False,
    json_: Json = False,
    plugin_dirs: PluginDirs = None,
) -> None:
    """Make all variants and lay every label format around them. Run again after an interruption to go on."""
    from amp_datasets.building import build as run
    from amp_datasets.report import as_text

    with progress_bar(quiet=json_) as progress:
        report = run(
            manifest,
            out=out,
            sources=source or (),
            settings=settings or (),
            jobs=jobs,
            limit=limit,
            dry_run=dry_run,
            lazy=lazy,
            plugin_dirs=plugin_dirs or (),
            progress=progress,
        )
    if json_:
        emit_json(report.to_json())
        return
    emit(as_text(report))
    next_step(f"amp build {manifest} -o {out}" if dry_run else f"amp verify {out}, or train: see {out}/README.md")


@app.command(epilog="Example: amp export build --to voc -o voc   or   amp export photos/ --to yolo -o yolo")
@command
def export(
    what: Annotated[Path, typer.Argument(help="A build, or any set that amp can read.")],
    to: Annotated[str, typer.Option("--to", help="The format to write (amp env lists all).")],
    out: Annotated[Path, typer.Option("-o", "--out", help="A new folder.")],
    options: Annotated[list[str] | None, typer.Option("-s", "--set", metavar="KEY=VALUE", help="An option.")] = None,
    copy: Annotated[bool, typer.Option("--copy", help="Copy the pictures instead of linking them.")] = False,
    format_: Format = None,
    json_: Json = False,
    plugin_dirs: PluginDirs = None,
) -> None:
    """Convert a build or a set to another format."""
    from amp_datasets.export import export as run

    with progress_bar(quiet=json_) as progress:
        report = run(
            what,
            to,
            out,
            _registry(plugin_dirs),
            source_format=format_,
            options=_pairs(options or []),
            copy=copy,
            progress=progress,
        )
    if json_:
        emit_json(report.to_json())
    else:
        emit(report.as_text())
        next_step(f"amp check {out}")


@app.command(epilog="Example: amp merge drums/ horns.zip -o all --like earlier-build")
@command
def merge(
    sets: Annotated[list[str], typer.Argument(help="The sets to join.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The folder to build.")],
    like: Annotated[Path | None, typer.Option(help="Keep the class ids of this earlier build.")] = None,
    settings: Settings = None,
    json_: Json = False,
    plugin_dirs: PluginDirs = None,
) -> None:
    """Join several sets into one, without variants: classes by name, unique file names, duplicates reported."""
    from amp_datasets.merge import merge as run
    from amp_datasets.report import as_text

    with progress_bar(quiet=json_) as progress:
        report = run(sets, out, like=like, settings=settings or (), plugin_dirs=plugin_dirs or (), progress=progress)
    if json_:
        emit_json(report.to_json())
    else:
        emit(as_text(report))
        next_step(f"amp check {out}")


@app.command(epilog="Example: amp verify build --replay 20")
@command
def verify(
    build: Annotated[Path, typer.Argument(help="The build.")],
    replay: Annotated[str, typer.Option(help="Make so many variants again and compare, or `all`.")] = "0",
    source: Sources = None,
    json_: Json = False,
    plugin_dirs: PluginDirs = None,
) -> None:
    """Read a build again and prove that nothing changed: exit code 1 if something did."""
    from amp_datasets.verify import as_text
    from amp_datasets.verify import verify as run

    count: Any = replay if replay == "all" else _number(replay)
    with progress_bar(quiet=json_) as progress:
        report = run(build, replay=count, sources=source or (), plugin_dirs=plugin_dirs or (), progress=progress)
    if json_:
        emit_json(report.to_json())
    else:
        emit(as_text(report))
    if report.findings:
        raise typer.Exit(EXIT_PROBLEMS)


@app.command(epilog="Example: amp replay build drum_7__rotate.jpg -o again.jpg")
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
    from amp_datasets.replay import as_text
    from amp_datasets.replay import replay as run

    report = run(build, variant, out, sources=source or (), plugin_dirs=plugin_dirs or ())
    if json_:
        emit_json(report.to_json())
    else:
        emit(as_text(report))


@app.command(epilog="Example: amp diff build-1 build-2")
@command
def diff(
    first: Annotated[Path, typer.Argument(help="A build.")],
    second: Annotated[Path, typer.Argument(help="Another build.")],
    json_: Json = False,
) -> None:
    """Say what changed between two builds: exit code 1 if anything did."""
    from amp_datasets.diff import as_text
    from amp_datasets.diff import diff as run

    report = run(first, second)
    if json_:
        emit_json(report.to_json())
    else:
        emit(as_text(report))
    if report.changed:
        raise typer.Exit(EXIT_PROBLEMS)


@app.command(epilog="Example: amp publish build --repo me/drums --dry-run")
@command
def publish(
    build: Annotated[Path, typer.Argument(help="The build.")] = Path("build"),
    repo: Annotated[str | None, typer.Option(help="owner/name on the hub; else the manifest's `hub.repo`.")] = None,
    public: Annotated[bool, typer.Option("--public", help="Let everybody see it.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be pushed, without the network.")] = False,
    json_: Json = False,
) -> None:
    """Push a build to the Hugging Face hub with its card. The token comes from `hf auth login` or HF_TOKEN."""
    from amp_datasets.hub import publish as run

    report = run(build, repo=repo, private=False if public else None, dry_run=dry_run)
    if json_:
        emit_json(report.to_json())
    else:
        emit(report.as_text())


@app.command(epilog="Example: amp schema -o amp.schema.json")
@command
def schema(
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Write it to this file.")] = None,
    plugin_dirs: PluginDirs = None,
) -> None:
    """Print the JSON Schema of the manifest, all plugins included."""
    import json

    from amp_datasets.schema import manifest_schema

    document = manifest_schema(_registry(plugin_dirs))
    if out is None:
        emit_json(document)
    else:
        out.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        next_step(f"add `# yaml-language-server: $schema={out}` as the first line of amp.yaml")


@app.command(epilog="Example: amp env --json")
@command
def env(json_: Json = False, plugin_dirs: PluginDirs = None) -> None:
    """Show versions, plugins and the machine, for bug reports."""
    from amp_datasets.catalogue import environment

    document = environment(_registry(plugin_dirs))
    if json_:
        emit_json(document)
    else:
        emit(f"{key}: {', '.join(map(str, v)) if isinstance(v, list) else v}" for key, v in document.items())


def _registry(plugin_dirs: list[Path] | None) -> Any:
    from amp_datasets.discovery import load_registry

    return load_registry(tuple(plugin_dirs or ()))


def _pairs(options: list[str]) -> dict[str, Any]:
    """key=value options, values read as YAML."""
    from amp_datasets.yaml_file import parse_yaml

    pairs = {}
    for option in options:
        key, equals, text = option.partition("=")
        if not equals:
            raise AmpError(f"`{option}` is not of the form key=value", fix="for example -s annotation=csv")
        pairs[key.strip()] = parse_yaml(text.encode(), Path(f"-s {option}")).value
    return pairs


def _number(text: str) -> int:
    if not text.isdigit():
        raise AmpError(f"--replay takes a number or `all` (got {text!r})")
    return int(text)


def main() -> None:
    """The `amp` command."""
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    app()
