"""The images that benchmarks run on: photographs where they are at hand, else drawn once and kept."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from multiprocessing import Pool
from pathlib import Path

# Before `datasets` is imported: the user's own cache is left alone.
os.environ["HF_DATASETS_CACHE"] = f"{tempfile.gettempdir()}/amp-benchmarks-{os.getuid()}/datasets"

from amp_datasets.demo import write as demo
from amp_datasets.images.codec import Encoding, encode
from amp_datasets.model import ImageFile, LabelSet, Sample, Size
from amp_datasets.plugin.discovery import load_registry

ROOT = Path(__file__).parents[1]
ACCORDION = ROOT.parent / "shared" / "data" / "accordion"
"""Ten photographs of 0.8 to 2.6 megapixels; benchmarks that want them skip without."""

CACHE = Path(os.environ["HF_DATASETS_CACHE"]).parent


def drawn(count: int, size: Size, layout: str = "coco", *, outlines: bool = False, first: int = 0) -> Path:
    """A folder with so many drawn images and their boxes, from the `first` of all on.

    They are JPEGs of quality 90, 4:2:0, as most photographs are.

    With `outlines` each object has one of about 150 points.
    """
    folder = (
        CACHE
        / f"{layout}-{count}-{size[0]}x{size[1]}{'-outlines' if outlines else ''}{f'-from-{first}' if first else ''}"
    )
    if not folder.exists():
        partial = Path(tempfile.mkdtemp(dir=_made(CACHE)))
        with Pool() as pool:
            samples = pool.starmap(_sample, [(number, size, outlines) for number in range(first, first + count)])
        exporter = load_registry().exporter(layout)
        exporter(partial, exporter.options_type(), _place).write(LabelSet(demo.CATEGORIES, samples, name="drawn"))
        partial.rename(folder)
    return folder


def images(folder: Path) -> list[Path]:
    """All JPEG files below a folder, in order."""
    return sorted(folder.rglob("*.jpg"))


def _sample(number: int, size: Size, outlines: bool) -> Sample:
    pixels, annotations = demo.draw(number, size)
    if not outlines:
        annotations = tuple(replace(annotation, polygons=()) for annotation in annotations)
    name = f"drawn_{number:05d}.jpg"
    data = encode(pixels, Encoding("jpeg", 90, "420"))
    return Sample(name, ImageFile(Path(name), data=data), size, annotations, split="train")


def _place(sample: Sample, path: Path) -> None:
    _made(path.parent)
    path.write_bytes(sample.image.data or b"")


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def megapixels(files: Iterable[Path]) -> float:
    """The average size of images in millions of pixels."""
    import simplejpeg

    sizes = [simplejpeg.decode_jpeg_header(file.read_bytes())[:2] for file in files]
    return sum(height * width for height, width in sizes) / len(sizes) / 1e6
