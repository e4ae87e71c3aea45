"""The fixed builds whose bytes are pinned, and their digests.

`set/` holds four images of `amp_datasets.demo` as files, because a variant's draws depend on its source's bytes: with
polygons, plain boxes, a mask, keypoints, sides and oriented boxes.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from amp_datasets.building.api import build
from amp_datasets.demo.write import draw
from amp_datasets.images.codec import Encoding, encode
from amp_datasets.plugin.discovery import ALGORITHM_VERSION, load_registry
from amp_datasets.plugin.registry import Registry

FOLDER = Path(__file__).parent
DIGESTS = FOLDER / "digests"
SOURCES = (FOLDER / "set" / "shapes", FOLDER / "set" / "oriented")
MANIFESTS = FOLDER.parents[1] / "manifests"
RECORD = "python tests/golden/record.py"

_CODECS = {"opencv": "opencv-python-headless", "simplejpeg": "simplejpeg", "pillow": "pillow"}
_SHARED = ("splits=keep", "unknown_classes=keep", "exports=[yolo-detect, coco]")
_DECIMALS = 6
"""Coordinates are compared to a millionth of a pixel: beyond it, processors may differ."""

Digests = dict[str, dict[str, Any]]
"""Build -> file -> sha256 of an image, or the first digits of those of each line of a label file."""


def library_set() -> str:
    """Names the libraries, and the kind of processor, that the bytes of image files depend on."""
    vectors = "-avx2" if "AVX2" in cv2.getCPUFeaturesLine() else ""  # without it 58 images differ; AVX512 changes none
    libraries = [f"{name}-{version(package)}" for name, package in _CODECS.items()]
    return "_".join([*libraries, f"{platform.machine()}{vectors}"])


def image_file() -> Path:
    """Where the digests of images made with the libraries that are installed are kept."""
    return DIGESTS / f"images_{library_set()}.json"


LABEL_FILE = DIGESTS / "labels.json"
"""The digests of labels, which depend on no codec."""


def names() -> list[str]:
    """The pinned builds."""
    return [f"{kind} as {form}" for kind in _manifests() for form in ("png", "jpeg")] + ["demo"]


def kind_of(name: str) -> str:
    """A pinned build without the form of its images, which its labels do not depend on."""
    return name.rpartition(" as ")[0] or name


def digests(name: str, folder: Path) -> tuple[dict[str, str], dict[str, list[str]]]:
    """The digests of a pinned build, which is made in an empty folder: of its images, and of its labels' lines."""
    if name == "demo":
        return _demo(), {}
    kind, form = kind_of(name), name.rpartition(" ")[2]
    path = _manifests()[kind]
    if path is None:
        path = folder / "amp.yaml"
        path.write_text(_examples(load_registry(), family=kind == "albumentations"), encoding="utf-8")
    target = folder / "build"
    build(path, sources=SOURCES, settings=[*_SHARED, f"encode.format={form}"], out=target, jobs=1)
    images = {file.name: _sha256(file.read_bytes()) for file in sorted((target / "images").rglob("*.*g"))}
    labels = {file.stem: [*map(_line_digest, _rows(file))] for file in sorted((target / "labels").rglob("*.txt"))}
    return images, {**labels, "COCO": [*map(_line_digest, _coco(target))]}


def read(path: Path) -> Any:
    """A file of digests; empty where there is none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def write(path: Path, builds: Digests) -> None:
    """Write a file of digests, one line each, so that a change shows which they are."""
    document = {"algorithm": ALGORITHM_VERSION, "builds": builds}
    path.write_text(json.dumps(document, indent=0, ensure_ascii=False) + "\n", encoding="utf-8")


def _manifests() -> dict[str, Path | None]:
    """The kinds of builds; those without a file are made of the filters' examples."""
    return {"filters": None, "albumentations": None, **{f.stem: f for f in sorted(MANIFESTS.glob("*.yaml"))}}


def _examples(registry: Registry, *, family: bool) -> str:
    """A manifest with a variant for every example of every filter, ours or those of another library."""
    plugins = [registry.filters[name] for name in sorted(registry.filters)]
    if family:
        plugins = [registry.filter(f"{prefix}.{n}") for prefix, f in registry.families.items() for n in f.names()]
    mixes = {
        f"{plugin.name} {number}": [{plugin.name: settings}]
        for plugin in plugins
        for number, settings in enumerate(plugin.examples, start=1)
    }
    return json.dumps({"name": "golden", "seed": 7, "mixes": mixes})


def _demo() -> dict[str, str]:
    """The drawn images of the demo, before any codec, and as our own encoders write one."""
    drawn = {f"drawn {number}": _sha256(draw(number, (96, 72), 11)[0].tobytes()) for number in range(3)}
    pixels = (np.indices((40, 56)).sum(axis=0)[..., None] * np.array([2, 3, 5]) % 256).astype(np.uint8)
    forms = [Encoding(form) for form in ("png", "webp", "tiff", "bmp")]
    forms += [Encoding("jpeg", quality=90, subsampling=chroma) for chroma in ("444", "422", "420")]
    written = {f"encoded {form.format} {form.subsampling}": _sha256(encode(pixels, form)) for form in forms}
    return {**drawn, **written}


def _rows(file: Path) -> Iterator[str]:
    """The lines of a YOLO file, with its numbers rounded."""
    for line in file.read_text(encoding="utf-8").splitlines():
        yield " ".join(f"{float(part) + 0.0:.{_DECIMALS + 1}f}" for part in line.split())


def _coco(target: Path) -> Iterator[str]:
    """Every annotation and image of the COCO files, as canonical JSON."""
    for file in sorted((target / "annotations").glob("*.json")):
        document = json.loads(file.read_text(encoding="utf-8"))
        for entry in (*document["images"], *document["annotations"], *document["categories"]):
            if "file_name" in entry:
                entry["file_name"] = Path(entry["file_name"]).stem
            yield json.dumps(_rounded(entry), sort_keys=True, ensure_ascii=False)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, _DECIMALS) + 0.0
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return {key: _rounded(item) for key, item in value.items()} if isinstance(value, dict) else value


def _line_digest(line: str) -> str:
    """Enough to tell two lines apart."""
    return _sha256(line.encode())[:12]


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
