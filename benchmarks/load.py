"""Rows a second from a built and from a lazy set, against a plain torch Dataset over the same files.

    python benchmarks/load.py [--quick] [--images N]

A row is an array of its pixels. A lazy set makes each image when it is asked for, so it is compared with decoding
the built file and running the row's filter, which is what training code does that augments while it loads. With
`exact=False` it does no more than that: its pixels are not encoded and decoded again.
"""

from __future__ import annotations

import argparse
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import measuring
import numpy as np
import sets
import ways
from PIL import Image as PillowImage

import amp_datasets as amp
from amp_datasets.filtering.base import draw
from amp_datasets.filtering.settings import create
from amp_datasets.manifest.load import load_manifest
from amp_datasets.plugin.discovery import load_registry


class Rows:
    """What a torch Dataset needs: a length, and items made by a function."""

    def __init__(self, count: int, item: Callable[[int], Any]) -> None:
        self.count = count
        self.item = item

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> int:
        return int(np.asarray(self.item(index)).shape[0])


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Loading built and lazy sets.")
    parser.add_argument("--quick", action="store_true", help="two small images")
    parser.add_argument("--images", type=int, default=20, metavar="N")
    chosen = parser.parse_args()
    cv2.setNumThreads(1)
    measuring.describe_machine()
    folder = sets.drawn(2, (160, 120)) if chosen.quick else sets.drawn(chosen.images, (1000, 750))
    with tempfile.TemporaryDirectory(dir=sets.CACHE) as work:
        built = Path(work) / "built"
        amp.build(ways.MANIFEST, out=built, sources=[folder], jobs=1)
        kinds = _kinds(folder, built)
        rounds = 1 if chosen.quick else 3
        rows = [row for workers in (0, 1, 2) for row in _measured(kinds, workers, rounds)]
    measuring.heading(f"Loading: {len(kinds['built set'])} rows of {len(sets.images(folder))} sources")
    header = ["what", "workers", "rows/s in order", "rows/s shuffled", "CPU ms a row in order", "CPU ms a row shuffled"]
    measuring.table(header, rows)


def _kinds(folder: Path, built: Path) -> dict[str, Rows]:
    """The sets to be read: rows become arrays."""
    files = sets.images(built)
    loaded = amp.load(built)["train"]
    lazy = amp.load(ways.MANIFEST, sources=[folder])["train"]
    pixels = amp.load(ways.MANIFEST, sources=[folder], exact=False)["train"]
    return {
        "files, Pillow": Rows(len(files), partial(_decoded, files)),
        "built set": Rows(len(loaded), lambda index: loaded[index]["image"]),
        "files, then the filter": Rows(len(loaded), _Filtered(folder, files, loaded["variant"])),
        "lazy set, exact=False": Rows(len(pixels), lambda index: pixels[index]["image"]),
        "lazy set": Rows(len(lazy), lambda index: lazy[index]["image"]),
    }


def _decoded(files: Sequence[Path], index: int) -> Any:
    return PillowImage.open(files[index])


class _Filtered:
    """Decode a built file, as a plain Dataset does, and run the row's filter on it."""

    def __init__(self, folder: Path, files: Sequence[Path], variants: Sequence[str]) -> None:
        registry = load_registry()
        manifest = load_manifest(ways.MANIFEST, registry, sources=[str(folder)])
        self.chains = {
            spec.name: [create(registry.filter(step.filter), step.settings) for step in spec.steps]
            for spec in manifest.variants()
        }
        self.files, self.variants = files, variants

    def __call__(self, index: int) -> Any:
        image = np.array(PillowImage.open(self.files[index]).convert("RGB"))
        height, width = image.shape[:2]
        box = np.array([[width / 4, height / 4, width / 2, height / 2]])
        for transform in self.chains[self.variants[index]]:
            image = transform.apply(image, **draw(transform, image, box), shape=image.shape)
        return image


def _measured(kinds: Mapping[str, Rows], workers: int, rounds: int) -> Iterator[list[str]]:
    """A line for each kind: medians over rounds in which all take turns, for other work slows whoever is running."""
    found: dict[str, list[tuple[float, ...]]] = {name: [] for name in kinds}
    for number in range(rounds):
        for name, rows in kinds.items():
            order = list(range(len(rows)))
            passes = [
                _read(rows, indices, workers) for indices in (order, random.Random(number).sample(order, len(order)))
            ]
            found[name] += [tuple(value for each in passes if each for value in each)]
    for name, seconds in found.items():
        if seconds[0]:
            walls_and_cpus = [statistics.median(each) for each in zip(*seconds, strict=True)]
            speeds = [f"{len(kinds[name]) / wall:.0f}" for wall in walls_and_cpus[::2]]
            costs = [f"{cpu / len(kinds[name]) * 1000:.2f}" for cpu in walls_and_cpus[1::2]]
            yield [name, str(workers), *speeds, *costs]


def _read(rows: Rows, indices: Sequence[int], workers: int) -> tuple[float, float] | None:
    """Wall and CPU seconds of reading all rows; workers need torch."""
    cpu, wall = _cpu(), time.perf_counter()
    if not workers:
        for index in indices:
            rows[index]
    else:
        try:
            from torch.utils.data import DataLoader
        except ImportError:
            measuring.note("skipped: workers, for torch is not installed")
            return None
        for _ in DataLoader(rows, sampler=indices, num_workers=workers, batch_size=8, multiprocessing_context="fork"):
            pass
    return time.perf_counter() - wall, _cpu() - cpu


def _cpu() -> float:
    """Of this process and its finished children."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


if __name__ == "__main__":
    main()
