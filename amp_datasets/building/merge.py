"""Joins sets into one build without variants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from amp_datasets.building.api import carry_out
from amp_datasets.building.inputs import Order, Run
from amp_datasets.building.report import BuildReport
from amp_datasets.building.workspace import is_build
from amp_datasets.errors import BuildError
from amp_datasets.ledger.lock import read_lock
from amp_datasets.manifest.dump import name_after
from amp_datasets.progress import Progress, silent


def merge(
    sets: Sequence[str | Path],
    out: str | Path,
    *,
    like: str | Path | None = None,
    settings: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
    plugin_dirs: Sequence[str | Path] = (),
    progress: Progress = silent,
) -> BuildReport:
    """Join sets in their order into the folder `out`; `like` is a build whose class ids are kept, new ones follow.

    `options` say how to read the sets, each by the format that it has.
    """
    order = Order(
        {"name": name_after(Path(out)), "near_duplicates": "report"},
        sources=[str(each) for each in sets],
        settings=settings,
        plugin_dirs=plugin_dirs,
        first_classes=class_order(Path(like)) if like is not None else (),
        options=options or {},
        title=Path(out),
    )
    return carry_out(order, Run(Path(out), progress=progress))


def class_order(build: Path) -> list[str]:
    """The classes of a build in the order of their ids."""
    if not is_build(build):
        raise BuildError("--like needs a build", where=build, fix="give a folder that `amp build` wrote")
    return [category["name"] for category in read_lock(build)["categories"]]
