"""The life of an image on one page: read, join, plan, make, lay out, seal."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from amp_datasets.building.assemble import Layout
from amp_datasets.building.engines.make import make
from amp_datasets.building.engines.process import borrowed
from amp_datasets.building.engines.shards import shard_files
from amp_datasets.building.forecast import expect, forecast
from amp_datasets.building.inputs import GivenManifest, GivenSource, Order, Run
from amp_datasets.building.plan import plan
from amp_datasets.building.prepare import join, read
from amp_datasets.building.report import BuildReport
from amp_datasets.building.workspace import Workspace
from amp_datasets.errors import BuildError
from amp_datasets.manifest.model import Manifest
from amp_datasets.progress import Progress, silent
from amp_datasets.storage.files import write_failed


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
    order = Order(manifest, sources, settings, limit, plugin_dirs)
    return carry_out(order, Run(Path(out), jobs, dry_run, lazy, progress))


def carry_out(order: Order, run: Run) -> BuildReport:
    """The life of an image: its set is read and joined with others, it is planned, made, laid out and sealed."""
    started = time.monotonic()
    prepared = join(read(order))
    report = forecast(prepared, run.out)
    if run.dry_run:
        return expect(report, prepared)
    _refuse_overlap(prepared.manifest, run.out)
    with borrowed(), Workspace(run.out) as workspace, _writing(workspace.tree):
        todo = plan(prepared, workspace.reusable())
        workspace.start()
        images = None if run.lazy else workspace.tree / "images"
        jobs = run.jobs or os.cpu_count() or 1
        rows = make(prepared.recipe, todo, workspace.shards, images, jobs=jobs, progress=run.progress)
        report.count(todo, rows)
        build = Layout(prepared, rows, shard_files(workspace.shards), workspace.tree, report, jobs)
        laid = build.lay_out_lazy(todo) if run.lazy else build.lay_out(run.progress)
        build.seal(laid, lazy=run.lazy)
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


def _refuse_overlap(manifest: Manifest, out: Path) -> None:
    target = Path(os.path.realpath(out))
    for source in manifest.sources:
        path = Path(os.path.realpath(source.path))
        if target == path or target in path.parents or path in target.parents:
            raise BuildError(
                "the target lies in a source, or a source in it", where=f"{target} and {path}", fix="choose another -o"
            )
