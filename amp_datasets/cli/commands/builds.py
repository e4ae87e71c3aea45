"""Commands that write sets: build, export, merge."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from amp_datasets.cli.commands.options import (
    Format,
    Json,
    Manifest,
    Open,
    PluginDirs,
    ReadOptions,
    Settings,
    Sources,
    key_values,
    read_options,
)
from amp_datasets.cli.console import command, emit_json, emit_report, next_step, progress_bar, say
from amp_datasets.shown import amount


@command
def build(
    manifest: Manifest = Path("amp.yaml"),
    out: Annotated[Path, typer.Option("-o", "--out", help="The folder or address to build.")] = Path("build"),
    jobs: Annotated[int | None, typer.Option("-j", "--jobs", min=1, help="Workers; all cores by default.")] = None,
    source: Sources = None,
    settings: Settings = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Use only the first so many source images.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and check everything, write nothing.")] = False,
    lazy: Annotated[bool, typer.Option("--lazy", help="Keep sources and ledger; make images when asked for.")] = False,
    shards: Annotated[int | None, typer.Option(min=1, help="Plan so many parts, for any scheduler.")] = None,
    shard: Annotated[str | None, typer.Option(metavar="I/N", help="Make one part of what was planned for -o.")] = None,
    finish: Annotated[bool, typer.Option("--finish", help="Put together what the parts have made.")] = False,
    engine: Annotated[str, typer.Option(help="Who makes the images: local (processes), or ray.")] = "local",
    address: Annotated[str | None, typer.Option(help="The Ray cluster, HOST:6379; else one is started.")] = None,
    json_: Json = False,
    plugin_dirs: PluginDirs = None,
) -> None:
    """Make all variants and lay every label format around them. Run again after an interruption to go on."""
    from amp_datasets.building.inputs import is_set
    from amp_datasets.storage.remote import named

    ways: dict[str, Any] = {"shards": shards, "shard": shard, "finish": finish, "engine": engine, "address": address}
    if is_set(manifest):
        say(f"no manifest: the default recipe, 20 variants of each image (`amp init {manifest}` writes it)")
    with progress_bar(quiet=json_) as progress:
        from amp_datasets.building.api import build as run
        from amp_datasets.building.engines.process import keep_freed_memory

        keep_freed_memory()
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
            **ways,
        )
    again = f"amp build {manifest} -o {named(out)}"
    then = _after(again, named(out), shards) if shards or shard else again if dry_run else None
    emit_report(report, in_json=json_, then=then or f"amp verify {report.out}, or train: see {report.out}/README.md")


def _after(again: str, out: str, shards: int | None) -> str:
    """What comes after planning a build in parts, or making one of them."""
    others = f"amp build -o {out} --shard 1/{shards} and all others" if shards else "the other shards"
    return f"{others}, then {again} --finish"


@command
def preview(
    target: Annotated[str, typer.Argument(help="A manifest, a set (its labels alone), or a build.")] = "amp.yaml",
    out: Annotated[Path, typer.Option("-o", "--out", help="A .jpg, .png, .webp or .html file.")] = Path("preview.jpg"),
    images: Annotated[int | None, typer.Option(min=1, max=500, help="How many images; 1, or 20 of a set.")] = None,
    random: Annotated[int | None, typer.Option("--random", min=1, max=500, help="So many at random instead.")] = None,
    seed: Annotated[int, typer.Option(help="For --random: another seed, other images.")] = 0,
    image: Annotated[str | None, typer.Option("--image", help="Images whose name contains this.")] = None,
    class_: Annotated[str | None, typer.Option("--class", help="Images with a label of this class.")] = None,
    filter_: Annotated[list[str] | None, typer.Option("--filter", help="Only this filter or mix; repeatable.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Large, one below the other.")] = False,
    open_: Open = False,
    source: Sources = None,
    settings: Settings = None,
    json_: Json = False,
    plugin_dirs: PluginDirs = None,
) -> None:
    """Draw labels, or the variants of an image, to look at before building."""
    with progress_bar(quiet=json_) as progress:
        from amp_datasets.building.workspace import is_build
        from amp_datasets.view.preview import preview as run

        gallery = run(
            target,
            images=random or images,
            seed=seed if random else None,
            name=image,
            category=class_,
            filters=filter_ or (),
            full=full,
            sources=source or (),
            settings=settings or (),
            plugin_dirs=plugin_dirs or (),
            progress=progress,
        )
    gallery.save(out)
    if json_:
        emit_json({"out": str(out), "images": len(gallery.tiles)})
        return
    say(f"wrote {out} with {amount(len(gallery.tiles), 'image')}")
    next_step(f"amp {'verify' if is_build(Path(target)) else 'build'} {target}")
    if open_:
        typer.launch(str(out))


@command
def report(
    target: Annotated[str, typer.Argument(help="A set or a build.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The page to write.")] = Path("report.html"),
    open_: Open = False,
    format_: Format = None,
    json_: Json = False,
    plugin_dirs: PluginDirs = None,
) -> None:
    """Write one HTML page about a set or a build: classes, boxes, findings, variants."""
    with progress_bar(quiet=json_) as progress:
        from amp_datasets.view.report import report as run

        page = run(target, format=format_, plugin_dirs=plugin_dirs or (), progress=progress)
    page.save(out)
    if json_:
        emit_json({"out": str(out), **page.to_json()})
        return
    say(f"wrote {out}: {amount(page.images, 'image')}, {amount(page.findings, 'finding')}")
    next_step(f"open {out} in a browser, or amp check {target}")
    if open_:
        typer.launch(str(out))


@command
def export(
    what: Annotated[str, typer.Argument(help="A build, or any set that amp can read.")],
    to: Annotated[str, typer.Option("--to", help="The format to write (amp env lists all).")],
    out: Annotated[Path, typer.Option("-o", "--out", help="A new folder.")],
    options: Annotated[
        list[str] | None, typer.Option("-s", "--set", metavar="KEY=VALUE", help="For the new format.")
    ] = None,
    copy: Annotated[bool, typer.Option("--copy", help="Copy the images instead of linking them.")] = False,
    zip_: Annotated[bool, typer.Option("--zip", help="Write one zip file, OUT.zip, instead of a folder.")] = False,
    format_: Format = None,
    option: ReadOptions = None,
    json_: Json = False,
    plugin_dirs: PluginDirs = None,
) -> None:
    """Convert a build or a set to another format."""
    with progress_bar(quiet=json_) as progress:
        from amp_datasets.interface.commands import convert as run

        report = run(
            what,
            to=to,
            out=out,
            format=format_,
            options=read_options(option),
            settings=key_values(options or (), "-s", "annotation=csv"),
            copy=copy,
            zipped=zip_,
            plugin_dirs=plugin_dirs or (),
            progress=progress,
        )
    emit_report(report, in_json=json_, then=f"amp check {report.out}")


@command
def merge(
    sets: Annotated[list[str], typer.Argument(help="The sets to join.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The folder or address to build.")],
    like: Annotated[Path | None, typer.Option(help="Keep the class ids of this earlier build.")] = None,
    settings: Settings = None,
    option: ReadOptions = None,
    json_: Json = False,
    plugin_dirs: PluginDirs = None,
) -> None:
    """Join several sets into one, without variants: classes by name, unique file names, duplicates reported."""
    with progress_bar(quiet=json_) as progress:
        from amp_datasets.building.merge import merge as run

        report = run(
            sets,
            out,
            like=like,
            settings=settings or (),
            options=read_options(option),
            plugin_dirs=plugin_dirs or (),
            progress=progress,
        )
    emit_report(report, in_json=json_, then=f"amp check {out}")
