"""Runs the tasks of a build on this machine: shards of sources through `datasets.map`, each finished atomically.

A shard is one Arrow file that `map` renames into place when all its rows are there. A build that is cut off keeps every
finished shard; its rows are reused by their keys, so nothing depends on how shards were cut.
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, NamedTuple

import cv2
from datasets import Dataset, DatasetInfo, Features, Value, disable_progress_bars
from datasets import Image as ImageFeature
from datasets.table import InMemoryTable
from datasets.utils import tqdm

from amp_datasets.building.choosing.task import Task, load_task
from amp_datasets.building.engines.process import keep_freed_memory
from amp_datasets.building.worker import Maker
from amp_datasets.errors import BuildError
from amp_datasets.images.opening import memory_error
from amp_datasets.ledger.schema import LEDGER_FEATURES
from amp_datasets.storage.files import write_failed
from amp_datasets.variants.recipe import Recipe, load_recipe

_TASK_FEATURES = Features({"image": ImageFeature(decode=False), "task": Value("string")})
_MAX_SHARD = 32


class _Setup(NamedTuple):
    """What a worker's maker is made from: plain data, the same in every process."""

    recipe: str
    images: str | None
    plan_only: bool


Progress = Callable[[int], None]
"""Called with the number of sources that were finished."""


def run(
    recipe: Recipe,
    tasks: Sequence[Task],
    work: Path,
    images: Path | None,
    jobs: int,
    progress: Progress,
    *,
    plan_only: bool = False,
) -> None:
    """Make all tasks; their ledger rows are then in `shard_files(work)`, in the order of the tasks.

    Images go below `images`; without it only rows are made, and with `plan_only` not even the images' digests. Call it
    within `process.borrowed()`.

    Raises BuildError if a worker dies or a file cannot be written. Finished shards stay for the next run.
    """
    shards = list(_cut(tasks, jobs))
    job = functools.partial(_make_shard, _Setup(recipe.dump(), None if images is None else str(images), plan_only))
    if jobs <= 1 or len(shards) <= 1:
        for index, shard in enumerate(shards):
            progress(job(shard, _shard_path(work, index)))
        return
    with warnings.catch_warnings(), _pool(min(jobs, len(shards))) as pool:
        # Python 3.12 warns of threads at a fork; the only ones here are Arrow's, which are made for it.
        warnings.filterwarnings("ignore", message=".*multi-threaded.*fork", category=DeprecationWarning)
        # The heaviest first, so that no worker is left alone with a long one at the end.
        order = sorted(range(len(shards)), key=lambda i: -sum(_weight(task) for task in shards[i]))
        _collect((pool.submit(job, shards[i], _shard_path(work, i)) for i in order), pool, progress)


def shard_files(work: Path) -> list[Path]:
    """The finished shards, in the order of their tasks."""
    return sorted(work.glob("shard-*.arrow"))


def _cut(tasks: Sequence[Task], jobs: int) -> Iterator[list[Task]]:
    size = max(1, min(_MAX_SHARD, len(tasks) // (4 * jobs)))
    for start in range(0, len(tasks), size):
        yield list(tasks[start : start + size])


def _weight(task: Task) -> int:
    with contextlib.suppress(OSError):
        return task.file.path.stat().st_size
    return 0


def _shard_path(work: Path, index: int) -> Path:
    return work / f"shard-{index:06d}.arrow"


def _make_shard(setup: _Setup, tasks: Sequence[Task], path: Path) -> int:
    """Run one shard through `datasets.map`, in this process."""
    rows = {
        "image": [{"bytes": task.file.data, "path": str(task.file.path)} for task in tasks],
        "task": [task.dump() for task in tasks],
    }
    table = InMemoryTable.from_pydict(rows, schema=_TASK_FEATURES.arrow_schema)
    # Not by `Dataset.from_list`: it pickles and hashes the whole table for a fingerprint, and forgets the bytes of a
    # image in memory if a file has its name.
    source = Dataset(table, DatasetInfo(features=_TASK_FEATURES), fingerprint=path.stem)
    try:
        source.map(
            _make_rows,
            batched=True,
            batch_size=1,
            remove_columns=["image", "task"],
            features=LEDGER_FEATURES,
            cache_file_name=str(path),
            new_fingerprint=path.stem,
            load_from_cache_file=False,
            fn_kwargs={"setup": setup},
        )
    except OSError as error:
        raise write_failed(error, path) from error
    except MemoryError as error:
        raise memory_error(", ".join(task.source_id for task in tasks[:1])) from error
    return len(tasks)


def _make_rows(batch: dict[str, list[Any]], setup: _Setup) -> dict[str, list[Any]]:
    """The mapped function: one source in, the rows of all its variants out. It captures no transform."""
    maker = _maker(setup)
    task = load_task(batch["task"][0], batch["image"][0]["bytes"])
    rows = list(maker.rows(task))
    return {name: [row[name] for row in rows] for name in LEDGER_FEATURES}


@functools.lru_cache(maxsize=1)
def _maker(setup: _Setup) -> Maker:
    images = None if setup.images is None else Path(setup.images)
    return Maker(load_recipe(setup.recipe), images, plan_only=setup.plan_only)


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
    cv2.setNumThreads(1)
    keep_freed_memory()
    # `map` takes the lock of all progress bars, which forked processes share: killed with it, a worker would keep it.
    tqdm.set_lock(threading.RLock())
    disable_progress_bars()
    if sys.platform == "linux":
        import ctypes

        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
        if os.getppid() != parent:  # it died before we asked to be told
            os._exit(1)


def _collect(submitted: Iterable[Future[int]], pool: ProcessPoolExecutor, progress: Progress) -> None:
    """Wait for all shards; `submitted` is still to be run through, for a worker can die while it is."""
    try:
        for future in as_completed(list(submitted)):
            progress(future.result())
    except BrokenProcessPool as error:
        raise BuildError(
            "a worker was killed, most likely because memory ran out",
            fix="run it again with fewer workers (-j): finished work is kept",
        ) from error
    except BaseException:
        _stop(pool)
        raise


def _stop(pool: ProcessPoolExecutor) -> None:
    """End all workers now: after an error or Ctrl-C nobody waits for their shards."""
    workers = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for worker in workers:
        worker.kill()
        worker.join()
