"""The life of an image on one page: read the sources, join them, make the variants, lay the formats around them."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from datasets import Dataset, concatenate_datasets

from amp_datasets.building.assemble import finish, finish_lazy
from amp_datasets.building.engines import local
from amp_datasets.building.inputs import GivenManifest, GivenSource
from amp_datasets.building.plan import Prepared, expect, new_report, prepare, tasks
from amp_datasets.building.process import borrowed
from amp_datasets.building.report import COUNTED_COLUMNS, BuildReport
from amp_datasets.building.worker import Task
from amp_datasets.building.workspace import Workspace
from amp_datasets.errors import BuildError
from amp_datasets.manifest.model import Manifest
from amp_datasets.progress import Progress, silent
from amp_datasets.storage.files import write_failed
from amp_datasets.variants.recipe import Recipe


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
    progress: Progress = silent,
) -> BuildReport:
    """Build what a manifest says into the folder `out`, and say what was made and what was lost.

        amp.build("amp.yaml")
        amp.build(amp.Recipe(filters=[amp.Flip()]), sources=["photos"], out="build")

    `manifest` is a path, a map, or an `amp.Recipe`; `sources` are paths, label sets in memory, or datasets with boxes,
    and replace the manifest's own, `settings` ("filters.blur.sigma=3") are laid over it, `limit` takes only the
    first source images, and `lazy` keeps sources and ledger instead of pixels. Any number of `jobs` (worker processes;
    all cores by default) gives the same bytes. `out` appears, or changes, in one moment at the end. Raises AmpError on
    bad input and on a machine that is full or broken.
    """
    prepared = prepare(manifest, sources=sources, settings=settings, limit=limit, plugin_dirs=plugin_dirs)
    if dry_run:
        report = new_report(prepared, Path(out))
        expect(report, prepared)
        return report
    return build_prepared(prepared, Path(out), jobs=jobs, lazy=lazy, progress=progress)


def build_prepared(
    prepared: Prepared, out: Path, *, jobs: int | None = None, lazy: bool = False, progress: Progress = silent
) -> BuildReport:
    """Build what `prepare` has read, as `build` does."""
    started = time.monotonic()
    report = new_report(prepared, out)
    _refuse_overlap(prepared.manifest, out)
    with borrowed(), Workspace(out) as workspace, _writing(workspace.tree):
        ready = workspace.reusable()
        workspace.start()
        todo = tasks(prepared, ready)
        report.reused = sum(len(rows) for task in todo for rows in task.ready.values())
        images = None if lazy else workspace.tree / "images"
        run_tasks(prepared.recipe, todo, workspace.shards, images, jobs, progress)
        rows = ledger_of(workspace.shards)
        report.count_rows(rows.select_columns(list(COUNTED_COLUMNS)))
        if lazy:
            finish_lazy(prepared, todo, rows, workspace.tree, report)
        else:
            finish(prepared, rows, workspace.tree, report, progress)
        workspace.publish()
    report.seconds = time.monotonic() - started
    return report


@contextlib.contextmanager
def _writing(tree: Path) -> Iterator[None]:
    """A disk that is full or breaks while the build is laid out is an error of ours, whoever was writing."""
    try:
        yield
    except OSError as error:
        raise write_failed(error, Path(error.filename or tree)) from error


def run_tasks(
    recipe: Recipe,
    todo: Sequence[Task],
    shards: Path,
    images: Path | None,
    jobs: int | None,
    progress: Progress,
    *,
    plan_only: bool = False,
) -> None:
    """Make all tasks on this machine; their ledger rows are then in the folder `shards`."""
    done = 0

    def advance(sources: int) -> None:
        nonlocal done
        done += sources
        progress("making variants", done, len(todo))

    progress("making variants", 0, len(todo))
    local.run(recipe, todo, shards, images, jobs or os.cpu_count() or 1, advance, plan_only=plan_only)


def ledger_of(shards: Path) -> Dataset:
    """All rows of all shards, in the order of the sources, without loading them."""
    return concatenate_datasets([Dataset.from_file(str(file)) for file in local.shard_files(shards)])


def _refuse_overlap(manifest: Manifest, out: Path) -> None:
    target = Path(os.path.realpath(out))
    for source in manifest.sources:
        path = Path(os.path.realpath(source.path))
        if target == path or target in path.parents or path in target.parents:
            raise BuildError(
                "the target lies in a source, or a source in it", where=f"{target} and {path}", fix="choose another -o"
            )
