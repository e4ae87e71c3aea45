"""Every error that a user can cause: what is wrong, where, and how to repair it."""

from __future__ import annotations

import contextlib
import difflib
import inspect
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from amp_datasets.shown import plain

_T = TypeVar("_T")

DAMAGE = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)
"""What comes of using values that somebody else wrote, wherever they are not what they should be."""


class AmpError(Exception):
    """A problem with the user's input or machine, shown without a traceback.

    `what` is one sentence, `where` a file (with line and column if known), `fix` what to do about it.
    """

    def __init__(self, what: str, *, where: object = None, fix: str | None = None) -> None:
        super().__init__(what, where, fix)
        self.what = what
        self.where = None if where is None else str(where)
        self.fix = fix

    def __reduce__(self) -> tuple[object, ...]:
        """Keep the keywords when a worker process sends the error to its parent."""
        return _restore, (type(self), self.what, self.where, self.fix)

    def __str__(self) -> str:
        lines = [plain(self.what)]
        if self.where is not None:
            lines.append(f"  --> {plain(self.where)}")
        if self.fix is not None:
            lines.append(f"  fix: {plain(self.fix)}")
        return "\n".join(lines)


def _restore(kind: type[AmpError], what: str, where: str | None, fix: str | None) -> AmpError:
    try:
        return kind(what, where=where, fix=fix)
    except TypeError:  # a plugin's own, which takes other arguments
        return AmpError(what, where=where, fix=fix)


class ManifestError(AmpError):
    """One problem in a manifest, or several reported together."""

    @classmethod
    def of(cls, problems: Sequence[AmpError]) -> ManifestError:
        """All problems of a manifest as one error, in the order of their lines."""
        first, *others = problems
        error = cls(first.what, where=first.where, fix=first.fix)
        error.others = tuple(others)
        return error

    others: tuple[AmpError, ...] = ()


class SourceError(AmpError):
    """A set whose labels cannot be read or trusted as a whole."""


class UnreadableError(SourceError):
    """A file that the system does not give (rights, a failing disk): nobody knows what is in it, so nothing is made."""


class ImageError(AmpError):
    """Bytes that are no image we can use; the sample is set aside and counted."""


class PluginError(AmpError):
    """A plugin that is missing, broken or registered twice."""


class ArgumentError(AmpError, ValueError):
    """A wrong argument of a filter's constructor; a ValueError too, as Albumentations raises for its own."""


class BuildError(AmpError):
    """A build that cannot start, go on or be read."""


class CannotApply(AmpError):  # noqa: N818 - reads as what it says where it is raised
    """A filter that has nothing to do on this sample (no object to crop around); the variant is dropped."""


_SAID_CHARS = 300
_SHIPPED = "amp_plugins."


def said(error: BaseException) -> str:
    """An exception in one line of at most 300 characters, whatever its author made of it."""
    try:
        text = " ".join(str(error)[: 10 * _SAID_CHARS].split())
    except Exception:  # its own `__str__` breaks
        text = ""
    return f"{type(error).__name__}: {text}"[:_SAID_CHARS]


@contextlib.contextmanager
def blaming(kind: str, plugin: type) -> Iterator[None]:
    """Make whatever a plugin raises a PluginError that names it and its file.

    What says what it is about goes through: an AmpError, an error of the system, memory that runs out, Ctrl-C. So does
    what a shipped plugin raises, which is a mistake of ours.
    """
    try:
        yield
    except (AmpError, MemoryError, KeyboardInterrupt):
        raise
    except BaseException as error:
        if is_shipped(plugin) or (isinstance(error, OSError) and error.errno is not None):
            raise
        what = f"the {kind} `{getattr(plugin, 'name', plugin.__name__)}` breaks: {said(error)}"
        raise PluginError(what, where=file_of(plugin), fix="repair the plugin, or leave it out") from error


def is_shipped(plugin: type) -> bool:
    """Whether a plugin is one of ours."""
    return plugin.__module__.startswith(_SHIPPED)


def must_be(kind: type[_T], value: object) -> _T:
    """What a plugin gave, if it is of the kind that was asked for. Raises TypeError."""
    if not isinstance(value, kind):
        raise TypeError(f"it gives a {type(value).__name__}, not a {kind.__name__}")
    return value


def file_of(plugin: object) -> str:
    """Where a plugin is defined, for people."""
    try:
        return inspect.getfile(plugin if isinstance(plugin, type) else type(plugin))
    except (OSError, TypeError):
        return repr(plugin)


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The known name that a mistyped one most likely means."""
    return next(iter(difflib.get_close_matches(name, list(names), n=1, cutoff=0.6)), None)
