"""Commands that open a page in the browser: the studio."""

from __future__ import annotations

from typing import Annotated

import typer

from amp_datasets.cli.commands.options import PluginDirs
from amp_datasets.cli.console import command, say


@command
def studio(
    target: Annotated[
        str | None, typer.Argument(help="A manifest, or a set to begin one with; amp.yaml by default.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen; a free port if it is taken.")] = 8765,
    host: Annotated[
        str, typer.Option(help="The address to listen at; other than 127.0.0.1 lets others in.")
    ] = "127.0.0.1",
    no_open: Annotated[bool, typer.Option("--no-open", help="Print the address, open no window.")] = False,
    plugin_dirs: PluginDirs = None,
) -> None:
    """Choose sets, filters and splits in the browser, build, and look at the result. Ctrl-C ends it."""
    from amp_datasets.studio.serving import serve

    say("starting the studio; Ctrl-C ends it")
    serve(target, host=host, port=port, open_window=not no_open, plugin_dirs=plugin_dirs or (), said=say)
