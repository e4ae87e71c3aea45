"""Builds of a few small drawn images, for tests that look at whole builds."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from amp_datasets.building.api import build
from amp_datasets.building.report import BuildReport
from amp_datasets.demo.write import write_demo

SIZE = (64, 48)
FILTERS = """
filters:
  brightness: {percent: 30}
  flip: {how: horizontal}
  rotate: {degrees: [5, 15]}
mixes:
  two: {copies: 2, pick: 1, steps: [noise: {amount: 0.1}, blur: {sigma: [1, 2]}, rotate: {degrees: [3, 15]}]}
"""


def write_set(folder: Path, images: int = 4, seed: int = 0) -> Path:
    """Draw a labelled set: COCO labels, polygons."""
    write_demo(folder, images=images, size=SIZE, seed=seed)
    return folder


def write_manifest(path: Path, sources: Iterable[Path | str], more: str = FILTERS, **settings: Any) -> Path:
    """A manifest with these sources; `more` is YAML that follows, `settings` are top-level values."""
    values = {"name": "small", "seed": 3, "sources": [str(s) for s in sources], "splits": "keep", **settings}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{key}: {value}\n" for key, value in values.items()) + more, encoding="utf-8")
    return path


def small_build(folder: Path, *, images: int = 4, jobs: int = 1, **settings: Any) -> Path:
    """Draw a set in `folder`/set and build it into `folder`/build."""
    write_set(folder / "set", images)
    write_manifest(folder / "amp.yaml", ["set"], **settings)
    build(folder / "amp.yaml", out=folder / "build", jobs=jobs)
    return folder / "build"


def tree(folder: Path) -> dict[str, str]:
    """Every file below a folder with its digest; empty folders are listed with a slash."""
    return {
        file.relative_to(folder).as_posix() + ("/" if file.is_dir() else ""): ""
        if file.is_dir()
        else hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
    }


def copy_of(folder: Path, target: Path) -> Path:
    """A copy that can be spoilt."""
    shutil.copytree(folder, target)
    return target


def ledger(build: Path) -> list[dict[str, Any]]:
    """The rows of a build's ledger."""
    rows: list[dict[str, Any]] = pq.read_table(build / "ledger.parquet").to_pylist()
    return rows


def variants(build: Path) -> Mapping[tuple[str, str], str]:
    """The digest of every variant, by source image and name."""
    return {(row["source_sha256"], row["variant"]): row["sha256"] for row in ledger(build)}


def rebuild(folder: Path, **options: Any) -> BuildReport:
    """Build `folder`/amp.yaml into `folder`/build once more."""
    return build(folder / "amp.yaml", **{"out": folder / "build", "jobs": 1, **options})
