"""How long work says how far it is: one signature for all that takes time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


def silent(_what: str, _done: int, _total: int) -> None:
    """Say nothing."""


_listener: ContextVar[Progress] = ContextVar("progress", default=silent)


@contextlib.contextmanager
def told_to(progress: Progress) -> Iterator[None]:
    """Inside, whatever calls `tell` tells this; for work far below the function that was given a `progress`."""
    token = _listener.set(progress)
    try:
        yield
    finally:
        _listener.reset(token)


def tell(what: str, done: int, total: int) -> None:
    """Say how far a piece of work is to whoever listens; nobody does unless `told_to` says so."""
    _listener.get()(what, done, total)
