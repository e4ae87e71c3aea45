"""Makes the tasks of a build in the processes of this machine."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path

from amp_datasets.building.choosing.task import Task
from amp_datasets.building.engines.shards import Setup, cut, make_shard, shard_path, weight
from amp_datasets.building.engines.spread import spread

Progress = Callable[[int], None]
"""Called with the number of sources that were finished."""


def run(setup: Setup, tasks: Sequence[Task], work: Path, jobs: int, progress: Progress) -> None:
    """Make all tasks; their ledger rows are then in `shards.shard_files(work)`, in the order of the tasks.

    Call it within `process.borrowed()`. Raises BuildError if a worker dies or a file cannot be written. Finished shards
    stay for the next run.
    """
    shards = [(shard, shard_path(work, index)) for index, shard in enumerate(cut(tasks, jobs))]
    if jobs > 1:  # the heaviest first, so that no worker is left alone with a long one at the end
        shards.sort(key=lambda each: -weight(each[0]))
    for _, sources in spread(functools.partial(_make, setup), shards, jobs):
        progress(sources)


def _make(setup: Setup, shard: tuple[Sequence[Task], Path]) -> int:
    return make_shard(setup, *shard)
