"""What is borrowed of the calling process while variants are made, and what a process of ours has for good."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

import cv2
from datasets import disable_progress_bars, enable_progress_bars
from datasets.utils import are_progress_bars_disabled

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # malloc.h


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


def keep_freed_memory() -> None:
    """Let glibc keep up to 128 MB of freed memory, where it gives every image's arrays back to the system at once.

    Getting them again, page by page, is a fifth of the time of a build (`benchmarks/memory.py`). Nobody can read what
    was set before, so it is for processes that are ours: workers and the command line, never one that calls us.
    """
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(AttributeError, OSError):  # another C library has no mallopt
            for option, value in ((_TRIM_THRESHOLD, 2**27), (_MMAP_THRESHOLD, 2**25)):
                ctypes.CDLL(None).mallopt(option, value)
