"""The contact sheet of a build: some of its images with their labels, small enough for a dataset card."""

from __future__ import annotations

import io
from pathlib import Path

from amp_datasets.errors import ImageError
from amp_datasets.images.codec import Limits, decode, read_bytes, read_header
from amp_datasets.images.drawing.gallery import Gallery, Tile
from amp_datasets.model import LabelSet, Sample

MAX_BYTES = 300_000
IMAGES = 15
_TILE = (220, 165)
_QUALITIES = (80, 65, 50, 35, 20)


def write_sheet(labels: LabelSet, target: Path) -> None:
    """Draw the images of a small set into a WebP file below 300 kB."""
    found = (tile for sample in labels.samples if (tile := _tile(sample)) is not None)
    tiles = tuple(tile.light(labels.categories, _TILE) for tile in found)
    if not tiles:
        return
    sheet = Gallery(tiles, labels.categories, _TILE).sheet()
    for quality in _QUALITIES:
        buffer = io.BytesIO()
        sheet.save(buffer, "WEBP", quality=quality)
        if buffer.tell() < MAX_BYTES:
            break
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(buffer.getvalue())


def _tile(sample: Sample) -> Tile | None:
    """An image with its labels; none of one that this decoder cannot show."""
    limits = Limits()
    try:
        data = read_bytes(sample.image, limits)
        image = decode(data, read_header(data, limits, sample.image), sample.image)
    except ImageError:
        return None
    title = " ".join([sample.source_id.rpartition("/")[2], *sample.labels])
    return Tile(title, image, sample.annotations)
