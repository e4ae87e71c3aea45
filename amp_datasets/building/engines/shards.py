"""A shard of a build: some sources, run through `datasets.map` in one process, finished atomically.

A shard is one Arrow file that `map` renames into place when all its rows are there. A build that is cut off keeps every
finished shard; its rows are reused by their keys, so nothing depends on how shards were cut, or on who makes them.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from datasets import Dataset, DatasetInfo, Features, Value
from datasets import Image as ImageFeature
from datasets.table import InMemoryTable

from amp_datasets.building.choosing.task import Task, load_task
from amp_datasets.building.worker import Maker
from amp_datasets.images.opening import memory_error
from amp_datasets.ledger.schema import LEDGER_FEATURES
from amp_datasets.storage.files import hidden_fault, write_failed
from amp_datasets.variants.recipe import load_recipe

_TASK_FEATURES = Features({"image": ImageFeature(decode=False), "task": Value("string")})
_MAX_SHARD = 32


class Setup(NamedTuple):
    """What a worker's maker is made from: plain data, the same in every process."""

    recipe: str
    images: str | None
    plan_only: bool = False
    drafts: str | None = None
    """Where files grow, if more than one worker may come to make the same ones."""


def cut(tasks: Sequence[Task], jobs: int) -> Iterator[list[Task]]:
    """The tasks in shards: a few for each worker, none with more than a few dozen sources."""
    size = max(1, min(_MAX_SHARD, len(tasks) // (4 * jobs)))
    for start in range(0, len(tasks), size):
        yield list(tasks[start : start + size])


def weight(tasks: Sequence[Task]) -> int:
    """About how much work a shard is: the bytes of its files."""
    return sum(map(_size, tasks))


def _size(task: Task) -> int:
    with contextlib.suppress(OSError):
        return task.file.path.stat().st_size
    return 0


def shard_files(work: Path) -> list[Path]:
    """The finished shards, in the order of their tasks."""
    return sorted(work.glob("shard-*.arrow"))


def shard_path(work: Path, index: int) -> Path:
    """Where the rows of a shard are once it is finished."""
    return work / f"shard-{index:06d}.arrow"


def make_shard(setup: Setup, tasks: Sequence[Task], path: Path) -> int:
    """Run one shard through `datasets.map`, in this process; the number of its sources."""
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
    except ValueError as error:
        raise write_failed(hidden_fault(error), path) from error
    except MemoryError as error:
        raise memory_error(", ".join(task.source_id for task in tasks[:1])) from error
    return len(tasks)


def _make_rows(batch: dict[str, list[Any]], setup: Setup) -> dict[str, list[Any]]:
    """The mapped function: one source in, the rows of all its variants out. It captures no transform."""
    maker = _maker(setup)
    task = load_task(batch["task"][0], batch["image"][0]["bytes"])
    rows = list(maker.rows(task))
    return {name: [row[name] for row in rows] for name in LEDGER_FEATURES}


@functools.lru_cache(maxsize=1)
def _maker(setup: Setup) -> Maker:
    images = None if setup.images is None else Path(setup.images)
    drafts = None if setup.drafts is None else Path(setup.drafts)
    return Maker(load_recipe(setup.recipe), images, plan_only=setup.plan_only, drafts=drafts)
