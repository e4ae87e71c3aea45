"""Small valid sets of every format, with outlines of a few points: the seeds of what readers are fed with."""

from __future__ import annotations

from dataclasses import replace as changed
from pathlib import Path

from fixtures import FIXTURES
from seeds import SEEDS

from amp_datasets.demo.write import demo_set
from amp_datasets.geometry.shapes import bounds
from amp_datasets.model import Annotation, Polygon, Sample
from amp_datasets.plugin.discovery import load_registry

POINTS = 4


def write_set(name: str, folder: Path) -> None:
    """A small valid set of a format; the folder may be there."""
    folder.mkdir(parents=True, exist_ok=True)
    if name in FIXTURES:
        FIXTURES[name](folder)
    else:
        _export(_layout(name), folder)
    for path, text in SEEDS.get(name, {}).items():
        (folder / path).write_text(text, encoding="utf-8")


def _export(layout: str, folder: Path) -> None:
    """The demo set with outlines of a few points: what a reader does with the hundredth, it does with the third."""
    found, exporter = demo_set(2, (64, 48)), load_registry().exporter(layout)
    samples = tuple(changed(sample, annotations=tuple(map(_coarse, sample.annotations))) for sample in found.samples)
    if exporter.classifies:
        samples = tuple(changed(sample, labels=(sample.annotations[0].category,), annotations=()) for sample in samples)
    exporter(folder, exporter.options_type(), _place).write(changed(found, samples=samples))


def _coarse(annotation: Annotation) -> Annotation:
    rings = [part.exterior[:: max(1, len(part.exterior) // POINTS)].round(1) for part in annotation.polygons]
    return changed(annotation, polygons=tuple(map(Polygon, rings)), xyxy=bounds(rings))


def _place(sample: Sample, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(sample.image.data or b"")


def _layout(name: str) -> str:
    exporters = load_registry().exporters
    return next(layout for layout in (name, f"{name}-detect", "huggingface", "coco") if layout in exporters)
