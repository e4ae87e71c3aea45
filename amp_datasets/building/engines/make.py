"""Makes the tasks of a build, and says how far it is; which engine does it is settled here."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from amp_datasets.building.choosing.task import Task
from amp_datasets.building.engines import local
from amp_datasets.building.engines.shards import Setup, shard_files
from amp_datasets.building.inputs import Engine
from amp_datasets.progress import Progress, silent
from amp_datasets.variants.recipe import Recipe


def make(
    recipe: Recipe,
    todo: Sequence[Task],
    shards: Path,
    images: Path | None,
    *,
    jobs: int | None = None,
    plan_only: bool = False,
    engine: Engine = "local",
    address: str | None = None,
    progress: Progress = silent,
) -> list[Path]:
    """Files in the folder `shards` with the ledger rows of all tasks, in the order of the sources.

    The images are then below `images`; without it rows are made alone, with `plan_only` not even the images' digests.
    The engine makes no difference but in where that happens: `jobs` processes of this machine, or the Ray cluster at
    `address`.
    """
    done = 0

    def advance(sources: int) -> None:
        nonlocal done
        done += sources
        progress("making variants", done, len(todo))

    progress("making variants", 0, len(todo))
    setup = Setup(recipe.dump(), None if images is None else str(images), plan_only)
    if engine == "ray":
        from amp_datasets.building.engines import cluster

        drafts = shards.with_name("drafts")
        drafts.mkdir(exist_ok=True)
        cluster.run(setup._replace(drafts=str(drafts)), todo, shards, address, advance)
    else:
        local.run(setup, todo, shards, jobs or os.cpu_count() or 1, advance)
    return shard_files(shards)
