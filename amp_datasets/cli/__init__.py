"""The command line. Nothing heavy is imported before a command runs, so that `amp --help` answers at once.

Offers `main` and `run`.
May import: everything, when a command runs.
"""

from __future__ import annotations

import contextlib
import gc
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from amp_datasets.cli.commands import builds, ledgers, pages, sets
from amp_datasets.cli.console import EXIT_INPUT, show_error
from amp_datasets.errors import AmpError

_COMMANDS = (
    (sets.init, "amp init photos/   or   amp init drums/ horns.zip -o both.yaml"),
    (sets.check, "amp check photos/   or   amp check amp.yaml -v"),
    (sets.filters, "amp filters   or   amp filters rotate"),
    (builds.preview, "amp preview amp.yaml --filter rotate   or   amp preview photos/ --random 12 -o photos.html"),
    (
        builds.build,
        "amp build photos/   or   amp build amp.yaml -o build -j 4 -s filters.blur.sigma=3",
    ),
    (builds.report, "amp report photos/ -o report.html   or   amp report build --open"),
    (pages.studio, "amp studio photos/   or   amp studio amp.yaml --no-open"),
    (builds.export, "amp export build --to voc -o voc   or   amp export photos/ --to yolo -o yolo"),
    (builds.merge, "amp merge drums/ horns.zip -o all --like earlier-build"),
    (ledgers.verify, "amp verify build --replay 20"),
    (ledgers.replay, "amp replay build drum_7__rotate.jpg -o again.jpg"),
    (ledgers.diff, "amp diff build-1 build-2"),
    (ledgers.publish, "amp publish build --repo me/drums --dry-run"),
    (sets.explain, "amp explain AMP309"),
    (sets.schema, "amp schema -o amp.schema.json"),
    (sets.env, "amp env --json"),
)

_EXIT_BROKEN_PIPE = 141
"""As a shell tells a program that was ended by SIGPIPE."""

_LAST_STANDARD = 2
"""The number of the standard stream for errors."""

_UsageError: Any = typer.BadParameter.__base__
"""What typer raises for a wrong command line; where the class lives changes between its versions."""

app = typer.Typer(
    name="amp",
    help="Turn a small labelled image set into a large one whose labels are exact.\n\n"
    "Start with: amp build PATH_OF_A_SET, or with a manifest of your own: amp init PATH_OF_A_SET",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _function, _example in _COMMANDS:
    app.command(epilog=f"Example: {_example}")(_function)


def _version(asked: bool) -> None:
    if asked:
        from amp_datasets import __version__

        typer.echo(f"amp_datasets {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Show the version and exit.")
    ] = False,
) -> None:
    """Turn a small labelled image set into a large one whose labels are exact."""


def main() -> None:
    """The `amp` command."""
    # Albumentations imports torch where there is one, for a transform that is no filter: a second and 140 MB a process.
    sys.modules.setdefault("albumentations.pytorch", None)  # type: ignore[arg-type] # None is how an import is refused
    # By default Python looks for cyclic garbage after every 700 new objects: a fifth of the time of all these imports.
    gc.set_threshold(200_000, 20, 100)
    # Where workers are not forked, a new Python would look for its own modules in the current folder first.
    os.environ.setdefault("PYTHONSAFEPATH", "1")
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")  # what it cannot decode is told by us, with the file's name
    _open_closed()
    sys.stdout, sys.stderr = sys.stdout or _nowhere(), sys.stderr or _nowhere()  # None where they are closed
    for stream in (sys.stdout, sys.stderr):  # a file name that is no text must not end a command
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(_piped(sys.argv[1:]))


def _open_closed() -> None:
    """Put the null device where standard streams are closed: the next file opened would take such a place."""
    while (handle := os.open(os.devnull, os.O_RDWR)) <= _LAST_STANDARD:
        pass
    os.close(handle)


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")


def _piped(arguments: Sequence[str]) -> int:
    """Run a command line; whoever reads it may stop reading at any time, which is no fault of anybody's."""
    try:
        code = run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        _give_up_output()
        return _EXIT_BROKEN_PIPE
    except OSError as error:  # where the output goes to: an error told there cannot be read either
        _give_up_output()
        with contextlib.suppress(OSError):
            what = f"the output cannot be written: {error.strerror}"
            show_error(AmpError(what, fix="free some space"), in_json=False)
        return EXIT_INPUT
    return code


def _give_up_output() -> None:
    """What is left in the buffer would fail again at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code; a wrong one is told like every other error."""
    try:
        return int(app(list(arguments), standalone_mode=False) or 0)
    except _UsageError as error:
        if not arguments:  # no command: the help has been shown
            return EXIT_INPUT
        command = error.ctx.command_path if error.ctx is not None else "amp"
        wrong = AmpError(error.format_message(), fix=f"`{command} --help` shows what there is")
        show_error(wrong, in_json="--json" in arguments)
        return EXIT_INPUT
