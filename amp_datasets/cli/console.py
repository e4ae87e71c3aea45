"""What the command line shows: errors with place and remedy, one progress bar, results as text or JSON."""

from __future__ import annotations

import functools
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, Protocol, TypeVar

import typer

from amp_datasets.errors import AmpError, ManifestError, said
from amp_datasets.progress import silent, told_to
from amp_datasets.shown import as_json, plain

_P = ParamSpec("_P")
_R = TypeVar("_R")
_PLAIN_INTERVAL_S = 10.0

EXIT_PROBLEMS = 1
EXIT_INPUT = 2
EXIT_INTERRUPTED = 130


def command(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Turn errors of a command into messages and exit codes; AMP_DEBUG=1 shows the traceback instead."""

    @functools.wraps(function)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return function(*args, **kwargs)
        except KeyboardInterrupt as error:
            say("interrupted; running the same command again goes on where it stopped")
            raise typer.Exit(EXIT_INTERRUPTED) from error
        except (typer.Exit, BrokenPipeError):
            raise
        except Exception as error:
            if os.environ.get("AMP_DEBUG"):
                raise
            show_error(_told(error), in_json=bool(kwargs.get("json_")))
            raise typer.Exit(EXIT_INPUT) from error

    return run


def _told(error: Exception) -> AmpError:
    """Any error as what, where and fix."""
    if isinstance(error, AmpError):
        return error
    if isinstance(error, UnicodeEncodeError):
        what = f"a name has letters that this system's encoding ({error.encoding}) has not"
        return AmpError(what, fix="set PYTHONUTF8=1, or a locale in UTF-8")
    if isinstance(error, OSError) and error.strerror:
        return AmpError(error.strerror, where=error.filename, fix="check the path and its permissions")
    if isinstance(error, MemoryError):
        return AmpError("memory ran out", fix="close other programs, or use fewer workers (-j), and run it again")
    if "pydantic_core" in sys.modules and isinstance(error, sys.modules["pydantic_core"].ValidationError):
        first = error.errors(include_url=False)[0]  # of an argument; those of a manifest are told with their places
        place = ".".join(map(str, first["loc"]))
        return AmpError(str(first["msg"]), where=place, fix="`--help` shows what is expected")
    if isinstance(error, RecursionError):
        return AmpError("a path or a document has too many levels", fix="use a shorter one")
    if isinstance(error, RuntimeError) and "Symlink loop" in str(error):  # of `Path.resolve` before Python 3.13
        return AmpError("a link leads to itself", where=str(error).partition("from ")[2].strip("'"), fix="remove it")
    if isinstance(error, ImportError):
        return AmpError(
            f"a library cannot be loaded: {error}", fix="close other programs if memory is short, or install it again"
        )
    return AmpError(
        f"this should not have happened: {said(error)}",
        fix="AMP_DEBUG=1 shows where; please report it with the output of `amp env`",
    )


def show_error(error: AmpError, *, in_json: bool) -> None:
    """All problems of an error: on stderr for people, as one JSON document on stdout."""
    problems = [error, *(error.others if isinstance(error, ManifestError) else ())]
    if in_json:
        emit_json({"errors": [{"what": e.what, "where": e.where, "fix": e.fix} for e in problems]})
        return
    for problem in problems:
        _show_word("error")
        sys.stderr.write(f": {problem}\n")  # what it quotes is plain already


def _show_word(word: str) -> None:
    """In colour where the terminal has colours, and memory enough for the library that knows."""
    try:
        from rich.console import Console
    except (ImportError, MemoryError, OSError):
        sys.stderr.write(word)
        return
    console = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)
    console.print(word, style="bold red", end="")


def say(text: str) -> None:
    """One line for people, on stderr; what it quotes cannot steer the terminal, nor feign another line."""
    sys.stderr.write(f"{plain(text)}\n")


def emit(lines: Iterable[str]) -> None:
    """Results, on stdout."""
    for line in lines:
        sys.stdout.write(f"{plain(line)}\n")


def emit_json(document: Any) -> None:
    """A result as one JSON document on stdout."""
    sys.stdout.write(f"{as_json(document)}\n")


class Report(Protocol):
    """What commands return."""

    def to_json(self) -> dict[str, Any]:
        """All of it as one JSON document."""

    def as_text(self) -> list[str]:
        """The lines that a person reads."""


def emit_report(report: Report, *, in_json: bool, then: str | None = None) -> None:
    """A result as one JSON document, or as text with the command that most likely comes next."""
    if in_json:
        emit_json(report.to_json())
        return
    emit(report.as_text())
    if then is not None:
        next_step(then)


def next_step(text: str) -> None:
    """The command that most likely comes next."""
    say(f"next: {text}")


@contextmanager
def progress_bar(*, quiet: bool = False) -> Iterator[Callable[[str, int, int], None]]:
    """A function that shows progress: one bar on a terminal, a plain line every 10 s elsewhere.

    Whatever works inside and calls `progress.tell` is shown, too. Import libraries inside: they take seconds.
    """
    if quiet:
        yield silent
    elif sys.stderr.isatty():
        with _rich_bar() as show, told_to(show):
            show("loading libraries", 0, 1)
            yield show
    else:
        show_plainly = _PlainProgress()
        with told_to(show_plainly):
            yield show_plainly


@contextmanager
def _rich_bar() -> Iterator[Callable[[str, int, int], None]]:
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # Without a refreshing thread: worker processes are forked while the bar is shown.
    with Progress(*columns, console=Console(stderr=True), auto_refresh=False, transient=True) as bar:
        task = bar.add_task("", total=None)

        def show(what: str, done: int, total: int) -> None:
            bar.update(task, description=escape(plain(what)), completed=done, total=total)
            bar.refresh()

        yield show


class _PlainProgress:
    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._last >= _PLAIN_INTERVAL_S:
            self._last = now
            say(f"{what}: {done} of {total}")
