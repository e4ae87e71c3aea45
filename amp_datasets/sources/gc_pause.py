"""Python's collector of cyclic garbage, and when it only gets in the way."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """Let the collector rest; also usable as a decorator.

    Labels are many small objects without cycles. Looking through all of them again and again, whenever a few hundred
    more are there, takes a seventh of the time of converting a set.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
