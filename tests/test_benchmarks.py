"""The benchmarks run, on next to nothing, and print their tables; what they compare does the same work."""

from __future__ import annotations

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
TABLES = {"build": 1, "convert": 2, "filters": 1, "kills": 1, "load": 1, "scale": 1}
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
