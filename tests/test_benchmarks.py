"""The benchmarks run, on next to nothing, and print their tables; what they compare does the same work."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from amp_datasets.demo import write as demo
from amp_datasets.filtering.base import draw
from amp_datasets.filtering.settings import complete_settings, create
from amp_datasets.plugin.discovery import load_registry

FOLDER = Path(__file__).parents[1] / "benchmarks"
TABLES = {"build": 1, "convert": 2, "filters": 1, "kills": 1, "load": 1, "memory": 1, "scale": 1, "torture": 1}
SAME_FORMULA = (
    "blur", "canny", "brightness", "contrast", "selective_blur", "exposure", "flip", "grayscale", "color_matrix",
    "sobel", "rotate",
)  # fmt: skip
"""Filters that draw nothing with these settings and are written with the same arithmetic as their kernel."""


@pytest.fixture(scope="module")
def kernels() -> Iterator[ModuleType]:
    """The benchmark's module of that name; benchmarks are no package."""
    sys.path.insert(0, str(FOLDER))
    try:
        import kernels

        yield kernels
    finally:
        sys.path.remove(str(FOLDER))


@pytest.mark.parametrize("name", TABLES)
def test_benchmark_prints_its_tables(name: str, tmp_path: Path) -> None:
    """Each runs from a checkout with --quick, names the machine, and ends every table with numbers."""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, str(FOLDER / f"{name}.py"), "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "cores" in done.stdout.splitlines()[0]
    assert done.stdout.count("\n### ") == TABLES[name]
    for text in done.stdout.split("\n### ")[1:]:
        lines = [line for line in text.splitlines() if line.startswith("|")]
        assert len(lines) >= 3
        assert any(character.isdigit() for character in lines[-1])


@pytest.mark.parametrize("name", SAME_FORMULA)
def test_kernel_computes_what_the_filter_does(name: str, kernels: ModuleType) -> None:
    """A ratio to a kernel that did less would flatter nobody: equal pixels but for rounding."""
    image = demo.draw(3, (320, 240))[0]
    registry = load_registry()
    given = {"rotate": {"degrees": 15, "direction": "clockwise"}, "color_matrix": {}}
    plugin = registry.filter(name)
    transform = create(registry.filter(name), complete_settings(plugin, given.get(name, plugin.examples[0])))
    choice = draw(transform, image, np.zeros((0, 4)))
    ours = transform.apply(image, **choice, shape=image.shape)
    direct = kernels.KERNELS[name](image)
    assert ours.shape == direct.shape
    assert cv2.absdiff(ours, direct).max() <= 1


def test_random_kernels_change_as_much_as_the_filters(kernels: ModuleType) -> None:
    """Salt and pepper on as many values, and displacements as large, so that the kernels do the same work."""
    image = np.full((300, 400, 3), 128, np.uint8)
    assert (kernels.noise(image) != 128).mean() == pytest.approx(0.25, abs=0.01)
    ramp = np.broadcast_to(np.arange(256, dtype=np.uint8)[None, :, None], (256, 256, 3)).copy()
    registry = load_registry()
    elastic = create(registry.filter("elastic"), complete_settings(registry.filter("elastic"), {}))
    elastic.set_random_seed(0)
    ours = elastic.apply(ramp, **draw(elastic, ramp, np.zeros((0, 4))), shape=ramp.shape)
    inner = (slice(48, -48), slice(48, -48))
    spread = [float(np.std(moved[inner].astype(float) - ramp[inner])) for moved in (ours, kernels.elastic(ramp))]
    assert spread[0] == pytest.approx(spread[1], rel=0.5)


def test_the_study_of_training_shows_what_it_has(tmp_path: Path) -> None:
    """Without a mode it trains nothing: mean, spread and n of each way, without a line that was cut off, and curves."""
    base = {"trainer": "yolo11n", "set": "cells", "images": 30, "recipe": "", "passes": 20, "size": 160, "batch": 8}
    curves = [[[10, 0.1, 0.3], [20, 0.2, 0.4]], [[10, 0.1, 0.3], [20, 0.4, 0.6]]]
    runs = [{**base, "way": "sources", "seed": seed, "curve": curve} for seed, curve in enumerate(curves)]
    runs.append({**base, "way": "variants", "recipe": "default", "seed": 0, "curve": curves[0]})
    place = tmp_path / "results.jsonl"
    place.write_text("".join(json.dumps(run) + "\n" for run in runs) + '{"trainer": "yol', encoding="utf-8")
    command = [sys.executable, str(FOLDER / "training.py"), "--results", str(place)]
    if importlib.util.find_spec("matplotlib"):
        command += ["--curves", str(tmp_path / "curves.webp")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "| yolo11n, cells, 30 | sources | 0.300 | 0.141 | 0.500 | 2 |" in done.stdout
    assert "| yolo11n, cells, 30 | variants, `default` | 0.200 | - | 0.400 | 1 |" in done.stdout
    assert len(command) < 6 or (tmp_path / "curves.webp").read_bytes()[:4] == b"RIFF"


@pytest.fixture
def study() -> Iterator[ModuleType]:
    """What the study trains on; it skips without the real sets."""
    sys.path.insert(0, str(FOLDER))
    try:
        from study import samples

        if "bccd" not in samples.available():
            pytest.skip("the real sets are not here")
        yield samples
    finally:
        sys.path.remove(str(FOLDER))


def test_a_sample_is_the_same_for_every_way_and_never_tests_what_it_trains(study: ModuleType) -> None:
    """Its own test images, drawn by the seed alone, no file twice."""
    one, other = (study.sample(study.Wanted("bccd", 10, seed)) for seed in (0, 1))
    trained = [{s.source_id for s in labels.samples if s.split == "train"} for labels in (one, other)]
    tested = [{s.source_id for s in labels.samples if s.split == study.SPLIT} for labels in (one, other)]
    assert [len(names) for names in trained] == [10, 10]
    assert trained[0] != trained[1]
    assert tested[0] == tested[1]
    assert len(tested[0]) == 72
    assert not tested[0] & trained[0]
    again = study.sample(study.Wanted("bccd", 10, 0))
    assert [s.source_id for s in again.samples] == [s.source_id for s in one.samples]


def test_labels_left_in_place_are_those_of_the_source(study: ModuleType, tmp_path: Path) -> None:
    """The images are the build's, byte for byte; only their labels stay behind, and the build keeps its own."""
    wanted = study.Wanted("bccd", 1, 0)
    left, build = study.left_in_place(wanted, "default", tmp_path), study.variants(wanted, "default", tmp_path)
    names = sorted(path.stem for path in (build / "images" / "train").glob("*.jpg"))
    assert len(names) > 10
    labels = [(left / "labels" / "train" / f"{name}.txt").read_text() for name in names]
    read = [[float(value) for value in text.split()] for text in labels]
    original = next(n for n in names if "__" not in n)
    expected = [float(v) for v in (build / "labels" / "train" / f"{original}.txt").read_text().split()]
    assert all(values == pytest.approx(expected, abs=2e-6) for values in read)
    for name in names:
        same = [(folder / "images" / "train" / f"{name}.jpg").read_bytes() for folder in (left, build)]
        assert same[0] == same[1]
    moved = [(build / "labels" / "train" / f"{n}.txt").read_text() for n in names]
    assert len(set(moved)) > 3


def test_every_known_fault_can_still_be_put_in() -> None:
    """Code moves; a fault of the mutation check that finds its line no more would stop the whole check."""
    place = str(FOLDER / "mutation")
    sys.path.insert(0, place)
    try:
        import check

        assert len(list(check.mutants(0, "", 0))) == len(check.SURVIVED) == 9
    finally:
        sys.path.remove(place)
