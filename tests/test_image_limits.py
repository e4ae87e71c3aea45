"""What an image may cost: read, checked, built from and loaded within 1.5 GB and 30 s at the limit of pixels."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from small_builds import rebuild, write_manifest, write_set

import amp_datasets as amp
from amp_datasets.errors import AmpError, ImageError
from amp_datasets.filtering.base import JoiningFilter
from amp_datasets.images.codec import Limits, decode, read_header
from amp_datasets.images.kinds import MAX_PIXELS, MAX_PIXELS_VARIABLE
from amp_datasets.plugin.discovery import load_registry

USE = """
import json, re, resource, sys
from pathlib import Path
import amp_datasets as amp

def kilobytes(name):
    return int(re.search(rf"{name}:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

folder = Path(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF)
amp.check(folder / "set")
built = amp.build(folder / "amp.yaml", out=folder / "build", jobs=1)
sizes = [row["image"].size for row in amp.load(folder / "build")["train"]]
after = resource.getrusage(resource.RUSAGE_SELF)
seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
print(json.dumps({"peak": kilobytes("VmHWM"), "seconds": seconds, "variants": built.variants}))
"""


def write_large(folder: Path, kind: str) -> None:
    """A set of one image of as many pixels as are allowed, and the manifest that turns and blurs it."""
    mode, file = kind.split()[:2]
    side = math.isqrt(Limits().pixels_of(file.lower()))
    random = np.random.default_rng(3)
    (folder / "set").mkdir()
    path = folder / "set" / f"a.{file.lower()}"
    if mode.startswith("16x"):
        blocks = random.integers(0, 2**16, (side // 8, side // 8, int(mode[3:])), np.uint16)
        side = side // 8 * 8
        cv2.imwrite(str(path), blocks.repeat(8, 0).repeat(8, 1))
    elif mode == "float":
        Image.fromarray(random.random((side, side), np.float32)).save(path)
    else:
        noise = random.bytes(side * side * len(mode))
        Image.frombytes(mode, (side, side), noise).save(path, **dict.fromkeys(kind.split()[2:], True))
    (folder / "set" / "labels.csv").write_text(
        f"filename,width,height,class,xmin,ymin,xmax,ymax\n{path.name},{side},{side},cat,300,300,900,900\n"
    )
    filters = "{rotate: {degrees: 10}, blur: }"
    (folder / "amp.yaml").write_text(f"sources: [set]\nfilters: {filters}\nlabels: {{outline: rect}}\n")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
@pytest.mark.parametrize("kind", ["RGB PNG", "16x4 PNG", "float TIFF", "RGB WEBP lossless", "CMYK JPEG progressive"])
def test_an_image_at_its_limit_costs_no_more_than_is_stated(tmp_path: Path, kind: str) -> None:
    """1.5 GB, the program included, and 30 s: the worst are checked, built from with two filters, loaded."""
    write_large(tmp_path, kind)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", USE, tmp_path], capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["variants"] == 2
    assert found["peak"] < 1.5e6, found
    assert found["seconds"] < 4 * 30, found  # three files are written and read again


def write_several(folder: Path, filters: dict[str, Any], count: int) -> None:
    """Images of noise of as many pixels as are allowed, two round objects in each, and a manifest with filters."""
    side, random = math.isqrt(MAX_PIXELS), np.random.default_rng(3)
    (folder / "set").mkdir()
    ring = np.stack([np.cos(np.linspace(0, 6.2, 40)), np.sin(np.linspace(0, 6.2, 40))], axis=1)
    images, objects = [], []
    for number in range(count):
        name = f"{number}.png"
        Image.frombytes("RGB", (side, side), random.bytes(side * side * 3)).save(
            folder / "set" / name, compress_level=1
        )
        images.append({"id": number, "file_name": name, "width": side, "height": side})
        for centre, radius in ((900, 400), (4500, 1700)):
            outline = (ring * radius + centre).ravel().tolist()
            about = {"id": len(objects) + 1, "image_id": number, "category_id": 1, "iscrowd": 0}
            box = [centre - radius, centre - radius, 2 * radius, 2 * radius]
            objects.append({**about, "bbox": box, "area": 3 * radius**2, "segmentation": [outline]})
    labels = {"images": images, "annotations": objects, "categories": [{"id": 1, "name": "cat"}]}
    (folder / "set" / "labels.json").write_text(json.dumps(labels))
    (folder / "amp.yaml").write_text(f"sources: [set]\nsplits: {{train: 1}}\nfilters: {json.dumps(filters)}\n")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
@pytest.mark.parametrize("joining", [False, True], ids=["of one image", "of several"])
def test_every_filter_at_the_limit_costs_no_more_than_is_stated(tmp_path: Path, joining: bool) -> None:
    """All that are shipped, with the settings of their first example; those that join images over four of them."""
    found = {
        name: plugin.examples[0]
        for name, plugin in load_registry().filters.items()
        if issubclass(plugin, JoiningFilter) is joining
    }
    write_several(tmp_path, found, 4 if joining else 1)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", USE, tmp_path], capture_output=True, text=True, check=True
    )
    used: dict[str, Any] = json.loads(done.stdout)
    assert used["variants"] == len(found) * (4 if joining else 1)
    assert used["peak"] < 1.5e6, used
    assert used["seconds"] < 30 * used["variants"], used


def test_the_user_may_raise_the_limit_of_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the manifest or by the environment, as the error says with the number that is needed."""
    write_set(tmp_path / "set", 2)
    write_manifest(tmp_path / "amp.yaml", ["set"], limits="{max_pixels: 100}", more="filters: {flip: {}}\n")
    with pytest.raises(AmpError):
        rebuild(tmp_path)
    data = next((tmp_path / "set").rglob("*.jpg")).read_bytes()
    width, height = read_header(data, Limits()).stored
    with pytest.raises(ImageError, match="outside the limit of 100 pixels") as error:
        read_header(data, Limits(max_pixels=100))
    assert f"{MAX_PIXELS_VARIABLE}={width * height}" in str(error.value)
    monkeypatch.setenv(MAX_PIXELS_VARIABLE, "99")
    with pytest.raises(ImageError, match="outside the limit of 99"):
        read_header(data, Limits())
    monkeypatch.setenv(MAX_PIXELS_VARIABLE, "many")
    with pytest.raises(ImageError, match="is no number of pixels"):
        Limits()


def test_a_pixel_of_a_webp_counts_more(tmp_path: Path) -> None:
    """libwebp takes 62 bytes a pixel to write one: the number in the error is the one that lets it in."""
    Image.new("RGB", (100, 50)).save(tmp_path / "a.webp")
    data = (tmp_path / "a.webp").read_bytes()
    assert read_header(data, Limits(max_pixels=20_000)).stored == (100, 50)
    with pytest.raises(ImageError, match="outside the limit of a WebP of 2500 pixels") as error:
        read_header(data, Limits(max_pixels=10_000))
    needed = int(str(error.value).partition(f"{MAX_PIXELS_VARIABLE}=")[2].rstrip(")"))
    assert read_header(data, Limits(max_pixels=needed)).stored == (100, 50)
    assert Limits().pixels_of("png") == MAX_PIXELS


def test_a_variant_has_no_more_pixels_than_an_image_may_have(tmp_path: Path) -> None:
    """Whatever sizes a manifest names: nothing is drawn, the variant is counted with its reason."""
    write_set(tmp_path / "set", 1)
    (tmp_path / "amp.yaml").write_text(
        "sources: [set]\nfilters: {flip: , resize: {size: [20000, 20000], enlarge: true}}\n"
    )
    settings = ["labels.min_difference=0"]
    report = amp.build(tmp_path / "amp.yaml", out=tmp_path / "build", settings=settings, jobs=1)
    assert [loss.reason for loss in report.refused_variants] == ["the image is too large for a filter or format"]
    assert "20000x20000, outside the limit of 50000000 pixels" in report.refused_variants[0].examples[0]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF", "PNG"])
def test_of_many_frames_only_the_first_is_read(tmp_path: Path, kind: str) -> None:
    """Their number has no limit, for it costs nothing: what comes behind the first is not even looked at."""
    random = np.random.default_rng(5)
    frames = [Image.fromarray(random.integers(0, 255, (40, 60, 3), np.uint8)).convert("RGB") for _ in range(40)]
    path = tmp_path / f"a.{kind.lower()}"
    frames[0].save(path, kind, save_all=True, append_images=frames[1:])
    data = bytearray(path.read_bytes())
    header = read_header(bytes(data), Limits())
    assert header.has_more_images
    first = decode(bytes(data), header)
    if kind in ("GIF", "TIFF"):
        del data[len(data) // 2 :]
    assert np.array_equal(decode(bytes(data), read_header(bytes(data), Limits())), first)
