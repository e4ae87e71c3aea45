"""Feeds damaged label files, manifests and images to their readers; only errors of ours may come out.

    python benchmarks/fuzz/fuzz.py READER [--inputs 100000] [--seconds S] [--seed 0]
    python benchmarks/fuzz/fuzz.py all --seconds 600

READER is a source format, `manifest`, `image` or `all`. With atheris installed, `--atheris` lets coverage guide the
damage (it runs until it is stopped); without it the damage is drawn at random from a seed. Findings are printed with
their input as hexadecimal digits, and make the exit code 1.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType

from fixtures import FIXTURES, sealed
from mutate import mutated

from amp_datasets.demo.write import write_demo
from amp_datasets.errors import AmpError
from amp_datasets.formats.kit.reading import Reading
from amp_datasets.images.codec import Limits, decode, read_header
from amp_datasets.manifest.load import load_manifest
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.storage.folder import open_folder

SLOW_S = 2.0
PICTURES = (".jpg",)
"""Endings of images; a PNG in a set of ours is a mask, and so a label file."""
LIMITS = Limits(max_bytes=2**22, max_pixels=2**20)
MANIFEST = b"""name: fuzzed
seed: 3
sources: [set]
classes: [fish, {leaf: [Leaf, leaves]}]
splits: {train: 0.8, validation: 0.2}
filters:
  blur: {sigma: [1, 2.5]}
  rotate: {degrees: [5, 15], fill: replicate}
mixes:
  two: {copies: 3, pick: 1, steps: [flip, noise: {amount: 0.1}]}
labels: {min_visibility: 0.4, outline: {default: ellipse, fish: rect}}
encode: {format: keep, quality: 95}
exports: [yolo, coco, hf]
limits: {max_pixels: 1000000}
"""

Target = Callable[[bytes], None]


def set_reader(name: str, folder: Path) -> tuple[list[bytes], Target]:
    """A reader of sets: the label files of a small valid one, and what reads the set with one of them damaged."""
    write_set(name, folder)
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file.suffix not in PICTURES)
    whole = [file.read_bytes() for file in files]
    plugin = load_registry().source(name)

    def read(data: bytes) -> None:
        number = data[0] % len(files) if data else 0
        files[number].write_bytes(sealed(name, data[1:]) if len(data) % 2 else data[1:])
        try:
            found = open_folder(folder)
            plugin.detect(found)  # which never raises at all
            plugin(found, plugin.options_type(), Reading(found, LIMITS)).read()
        finally:
            files[number].write_bytes(whole[number])

    return [bytes([number]) + content for number, content in enumerate(whole)], read


def write_set(name: str, folder: Path) -> None:
    """A small valid set of a format."""
    if name in FIXTURES:
        FIXTURES[name](folder)
    else:
        write_demo(folder, images=2, size=(64, 48), layout=_layout(name))


def _layout(name: str) -> str:
    exporters = load_registry().exporters
    return next(layout for layout in (name, f"{name}-detect", "huggingface", "coco") if layout in exporters)


def manifest_reader(folder: Path) -> tuple[list[bytes], Target]:
    """The manifest: one that uses most of the settings, and what reads another text in its place."""
    path = folder / "amp.yaml"

    def read(data: bytes) -> None:
        path.write_bytes(data)
        load_manifest(path, load_registry())

    return [MANIFEST], read


def image_reader(folder: Path) -> tuple[list[bytes], Target]:
    """The image decoder: small images of every format, and what decodes other bytes."""
    import io

    from PIL import Image

    seeds = []
    for kind in ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF"):
        stream = io.BytesIO()
        Image.linear_gradient("L").resize((24, 16)).convert("RGB").save(stream, kind)
        seeds.append(stream.getvalue())

    def read(data: bytes) -> None:
        decode(data, read_header(data, LIMITS, folder), folder)

    return seeds, read


def target(name: str, folder: Path) -> tuple[list[bytes], Target]:
    """Valid inputs of a reader, and the reader."""
    if name == "manifest":
        return manifest_reader(folder)
    return image_reader(folder) if name == "picture" else set_reader(name, folder)


def run(name: str, inputs: int, seconds: float, seed: int) -> int:
    """Feed one reader; the number of different findings."""
    rng, found, started, done = random.Random(f"{seed}{name}"), set[str](), time.monotonic(), 0
    slowest = (0.0, b"")
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        seeds, read = target(name, Path(folder) / "set" if name not in {"manifest", "picture"} else Path(folder))
        while done < inputs and time.monotonic() - started < seconds:
            data = mutated(rng.choice(seeds), seeds, rng)
            done += 1
            begun = time.monotonic()
            problem = problem_of(read, data)
            slowest = max(slowest, (time.monotonic() - begun, data[:4000]))
            if problem is not None and problem not in found:
                found.add(problem)
                print(f"{name}: {problem}\n    input: {data.hex()}", flush=True)
    if slowest[0] > SLOW_S:
        print(f"{name}: one input took {slowest[0]:.1f} s: {slowest[1].hex()}", flush=True)
    print(f"{name}: {done} inputs in {time.monotonic() - started:.0f} s, {len(found)} findings", flush=True)
    return len(found)


def problem_of(read: Target, data: bytes) -> str | None:
    """What came out that must not, and where; None if all was well."""
    try:
        read(data)
    except AmpError:
        return None
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if "amp_datasets" in frame.filename or "plugins" in frame.filename]
        place = (ours or frames)[-1]
        return f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}: {str(error)[:120]}"
    return None


def guided(name: str) -> None:
    """Let atheris choose the inputs; it never returns."""
    import atheris  # type: ignore[import-not-found, unused-ignore]

    folder = tempfile.mkdtemp()
    seeds, read = target(name, Path(folder) / "set" if name not in {"manifest", "picture"} else Path(folder))
    corpus = Path(folder) / "corpus"
    corpus.mkdir()
    for number, data in enumerate(seeds):
        (corpus / str(number)).write_bytes(data)

    def one(data: bytes) -> None:
        try:
            read(data)
        except AmpError:
            return

    for function in own_functions():
        atheris.instrument_func(function)
    atheris.Setup([sys.argv[0], str(corpus)], one)
    atheris.Fuzz()


def own_functions() -> Iterator[FunctionType]:
    """The functions and methods of the package and its plugins; the libraries behind them are not ours to cover."""
    for name, module in sorted(sys.modules.items()):
        if name.partition(".")[0] in {"amp_datasets", "amp_plugins"}:
            classes = [value for value in vars(module).values() if isinstance(value, type)]
            for value in (value for owner in (module, *classes) for value in vars(owner).values()):
                if isinstance(value, FunctionType) and value.__module__ == name:
                    yield value


def main() -> int:
    """The command line; returns its exit status."""
    parser = argparse.ArgumentParser(description="Fuzz the readers of amp_datasets.")
    parser.add_argument("reader", help="a source format, manifest, image, or all")
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--atheris", action="store_true", help="coverage-guided, until stopped")
    chosen = parser.parse_args()
    if chosen.atheris:
        guided(chosen.reader)
    everything = [*sorted(load_registry().sources), "manifest", "picture"]
    names = everything if chosen.reader == "all" else [chosen.reader]
    return int(sum([run(name, chosen.inputs, chosen.seconds / len(names), chosen.seed) for name in names]) > 0)


if __name__ == "__main__":
    sys.exit(main())
