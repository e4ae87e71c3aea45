"""Every error that a user can cause: what is wrong, where, and how to repair it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from amp_datasets.shown import plain

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
    return kind(what, where=where, fix=fix)


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


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The known name that a mistyped one most likely means."""
    return next(iter(difflib.get_close_matches(name, list(names), n=1, cutoff=0.6)), None)
