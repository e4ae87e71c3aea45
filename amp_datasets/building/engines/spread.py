"""Spreads work over the processes of this machine: what one item needs goes over, what comes of it comes back."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

import cv2
from datasets import disable_progress_bars
from datasets.utils import tqdm

from amp_datasets.building.engines.process import keep_freed_memory
from amp_datasets.errors import BuildError

T = TypeVar("T")
R = TypeVar("R")


def spread(function: Callable[[T], R], items: Sequence[T], jobs: int) -> Iterator[tuple[int, R]]:
    """What a function gives for each item, with the item's number, as they are done; in this process for one job.

    Call it within `process.borrowed()`. Raises BuildError if a worker dies.
    """
    if jobs <= 1 or len(items) <= 1:
        yield from ((number, function(item)) for number, item in enumerate(items))
        return
    with warnings.catch_warnings(), _pool(min(jobs, len(items))) as pool:
        # Python 3.12 warns of threads at a fork; the only ones here are Arrow's, which are made for it.
        warnings.filterwarnings("ignore", message=".*multi-threaded.*fork", category=DeprecationWarning)
        try:  # also while they are submitted a worker can die
            futures = {pool.submit(function, item): number for number, item in enumerate(items)}
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BrokenProcessPool as error:
            raise BuildError(
                "a worker was killed, most likely because memory ran out",
                fix="run it again with fewer workers (-j): finished work is kept",
            ) from error
        except BaseException:
            _stop(pool)
            raise


def _pool(workers: int) -> ProcessPoolExecutor:
    method = "fork" if sys.platform == "linux" else "spawn"
    context = multiprocessing.get_context(method)
    try:
        return ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker, initargs=(os.getpid(),))
    except OSError as error:  # locks of several processes lie in memory that is a disk to the system
        what = f"workers cannot be started: {error.strerror or error}"
        raise BuildError(what, where="/dev/shm", fix="free it, or build with one worker (-j 1)") from error  # noqa: S108


def _start_worker(parent: int) -> None:
    """Leave Ctrl-C to the parent, use one thread, hold no lock of the parent's, and never outlive the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settle()
    if sys.platform == "linux":
        import ctypes

        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
        if os.getppid() != parent:  # it died before we asked to be told
            os._exit(1)


def settle() -> None:
    """Make this process a worker: one thread for OpenCV, no bars, no lock of them that others have, memory kept."""
    cv2.setNumThreads(1)
    keep_freed_memory()
    # `map` takes the lock of all progress bars, which forked processes share: killed with it, a worker would keep it.
    tqdm.set_lock(threading.RLock())
    disable_progress_bars()


def _stop(pool: ProcessPoolExecutor) -> None:
    """End all workers now: after an error or Ctrl-C nobody waits for their shards.

    Before Python 3.14 (`kill_workers`) the pool says by no public name which processes are its own.
    """
    workers = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for worker in workers:
        worker.kill()
        worker.join()
