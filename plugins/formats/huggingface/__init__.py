"""Hugging Face datasets on disk: folders with metadata, saved datasets, parquet shards, and what `amp build` writes.

    images/train/a.jpg  images/train/metadata.parquet (or .jsonl, .csv)      https://huggingface.co/docs/datasets/image_load
    data/train-00000-of-00001.parquet                                        images inside
    train/data-00000-of-00001.arrow  train/state.json                        `save_to_disk`

A row has the image (`image`, or `file_name` relative to its metadata file) and `objects` with `bbox` [x, y, width,
height] in pixels of the upright image and `category`; or `label`, the class of the whole image. Images inside rows are
put into the cache of `datasets`.
"""

from __future__ import annotations

from amp_datasets.plugin.registry import Registry

from .export import HuggingFaceExporter
from .source import HuggingFaceOptions, HuggingFaceSource

__all__ = ["HuggingFaceExporter", "HuggingFaceOptions", "HuggingFaceSource", "register"]


def register(registry: Registry) -> None:
    """Offer both sides of the format."""
    registry.add_source(HuggingFaceSource)
    registry.add_exporter(HuggingFaceExporter)
