"""The life of an image on one page: read, join, plan, make, lay out, seal."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from amp_datasets.building.assemble import Layout
from amp_datasets.building.choosing.prepared import Prepared
from amp_datasets.building.choosing.task import Task
from amp_datasets.building.engines.array import PlannedArray, part_number
from amp_datasets.building.engines.make import make
from amp_datasets.building.engines.process import borrowed
from amp_datasets.building.forecast import expect, forecast, refuse_what_no_lock_holds
from amp_datasets.building.hub import refuse_what_the_hub_would, replace_build, repository_of, standing_on_the_hub
from amp_datasets.building.inputs import Engine, GivenManifest, GivenSource, Order, Run, refuse_contradictions
from amp_datasets.building.plan import plan
from amp_datasets.building.prepare import join, read
from amp_datasets.building.report import BuildReport
from amp_datasets.building.workspace import Workspace, standing_there
from amp_datasets.errors import BuildError
from amp_datasets.ledger.schema import LOCK_FILE
from amp_datasets.manifest.model import Manifest
from amp_datasets.progress import Progress, silent
from amp_datasets.storage.files import write_failed
from amp_datasets.storage.remote import address_of, local_path
from amp_datasets.storage.upload import staging, upload


def build(
    manifest: GivenManifest,
    *,
    out: str | Path = "build",
    sources: Sequence[GivenSource] = (),
    settings: Sequence[str] = (),
    jobs: int | None = None,
    limit: int | None = None,
    dry_run: bool = False,
    lazy: bool = False,
    plugin_dirs: Sequence[str | Path] = (),
    shards: int | None = None,
    shard: str | None = None,
    finish: bool = False,
    engine: Engine = "local",
    address: str | None = None,
    progress: Progress = silent,
) -> BuildReport:
    """Build what a manifest says into the folder `out`, and say what was made and what was lost.

        amp.build("amp.yaml")
        amp.build(amp.Recipe(filters=[amp.Flip()]), sources=["photos"], out="build")

    `manifest` is a path, a map, or an `amp.Recipe`; `sources` are paths, label sets in memory, or datasets with boxes,
    and replace the manifest's own, `settings` ("filters.blur.sigma=3") are laid over it, `limit` takes only the
    first source images, and `lazy` keeps sources and ledger instead of pixels. Any number of `jobs` (worker processes;
    all cores by default) gives the same bytes. `out` appears, or changes, in one moment at the end.

    For any scheduler: `shards=16` plans so many parts and makes nothing, `shard="3/16"` makes one of them (by `out`
    alone, on any machine that sees the same paths), `finish=True` puts them together: the same build, byte for byte.
    So does `engine="ray"`, on the cluster at `address`, or on one that is started here. Raises AmpError on bad input
    and on a machine that is full or broken.
    """
    order = Order(manifest, sources, settings, limit, plugin_dirs)
    ways = Run(Path(out), jobs, dry_run, lazy, progress, shards, shard, finish, engine=engine, address=address)
    return carry_out(order, ways)


def carry_out(order: Order, run: Run) -> BuildReport:
    """The life of an image: its set is read and joined with others, it is planned, made, laid out and sealed."""
    started = time.monotonic()
    refuse_contradictions(run)
    address = address_of(run.out)
    if address is not None:
        return _carry_out_there(order, run, address)
    if run.shard is not None:
        return _make_part(run, run.shard, started)
    prepared = join(read(order))
    report = forecast(prepared, run.out)
    if not run.lazy:
        refuse_what_no_lock_holds(prepared, run.out)
    if run.repository is not None:
        refuse_what_the_hub_would(prepared, run.repository)
    if run.dry_run:
        return expect(report, prepared)
    _refuse_overlap(prepared.manifest, run.out)
    if run.shards is not None:
        PlannedArray.of(run.out).write(prepared, plan(prepared, {}), run.shards)
        return expect(report, prepared)
    with borrowed(), Workspace(run.out) as workspace, _writing(workspace.tree):
        if run.finish:
            PlannedArray.of(run.out).put_back(workspace.tree, workspace.shards)
        ready = workspace.reusable()
        todo = plan(prepared, {} if run.finish else ready)
        workspace.start()
        with _made(run, prepared, todo, workspace) as shards:
            report.count(todo, shards)
            build = Layout(prepared, shards, workspace.tree, report, _jobs(run))
            laid = build.lay_out_lazy(todo) if run.lazy else build.lay_out(run.progress)
            todo.clear()  # of a large build 40 MB, which the lock needs now
            build.seal(laid, lazy=run.lazy)
            workspace.publish()
    report.seconds = time.monotonic() - started
    return report


def _carry_out_there(order: Order, run: Run, address: str) -> BuildReport:
    """Build for a remote target: made on this machine, then uploaded, its lock last, or on the hub all at once."""
    repository = repository_of(address)
    staged = staging(address)
    staged.parent.mkdir(parents=True, exist_ok=True)
    plans = run.dry_run or run.shards is not None or run.shard is not None
    old: Collection[str] = ()
    if not plans and repository is not None:
        old = standing_on_the_hub(address, repository, staged)
    elif not plans:
        old = standing_there(address, staged)
    report = carry_out(order, replace(run, out=staged, repository=repository))
    if repository is not None and not plans:
        replace_build(staged, address, repository, old, run.progress)
    elif not plans:
        upload(staged, address, LOCK_FILE, old, run.progress)
    report.out = address
    return report


@contextlib.contextmanager
def _made(run: Run, prepared: Prepared, todo: Sequence[Task], workspace: Workspace) -> Iterator[list[Path]]:
    """The rows of all tasks, made now, or by the parts of an array that was planned for it."""
    if run.finish:
        with PlannedArray.of(run.out).collected(prepared, todo, workspace.tree, workspace.shards) as shards:
            yield shards
    else:
        images = None if run.lazy else workspace.tree / "images"
        how: dict[str, Any] = {"jobs": _jobs(run), "engine": run.engine, "address": run.address}
        yield make(prepared.recipe, todo, workspace.shards, images, progress=run.progress, **how)


def _make_part(run: Run, shard: str, started: float) -> BuildReport:
    """Make one part of what was planned, and say what is in it."""
    number, count = part_number(shard)
    report = BuildReport(str(run.out))
    array = PlannedArray.of(run.out)
    with borrowed(), _writing(array.root):
        shards, report.sources = array.make(number, count, _jobs(run), run.progress)
        report.count((), shards)
    report.seconds = time.monotonic() - started
    return report


def _jobs(run: Run) -> int:
    return run.jobs or os.cpu_count() or 1


@contextlib.contextmanager
def _writing(tree: Path) -> Iterator[None]:
    """A disk that is full or breaks while the build is laid out is an error of ours, whoever was writing."""
    try:
        yield
    except OSError as error:
        raise write_failed(error, Path(error.filename or tree)) from error


def _refuse_overlap(manifest: Manifest, out: Path) -> None:
    target = Path(os.path.realpath(out))
    for source in manifest.sources:
        if address_of(source.path) is not None:
            continue
        path = Path(os.path.realpath(local_path(source.path)))
        if target == path or target in path.parents or path in target.parents:
            raise BuildError(
                "the target lies in a source, or a source in it", where=f"{target} and {path}", fix="choose another -o"
            )
