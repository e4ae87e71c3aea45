"""Makes the tasks of a build on a Ray cluster: one Ray task a shard, with the function that local workers run.

The nodes see the same paths as this process (a shared file system) and have the same versions of all that shapes a
byte; both are checked before the first shard. A shard whose worker or node is lost is made again by another one: files
are whole before they get their names, so a worker that is not quite dead does no harm.
"""

from __future__ import annotations

import asyncio
import functools
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from amp_datasets.building.choosing.task import Task
from amp_datasets.building.engines.shards import Setup, cut, make_shard, shard_path, weight
from amp_datasets.building.engines.spread import settle
from amp_datasets.building.engines.versions import made_with, refuse_other_versions
from amp_datasets.errors import AmpError, BuildError
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.variants.recipe import load_recipe

_LOST = 20
"""So often a shard is begun again because its worker or node is gone."""

_ANSWER_S = 10
_AHEAD = 2
"""Shards that wait for each core: more would only fill the driver's memory and Ray's queues."""


def run(setup: Setup, tasks: Sequence[Task], work: Path, address: str | None, progress: Callable[[int], None]) -> None:
    """Make all tasks; their ledger rows are then in `shards.shard_files(work)`, in the order of the tasks.

    `address` is that of a cluster, or "auto"; without it Ray finds one by RAY_ADDRESS or starts one here. Raises
    BuildError without Ray, without cluster, for nodes of other versions or without the paths, and for lost workers.
    """
    with _connected(address) as ray:
        recipe = load_recipe(setup.recipe)
        versions = made_with(recipe, load_registry(tuple(map(Path, recipe.plugin_dirs))))
        _check_nodes(ray, setup, versions, work)
        cores = max(1, int(ray.cluster_resources().get("CPU", 1)))
        shards = [(shard, shard_path(work, index)) for index, shard in enumerate(cut(tasks, cores))]
        shards.sort(key=lambda each: -weight(each[0]))
        make = ray.remote(_make).options(num_cpus=1, max_retries=_LOST)
        given = (setup, versions)
        _collect(ray, (make.remote(*given, *shard) for shard in shards), _AHEAD * cores, progress)


@contextmanager
def _connected(address: str | None) -> Iterator[Any]:
    """Ray, connected; a connection that is there already is used and left as it is."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray would tell its makers about each cluster
    try:
        import ray
    except ImportError as error:
        raise BuildError("Ray is not installed", fix="pip install 'amp-datasets[ray]'") from error
    if ray.is_initialized():
        yield ray
        return
    _refuse_silent(address)
    try:
        ray.init(address=address, log_to_driver=False, logging_level="WARNING", include_dashboard=False)
    except (ConnectionError, ValueError, RuntimeError, OSError) as error:
        told = (str(error) or type(error).__name__).splitlines()[0]
        fix = "give --address HOST:6379 of a cluster that runs, or leave it out to start one here"
        raise BuildError(f"Ray cannot be reached: {told}", where=address, fix=fix) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _refuse_silent(address: str | None) -> None:
    """A BuildError for an address where nobody answers: Ray itself would try for many minutes."""
    host, colon, port = (address or "").removeprefix("ray://").rpartition(":")
    if not colon or not port.isdecimal():
        return

    async def knock() -> None:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, int(port)), _ANSWER_S)
        writer.close()

    try:
        asyncio.run(knock())
    except (TimeoutError, OSError) as error:
        told = (str(error) or "no answer").splitlines()[0]
        fix = "give --address HOST:6379 of a cluster that runs, or leave it out to start one here"
        raise BuildError(f"Ray cannot be reached: {told}", where=address, fix=fix) from error


def _check_nodes(ray: Any, setup: Setup, versions: Mapping[str, str], work: Path) -> None:
    """Every node that can work must see the target and have our versions; a BuildError names the first that does not.

    A node that joins later is checked by its first shard.
    """
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    proof = work / f".{secrets.token_hex(8)}"
    proof.write_text("")
    try:
        nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) > 0]
        look, asked = ray.remote(_look), dict[Any, str]()
        for node in nodes:
            here = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            there = look.options(num_cpus=0, max_retries=2, scheduling_strategy=here)
            asked[there.remote(setup, versions, proof)] = node["NodeManagerHostname"]
        for reference, name in asked.items():
            try:
                ray.get(reference)
            except ray.exceptions.RayTaskError as error:
                raise _ours(error, name) from error
            except ray.exceptions.RayError:
                continue  # the node went away; another does its work
    finally:
        proof.unlink(missing_ok=True)


def _collect(ray: Any, submitted: Iterator[Any], at_once: int, progress: Callable[[int], None]) -> None:
    """Keep so many shards with the cluster until all are done; after an error or Ctrl-C none goes on."""
    pending: list[Any] = []
    try:
        while True:
            while len(pending) < at_once and (reference := next(submitted, None)) is not None:
                pending.append(reference)
            if not pending:
                return
            done, pending = ray.wait(pending, num_returns=1)
            progress(ray.get(done[0]))
    except ray.exceptions.RayTaskError as error:
        raise _ours(error, None) from error
    except ray.exceptions.RayError as error:
        told = str(error).splitlines()[0]
        raise BuildError(
            f"Ray lost a shard {_LOST} times, or its driver: {told}",
            fix="look at `ray status` and the memory of its nodes, and run it again: finished work is kept",
        ) from error
    finally:
        for reference in pending:
            ray.cancel(reference, force=True)


def _ours(error: Any, where: str | None) -> AmpError:
    """What went wrong in a worker, as an error of ours."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, AmpError):
        return cause if where is None else type(cause)(f"on {where}: {cause.what}", where=cause.where, fix=cause.fix)
    told = str(cause or error).splitlines()[-1]
    fix = "install the same amp-datasets on every node, then run it again: finished work is kept"
    return BuildError(f"a Ray worker failed: {told}", where=where, fix=fix)


def _look(setup: Setup, versions: Mapping[str, str], proof: Path) -> None:
    """Runs on a node: whether it can make what is planned."""
    _check_versions(setup, tuple(sorted(versions.items())))
    if not proof.exists():
        fix = "build into a folder that all nodes share, under the same path"
        raise BuildError("the target is not seen", where=proof.parent, fix=fix)


def _make(setup: Setup, versions: Mapping[str, str], tasks: Sequence[Task], path: Path) -> int:
    """Runs on a node: one shard."""
    _check_versions(setup, tuple(sorted(versions.items())))
    return make_shard(setup, tasks, path)


@functools.lru_cache(maxsize=1)
def _check_versions(setup: Setup, versions: tuple[tuple[str, str], ...]) -> None:
    """Once in a process: settle it as a worker, and refuse to make other bytes than planned."""
    settle()
    recipe = load_recipe(setup.recipe)
    here = made_with(recipe, load_registry(tuple(map(Path, recipe.plugin_dirs))))
    refuse_other_versions(dict(versions), here, os.uname().nodename)
