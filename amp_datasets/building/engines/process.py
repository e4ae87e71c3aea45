"""What of the calling process is borrowed while variants are made, and given back afterwards."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import cv2
from datasets import disable_progress_bars, enable_progress_bars
from datasets.utils import are_progress_bars_disabled


@contextlib.contextmanager
def borrowed() -> Iterator[None]:
    """OpenCV uses one thread and `datasets` shows no bars of its own; then both are as the caller had them.

    OpenCV's threads are set before any fork: a child that sets them after the parent used a pool deadlocks.
    """
    threads, quiet = cv2.getNumThreads(), are_progress_bars_disabled()
    cv2.setNumThreads(1)
    disable_progress_bars()
    try:
        yield
    finally:
        cv2.setNumThreads(threads)
        if not quiet:
            enable_progress_bars()
