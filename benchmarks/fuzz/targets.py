"""What is fuzzed: for each target some valid inputs, and what reads damaged ones in their place.

A target that reads bytes is given bytes. Ledgers, locks and rows are also damaged value by value: the bytes of an input
are JSON there, which is written and sealed as a stranger would, so that damage reaches further than a digest.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from fixtures import sealed
from small_sets import write_set

from amp_datasets.building.api import build
from amp_datasets.demo.write import write_demo
from amp_datasets.errors import AmpError
from amp_datasets.formats.kit.arrow_reader import open_rows
from amp_datasets.formats.kit.reading import Reading
from amp_datasets.images.codec import Limits, decode, read_header
from amp_datasets.ledger.lock import lock_pieces, read_lock
from amp_datasets.ledger.replay import replay
from amp_datasets.ledger.schema import LEDGER_FILE, LOCK_FILE, read_ledger
from amp_datasets.ledger.verify import verify
from amp_datasets.loading.lazy import LazySet
from amp_datasets.manifest.load import load_manifest
from amp_datasets.plugin.discovery import load_registry
from amp_datasets.rows.schema import load_annotations
from amp_datasets.storage.files import file_sha256
from amp_datasets.storage.folder import open_folder
from amp_datasets.storage.names import inside
from amp_datasets.storage.trust import cache_root
from amp_datasets.variants.recipe import digest

LIMITS = Limits(max_bytes=2**22, max_pixels=2**20)
CORPUS = Path(__file__).parent / "corpus"
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
SMALL = "name: small\nsources: [set]\nsplits: keep\nfilters: {flip: {}, noise: {amount: 0.1}}\n"
IMAGES = (".jpg",)
"""Endings of images; a PNG in a set of ours is a mask, and so a label file."""

REFUSED_EVERYWHERE = 20
"""Of so many ledgers one is given to every command, whether it can be read or not."""

Read = Callable[[bytes], None]
Target = tuple[list[bytes], Read]


def target(name: str, folder: Path) -> Target:
    """Valid inputs of a target, those of the corpus among them, and what reads others; `folder` is its own."""
    seeds, read = TARGETS[name](folder) if name in TARGETS else set_target(name, folder / "set")
    kept = sorted((CORPUS / name).glob("*")) if (CORPUS / name).is_dir() else []
    return [*seeds, *(file.read_bytes() for file in kept)], read


def names() -> list[str]:
    """All targets: every source format, and what is not one."""
    return [*sorted(load_registry().sources), *TARGETS]


def set_target(name: str, folder: Path) -> Target:
    """A reader of sets: the label files of a small valid one, and what reads the set with one of them damaged."""
    write_set(name, folder)
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file.suffix not in IMAGES)
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


def manifest_target(folder: Path) -> Target:
    """The manifest: one that uses most of the settings, and what reads another text in its place."""
    path = folder / "amp.yaml"

    def read(data: bytes) -> None:
        path.write_bytes(data)
        load_manifest(path, load_registry())

    return [MANIFEST], read


def image_target(folder: Path) -> Target:
    """The image decoder: small images of every format, and what decodes other bytes."""
    from PIL import Image

    seeds = []
    for kind in ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF"):
        stream = io.BytesIO()
        Image.linear_gradient("L").resize((24, 16)).convert("RGB").save(stream, kind)
        seeds.append(stream.getvalue())

    def read(data: bytes) -> None:
        decode(data, read_header(data, LIMITS, folder), folder)

    return seeds, read


def zip_target(folder: Path) -> Target:
    """An archive with a small set, and what opens a damaged one and reads every member."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        for name in ("set/labels/a.txt", "set/images/a.jpg", "set\\b.txt", "../c.txt", "README.md"):
            file.writestr(name, b"0 0.5 0.5 0.1 0.1\n" * 3, zipfile.ZIP_DEFLATED)
    path = folder / "set.zip"

    def read(data: bytes) -> None:
        path.unlink(missing_ok=True)  # opened archives are kept by their time and name
        path.write_bytes(data)
        found = open_folder(path)
        for name in found.files:
            with contextlib.suppress(AmpError):
                found.read(name, 2**20)

    return [stream.getvalue()], read


def _lazy_set(folder: Path) -> Path:
    write_demo(folder / "set", images=1, size=(64, 48))
    (folder / "amp.yaml").write_text(SMALL)
    build(folder / "amp.yaml", out=folder / "lazy", lazy=True, jobs=1)
    return folder / "lazy"


def _seal(root: Path, lock: dict[str, Any]) -> None:
    """Write a lock that is right about its files and itself."""
    lock.pop("lock_digest", None)
    (root / LOCK_FILE).write_bytes(b"".join(lock_pieces({**lock, "lock_digest": digest(lock)})))


def parquet_target(folder: Path) -> Target:
    """The bytes of a ledger."""
    root = _lazy_set(folder)
    whole = (root / LEDGER_FILE).read_bytes()

    def read(data: bytes) -> None:
        (root / LEDGER_FILE).write_bytes(data)
        lock = json.loads((root / LOCK_FILE).read_text())
        lock["files"][LEDGER_FILE] = file_sha256(root / LEDGER_FILE)
        _seal(root, lock)
        verify(root)

    return [whole], read


def ledger_target(folder: Path) -> Target:
    """The values of a ledger's row, sealed: verified, replayed, and every image asked for."""
    root = _lazy_set(folder)
    table = pq.read_table(root / LEDGER_FILE)
    rows = table.to_pylist()

    def read(data: bytes) -> None:
        try:
            row = json.loads(data)
            spoilt = pa.Table.from_pylist([row, *rows[1:]], schema=table.schema)
            pq.write_table(spoilt, root / LEDGER_FILE)
            lock = json.loads((root / LOCK_FILE).read_text())
            lock["files"][LEDGER_FILE] = file_sha256(root / LEDGER_FILE)
            _seal(root, lock)
        except (ValueError, TypeError, AttributeError, RecursionError, OverflowError, pa.ArrowException):
            return  # it cannot be written
        try:
            _use(root, row, all_=len(data) % REFUSED_EVERYWHERE == 0)
        finally:
            shutil.rmtree(cache_root() / "ledgers", ignore_errors=True)  # a copy of each that was not refused

    return [json.dumps(row).encode() for row in rows], read


def _use(root: Path, row: dict[str, Any], *, all_: bool) -> None:
    """Read, and replayed where it may be read: a ledger that is refused is refused everywhere in the same place."""
    if not all_:
        list(read_ledger(root))
    verify(root, replay=1)
    with contextlib.suppress(AmpError):
        replay(root, f"{row.get('source_id')} {row.get('variant')}", root.parent / "again")
    lazy = LazySet(root)
    with contextlib.suppress(AmpError, FileNotFoundError):
        lazy.image(str(row.get("split")), str(row.get("file_name")))


def lock_target(folder: Path) -> Target:
    """The values of a lock, sealed, and its bytes as they are."""
    root = _lazy_set(folder)
    whole = (root / LOCK_FILE).read_bytes()

    def read(data: bytes) -> None:
        (root / LOCK_FILE).write_bytes(data)
        with contextlib.suppress(AmpError):
            read_lock(root)
        try:
            lock = json.loads(data)
            _seal(root, lock)
        except (ValueError, TypeError, AttributeError, RecursionError):
            return
        verify(root, replay=1)

    return [whole], read


def rows_target(folder: Path) -> Target:
    """The bytes of the parquet beside a build's images, read as anybody's."""
    write_demo(folder / "set", images=2, size=(64, 48), layout="huggingface")
    path = next((folder / "set").rglob("*.parquet"))
    whole = path.read_bytes()

    def read(data: bytes) -> None:
        path.write_bytes(data)
        found = open_folder(folder / "set")
        for _ in open_rows(found, path.relative_to(folder / "set").as_posix()).rows():
            pass

    return [whole], read


def labels_target(folder: Path) -> Target:
    """The labels in a ledger's row, masks included."""
    mask = '[{"category":"a","mask":[4,3,"0<"],"xyxy":[0.0,0.0,2.0,2.0]}]'
    points = '[{"category":"b","keypoints":[[1,1,2]],"polygons":[[[[0,0],[3,0],[3,3]]]],"xyxy":[0.0,0.0,3.0,3.0]}]'
    return [mask.encode(), points.encode(), b"[]"], lambda data: _labels(data, folder)


def _labels(data: bytes, _: Path) -> None:
    with contextlib.suppress(UnicodeDecodeError):
        load_annotations(data.decode())


def names_target(folder: Path) -> Target:
    """Names that are to become paths: whatever passes lies below the folder."""

    def read(data: bytes) -> None:
        path = inside(folder, data.decode("utf-8", "surrogateescape"))
        if not path.resolve().is_relative_to(folder.resolve()):
            raise RuntimeError(f"{path} is outside")

    return [b"images/train/a.jpg", b"../a", b"a::http://x", b"C:\\a", b"/a"], read


TARGETS: dict[str, Callable[[Path], Target]] = {
    "manifest": manifest_target,
    "image": image_target,
    "zip": zip_target,
    "parquet-ledger": parquet_target,
    "ledger": ledger_target,
    "lock": lock_target,
    "rows": rows_target,
    "labels": labels_target,
    "names": names_target,
}
